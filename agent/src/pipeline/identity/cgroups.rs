//! Maps cgroups to workloads, from eBPF life-cycle events, walks and engine events; retires them when they are removed.
//!
//! A cgroup is recorded only after it has used CPU time, or exists at a tick. Records are bounded in
//! [`Newcomers`], [`Directory`] and the accounts.

use std::collections::{HashMap, HashSet};

use agent_common::ROOT_CGROUP;
use agent_core::attribution::totals::Totals;
use agent_core::identity::cgroup_path;
use agent_core::identity::directory::{ChargedTo, Directory};
use agent_core::identity::newcomers::{Newcomer, Newcomers};
use agent_core::model::cpu::{CgroupId, Consumer};
use agent_core::model::workload::{Identity, Pseudo, WorkloadId};
use agent_core::time::MonoTime;

use crate::pipeline::identity::SILENT_TICKS;
use crate::source::cgroup_tree::{CgroupTree, Walk};
use crate::source::cpu::CpuMeter;

/// Most newcomers without CPU time that become workloads in one tick.
const ADMITTED_AT_ONCE: usize = 4096;

#[derive(Debug, Default)]
pub(super) struct Cgroups {
    pub(super) directory: Directory,
    newcomers: Newcomers,
    /// Last identities of dropped workloads, for transcodes that are shown longer than their workload.
    departed: HashMap<WorkloadId, Identity>,
    /// Removed cgroups whose last CPU time may still arrive, with the number of ticks without any.
    ending: HashMap<CgroupId, u32>,
    /// Cgroups of unknown path that have used CPU time: the next walk searches for them.
    wanted: HashSet<CgroupId>,
    /// Windows with CPU time of a cgroup for which the directory had no room.
    evicted: u64,
}

impl Cgroups {
    /// Adds a cgroup that was made.
    pub(super) fn made(&mut self, id: CgroupId, path: &str, at: MonoTime, totals: &mut Totals) {
        self.learn(id, path, Some(at), at, totals);
    }

    /// Adds a cgroup that exists.
    fn learn(
        &mut self,
        id: CgroupId,
        path: &str,
        made: Option<MonoTime>,
        now: MonoTime,
        totals: &mut Totals,
    ) {
        if !self.newcomers.contains(id) && self.directory.living_at(id, path).is_none() {
            self.forget(id, now, totals);
            self.newcomers.made(id, Newcomer::new(path, made));
        }
    }

    /// Drops a cgroup, because its number is another cgroup's now, or its path is known now.
    fn forget(&mut self, id: CgroupId, now: MonoTime, totals: &mut Totals) {
        if let Some(workload) = self.directory.forget(id) {
            self.ending.remove(&id);
            if !self.directory.is_living(workload) {
                totals.end_workload(workload, now);
                self.close_unused(workload, totals);
            }
        }
    }

    /// Marks a cgroup as removed.
    pub(super) fn removed(&mut self, id: CgroupId, at: MonoTime, cpu: &dyn CpuMeter, totals: &mut Totals) {
        if !self.newcomers.removed(id, at) {
            self.retire(id, at, totals);
        } else if let Some(crowd) = self.newcomers.crowd() {
            // Cgroups that are made and removed at full speed have used no CPU time.
            let used: HashSet<CgroupId> = cpu.with_usage(&crowd).into_iter().collect();
            for id in crowd {
                if used.contains(&id) {
                    self.workload_of(id, at, totals);
                } else {
                    self.newcomers.forget(id);
                }
            }
        }
    }

    fn retire(&mut self, id: CgroupId, at: MonoTime, totals: &mut Totals) {
        if self.directory.workload_of(id).is_none() {
            return;
        }
        if let Some(workload) = self.directory.cgroup_removed(id) {
            totals.end_workload(workload, at);
        }
        self.ending.insert(id, 0);
    }

    /// Notes a cgroup that does not exist but has an entry in the kernel: the entry is freed after some ticks without CPU time.
    pub(super) fn gone(&mut self, id: CgroupId) {
        self.ending.entry(id).or_insert(0);
    }

    /// Adds the path of a cgroup in which a process was found.
    pub(super) fn found(&mut self, id: CgroupId, path: &str, now: MonoTime, totals: &mut Totals) {
        self.learn(id, path, None, now, totals);
    }

    /// Handles CPU time of a cgroup. Returns whether the cgroup is entirely unknown.
    pub(super) fn is_wanted(&mut self, id: CgroupId) -> bool {
        let is_wanted = !self.is_known(id);
        if is_wanted {
            self.wanted.insert(id);
        }
        is_wanted
    }

    /// The one of its two cgroups that identifies a task. Where the path of one is unknown, the other does.
    pub(super) fn of_both(&self, unified: CgroupId, legacy: CgroupId) -> CgroupId {
        let is_legacy = match (self.path(unified), self.path(legacy)) {
            (Some(unified), Some(legacy)) => cgroup_path::is_told_by_legacy(unified, legacy),
            (None, Some(_)) => true,
            (_, None) => false,
        };
        if is_legacy { legacy } else { unified }
    }

    /// The path of a cgroup, where it is known.
    pub(super) fn path(&self, id: CgroupId) -> Option<&str> {
        self.newcomers.path(id).or_else(|| self.directory.path(id))
    }

    /// Whether the path of a cgroup is known.
    pub(super) fn knows(&self, id: CgroupId) -> bool {
        self.is_known(id) && !self.directory.is_unnamed(id)
    }

    /// Whether a cgroup is known, strangers included.
    pub(super) fn is_known(&self, id: CgroupId) -> bool {
        id.0 == ROOT_CGROUP || self.newcomers.contains(id) || self.directory.workload_of(id).is_some()
    }

    /// The workload of a cgroup that has used CPU time. A cgroup of unknown path is a workload by its number, as long as it uses CPU time.
    pub(super) fn workload_of(&mut self, id: CgroupId, now: MonoTime, totals: &mut Totals) -> WorkloadId {
        if id.0 == ROOT_CGROUP {
            return Pseudo::System.id();
        }
        if let Some(workload) = self.directory.workload_of(id) {
            // Late CPU time: its entry of the accounting map has to be freed once more.
            if self.directory.is_removed(id) {
                self.ending.insert(id, 0);
            }
            if self.directory.is_unnamed(id) {
                totals.open_workload(workload, None);
            }
            return workload;
        }
        if !self.directory.has_room(true) {
            self.evicted += 1;
            return Pseudo::Other.id();
        }
        if let Some(newcomer) = self.newcomers.take(id) {
            return self.admit(id, &newcomer, now, totals);
        }
        let workload = self.directory.add_unnamed(id);
        self.ending.insert(id, 0);
        totals.open_workload(workload, None);
        workload
    }

    /// The bearer of a workload's charges: the workload itself, or the overhead of its pod. A workload that had series of its own before
    /// its pod was known has none any more.
    pub(super) fn bearer(&mut self, workload: WorkloadId, now: MonoTime, totals: &mut Totals) -> WorkloadId {
        let mut charged_to = self.directory.charged_to(workload, now);
        if let ChargedTo::OverheadAt(path) = &charged_to
            && let Some(id) = self.newcomers.find(path)
            && let Some(newcomer) = self.newcomers.take(id)
        {
            // The pod was removed before the tick.
            self.admit(id, &newcomer, now, totals);
            charged_to = self.directory.charged_to(workload, now);
        }
        let ChargedTo::Overhead(pod) = charged_to else { return workload };
        totals.withdraw_workload(workload, now);
        pod
    }

    /// Shows the containers that have been named since the last call.
    pub(super) fn open_named(&mut self, totals: &mut Totals) {
        for workload in self.directory.take_named() {
            if self.directory.is_living(workload) && self.directory.is_shown_unused(workload) {
                totals.open_workload(workload, None);
            }
        }
    }

    /// Makes workloads of the newcomers that still exist.
    pub(super) fn admit_living(&mut self, now: MonoTime, totals: &mut Totals) {
        for _ in 0..ADMITTED_AT_ONCE {
            if !self.directory.has_room(false) {
                return;
            }
            let Some((id, newcomer)) = self.newcomers.take_first() else { return };
            self.admit(id, &newcomer, now, totals);
        }
    }

    fn admit(&mut self, id: CgroupId, newcomer: &Newcomer, now: MonoTime, totals: &mut Totals) -> WorkloadId {
        let known = self.directory.cgroup_made(id, &newcomer.path);
        if known.is_shown {
            totals.open_workload(known.workload, newcomer.made);
        } else {
            totals.expect_workload(known.workload, newcomer.made);
        }
        if let Some(at) = newcomer.removed {
            self.retire(id, at.min(now), totals);
        }
        known.workload
    }

    /// Handles a walk of the cgroups.
    pub(super) fn walked(
        &mut self,
        walk: &Walk,
        tree: Option<&CgroupTree>,
        now: MonoTime,
        totals: &mut Totals,
    ) {
        let is_at = |id, path: &str| tree.is_some_and(|tree| tree.is_at(id, path));
        let is_gone = |id: CgroupId, path: &str| walk.is_whole || !is_at(id, path);
        for (id, path) in self.directory.missing_from(&walk.cgroups) {
            if is_gone(id, &path) {
                self.retire(id, now, totals);
            }
        }
        let newcomers = self.newcomers.living();
        let gone = newcomers.filter(|(id, path)| !walk.cgroups.contains_key(id) && is_gone(*id, path));
        let gone: Vec<CgroupId> = gone.map(|(id, _)| id).collect();
        for id in gone {
            self.newcomers.removed(id, now);
        }
        for (id, path) in &walk.cgroups {
            // A cgroup that runs is not displaced by those that do not.
            let is_wanted = self.wanted.contains(id) || self.directory.is_unnamed(*id);
            if is_wanted && self.directory.has_room(true) {
                self.forget(*id, now, totals);
                self.admit(*id, &Newcomer::new(path, None), now, totals);
            } else if !self.newcomers.is_full() {
                self.learn(*id, path, None, now, totals);
            }
        }
        self.wanted.clear();
    }

    /// Retires removed cgroups, once their last CPU time has been read.
    pub(super) fn settle(
        &mut self,
        heard: &HashSet<Consumer>,
        now: MonoTime,
        cpu: &mut dyn CpuMeter,
        totals: &mut Totals,
    ) {
        self.newcomers.tick();
        let mut done = Vec::new();
        self.ending.retain(|id, silent| {
            let has_run = heard.contains(&Consumer::Tasks { cgroup: *id, process: None });
            *silent = if has_run { 0 } else { *silent + 1 };
            let is_done = *silent >= SILENT_TICKS;
            if is_done {
                done.push(*id);
            }
            !is_done
        });
        for id in done {
            cpu.forget(Consumer::Tasks { cgroup: id, process: None });
            let Some(workload) = self.directory.workload_of(id) else { continue };
            if !self.directory.is_living(workload) {
                totals.end_workload(workload, now);
                self.close_unused(workload, totals);
            }
        }
    }

    /// Drops the account and the identity of a workload that was removed without a charge.
    fn close_unused(&mut self, workload: WorkloadId, totals: &mut Totals) {
        if workload.pseudo().is_none() && totals.close_unused_workload(workload) {
            self.drop_workload(workload);
        }
    }

    /// Drops a workload, but not its identity. Returns its removed cgroups.
    fn drop_workload(&mut self, workload: WorkloadId) -> Vec<CgroupId> {
        let identity = self.directory.known(workload).cloned();
        let closed = self.directory.close(workload);
        // A workload with an existing cgroup stays.
        if let Some(identity) = identity.filter(|_| self.directory.known(workload).is_none()) {
            self.departed.insert(workload, identity);
        }
        closed
    }

    /// The identity of a workload, or the last one of a dropped workload.
    pub(super) fn identity(&self, id: WorkloadId) -> Identity {
        let departed = || self.departed.get(&id).cloned();
        let known = self.directory.known(id).cloned();
        known.or_else(departed).unwrap_or_else(|| self.directory.identity(id))
    }

    /// Drops the identities of dropped workloads, except of these.
    pub(super) fn keep_departed(&mut self, named: impl Iterator<Item = WorkloadId>) {
        if !self.departed.is_empty() {
            let named: HashSet<WorkloadId> = named.collect();
            self.departed.retain(|id, _| named.contains(id));
        }
    }

    /// Drops workloads whose accounts have been closed.
    pub(super) fn close(&mut self, workloads: &[WorkloadId], cpu: &mut dyn CpuMeter) {
        for id in workloads {
            for cgroup in self.drop_workload(*id) {
                self.ending.remove(&cgroup);
                cpu.forget(Consumer::Tasks { cgroup, process: None });
            }
        }
    }

    /// Number of kept cgroups, newcomers included.
    pub(super) fn len(&self) -> usize {
        self.directory.len() + self.newcomers.len()
    }

    /// Number of cgroups that had no room, or were dropped for others.
    pub(super) fn evicted(&self) -> u64 {
        self.evicted + self.newcomers.evicted() + self.directory.evicted()
    }
}
