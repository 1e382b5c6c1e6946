//! One configuration key: its names, default, allowed values and description.

use std::fmt;

use toml::Value;

use crate::config::Config;
use crate::config::layers::{as_table, look_up};

/// Prefix of ffwatt's own environment variables.
pub(crate) const PREFIX: &str = "FFWATT_";

/// One key of the configuration.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key {
    /// Path in the file: `listen.port`. The flag is the same with dashes (`--listen.port`), the environment variable
    /// `FFWATT_LISTEN_PORT`.
    pub path: &'static str,
    /// Syntax of the value.
    pub kind: Kind,
    /// Placeholder of the value in the help.
    pub value_name: &'static str,
    /// Purpose, in one sentence.
    pub doc: &'static str,
    /// Further explanation; may be empty.
    pub more: &'static str,
    /// Values that are accepted.
    pub allowed: Allowed,
    /// Effective value where [`Config::default`] has no value or an empty one.
    pub unset: &'static str,
    /// Environment variables of the exporters that ffwatt replaces; the first that is set counts.
    pub upstream: &'static [&'static str],
}

/// Syntax of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Text.
    Text,
    /// A length of time: `1s`, or a number of seconds.
    Time,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// A list of texts, in the environment and on the command line separated by commas.
    List,
}

/// Values that a key accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Allowed {
    /// One of these, or of a list any of these.
    Words(&'static [&'static str]),
    /// From the first to the second.
    Range(&'static str, &'static str),
    /// This or more.
    AtLeast(&'static str),
    /// Description of such a value.
    Form(&'static str),
}

impl fmt::Display for Allowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // In the form of clap's own options of subcommands.
            Self::Words(words) => write!(f, "[possible values: {}]", words.join(", ")),
            Self::Range(from, to) => write!(f, "[range: {from} to {to}]"),
            Self::AtLeast(least) => write!(f, "[range: {least} or more]"),
            Self::Form(form) => write!(f, "[format: {form}]"),
        }
    }
}

impl Key {
    /// The environment variable.
    pub(crate) fn variable(&self) -> String {
        format!("{PREFIX}{}", self.path.replace('.', "_").to_uppercase())
    }

    /// The flag, without the two dashes.
    pub(crate) fn flag(&self) -> String {
        // Exporters have this flag, and so do the scripts that start them.
        if self.path == "web.config_file" {
            return "web.config.file".to_owned();
        }
        self.path.replace('_', "-")
    }

    /// The default, in the form of the command line.
    pub(crate) fn default(&self) -> String {
        match look_up(&as_table(&Config::default()), self.path) {
            Some(Value::String(text)) if !text.is_empty() => text.clone(),
            Some(Value::Array(list)) if !list.is_empty() => {
                list.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(",")
            }
            Some(value @ (Value::Integer(_) | Value::Float(_))) => value.to_string(),
            _ => self.unset.to_owned(),
        }
    }

    /// Default and allowed values.
    pub(crate) fn values(&self) -> String {
        format!("[default: {}] {}", self.default(), self.allowed)
    }

    pub(super) const fn more(self, more: &'static str) -> Self {
        Self { more, ..self }
    }

    pub(super) const fn unset(self, unset: &'static str) -> Self {
        Self { unset, ..self }
    }

    pub(super) const fn upstream(self, upstream: &'static [&'static str]) -> Self {
        Self { upstream, ..self }
    }
}

pub(super) const fn key(
    path: &'static str,
    kind: Kind,
    value_name: &'static str,
    doc: &'static str,
    allowed: Allowed,
) -> Key {
    Key { path, kind, value_name, doc, more: "", allowed, unset: "", upstream: &[] }
}
