//! Asks engines and procfs what cgroups and processes are.

pub(crate) mod docker;
pub(crate) mod process_numbers;
pub(crate) mod processes;
pub(crate) mod transcodes;
