//! Identifies cgroups: the workload of each, its kind, and the names that users know.

pub mod cgroup_path;
pub mod conmon;
pub mod containerd_shim;
pub mod directory;
pub mod kubelet_logs;
pub mod kubernetes;
pub mod newcomers;
