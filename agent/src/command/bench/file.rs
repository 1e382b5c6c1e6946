//! Writes a result file in upstream's schema, whole after every scenario.

use std::fs;
use std::path::{Path, PathBuf};

use agent_core::model::scenario::Picture;
use agent_core::units::Bytes;
use jiff::Zoned;
use serde_json::{Value, json};

use crate::command::bench::BenchError;
use crate::command::bench::command::largest;
use crate::command::bench::encode::Outcome;
use crate::command::bench::plan::Scenario;
use crate::files;
use crate::quality::number_or_inf;

/// A result file to which scenarios are added.
#[derive(Debug)]
pub(super) struct ResultFile {
    path: PathBuf,
    date: String,
    host: Value,
    scenarios: Vec<Value>,
}

impl ResultFile {
    /// A file named by the local time; written with the first scenario.
    pub(super) fn create(folder: &Path, host: Value) -> Result<Self, BenchError> {
        fs::create_dir_all(folder)
            .map_err(|cause| BenchError::io(format!("make {}", folder.display()), cause))?;
        let now = Zoned::now();
        let path = folder.join(format!("test_results_{}.json", now.strftime("%Y%m%d_%H%M%S")));
        let date = now.strftime("%Y-%m-%dT%H:%M:%S%.6f").to_string();
        Ok(Self { path, date, host, scenarios: Vec::new() })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Adds a scenario and writes the file, so that a reader sees the old or the new one.
    pub(super) fn add(&mut self, scenario: &Scenario, outcome: &Outcome) -> Result<(), BenchError> {
        self.scenarios.push(entry(scenario, outcome));
        let document = json!({ "test_date": self.date, "host": self.host, "scenarios": self.scenarios });
        let text = serde_json::to_vec_pretty(&document)
            .map_err(|error| BenchError::io(format!("write {}", self.path.display()), error.into()))?;
        Ok(files::replace(&self.path, &text, None)?)
    }
}

fn entry(scenario: &Scenario, outcome: &Outcome) -> Value {
    let picture = |picture: &Picture| {
        json!({
            "resolution": format!("{}x{}", picture.width, picture.height),
            "fps": rate(picture.frame_rate),
        })
    };
    let outputs: Vec<Value> = scenario.outputs.iter().map(picture).collect();
    let mut entry = json!({
        "name": scenario.name,
        "bitrate": reached_bitrate(scenario, outcome).unwrap_or_else(|| scenario.bitrate()),
        "duration": scenario.duration.as_secs_f64(),
        "start_time": outcome.window.0.0,
        "end_time": outcome.window.1.0,
        "outputs": if outputs.is_empty() { Value::Null } else { outputs.into() },
    });
    let mut add = |name: &str, value: Option<Value>| {
        if let (Some(value), Some(fields)) = (value, entry.as_object_mut()) {
            fields.insert(name.to_owned(), value);
        }
    };
    if !scenario.is_baseline() {
        let encoded = largest(scenario);
        add("resolution", Some(format!("{}x{}", encoded.width, encoded.height).into()));
        add("fps", Some(rate(encoded.frame_rate)));
        add("streams", Some(scenario.streams.len().into()));
        add("encoder", Some(outcome.encoder.clone().into()));
        add("encoder_type", Some(outcome.encoder.clone().into()));
        add("preset", outcome.preset.clone().map(Value::from));
        add("total_frames", outcome.frames.map(Value::from));
        add("dropped_frames", outcome.dropped.map(Value::from));
        add("avg_fps", outcome.frame_rate().map(Value::from));
        add("speed", outcome.speed.map(Value::from));
        let quality = outcome.quality;
        add("vmaf_score", quality.vmaf.map(|vmaf| vmaf.0.into()));
        add("vmaf_model", quality.vmaf_model.map(|model| model.name().into()));
        add("psnr_score", quality.psnr.map(number_or_inf));
        add("ssim_score", quality.ssim.map(|ssim| ssim.0.into()));
        add("quality_covered_ratio", quality.covered.map(|share| share.0.into()));
        add("quality_seconds", quality.took.map(|took| took.as_secs_f64().into()));
        if let Some(scores) = &outcome.scores {
            for (name, value) in scores.fields() {
                add(name, Some(value));
            }
        }
        if let Some(encode) = &scenario.clip {
            add("clip", Some(encode.clip.name.clone().into()));
            add("setting", Some(encode.setting.clone().into()).filter(|_| !encode.is_reading()));
            add("passes", encode.has_two_passes.then_some(2.into()));
        }
        add("output_bytes", outcome.size.map(|Bytes(size)| size.into()));
        add("threads", outcome.threads.map(Value::from));
        add("command_lines", Some(outcome.commands.clone().into()));
        add("container", outcome.workload.clone().map(Value::from));
    }
    let before = &outcome.before;
    add("busy_before_ratio", before.busy.map(|busy| busy.0.into()));
    add("busy_ratio", outcome.busy.map(|busy| busy.0.into()));
    add("processor_celsius", before.celsius.map(Value::from));
    let throttled = [before.throttled, outcome.throttled].into_iter().sum::<Option<u64>>();
    add("throttle_count", throttled.map(Value::from));
    add("failed", outcome.problem.clone().map(Value::from));
    entry
}

/// The bitrate of a clip's encode, by its size and the time that its frames take.
fn reached_bitrate(scenario: &Scenario, outcome: &Outcome) -> Option<String> {
    scenario.clip.as_ref()?;
    let (Bytes(size), frames) = (outcome.size?, outcome.frames.filter(|frames| *frames > 0)?);
    let seconds = frames as f64 / scenario.picture.frame_rate;
    Some(format!("{:.3}k", size as f64 * 8.0 / 1000.0 / seconds))
}

/// A whole number where possible, as upstream has it.
fn rate(rate: f64) -> Value {
    if rate.fract() == 0.0 { Value::from(rate as u64) } else { Value::from(rate) }
}
