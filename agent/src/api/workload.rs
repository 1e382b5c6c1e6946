//! Formats workloads for the API: containers, units and the pseudo-workloads.

use std::collections::BTreeMap;

use agent_core::gpu::engine::EngineTimes;
use agent_core::model::snapshot::{Snapshot, WorkloadSnapshot};
use serde::{Deserialize, Serialize};

use crate::api::condition::Condition;
use crate::api::significant::six_digits;
use crate::api::snapshot::{PARTS, cores, part_of};

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
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub state: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub power_watts: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub energy_joules: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uncertainty_joules: Option<f64>,
    pub cpu_cores: f64,
    pub cpu_seconds: f64,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub gpu_engine_seconds: BTreeMap<String, f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub energy_cost: Option<f64>,
    /// Of its energy and its CPU time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<f64>,
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
    let prices = &snapshot.prices;
    let uncertainty = || account.zones.iter().enumerate().filter(|(zone, _)| snapshot.counts(*zone));
    Workload {
        workload: identity.name.to_string(),
        id: identity.id.to_string(),
        kind: identity.kind.name().to_owned(),
        part: PARTS[part_of(workload)].to_owned(),
        image: identity.details.image.clone(),
        scenario: identity.details.scenario().map(str::to_owned),
        is_running: workload.running,
        state: Condition::of(workload.running).word().to_owned(),
        power_watts: snapshot.power_of(account.window_energy).map(|power| six_digits(power.0)),
        energy_joules: energy.map(agent_core::units::MicroJoules::joules),
        uncertainty_joules: energy
            .map(|_| uncertainty().map(|(_, charges)| charges.uncertainty.joules()).sum()),
        cpu_cores: six_digits(cores(account.window_cpu, snapshot)),
        cpu_seconds: account.cpu.seconds(),
        gpu_engine_seconds: by_class(&account.engines),
        memory_bytes: workload.memory.map(|memory| memory.used.0),
        energy_cost: energy
            .filter(|_| prices.are_set())
            .map(|energy| six_digits(energy.kilowatt_hours() * prices.kilowatt_hour.0)),
        cost: energy.and_then(|energy| prices.cost(energy, account.cpu)).map(|cost| six_digits(cost.0)),
        carbon_grams: energy.map(|energy| six_digits(energy.kilowatt_hours() * prices.carbon.0)),
    }
}

/// Busy seconds by the name of the class. A class without use is left out: use that is not known looks the same.
pub(super) fn by_class(engines: &EngineTimes) -> BTreeMap<String, f64> {
    engines.seconds().map(|(class, seconds)| (class.name().to_owned(), seconds)).collect()
}

#[cfg(test)]
mod tests {
    use serde::Serialize;
    use serde_json::{Value, json};

    use super::*;
    use crate::api::transcodes;
    use crate::pipeline::tests::graphics::GpuScene;

    /// The engine time of those items of a list that have any.
    fn engine_times(list: &impl Serialize) -> Vec<Value> {
        let items = serde_json::to_value(list).unwrap();
        items.as_array().unwrap().iter().filter_map(|item| item.get("gpu_engine_seconds")).cloned().collect()
    }

    #[test]
    fn engine_time_is_shown_for_the_encode_and_its_container_only() {
        let mut host = GpuScene::new();
        let before = host.second(0.0, 0.06);
        assert_eq!(engine_times(&workloads(&before)), [json!(null); 0]);
        host.second(0.5, 0.06);
        let last = host.second(0.75, 0.06);
        assert!(last.workloads.len() > 1 && last.transcodes.len() == 1);
        for shown in [engine_times(&workloads(&last)), engine_times(&transcodes(&last))] {
            assert_eq!(shown, [json!({"video": 1.25})]);
        }
    }
}
