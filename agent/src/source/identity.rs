//! Whose is this cgroup, and what is this process doing?

pub mod cgroup_path;
pub mod command_line;
pub mod directory;
pub mod docker;
pub mod processes;
pub mod transcodes;
