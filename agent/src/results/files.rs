//! Follows the results folder: the newest readable result file is the current run. Reports files and values that cannot be read.

use std::path::{Path, PathBuf};
use std::time::Duration;

use agent_core::model::finding::{Finding, FindingCode};
use agent_core::model::scenario::Run;
use agent_core::results::{Problem, Problems};
use agent_core::time::WallTime;

use crate::pipeline::FindingTracker;
use crate::source::SourceError;
use crate::source::results::{self, Folder, FolderWatch, Seen};

/// Most values of a file that are findings of their own: each is a series. The others are one more finding.
const MAX_FINDINGS: usize = 20;

/// The folder, and the run in it.
#[derive(Debug, Default)]
pub(super) struct ResultFiles {
    folder: Folder,
    watch: Option<FolderWatch>,
    run: Run,
    is_readable: Option<bool>,
    /// The file of the run, and its values that are left out.
    problems: (PathBuf, Problems),
    /// The newest file, where it cannot be read, and the reason.
    unreadable: Option<(PathBuf, String)>,
    findings: FindingTracker,
}

impl ResultFiles {
    /// A folder that has not been read yet.
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder: Folder::new(folder), ..Self::default() }
    }

    /// The run that was read last.
    pub(super) fn run(&self) -> &Run {
        &self.run
    }

    pub(super) fn run_mut(&mut self) -> &mut Run {
        &mut self.run
    }

    /// Whether the newest file could be read; `None` before the first check.
    pub(super) fn is_readable(&self) -> Option<bool> {
        self.is_readable
    }

    /// Findings about the files, as of the last check.
    pub(super) fn findings(&self) -> Vec<Finding> {
        self.findings.current()
    }

    /// Changes the folder; the run stays until the new folder has one.
    pub(super) fn change(&mut self, folder: PathBuf) {
        (self.folder, self.watch, self.is_readable) = (Folder::new(folder), None, None);
        self.unreadable = None;
    }

    /// Waits until the folder changes, at most for `longest`. Returns whether it has changed.
    #[expect(
        clippy::disallowed_methods,
        reason = "the results thread has nothing else to do where the folder cannot be watched"
    )]
    pub(super) fn wait(&mut self, longest: Duration) -> bool {
        if self.watch.is_none() {
            // A folder that has just been made may contain files already.
            self.watch = FolderWatch::open(self.folder.path()).ok();
            if self.watch.is_some() {
                return true;
            }
        }
        match self.watch.as_ref().map(|watch| watch.wait(longest)) {
            Some(Ok(seen)) => {
                if seen == Seen::Gone {
                    self.watch = None;
                }
                seen != Seen::Nothing
            }
            other => {
                if let Some(Err(error)) = other {
                    tracing::debug!("{} cannot be watched: {error}", self.folder.path().display());
                    self.watch = None;
                }
                std::thread::sleep(longest);
                false
            }
        }
    }

    /// Checks for a new result file; the last readable one stays until then. Returns whether anything has changed.
    pub(super) fn rescan(&mut self, wall: WallTime) -> bool {
        let before = (self.is_readable, self.unreadable.clone());
        let is_new = self.read();
        self.report(wall);
        is_new || before != (self.is_readable, self.unreadable.clone())
    }

    fn read(&mut self) -> bool {
        let read = self.folder.changed().and_then(|file| match file {
            Some(file) => results::parse(&file.path, &file.bytes).map(|parsed| Some((file.path, parsed))),
            None => Ok(None),
        });
        match read {
            Ok(Some((path, (run, review)))) => {
                tracing::info!(run = run.id, scenarios = run.scenarios.len(), "result file read");
                self.run = run;
                self.problems = (path, review.problems);
                (self.is_readable, self.unreadable) = (Some(true), None);
                return true;
            }
            // Nothing has changed: a broken file is still broken.
            Ok(None) if self.folder.has_file() => {
                self.is_readable.get_or_insert(true);
            }
            // An empty folder, and one that does not exist yet, have no broken file.
            Ok(None) | Err(SourceError::Unavailable { .. }) => {
                (self.is_readable, self.unreadable) = (Some(true), None);
            }
            Err(error) => {
                (self.is_readable, self.unreadable) =
                    (Some(false), Some((self.folder.newest_path(), error.chain())));
            }
        }
        false
    }

    /// Each problem is logged once, when it appears; a file that is bad in another way has another problem.
    fn report(&mut self, wall: WallTime) {
        if let Some((path, why)) = &self.unreadable {
            let subject = path.display().to_string();
            self.findings.report_by_detail(FindingCode::ResultFileUnreadable, &subject, why);
        }
        let (path, problems) = &self.problems;
        for (subject, detail) in values(path, problems) {
            self.findings.report_by_detail(FindingCode::ResultValueRefused, &subject, &detail);
        }
        self.findings.settle(wall);
    }
}

/// Subject and detail of the finding for each value that is left out.
fn values(path: &Path, problems: &Problems) -> Vec<(String, String)> {
    let file = path.file_name().unwrap_or_default().to_string_lossy();
    let of = |problem: &Problem| {
        let scenario = problem.scenario.as_ref().map(|name| format!("{name}: ")).unwrap_or_default();
        (format!("{file}: {scenario}{}", problem.field), format!("{}: {problem}", path.display()))
    };
    let mut all: Vec<_> = problems.kept().iter().take(MAX_FINDINGS).map(of).collect();
    if let Some(more @ 1..) = problems.total().checked_sub(MAX_FINDINGS) {
        let detail = format!("{}: {more} more values cannot be used", path.display());
        all.push((format!("{file}: {more} more values"), detail));
    }
    all
}
