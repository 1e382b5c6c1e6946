//! `process_*`: CPU time, memory, descriptors and threads of the agent's process, under the names of all Prometheus client libraries.

use crate::metrics::catalog::{Kind, Listener, Metric};

pub(super) const METRICS: &[Metric] = &[
    Metric {
        name: "process_cpu_seconds_total",
        kind: Kind::Counter,
        unit: Some("seconds"),
        help: "CPU time of the agent, in seconds.",
        labels: &[],
        listener: Listener::Main,
        fill: |snapshot, _, samples| samples.number([], snapshot.process.cpu.seconds()),
    },
    Metric {
        name: "process_resident_memory_bytes",
        kind: Kind::Gauge,
        unit: Some("bytes"),
        help: "Resident memory of the agent, in bytes.",
        labels: &[],
        listener: Listener::Main,
        fill: |snapshot, _, samples| samples.whole([], snapshot.process.resident.0),
    },
    Metric {
        name: "process_virtual_memory_bytes",
        kind: Kind::Gauge,
        unit: Some("bytes"),
        help: "Virtual memory of the agent, in bytes.",
        labels: &[],
        listener: Listener::Main,
        fill: |snapshot, _, samples| samples.whole([], snapshot.process.virtual_memory.0),
    },
    Metric {
        name: "process_open_fds",
        kind: Kind::Gauge,
        unit: None,
        help: "Number of open file descriptors of the agent.",
        labels: &[],
        listener: Listener::Main,
        fill: |snapshot, _, samples| samples.whole([], snapshot.process.open_files),
    },
    Metric {
        name: "process_max_fds",
        kind: Kind::Gauge,
        unit: None,
        help: "Highest number of file descriptors that the agent may open.",
        labels: &[],
        listener: Listener::Main,
        fill: |snapshot, _, samples| {
            if let Some(limit) = snapshot.process.max_files {
                samples.whole([], limit);
            }
        },
    },
    Metric {
        name: "process_threads",
        kind: Kind::Gauge,
        unit: None,
        help: "Number of threads of the agent.",
        labels: &[],
        listener: Listener::Main,
        fill: |snapshot, _, samples| samples.whole([], snapshot.process.threads),
    },
    Metric {
        name: "process_start_time_seconds",
        kind: Kind::Gauge,
        unit: Some("seconds"),
        help: "Start time of the agent, in seconds since 1970.",
        labels: &[],
        listener: Listener::Main,
        fill: |snapshot, _, samples| samples.number([], snapshot.process.started),
    },
];
