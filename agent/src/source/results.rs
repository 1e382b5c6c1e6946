//! Reads the results folder and the price file, and watches both.
//!
//! The last readable run stays until a newer one can be read.

mod folder;
mod prices;
mod watch;

use std::path::Path;

use agent_core::model::scenario::Run;
use agent_core::results::{self, Review};

use crate::source::SourceError;

pub use folder::Folder;
pub(crate) use folder::read_file;
pub(crate) use prices::read as read_prices;
pub(crate) use watch::{FolderWatch, Seen};

/// Parses a result file: its run, and the review of it.
pub(crate) fn parse(path: &Path, bytes: &[u8]) -> Result<(Run, Review), SourceError> {
    results::parse(path, bytes).map_err(|error| SourceError::broken(error.to_string()))
}
