//! Port 9501: `docker_*`, under the names of the exporter ffwatt replaces.
//!
//! From the kernel's own accounting, never from the `docker` command. Percentages are of one CPU, as `docker stats` prints them.

use crate::metrics::catalog::{Kind, Listener, Metric};
use crate::model::snapshot::{Snapshot, WorkloadSnapshot};
use crate::model::workload::WorkloadKind;
use crate::units::{CpuTime, Ratio};

pub(super) const METRICS: &[Metric] = &[
    Metric {
        name: "docker_engine_cpu_percent",
        kind: Kind::Gauge,
        unit: None,
        help: "CPU usage of the Docker daemon over the last tick, in percent of one CPU.",
        labels: &[],
        listener: Listener::Docker,
        fill: |snapshot, _, samples| {
            if let Some(cpus) = snapshot.engine.and_then(|engine| engine.cpus) {
                samples.number([], cpus.percent());
            }
        },
    },
    Metric {
        name: "docker_engine_memory_percent",
        kind: Kind::Gauge,
        unit: None,
        help: "Resident memory of the Docker daemon, in percent of installed memory.",
        labels: &[],
        listener: Listener::Docker,
        fill: |snapshot, _, samples| {
            let memory = snapshot.host.memory;
            if let Some(share) =
                snapshot.engine.zip(memory).and_then(|(engine, all)| engine.resident.share_of(all))
            {
                samples.number([], share.percent());
            }
        },
    },
    Metric {
        name: "docker_engine_memory_kb",
        kind: Kind::Gauge,
        unit: None,
        help: "Resident memory of the Docker daemon, in KiB.",
        labels: &[],
        listener: Listener::Docker,
        fill: |snapshot, _, samples| {
            if let Some(engine) = snapshot.engine {
                samples.whole([], engine.resident.0 / 1024);
            }
        },
    },
    Metric {
        name: "docker_container_cpu_percent",
        kind: Kind::Gauge,
        unit: None,
        help: "CPU usage of a container over the last tick, in percent of one CPU.",
        labels: &["container"],
        listener: Listener::Docker,
        fill: |snapshot, _, samples| {
            for container in containers(snapshot) {
                if let Some(cpus) = cpus(snapshot, container.account.window_cpu) {
                    samples.number([(&*container.identity.name).into()], cpus.percent());
                }
            }
        },
    },
    Metric {
        name: "docker_container_memory_percent",
        kind: Kind::Gauge,
        unit: None,
        help: "Memory of a container without droppable page cache, in percent of its limit or of installed memory.",
        labels: &["container"],
        listener: Listener::Docker,
        fill: |snapshot, _, samples| {
            for container in containers(snapshot) {
                let Some(memory) = container.memory else { continue };
                let most = memory.limit.into_iter().chain(snapshot.host.memory).min();
                if let Some(share) = most.and_then(|most| memory.used.share_of(most)) {
                    samples.number([(&*container.identity.name).into()], share.percent());
                }
            }
        },
    },
    Metric {
        name: "docker_containers_total_cpu_percent",
        kind: Kind::Gauge,
        unit: None,
        help: "CPU usage of all containers over the last tick, in percent of one CPU.",
        labels: &[],
        listener: Listener::Docker,
        fill: |snapshot, _, samples| {
            let host = &snapshot.host;
            if let Some(cpus) = cpus(snapshot, host.containers_cpu).filter(|_| host.containers > 0) {
                samples.number([], cpus.percent());
            }
        },
    },
    Metric {
        name: "docker_containers_total",
        kind: Kind::Gauge,
        unit: None,
        help: "Number of running containers, including containers without their own series.",
        labels: &[],
        listener: Listener::Docker,
        fill: |snapshot, _, samples| samples.whole([], snapshot.host.containers),
    },
    Metric {
        name: "docker_stats_exporter_up",
        kind: Kind::Gauge,
        unit: None,
        help: "Whether the container engine's socket answers (1) or not (0).",
        labels: &[],
        listener: Listener::Docker,
        fill: |snapshot, _, samples| {
            let up = WorkloadKind::ENGINES
                .iter()
                .any(|engine| snapshot.sources.get(engine.name()).is_some_and(|source| source.up));
            samples.whole([], u64::from(up));
        },
    },
];

/// Running containers, one for each name: the legacy label has no id, and two series of the same labels would invalidate the scrape.
fn containers(snapshot: &Snapshot) -> impl Iterator<Item = &WorkloadSnapshot> {
    let mut seen = std::collections::HashSet::new();
    snapshot.workloads.iter().filter(move |workload| {
        let engine = workload.identity.kind.is_of_engine();
        engine && workload.running && seen.insert(&*workload.identity.name)
    })
}

fn cpus(snapshot: &Snapshot, busy: CpuTime) -> Option<Ratio> {
    busy.share_of(CpuTime::from(snapshot.window))
}
