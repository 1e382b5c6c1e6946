//! Reads the conditions of a run from its result file: its date, and the host and the programs that encoded it.

use crate::model::scenario::Conditions;
use crate::results::json::{Json, MAX_KEY};
use crate::results::value::MAX_TEXT;
use crate::text::bounded;

/// Most entries of a host that are read.
const MAX_ENTRIES: usize = 32;

/// The conditions in a result file.
pub(super) fn conditions(document: &Json) -> Conditions {
    let date = document.get("test_date").and_then(text);
    let Some(Json::Object(host)) = document.get("host") else {
        return Conditions { date, host: Vec::new() };
    };
    let known = host.iter().filter_map(|(name, value)| Some((bounded(name, MAX_KEY), text(value)?)));
    Conditions { date, host: known.take(MAX_ENTRIES).collect() }
}

/// A value as people read it. Objects are left out.
fn text(value: &Json) -> Option<String> {
    let text = match value {
        Json::Text(text) => text.clone(),
        Json::Number(number) => number.to_string(),
        Json::Bool(is) => if *is { "yes" } else { "no" }.to_owned(),
        Json::List(items) => items.iter().filter_map(text).collect::<Vec<_>>().join(", "),
        Json::Null | Json::Object(_) => return None,
    };
    Some(bounded(text.trim(), MAX_TEXT)).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::json;

    fn read(text: &str) -> Conditions {
        conditions(&json::read(text.as_bytes()).unwrap().0)
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
    }
}
