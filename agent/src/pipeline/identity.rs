//! Maps cgroups and process numbers to workloads and transcodes, and retires them when they end.
//!
//! Its input is the CPU meter's life-cycle events, walks of the cgroup hierarchy and procfs that make up for lost events,
//! and events of container engines.

mod awaited_names;
mod cgroups;
mod encoders;
mod starter_names;
mod tracking;
mod walks;
mod wrappers;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use agent_common::ROOT_CGROUP;
use agent_core::attribution::demand::Claimant;
use agent_core::attribution::totals::Totals;
use agent_core::gpu::engine::EngineTimes;
use agent_core::identity::directory::ContainerFacts;
use agent_core::identity::kubernetes::NameReport;
use agent_core::model::cpu::{CgroupId, Consumer, CpuWindow, ProcessId};
use agent_core::model::health::Kept;
use agent_core::model::transcode::TranscodeId;
use agent_core::model::workload::{Identity, Pseudo, WorkloadId, WorkloadKind};
use agent_core::time::MonoTime;
use awaited_names::AwaitedNames;
use cgroups::Cgroups;
use encoders::{Encoders, Exec};
use starter_names::StarterNames;

use crate::clock::Clock;
use crate::host::HostRoots;
use crate::pipeline::earlier::EarlierTranscodes;
use crate::pipeline::sources::HealthTracker;
use crate::source::cgroup_tree::CgroupTree;
use crate::source::cpu::{CpuMeter, LifecycleEvent};
use crate::source::gpu::GpuCandidate;
use crate::source::identity::docker::EngineEvent;
use crate::source::identity::kubelet::{NameRequest, NamesEvent};
use crate::source::identity::process_numbers::ProcessNumbers;
use crate::source::identity::transcodes::Transcode;

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
    awaited_names: AwaitedNames,
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
            awaited_names: AwaitedNames::default(),
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
                if let Some(workload) = self.encoders.exec(exec, context, &mut self.cgroups) {
                    self.cgroups.directory.encodes(workload);
                }
            }
            LifecycleEvent::Exit { at, process, exit } => {
                self.encoders.exit(process, context.clock.moment().wall_of(at), exit, context.cpu);
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
                    if let NameReport::Begun { uid, .. } = &report {
                        self.awaited_names.answered(uid);
                    }
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

    /// Asks for the names of containers in which an encode has begun and that have none.
    pub(super) fn ask_names(&mut self, names: &NameRequest) {
        for uid in self.cgroups.directory.take_beginning() {
            names.begun(Arc::clone(&uid));
            self.awaited_names.asked(uid);
        }
    }

    /// The time of the tick that is due at `due`: later, if the names of an encode's container are about to come.
    pub(super) fn time_of_tick(&self, due: MonoTime) -> MonoTime {
        self.awaited_names.time_of_tick(due)
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

    /// Prepares the charge of a window: living workloads can be charged with idle energy. After lost events only a walk shows which live.
    pub(super) fn admit(&mut self, now: MonoTime, totals: &mut Totals) {
        self.cgroups.open_named(totals);
        self.awaited_names.ticked();
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

    /// Encoders that may use the integrated GPU. New ones have started since `last`.
    pub(super) fn gpu_candidates(&self, last: MonoTime) -> Vec<GpuCandidate> {
        let candidate = |(_, transcode): (TranscodeId, &Transcode)| {
            let is_new = transcode.noticed > last && transcode.observation.is_whole();
            Some(GpuCandidate { id: transcode.local?, is_new })
        };
        self.encoders.all().filter(|(_, transcode)| transcode.ended.is_none()).filter_map(candidate).collect()
    }

    /// The claimants of the engine time of processes, by their numbers in procfs.
    pub(super) fn gpu_claimants(
        &mut self,
        times: Vec<(ProcessId, EngineTimes)>,
        context: &mut Context<'_>,
    ) -> Vec<(Claimant, EngineTimes)> {
        let running = self.encoders.all().filter(|(_, transcode)| transcode.ended.is_none());
        let running =
            running.filter_map(|(id, transcode)| Some((transcode.local?, (id, transcode.workload))));
        let encoders: HashMap<ProcessId, (TranscodeId, WorkloadId)> = running.collect();
        let claimant = |(process, times)| {
            let claimant = match encoders.get(&process) {
                Some((id, workload)) => {
                    let is_own = self.encoders.is_own(*id);
                    Claimant { workload: *workload, transcode: (!is_own).then_some(*id) }
                }
                None => Claimant::workload(self.gpu_workload(process, context)),
            };
            (claimant, times)
        };
        times.into_iter().map(claimant).collect()
    }

    /// The workload that is charged for a process's use of the GPU.
    fn gpu_workload(&mut self, process: ProcessId, context: &mut Context<'_>) -> WorkloadId {
        let now = context.clock.now();
        let cgroup = context.tree.and_then(|tree| tree.of_process(context.roots, process));
        let workload = match cgroup {
            Some(cgroup) => self.cgroups.workload_of(cgroup, now, context.totals),
            None => Pseudo::Unattributed.id(),
        };
        self.cgroups.bearer(workload, now, context.totals)
    }

    /// Whether the meter's process numbers are those of procfs.
    pub(super) fn has_numbers_of_procfs(&self) -> bool {
        self.encoders.has_numbers_of_procfs()
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
