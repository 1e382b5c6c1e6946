//! Reads scores from the logs of ffmpeg's filters.

use std::time::Duration;

use agent_core::model::scenario::Quality;
use agent_core::units::{Decibels, Ratio, Vmaf};
use serde_json::Value;

/// The largest value of a sample of 8 bits, in which pictures are compared.
const PEAK: f64 = 255.0;

/// Scores of a comparison; an unavailable metric is `None`.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Scores {
    /// Mean over all frames.
    pub vmaf: Option<Vmaf>,
    /// Of the mean error over all frames, as in ffmpeg's own summary; infinite without any error.
    pub psnr: Option<Decibels>,
    /// Mean over all frames.
    pub ssim: Option<Ratio>,
    /// Frames that were compared.
    pub frames: u64,
    /// Duration of the comparison.
    pub took: Duration,
    /// The share of the source's frames that was compared, where the encode is shorter.
    pub covered: Option<Ratio>,
}

impl Scores {
    /// The scores as a result file has them.
    pub(crate) fn quality(&self) -> Quality {
        Quality {
            vmaf: self.vmaf,
            psnr: self.psnr,
            ssim: self.ssim,
            took: Some(self.took),
            covered: self.covered,
        }
    }
}

/// Reads libvmaf's JSON log.
pub(super) fn vmaf(log: &str) -> Option<Vmaf> {
    let value: Value = serde_json::from_str(log).ok()?;
    Vmaf::new(value.get("pooled_metrics")?.get("vmaf")?.get("mean")?.as_f64()?)
}

/// Reads the psnr filter's log and its number of frames: `n:1 mse_avg:0.12 … psnr_avg:57.3 …`.
pub(super) fn psnr(log: &str) -> Option<(Decibels, u64)> {
    let (error, frames) = mean(log, "mse_avg:")?;
    let decibels = if error > 0.0 { 10.0 * (PEAK * PEAK / error).log10() } else { f64::INFINITY };
    Some((Decibels(decibels), frames))
}

/// Reads the ssim filter's log and its number of frames: `n:1 Y:0.99 U:0.99 V:0.99 All:0.991 (20.4)`.
pub(super) fn ssim(log: &str) -> Option<(Ratio, u64)> {
    let (ssim, frames) = mean(log, "All:")?;
    Some((Ratio(ssim), frames))
}

fn mean(log: &str, field: &str) -> Option<(f64, u64)> {
    let (mut sum, mut frames) = (0.0, 0_u64);
    for line in log.lines() {
        let value: f64 = line.split_whitespace().find_map(|word| word.strip_prefix(field))?.parse().ok()?;
        sum += value;
        frames += 1;
    }
    (frames > 0 && sum.is_finite()).then(|| (sum / frames as f64, frames))
}

/// A PSNR for JSON, which has no infinite numbers.
pub(crate) fn number_or_inf(psnr: Decibels) -> Value {
    if psnr.0.is_finite() { Value::from(psnr.0) } else { Value::from("inf") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logs_of_the_real_filters() {
        let log = "n:1 mse_avg:0.00 mse_y:0.00 mse_u:0.00 mse_v:0.00 psnr_avg:inf psnr_y:inf psnr_u:inf psnr_v:inf\n\
            n:2 mse_avg:1.00 mse_y:1.30 mse_u:0.40 mse_v:0.40 psnr_avg:48.13 psnr_y:46.99 psnr_u:52.11 psnr_v:52.11\n";
        let (found, frames) = psnr(log).unwrap();
        assert_eq!(frames, 2);
        assert!((found.0 - 51.1411).abs() < 1e-3, "{found:?}");
        let same = log.lines().next().unwrap();
        assert_eq!(psnr(same), Some((Decibels(f64::INFINITY), 1)));
        let log = "n:1 Y:0.990000 U:0.980000 V:0.970000 All:0.985000 (18.239087)\n\
            n:2 Y:1.000000 U:1.000000 V:1.000000 All:1.000000 (inf)\n";
        let (found, frames) = ssim(log).unwrap();
        assert_eq!(frames, 2);
        assert!((found.0 - 0.9925).abs() < 1e-12, "{found:?}");
        assert_eq!(vmaf(r#"{"pooled_metrics":{"vmaf":{"min":1,"mean":93.25}}}"#), Some(Vmaf(93.25)));
    }

    #[test]
    fn a_log_that_is_cut_off_is_no_score() {
        assert_eq!(psnr(""), None);
        assert_eq!(psnr("n:1 mse_avg:"), None);
        assert_eq!(ssim("n:1 Y:0.9"), None);
        assert_eq!(vmaf("{\"pooled_metrics\":"), None);
        assert_eq!(number_or_inf(Decibels(f64::INFINITY)), "inf");
    }
}
