//! Translates process numbers between the CPU meter, procfs, and the agent's own PID namespace.
//!
//! In a PID namespace of its own the agent sees other numbers than the kernel's first namespace, in which eBPF programs count. A number
//! is looked up in procfs only where it means the same process there.

use agent_core::model::cpu::ProcessId;

use crate::host::HostRoots;
use crate::source::SourceError;
use crate::source::identity::processes;

/// The agent's own process number in each numbering.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ProcessNumbers {
    /// Number in the CPU meter's numbering.
    meter: Option<ProcessId>,
    /// Number in procfs.
    procfs: Option<ProcessId>,
    /// Number in the agent's own namespace, in which its children get theirs.
    own: ProcessId,
}

impl ProcessNumbers {
    /// Looks up the agent in procfs. `meter` is the number that the CPU meter has for it.
    pub(crate) fn find(roots: &HostRoots, meter: Option<ProcessId>) -> Self {
        Self { meter, procfs: processes::own(roots), own: ProcessId(std::process::id()) }
    }

    /// The agent's own number in procfs.
    pub(crate) fn own(&self) -> Option<ProcessId> {
        self.procfs
    }

    /// Whether the meter's numbers mean the same processes in procfs.
    pub(crate) fn are_shared(&self) -> bool {
        self.meter == self.procfs
    }

    /// The number of one of the meter's processes in procfs. `local` is its number in the agent's own namespace, where the kernel gave it.
    pub(crate) fn in_procfs(&self, process: ProcessId, local: Option<ProcessId>) -> Option<ProcessId> {
        if self.are_shared() {
            return Some(process);
        }
        local.filter(|_| self.procfs == Some(self.own))
    }

    /// The meter's number of a child of the agent, from its number in the agent's own namespace.
    pub(crate) fn of_child(&self, roots: &HostRoots, child: ProcessId) -> Option<ProcessId> {
        if self.meter.is_none_or(|meter| meter == self.own) {
            return Some(child);
        }
        let parent = i32::try_from(self.procfs.filter(|_| self.are_shared())?.0).ok()?;
        processes::numbers(roots).into_iter().find(|id| {
            let is_child = processes::stat(roots, *id).is_some_and(|stat| stat.ppid == parent);
            is_child && processes::innermost_number(roots, *id) == Some(child)
        })
    }

    /// Limitation of an agent in a PID namespace of its own.
    pub(crate) fn problem(&self) -> Option<SourceError> {
        let (false, Some(meter)) = (self.are_shared(), self.meter) else { return None };
        let seen = self.procfs.map_or_else(|| "unknown".to_owned(), |number| number.0.to_string());
        let unknown =
            if self.procfs == Some(self.own) { "encoders outside of this namespace" } else { "encoders" };
        Some(SourceError::unavailable(
            format!(
                "the agent runs in its own PID namespace (process {} in the kernel, {seen} in procfs): \
                 encoders that started before the agent are charged with their container, and {unknown} \
                 have no command line",
                meter.0
            ),
            "run the agent in the host's PID namespace (`docker run --pid=host`, `pid: host` in compose)",
        ))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn numbers(meter: u32, procfs: Option<u32>, own: u32) -> ProcessNumbers {
        ProcessNumbers { meter: Some(ProcessId(meter)), procfs: procfs.map(ProcessId), own: ProcessId(own) }
    }

    #[test]
    fn a_number_is_looked_up_only_where_it_means_the_same_process() {
        let (process, local) = (ProcessId(500), Some(ProcessId(5)));
        // On the host; in a container, with a procfs of its own, with the host's, and with one from between.
        let table = [
            (numbers(40, Some(40), 40), Some(process), true),
            (numbers(40, Some(4), 4), local, false),
            (numbers(40, Some(40), 4), Some(process), true),
            (numbers(40, Some(14), 4), None, false),
            (numbers(40, None, 4), None, false),
        ];
        for (numbers, expected, are_shared) in table {
            assert_eq!(numbers.in_procfs(process, local), expected, "{numbers:?}");
            assert_eq!(numbers.problem().is_none(), are_shared, "{numbers:?}");
        }
        assert_eq!(numbers(40, Some(4), 4).in_procfs(process, None), None, "not in the agent's namespace");
    }

    #[test]
    fn a_child_is_found_by_the_number_it_has_in_the_agents_namespace() {
        let folder = tempfile::tempdir().unwrap();
        let roots = HostRoots { proc: folder.path().to_path_buf(), ..HostRoots::default() };
        for (number, parent, inner) in [(500, 40, 5), (501, 40, 6), (502, 41, 6)] {
            let process = folder.path().join(number.to_string());
            fs::create_dir_all(&process).unwrap();
            let rest = "0 ".repeat(48);
            fs::write(process.join("stat"), format!("{number} (ffmpeg) S {parent} {rest}\n")).unwrap();
            fs::write(process.join("status"), format!("Name:\tffmpeg\nNSpid:\t{number}\t{inner}\n")).unwrap();
        }
        let child = ProcessId(6);
        assert_eq!(numbers(40, Some(40), 40).of_child(&roots, child), Some(child));
        assert_eq!(numbers(40, Some(40), 4).of_child(&roots, child), Some(ProcessId(501)));
        assert_eq!(numbers(40, Some(4), 4).of_child(&roots, child), None);
    }
}
