//! Identifies cgroups by their paths: the workload of each, and its kind.

pub mod cgroup_path;
pub mod directory;
pub mod newcomers;
