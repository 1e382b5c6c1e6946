//! Polls procfs for tracked programs that run, and the CPU time they use.

use std::collections::{HashMap, HashSet};

use agent_core::model::cpu::{CgroupId, ProcessId};
use agent_core::time::MonoTime;
use agent_core::units::CpuTime;

use crate::host::HostRoots;
use crate::source::cgroup_tree::CgroupTree;
use crate::source::cpu::LifecycleEvent;
use crate::source::identity::processes;
use crate::source::identity::tracked::is_tracked;

/// CPU time of one tracked process since the last poll.
pub(super) struct ProcessUse {
    pub(super) id: ProcessId,
    pub(super) cgroup: CgroupId,
    pub(super) used: CpuTime,
}

/// State of a process at the last poll.
struct Seen {
    ticks: u64,
    /// Start time: a number that is used again has another.
    started: u64,
    /// Name: another name is another program.
    comm: String,
    polls: u32,
}

/// The tracked processes at the last poll.
pub(super) struct Processes {
    roots: HostRoots,
    /// Names of `cpu.tracked`.
    names: Vec<String>,
    tracked: HashSet<ProcessId>,
    known: HashMap<ProcessId, Seen>,
    has_polled: bool,
}

impl Processes {
    pub(super) fn new(roots: &HostRoots, names: &[String]) -> Self {
        Self {
            roots: roots.clone(),
            names: names.to_vec(),
            tracked: HashSet::new(),
            known: HashMap::new(),
            has_polled: false,
        }
    }

    pub(super) fn track(&mut self, process: ProcessId) {
        self.tracked.insert(process);
    }

    pub(super) fn untrack(&mut self, process: ProcessId) {
        self.tracked.remove(&process);
    }

    pub(super) fn own(&self) -> Option<ProcessId> {
        processes::own(&self.roots)
    }

    /// CPU time of every tracked process, and events of processes that started and ended.
    pub(super) fn read(
        &mut self,
        at: MonoTime,
        tree: &CgroupTree,
        events: &mut Vec<LifecycleEvent>,
    ) -> Vec<ProcessUse> {
        let mut found = Vec::new();
        let mut now = HashMap::new();
        for id in processes::numbers(&self.roots) {
            let Some(stat) = processes::stat(&self.roots, id) else { continue };
            if self.known.get(&id).is_some_and(|before| before.started != stat.starttime) {
                // Another process has the number now: it is not tracked for the former one.
                self.known.remove(&id);
                self.tracked.remove(&id);
                events.push(LifecycleEvent::Exit { at, process: id, exit: None });
            }
            let before = self.known.get(&id);
            if !is_tracked(&stat.comm, &self.names) && !self.tracked.contains(&id) {
                continue;
            }
            let Some(cgroup) = tree.of_process(&self.roots, id) else { continue };
            let ticks = stat.utime + stat.stime;
            // A new process has used all its time since the last poll, or it is older than the first poll.
            let base = match before {
                Some(before) => before.ticks,
                None if !self.has_polled => ticks,
                None => 0,
            };
            let polls = before.map_or(1, |before| before.polls.saturating_add(1));
            let is_begun = polls == 1 && is_tracked(&stat.comm, &self.names);
            // A wrapper with the encoder's own name has become the encoder by the second poll: the command line is read once more.
            let has_become = before.is_some_and(|before| before.comm != stat.comm || polls == 2);
            if is_begun || has_become {
                let was_tracked = before.is_some();
                events.push(LifecycleEvent::Exec {
                    at,
                    process: id,
                    local: None,
                    was_tracked,
                    cgroup,
                    legacy: None,
                });
            }
            now.insert(id, Seen { ticks, started: stat.starttime, comm: stat.comm, polls });
            found.push(ProcessUse {
                id,
                cgroup,
                used: CpuTime::from_clock_ticks(ticks.saturating_sub(base)),
            });
        }
        for id in self.known.keys().filter(|id| !now.contains_key(id)) {
            self.tracked.remove(id);
            events.push(LifecycleEvent::Exit { at, process: *id, exit: None });
        }
        self.known = now;
        self.has_polled = true;
        found
    }
}
