//! Identifies cgroups and processes: which workload, which transcode.

pub mod cgroup_path;
pub mod command_line;
pub mod directory;
pub mod docker;
pub mod newcomers;
pub mod process_numbers;
pub mod processes;
pub mod transcodes;
