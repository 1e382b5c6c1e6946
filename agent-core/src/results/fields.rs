//! Reads the fields of one scenario, and keeps what was read, what was refused and why.

use std::collections::BTreeSet;
use std::fmt;

use crate::text::bounded;

use super::value::{self, Why};
use crate::results::json::{Json, MAX_KEY};

/// Most problems of a file that are kept; the others are counted.
pub(super) const MAX_PROBLEMS: usize = if cfg!(miri) { 20 } else { 1000 };

/// Told of a key that an object has twice.
pub(super) const REPEATED: &str = "is given more than once; the last value counts";

/// A value that is left out, with its scenario and field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Name of the scenario; `None` for a problem of the whole file.
    pub scenario: Option<String>,
    /// Field of the scenario: `vmaf_score`, `outputs[0].fps`.
    pub field: String,
    /// The end of a sentence that begins with the field.
    pub why: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.scenario {
            Some(name) => write!(f, "scenario {name:?}: {} {}", self.field, self.why),
            None => write!(f, "{} {}", self.field, self.why),
        }
    }
}

/// Problems of a file, up to a bound.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Problems {
    kept: Vec<Problem>,
    total: usize,
}

impl Problems {
    pub(super) fn add(&mut self, scenario: Option<&str>, field: &str, why: impl Into<String>) {
        self.total += 1;
        if self.kept.len() < MAX_PROBLEMS {
            let scenario = scenario.map(str::to_owned);
            self.kept.push(Problem { scenario, field: field.to_owned(), why: why.into() });
        }
    }

    /// The first problems, in the order of the file.
    pub fn kept(&self) -> &[Problem] {
        &self.kept
    }

    /// Number of all problems.
    pub fn total(&self) -> usize {
        self.total
    }
}

/// The fields of one object of a scenario.
pub(super) struct Fields<'a> {
    object: &'a Json,
    scenario: &'a str,
    /// Begins the names of fields in problems: `outputs[0].`.
    prefix: String,
    problems: &'a mut Problems,
    asked: BTreeSet<&'static str>,
    read: Vec<&'static str>,
}

impl<'a> Fields<'a> {
    pub(super) fn new(
        object: &'a Json,
        scenario: &'a str,
        prefix: String,
        problems: &'a mut Problems,
    ) -> Self {
        let mut fields =
            Self { object, scenario, prefix, problems, asked: BTreeSet::new(), read: Vec::new() };
        for name in object.repeated() {
            fields.refuse(&name, REPEATED);
        }
        fields
    }

    /// The fields of an object below this one.
    pub(super) fn below<'b>(&'b mut self, object: &'b Json, place: &str) -> Fields<'b> {
        Fields::new(object, self.scenario, format!("{}{place}.", self.prefix), self.problems)
    }

    /// The value of a field; `None` where it is missing.
    pub(super) fn get(&mut self, name: &'static str) -> Option<&'a Json> {
        self.asked.insert(name);
        self.object.get(name).filter(|value| !value::is_missing(value))
    }

    /// Whether a field is there.
    pub(super) fn has(&self, name: &str) -> bool {
        self.object.get(name).is_some_and(|value| !value::is_missing(value))
    }

    /// Reads a field.
    pub(super) fn take<T>(
        &mut self,
        name: &'static str,
        convert: impl FnOnce(&Json) -> Result<T, Why>,
    ) -> Option<T> {
        let converted = convert(self.get(name)?);
        self.keep(name, converted)
    }

    /// Reads a field in which 0 stands for a missing value.
    pub(super) fn take_unless_zero<T>(
        &mut self,
        name: &'static str,
        convert: impl FnOnce(&Json) -> Result<T, Why>,
    ) -> Option<T> {
        let value = self.get(name).filter(|value| !value::is_zero(value))?;
        self.keep(name, convert(value))
    }

    fn keep<T>(&mut self, name: &'static str, converted: Result<T, Why>) -> Option<T> {
        match converted {
            Ok(value) => {
                self.read.push(name);
                Some(value)
            }
            Err(why) => {
                self.refuse(name, why);
                None
            }
        }
    }

    /// Notes that a field was read.
    pub(super) fn note(&mut self, name: &'static str) {
        self.read.push(name);
    }

    /// Notes that a field, or a part of it, is left out.
    pub(super) fn refuse(&mut self, name: &str, why: impl Into<String>) {
        self.problems.add(Some(self.scenario), &format!("{}{name}", self.prefix), why);
    }

    /// Fields that were read, and keys of the file that are not used.
    pub(super) fn ended(self) -> (Vec<&'static str>, Vec<String>) {
        let Json::Object(entries) = self.object else { return (self.read, Vec::new()) };
        let unused = entries.iter().map(|(name, _)| name).filter(|name| !self.asked.contains(name.as_str()));
        let unused: BTreeSet<String> = unused.map(|name| bounded(name, MAX_KEY)).collect();
        (self.read, unused.into_iter().collect())
    }
}
