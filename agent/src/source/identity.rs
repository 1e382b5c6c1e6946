//! Reads the identity of cgroups and processes from container engines, the kubelet's file names and procfs.

pub(crate) mod starter;
pub(crate) mod cri;
pub(crate) mod docker;
pub(crate) mod kubelet;
pub(crate) mod open_files;
pub(crate) mod process_numbers;
pub(crate) mod processes;
pub(crate) mod tracked;
pub(crate) mod transcodes;
