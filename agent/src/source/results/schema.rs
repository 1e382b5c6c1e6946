//! Parses a result file into a run, and says what was read and what was refused.
//!
//! Both schemas of upstream are an object with a list `scenarios`; they differ in the fields of a scenario, and all are read. A bad
//! value costs only itself: the other fields, and the other scenarios, are kept.

mod fields;
mod scenario;
mod value;

use std::borrow::Cow;
use std::collections::HashSet;
use std::path::Path;

use agent_core::model::scenario::Run;
use agent_core::text::bounded;
use agent_core::time::WallTime;

pub(crate) use fields::{Problem, Problems};

use crate::source::SourceError;
use crate::source::results::json::{self, Json};
use value::MAX_TEXT;

/// Most scenarios that are read from one file.
const MAX_SCENARIOS: usize = 10_000;

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
pub fn parse(path: &Path, bytes: &[u8]) -> Result<(Run, Review), SourceError> {
    let broken = |why: String| SourceError::broken(format!("{} {why}", path.display()));
    let (document, is_garbled) = json::read::<Json>(bytes).map_err(|error| broken(error.to_string()))?;
    let scenarios = scenarios(&document).ok_or_else(|| broken("has no list \"scenarios\"".to_owned()))?;
    let mut review = Review::default();
    let mut run = Run { id: id(path), scenarios: Vec::new() };
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
