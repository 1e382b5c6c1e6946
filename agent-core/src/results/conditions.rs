//! Reads the conditions of a run from its result file: its date, and the host and the programs that encoded it.

use std::path::Path;

use serde_json::Value;

use crate::results::NoRun;
use crate::results::json;
use crate::results::value::MAX_TEXT;
use crate::text::bounded;

/// Most entries of a host that are read.
const MAX_ENTRIES: usize = 32;

/// Conditions of a run, as its file has them. Texts are bounded and printable; unknown is absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conditions {
    /// Date as written.
    pub date: Option<String>,
    /// Properties of the host and versions of programs, in the order of the file.
    pub host: Vec<(String, String)>,
}

/// The conditions in a result file.
pub fn conditions(path: &Path, bytes: &[u8]) -> Result<Conditions, NoRun> {
    let (document, _) =
        json::read::<Value>(bytes).map_err(|cause| NoRun::Json { path: path.to_owned(), cause })?;
    let date = document.get("test_date").and_then(text);
    let Some(Value::Object(host)) = document.get("host") else {
        return Ok(Conditions { date, host: Vec::new() });
    };
    let known = host.iter().filter_map(|(name, value)| Some((bounded(name, json::MAX_KEY), text(value)?)));
    Ok(Conditions { date, host: known.take(MAX_ENTRIES).collect() })
}

/// A value as people read it. Objects are left out.
fn text(value: &Value) -> Option<String> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Bool(is) => if *is { "yes" } else { "no" }.to_owned(),
        Value::Array(items) => items.iter().filter_map(text).collect::<Vec<_>>().join(", "),
        Value::Null | Value::Object(_) => return None,
    };
    Some(bounded(text.trim(), MAX_TEXT)).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Conditions {
        conditions(Path::new("test_results_1.json"), text.as_bytes()).unwrap()
    }

    #[test]
    fn the_host_in_the_order_of_the_file_without_what_is_not_known() {
        let read = read(
            r#"{"test_date": "2026-01-01T12:00:00", "scenarios": [], "host": {"processor": "Xeon\n", "governors": ["performance",
            "powersave"], "has_turbo": true, "cores": 8, "kernel": null, "odd": {"a": 1}, "ffmpeg": ""}}"#,
        );
        assert_eq!(read.date.as_deref(), Some("2026-01-01T12:00:00"));
        let known = [
            ("processor", "Xeon"),
            ("governors", "performance, powersave"),
            ("has_turbo", "yes"),
            ("cores", "8"),
        ];
        assert_eq!(read.host, known.map(|(name, value)| (name.to_owned(), value.to_owned())));
    }

    #[test]
    fn long_texts_and_files_of_other_writers() {
        let long = read(&format!(r#"{{"host": {{"processor": "{}"}}}}"#, "x".repeat(5000)));
        assert_eq!(long.host[0].1.chars().count(), MAX_TEXT);
        assert_eq!(read("[]"), Conditions::default());
        assert_eq!(read(r#"{"host": "a.example"}"#), Conditions::default());
        assert!(conditions(Path::new("a"), b"{").is_err());
    }
}
