//! Cost of a transcode, and its energy for each frame, pixel and second of its output.
//!
//! Ratios are of the part of the transcode's life that was observed: energy of another time is in none of them.

use std::time::Duration;

use crate::join::cost;
use crate::join::figures::Prices;
use crate::join::history::Charge;
use crate::join::quotient;
use crate::model::joined::{TranscodeCost, TranscodeFigures};
use crate::model::progress::Progress;
use crate::model::transcode::{Observation, Output, SeenOutput};
use crate::units::{Money, Pixels};

const HOUR: Duration = Duration::from_hours(1);

/// Output of a transcode while it was observed, and the energy for it: all output, where its whole life was observed; else the output
/// between its first and its last progress post to this run of the agent, and the counts of earlier runs.
pub fn seen(
    observation: &Observation,
    charge: Charge,
    progress: Option<&Progress>,
    output: &Output,
) -> SeenOutput {
    let Output { frames, pixels, length, .. } = *output;
    if observation.is_whole() {
        let energy = progress.map_or(charge.energy, |progress| progress.energy);
        return SeenOutput { energy, frames, pixels, length };
    }
    let earlier = observation.earlier.seen;
    let Some((progress, frames_now)) = progress.and_then(|progress| Some((progress, progress.block.frames?)))
    else {
        return earlier;
    };
    // Progress counts are of the first video stream, the output's over all renditions.
    let of_all = |first: u64| {
        let whole = frames? as f64;
        let part = quotient((frames_now - first.min(frames_now)) as f64, frames_now as f64)?;
        Some((whole * part).round() as u64)
    };
    let added = progress.first.frames.and_then(of_all);
    let frames_seen = added.map(|added| added + earlier.frames.unwrap_or(0)).or(earlier.frames);
    let since = length.zip(progress.first.output_time).map(|(now, first)| now.saturating_sub(first));
    SeenOutput {
        energy: earlier.energy + progress.energy.saturating_sub(progress.first.energy),
        frames: frames_seen,
        // Each picture is assumed to have the mean size.
        pixels: pixels
            .zip(frames.zip(frames_seen))
            .and_then(|(pixels, (all, seen))| Some(Pixels(pixels.0 * quotient(seen as f64, all as f64)?))),
        length: since.map(|since| since + earlier.length.unwrap_or_default()).or(earlier.length),
    }
}

/// Figures of a transcode, from all its charges, over the time in which it was observed, and its output meanwhile. Figures that need
/// unknown energy or output are absent.
pub fn figures(
    charge: Charge,
    (observed, is_whole): (Duration, bool),
    seen: &SeenOutput,
    output: &Output,
    prices: &Prices,
) -> TranscodeFigures {
    let joules = seen.energy.joules();
    let per = |divisor: f64| quotient(joules, divisor);
    // Quality is of all output.
    let vmaf = output.quality.vmaf.filter(|_| is_whole);
    let power = charge.energy.over(observed);
    let total = Money(prices.tariff.energy(charge.energy).0 + prices.tariff.cores(charge.cpu).0);
    let seconds = seen.length.map(|length| length.as_secs_f64());
    let hours = output.length.filter(|_| is_whole).map(|length| length.as_secs_f64() / HOUR.as_secs_f64());
    let cost = |currency: &std::sync::Arc<str>, total: Money| TranscodeCost {
        currency: currency.clone(),
        total,
        per_output_hour: hours.and_then(|hours| quotient(total.0, hours)).map(Money),
    };
    let converted = prices.also.iter().map(|rate| cost(&rate.currency, rate.of(total)));
    TranscodeFigures {
        joules_per_frame: seen.frames.and_then(|frames| per(frames as f64)),
        joules_per_megapixel: seen.pixels.and_then(|pixels| per(pixels.0 / 1e6)),
        joules_per_output_second: seconds.and_then(per),
        joules_per_vmaf_point: vmaf.and_then(|vmaf| per(vmaf.0)),
        vmaf_per_watt: vmaf.zip(power).and_then(|(vmaf, power)| quotient(vmaf.0, power.0)),
        costs: std::iter::once(cost(&prices.currency, total)).chain(converted).collect(),
        carbon: Some(cost::carbon(charge.energy, prices.carbon)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::join::cost::Tariff;
    use crate::join::pricing::Rate;
    use crate::model::progress::{Block, FirstWord};
    use crate::model::scenario::Quality;
    use crate::model::transcode::EarlierTotals;
    use crate::time::WallTime;
    use crate::units::{CpuTime, Grams, MicroJoules, Pixels, Vmaf};

    /// Figures of a transcode that was observed for twenty seconds, all of its life or a part.
    fn found(
        observation: &Observation,
        charge: Charge,
        progress: Option<&Progress>,
        output: &Output,
    ) -> TranscodeFigures {
        let seen = seen(observation, charge, progress, output);
        figures(charge, (Duration::from_secs(20), observation.is_whole()), &seen, output, &prices())
    }

    fn progress(frames: u64, energy: u64, first: FirstWord) -> Progress {
        let block = Block { frames: Some(frames), ..Block::default() };
        Progress { block, energy: MicroJoules(energy), first, ..Progress::default() }
    }

    fn prices() -> Prices {
        Prices {
            tariff: Tariff::new(Money(3.6), Money(3600.0), Money(0.0), None, None),
            currency: "USD".into(),
            also: vec![Rate::parse("EUR=0.5").unwrap()],
            carbon: Grams(360.0),
            viewers: 1,
        }
    }

    #[test]
    fn every_figure_by_hand() {
        let charge = Charge { energy: MicroJoules(100_000_000), cpu: CpuTime(2_000_000_000) };
        let output = Output {
            frames: Some(250),
            pixels: Some(Pixels(50e6)),
            length: Some(Duration::from_secs(10)),
            quality: Quality { vmaf: Some(Vmaf(80.0)), ..Quality::default() },
        };
        let found = found(&Observation::default(), charge, None, &output);
        assert_eq!(found.joules_per_frame, Some(0.4));
        assert_eq!(found.joules_per_megapixel, Some(2.0));
        assert_eq!(found.joules_per_output_second, Some(10.0));
        assert_eq!(found.joules_per_vmaf_point, Some(1.25));
        assert_eq!(found.vmaf_per_watt, Some(16.0), "5 W");
        // 100 J at a millionth each, 2 core seconds at one each.
        assert!((found.costs[0].total.0 - 2.0001).abs() < 1e-12);
        assert!((found.costs[0].per_output_hour.unwrap().0 - 720.036).abs() < 1e-9);
        assert_eq!(&*found.costs[1].currency, "EUR");
        assert!((found.costs[1].total.0 - 1.000_05).abs() < 1e-12);
        assert!((found.carbon.unwrap().0 - 0.01).abs() < 1e-12);
    }

    #[test]
    fn what_was_charged_since_the_output_was_counted_is_not_its() {
        let charge = Charge { energy: MicroJoules(100_000_000), cpu: CpuTime(0) };
        let output = Output { frames: Some(100), ..Output::default() };
        let progress = progress(100, 50_000_000, FirstWord::default());
        let found = found(&Observation::default(), charge, Some(&progress), &output);
        assert_eq!(found.joules_per_frame, Some(0.5));
        assert!((found.carbon.unwrap().0 - 0.01).abs() < 1e-12, "all of it");
    }

    #[test]
    fn of_a_part_that_was_observed_only_the_frames_of_it_count() {
        let charge = Charge { energy: MicroJoules(100_000_000), cpu: CpuTime(0) };
        let length = Some(Duration::from_secs(40));
        let quality = Quality { vmaf: Some(Vmaf(80.0)), ..Quality::default() };
        // Two renditions of 400 frames each, of which the first post had 300.
        let output = Output { frames: Some(800), pixels: Some(Pixels(800e6)), length, quality };
        let first = FirstWord {
            frames: Some(300),
            output_time: Some(Duration::from_secs(30)),
            energy: MicroJoules(40_000_000),
        };
        let progress = progress(400, 90_000_000, first);
        let late = Observation { from: Some(WallTime(5.0)), ..Observation::default() };
        let figures = found(&late, charge, Some(&progress), &output);
        assert_eq!(figures.joules_per_frame, Some(0.25), "50 J for 200 frames");
        assert_eq!(figures.joules_per_megapixel, Some(0.25));
        assert_eq!(figures.joules_per_output_second, Some(5.0));
        assert_eq!((figures.joules_per_vmaf_point, figures.vmaf_per_watt), (None, None));
        assert_eq!(figures.costs[0].per_output_hour, None);
        let seen =
            SeenOutput { energy: MicroJoules(50_000_000), frames: Some(300), pixels: None, length: None };
        let earlier = EarlierTotals { seen, ..EarlierTotals::default() };
        let resumed = Observation { missing: Duration::from_secs(1), earlier, ..Observation::default() };
        let figures = found(&resumed, charge, Some(&progress), &output);
        assert_eq!(figures.joules_per_frame, Some(0.2), "100 J for 500 frames of two runs of the agent");
        let silent = found(&resumed, charge, None, &output);
        assert_eq!(silent.joules_per_frame, Some(50.0 / 300.0), "as it was counted before");
        assert_eq!(found(&late, charge, None, &output).joules_per_frame, None);
    }

    #[test]
    fn what_is_not_known_is_absent() {
        let found = found(&Observation::default(), Charge::default(), None, &Output::default());
        let none =
            TranscodeFigures { costs: found.costs.clone(), carbon: found.carbon, ..Default::default() };
        assert_eq!(found, none);
        assert_eq!(found.costs[0].per_output_hour, None);
    }
}
