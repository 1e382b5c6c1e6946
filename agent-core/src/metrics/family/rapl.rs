//! Port 9500: `rapl_*`, under the names of the exporter ffwatt replaces.
//!
//! Measured energy only. On a host without energy counters `rapl_available` is 0 and there is no power: an estimate must not have the name
//! of a measurement.

use std::borrow::Cow;

use crate::metrics::Options;
use crate::metrics::ZoneNames;
use crate::metrics::catalog::{Kind, Listener, Metric, Samples};
use crate::model::energy::{Domain, EnergySourceKind, Scope, Zone};
use crate::model::finding::{Finding, FindingCode};
use crate::model::snapshot::{Snapshot, ZoneSnapshot};
use crate::units::MicroJoules;

pub(super) const METRICS: &[Metric] = &[
    Metric {
        name: "rapl_power_watts",
        kind: Kind::Gauge,
        unit: Some("watts"),
        help: "Mean power of a RAPL zone over the last tick, in watts. Absent where the energy of the \
            tick is unknown.",
        labels: &["zone"],
        listener: Listener::Rapl,
        fill: |snapshot, options, samples| {
            for (zone, name) in names(snapshot, options) {
                if let Some(power) = zone.power {
                    samples.number([name], power.0);
                }
            }
        },
    },
    Metric {
        name: "rapl_energy_joules_total",
        kind: Kind::Counter,
        unit: Some("joules"),
        help: "Energy of a RAPL zone since the agent started, in joules.",
        labels: &["zone"],
        listener: Listener::Rapl,
        fill: |snapshot, options, samples| {
            for (zone, name) in names(snapshot, options) {
                samples.number([name], measured_energy(zone).joules());
            }
        },
    },
    Metric {
        name: "rapl_available",
        kind: Kind::Gauge,
        unit: None,
        help: "1 if hardware counts energy on this host, 0 if not or if its counters do not move.",
        labels: &[],
        listener: Listener::Rapl,
        fill: |snapshot, _, samples: &mut Samples<'_>| samples.whole([], u64::from(is_measured(snapshot))),
    },
    Metric {
        name: "rapl_zones_discovered",
        kind: Kind::Gauge,
        unit: None,
        help: "Number of RAPL zones that the agent reads.",
        labels: &[],
        listener: Listener::Rapl,
        fill: |snapshot, _, samples| samples.whole([], measured(snapshot).count() as u64),
    },
];

/// Whether there is measured energy: counters that stand still do not count.
fn is_measured(snapshot: &Snapshot) -> bool {
    let stands_still = |finding: &Finding| finding.code == FindingCode::CountersStandStill;
    snapshot.method.energy_source.is_some_and(EnergySourceKind::is_measured)
        && !snapshot.findings.iter().any(stands_still)
}

/// Zones that have been read.
fn measured(snapshot: &Snapshot) -> impl Iterator<Item = &ZoneSnapshot> {
    let was_read = |zone: &&ZoneSnapshot| zone.by_source.iter().any(|(source, _)| source.is_measured());
    snapshot.zones.iter().filter(|_| is_measured(snapshot)).filter(was_read)
}

/// Energy of a zone that hardware has counted.
fn measured_energy(zone: &ZoneSnapshot) -> MicroJoules {
    zone.by_source.iter().filter(|(source, _)| source.is_measured()).map(|(_, energy)| *energy).sum()
}

fn names(snapshot: &Snapshot, options: Options) -> Vec<(&ZoneSnapshot, Cow<'static, str>)> {
    match options.zone_names {
        ZoneNames::Ffwatt => measured(snapshot).map(|zone| (zone, own_name(zone.zone).into())).collect(),
        ZoneNames::Upstream => upstream_names(snapshot),
    }
}

/// `package_0`, `package_0_die_1`, `core_0`, `psys`: `zone=~"package.*"` counts each joule once.
fn own_name(zone: Zone) -> String {
    match zone.scope {
        Scope::Platform => zone.domain.name().to_owned(),
        scope => format!("{}_{}", zone.domain, scope.to_string().replace('-', "_")),
    }
}

/// `package_0`, `package_0_core` and, once each, bare `core`: of several packages the last, as in the original.
fn upstream_names(snapshot: &Snapshot) -> Vec<(&ZoneSnapshot, Cow<'static, str>)> {
    let mut names = Vec::new();
    let mut bare: Vec<(Domain, &ZoneSnapshot)> = Vec::new();
    for zone in measured(snapshot) {
        let package = Zone { domain: Domain::Package, ..zone.zone };
        match zone.zone.domain {
            Domain::Package | Domain::Psys => names.push((zone, own_name(zone.zone).into())),
            domain => {
                names.push((zone, format!("{}_{domain}", own_name(package)).into()));
                bare.retain(|(known, _)| *known != domain);
                bare.push((domain, zone));
            }
        }
    }
    names.extend(bare.into_iter().map(|(domain, zone)| (zone, domain.name().into())));
    names
}
