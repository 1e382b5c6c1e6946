//! Reads the identity of cgroups and processes from container engines and procfs.

pub(crate) mod docker;
pub(crate) mod open_files;
pub(crate) mod process_numbers;
pub(crate) mod processes;
pub(crate) mod tracked;
pub(crate) mod transcodes;
