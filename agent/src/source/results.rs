//! Reads the results folder and the price file, and watches both.
//!
//! The last readable run stays until a newer one can be read.

mod folder;
mod prices;
mod watch;

use agent_core::results::NoRun;

use crate::source::SourceError;

pub use folder::Folder;
pub(crate) use folder::read_file;
pub(crate) use prices::read as read_prices;
pub(crate) use watch::{FolderWatch, Seen};

/// The failure of a source whose file has no run.
pub(crate) fn without_run(error: &NoRun) -> SourceError {
    SourceError::broken(error.to_string())
}
