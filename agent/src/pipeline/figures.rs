//! Reads figures of the host that change slowly: memory, reservations, the use of the engine and of the agent itself.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::time::Duration;

use agent_core::attribution::IdlePolicy;
use agent_core::attribution::demand::Claimant;
use agent_core::model::cpu::{CpuWindow, PlaceWindow};
use agent_core::model::health::ProcessUse;
use agent_core::model::reservation::{Reservation, Reservations};
use agent_core::model::snapshot::{EngineUse, HostSnapshot, MemoryUse};
use agent_core::model::workload::{WorkloadId, WorkloadKind};
use agent_core::time::MonoTime;
use agent_core::units::{Bytes, CpuTime, Watts};

use super::cpu::CpuAccounting;
use super::identity::Identities;
use crate::source::engine::EngineWatch;
use crate::source::{energy, memory, own_process, reservation};

/// Interval in which single files are read, whatever the tick.
const QUICK_PERIOD: Duration = Duration::from_secs(1);

/// Interval in which files of every workload are read.
const SLOW_PERIOD: Duration = Duration::from_secs(5);

/// Figures that change slowly, or need a file for each workload: read from time to time.
#[derive(Debug, Default)]
pub(super) struct SlowFigures {
    quick: Option<MonoTime>,
    slow: Option<MonoTime>,
    cpus: u32,
    installed: Option<Bytes>,
    power_limit: Option<Watts>,
    containers: u64,
    containers_cpu: CpuTime,
    memory: HashMap<WorkloadId, MemoryUse>,
    reservations: HashMap<WorkloadId, Reservation>,
    engine: EngineWatch,
    pub(super) engine_use: Option<EngineUse>,
    pub(super) process: ProcessUse,
}

impl SlowFigures {
    /// Reads the figures that are due.
    pub(super) fn refresh(&mut self, now: MonoTime, window: &CpuWindow, cpu: &CpuAccounting) {
        let (roots, identities) = (cpu.roots(), cpu.identities());
        let is_due = |last: Option<MonoTime>, period| last.is_none_or(|last| now.since(last) >= period);
        if !window.places.is_empty() {
            self.cpus = window.places.iter().map(|place| place.cpus).sum();
        }
        if is_due(self.quick, QUICK_PERIOD) {
            self.quick = Some(now);
            self.process = own_process::read().unwrap_or(self.process);
            let engine = identities.living().any(|(_, identity)| identity.kind == WorkloadKind::Docker);
            if engine || self.engine.is_known() || is_due(self.slow, SLOW_PERIOD) {
                self.engine_use = self.engine.read(roots, now);
            }
        }
        if is_due(self.slow, SLOW_PERIOD) {
            if self.slow.is_none() {
                self.power_limit = energy::power_limit(roots);
            }
            self.slow = Some(now);
            self.installed = self.installed.or_else(|| roots.memory());
            self.memory.clear();
            self.reservations.clear();
        }
        // All workloads when they are due; between, only new ones.
        for (id, identity) in identities.living() {
            let Some((tree, cgroup)) = cpu.tree().zip(identity.details.cgroup.as_deref()) else { continue };
            let Entry::Vacant(entry) = self.reservations.entry(id) else { continue };
            entry.insert(reservation::read(tree, cgroup));
            if identity.kind.is_container() {
                self.memory.extend(memory::read(tree, cgroup).map(|memory| (id, memory)));
            }
        }
    }

    /// Counts the containers of the engines, including those without series of their own.
    pub(super) fn count_containers(&mut self, busy: &[(Claimant, CpuTime)], identities: &Identities) {
        let running: HashSet<WorkloadId> = identities
            .living()
            .filter(|(_, identity)| identity.kind.is_of_engine())
            .map(|(id, _)| id)
            .collect();
        self.containers = running.len() as u64;
        let of_containers = busy.iter().filter(|(claimant, _)| running.contains(&claimant.workload));
        self.containers_cpu = of_containers.map(|(_, busy)| *busy).sum();
    }

    /// Figures of the host.
    pub(super) fn host(&self, window: &CpuWindow) -> HostSnapshot {
        let elapsed: CpuTime = window.places.iter().map(|place| place.elapsed).sum();
        let busy: CpuTime = window.places.iter().map(PlaceWindow::busy).sum();
        HostSnapshot {
            cpus: self.cpus,
            utilisation: busy.share_of(elapsed),
            memory: self.installed,
            power_limit: self.power_limit,
            containers: self.containers,
            containers_cpu: self.containers_cpu,
        }
    }

    /// Memory of a workload.
    pub(super) fn memory(&self, id: WorkloadId) -> Option<MemoryUse> {
        self.memory.get(&id).copied()
    }

    /// Reservations of the living workloads, if the idle policy needs them.
    pub(super) fn reservations(&self, policy: IdlePolicy, identities: &Identities) -> Reservations {
        match policy {
            IdlePolicy::Own | IdlePolicy::Proportional => Reservations::default(),
            IdlePolicy::Even | IdlePolicy::Reservation => {
                let reservation = |id| self.reservations.get(&id).copied().unwrap_or_default();
                let workloads = identities.bearing_idle().map(|id| (id, reservation(id)));
                Reservations { cpus: self.cpus, workloads: workloads.collect() }
            }
        }
    }
}
