//! Reads a batch file in upstream's format: a list of entries, or an object with such a list as `scenarios`.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use agent_core::join::bitrate::{self, Dialect};
use agent_core::model::scenario::Picture;
use serde_json::{Map, Value};

use crate::command::bench::plan::{Scenario, Times};

/// Most streams of one scenario.
const MAX_STREAMS: u64 = 256;

/// The problem of a batch file.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BatchError {
    /// It cannot be read.
    #[error("cannot read the batch file {path}", path = path.display())]
    Unreadable {
        path: PathBuf,
        /// The error.
        #[source]
        cause: std::io::Error,
    },
    /// It is not a batch file.
    #[error("the batch file {path}: {problem}", path = path.display())]
    Format {
        path: PathBuf,
        /// The problem, and its place.
        problem: String,
    },
    /// A value on the command line cannot be used.
    #[error("{flag}: {problem}")]
    Flag {
        /// The flag.
        flag: &'static str,
        /// The problem.
        problem: String,
    },
}

/// Reads a batch file. A time on the command line applies to all entries.
pub(super) fn read(path: &Path, times: Times, overrides: Overrides) -> Result<Vec<Scenario>, BatchError> {
    let text = fs::read(path).map_err(|cause| BatchError::Unreadable { path: path.to_path_buf(), cause })?;
    parse(&text, times, overrides).map_err(|problem| BatchError::Format { path: path.to_path_buf(), problem })
}

/// Number of scenarios in a batch file, or its problem.
pub fn count_scenarios(text: &[u8]) -> Result<usize, String> {
    let second = Duration::from_secs(1);
    let times = Times { baseline: second, duration: second, stabilization: second, cooldown: second };
    Ok(parse(text, times, Overrides::default())?.len())
}

/// Times from the command line.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Overrides {
    pub(super) duration: Option<Duration>,
    pub(super) stabilization: Option<Duration>,
    pub(super) cooldown: Option<Duration>,
}

fn parse(text: &[u8], times: Times, overrides: Overrides) -> Result<Vec<Scenario>, String> {
    let value: Value = serde_json::from_slice(text).map_err(|error| format!("not JSON: {error}"))?;
    let entries = value.as_array().or_else(|| value.get("scenarios")?.as_array());
    let entries = entries.ok_or("neither a list nor an object with a list \"scenarios\"")?;
    if entries.is_empty() {
        return Err("no entries".to_owned());
    }
    let entry = |(index, value): (usize, &Value)| {
        let fields = value.as_object().ok_or("is not an object".to_owned());
        let scenario = fields.and_then(|fields| Entry { fields }.scenario(times, overrides));
        scenario.map_err(|problem| format!("entry {}: {problem}", index + 1))
    };
    entries.iter().enumerate().map(entry).collect()
}

struct Entry<'a> {
    fields: &'a Map<String, Value>,
}

impl Entry<'_> {
    fn scenario(&self, times: Times, overrides: Overrides) -> Result<Scenario, String> {
        let mut scenario = match self.text("type")?.unwrap_or("single") {
            "baseline" => Scenario::baseline(times),
            "multi" => Scenario::multi(self.bitrates()?, times),
            "single" => {
                let bitrate = self.text("bitrate")?.ok_or("bitrate is missing")?;
                Scenario::single(self.text("name")?.unwrap_or("scenario"), checked(bitrate)?, times)
            }
            _ => return Err("type must be baseline, single or multi".to_owned()),
        };
        scenario.picture = self.picture(scenario.picture)?;
        if let Some(outputs) = self.fields.get("outputs").filter(|outputs| !outputs.is_null()) {
            let outputs = outputs.as_array().ok_or("outputs is not a list")?;
            let picture = |output: &Value| {
                let fields = output.as_object().ok_or("outputs: an entry is not an object")?;
                Entry { fields }.picture(scenario.picture)
            };
            scenario.outputs = outputs.iter().map(picture).collect::<Result<_, String>>()?;
        }
        scenario.encoder = self.text("encoder")?.map(str::to_owned);
        scenario.preset = self.text("preset")?.map(str::to_owned);
        let given =
            |name: &str, by_flag: Option<Duration>, otherwise: Duration| -> Result<Duration, String> {
                Ok(by_flag.or(self.seconds(name)?).unwrap_or(otherwise))
            };
        scenario.duration = given("duration", overrides.duration, scenario.duration)?;
        scenario.stabilization = given("stabilization", overrides.stabilization, scenario.stabilization)?;
        scenario.cooldown = given("cooldown", overrides.cooldown, scenario.cooldown)?;
        if scenario.is_baseline() {
            scenario.stabilization = Duration::ZERO;
        }
        Ok(scenario)
    }

    fn bitrates(&self) -> Result<Vec<String>, String> {
        let count = self.fields.get("count").ok_or("count is missing")?;
        let count = count.as_u64().filter(|count| (1..=MAX_STREAMS).contains(count));
        let count = count.ok_or(format!("count must be a number from 1 to {MAX_STREAMS}"))? as usize;
        let Some(list) = self.fields.get("bitrates").filter(|list| !list.is_null()) else {
            return Ok(vec![checked(self.text("bitrate")?.unwrap_or("2500k"))?.to_owned(); count]);
        };
        let list = list.as_array().ok_or("bitrates is not a list")?;
        if list.len() != count {
            return Err(format!("bitrates has {} entries, and count is {count}", list.len()));
        }
        let text = |value: &Value| {
            Ok(checked(value.as_str().ok_or("bitrates: an entry is not a string")?)?.to_owned())
        };
        list.iter().map(text).collect()
    }

    fn picture(&self, otherwise: Picture) -> Result<Picture, String> {
        let size = self.text("resolution")?;
        let (width, height) = match size {
            None => (otherwise.width, otherwise.height),
            Some(text) => even(text)?,
        };
        let frame_rate = match self.fields.get("fps") {
            None => otherwise.frame_rate,
            Some(value) => {
                let rate = value.as_f64().filter(|rate| (1.0..=240.0).contains(rate));
                rate.ok_or("fps must be a number from 1 to 240")?
            }
        };
        Ok(Picture { width, height, frame_rate })
    }

    fn text(&self, name: &str) -> Result<Option<&str>, String> {
        match self.fields.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => value.as_str().map(Some).ok_or(format!("{name} is not a string")),
        }
    }

    fn seconds(&self, name: &str) -> Result<Option<Duration>, String> {
        match self.fields.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => {
                let time = value.as_f64().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
                time.map(Some).ok_or(format!("{name} must be a number of seconds"))
            }
        }
    }
}

/// Checks that ffmpeg accepts a text as a bitrate.
pub(super) fn checked(text: &str) -> Result<&str, String> {
    bitrate::parse(text, Dialect::Runner)
        .map(|_| text)
        .ok_or_else(|| "bitrate must have a form such as 2500k or 5M".to_owned())
}

/// Parses a picture size that encoders of 4:2:0 accept.
pub(super) fn even(text: &str) -> Result<(u32, u32), String> {
    let size = Picture::size(text).filter(|(width, height)| width % 2 == 0 && height % 2 == 0);
    size.ok_or_else(|| "resolution must be two even numbers such as 1280x720".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMES: Times = Times {
        baseline: Duration::from_mins(2),
        duration: Duration::from_mins(5),
        stabilization: Duration::from_secs(30),
        cooldown: Duration::from_secs(30),
    };

    fn read(text: &str) -> Result<Vec<Scenario>, String> {
        parse(text.as_bytes(), TIMES, Overrides::default())
    }

    #[test]
    fn upstreams_own_files() {
        let scenarios = read(
            r#"{"description":"x","scenarios":[{"type":"baseline","duration":60},
            {"type":"multi","count":4,"bitrate":"2500k","name":"ignored","duration":120,"stabilization":15,"cooldown":30},
            {"name":"ladder","bitrate":"5000k","outputs":[{"resolution":"1920x1080","fps":30},{"resolution":"854x480","fps":30}]}]}"#,
        )
        .unwrap();
        let names: Vec<&str> = scenarios.iter().map(|scenario| scenario.name.as_str()).collect();
        assert_eq!(names, ["Baseline (Idle)", "4 Streams @ 2500k", "ladder"]);
        assert_eq!(scenarios[0].duration, Duration::from_mins(1));
        assert_eq!((scenarios[1].streams.len(), scenarios[1].stabilization.as_secs()), (4, 15));
        assert_eq!((scenarios[2].outputs.len(), scenarios[2].duration), (2, TIMES.duration));
    }

    #[test]
    fn mistakes_name_the_entry_and_the_field() {
        for (text, words) in [
            ("{", "not JSON"),
            ("{}", "neither a list"),
            ("[]", "no entries"),
            (r#"[{"name":"a"}]"#, "entry 1: bitrate is missing"),
            (r#"[{"bitrate":"1M"},{"bitrate":"fast"}]"#, "entry 2: bitrate must have a form such as"),
            (r#"[{"type":"multi"}]"#, "entry 1: count is missing"),
            (r#"[{"type":"multi","count":2,"bitrates":["1M"]}]"#, "bitrates has 1 entries, and count is 2"),
            (r#"[{"bitrate":"1M","resolution":"721x480"}]"#, "even numbers"),
            (r#"[{"bitrate":"1M","duration":-1}]"#, "duration must be a number of seconds"),
            (r#"[{"bitrate":"1M","fps":"many"}]"#, "fps must be a number"),
            (r#"[{"type":"fast"}]"#, "type must be baseline"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(words), "{text}: {error}");
        }
    }
}
