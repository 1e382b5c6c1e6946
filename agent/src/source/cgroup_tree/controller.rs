//! Lists the controllers of cgroup v1 that may show the cgroup of a task.

use std::path::{Path, PathBuf};

/// A controller of cgroup v1 that may show the cgroup of a task, the best one first. Runtimes that support cgroup v1 only make their
/// cgroups in the hierarchies of all of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Controller {
    /// Counts CPU time as well.
    Cpuacct,
    /// Shares and quotas of CPU time.
    Cpu,
    /// Limits memory.
    Memory,
    /// Limits numbers of processes.
    Pids,
}

impl Controller {
    pub(super) const ALL: [Self; 4] = [Self::Cpuacct, Self::Cpu, Self::Memory, Self::Pids];

    /// Name in `/proc/<pid>/cgroup`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Cpuacct => "cpuacct",
            Self::Cpu => "cpu",
            Self::Memory => "memory",
            Self::Pids => "pids",
        }
    }

    /// Name in the kernel's `enum cgroup_subsys_id`.
    pub(crate) fn enumerator(self) -> &'static str {
        match self {
            Self::Cpuacct => "cpuacct_cgrp_id",
            Self::Cpu => "cpu_cgrp_id",
            Self::Memory => "memory_cgrp_id",
            Self::Pids => "pids_cgrp_id",
        }
    }

    /// Folders of its mounts, alone or together with another.
    fn folders(self) -> &'static [&'static str] {
        match self {
            Self::Cpuacct => &["cpuacct", "cpu,cpuacct", "cpuacct,cpu"],
            Self::Cpu => &["cpu"],
            Self::Memory => &["memory"],
            Self::Pids => &["pids"],
        }
    }

    /// Root of its mounted hierarchy. Only folders of cgroup v1 have a file `tasks`.
    pub(super) fn find(self, mount: &Path) -> Option<PathBuf> {
        let folders = self.folders().iter().map(|name| mount.join(name));
        let is_it =
            |folder: &PathBuf| ["cpuacct.usage", "tasks"].iter().any(|name| folder.join(name).exists());
        folders.into_iter().find(is_it)
    }
}
