//! Lists the runs of the results folders.

use std::io::Write;
use std::path::{Path, PathBuf};

use agent_core::comparison::setting::READING;
use agent_core::model::scenario::Run;
use agent_core::time::WallTime;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::command::report::csv::print;
use crate::command::report::{Form, ReportError};
use crate::error::chain;
use crate::source::SourceError;
use crate::source::results::{self, Folder};

/// Writes all runs, the newest of each folder first. A file that cannot be read is in the list with its problem.
pub(super) fn write(
    folders: &[PathBuf],
    since: Option<WallTime>,
    form: Form,
    out: &mut dyn Write,
) -> Result<(), ReportError> {
    let mut runs = runs(folders)?;
    if let Some(since) = since {
        runs.retain(|(run, _)| run.as_ref().map_or(true, |run| has_begun(run, since)));
    }
    if form == Form::Json {
        return Ok(print(&runs.iter().map(|(run, path)| entry(run, path)).collect(), out)?);
    }
    writeln!(out, "{:<34}{:<22}{:>10}{:>8}  clips and encoders", "run", "begin", "scenarios", "scored")?;
    for (run, path) in &runs {
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        match run {
            Err(problem) => writeln!(out, "{name:<34}{problem}")?,
            Ok(run) => {
                let line = format!(
                    "{name:<34}{:<22}{:>10}{:>8}  {}",
                    begin(run).unwrap_or_else(|| "-".to_owned()),
                    run.scenarios.len(),
                    scored(run),
                    contents(run).join(", "),
                );
                writeln!(out, "{}", line.trim_end())?;
            }
        }
    }
    Ok(())
}

/// Paths of the runs that have begun since a time. A file that cannot be read is left out.
pub(super) fn since(folders: &[PathBuf], since: WallTime) -> Result<Vec<PathBuf>, ReportError> {
    let is_new = |(run, path): (Result<Run, String>, PathBuf)| match run {
        Ok(run) => has_begun(&run, since).then_some(path),
        Err(problem) => {
            tracing::warn!("{problem}");
            None
        }
    };
    let paths: Vec<PathBuf> = runs(folders)?.into_iter().filter_map(is_new).collect();
    if paths.is_empty() {
        return Err(ReportError::NoneSince { folder: folders.first().cloned().unwrap_or_default() });
    }
    Ok(paths)
}

/// A run, or the problem of a file that cannot be read, and its path.
type FoundRun = (Result<Run, String>, PathBuf);

/// All runs.
fn runs(folders: &[PathBuf]) -> Result<Vec<FoundRun>, ReportError> {
    let mut runs = Vec::new();
    for folder in folders {
        match Folder::new(folder.clone()).paths() {
            Ok(paths) => runs.extend(paths.into_iter().map(|path| (read(&path), path))),
            Err(SourceError::Unavailable { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    if runs.is_empty() {
        return Err(ReportError::NoResults { folder: folders.first().cloned().unwrap_or_default() });
    }
    Ok(runs)
}

fn has_begun(run: &Run, since: WallTime) -> bool {
    first_begin(run).is_some_and(|begin| begin.0 >= since.0)
}

fn read(path: &Path) -> Result<Run, String> {
    let run = results::read_file(path).and_then(|bytes| results::parse(path, &bytes));
    run.map(|(run, _)| run).map_err(|error| chain(&error))
}

fn entry(run: &Result<Run, String>, path: &Path) -> Value {
    let path = path.display().to_string();
    match run {
        Err(problem) => json!({ "path": path, "problem": problem }),
        Ok(run) => json!({
            "path": path,
            "run_id": run.id,
            "begin": begin(run),
            "scenarios": run.scenarios.len(),
            "scored": scored(run),
            "contents": contents(run),
        }),
    }
}

fn scored(run: &Run) -> usize {
    run.scenarios.iter().filter(|scenario| scenario.quality.vmaf.is_some()).count()
}

/// Begin of the first scenario, in UTC.
fn begin(run: &Run) -> Option<String> {
    let WallTime(first) = first_begin(run)?;
    Some(Timestamp::from_second(first as i64).ok()?.to_string())
}

fn first_begin(run: &Run) -> Option<WallTime> {
    let begins = run.scenarios.iter().filter_map(|scenario| Some(scenario.window?.0));
    begins.min_by(|one, other| one.0.total_cmp(&other.0))
}

/// Clips, then encoders, each once.
fn contents(run: &Run) -> Vec<&str> {
    let clips = run.scenarios.iter().filter_map(|scenario| scenario.clip.as_deref());
    let encoders = run.scenarios.iter().filter_map(|scenario| scenario.encoder.as_deref());
    let mut all: Vec<&str> = Vec::new();
    for name in clips.chain(encoders.filter(|encoder| *encoder != READING)) {
        if !all.contains(&name) {
            all.push(name);
        }
    }
    all
}
