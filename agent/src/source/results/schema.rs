//! Parses a result file into a run.
//!
//! Both schemas are an object with a list `scenarios`; they differ in the fields of a scenario, and all are read. A number may
//! be written as text.

use std::collections::HashSet;
use std::path::Path;
use std::time::Duration;

use agent_core::model::scenario::{FilePower, Picture, Quality, Run, Scenario, Series};
use agent_core::text::bounded;
use agent_core::time::WallTime;
use agent_core::units::{Decibels, MicroJoules, Pixels, Ratio, Vmaf, Watts};
use serde_json::{Map, Value};

use crate::source::SourceError;

/// Most scenarios that are read from one file.
const MAX_SCENARIOS: usize = 10_000;

/// Labels are no longer than this many characters.
const MAX_TEXT: usize = 256;

/// Longer than any encode: longer times are mistakes.
const MAX_DURATION: Duration = Duration::from_hours(366 * 24);

/// A file's run, and the problems of unusable fields.
pub fn parse(path: &Path, bytes: &[u8]) -> Result<(Run, Vec<String>), SourceError> {
    let shown = path.display();
    let value: Value = serde_json::from_slice(bytes)
        .map_err(|error| SourceError::broken(format!("{shown} is not (yet) whole JSON: {error}")))?;
    let Some(scenarios) = value.get("scenarios").and_then(Value::as_array) else {
        return Err(SourceError::broken(format!("{shown} has no list \"scenarios\"")));
    };
    let mut findings = Vec::new();
    let mut run = Run { id: id(path), scenarios: Vec::new() };
    let mut names = HashSet::new();
    for (index, value) in scenarios.iter().enumerate().take(MAX_SCENARIOS) {
        let Some(fields) = value.as_object() else {
            findings.push(format!("{shown}: scenario {index} is no object, left out"));
            continue;
        };
        let mut scenario =
            scenario(fields, index, &mut |finding| findings.push(format!("{shown}: {finding}")));
        scenario.name = unique(&scenario.name, &mut names);
        run.scenarios.push(scenario);
    }
    if scenarios.len() > MAX_SCENARIOS {
        findings.push(format!(
            "{shown}: only the first {MAX_SCENARIOS} of {} scenarios are read",
            scenarios.len()
        ));
    }
    Ok((run, findings))
}

fn id(path: &Path) -> String {
    path.file_stem().map(|stem| bounded(&stem.to_string_lossy(), MAX_TEXT)).unwrap_or_default()
}

/// Two scenarios of one name would be one series.
fn unique(name: &str, names: &mut HashSet<String>) -> String {
    let mut candidate = name.to_owned();
    let mut number = 2;
    while !names.insert(candidate.clone()) {
        candidate = format!("{name} ({number})");
        number += 1;
    }
    candidate
}

fn scenario(fields: &Map<String, Value>, index: usize, find: &mut dyn FnMut(String)) -> Scenario {
    let name = text(fields, "name").unwrap_or_else(|| format!("scenario {index}"));
    let window = window(fields);
    if window.is_none() && (fields.contains_key("start_time") || fields.contains_key("end_time")) {
        find(format!("scenario {name:?}: start_time and end_time are no window of time, left out"));
    }
    let vmaf = number(fields, "vmaf_score");
    if vmaf.is_some_and(|vmaf| Vmaf::new(vmaf).is_none()) {
        find(format!("scenario {name:?}: vmaf_score is outside 0 to 100, left out"));
    }
    let took = number(fields, "quality_seconds").and_then(seconds);
    Scenario {
        bitrate: text(fields, "bitrate"),
        resolution: text(fields, "resolution"),
        frame_rate: positive(fields, "fps"),
        outputs: outputs(fields),
        requested: number(fields, "duration").and_then(seconds),
        window,
        encoder: text(fields, "encoder"),
        preset: text(fields, "preset"),
        encoder_type: text(fields, "encoder_type"),
        quality: Quality {
            vmaf: vmaf.and_then(Vmaf::new),
            psnr: decibels(fields.get("psnr_score")),
            ssim: number(fields, "ssim_score").filter(|ssim| (-1.0..=1.0).contains(ssim)).map(Ratio),
            took,
            covered: number(fields, "quality_covered_ratio")
                .filter(|share| (0.0..1.0).contains(share))
                .map(Ratio),
        },
        frames: whole(fields, "total_frames"),
        dropped: whole(fields, "dropped_frames"),
        reached_rate: positive(fields, "avg_fps"),
        pixels: positive(fields, "pixels_processed").map(Pixels),
        power: power(fields),
        series: Series {
            step: positive(fields, "step_seconds").and_then(seconds),
            watts: list(fields, "power_watts"),
            cores: list(fields, "cpu_usage_cores"),
            gpus: list(fields, "gpu_usage_cores"),
        },
        viewers: whole(fields, "viewers").and_then(|viewers| u32::try_from(viewers).ok()),
        streams: whole(fields, "streams").and_then(|streams| u32::try_from(streams).ok()),
        container: text(fields, "container"),
        transcode: text(fields, "transcode"),
        name,
    }
}

fn window(fields: &Map<String, Value>) -> Option<(WallTime, WallTime)> {
    let (start, end) = (number(fields, "start_time")?, number(fields, "end_time")?);
    let is_window = start > 0.0 && seconds(end - start).is_some();
    is_window.then_some((WallTime(start), WallTime(end)))
}

fn outputs(fields: &Map<String, Value>) -> Vec<Picture> {
    let outputs = fields.get("outputs").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let picture = |output: &Value| {
        let output = output.as_object()?;
        let (width, height) = Picture::size(&text(output, "resolution")?)?;
        Some(Picture { width, height, frame_rate: positive(output, "fps")? })
    };
    outputs.iter().filter_map(picture).take(64).collect()
}

fn power(fields: &Map<String, Value>) -> FilePower {
    let of = |block: &str, field: &str| {
        number(fields.get(block)?.as_object()?, field).filter(|value| *value >= 0.0)
    };
    let energy = of("power", "total_energy_joules").or_else(|| number(fields, "energy_joules"));
    FilePower {
        mean: of("power", "mean_watts").map(Watts),
        gpu_mean: of("gpu_power", "mean_watts").map(Watts),
        energy: energy.and_then(MicroJoules::from_joules).filter(|energy| *energy > MicroJoules::ZERO),
    }
}

/// PSNR of identical pictures is infinite; JSON has no such number, so it is written as text.
fn decibels(value: Option<&Value>) -> Option<Decibels> {
    if let Some(text) = value?.as_str()
        && text.trim().trim_start_matches('+').eq_ignore_ascii_case("inf")
    {
        return Some(Decibels(f64::INFINITY));
    }
    as_number(value?).filter(|psnr| *psnr >= 0.0).map(Decibels)
}

fn number(fields: &Map<String, Value>, name: &str) -> Option<f64> {
    as_number(fields.get(name)?)
}

fn as_number(value: &Value) -> Option<f64> {
    let number = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    number.filter(|number: &f64| number.is_finite())
}

fn positive(fields: &Map<String, Value>, name: &str) -> Option<f64> {
    number(fields, name).filter(|number| *number > 0.0)
}

fn whole(fields: &Map<String, Value>, name: &str) -> Option<u64> {
    number(fields, name).filter(|number| (0.0..1e15).contains(number)).map(|number| number.round() as u64)
}

fn seconds(seconds: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(seconds)
        .ok()
        .filter(|duration| !duration.is_zero() && *duration <= MAX_DURATION)
}

/// Numbers of a list; empty if one of its values is not a number.
fn list(fields: &Map<String, Value>, name: &str) -> Vec<f64> {
    let values = fields.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    values.iter().map(as_number).collect::<Option<Vec<_>>>().unwrap_or_default()
}

fn text(fields: &Map<String, Value>, name: &str) -> Option<String> {
    let text = match fields.get(name)? {
        Value::String(text) => bounded(text, MAX_TEXT),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests;
