//! Which tracked programs run, and how much CPU time did they use, by `/proc`?

use std::collections::{HashMap, HashSet};
use std::fs;

use procfs::process::Stat;

use crate::clock::MonoTime;
use crate::host::HostRoots;
use crate::model::cpu::{CgroupId, ProcessId};
use crate::source::cgroup_tree::CgroupTree;
use crate::source::cpu::LifecycleEvent;
use crate::source::identity::processes;
use crate::units::CpuTime;

/// CPU time of one tracked process since the last poll.
pub(super) struct ProcessUse {
    pub(super) id: ProcessId,
    pub(super) cgroup: CgroupId,
    pub(super) used: CpuTime,
}

/// The tracked processes as of the last poll.
pub(super) struct Processes {
    roots: HostRoots,
    names: HashSet<String>,
    tracked: HashSet<ProcessId>,
    /// CPU ticks and start time: a number used again has another start.
    known: HashMap<ProcessId, (u64, u64)>,
    has_polled: bool,
}

impl Processes {
    pub(super) fn new(roots: &HostRoots, names: &[String]) -> Self {
        let names = names.iter().map(|name| processes::kept_name(name).to_owned()).collect();
        Self {
            roots: roots.clone(),
            names,
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
        let link = fs::read_link(self.roots.proc.join("self")).ok()?;
        Some(ProcessId(link.to_str()?.parse().ok()?))
    }

    /// What every tracked process used, and who came and went.
    pub(super) fn read(
        &mut self,
        at: MonoTime,
        tree: &CgroupTree,
        events: &mut Vec<LifecycleEvent>,
    ) -> Vec<ProcessUse> {
        let mut found = Vec::new();
        let mut now = HashMap::new();
        for id in processes::numbers(&self.roots) {
            let Some(stat) = self.wanted(id) else { continue };
            let Some(cgroup) = self.cgroup_of(id, tree) else { continue };
            let ticks = stat.utime + stat.stime;
            let before = self.known.get(&id).filter(|(_, started)| *started == stat.starttime);
            let is_new = before.is_none();
            // One that is new has used all of it since the last poll, or is from before the first poll.
            let base = match before {
                Some((ticks, _)) => *ticks,
                None if !self.has_polled => ticks,
                None => 0,
            };
            if is_new && self.names.contains(&stat.comm) {
                events.push(LifecycleEvent::Exec { at, process: id, cgroup });
            }
            now.insert(id, (ticks, stat.starttime));
            found.push(ProcessUse {
                id,
                cgroup,
                used: CpuTime::from_clock_ticks(ticks.saturating_sub(base)),
            });
        }
        for id in self.known.keys().filter(|id| !now.contains_key(id)) {
            events.push(LifecycleEvent::Exit { at, process: *id, status: None });
        }
        self.known = now;
        self.has_polled = true;
        found
    }

    fn wanted(&self, id: ProcessId) -> Option<Stat> {
        let stat = processes::stat(&self.roots, id)?;
        (self.names.contains(&stat.comm) || self.tracked.contains(&id)).then_some(stat)
    }

    fn cgroup_of(&self, id: ProcessId, tree: &CgroupTree) -> Option<CgroupId> {
        tree.id(&processes::cgroup_path(&self.roots, id, tree.is_unified())?).ok()
    }
}
