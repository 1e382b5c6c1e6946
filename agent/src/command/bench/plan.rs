//! Scenarios to run: baseline, single and multiple streams, and the suite.

use std::collections::HashSet;
use std::time::Duration;

use agent_core::model::scenario::Picture;

use crate::command::bench::clips::ClipEncode;

/// A scenario to run.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Scenario {
    pub(super) name: String,
    /// Bitrates, one for each stream; none for a baseline.
    pub(super) streams: Vec<String>,
    pub(super) picture: Picture,
    /// Renditions, where each stream has several.
    pub(super) outputs: Vec<Picture>,
    pub(super) encoder: Option<String>,
    pub(super) preset: Option<String>,
    /// The clip that is encoded as a whole; a generated source in real time otherwise.
    pub(super) clip: Option<ClipEncode>,
    pub(super) duration: Duration,
    /// Time before the measured window.
    pub(super) stabilization: Duration,
    /// Time after the measured window.
    pub(super) cooldown: Duration,
}

/// Default times of scenarios.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Times {
    pub(super) baseline: Duration,
    pub(super) duration: Duration,
    pub(super) stabilization: Duration,
    pub(super) cooldown: Duration,
}

const HD: Picture = Picture { width: 1280, height: 720, frame_rate: 30.0 };

impl Scenario {
    pub(super) fn baseline(times: Times) -> Self {
        Self {
            name: "Baseline (Idle)".to_owned(),
            streams: Vec::new(),
            picture: HD,
            outputs: Vec::new(),
            encoder: None,
            preset: None,
            clip: None,
            duration: times.baseline,
            stabilization: Duration::ZERO,
            cooldown: Duration::ZERO,
        }
    }

    pub(super) fn single(name: &str, bitrate: &str, times: Times) -> Self {
        Self {
            name: name.to_owned(),
            streams: vec![bitrate.to_owned()],
            duration: times.duration,
            stabilization: times.stabilization,
            cooldown: times.cooldown,
            ..Self::baseline(times)
        }
    }

    /// Several simultaneous streams, with upstream's names.
    pub(super) fn multi(bitrates: Vec<String>, times: Times) -> Self {
        let count = bitrates.len();
        let is_mixed = bitrates.iter().any(|bitrate| Some(bitrate) != bitrates.first());
        let name = match bitrates.first() {
            Some(bitrate) if !is_mixed => format!("{count} Streams @ {bitrate}"),
            _ => format!("{count} Streams (Mixed)"),
        };
        Self { streams: bitrates, ..Self::single(&name, "", times) }
    }

    pub(super) fn is_baseline(&self) -> bool {
        self.streams.is_empty()
    }

    /// Playing time of all that is encoded, beside the stabilization: two passes encode a clip twice.
    pub(super) fn played(&self) -> Duration {
        let has_two_passes = self.clip.as_ref().is_some_and(|encode| encode.has_two_passes);
        self.duration * if has_two_passes { 2 } else { 1 }
    }

    /// Whether it writes encodes, which can be scored.
    pub(super) fn has_encodes(&self) -> bool {
        !self.is_baseline() && !self.clip.as_ref().is_some_and(ClipEncode::is_reading)
    }

    /// The bitrate in a result file: one, or all with commas.
    pub(super) fn bitrate(&self) -> String {
        match self.streams.first() {
            None => "0k".to_owned(),
            Some(first) if self.streams.iter().all(|bitrate| bitrate == first) => first.clone(),
            Some(_) => self.streams.join(","),
        }
    }
}

/// Upstream's suite.
pub(super) fn suite(times: Times) -> Vec<Scenario> {
    let single = |name: &str, bitrate: &str| Scenario::single(name, bitrate, times);
    let at = |name: &str, bitrate: &str, width: u32, height: u32, frame_rate: f64| Scenario {
        picture: Picture { width, height, frame_rate },
        ..Scenario::single(name, bitrate, times)
    };
    vec![
        Scenario::baseline(times),
        single("1 Mbps Stream", "1000k"),
        single("2.5 Mbps Stream", "2500k"),
        single("5 Mbps Stream", "5000k"),
        single("10 Mbps Stream", "10000k"),
        at("480p @ 2.5Mbps", "2500k", 854, 480, 30.0),
        at("720p @ 2.5Mbps", "2500k", 1280, 720, 30.0),
        at("1080p @ 2.5Mbps", "2500k", 1920, 1080, 30.0),
        at("30fps @ 5Mbps", "5000k", 1280, 720, 30.0),
        at("60fps @ 5Mbps", "5000k", 1280, 720, 60.0),
    ]
}

/// Most characters before the number of a repeated name: the slug has them all.
const MAX_NUMBERED: usize = super::MAX_SLUG - 10;

/// Two scenarios of one name would be one cgroup and one series.
pub(super) fn with_unique_names(mut scenarios: Vec<Scenario>) -> Vec<Scenario> {
    let mut names = HashSet::new();
    for scenario in &mut scenarios {
        let name: String = scenario.name.chars().take(MAX_NUMBERED).collect();
        let mut number = 2;
        while !names.insert(super::slug(&scenario.name)) {
            scenario.name = format!("{name} ({number})");
            number += 1;
        }
    }
    scenarios
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMES: Times = Times {
        baseline: Duration::from_secs(1),
        duration: Duration::from_secs(2),
        stabilization: Duration::ZERO,
        cooldown: Duration::ZERO,
    };

    #[test]
    fn names_and_bitrates_are_upstreams() {
        let bitrates = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        let same = Scenario::multi(bitrates(&["1000k"]), TIMES);
        assert_eq!((same.name.as_str(), same.bitrate().as_str()), ("1 Streams @ 1000k", "1000k"));
        let mixed = Scenario::multi(bitrates(&["1000k", "5M"]), TIMES);
        assert_eq!((mixed.name.as_str(), mixed.bitrate().as_str()), ("2 Streams (Mixed)", "1000k,5M"));
        assert_eq!(Scenario::baseline(TIMES).bitrate(), "0k");
        assert_eq!(suite(TIMES).len(), 10);
    }

    #[test]
    fn no_two_are_of_one_name() {
        let single = |name| Scenario::single(name, "1M", TIMES);
        let scenarios = with_unique_names(vec![single("a b"), single("a  b"), single("a b")]);
        let names: Vec<&str> = scenarios.iter().map(|scenario| scenario.name.as_str()).collect();
        assert_eq!(names, ["a b", "a  b (2)", "a b (3)"]);
        let long = "x".repeat(200);
        let scenarios = with_unique_names(vec![single(&long), single(&long)]);
        assert_ne!(super::super::slug(&scenarios[0].name), super::super::slug(&scenarios[1].name));
    }
}
