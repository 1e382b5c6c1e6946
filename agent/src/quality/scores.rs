//! Reads scores from the output of ffmpeg's filters.

use std::time::Duration;

use agent_core::model::scenario::Quality;
use agent_core::model::vmaf_model::VmafModel;
use agent_core::units::{Decibels, Ratio, Vmaf};
use serde_json::Value;

/// Key of the share of the source's frames that the scores cover, in a result file.
pub(super) const COVERED: &str = "quality_covered_ratio";

/// Scores of a comparison; an unavailable metric is `None`.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Scores {
    pub vmaf: Option<VmafScores>,
    /// Of the mean error over all frames, as in ffmpeg's own summary; infinite without any error.
    pub psnr: Option<Decibels>,
    /// Mean over all frames.
    pub ssim: Option<Ratio>,
    /// XPSNR of luma, as in ffmpeg's own summary.
    pub xpsnr: Option<Decibels>,
    /// Frames that were compared.
    pub frames: u64,
    /// Duration of the comparison.
    pub took: Duration,
    /// The share of the source's frames that was compared, where the encode is shorter.
    pub covered: Option<Ratio>,
}

/// VMAF of a video.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct VmafScores {
    pub model: VmafModel,
    /// Mean over all frames.
    pub mean: Vmaf,
    /// Harmonic mean over all frames, as libvmaf computes it: of VMAF + 1, minus 1.
    pub harmonic_mean: Option<Vmaf>,
    /// The first percentile of the frames: one frame of a hundred is worse.
    pub first_percentile: Option<Vmaf>,
}

impl Scores {
    /// The known scores, by their keys in a result file.
    pub(crate) fn fields(&self) -> Vec<(&'static str, Value)> {
        let vmaf = self.vmaf.as_ref();
        let all = [
            ("vmaf_score", vmaf.map(|vmaf| Value::from(vmaf.mean.0))),
            ("vmaf_harmonic_mean", vmaf.and_then(|vmaf| vmaf.harmonic_mean).map(|vmaf| Value::from(vmaf.0))),
            (
                "vmaf_first_percentile",
                vmaf.and_then(|vmaf| vmaf.first_percentile).map(|vmaf| Value::from(vmaf.0)),
            ),
            ("vmaf_model", vmaf.map(|vmaf| Value::from(vmaf.model.name()))),
            ("psnr_score", self.psnr.map(number_or_inf)),
            ("ssim_score", self.ssim.map(|ssim| Value::from(ssim.0))),
            ("xpsnr_score", self.xpsnr.map(number_or_inf)),
            ("quality_seconds", Some(Value::from(self.took.as_secs_f64()))),
            (COVERED, self.covered.map(|share| Value::from(share.0))),
        ];
        all.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }

    /// The scores as a run has them.
    pub(crate) fn quality(&self) -> Quality {
        Quality {
            vmaf: self.vmaf.as_ref().map(|vmaf| vmaf.mean),
            vmaf_model: self.vmaf.as_ref().map(|vmaf| vmaf.model),
            psnr: self.psnr,
            ssim: self.ssim,
            took: Some(self.took),
            covered: self.covered,
        }
    }
}

/// Reads libvmaf's JSON log.
pub(super) fn vmaf(log: &str, model: VmafModel) -> Option<VmafScores> {
    let value: Value = serde_json::from_str(log).ok()?;
    let pooled = value.get("pooled_metrics")?.get("vmaf")?;
    let score = |name: &str| Vmaf::new(pooled.get(name)?.as_f64()?);
    let frames = value.get("frames").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let frames = frames.iter().filter_map(|frame| frame.get("metrics")?.get("vmaf")?.as_f64()).collect();
    Some(VmafScores {
        model,
        mean: score("mean")?,
        harmonic_mean: score("harmonic_mean"),
        first_percentile: percentile(frames, 0.01).and_then(Vmaf::new),
    })
}

/// A percentile by linear interpolation between the nearest ranks, as numpy computes it by default.
fn percentile(mut values: Vec<f64>, share: f64) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let place = share * values.len().checked_sub(1)? as f64;
    let lower = values.get(place.floor() as usize)?;
    let upper = values.get(place.ceil() as usize)?;
    Some(lower + (upper - lower) * place.fract())
}

/// Reads the summary of the psnr filter: `PSNR y:35.54 u:34.53 v:34.11 average:35.09 min:34.08 max:37.67`.
pub(super) fn psnr(said: &[String]) -> Option<Decibels> {
    Some(Decibels(field(said, "PSNR ", "average:")?))
}

/// Reads the summary of the ssim filter: `SSIM Y:0.96 (14.95) U:0.97 (15.23) V:0.98 (17.38) All:0.97 (15.32)`.
pub(super) fn ssim(said: &[String]) -> Option<Ratio> {
    Some(Ratio(field(said, "SSIM ", "All:")?))
}

/// Reads the summary of the xpsnr filter: `XPSNR  y: 30.54  u: 27.78  v: 27.74  (minimum: 27.74)`.
pub(super) fn xpsnr(said: &[String]) -> Option<Decibels> {
    Some(Decibels(field(said, "XPSNR ", "y:")?))
}

/// The number after `name` in the last summary of a filter.
fn field(said: &[String], filter: &str, name: &str) -> Option<f64> {
    let mut summaries = said.iter().filter_map(|line| {
        let at = line.find(filter)?;
        // `PSNR` is the end of `XPSNR`, too.
        let (before, summary) = line.split_at(at);
        if before.ends_with('X') { None } else { summary.split_once(name) }
    });
    let (_, after) = summaries.next_back()?;
    let number: f64 = after.split_whitespace().next()?.parse().ok()?;
    (!number.is_nan()).then_some(number)
}

/// A PSNR for JSON, which has no infinite numbers.
pub(crate) fn number_or_inf(psnr: Decibels) -> Value {
    if psnr.0.is_finite() { Value::from(psnr.0) } else { Value::from("inf") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn summaries_of_the_real_filters() {
        let said = [
            "[Parsed_xpsnr_9 @ 0x7f] [info] XPSNR  y: 30.5470  u: 27.7858  v: 27.7446  (minimum: 27.7446)",
            "[Parsed_ssim_7 @ 0x7f] [info] SSIM Y:0.968031 (14.952694) U:0.970035 (15.2) V:0.98 (17.3) All:0.970648 (15.3)",
            "[Parsed_psnr_6 @ 0x7f] [info] PSNR y:35.54 u:34.53 v:34.11 average:35.096527 min:34.08 max:37.67",
        ]
        .map(str::to_owned);
        assert_eq!(psnr(&said), Some(Decibels(35.096_527)));
        assert_eq!(ssim(&said), Some(Ratio(0.970_648)));
        assert_eq!(xpsnr(&said), Some(Decibels(30.547)));
        let same = ["[info] PSNR y:inf u:inf v:inf average:inf min:inf max:inf".to_owned()];
        assert_eq!(psnr(&same), Some(Decibels(f64::INFINITY)));
        assert_eq!(xpsnr(&same), None);
    }

    #[test]
    fn the_log_of_libvmaf() {
        let log = r#"{"frames":[{"metrics":{"vmaf":90}},{"metrics":{"vmaf":80}}],
            "pooled_metrics":{"vmaf":{"min":80,"mean":85,"harmonic_mean":84.7}}}"#;
        let found = vmaf(log, VmafModel::Standard).unwrap();
        assert_eq!((found.mean, found.harmonic_mean), (Vmaf(85.0), Some(Vmaf(84.7))));
        assert!((found.first_percentile.unwrap().0 - 80.1).abs() < 1e-9, "{found:?}");
        assert_eq!(percentile(Vec::new(), 0.01), None);
    }

    #[test]
    fn a_log_that_is_cut_off_is_no_score() {
        assert_eq!(psnr(&["[info] PSNR y:1 average:".to_owned()]), None);
        assert_eq!(ssim(&[]), None);
        assert_eq!(vmaf("{\"pooled_metrics\":", VmafModel::Standard), None);
        assert_eq!(number_or_inf(Decibels(f64::INFINITY)), "inf");
    }
}
