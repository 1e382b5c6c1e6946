//! `ffwatt_source_*`, `ffwatt_lost_*`, `ffwatt_tick_*`, `ffwatt_bpf_*`: health and cost of the agent itself.

use std::time::Duration;

use crate::metrics::catalog::{Kind, Listener, Metric};
use crate::model::health::{SourceHealth, SourceState};

pub(super) const METRICS: &[Metric] = &[
    Metric {
        name: "ffwatt_build_info",
        kind: Kind::Info,
        unit: None,
        help: "Version of the agent.",
        labels: &["version"],
        listener: Listener::Main,
        fill: |_, _, samples| samples.whole([env!("CARGO_PKG_VERSION").into()], 1),
    },
    Metric {
        name: "ffwatt_source_up",
        kind: Kind::Gauge,
        unit: None,
        help: "Whether a source in use works (1) or not (0). `ffwatt check` reports the reason and what \
            helps.",
        labels: &["source"],
        listener: Listener::Main,
        fill: |snapshot, _, samples| {
            let in_use = |source: &SourceHealth| source.state() != SourceState::Absent;
            for (name, source) in snapshot.sources.iter().filter(|(_, source)| in_use(source)) {
                samples.whole([(*name).into()], u64::from(source.up));
            }
        },
    },
    Metric {
        name: "ffwatt_source_state",
        kind: Kind::Gauge,
        unit: None,
        help: "State of a source, always 1: up, down (in use and not working), absent (not on this host and not needed).",
        labels: &["source", "state"],
        listener: Listener::Main,
        fill: |snapshot, _, samples| {
            for (name, source) in &snapshot.sources {
                samples.whole([(*name).into(), source.state().name().into()], 1);
            }
        },
    },
    Metric {
        name: "ffwatt_source_errors_total",
        kind: Kind::Counter,
        unit: None,
        help: "Failures of a source, by reason.",
        labels: &["source", "reason"],
        listener: Listener::Main,
        fill: |snapshot, _, samples| {
            for (name, source) in &snapshot.sources {
                for (reason, count) in &source.errors {
                    samples.whole([(*name).into(), reason.name().into()], *count);
                }
            }
        },
    },
    Metric {
        name: "ffwatt_finding",
        kind: Kind::Gauge,
        unit: None,
        help: "Finding that holds now, always 1: a figure is missing, estimated or doubtful. `ffwatt \
            check` and the page show the sentence and the fix.",
        labels: &["code", "subject"],
        listener: Listener::Main,
        fill: |snapshot, _, samples| {
            for finding in &snapshot.findings {
                samples.whole([finding.code.name().into(), finding.subject.as_str().into()], 1);
            }
        },
    },
    Metric {
        name: "ffwatt_lost_events_total",
        kind: Kind::Counter,
        unit: None,
        help: "Life-cycle events dropped because the ring buffer was full; the next cgroup walk recovers \
            them.",
        labels: &[],
        listener: Listener::Main,
        fill: |snapshot, _, samples| samples.whole([], snapshot.meter.lost_events),
    },
    Metric {
        name: "ffwatt_lost_charges_total",
        kind: Kind::Counter,
        unit: None,
        help: "CPU-time charges without a free entry in the accounting map. Their energy is charged to \
            unattributed.",
        labels: &[],
        listener: Listener::Main,
        fill: |snapshot, _, samples| samples.whole([], snapshot.meter.lost_charges),
    },
    Metric {
        name: "ffwatt_kept_entries",
        kind: Kind::Gauge,
        unit: None,
        help: "Entries that the agent keeps in memory, by kind: cgroups, encoder processes, accounts of workloads and of transcodes, \
               subjects of the recent history. Each kind is bounded.",
        labels: &["what"],
        listener: Listener::Main,
        fill: |snapshot, _, samples| {
            for (what, kept) in &snapshot.kept {
                samples.whole([(*what).into()], kept.entries);
            }
        },
    },
    Metric {
        name: "ffwatt_evicted_total",
        kind: Kind::Counter,
        unit: None,
        help: "Entries that the agent dropped because their kind reached its limit. The oldest ended \
            entries are dropped first; all sums stay exact.",
        labels: &["what"],
        listener: Listener::Main,
        fill: |snapshot, _, samples| {
            for (what, kept) in &snapshot.kept {
                if let Some(evicted) = kept.evicted {
                    samples.whole([(*what).into()], evicted);
                }
            }
        },
    },
    Metric {
        name: "ffwatt_ledger_up",
        kind: Kind::Gauge,
        unit: None,
        help: "Whether the agent could write the ledger at the last tick (1) or not (0). The log has the \
            reason.",
        labels: &[],
        listener: Listener::Main,
        fill: |snapshot, _, samples| samples.whole([], u64::from(snapshot.joined.ledger.up)),
    },
    Metric {
        name: "ffwatt_ledger_waiting_buckets",
        kind: Kind::Gauge,
        unit: None,
        help: "Complete buckets of ten seconds that wait to be written to the ledger.",
        labels: &[],
        listener: Listener::Main,
        fill: |snapshot, _, samples| samples.whole([], snapshot.joined.ledger.waiting),
    },
    Metric {
        name: "ffwatt_lost_records_total",
        kind: Kind::Counter,
        unit: None,
        help: "Records of the ledger that were dropped: buckets and transcodes because writing failed \
            for too long, charges and transcodes because the database refused the row.",
        labels: &["record"],
        listener: Listener::Main,
        fill: |snapshot, _, samples| {
            samples.whole(["bucket".into()], snapshot.joined.ledger.lost_buckets);
            samples.whole(["transcode".into()], snapshot.joined.ledger.lost_transcodes);
            samples.whole(["charge".into()], snapshot.joined.ledger.lost_charges);
        },
    },
    Metric {
        name: "ffwatt_ledger_wal_bytes",
        kind: Kind::Gauge,
        unit: Some("bytes"),
        help: "Size of the ledger's write-ahead log, in bytes. Above 64 MB, the agent writes nothing \
            until the readers end their transactions.",
        labels: &[],
        listener: Listener::Main,
        fill: |snapshot, _, samples| {
            if let Some(bytes) = snapshot.joined.ledger.log_bytes {
                samples.whole([], bytes);
            }
        },
    },
    Metric {
        name: "ffwatt_torn_reads_total",
        kind: Kind::Counter,
        unit: None,
        help: "Torn reads of the accounting map: they did not agree with the clock and were repeated.",
        labels: &[],
        listener: Listener::Main,
        fill: |snapshot, _, samples| samples.whole([], snapshot.meter.torn_reads),
    },
    Metric {
        name: "ffwatt_bpf_reattached_total",
        kind: Kind::Counter,
        unit: None,
        help: "Number of times that the eBPF programs were attached again because they missed context \
            switches. The busy time of that tick is charged to unattributed.",
        labels: &[],
        listener: Listener::Main,
        fill: |snapshot, _, samples| samples.whole([], snapshot.meter.reattached),
    },
    Metric {
        name: "ffwatt_tick_duration_seconds",
        kind: Kind::Histogram,
        unit: Some("seconds"),
        help: "Duration of a tick, in seconds: reading, attribution and publishing.",
        labels: &[],
        listener: Listener::Main,
        fill: |snapshot, _, samples| samples.histogram([], &snapshot.ticks),
    },
    Metric {
        name: "ffwatt_missed_ticks_total",
        kind: Kind::Counter,
        unit: None,
        help: "Ticks that were due while the agent could not run. Their energy is in the next tick.",
        labels: &[],
        listener: Listener::Main,
        fill: |snapshot, _, samples| samples.whole([], snapshot.missed_ticks),
    },
    Metric {
        name: "ffwatt_last_tick_timestamp_seconds",
        kind: Kind::Gauge,
        unit: Some("seconds"),
        help: "Time of the readings of the last tick, in seconds since 1970.",
        labels: &[],
        listener: Listener::Main,
        fill: |snapshot, _, samples| samples.number([], snapshot.wall.0),
    },
    Metric {
        name: "ffwatt_bpf_runs_total",
        kind: Kind::Counter,
        unit: None,
        help: "Runs of an eBPF program, where the kernel counts them (kernel.bpf_stats_enabled).",
        labels: &["program"],
        listener: Listener::Main,
        fill: |snapshot, _, samples| {
            for (name, cost) in &snapshot.meter.programs {
                samples.whole([(*name).into()], cost.runs);
            }
        },
    },
    Metric {
        name: "ffwatt_bpf_run_seconds_total",
        kind: Kind::Counter,
        unit: Some("seconds"),
        help: "Run time of an eBPF program, in seconds, where the kernel counts it \
            (kernel.bpf_stats_enabled).",
        labels: &["program"],
        listener: Listener::Main,
        fill: |snapshot, _, samples| {
            for (name, cost) in &snapshot.meter.programs {
                samples.number([(*name).into()], Duration::from_nanos(cost.nanoseconds).as_secs_f64());
            }
        },
    },
    Metric {
        name: "ffwatt_bpf_map_entries",
        kind: Kind::Gauge,
        unit: None,
        help: "Used entries of the accounting map.",
        labels: &[],
        listener: Listener::Main,
        fill: |snapshot, _, samples| {
            if let Some((used, _)) = snapshot.meter.map_entries {
                samples.whole([], used as u64);
            }
        },
    },
    Metric {
        name: "ffwatt_bpf_map_entries_limit",
        kind: Kind::Gauge,
        unit: None,
        help: "Capacity of the accounting map, in entries.",
        labels: &[],
        listener: Listener::Main,
        fill: |snapshot, _, samples| {
            if let Some((_, room)) = snapshot.meter.map_entries {
                samples.whole([], room as u64);
            }
        },
    },
];
