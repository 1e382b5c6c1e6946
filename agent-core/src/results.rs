//! Parses result files: the run, what was read of it, and what was refused.
//!
//! Both schemas of upstream are an object with a list `scenarios`; they differ in the fields of a scenario, and all are read. A bad
//! value costs only itself: the other fields, and the other scenarios, are kept.

pub mod json;

mod conditions;
mod fields;
mod scenario;
mod value;

use std::borrow::Cow;
use std::collections::HashSet;
use std::path::{Path, PathBuf};

use crate::model::scenario::Run;
use crate::text::bounded;
use crate::time::WallTime;

use json::{Json, JsonError};
use value::MAX_TEXT;

pub use fields::{Problem, Problems};

/// Most scenarios that are read from one file.
const MAX_SCENARIOS: usize = 10_000;

/// The reason why a file has no run.
#[derive(Debug, thiserror::Error)]
pub enum NoRun {
    /// The text cannot be read.
    #[error("{} {cause}", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// What is wrong with its text.
        cause: JsonError,
    },
    /// The document is something else.
    #[error("{} has no list \"scenarios\"", path.display())]
    Scenarios {
        /// The file.
        path: PathBuf,
    },
}

/// What was read from a file, and what was not.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Review {
    /// Values that are left out.
    pub problems: Problems,
    /// What was read of each scenario, in the order of the run.
    pub scenarios: Vec<ScenarioReview>,
}

/// What was read of a scenario.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ScenarioReview {
    /// Name of the scenario, as the figures have it.
    pub name: String,
    /// Its begin and end.
    pub window: Option<(WallTime, WallTime)>,
    /// Fields with a value that is used.
    pub read: Vec<&'static str>,
    /// Keys that ffwatt does not use.
    pub unused: Vec<String>,
}

/// A file's run, and the review of the file.
pub fn parse(path: &Path, bytes: &[u8]) -> Result<(Run, Review), NoRun> {
    let (document, is_garbled) =
        json::read::<Json>(bytes).map_err(|cause| NoRun::Json { path: path.to_owned(), cause })?;
    let scenarios = scenarios(&document).ok_or_else(|| NoRun::Scenarios { path: path.to_owned() })?;
    let mut review = Review::default();
    let (id, conditions) = (id(path), conditions::conditions(&document));
    let mut run = Run { id, conditions, scenarios: Vec::new() };
    if is_garbled {
        review.problems.add(None, "the text", json::GARBLED);
    }
    for name in document.repeated() {
        review.problems.add(None, &name, fields::REPEATED);
    }
    let has_metadata = document.get("test_metadata").is_some();
    let mut names = HashSet::new();
    for (place, value) in scenarios.iter().take(MAX_SCENARIOS) {
        if !matches!(value, Json::Object(_)) {
            let why = format!("is {}, not an object", value.kind());
            review.problems.add(None, &format!("scenario {place}"), why);
            continue;
        }
        let (scenario, read) = scenario::read(value, place, has_metadata, &mut names, &mut review.problems);
        run.scenarios.push(scenario);
        review.scenarios.push(read);
    }
    if scenarios.len() > MAX_SCENARIOS {
        let why = format!("are {}; only the first {MAX_SCENARIOS} are read", scenarios.len());
        review.problems.add(None, "scenarios", why);
    }
    Ok((run, review))
}

/// Where the scenario of this name stands in the document, as a JSON pointer (RFC 6901). The name is the one that [`parse`] gives it.
pub fn pointer(bytes: &[u8], name: &str) -> Result<Option<String>, JsonError> {
    let (document, _) = json::read::<Json>(bytes)?;
    let (list, list_pointer) = match &document {
        Json::List(_) => (Some(&document), ""),
        _ => (document.get("scenarios"), "/scenarios"),
    };
    let mut names = HashSet::new();
    let scenarios = scenarios(&document).unwrap_or_default().into_iter().take(MAX_SCENARIOS);
    let mut named = scenarios.filter(|(_, value)| matches!(value, Json::Object(_))).map(|(place, value)| {
        let is_list = list.is_some_and(|list| std::ptr::eq(list, value));
        let pointer =
            if is_list { list_pointer.to_owned() } else { format!("{list_pointer}/{}", escaped(&place)) };
        (scenario::name(value, &place, &mut names, &mut Problems::default()), pointer)
    });
    // All names up to this one are made: a name may have been given to an earlier scenario.
    Ok(named.find(|(own, _)| own == name).map(|(_, pointer)| pointer))
}

fn escaped(place: &str) -> String {
    place.replace('~', "~0").replace('/', "~1")
}

/// The scenarios with their names or places: of the key `scenarios`, or of a list of objects in its place.
fn scenarios(document: &Json) -> Option<Vec<(Cow<'_, str>, &Json)>> {
    match document {
        Json::List(items) => {
            let has_objects = items.iter().any(|item| matches!(item, Json::Object(_)));
            if has_objects { document.items() } else { None }
        }
        _ => document.get("scenarios")?.items(),
    }
}

fn id(path: &Path) -> String {
    path.file_stem().map(|stem| bounded(&stem.to_string_lossy(), MAX_TEXT)).unwrap_or_default()
}

#[cfg(test)]
mod tests;
