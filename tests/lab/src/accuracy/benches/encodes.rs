//! Encodes of a bench with their measured and true energy, and the means of their settings.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::Context;
use serde_json::Value;

/// The encoder of a scenario that only reads the clip.
pub(super) const READING: &str = "wrapped_avframe";

/// Preset and limit of size.
pub(super) type Key = (String, String);

/// One encode, in joules for each frame.
#[derive(Debug)]
pub(super) struct Encode {
    /// Empty for a reading of the clip.
    key: Key,
    pub(super) measured: f64,
    pub(super) truth: f64,
    /// VMAF and kbit/s; `None` for a reading.
    quality: Option<(f64, f64)>,
}

/// Means of the repeats of a setting.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct KeyFigures {
    /// True joules for each frame, without the reading.
    pub(super) truth: f64,
    pub(super) vmaf: f64,
    pub(super) kilobits: f64,
}

impl Encode {
    /// A scenario of a result file, with its energy in a report, and the CPU seconds of its cgroup.
    pub(super) fn of(
        scenario: &Value,
        report: &Value,
        cpu_seconds: &BTreeMap<String, f64>,
        watts: f64,
    ) -> anyhow::Result<Self> {
        let name = text(&scenario["name"])?;
        let mut reported = report.as_array().into_iter().flatten();
        let reported = reported.find(|one| one["scenario"] == scenario["name"]);
        let reported = reported.with_context(|| format!("no report of {name}"))?;
        let frames = number(&scenario["total_frames"])?;
        let own = format!("/{}", text(&scenario["container"])?);
        let cpu = cpu_seconds.get(&own).with_context(|| format!("no CPU time of {own}"))?;
        let encoded = |field: &str| text(&scenario[field]);
        let is_reading = scenario["encoder"] == READING;
        let (key, quality) = if is_reading {
            (Default::default(), None)
        } else {
            let kilobits = encoded("bitrate")?.trim_end_matches('k').parse()?;
            ((encoded("preset")?, encoded("setting")?), Some((number(&scenario["vmaf_score"])?, kilobits)))
        };
        let measured = number(&reported["energy_joules"])? / frames;
        Ok(Self { key, measured, truth: cpu * watts / frames, quality })
    }

    pub(super) fn is_reading(&self) -> bool {
        self.quality.is_none()
    }
}

/// Means of each setting.
pub(super) fn by_setting(all: &[Encode]) -> BTreeMap<Key, KeyFigures> {
    let mean = |values: Vec<f64>| values.iter().sum::<f64>() / values.len() as f64;
    let reading = mean(all.iter().filter(|one| one.is_reading()).map(|one| one.truth).collect());
    let keys: BTreeSet<&Key> = all.iter().filter(|one| !one.is_reading()).map(|one| &one.key).collect();
    let means = |key: &Key| {
        let repeats = || all.iter().filter(|one| one.key == *key);
        let qualities = || repeats().filter_map(|one| one.quality);
        KeyFigures {
            truth: mean(repeats().map(|one| one.truth).collect()) - reading,
            vmaf: mean(qualities().map(|(vmaf, _)| vmaf).collect()),
            kilobits: mean(qualities().map(|(_, kilobits)| kilobits).collect()),
        }
    };
    keys.into_iter().map(|key| (key.clone(), means(key))).collect()
}

/// CPU seconds of each cgroup, from lines of microseconds and the path of the cgroup.
pub(super) fn cpu_times(log: &Path) -> anyhow::Result<BTreeMap<String, f64>> {
    let lines = fs::read_to_string(log).with_context(|| format!("cannot read {}", log.display()))?;
    let line = |line: &str| {
        let (microseconds, cgroup) = line.split_once(' ').context("a line without a cgroup")?;
        Ok((cgroup.to_owned(), microseconds.parse::<f64>()? / 1e6))
    };
    lines.lines().map(line).collect()
}

pub(super) fn number(value: &Value) -> anyhow::Result<f64> {
    value.as_f64().with_context(|| format!("{value} is no number"))
}

pub(super) fn text(value: &Value) -> anyhow::Result<String> {
    Ok(value.as_str().with_context(|| format!("{value} is no text"))?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_has_the_mean_of_its_repeats_without_the_reading() {
        let key = ("fast".to_owned(), "crf22".to_owned());
        let encode = |truth, quality: Option<(f64, f64)>| {
            let key = if quality.is_some() { key.clone() } else { Key::default() };
            Encode { key, measured: truth, truth, quality }
        };
        let all = [
            encode(1.0, None),
            encode(3.0, None),
            encode(10.0, Some((90.0, 500.0))),
            encode(12.0, Some((92.0, 700.0))),
        ];
        let expected = KeyFigures { truth: 9.0, vmaf: 91.0, kilobits: 600.0 };
        assert_eq!(by_setting(&all), BTreeMap::from([(key.clone(), expected)]));
    }
}
