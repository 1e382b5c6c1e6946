//! Asks engines and procfs what cgroups and processes are.

pub mod docker;
pub mod process_numbers;
pub mod processes;
pub mod transcodes;
