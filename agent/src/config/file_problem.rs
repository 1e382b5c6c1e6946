//! Describes the problem of a configuration file and its place, without quoting the file.
//!
//! A file that is no configuration may contain a secret. So a message has the line, the column, the name of a key and what was
//! expected, and nothing of the file's text.

use toml::{Table, Value};

use super::Config;
use super::keys::KEYS;
use super::layers::{as_table, look_up, set};
use crate::misspelt::unknown_key;

/// The problem of a text that is not a valid configuration.
pub(super) fn describe(text: &str, error: &toml::de::Error) -> String {
    let place = error.span().map_or_else(String::new, |span| place(text, span.start));
    match toml::from_str::<Table>(text) {
        // The parser's syntax errors are fixed sentences.
        Err(syntax) => format!("{place}not valid TOML: {}", syntax.message()),
        Ok(given) => match (unknown_field(error.message()), wrong_value(&given)) {
            (Some(problem), _) => format!("{place}{problem}"),
            (None, Some((key, message))) => format!("{place}{key}: {}", expectation(&message)),
            (None, None) => format!("{place}{}", expectation(error.message())),
        },
    }
}

/// `line 3, column 5: `, as editors count.
fn place(text: &str, at: usize) -> String {
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    format!("line {line}, column {column}: ")
}

/// ``unknown field `prot`, expected one of `address`, `port` ``: the name is the only word of the file in it.
fn unknown_field(message: &str) -> Option<String> {
    let (name, _) = message.strip_prefix("unknown field `")?.split_once('`')?;
    let expected =
        after_expected(message).map_or_else(String::new, |expected| format!(", expected {expected}"));
    let known = KEYS.iter().flat_map(|key| key.path.split('.'));
    Some(format!("{}{expected}", unknown_key(name, known)))
}

/// The first key of the file with an unusable value.
fn wrong_value(given: &Table) -> Option<(&'static str, String)> {
    KEYS.iter().find_map(|key| {
        let mut table = as_table(&Config::default());
        set(&mut table, key.path, look_up(given, key.path)?.clone());
        let error = Value::Table(table).try_into::<Config>().err()?;
        Some((key.path, error.message().to_owned()))
    })
}

/// The expected form, from serde's message. The found value stands before it, and is left out.
pub(super) fn expectation(message: &str) -> String {
    after_expected(message).map_or_else(
        || "the value is invalid; `ffwatt config --default` shows the form".to_owned(),
        |expected| format!("expected {expected}"),
    )
}

fn after_expected(message: &str) -> Option<&str> {
    message.rfind(", expected ").map(|at| &message[at + ", expected ".len()..])
}

#[cfg(test)]
mod tests {
    use super::super::parse;

    /// Text that must not appear in a message.
    const CANARY: &str = "hunter2-9f31c7";

    #[test]
    fn no_text_of_the_file_is_in_the_message() {
        for text in [
            "CANARY",
            "CANARY\n",
            "root:$6$CANARY:19000:0:99999:7:::\ndaemon:*:19000:0:99999:7:::\n",
            "PASSWORD=CANARY\n",
            "a = CANARY\n",
            "interval = CANARY",
            "interval = \"CANARY\"",
            "interval = \"CANARY, expected CANARY\"",
            "[CANARY",
            "[listen]\nport = \"CANARY\"\n",
            "[listen]\naddress = \"CANARY\"\n",
            "[cpu]\nsource = \"CANARY\"\n",
            "[cpu]\ntracked = [\"/CANARY\"]\n",
            "[cpu]\ntracked = \"CANARY\"\n",
            "[sandbox]\noff = [\"CANARY\"]\n",
            "[compat]\nzones = \"CANARY\"\n",
            "[price]\nper_kwh = \"CANARY\"\n",
            "listen = \"CANARY\"\n",
            "\"CANARY is more than a name\" = 1\n",
            "CANARY = 1\n",
            "[CANARY]\n",
            "interval = \"\"\"\nCANARY",
            "interval = '1s'\ninterval = 'CANARY'\n",
            "{\"CANARY\": 1}",
            "\u{feff}CANARY \0 \u{7}",
        ] {
            let said = parse(&text.replace("CANARY", CANARY)).unwrap_err();
            let said = crate::error::chain(&said);
            assert!(!said.contains(CANARY), "{text:?}: {said}");
            let helps = said.contains("line ") || said.contains("cpu.tracked");
            assert!(helps && said.len() > 20, "{text:?}: {said}");
        }
    }

    #[test]
    fn the_key_the_line_and_what_was_expected_are() {
        for (text, words) in [
            ("interval = true\n", &["line 1, column 12", "interval", "expected a length of time"][..]),
            ("[listen]\n\nport = \"x\"\n", &["line 3, column 8", "listen.port", "expected u16"]),
            ("[energy]\nsource = \"sun\"\n", &["line 2", "energy.source", "`powercap`"]),
            ("[listen]\nprot = 5\n", &["line 2, column 1", "\"prot\"", "`port`"]),
            ("interval\n", &["line 1", "not valid TOML", "expected"]),
        ] {
            let said = crate::error::chain(&parse(text).unwrap_err());
            assert!(words.iter().all(|word| said.contains(word)), "{text:?}: {said}");
        }
    }
}
