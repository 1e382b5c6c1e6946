//! Reads CPU time, and finds the workloads and transcodes that used it.

use std::os::fd::BorrowedFd;

use agent_core::attribution::demand::{Claimant, Demand};
use agent_core::attribution::totals::Totals;
use agent_core::gpu::engine::EngineTimes;
use agent_core::model::cpu::{Consumer, CpuSourceKind, CpuWindow, ProcessId};
use agent_core::model::health::MeterHealth;
use agent_core::model::transcode::TranscodeId;
use agent_core::model::workload::{Pseudo, WorkloadId, WorkloadKind};
use agent_core::time::MonoTime;

use super::identity::{Context, Identities};
use super::parts::Requests;
use super::sources::HealthTracker;
use crate::clock::Clock;
use crate::host::HostRoots;
use crate::source::cgroup_tree::CgroupTree;
use crate::source::cpu::{CpuMeter, DeviceFile};
use crate::source::identity::cri;
use crate::source::identity::docker::EngineEvent;
use crate::source::identity::kubelet::{self, NamesEvent};

/// The CPU meter, and the identities of its cgroups and processes.
pub(super) struct CpuAccounting {
    meter: Box<dyn CpuMeter>,
    /// `None` where no visible hierarchy of cgroups agrees with the meter's ids.
    tree: Option<CgroupTree>,
    roots: HostRoots,
    identities: Identities,
}

impl CpuAccounting {
    pub(super) fn new(
        meter: Box<dyn CpuMeter>,
        tree: Option<CgroupTree>,
        roots: HostRoots,
        identities: Identities,
    ) -> Self {
        Self { meter, tree, roots, identities }
    }

    /// Finds everything that exists at the start: cgroups, and encoders that already run.
    pub(super) fn begin(&mut self, clock: &dyn Clock, totals: &mut Totals, health: &mut HealthTracker) {
        self.walk(clock, totals, health);
        let (identities, mut context) = self.with_context(clock, totals);
        identities.begin(&mut context);
    }

    /// The identities, and the context of their methods.
    fn with_context<'a>(
        &'a mut self,
        clock: &'a dyn Clock,
        totals: &'a mut Totals,
    ) -> (&'a mut Identities, Context<'a>) {
        let context =
            Context { roots: &self.roots, clock, cpu: &mut *self.meter, tree: self.tree.as_ref(), totals };
        (&mut self.identities, context)
    }

    /// Kind of the meter.
    pub(super) fn kind(&self) -> CpuSourceKind {
        self.meter.kind()
    }

    /// Losses and cost of the meter.
    pub(super) fn meter_health(&self) -> MeterHealth {
        self.meter.health()
    }

    /// A descriptor that becomes readable when there are life-cycle events.
    pub(super) fn events_fd(&self) -> Option<BorrowedFd<'_>> {
        self.meter.events_fd()
    }

    pub(super) fn identities(&self) -> &Identities {
        &self.identities
    }

    pub(super) fn roots(&self) -> &HostRoots {
        &self.roots
    }

    pub(super) fn tree(&self) -> Option<&CgroupTree> {
        self.tree.as_ref()
    }

    /// Handles the life-cycle events that have arrived.
    pub(super) fn take_events(&mut self, clock: &dyn Clock, totals: &mut Totals) {
        let events = self.meter.events(clock);
        let (identities, mut context) = self.with_context(clock, totals);
        for event in events {
            identities.event(event, &mut context);
        }
    }

    /// Handles an event of a container engine.
    pub(super) fn engine_event(
        &mut self,
        name: &'static str,
        event: EngineEvent,
        health: &mut HealthTracker,
    ) {
        self.identities.engine_event(name, event, health);
    }

    /// Notes a process that the agent itself has started.
    pub(super) fn child_started(&mut self, process: ProcessId, clock: &dyn Clock, totals: &mut Totals) {
        let (identities, mut context) = self.with_context(clock, totals);
        identities.child_started(process, &mut context);
    }

    /// Handles an event of a source of names in Kubernetes.
    pub(super) fn names_event(
        &mut self,
        source: &'static str,
        event: NamesEvent,
        health: &mut HealthTracker,
    ) {
        self.identities.names_event(source, event, health);
    }

    /// Open files of the GPU, by process numbers of procfs; `None` where the meter cannot list them.
    pub(super) fn device_files(&mut self) -> Option<Vec<DeviceFile>> {
        if self.identities.has_numbers_of_procfs() { self.meter.device_files() } else { None }
    }

    /// The claimants of the engine time of processes.
    pub(super) fn gpu_claimants(
        &mut self,
        times: Vec<(ProcessId, EngineTimes)>,
        clock: &dyn Clock,
        totals: &mut Totals,
    ) -> Vec<(Claimant, EngineTimes)> {
        let (identities, mut context) = self.with_context(clock, totals);
        identities.gpu_claimants(times, &mut context)
    }

    /// Asks for the names of containers in which an encode has begun and that have none.
    pub(super) fn ask_names(&mut self, requests: &Requests) {
        if let Some(names) = &requests.names {
            self.identities.ask_names(names);
        }
    }

    /// Names containers that no engine has described.
    pub(super) fn name_containers(&mut self, clock: &dyn Clock, totals: &mut Totals) {
        let (identities, context) = self.with_context(clock, totals);
        identities.name_containers(&context);
    }

    /// Marks sources of names that have containers as needed: without the source, its containers have no names. Requests the names of
    /// unknown pods, and descriptions of their containers.
    pub(super) fn demand_names(&mut self, health: &mut HealthTracker, requests: &Requests) {
        let undescribed = self.identities.take_undescribed();
        if self.identities.has_pods() {
            health.demand(kubelet::SOURCE);
            if requests.containers.is_some() {
                health.demand(cri::SOURCE);
            }
        }
        if self.identities.take_unknown_pods()
            && let Some(names) = &requests.names
        {
            names.send();
        }
        if let Some(containers) = &requests.containers {
            for id in undescribed {
                containers.send(id);
            }
        }
        for kind in WorkloadKind::ENGINES {
            if self.identities.living().any(|(_, identity)| identity.kind == kind) {
                health.demand(kind.name());
            }
        }
    }

    /// Closes a window: all CPU time since the last call. The window is empty where the meter fails. `by_core` asks for the CPU time of
    /// single cores.
    pub(super) fn read(&mut self, by_core: bool, clock: &dyn Clock, health: &mut HealthTracker) -> CpuWindow {
        let name = self.meter.kind().name();
        self.meter.separate_cores(by_core);
        match self.meter.read(clock) {
            Ok(window) => {
                health.works(name);
                window
            }
            Err(error) => {
                health.failed(name, &error);
                let now = clock.now();
                CpuWindow { start: now, end: now, ..CpuWindow::default() }
            }
        }
    }

    /// Whether the cgroups should be walked before this window is charged.
    pub(super) fn needs_walk(&mut self, window: &CpuWindow, now: MonoTime) -> bool {
        let health = self.meter.health();
        // While the programs were detached, events were missed as well.
        self.identities.needs_walk(window, health.lost_events + health.reattached, now)
    }

    /// Walks the cgroups, which recovers lost events.
    pub(super) fn walk(&mut self, clock: &dyn Clock, totals: &mut Totals, health: &mut HealthTracker) {
        match self.tree.as_ref().map(CgroupTree::walk).transpose() {
            Ok(walk) => {
                let (identities, mut context) = self.with_context(clock, totals);
                identities.walked(walk.as_ref(), &mut context);
            }
            Err(error) => {
                health.failed("cgroup_tree", &error);
                health.demand("cgroup_tree");
            }
        }
    }

    /// Finds the claimants of a window's CPU time. `now` is the time of the tick.
    pub(super) fn demand(
        &mut self,
        window: &mut CpuWindow,
        now: MonoTime,
        clock: &dyn Clock,
        totals: &mut Totals,
    ) -> Demand {
        self.identities.resolve(window);
        self.identities.admit(now, totals);
        let mut demand = Demand::default();
        let (identities, mut context) = self.with_context(clock, totals);
        for place in &window.places {
            demand.add_capacity(place.place, place.elapsed);
        }
        // The uses of a consumer in several places follow one another.
        let mut last: Option<(Consumer, Claimant)> = None;
        for usage in &window.usage {
            let claimant = match (last, usage.consumer) {
                (Some((consumer, claimant)), _) if consumer == usage.consumer => claimant,
                (_, Consumer::Kernel) => Claimant::workload(Pseudo::Kernel.id()),
                // All other cases are resolved.
                (_, Consumer::Unknown | Consumer::InBoth { .. }) => {
                    Claimant::workload(Pseudo::Unattributed.id())
                }
                (_, Consumer::Tasks { cgroup, process }) => {
                    identities.claimant(cgroup, process, &mut context)
                }
            };
            last = Some((usage.consumer, claimant));
            demand.add(claimant, window.places[usage.place].place, usage.busy);
        }
        demand
    }

    /// Retires ended workloads and transcodes, once their last CPU time has been charged.
    pub(super) fn settle(
        &mut self,
        window: &CpuWindow,
        now: MonoTime,
        clock: &dyn Clock,
        totals: &mut Totals,
    ) {
        let (identities, mut context) = self.with_context(clock, totals);
        identities.settle(window, now, &mut context);
    }

    /// Drops claimants whose accounts have been closed.
    pub(super) fn close(&mut self, workloads: &[WorkloadId], transcodes: &[TranscodeId]) {
        self.identities.close(workloads, transcodes, &mut *self.meter);
    }
}
