//! Formats workloads for the API: containers, units and the pseudo-workloads.

use agent_core::model::snapshot::{Snapshot, WorkloadSnapshot};
use serde::{Deserialize, Serialize};

use crate::api::snapshot::{PARTS, part_of};

/// An item of `/api/v1/workloads`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Workload {
    pub workload: String,
    pub id: String,
    pub kind: String,
    pub part: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scenario: Option<String>,
    pub is_running: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub power_watts: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub energy_joules: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uncertainty_joules: Option<f64>,
    pub cpu_cores: f64,
    pub cpu_seconds: f64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub energy_cost: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub carbon_grams: Option<f64>,
}

/// All workloads, in the order of the metrics.
pub(crate) fn workloads(snapshot: &Snapshot) -> Vec<Workload> {
    snapshot.workloads.iter().map(|workload| workload_of(snapshot, workload)).collect()
}

fn workload_of(snapshot: &Snapshot, workload: &WorkloadSnapshot) -> Workload {
    let (identity, account) = (&workload.identity, &workload.account);
    let energy = snapshot.has_energy().then(|| snapshot.energy_of(account));
    let seconds = snapshot.window.as_secs_f64();
    let uncertainty = || account.zones.iter().enumerate().filter(|(zone, _)| snapshot.counts(*zone));
    Workload {
        workload: identity.name.to_string(),
        id: identity.id.to_string(),
        kind: identity.kind.name().to_owned(),
        part: PARTS[part_of(workload)].to_owned(),
        image: identity.details.image.clone(),
        scenario: identity.details.scenario().map(str::to_owned),
        is_running: workload.running,
        power_watts: snapshot.power_of(account.window_energy).map(|power| power.0),
        energy_joules: energy.map(agent_core::units::MicroJoules::joules),
        uncertainty_joules: energy
            .map(|_| uncertainty().map(|(_, charges)| charges.uncertainty.joules()).sum()),
        cpu_cores: if seconds > 0.0 { account.window_cpu.seconds() / seconds } else { 0.0 },
        cpu_seconds: account.cpu.seconds(),
        memory_bytes: workload.memory.map(|memory| memory.used.0),
        energy_cost: energy.map(|energy| energy.kilowatt_hours() * snapshot.prices.kilowatt_hour.0),
        carbon_grams: energy.map(|energy| energy.kilowatt_hours() * snapshot.prices.carbon.0),
    }
}
