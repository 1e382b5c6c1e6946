//! Who is whose? Life-cycle events, walks and engine messages into the two books of identity, and the ends of things.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

use agent_common::ROOT_CGROUP;

use crate::attribution::demand::Claimant;
use crate::attribution::totals::Totals;
use crate::clock::{Clock, MonoTime, WallTime};
use crate::host::HostRoots;
use crate::model::cpu::{CgroupId, Consumer, CpuWindow, ProcessId};
use crate::model::transcode::TranscodeId;
use crate::model::workload::{Identity, Pseudo, WorkloadId};
use crate::pipeline::earlier::EarlierTranscodes;
use crate::pipeline::sources::HealthBook;
use crate::source::cgroup_tree::CgroupTree;
use crate::source::cpu::{CpuMeter, LifecycleEvent};
use crate::source::identity::directory::Directory;
use crate::source::identity::docker::EngineEvent;
use crate::source::identity::processes;
use crate::source::identity::transcodes::{Transcode, Transcodes};

/// Between two walks that were asked for, however often they are.
const WALK_PAUSE: Duration = Duration::from_secs(1);

/// A walk nobody asked for, in case an event was lost without being counted.
const WALK_PERIOD: Duration = Duration::from_mins(1);

/// Ticks without CPU time after which a process or cgroup that is gone has certainly told all.
const SILENT_TICKS: u32 = 2;

/// The books, and what is about to leave them.
#[derive(Debug)]
pub(super) struct Identities {
    directory: Directory,
    transcodes: Transcodes,
    own: Option<ProcessId>,
    tracked: Vec<String>,
    /// Transcodes that ran when the agent before this one was last heard of.
    earlier: EarlierTranscodes,
    /// Ended transcodes and removed cgroups whose last CPU time may still come, with the ticks they have been silent.
    ending: HashMap<Ending, u32>,
    lost_events: u64,
    walk_wanted: bool,
    last_walk: Option<MonoTime>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Ending {
    Transcode(TranscodeId),
    Cgroup(CgroupId),
}

impl Identities {
    pub(super) fn new(own: Option<ProcessId>, tracked: Vec<String>, earlier: EarlierTranscodes) -> Self {
        Self {
            earlier,
            directory: Directory::default(),
            transcodes: Transcodes::default(),
            own,
            tracked,
            ending: HashMap::new(),
            lost_events: 0,
            walk_wanted: false,
            last_walk: None,
        }
    }

    /// Encoders that were started before the agent.
    pub(super) fn find_running(
        &mut self,
        roots: &HostRoots,
        clock: &dyn Clock,
        cpu: &mut dyn CpuMeter,
        tree: Option<&CgroupTree>,
        totals: &mut Totals,
    ) {
        for found in processes::named(roots, &self.tracked) {
            if Some(found.id) == self.own {
                continue;
            }
            if let Err(error) = cpu.track(found.id) {
                tracing::warn!(
                    process = found.id.0,
                    "an encoder that already runs is not told apart: {}",
                    error.chain()
                );
                continue;
            }
            let cgroup = tree
                .and_then(|tree| tree.id(&processes::cgroup_path(roots, found.id, tree.is_unified())?).ok());
            let workload = cgroup.map_or(Pseudo::System.id(), |cgroup| self.workload_of(cgroup));
            let uptime = Duration::from_nanos(clock.now().0) + clock.suspended();
            let age = uptime.saturating_sub(found.since_boot);
            let started = WallTime(clock.wall().0 - age.as_secs_f64());
            let id = self.transcodes.started(
                found.id,
                workload,
                started,
                &processes::command_line(roots, found.id),
            );
            self.transcodes.identified(id, self.earlier.identity(roots, found.id));
            let process =
                self.transcodes.get(id).and_then(|transcode| transcode.observation.process.as_ref());
            let earlier = process.and_then(|process| self.earlier.take(process));
            self.transcodes.found_running(id, clock.wall(), earlier);
            totals.open_transcode(id);
        }
    }

    /// Something came or went.
    pub(super) fn event(
        &mut self,
        event: LifecycleEvent,
        roots: &HostRoots,
        clock: &dyn Clock,
        cpu: &mut dyn CpuMeter,
        tree: Option<&CgroupTree>,
        totals: &mut Totals,
    ) {
        match event {
            LifecycleEvent::CgroupMade { id, path } => {
                // Without BTF the kernel side cannot tell ids, nor v1 hierarchies from v2: the directory can.
                let Some(id) = id.or_else(|| tree?.id(&path).ok()) else { return };
                let known = self.directory.cgroup_made(id, &path);
                self.ending.remove(&Ending::Cgroup(id));
                totals.open_workload(known.workload, Some(clock.now()));
            }
            LifecycleEvent::CgroupRemoved { id: Some(id), .. } => {
                self.cgroup_removed(id, clock.now(), totals);
            }
            LifecycleEvent::CgroupRemoved { id: None, .. } => self.walk_wanted = true,
            LifecycleEvent::Exec { at, process, cgroup } if Some(process) != self.own => {
                if !self.directory.knows(cgroup)
                    && let Some(path) = processes::cgroup_path(roots, process, true)
                    && cgroup.0 != ROOT_CGROUP
                {
                    let known = self.directory.cgroup_made(cgroup, &path);
                    totals.open_workload(known.workload, None);
                }
                // Should its number have been released just now, it is told apart again; else this changes nothing.
                if let Err(error) = cpu.track(process) {
                    tracing::warn!(process = process.0, "an encoder is not told apart: {}", error.chain());
                }
                let started = WallTime(clock.wall().0 - clock.now().since(at).as_secs_f64());
                let cmdline = processes::command_line(roots, process);
                if self.is_own_child(process, roots) {
                    self.transcodes.started(process, Pseudo::Ffwatt.id(), started, &cmdline);
                } else {
                    let workload = self.workload_of(cgroup);
                    let id = self.transcodes.started(process, workload, started, &cmdline);
                    self.transcodes.identified(id, self.earlier.identity(roots, process));
                    totals.open_transcode(id);
                }
            }
            LifecycleEvent::Exec { .. } => {}
            // A child is tracked for being the agent's, not for its name: becoming another program is not its end.
            LifecycleEvent::Exit { process, .. }
                if self.transcodes.of(process).is_some_and(|id| self.is_own(id))
                    && processes::is_running(roots, process) =>
            {
                self.child_started(process, roots, clock, cpu);
            }
            LifecycleEvent::Exit { at, process, status } => {
                let ended = WallTime(clock.wall().0 - clock.now().since(at).as_secs_f64());
                if let Some(id) = self.transcodes.ended(process, ended, status) {
                    self.ending.insert(Ending::Transcode(id), 0);
                }
            }
        }
    }

    /// A container engine has said something.
    pub(super) fn engine_event(&mut self, name: &'static str, event: EngineEvent, health: &mut HealthBook) {
        match event {
            EngineEvent::Up => health.works(name),
            EngineEvent::Down(error) => health.failed(name, &error),
            EngineEvent::Known { id, facts } => self.directory.container_known(&id, facts),
            EngineEvent::Renamed { id, name } => self.directory.container_renamed(&id, &name),
            EngineEvent::Removed { id } => self.directory.container_removed(&id),
        }
    }

    /// Whether the cgroups should be walked before this window is charged.
    pub(super) fn needs_walk(&mut self, window: &CpuWindow, lost_events: u64, now: MonoTime) -> bool {
        self.walk_wanted |= lost_events > self.lost_events;
        self.lost_events = lost_events;
        // One that is met too soon after a walk is not forgotten: by the next tick it has a number for a name, and is no stranger.
        self.walk_wanted |= window.usage.iter().any(|usage| match usage.consumer {
            Consumer::Tasks { cgroup, .. } => cgroup.0 != ROOT_CGROUP && !self.directory.knows(cgroup),
            Consumer::Kernel | Consumer::Unknown => false,
        });
        let since = self.last_walk.map_or(Duration::MAX, |last| now.since(last));
        since >= WALK_PERIOD || (since >= WALK_PAUSE && self.walk_wanted)
    }

    /// The cgroups have been walked.
    pub(super) fn walked(&mut self, walk: &BTreeMap<CgroupId, String>, now: MonoTime, totals: &mut Totals) {
        self.walk_wanted = false;
        self.last_walk = Some(now);
        let (known, gone) = self.directory.reconcile(walk);
        // Containers are shown before they have used anything; of units and slices only those that do.
        for known in known.iter().filter(|known| known.is_container) {
            totals.open_workload(known.workload, None);
        }
        for (cgroup, workload) in gone {
            self.ending.insert(Ending::Cgroup(cgroup), 0);
            if let Some(workload) = workload {
                totals.end_workload(workload, now);
            }
        }
    }

    /// Who is to be charged for CPU time of a cgroup, or of a tracked process in it.
    pub(super) fn claimant(
        &mut self,
        cgroup: CgroupId,
        process: Option<ProcessId>,
        roots: &HostRoots,
        clock: &dyn Clock,
        totals: &mut Totals,
    ) -> Claimant {
        if process.is_some() && process == self.own {
            return Claimant::workload(Pseudo::Ffwatt.id());
        }
        let workload = self.workload_of(cgroup);
        let transcode = process.map(|process| {
            let id = self.transcodes.of(process).unwrap_or_else(|| {
                // Its start was lost: what it does can still be read, if it is still there.
                let id = self.transcodes.started(
                    process,
                    workload,
                    clock.wall(),
                    &processes::command_line(roots, process),
                );
                self.transcodes.identified(id, self.earlier.identity(roots, process));
                totals.open_transcode(id);
                id
            });
            self.transcodes.seen(process, cgroup);
            id
        });
        // What the agent starts is the agent's.
        if transcode.is_some_and(|id| self.is_own(id)) {
            return Claimant::workload(Pseudo::Ffwatt.id());
        }
        Claimant { workload, transcode }
    }

    /// Lets go of what ended, once its last CPU time has been read.
    pub(super) fn settle(
        &mut self,
        window: &CpuWindow,
        now: MonoTime,
        cpu: &mut dyn CpuMeter,
        totals: &mut Totals,
    ) {
        if self.ending.is_empty() {
            return;
        }
        let heard: HashSet<Consumer> = window.usage.iter().map(|usage| usage.consumer).collect();
        let mut done = Vec::new();
        for (ending, silent) in &mut self.ending {
            let has_spoken = match ending {
                Ending::Cgroup(cgroup) => heard.contains(&Consumer::Tasks { cgroup: *cgroup, process: None }),
                Ending::Transcode(id) => self.transcodes.get(*id).is_some_and(|transcode| {
                    transcode.consumers.iter().any(|consumer| heard.contains(consumer))
                }),
            };
            *silent = if has_spoken { 0 } else { *silent + 1 };
            if *silent >= SILENT_TICKS {
                done.push(*ending);
            }
        }
        for ending in done {
            self.ending.remove(&ending);
            match ending {
                Ending::Cgroup(cgroup) => cpu.forget(Consumer::Tasks { cgroup, process: None }),
                Ending::Transcode(id) => self.release(id, now, cpu, totals),
            }
        }
    }

    fn release(&mut self, id: TranscodeId, now: MonoTime, cpu: &mut dyn CpuMeter, totals: &mut Totals) {
        totals.end_transcode(id, now);
        let Some(transcode) = self.transcodes.get(id) else { return };
        // Its number may be another transcode's by now; then it stays tracked.
        if self.transcodes.of(transcode.process) == Some(id) {
            if let Err(error) = cpu.untrack(transcode.process) {
                tracing::warn!(
                    process = transcode.process.0,
                    "cannot stop tracking a process: {}",
                    error.chain()
                );
            }
            for consumer in &transcode.consumers {
                cpu.forget(*consumer);
            }
        }
        self.transcodes.release(id);
        if self.is_own(id) {
            // It has no books that could be closed.
            self.transcodes.close(id);
        }
    }

    /// The agent itself has started a process, of whatever name.
    pub(super) fn child_started(
        &mut self,
        process: ProcessId,
        roots: &HostRoots,
        clock: &dyn Clock,
        cpu: &mut dyn CpuMeter,
    ) {
        match cpu.track(process) {
            Ok(()) => {
                let cmdline = processes::command_line(roots, process);
                self.transcodes.started(process, Pseudo::Ffwatt.id(), clock.wall(), &cmdline);
            }
            Err(error) => {
                tracing::warn!(process = process.0, "a child is charged to its cgroup: {}", error.chain());
            }
        }
    }

    fn is_own(&self, id: TranscodeId) -> bool {
        self.transcodes.get(id).is_some_and(|transcode| transcode.workload == Pseudo::Ffwatt.id())
    }

    fn is_own_child(&self, process: ProcessId, roots: &HostRoots) -> bool {
        let Some(own) = self.own else { return false };
        let parent = processes::stat(roots, process).and_then(|stat| u32::try_from(stat.ppid).ok());
        parent == Some(own.0)
    }

    /// The books of these are closed: forget them.
    pub(super) fn close(
        &mut self,
        workloads: &[WorkloadId],
        transcodes: &[TranscodeId],
        cpu: &mut dyn CpuMeter,
    ) {
        for id in workloads {
            for cgroup in self.directory.close(*id) {
                cpu.forget(Consumer::Tasks { cgroup, process: None });
            }
        }
        for id in transcodes {
            self.transcodes.close(*id);
        }
    }

    /// What a workload is.
    pub(super) fn identity(&self, id: WorkloadId) -> Identity {
        self.directory.identity(id)
    }

    /// One transcode.
    pub(super) fn transcode(&self, id: TranscodeId) -> Option<&Transcode> {
        self.transcodes.get(id)
    }

    /// Transcodes that run, or have ended just now.
    pub(super) fn running(&self) -> impl Iterator<Item = (TranscodeId, &Transcode)> {
        self.transcodes.running().filter(|(id, _)| !self.is_own(*id))
    }

    /// Workloads that have a cgroup now.
    pub(super) fn living(&self) -> impl Iterator<Item = (WorkloadId, &Identity)> {
        self.directory.living()
    }

    fn workload_of(&mut self, cgroup: CgroupId) -> WorkloadId {
        if cgroup.0 == ROOT_CGROUP { Pseudo::System.id() } else { self.directory.workload_of(cgroup) }
    }

    fn cgroup_removed(&mut self, id: CgroupId, now: MonoTime, totals: &mut Totals) {
        if let Some(workload) = self.directory.cgroup_removed(id) {
            totals.end_workload(workload, now);
        }
        self.ending.insert(Ending::Cgroup(id), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::cpu::Usage;
    use crate::units::CpuTime;

    /// A cgroup whose making went unseen is met right after a walk.
    #[test]
    fn a_stranger_is_looked_for_though_he_came_too_soon_after_a_walk() {
        let mut identities = Identities::new(None, Vec::new(), EarlierTranscodes::default());
        let at = |milliseconds: u64| MonoTime(milliseconds * 1_000_000);
        identities.last_walk = Some(at(5000));
        let stranger = Consumer::Tasks { cgroup: CgroupId(77), process: None };
        let window = CpuWindow {
            usage: vec![Usage { consumer: stranger, place: 0, busy: CpuTime(1) }],
            ..CpuWindow::default()
        };
        assert!(!identities.needs_walk(&window, 0, at(5100)), "a walk has just been");
        // He is charged under his number meanwhile.
        identities.directory.workload_of(CgroupId(77));
        assert!(identities.needs_walk(&CpuWindow::default(), 0, at(6100)));
    }
}
