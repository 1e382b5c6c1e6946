//! `ffwatt_host_*` and `ffwatt_energy_*`: the energy of the host, by counter.

use std::borrow::Cow;

use crate::metrics::catalog::{Kind, Listener, Metric};
use crate::model::snapshot::ZoneSnapshot;

pub(super) const METRICS: &[Metric] = &[
    Metric {
        name: "ffwatt_host_energy_joules_total",
        kind: Kind::Counter,
        unit: Some("joules"),
        help: "Energy of the host, in joules, by package and RAPL domain. The label source shows whether \
            it is measured or estimated.",
        labels: &["package", "domain", "source"],
        listener: Listener::Main,
        fill: |snapshot, _, samples| {
            for zone in &snapshot.zones {
                for (source, energy) in &zone.by_source {
                    let [package, domain] = zone_labels(zone);
                    let labels = [package, domain, source.name().into()];
                    samples.counter(labels, energy.joules(), snapshot.created);
                }
            }
        },
    },
    Metric {
        name: "ffwatt_host_cpus",
        kind: Kind::Gauge,
        unit: None,
        help: "Number of online CPUs.",
        labels: &[],
        listener: Listener::Main,
        fill: |snapshot, _, samples| samples.whole([], u64::from(snapshot.host.cpus)),
    },
    Metric {
        name: "ffwatt_host_power_limit_watts",
        kind: Kind::Gauge,
        unit: Some("watts"),
        help: "Sustained power limit of all packages of the host together (long_term in powercap), in watts.",
        labels: &[],
        listener: Listener::Main,
        fill: |snapshot, _, samples| {
            if let Some(limit) = snapshot.host.power_limit {
                samples.number([], limit.0);
            }
        },
    },
    Metric {
        name: "ffwatt_energy_wraps_total",
        kind: Kind::Counter,
        unit: None,
        help: "Number of times that an energy counter wrapped. No energy is lost.",
        labels: &["package", "domain"],
        listener: Listener::Main,
        fill: |snapshot, _, samples| {
            for zone in &snapshot.zones {
                samples.whole(zone_labels(zone), zone.wraps);
            }
        },
    },
    Metric {
        name: "ffwatt_energy_resets_total",
        kind: Kind::Counter,
        unit: None,
        help: "Number of times that an energy counter was reset or jumped by an implausible amount. Of \
            that tick, only the energy since the reset is known.",
        labels: &["package", "domain"],
        listener: Listener::Main,
        fill: |snapshot, _, samples| {
            for zone in &snapshot.zones {
                samples.whole(zone_labels(zone), zone.resets);
            }
        },
    },
];

/// The labels `package` and `domain`.
pub(super) fn zone_labels(zone: &ZoneSnapshot) -> [Cow<'static, str>; 2] {
    [zone.zone.scope.to_string().into(), zone.zone.domain.name().into()]
}
