//! Derives streams, pictures, pixels, frames and labels of a scenario from the fields of its result file.

use crate::model::scenario::{Picture, Scenario};
use crate::units::Pixels;

/// Number of simultaneous encodes: as the file says, else the number before `stream` in the name, else one.
///
/// A number at the beginning of a name does not count: "5 Mbps Stream" is one stream.
pub(super) fn streams(scenario: &Scenario) -> u32 {
    scenario.streams.filter(|streams| *streams > 0).or_else(|| streams_in(&scenario.name)).unwrap_or(1)
}

fn streams_in(name: &str) -> Option<u32> {
    let name = name.to_ascii_lowercase();
    let (before, _) = name.split_once("stream")?;
    let before = before.strip_suffix([' ', '-']).unwrap_or(before);
    let digits = before.len() - before.bytes().rev().take_while(u8::is_ascii_digit).count();
    before.get(digits..)?.parse().ok().filter(|streams| *streams > 0)
}

/// Label of a scenario that measures the host without an encode.
pub(super) const BASELINE: &str = "baseline";

/// Whether the scenario measures the host without an encode.
pub(super) fn is_baseline(scenario: &Scenario) -> bool {
    scenario.name.to_ascii_lowercase().contains(BASELINE)
}

/// The encoded pictures: the renditions, else the scenario's one picture.
pub(super) fn pictures(scenario: &Scenario) -> Vec<Picture> {
    if !scenario.outputs.is_empty() {
        return scenario.outputs.clone();
    }
    let size = scenario.resolution.as_deref().and_then(Picture::size);
    size.zip(scenario.frame_rate)
        .map(|((width, height), frame_rate)| Picture { width, height, frame_rate })
        .into_iter()
        .collect()
}

/// Encoded pixels: as counted, else by size, rate and time. Not times the number of streams, as upstream has it.
pub(super) fn pixels(scenario: &Scenario) -> Option<Pixels> {
    if let Some(pixels) = scenario.pixels {
        return Some(pixels);
    }
    let seconds = scenario.duration()?.as_secs_f64();
    let each =
        pictures(scenario).into_iter().map(|picture| picture.pixels().0 * picture.frame_rate * seconds);
    let sum: f64 = each.sum();
    (sum > 0.0 && sum.is_finite()).then_some(Pixels(sum))
}

/// Encoded frames: as counted, else by rate and time, over all renditions.
pub(super) fn frames(scenario: &Scenario) -> Option<f64> {
    if let Some(frames) = scenario.frames.filter(|frames| *frames > 0) {
        return Some(frames as f64);
    }
    let seconds = scenario.duration()?.as_secs_f64();
    let rate: f64 = pictures(scenario).iter().map(|picture| picture.frame_rate).sum();
    (rate > 0.0).then_some(rate * seconds)
}

/// The renditions as a label, largest first: `1920x1080@30,1280x720@30`.
pub(super) fn ladder(scenario: &Scenario) -> String {
    let mut pictures = pictures(scenario);
    if pictures.is_empty() {
        return "unknown".to_owned();
    }
    pictures.sort_by_key(|picture| std::cmp::Reverse((picture.width, picture.height)));
    let name = |picture: &Picture| format!("{}@{}", picture.size_name(), picture.frame_rate);
    pictures.iter().map(name).collect::<Vec<_>>().join(",")
}

/// `cpu` or `gpu`, by the file or the name of the encoder.
pub(super) fn encoder_type(scenario: &Scenario) -> String {
    if let Some(given) = &scenario.encoder_type {
        return given.clone();
    }
    let name = scenario.name.to_ascii_lowercase();
    let is_gpu = ["gpu", "nvenc", "qsv", "vaapi"].iter().any(|word| name.contains(word));
    if is_gpu { "gpu" } else { "cpu" }.to_owned()
}

/// Pixels of a picture of this size, such as `1280x720`.
pub(super) fn area(size: &str) -> Option<f64> {
    Picture::size(size).map(|(width, height)| f64::from(width) * f64::from(height))
}

/// The name in the spelling of the quality and cost families.
pub(super) fn label(scenario: &Scenario) -> String {
    scenario.name.replace(' ', "_").replace('"', "")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str) -> Scenario {
        Scenario { name: name.into(), ..Scenario::default() }
    }

    #[test]
    fn streams_are_what_stands_before_the_word() {
        let table = [
            ("4 Streams @ 2500k", 4),
            ("2-stream test", 2),
            ("12streams", 12),
            ("single stream", 1),
            ("5 Mbps Stream", 1),
            ("10 Mbps Stream", 1),
            ("Streams (Mixed)", 1),
            ("0 streams", 1),
            ("99999999999 streams", 1),
            ("ü4 streams", 4),
            ("", 1),
        ];
        for (name, expected) in table {
            assert_eq!(streams(&named(name)), expected, "{name}");
        }
        assert_eq!(streams(&Scenario { streams: Some(7), ..named("4 streams") }), 7);
    }

    #[test]
    fn words_of_a_scenario() {
        assert!(is_baseline(&named("Baseline (Idle)")) && !is_baseline(&named("idle")));
        assert_eq!(label(&named("4 Streams @ 2500k")), "4_Streams_@_2500k");
        assert_eq!(encoder_type(&named("x NVENC")), "gpu");
        assert_eq!(encoder_type(&named("x264")), "cpu");
        assert_eq!(Picture::size(" 1280 X 720 "), Some((1280, 720)));
        assert_eq!(Picture::size("N/A"), None);
        assert_eq!(Picture::size("0x720"), None);
    }

    #[test]
    fn ladders_largest_first() {
        let picture = |width, height, frame_rate| Picture { width, height, frame_rate };
        let outputs = vec![picture(1280, 720, 30.0), picture(1920, 1080, 29.97)];
        assert_eq!(ladder(&Scenario { outputs, ..named("a") }), "1920x1080@29.97,1280x720@30");
        let one = Scenario { resolution: Some("640x360".into()), frame_rate: Some(25.0), ..named("a") };
        assert_eq!(ladder(&one), "640x360@25");
        assert_eq!(ladder(&named("a")), "unknown");
    }
}
