//! `ffwatt_workload_*`: the energy of each workload.
//!
//! The overhead of a Kubernetes pod has its energy, where there is any, and its CPU time only: a node has as many such rows as pods.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::metrics::catalog::{Kind, Listener, Metric};
use crate::metrics::family::host::zone_labels;
use crate::model::account::Account;
use crate::model::snapshot::{Snapshot, WorkloadSnapshot};
use crate::model::workload::Identity;
use crate::text::joined;
use crate::units::MicroJoules;

pub(super) const METRICS: &[Metric] = &[
    Metric {
        name: "ffwatt_workload_energy_joules_total",
        kind: Kind::Counter,
        unit: Some("joules"),
        help: "Energy charged to a workload since its series began, in joules; with ffwatt_ended_energy_joules_total it sums to ffwatt_host_energy_joules_total, per package and domain, exactly.",
        labels: &joined::<_, _, 9>(Identity::LABELS, ["package", "domain", "share"]),
        listener: Listener::Main,
        fill: |snapshot, _, samples| {
            for workload in &snapshot.workloads {
                let is_idle = is_only_idle(&workload.identity);
                let is_overhead = workload.identity.is_overhead();
                let account = counted(workload);
                for (index, zone) in snapshot.known_zones() {
                    let charges = account.zones.get(index).copied().unwrap_or_default();
                    // A series begins at 0; one that can never grow is left out.
                    let may_idle =
                        if is_idle { zone.idle_power.is_some() } else { snapshot.method.idle_is_shared };
                    for (share, energy, may_grow) in
                        [("dynamic", charges.dynamic, !is_idle), ("idle", charges.idle, may_idle)]
                    {
                        if (may_grow && !is_overhead) || energy > MicroJoules::ZERO {
                            let [package, domain] = zone_labels(zone);
                            let labels = (workload.identity.labels(), [package, domain, share.into()]);
                            samples.counter(labels, energy.joules(), workload.series.created);
                        }
                    }
                }
            }
        },
    },
    Metric {
        name: "ffwatt_workload_cpu_seconds_total",
        kind: Kind::Counter,
        unit: Some("seconds"),
        help: "CPU time of a workload, in seconds.",
        labels: &Identity::LABELS,
        listener: Listener::Main,
        fill: |snapshot, _, samples| {
            for workload in snapshot.workloads.iter().filter(|workload| !is_only_idle(&workload.identity)) {
                let cpu = counted(workload).cpu.seconds();
                samples.counter((workload.identity.labels(), []), cpu, workload.series.created);
            }
        },
    },
    Metric {
        name: "ffwatt_workload_gpu_engine_seconds_total",
        kind: Kind::Counter,
        unit: Some("seconds"),
        help: "Busy time of the engines of the integrated GPU for a workload, by class of engine, in seconds. Absent for a \
            class that the workload has not used.",
        labels: &joined::<_, _, 7>(Identity::LABELS, ["engine"]),
        listener: Listener::Main,
        fill: |snapshot, _, samples| {
            for workload in &snapshot.workloads {
                for (engine, seconds) in counted(workload).engines.seconds() {
                    let labels = (workload.identity.labels(), [engine.name().into()]);
                    samples.counter(labels, seconds, workload.series.created);
                }
            }
        },
    },
    Metric {
        name: "ffwatt_workload_energy_uncertainty_joules_total",
        kind: Kind::Counter,
        unit: Some("joules"),
        help: "Sum of the bounds on the error of each tick's charge to a workload, in joules.",
        labels: &joined::<_, _, 7>(Identity::LABELS, ["domain"]),
        listener: Listener::Main,
        fill: |snapshot, _, samples| {
            for workload in snapshot.workloads.iter().filter(|workload| !workload.identity.is_overhead()) {
                for (domain, uncertainty) in uncertainties(snapshot, &counted(workload)) {
                    let labels = (workload.identity.labels(), [domain.into()]);
                    samples.counter(labels, uncertainty.joules(), workload.series.created);
                }
            }
        },
    },
    Metric {
        name: "ffwatt_workload_info",
        kind: Kind::Info,
        unit: None,
        help: "Properties of a workload.",
        labels: &joined::<_, _, 11>(Identity::LABELS, ["image", "scenario", "runtime", "pod_uid", "cgroup"]),
        listener: Listener::Main,
        fill: |snapshot, _, samples| {
            let has_properties = |identity: &Identity| !identity.id.is_empty() && !identity.is_overhead();
            for workload in snapshot.workloads.iter().filter(|workload| has_properties(&workload.identity)) {
                let details = &workload.identity.details;
                let text = |value: Option<&'_ str>| Cow::Owned(value.unwrap_or_default().to_owned());
                let image = text(details.image.as_deref());
                let scenario = text(details.scenario());
                let (pod, cgroup) = (text(details.pod_uid.as_deref()), text(details.cgroup.as_deref()));
                let properties = [image, scenario, details.runtime.into(), pod, cgroup];
                samples.whole((workload.identity.labels(), properties), 1);
            }
        },
    },
    Metric {
        name: "ffwatt_workloads_folded",
        kind: Kind::Gauge,
        unit: None,
        help: "Workloads that share the series (other) because there are more than attribution.max_workloads.",
        labels: &[],
        listener: Listener::Main,
        fill: |snapshot, _, samples| samples.whole([], snapshot.beyond_limit.0 as u64),
    },
];

/// The part of a workload's account in its present series.
fn counted(workload: &WorkloadSnapshot) -> Cow<'_, Account> {
    workload.account.since(&workload.series.earlier)
}

/// Uncertainty of an account by domain: of every domain, so that each series begins at 0.
pub(super) fn uncertainties(snapshot: &Snapshot, account: &Account) -> BTreeMap<&'static str, MicroJoules> {
    let mut domains: BTreeMap<&'static str, MicroJoules> = BTreeMap::new();
    for (index, zone) in snapshot.known_zones() {
        let charges = account.zones.get(index).copied().unwrap_or_default();
        *domains.entry(zone.zone.domain.name()).or_default() += charges.uncertainty;
    }
    domains
}

/// The pseudo-workload `idle` has no dynamic energy.
fn is_only_idle(identity: &Identity) -> bool {
    identity.id.is_empty() && &*identity.name == crate::model::workload::Pseudo::Idle.name()
}
