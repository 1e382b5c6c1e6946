//! `ffwatt_attribution_*` and `ffwatt_idle_power_*`: sources, keys, idle policy, residual, and the idle power of zones.

use crate::metrics::catalog::{Kind, Listener, Metric};
use crate::metrics::family::host::zone_labels;
use crate::model::energy::EnergySourceKind;
use crate::model::snapshot::IdlePower;

pub(super) const METRICS: &[Metric] = &[
    Metric {
        name: "ffwatt_attribution_info",
        kind: Kind::Info,
        unit: None,
        help: "Sources of CPU time and energy, and the policy that divides idle energy.",
        labels: &["cpu_source", "energy_source", "idle_policy"],
        listener: Listener::Main,
        fill: |snapshot, _, samples| {
            let method = snapshot.method;
            let energy = method.energy_source.map_or("none", EnergySourceKind::name);
            samples.whole([method.cpu_source.name().into(), energy.into(), method.idle_policy.into()], 1);
        },
    },
    Metric {
        name: "ffwatt_attribution_key_info",
        kind: Kind::Info,
        unit: None,
        help: "Key by which energy above idle is split over claimants: time (busy CPU time), smt (busy \
            CPU time, of which a second beside a busy thread of the same core counts less), core-energy (energy of the cores on which they ran, and busy CPU time within each core), or engine-time (busy time of the \
            engines of the integrated GPU). A package is split by its key after the energy of its GPU.",
        labels: &["domain", "key"],
        listener: Listener::Main,
        fill: |snapshot, _, samples| {
            let mut keys: Vec<_> = snapshot
                .zones
                .iter()
                .filter(|of| of.is_followed)
                .map(|of| (of.zone.domain, of.key))
                .collect();
            keys.sort_unstable();
            keys.dedup();
            for (domain, key) in keys {
                samples.whole([domain.name().into(), key.name().into()], 1);
            }
        },
    },
    Metric {
        name: "ffwatt_attribution_fallback_total",
        kind: Kind::Counter,
        unit: None,
        help: "Windows of energy counters that were split by CPU time although the energy of each core, or the use \
            of the integrated GPU, is counted, by reason. Absent where neither is.",
        labels: &["reason"],
        listener: Listener::Main,
        fill: |snapshot, _, samples| {
            for (reason, count) in &snapshot.fallbacks {
                samples.whole([reason.name().into()], *count);
            }
        },
    },
    Metric {
        name: "ffwatt_energy_model_info",
        kind: Kind::Info,
        unit: None,
        help: "Power of one virtual CPU, idle and busy, in watts, by which energy is estimated. cpu: row of \
            the processor, flat, or configured; source: origin of the watts. Absent while energy is measured.",
        labels: &["cpu", "idle_watts", "busy_watts", "source"],
        listener: Listener::Main,
        fill: |snapshot, _, samples| {
            if let Some(model) = snapshot.method.energy_model {
                let [idle, busy] = [model.idle, model.busy].map(|power| power.plain().into());
                samples.whole([model.cpu.into(), idle, busy, model.source.into()], 1);
            }
        },
    },
    Metric {
        name: "ffwatt_attribution_residual_joules",
        kind: Kind::Gauge,
        unit: Some("joules"),
        help: "Host energy minus the sum of all charges, in joules. Always 0; another value is a bug of \
            the agent.",
        labels: &["package", "domain"],
        listener: Listener::Main,
        fill: |snapshot, _, samples| {
            for zone in &snapshot.zones {
                samples.number(zone_labels(zone), zone.residual as f64 / 1e6);
            }
        },
    },
    Metric {
        name: "ffwatt_idle_power_watts",
        kind: Kind::Gauge,
        unit: Some("watts"),
        help: "Power of a zone without running tasks, in watts. Absent while it is unknown; the idle \
            share is then 0.",
        labels: &["package", "domain", "origin"],
        listener: Listener::Main,
        fill: |snapshot, _, samples| {
            for zone in &snapshot.zones {
                if let Some(idle) = zone.idle_power {
                    let [package, domain] = zone_labels(zone);
                    samples.number([package, domain, idle.origin.name().into()], idle.power.0);
                }
            }
        },
    },
    Metric {
        name: "ffwatt_idle_power_standard_error_watts",
        kind: Kind::Gauge,
        unit: Some("watts"),
        help: "Standard error of a zone's idle power, in watts. Absent unless the idle power is \
            calibrated or estimated by regression.",
        labels: &["package", "domain", "origin"],
        listener: Listener::Main,
        fill: |snapshot, _, samples| {
            for zone in &snapshot.zones {
                let error = |idle: IdlePower| Some((idle.origin, idle.standard_error?));
                if let Some((origin, error)) = zone.idle_power.and_then(error) {
                    let [package, domain] = zone_labels(zone);
                    samples.number([package, domain, origin.name().into()], error.0);
                }
            }
        },
    },
];
