//! Maps cgroups and process numbers to workloads and transcodes, and retires them when they end.
//!
//! Its input is the CPU meter's life-cycle events, walks of the cgroup hierarchy and procfs that make up for lost events,
//! and events of container engines.

mod cgroups;
mod encoders;
mod starter_names;
mod tracking;
mod wrappers;

use std::collections::HashSet;
use std::time::Duration;

use agent_common::ROOT_CGROUP;
use agent_core::attribution::demand::Claimant;
use agent_core::attribution::totals::Totals;
use agent_core::identity::directory::ContainerFacts;
use agent_core::model::cpu::{CgroupId, Consumer, CpuWindow, ProcessId};
use agent_core::model::health::Kept;
use agent_core::model::transcode::TranscodeId;
use agent_core::model::workload::{Identity, Pseudo, WorkloadId, WorkloadKind};
use agent_core::time::MonoTime;
use cgroups::Cgroups;
use encoders::{Encoders, Exec, on_the_wall};
use starter_names::StarterNames;

use crate::clock::Clock;
use crate::host::HostRoots;
use crate::pipeline::earlier::EarlierTranscodes;
use crate::pipeline::sources::HealthTracker;
use crate::source::cgroup_tree::{CgroupTree, Walk};
use crate::source::cpu::{CpuMeter, LifecycleEvent, Tracking};
use crate::source::identity::docker::EngineEvent;
use crate::source::identity::kubelet::NamesEvent;
use crate::source::identity::process_numbers::ProcessNumbers;
use crate::source::identity::transcodes::Transcode;

/// Shortest time between two requested walks.
const WALK_PAUSE: Duration = Duration::from_secs(1);

/// Interval of walks without a request, in case an event was lost without being counted.
const WALK_PERIOD: Duration = Duration::from_mins(1);

/// Ticks without CPU time after which a removed cgroup or an ended process has certainly no further CPU time.
const SILENT_TICKS: u32 = 2;

/// Sources that the methods of [`Identities`] use.
pub(super) struct Context<'a> {
    pub(super) roots: &'a HostRoots,
    pub(super) clock: &'a dyn Clock,
    pub(super) cpu: &'a mut dyn CpuMeter,
    pub(super) tree: Option<&'a CgroupTree>,
    pub(super) totals: &'a mut Totals,
}

/// All known cgroups and tracked processes.
#[derive(Debug)]
pub(super) struct Identities {
    cgroups: Cgroups,
    encoders: Encoders,
    starter_names: StarterNames,
    lost_events: u64,
    /// Whether the next tick should walk the hierarchy.
    walk_wanted: bool,
    /// Whether events were lost since the last walk: processes may be missing as well.
    has_lost: bool,
    last_walk: Option<MonoTime>,
    /// Time of the last comparison of processes with procfs.
    last_reconciled: MonoTime,
}

impl Identities {
    pub(super) fn new(
        own: Option<ProcessId>,
        tracked: Vec<String>,
        numbers: ProcessNumbers,
        earlier: EarlierTranscodes,
    ) -> Self {
        Self {
            cgroups: Cgroups::default(),
            encoders: Encoders::new(own, tracked, numbers, earlier),
            starter_names: StarterNames::default(),
            lost_events: 0,
            walk_wanted: false,
            has_lost: false,
            last_walk: None,
            last_reconciled: MonoTime::default(),
        }
    }

    /// Adds the cgroups of a walk, and encoders that already run.
    pub(super) fn begin(&mut self, context: &mut Context<'_>) {
        self.admit(context.clock.now(), context.totals);
        self.encoders.find_running(context, &mut self.cgroups);
    }

    /// Handles a life-cycle event.
    pub(super) fn event(&mut self, event: LifecycleEvent, context: &mut Context<'_>) {
        match event {
            LifecycleEvent::CgroupMade { at, id, path: Some(path) } => {
                // Without BTF the kernel side does not know ids, nor which hierarchies are v1: the directory shows both.
                let id = id.or_else(|| context.tree?.id(&path).ok());
                if let Some(id) = id {
                    self.cgroups.made(id, &path, at, context.totals);
                }
            }
            LifecycleEvent::CgroupRemoved { at, id: Some(id) } => {
                self.cgroups.removed(id, at, context.cpu, context.totals);
            }
            LifecycleEvent::CgroupMade { path: None, .. }
            | LifecycleEvent::CgroupRemoved { id: None, .. } => {
                self.walk_wanted = true;
            }
            LifecycleEvent::Exec { process, .. } if self.encoders.is_agent(process) => {}
            LifecycleEvent::Exec { at, process, local, was_tracked, cgroup, legacy } => {
                for id in [Some(cgroup), legacy].into_iter().flatten() {
                    self.find_path(id, process, local, context);
                }
                let cgroup = self.told_by(cgroup, legacy);
                if let Some(path) = self.cgroups.path(cgroup)
                    && let Some(local) = self.encoders.in_procfs(process, local)
                {
                    let directory = &self.cgroups.directory;
                    self.starter_names.started(context, directory, local, (cgroup, path));
                }
                let exec = Exec { at, process, local, was_tracked, cgroup };
                self.encoders.exec(exec, context, &mut self.cgroups);
            }
            LifecycleEvent::Exit { at, process, exit } => {
                self.encoders.exit(process, on_the_wall(at, context), exit, context.cpu);
            }
        }
    }

    /// Handles an event of a container engine.
    pub(super) fn engine_event(
        &mut self,
        name: &'static str,
        event: EngineEvent,
        health: &mut HealthTracker,
    ) {
        let directory = &mut self.cgroups.directory;
        match event {
            EngineEvent::Up => health.works(name),
            EngineEvent::Down(error) => health.failed(name, &error),
            EngineEvent::Known { id, facts } => {
                let engine = WorkloadKind::ENGINES.into_iter().find(|kind| kind.name() == name);
                directory.container_known(&id, ContainerFacts { engine, ..facts });
            }
            EngineEvent::Described { id, facts } => {
                if directory.describe(&id, &facts)
                    && let Some(name) = facts.kubernetes
                {
                    directory.container_in_pod(name);
                }
            }
            EngineEvent::Renamed { id, name } => directory.container_renamed(&id, &name),
            EngineEvent::Removed { id } => directory.container_removed(&id),
        }
    }

    /// Handles an event of a source of names in Kubernetes.
    pub(super) fn names_event(
        &mut self,
        source: &'static str,
        event: NamesEvent,
        health: &mut HealthTracker,
    ) {
        match event {
            NamesEvent::Up => health.works(source),
            NamesEvent::Down(error) => health.failed(source, &error),
            NamesEvent::Failed(error) => health.note(source, &error),
            NamesEvent::Reported(reports) => {
                for report in reports {
                    self.cgroups.directory.names_reported(report);
                }
            }
        }
    }

    /// Whether pods of this host exist.
    pub(super) fn has_pods(&self) -> bool {
        self.cgroups.directory.has_pods()
    }

    /// Containers in pods that have come since the last call, and that no engine has described.
    pub(super) fn take_undescribed(&mut self) -> Vec<String> {
        self.cgroups.directory.take_undescribed()
    }

    /// Whether a pod that has come since the last call is unknown.
    pub(super) fn take_unknown_pods(&mut self) -> bool {
        self.cgroups.directory.take_unknown_pods()
    }

    /// Names containers that no engine has described.
    pub(super) fn name_containers(&mut self, context: &Context<'_>) {
        self.starter_names.find(context.roots, context.tree, &mut self.cgroups.directory);
    }

    /// Looks up a cgroup of unknown path, by a process that is in it.
    fn find_path(
        &mut self,
        id: CgroupId,
        process: ProcessId,
        local: Option<ProcessId>,
        context: &mut Context<'_>,
    ) {
        if !self.cgroups.knows(id)
            && let Some(local) = self.encoders.in_procfs(process, local)
            && let Some(tree) = context.tree
            && let Some(path) = tree.path_of(context.roots, local, id.hierarchy())
            // In a private cgroup namespace the agent sees other paths than the hierarchy's.
            && tree.is_at(id, &path)
        {
            self.cgroups.found(id, &path, context.clock.now(), context.totals);
        }
    }

    /// The one of its two cgroups that identifies a task.
    fn told_by(&self, unified: CgroupId, legacy: Option<CgroupId>) -> CgroupId {
        match legacy {
            Some(legacy) if unified.0 == ROOT_CGROUP => legacy,
            Some(legacy) => self.cgroups.of_both(unified, legacy),
            None => unified,
        }
    }

    /// Decides for tasks that are in a cgroup of either hierarchy which of the two is charged.
    pub(super) fn resolve(&self, window: &mut CpuWindow) {
        for usage in &mut window.usage {
            if let Consumer::InBoth { unified, legacy, process } = usage.consumer {
                let cgroup = self.cgroups.of_both(unified, legacy);
                usage.consumer = Consumer::Tasks { cgroup, process };
            }
        }
    }

    /// Whether the cgroups should be walked before this window is charged.
    pub(super) fn needs_walk(&mut self, window: &CpuWindow, lost_events: u64, now: MonoTime) -> bool {
        self.has_lost |= lost_events > self.lost_events;
        self.lost_events = lost_events;
        // A cgroup that appears too soon after a walk is not forgotten: by the next tick it has a number for a name, and is not unnamed.
        for usage in &window.usage {
            for cgroup in usage.consumer.cgroups() {
                self.walk_wanted |= self.cgroups.is_wanted(cgroup);
            }
        }
        let since = self.last_walk.map_or(Duration::MAX, |last| now.since(last));
        since >= WALK_PERIOD || (since >= WALK_PAUSE && (self.walk_wanted || self.has_lost))
    }

    /// Handles a walk of the cgroups, where the hierarchy is visible: it recovers lost events.
    pub(super) fn walked(&mut self, walk: Option<&Walk>, context: &mut Context<'_>) {
        let now = context.clock.now();
        if let Some(walk) = walk {
            self.cgroups.walked(walk, context.tree, now, context.totals);
            if walk.is_whole {
                self.free_entries(walk, context.cpu);
            }
        }
        if self.has_lost || now.since(self.last_reconciled) >= WALK_PERIOD {
            self.last_reconciled = now;
            self.encoders.reconcile(context, &mut self.cgroups);
        }
        (self.walk_wanted, self.has_lost, self.last_walk) = (false, false, Some(now));
    }

    /// Frees the entries of consumers that will not run again, whether they are known or not.
    fn free_entries(&mut self, walk: &Walk, cpu: &mut dyn CpuMeter) {
        for consumer in cpu.consumers() {
            match consumer.process() {
                None => {
                    let is_gone = |id: &CgroupId| id.0 != ROOT_CGROUP && !walk.cgroups.contains_key(id);
                    consumer.cgroups().filter(is_gone).for_each(|id| self.cgroups.gone(id));
                }
                Some(process) if cpu.tracking(process) == Some(Tracking::Off) => cpu.forget(consumer),
                Some(_) => {}
            }
        }
    }

    /// Prepares the charge of a window: living workloads can be charged with idle energy. After lost events only a walk shows which live.
    pub(super) fn admit(&mut self, now: MonoTime, totals: &mut Totals) {
        self.cgroups.open_named(totals);
        if !self.has_lost {
            self.cgroups.admit_living(now, totals);
        }
    }

    /// The claimant for CPU time of a cgroup, or of a tracked process in it.
    pub(super) fn claimant(
        &mut self,
        cgroup: CgroupId,
        process: Option<ProcessId>,
        context: &mut Context<'_>,
    ) -> Claimant {
        if process.is_some_and(|process| self.encoders.is_agent(process)) {
            return Claimant::workload(Pseudo::Ffwatt.id());
        }
        let workload = self.cgroups.workload_of(cgroup, context.clock.now(), context.totals);
        let transcode = process.and_then(|process| self.encoders.heard(process, cgroup, workload, context));
        // Processes that the agent starts are charged to the agent.
        if transcode.is_some_and(|id| self.encoders.is_own(id)) {
            return Claimant::workload(Pseudo::Ffwatt.id());
        }
        if transcode.is_some() {
            self.cgroups.directory.encodes(workload);
        }
        let workload = self.cgroups.bearer(workload, context.clock.now(), context.totals);
        Claimant { workload, transcode }
    }

    /// Retires ended workloads and transcodes, once their last CPU time has been read.
    pub(super) fn settle(&mut self, window: &CpuWindow, now: MonoTime, context: &mut Context<'_>) {
        let heard: HashSet<Consumer> = window.usage.iter().map(|usage| usage.consumer).collect();
        self.cgroups.settle(&heard, now, context.cpu, context.totals);
        self.encoders.settle(&heard, now, context);
    }

    /// Notes a process that the agent itself has started, of any name.
    pub(super) fn child_started(&mut self, child: ProcessId, context: &mut Context<'_>) {
        self.encoders.child_started(child, context);
    }

    /// Drops claimants whose accounts have been closed.
    pub(super) fn close(
        &mut self,
        workloads: &[WorkloadId],
        transcodes: &[TranscodeId],
        cpu: &mut dyn CpuMeter,
    ) {
        self.cgroups.close(workloads, cpu);
        self.encoders.close(transcodes);
        self.cgroups.keep_departed(self.encoders.all().map(|(_, transcode)| transcode.workload));
    }

    /// The identity of a workload.
    pub(super) fn identity(&self, id: WorkloadId) -> Identity {
        self.cgroups.identity(id)
    }

    /// One transcode.
    pub(super) fn transcode(&self, id: TranscodeId) -> Option<&Transcode> {
        self.encoders.get(id)
    }

    /// Transcodes that run, or have just ended.
    pub(super) fn running(&self) -> impl Iterator<Item = (TranscodeId, &Transcode)> {
        self.encoders.running()
    }

    /// Every transcode that runs or has an account; not the agent's own.
    pub(super) fn transcodes(&self) -> impl Iterator<Item = (TranscodeId, &Transcode)> {
        self.encoders.all().filter(|(id, _)| !self.encoders.is_own(*id))
    }

    /// Workloads with an existing cgroup.
    pub(super) fn living(&self) -> impl Iterator<Item = (WorkloadId, &Identity)> {
        self.cgroups.directory.living()
    }

    /// Workloads that can bear idle energy.
    pub(super) fn bearing_idle(&self) -> impl Iterator<Item = WorkloadId> {
        let directory = &self.cgroups.directory;
        directory.living().map(|(id, _)| id).filter(|id| directory.bears_idle(*id))
    }

    /// Numbers of kept and dropped entries.
    pub(super) fn kept(&self) -> [(&'static str, Kept); 2] {
        let kept = |entries: usize, evicted| Kept { entries: entries as u64, evicted: Some(evicted) };
        [
            ("cgroup", kept(self.cgroups.len(), self.cgroups.evicted())),
            ("encoder", kept(self.encoders.len(), self.encoders.evicted())),
        ]
    }
}

#[cfg(test)]
mod tests;
