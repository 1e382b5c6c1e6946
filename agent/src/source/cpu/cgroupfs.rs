//! Polls CPU time where eBPF is not available: `cpu.stat` of every cgroup, and `/proc`.
//!
//! The same contract as the eBPF meter, less exact: the host's busy time comes in steps of 10 ms, a task that starts and ends between
//! two polls is only in the sums, and on hosts with several packages a cgroup's time is split over them like the host's.

mod both;
mod host;
mod processes;
mod usage;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::os::fd::BorrowedFd;

use agent_common::ROOT_CGROUP;
use agent_core::apportion::apportion;
use agent_core::model::cpu::{CgroupId, Consumer, CpuSourceKind, CpuWindow, PlaceWindow, ProcessId, Usage};
use agent_core::model::health::MeterHealth;
use agent_core::time::MonoTime;
use agent_core::units::CpuTime;
use both::BothHierarchies;
use host::HostClock;
use processes::Processes;

use crate::clock::Clock;
use crate::host::HostRoots;
use crate::source::SourceError;
use crate::source::cgroup_tree::{self, CgroupTree, Controller, Walk};
use crate::source::cpu::{CpuMeter, LifecycleEvent};
use agent_core::cpu::topology::CpuTopology;

/// The polling meter.
pub(crate) struct CgroupfsMeter {
    tree: CgroupTree,
    both: BothHierarchies,
    host: HostClock,
    processes: Processes,
    cgroups: BTreeMap<CgroupId, String>,
    used: HashMap<CgroupId, CpuTime>,
    problem: Option<SourceError>,
    /// Whether the last poll saw every cgroup.
    was_whole: bool,
    events: Vec<LifecycleEvent>,
    at: MonoTime,
}

impl CgroupfsMeter {
    /// Begins accounting.
    pub(crate) fn open(
        roots: &HostRoots,
        topology: &CpuTopology,
        tracked: &[String],
        clock: &dyn Clock,
    ) -> Result<Self, SourceError> {
        let tree = CgroupTree::find(roots)?;
        let problem = match tree.controller() {
            None | Some(Controller::Cpuacct) => None,
            Some(_) => Some(cgroup_tree::legacy_is_not_followed("the cpuacct controller is not mounted")),
        };
        if problem.is_some() && !tree.is_unified() {
            return Err(SourceError::unavailable(
                "the host has cgroup v1 only, without the controller that counts CPU time",
                "mount it (`mount -t cgroup -o cpuacct none /sys/fs/cgroup/cpuacct`)",
            ));
        }
        let mut meter = Self {
            tree,
            both: BothHierarchies::new(roots),
            problem,
            host: HostClock::new(roots, topology),
            processes: Processes::new(roots, tracked),
            cgroups: BTreeMap::new(),
            used: HashMap::new(),
            was_whole: true,
            events: Vec::new(),
            at: clock.now(),
        };
        meter.read(clock)?;
        // The caller's own walk finds everything that exists from the start.
        meter.events.clear();
        Ok(meter)
    }

    /// CPU time of every cgroup since the last poll, less its children's. The second part is time of removed cgroups: it is in their
    /// parents' time, but is not charged to them.
    fn poll_cgroups(&mut self, at: MonoTime) -> Result<(Vec<(CgroupId, CpuTime)>, CpuTime), SourceError> {
        let Walk { cgroups: walk, is_whole } = self.tree.walk()?;
        let mut totals: HashMap<CgroupId, CpuTime> = HashMap::with_capacity(walk.len());
        for (id, path) in &walk {
            totals.extend(usage::read(&self.tree, id.hierarchy(), path).map(|used| (*id, used)));
        }
        let place = |id: CgroupId, path| (id.is_legacy(), path);
        let by_path: HashMap<(bool, &str), CgroupId> =
            walk.iter().map(|(id, path)| (place(*id, path.as_str()), *id)).collect();
        let mut own: HashMap<CgroupId, CpuTime> = HashMap::with_capacity(walk.len());
        let mut children: HashMap<CgroupId, CpuTime> = HashMap::new();
        for (id, path) in &walk {
            let Some(total) = totals.get(id) else { continue };
            // A cgroup made since the last poll began at 0. One that the last poll did not reach may be old.
            let new = if self.was_whole { CpuTime::ZERO } else { *total };
            let delta = total.saturating_sub(self.used.get(id).copied().unwrap_or(new));
            own.insert(*id, delta);
            if let Some(parent) = parent(path).and_then(|parent| by_path.get(&place(*id, parent))) {
                *children.entry(*parent).or_default() += delta;
            }
        }
        let lost_children: HashSet<(bool, &str)> = self
            .cgroups
            .iter()
            .filter(|(id, _)| !walk.contains_key(id))
            .filter_map(|(id, path)| Some(place(*id, parent(path)?)))
            .collect();
        let mut orphaned = CpuTime::ZERO;
        for (id, used) in &mut own {
            *used = used.saturating_sub(children.get(id).copied().unwrap_or_default());
            if walk.get(id).is_some_and(|path| path != "/" && lost_children.contains(&place(*id, path))) {
                let gone = std::mem::take(used);
                // Beside cgroup v2, that time is also a part of a cgroup's time there.
                orphaned += if id.is_legacy() && self.tree.is_unified() { CpuTime::ZERO } else { gone };
            }
        }
        self.both.merge(&self.tree, &walk, &mut own);
        self.tell_changes(&walk, at);
        self.used = totals;
        self.was_whole = is_whole;
        self.cgroups = walk;
        let mut own: Vec<_> = own.into_iter().collect();
        own.sort_unstable();
        Ok((own, orphaned))
    }

    fn tell_changes(&mut self, walk: &BTreeMap<CgroupId, String>, at: MonoTime) {
        for (id, path) in walk.iter().filter(|(id, path)| self.cgroups.get(id) != Some(path)) {
            self.events.push(LifecycleEvent::CgroupMade { at, id: Some(*id), path: Some(path.clone()) });
        }
        for id in self.cgroups.keys().filter(|id| !walk.contains_key(id)) {
            self.events.push(LifecycleEvent::CgroupRemoved { at, id: Some(*id) });
        }
    }
}

impl CpuMeter for CgroupfsMeter {
    fn kind(&self) -> CpuSourceKind {
        CpuSourceKind::Cgroupfs
    }

    fn read(&mut self, clock: &dyn Clock) -> Result<CpuWindow, SourceError> {
        let at = clock.now();
        let mut places = self.host.read(at)?;
        let (cgroups, orphaned) = self.poll_cgroups(at)?;
        let is_root = |id: &CgroupId| self.cgroups.get(id).is_some_and(|path| path == "/");
        let mut used: BTreeMap<Consumer, CpuTime> = BTreeMap::new();
        for (id, busy) in &cgroups {
            if !is_root(id) {
                used.insert(Consumer::Tasks { cgroup: *id, process: None }, *busy);
            }
        }
        used.insert(Consumer::Unknown, orphaned);
        // Time that no cgroup below the root has used is the root's own: kernel threads and processes outside every unit.
        let busy: CpuTime = places.iter().map(PlaceWindow::busy).sum();
        let outside = busy.saturating_sub(used.values().copied().sum());
        let rest = Consumer::Tasks { cgroup: CgroupId(ROOT_CGROUP), process: None };
        used.insert(rest, outside);
        for process in self.processes.read(at, &self.tree, &mut self.events) {
            // A process's time is a part of its cgroup's, charged separately.
            let cgroup = if is_root(&process.cgroup) { CgroupId(ROOT_CGROUP) } else { process.cgroup };
            let whole = used.entry(Consumer::Tasks { cgroup, process: None }).or_default();
            let part = process.used.min(*whole);
            *whole = whole.saturating_sub(part);
            *used.entry(Consumer::Tasks { cgroup, process: Some(process.id) }).or_default() += part;
        }
        let start = std::mem::replace(&mut self.at, at);
        let usage = spread(&mut places, used);
        Ok(CpuWindow { start, end: at, places, usage })
    }

    fn events_fd(&self) -> Option<BorrowedFd<'_>> {
        None
    }

    fn events(&mut self, _clock: &dyn Clock) -> Vec<LifecycleEvent> {
        std::mem::take(&mut self.events)
    }

    fn track(&mut self, process: ProcessId) -> Result<(), SourceError> {
        self.processes.track(process);
        Ok(())
    }

    fn untrack(&mut self, process: ProcessId) -> Result<(), SourceError> {
        self.processes.untrack(process);
        Ok(())
    }

    fn forget(&mut self, _consumer: Consumer) {}

    fn own_process(&self) -> Option<ProcessId> {
        self.processes.own()
    }

    fn take_problem(&mut self) -> Option<SourceError> {
        self.problem.take()
    }

    fn health(&self) -> MeterHealth {
        MeterHealth::default()
    }
}

/// Splits all consumers' time over the places as the host's busy time is split. Where the host's coarse clock shows less than the
/// cgroups used, the cgroups' time counts.
fn spread(places: &mut [PlaceWindow], used: BTreeMap<Consumer, CpuTime>) -> Vec<Usage> {
    let weights: Vec<u64> = places.iter().map(|place| place.busy().0).collect();
    let fallback: Vec<u64> = places.iter().map(|place| u64::from(place.cpus)).collect();
    let mut usage = Vec::new();
    let mut busy = vec![CpuTime::ZERO; places.len()];
    for (consumer, used) in used.into_iter().filter(|(_, used)| *used > CpuTime::ZERO) {
        let parts = apportion(used.0, &weights).or_else(|| apportion(used.0, &fallback));
        for (place, part) in parts.unwrap_or_default().into_iter().enumerate().filter(|(_, part)| *part > 0) {
            busy[place] += CpuTime(part);
            usage.push(Usage { consumer, place, busy: CpuTime(part).into() });
        }
    }
    for (place, busy) in places.iter_mut().zip(busy) {
        place.elapsed = place.elapsed.max(busy);
        place.idle = place.elapsed.saturating_sub(busy);
    }
    usage
}

fn parent(path: &str) -> Option<&str> {
    match path.rsplit_once('/')? {
        ("", "") => None,
        ("", _) => Some("/"),
        (parent, _) => Some(parent),
    }
}

#[cfg(test)]
mod tests;
