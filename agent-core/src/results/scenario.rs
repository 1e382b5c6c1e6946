//! Reads one scenario of a result file.

use std::collections::HashSet;

use crate::model::scenario::{FilePower, Picture, Quality, Scenario, Series};
use crate::text::bounded;
use crate::time::WallTime;
use crate::units::{Bytes, Decibels, MicroJoules, Pixels, Ratio, Watts};

use super::ScenarioReview;
use super::fields::{Fields, Problems};
use super::value::{self, JOULES, MAX_SECONDS, MAX_TEXT, NO_UNITS, RATE, WATTS};
use crate::results::json::{Json, MAX_KEY};

/// Most renditions of a scenario.
const MAX_OUTPUTS: usize = 64;

/// More than any encode has: more are mistakes.
const MAX_FRAMES: u64 = 1_000_000_000_000_000;
const MAX_RATE: f64 = 100_000.0;
const MAX_PIXELS: f64 = 1e21;
const MAX_BYTES: u64 = 1_000_000_000_000_000_000;
const MAX_WATTS: f64 = 1e6;
const MAX_JOULES: f64 = 1e12;
const MAX_CORES: f64 = 1e5;

/// Fields that only the second schema of upstream has. Its writer has no missing numbers: it writes 0 for them.
const OF_SECOND_SCHEMA: [&str; 6] =
    ["ssim_score", "avg_fps", "dropped_frames", "total_frames", "pixels_processed", "energy_joules"];

/// A field of files that ffwatt scored: they have only known scores.
const OF_OWN_SCORES: &str = "quality_seconds";

/// Reads a scenario. `place` is its key or number in the file.
pub(super) fn read(
    object: &Json,
    place: &str,
    has_metadata: bool,
    names: &mut HashSet<String>,
    problems: &mut Problems,
) -> (Scenario, ScenarioReview) {
    let name = name(object, place, names, problems);
    let mut fields = Fields::new(object, &name, String::new(), problems);
    fields.get("name");
    fields.note("name");
    let window = window(&mut fields);
    let quality = quality(&mut fields, has_metadata);
    let frames = fields.take_unless_zero("total_frames", |value| value::whole(value, MAX_FRAMES));
    let counted = frames.is_some() || !object.get("total_frames").is_some_and(value::is_zero);
    let viewers = |value: &Json| value::whole(value, u32::MAX.into());
    let resolution = fields.take("resolution", value::size);
    let frame_rate = fields.take_unless_zero("fps", |value| value::positive(value, RATE, MAX_RATE));
    let outputs = outputs(&mut fields, frame_rate);
    let scenario = Scenario {
        bitrate: fields.take("bitrate", value::bitrate),
        resolution: resolution.map(|(text, _)| text),
        // Without its renditions, size and rate of a scenario tell neither its pixels nor its frames.
        frame_rate: frame_rate.filter(|_| outputs.is_some()),
        outputs: outputs.unwrap_or_default(),
        requested: fields.take_unless_zero("duration", value::duration),
        window,
        encoder: fields.take("encoder", value::text),
        preset: fields.take("preset", value::text),
        encoder_type: fields.take("encoder_type", value::text),
        quality,
        frames,
        // Where no frame was counted, no drop was.
        dropped: fields.take("dropped_frames", |value| value::whole(value, MAX_FRAMES)).filter(|_| counted),
        reached_rate: fields.take_unless_zero("avg_fps", |value| value::positive(value, RATE, MAX_RATE)),
        pixels: fields
            .take_unless_zero("pixels_processed", |value| value::positive(value, NO_UNITS, MAX_PIXELS))
            .map(Pixels),
        power: power(&mut fields),
        series: Series {
            step: fields.take_unless_zero("step_seconds", value::duration),
            watts: list(&mut fields, "power_watts", MAX_WATTS),
            cores: list(&mut fields, "cpu_usage_cores", MAX_CORES),
            gpus: list(&mut fields, "gpu_usage_cores", MAX_CORES),
        },
        viewers: fields.take("viewers", viewers).and_then(|viewers| viewers.try_into().ok()),
        streams: fields.take("streams", viewers).and_then(|streams| streams.try_into().ok()),
        clip: fields.take("clip", value::text),
        setting: fields.take("setting", value::text),
        output_size: fields
            .take_unless_zero("output_bytes", |value| value::whole(value, MAX_BYTES))
            .map(Bytes),
        container: fields.take("container", value::text),
        transcode: fields.take("transcode", value::text),
        name: name.clone(),
    };
    let (read, unused) = fields.ended();
    (scenario, ScenarioReview { name, window, read, unused })
}

/// A name that no other scenario has: two scenarios of one name would be one series.
pub(super) fn name(
    object: &Json,
    place: &str,
    names: &mut HashSet<String>,
    problems: &mut Problems,
) -> String {
    // The key of an object of scenarios is a name; the number in a list is not.
    let fallback = || match place.parse::<usize>() {
        Ok(index) => format!("scenario {index}"),
        Err(_) => bounded(place, MAX_TEXT),
    };
    let given = object.get("name").filter(|value| *value != &Json::Null).map(value::text);
    let (name, why) = match given {
        Some(Ok(name)) if !name.trim().is_empty() => {
            let is_cut =
                matches!(object.get("name"), Some(Json::Text(text)) if text.chars().count() > MAX_TEXT);
            (name, is_cut.then(|| format!("has more than {MAX_TEXT} characters, and is cut")))
        }
        Some(Err(refusal)) => (fallback(), Some(refusal.into_owned())),
        None if place.parse::<usize>().is_err() => (fallback(), None),
        None => (fallback(), Some("is missing; the scenario is called by its number".to_owned())),
        Some(Ok(_)) => (fallback(), Some("is empty; the scenario is called by its place".to_owned())),
    };
    let mut unique = name.clone();
    let mut number = 2;
    while !names.insert(unique.clone()) {
        unique = format!("{name} ({number})");
        number += 1;
    }
    if let Some(why) = why {
        problems.add(Some(&unique), "name", why);
    }
    if unique != name {
        problems.add(
            Some(&unique),
            "name",
            format!("is that of another scenario too; this one is called {unique:?}"),
        );
    }
    unique
}

fn window(fields: &mut Fields<'_>) -> Option<(WallTime, WallTime)> {
    let names = ["start_time", "end_time"];
    // The scheduler of the second schema writes 0 for a job that has not run.
    let times = names.map(|name| fields.get(name).filter(|value| !value::is_zero(value)));
    let [Some(start), Some(end)] = times else {
        for (name, other) in [(0, 1), (1, 0)] {
            if times[name].is_none() && times[other].is_some() {
                fields.refuse(names[name], format!("is missing, so {} is left out", names[other]));
            }
        }
        return None;
    };
    let read = [value::time(start), value::time(end)];
    for (name, time) in names.iter().zip(&read) {
        if let Err(why) = time {
            fields.refuse(name, why.clone());
        }
    }
    let [Ok(start), Ok(end)] = read else { return None };
    let seconds = end.0 - start.0;
    if seconds <= 0.0 {
        fields.refuse("end_time", "is not after start_time, so both are left out");
    } else if seconds > MAX_SECONDS {
        fields.refuse("end_time", "is more than 366 days after start_time, so both are left out");
    } else {
        for name in names {
            fields.note(name);
        }
        return Some((start, end));
    }
    None
}

/// The scores. A PSNR or SSIM of 0 was not computed: even opposite pictures have more. A VMAF of 0 can be a score, except beside such a
/// PSNR, or in the second schema.
fn quality(fields: &mut Fields<'_>, has_metadata: bool) -> Quality {
    let is_own = fields.has(OF_OWN_SCORES);
    let has_second = OF_SECOND_SCHEMA.iter().any(|name| fields.has(name)) && !is_own;
    let is_unscored = has_metadata || has_second || fields.get("psnr_score").is_some_and(value::is_zero);
    let read = |value: &Json| value::vmaf(value, is_own);
    let vmaf = if is_unscored {
        fields.take_unless_zero("vmaf_score", read)
    } else {
        fields.take("vmaf_score", read)
    };
    let model = fields.take("vmaf_model", value::vmaf_model).filter(|_| vmaf.is_some());
    let ratio =
        |range: std::ops::RangeInclusive<f64>| move |value: &Json| value::within(value, NO_UNITS, &range);
    Quality {
        vmaf,
        vmaf_model: model,
        psnr: fields.take_unless_zero("psnr_score", value::decibels).map(Decibels),
        ssim: fields.take_unless_zero("ssim_score", ratio(-1.0..=1.0)).map(Ratio),
        took: fields.take_unless_zero(OF_OWN_SCORES, value::duration),
        // 1 is the whole source, which needs no mention.
        covered: fields
            .take("quality_covered_ratio", ratio(0.0..=1.0))
            .filter(|share| *share < 1.0)
            .map(Ratio),
    }
}

/// The renditions; `None` where one of them cannot be read, because figures of the others alone would be wrong.
fn outputs(fields: &mut Fields<'_>, frame_rate: Option<f64>) -> Option<Vec<Picture>> {
    let Some(value) = fields.get("outputs") else { return Some(Vec::new()) };
    if matches!(value, Json::List(items) if items.is_empty()) {
        return Some(Vec::new());
    }
    let Some(items) = value.items() else {
        fields.refuse("outputs", format!("is {}, not a list of objects", value.kind()));
        return None;
    };
    if items.len() > MAX_OUTPUTS {
        fields.refuse("outputs", format!("has more than {MAX_OUTPUTS} entries"));
        return None;
    }
    let mut pictures = Vec::new();
    for (place, item) in &items {
        let place = format!("outputs[{}]", bounded(place, MAX_KEY));
        if matches!(item, Json::Object(_)) {
            pictures.extend(picture(&mut fields.below(item, &place), frame_rate));
        } else {
            fields.refuse(&place, format!("is {}, not an object", item.kind()));
        }
    }
    let is_whole = pictures.len() == items.len();
    if is_whole {
        fields.note("outputs");
    } else {
        fields.refuse(
            "outputs",
            "is left out with the values above; fps too, because size and rate of a part mislead",
        );
    }
    is_whole.then_some(pictures)
}

/// A rendition. Without a frame rate of its own, it has that of the scenario.
fn picture(fields: &mut Fields<'_>, frame_rate: Option<f64>) -> Option<Picture> {
    let size = fields.take("resolution", value::size);
    if size.is_none() && fields.get("resolution").is_none() {
        fields.refuse("resolution", "is missing");
    }
    let own = fields.take("fps", |value| value::positive(value, RATE, MAX_RATE));
    let frame_rate = if fields.get("fps").is_some() { own } else { frame_rate };
    if frame_rate.is_none() && fields.get("fps").is_none() {
        fields.refuse("fps", "is missing, and the scenario has none");
    }
    let ((_, (width, height)), frame_rate) = size.zip(frame_rate)?;
    Some(Picture { width, height, frame_rate })
}

fn power(fields: &mut Fields<'_>) -> FilePower {
    let joules = |value: &Json| value::within(value, JOULES, &(0.0..=MAX_JOULES));
    let watts = |value: &Json| value::within(value, WATTS, &(0.0..=MAX_WATTS));
    let (mut mean, mut total, mut gpu_mean) = (None, None, None);
    if let Some(block) = block(fields, "power") {
        let mut below = fields.below(block, "power");
        mean = below.take("mean_watts", watts);
        total = below.take_unless_zero("total_energy_joules", joules);
    }
    if let Some(block) = block(fields, "gpu_power") {
        gpu_mean = fields.below(block, "gpu_power").take("mean_watts", watts);
    }
    let own = fields.take_unless_zero("energy_joules", joules);
    FilePower {
        mean: mean.map(Watts),
        gpu_mean: gpu_mean.map(Watts),
        energy: total.or(own).and_then(MicroJoules::from_joules),
    }
}

fn block<'a>(fields: &mut Fields<'a>, name: &'static str) -> Option<&'a Json> {
    let block = fields.get(name)?;
    if matches!(block, Json::Object(_)) {
        fields.note(name);
        return Some(block);
    }
    fields.refuse(name, format!("is {}, not an object", block.kind()));
    None
}

fn list(fields: &mut Fields<'_>, name: &'static str, most: f64) -> Vec<f64> {
    fields.take(name, |value| value::numbers(value, most)).unwrap_or_default()
}
