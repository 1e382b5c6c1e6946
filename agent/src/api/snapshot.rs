//! Formats the host at one tick for the API: its power and the claimants', the method of measurement, and findings.

use std::time::Duration;

use agent_core::model::snapshot::{Snapshot, TranscodeSnapshot, WorkloadSnapshot, ZoneSnapshot};
use agent_core::model::workload::{Pseudo, WorkloadKind};
use agent_core::units::{CpuTime, MicroJoules, Watts};
use serde::{Deserialize, Serialize};

use crate::api::finding::{self, Finding, Notice};
use crate::api::{self, Conditions, Scenario, Transcode, Workload};

/// `/api/v1/snapshot`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Answer {
    pub api_version: u32,
    pub agent_version: String,
    #[serde(default)]
    pub process: Process,
    /// Age of the snapshot when it was sent; not in the body, which is the same for all requests of one tick.
    #[serde(skip)]
    pub age: Duration,
    pub tick: u64,
    pub time_unix_seconds: f64,
    pub tick_seconds: f64,
    pub host: Host,
    pub split: Vec<Part>,
    #[serde(default)]
    pub idle_power: Vec<ZoneIdle>,
    pub method: Method,
    pub prices: Prices,
    pub sources: Vec<Source>,
    pub findings: Vec<Finding>,
    /// The findings, grouped by kind: for screens.
    #[serde(default)]
    pub notices: Vec<Notice>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workloads: Option<Vec<Workload>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transcodes: Option<Vec<Transcode>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scenarios: Option<Vec<Scenario>>,
    /// Of the run of the scenarios.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conditions: Option<Conditions>,
}

/// The agent's own process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Process {
    pub pid: u32,
    pub started_unix_seconds: f64,
}

impl Answer {
    /// Whether the agent has missed three ticks since: then its figures are old, and the age is shown.
    pub(crate) fn is_stale(&self) -> bool {
        self.age.as_secs_f64() > STALE_AFTER_TICKS * self.tick_seconds
    }
}

/// The same limit as on the page.
const STALE_AFTER_TICKS: f64 = 3.0;

/// The host.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Host {
    pub cpus: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub utilisation_ratio: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub power_watts: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub energy_joules: Option<f64>,
    /// Busy CPUs in the last tick.
    #[serde(default)]
    pub cpu_cores: f64,
    #[serde(default)]
    pub cpu_seconds: f64,
    /// Of energy and CPU time since the agent started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<f64>,
    /// At the power and the busy CPUs of the last tick.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost_per_hour: Option<f64>,
}

/// A part of the host's power. The sum of all parts is the whole.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Part {
    pub part: String,
    pub power_watts: f64,
}

/// Power of one zone without running tasks.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct ZoneIdle {
    pub zone: String,
    pub power_watts: f64,
    pub origin: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub standard_error_watts: Option<f64>,
}

/// Sources of the figures, and the policy of attribution.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Method {
    pub cpu_source: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub energy_source: Option<String>,
    pub is_estimated: bool,
    pub idle_policy: String,
}

/// Prices of energy and of busy CPUs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Prices {
    pub currency: String,
    pub per_kilowatt_hour: f64,
    /// Of one busy CPU.
    #[serde(default)]
    pub per_cpu_hour: f64,
    pub carbon_grams_per_kilowatt_hour: f64,
}

/// A source of figures.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Source {
    pub source: String,
    pub is_up: bool,
    #[serde(default)]
    pub state: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub problem: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub fix: String,
    pub errors_total: u64,
}

/// Optional lists of an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Include {
    pub workloads: bool,
    pub transcodes: bool,
    pub scenarios: bool,
}

/// Builds the answer from a snapshot.
pub(crate) fn answer(snapshot: &Snapshot, include: Include) -> Answer {
    let method = snapshot.method;
    let findings = finding::findings(snapshot);
    let is_live =
        |transcode: &&TranscodeSnapshot| transcode.ended.is_none() && transcode.identity.encode.is_live;
    let live = snapshot.transcodes.iter().filter(is_live).count();
    Answer {
        api_version: api::VERSION,
        agent_version: env!("CARGO_PKG_VERSION").to_owned(),
        process: Process { pid: snapshot.process.pid, started_unix_seconds: snapshot.process.started },
        age: Duration::ZERO,
        tick: snapshot.tick,
        time_unix_seconds: snapshot.wall.0,
        tick_seconds: snapshot.window.as_secs_f64(),
        host: host(snapshot),
        split: split(snapshot)
            .map(|(part, watts)| Part { part: part.to_owned(), power_watts: watts.0 })
            .collect(),
        idle_power: idle_power(snapshot),
        method: Method {
            cpu_source: method.cpu_source.name().to_owned(),
            energy_source: method.energy_source.map(|source| source.name().to_owned()),
            is_estimated: method.energy_source.is_some_and(|source| !source.is_measured()),
            idle_policy: method.idle_policy.to_owned(),
        },
        prices: Prices {
            currency: snapshot.prices.currency.to_string(),
            per_kilowatt_hour: snapshot.prices.kilowatt_hour.0,
            per_cpu_hour: snapshot.prices.core_hour.0,
            carbon_grams_per_kilowatt_hour: snapshot.prices.carbon.0,
        },
        sources: sources(snapshot),
        notices: finding::notices(&findings, live),
        findings,
        workloads: include.workloads.then(|| api::workloads(snapshot)),
        transcodes: include.transcodes.then(|| api::transcodes(snapshot)),
        scenarios: include.scenarios.then(|| api::scenarios(snapshot)),
        conditions: include.scenarios.then(|| Conditions::of(&snapshot.joined.conditions)),
    }
}

fn idle_power(snapshot: &Snapshot) -> Vec<ZoneIdle> {
    let of = |zone: &ZoneSnapshot| {
        let idle = zone.idle_power?;
        Some(ZoneIdle {
            zone: zone.zone.to_string(),
            power_watts: idle.power.0,
            origin: idle.origin.name().to_owned(),
            standard_error_watts: idle.standard_error.map(|watts| watts.0),
        })
    };
    snapshot.zones.iter().filter_map(of).collect()
}

fn host(snapshot: &Snapshot) -> Host {
    let counting = snapshot.zones.iter().filter(|zone| zone.counts);
    let total = snapshot.has_energy().then(|| counting.map(|zone| zone.total).sum::<MicroJoules>());
    let shown = snapshot.workloads.iter().map(|one| &one.account);
    let cpu: CpuTime =
        shown.clone().map(|account| account.cpu).sum::<CpuTime>() + snapshot.ended.workloads.cpu;
    let power = snapshot.host_power();
    let used: CpuTime = shown.map(|account| account.window_cpu).sum();
    let prices = &snapshot.prices;
    Host {
        cpus: snapshot.host.cpus,
        utilisation_ratio: snapshot.host.utilisation.map(|ratio| ratio.0),
        memory_bytes: snapshot.host.memory.map(|bytes| bytes.0),
        power_watts: power.map(|power| power.0),
        energy_joules: total.map(MicroJoules::joules),
        cpu_cores: cores(used, snapshot),
        cpu_seconds: cpu.seconds(),
        cost: total.and_then(|energy| prices.cost(energy, cpu)).map(|cost| cost.0),
        cost_per_hour: power.and_then(|power| cost_per_hour(snapshot, power, used)),
    }
}

/// Busy CPUs in the last tick.
pub(super) fn cores(used: CpuTime, snapshot: &Snapshot) -> f64 {
    let seconds = snapshot.window.as_secs_f64();
    if seconds > 0.0 { used.seconds() / seconds } else { 0.0 }
}

/// Cost of an hour at this power, with as much CPU time as in the last tick.
fn cost_per_hour(snapshot: &Snapshot, power: Watts, used: CpuTime) -> Option<f64> {
    let ticks = HOUR.as_secs_f64() / snapshot.window.as_secs_f64();
    let cpu = CpuTime((used.0 as f64 * ticks).round() as u64);
    snapshot.prices.cost(power.during(HOUR), cpu).map(|cost| cost.0).filter(|cost| cost.is_finite())
}

const HOUR: Duration = Duration::from_hours(1);

/// The parts, in the order they are shown.
pub(super) const PARTS: [&str; 5] = ["containers", "services", "system", "idle", "unattributed"];

/// Names of the parts on displays.
pub(crate) const PART_NAMES: [(&str, &str); PARTS.len()] = [
    ("containers", "containers"),
    ("services", "services"),
    ("system", "system and kernel"),
    ("idle", "idle power"),
    ("unattributed", "unattributed"),
];

/// The part of a workload, as an index into [`PARTS`].
pub(super) fn part_of(workload: &WorkloadSnapshot) -> usize {
    let name = &*workload.identity.name;
    match workload.identity.kind {
        kind if kind.is_container() => 0,
        WorkloadKind::Pseudo if name == Pseudo::Idle.name() => 3,
        WorkloadKind::Pseudo if name == Pseudo::Unattributed.name() => 4,
        WorkloadKind::Pseudo => 2,
        _ => 1,
    }
}

/// The power of each part in the last tick; empty where it is unknown.
pub(super) fn split(snapshot: &Snapshot) -> impl Iterator<Item = (&'static str, Watts)> {
    let mut sums = [MicroJoules::ZERO; PARTS.len()];
    for workload in &snapshot.workloads {
        sums[part_of(workload)] += workload.account.window_energy;
    }
    PARTS.into_iter().zip(sums).filter_map(|(part, energy)| Some((part, snapshot.power_of(energy)?)))
}

fn sources(snapshot: &Snapshot) -> Vec<Source> {
    let source = |(name, health): (&&'static str, &agent_core::model::health::SourceHealth)| Source {
        source: (*name).to_owned(),
        is_up: health.up,
        state: health.state().name().to_owned(),
        problem: health.problem.clone(),
        fix: health.hint.clone(),
        errors_total: health.errors.values().sum(),
    };
    snapshot.sources.iter().map(source).collect()
}
