//! `ffwatt_namespace_*`: totals of all workloads of a Kubernetes namespace, also of those that have ended.

use std::collections::BTreeMap;

use crate::metrics::catalog::{Kind, Listener, Metric};
use crate::units::MicroJoules;

pub(super) const METRICS: &[Metric] = &[Metric {
    name: "ffwatt_namespace_energy_joules_total",
    kind: Kind::Counter,
    unit: Some("joules"),
    help: "Energy charged to the workloads of a Kubernetes namespace since the agent started, ended ones included, in joules, with their idle part where the idle policy charges it; energy that was charged before the namespace was known is not included.",
    labels: &["namespace", "domain"],
    listener: Listener::Main,
    fill: |snapshot, _, samples| {
        for namespace in &snapshot.namespaces {
            let mut domains: BTreeMap<&'static str, MicroJoules> = BTreeMap::new();
            for (index, zone) in snapshot.known_zones() {
                let charges = namespace.totals.account.zones.get(index).copied().unwrap_or_default();
                *domains.entry(zone.zone.domain.name()).or_default() += charges.energy();
            }
            for (domain, energy) in domains {
                let labels = ([&*namespace.labels[0]], [domain.into()]);
                samples.counter(labels, energy.joules(), namespace.created);
            }
        }
    },
}];
