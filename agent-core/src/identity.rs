//! Identifies cgroups by their paths: which workload, and of which kind.

pub mod cgroup_path;
pub mod directory;
pub mod newcomers;
