//! `ffwatt_ended_*`: totals of the series that have disappeared, so that shown and ended series sum to the host.

use crate::metrics::catalog::{Kind, Listener, Metric};
use crate::metrics::family::host::zone_labels;
use crate::metrics::family::workload::uncertainties;
use crate::units::MicroJoules;

pub(super) const METRICS: &[Metric] = &[
    Metric {
        name: "ffwatt_ended_energy_joules_total",
        kind: Kind::Counter,
        unit: Some("joules"),
        help: "Energy of workload series that have disappeared, in joules. increase() of the workload \
            series already includes it.",
        labels: &["package", "domain", "share"],
        listener: Listener::Main,
        fill: |snapshot, _, samples| {
            for (index, zone) in snapshot.known_zones() {
                let charges = snapshot.ended.workloads.zones.get(index).copied().unwrap_or_default();
                for (share, energy, may_grow) in [
                    ("dynamic", charges.dynamic, true),
                    ("idle", charges.idle, snapshot.method.idle_is_shared),
                ] {
                    if may_grow || energy > MicroJoules::ZERO {
                        let [package, domain] = zone_labels(zone);
                        samples.counter([package, domain, share.into()], energy.joules(), snapshot.created);
                    }
                }
            }
        },
    },
    Metric {
        name: "ffwatt_ended_cpu_seconds_total",
        kind: Kind::Counter,
        unit: Some("seconds"),
        help: "CPU time of workload series that have disappeared, in seconds.",
        labels: &[],
        listener: Listener::Main,
        fill: |snapshot, _, samples| {
            samples.counter([], snapshot.ended.workloads.cpu.seconds(), snapshot.created);
        },
    },
    Metric {
        name: "ffwatt_ended_energy_uncertainty_joules_total",
        kind: Kind::Counter,
        unit: Some("joules"),
        help: "Sum of the bounds on the error of each tick's charge to workload series that have disappeared, in joules.",
        labels: &["domain"],
        listener: Listener::Main,
        fill: |snapshot, _, samples| {
            for (domain, uncertainty) in uncertainties(snapshot, &snapshot.ended.workloads) {
                samples.counter([domain.into()], uncertainty.joules(), snapshot.created);
            }
        },
    },
    Metric {
        name: "ffwatt_ended_transcode_energy_joules_total",
        kind: Kind::Counter,
        unit: Some("joules"),
        help: "Energy of transcode series that have disappeared, in joules of the domains that add up (package and dram).",
        labels: &[],
        listener: Listener::Main,
        fill: |snapshot, _, samples| {
            if snapshot.has_had_energy() {
                let energy = snapshot.energy_of(&snapshot.ended.transcodes);
                samples.counter([], energy.joules(), snapshot.created);
            }
        },
    },
    Metric {
        name: "ffwatt_ended_transcode_cpu_seconds_total",
        kind: Kind::Counter,
        unit: Some("seconds"),
        help: "CPU time of transcode series that have disappeared, in seconds.",
        labels: &[],
        listener: Listener::Main,
        fill: |snapshot, _, samples| {
            samples.counter([], snapshot.ended.transcodes.cpu.seconds(), snapshot.created);
        },
    },
];
