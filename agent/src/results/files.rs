//! Follows the results folder: the newest readable result file is the current run.

use std::path::PathBuf;
use std::time::Duration;

use agent_core::model::scenario::Run;

use crate::source::SourceError;
use crate::source::results::{self, Folder, FolderWatch, Seen};

/// The folder, and the run in it.
#[derive(Debug)]
pub(super) struct ResultFiles {
    folder: Folder,
    watch: Option<FolderWatch>,
    run: Run,
    is_readable: Option<bool>,
}

impl ResultFiles {
    /// A folder that has not been read yet.
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder: Folder::new(folder), watch: None, run: Run::default(), is_readable: None }
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

    /// Changes the folder; the run stays until the new folder has one.
    pub(super) fn change(&mut self, folder: PathBuf) {
        (self.folder, self.watch, self.is_readable) = (Folder::new(folder), None, None);
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

    /// Checks for a new result file; the last readable one stays until then.
    pub(super) fn rescan(&mut self) -> bool {
        let read = self.folder.changed().and_then(|file| match file {
            Some(file) => results::parse(&file.path, &file.bytes).map(Some),
            None => Ok(None),
        });
        let was_readable = self.is_readable;
        match read {
            Ok(Some((run, findings))) => {
                for finding in findings {
                    tracing::warn!("{finding}");
                }
                tracing::info!(run = run.id, scenarios = run.scenarios.len(), "result file read");
                self.run = run;
                self.is_readable = Some(true);
                true
            }
            Ok(None) => {
                // Nothing has changed; a broken file is still broken.
                self.is_readable.get_or_insert(true);
                was_readable != self.is_readable
            }
            // A folder that does not exist yet has no results.
            Err(SourceError::Unavailable { .. }) => {
                self.is_readable.get_or_insert(true);
                was_readable != self.is_readable
            }
            Err(error) => {
                if was_readable != Some(false) {
                    tracing::warn!("{}: the last results stay", error.chain());
                }
                self.is_readable = Some(false);
                was_readable != Some(false)
            }
        }
    }
}
