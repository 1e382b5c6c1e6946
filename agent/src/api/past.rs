//! Formats the ledger for the API: power over a day or a month, its sums, and earlier transcodes.

use agent_core::join::history::Charge;
use agent_core::model::joined::EnergyBasis;
use agent_core::model::prices::UnitPrices;
use agent_core::model::workload::Pseudo;
use agent_core::units::MicroJoules;
use serde::Serialize;

use crate::api;
use crate::api::history::Named;
use crate::ledger::{State, Timeline, TimelineStep, TranscodeRow};

/// `/api/v1/history`.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct PastFigures {
    api_version: u32,
    step_seconds: i64,
    /// Seconds with a running agent; all sums are of these.
    known_seconds: f64,
    energy_joules: f64,
    cpu_seconds: f64,
    is_estimated: bool,
    currency: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    cost: Option<f64>,
    carbon_grams: f64,
    times_unix_seconds: Vec<f64>,
    series: Vec<Named>,
}

/// The part of the host that is no pseudo-workload. The ledger does not tell containers from services.
const WORKLOADS: &str = "workloads";

/// The host in parts, at the present prices.
pub(crate) fn of_host(timeline: &Timeline, prices: &UnitPrices) -> PastFigures {
    let parts = [WORKLOADS, "system", "idle", "unattributed"];
    let named = |part: &&str| Named {
        part: Some((*part).to_owned()),
        power_watts: values(timeline, |step| {
            let host = step.charge.unwrap_or_default().energy;
            let of = |wanted: &str| -> MicroJoules {
                let all = step.pseudo.iter().filter(|(name, _)| part_of(name) == wanted);
                all.map(|(_, energy)| *energy).sum()
            };
            let pseudo: MicroJoules = step.pseudo.values().copied().sum();
            Some(if *part == WORKLOADS { host.saturating_sub(pseudo) } else { of(part) })
        }),
        ..Named::default()
    };
    past(timeline, prices, parts.iter().map(named).collect())
}

/// The workloads of a name, at the present prices.
pub(crate) fn of_workload(name: &str, timeline: &Timeline, prices: &UnitPrices) -> PastFigures {
    let power_watts = values(timeline, |step| step.charge.map(|charge| charge.energy));
    let named = Named { workload: Some(name.to_owned()), power_watts, ..Named::default() };
    past(timeline, prices, vec![named])
}

/// The part of a pseudo-workload, as in the snapshot.
fn part_of(pseudo: &str) -> &'static str {
    match pseudo {
        name if name == Pseudo::Idle.name() => "idle",
        name if name == Pseudo::Unattributed.name() => "unattributed",
        _ => "system",
    }
}

/// Mean power of each step, in watts; `None` in a gap.
fn values(timeline: &Timeline, energy: impl Fn(&TimelineStep) -> Option<MicroJoules>) -> Vec<Option<f64>> {
    let mean = |step: &TimelineStep| {
        let energy = energy(step).filter(|_| step.known_seconds > 0.0)?;
        Some((energy.joules() / step.known_seconds * 1e3).round() / 1e3)
    };
    timeline.steps.iter().map(mean).collect()
}

fn past(timeline: &Timeline, prices: &UnitPrices, series: Vec<Named>) -> PastFigures {
    let steps = || timeline.steps.iter();
    let mut sum = Charge::default();
    steps().filter_map(|step| step.charge).for_each(|charge| sum += charge);
    PastFigures {
        api_version: api::VERSION,
        step_seconds: timeline.step_seconds,
        known_seconds: steps().map(|step| step.known_seconds).sum(),
        energy_joules: sum.energy.joules(),
        cpu_seconds: sum.cpu.seconds(),
        is_estimated: steps().any(|step| !step.is_measured),
        currency: prices.currency.to_string(),
        cost: prices.cost(sum.energy, sum.cpu).map(|cost| cost.0),
        carbon_grams: sum.energy.kilowatt_hours() * prices.carbon.0,
        times_unix_seconds: steps().map(|step| step.end.0).collect(),
        series,
    }
}

/// `/api/v1/history/transcodes`.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct PastTranscodes {
    api_version: u32,
    currency: String,
    items: Vec<PastTranscode>,
}

/// An earlier transcode.
#[derive(Clone, Debug, Serialize)]
struct PastTranscode {
    transcode: String,
    workload: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    scenario: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    codec: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    preset: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    resolution: String,
    started_unix_seconds: f64,
    ended_unix_seconds: f64,
    /// Whether its end was observed.
    is_end_known: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    exit_code: Option<i64>,
    energy_joules: f64,
    cpu_seconds: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    is_estimated: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    joules_per_frame: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    frames: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    vmaf_score: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cost: Option<f64>,
    carbon_grams: f64,
}

/// Earlier transcodes, at the present prices.
pub(crate) fn transcodes(rows: &[TranscodeRow], prices: &UnitPrices) -> PastTranscodes {
    let items = rows.iter().map(|row| past_transcode(row, prices)).collect();
    PastTranscodes { api_version: api::VERSION, currency: prices.currency.to_string(), items }
}

fn past_transcode(row: &TranscodeRow, prices: &UnitPrices) -> PastTranscode {
    let frames = row.seen.frames.filter(|frames| *frames > 0);
    PastTranscode {
        joules_per_frame: frames.map(|frames| row.seen.energy.joules() / frames as f64),
        started_unix_seconds: row.started.0,
        ended_unix_seconds: row.ended.0,
        is_end_known: row.state == State::Ended,
        exit_code: row.exit,
        energy_joules: row.energy.joules(),
        cpu_seconds: row.cpu.seconds(),
        is_estimated: row.basis.map(|basis| basis != EnergyBasis::Measured),
        frames: row.frames,
        vmaf_score: row.quality.vmaf.map(|vmaf| vmaf.0),
        cost: prices.cost(row.energy, row.cpu).map(|cost| cost.0),
        carbon_grams: row.energy.kilowatt_hours() * prices.carbon.0,
        transcode: row.key.clone(),
        workload: row.workload.clone(),
        scenario: row.scenario.clone(),
        codec: row.codec.clone(),
        preset: row.preset.clone(),
        resolution: row.resolution.clone(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use agent_core::time::WallTime;
    use agent_core::units::{CpuTime, Grams, Money};
    use serde_json::json;

    use super::*;

    fn prices() -> UnitPrices {
        UnitPrices {
            kilowatt_hour: Money(3.6),
            core_hour: Money(3600.0),
            currency: "EUR".into(),
            carbon: Grams(360.0),
        }
    }

    #[test]
    fn parts_sum_to_the_host_and_a_gap_has_no_power() {
        let joules = |joules: u64| MicroJoules(joules * 1_000_000);
        let step = |end: f64, known_seconds: f64, charge| TimelineStep {
            end: WallTime(end),
            known_seconds,
            is_measured: true,
            charge,
            pseudo: BTreeMap::new(),
        };
        let pseudo = [("idle", joules(20)), ("kernel", joules(4)), ("system", joules(6))];
        let charge = Charge { energy: joules(100), cpu: CpuTime(2_000_000_000) };
        let timeline = Timeline {
            step_seconds: 60,
            steps: vec![
                TimelineStep { pseudo: BTreeMap::from(pseudo), ..step(60.0, 10.0, Some(charge)) },
                step(120.0, 0.0, None),
            ],
        };
        let found = serde_json::to_value(of_host(&timeline, &prices())).unwrap();
        let series = json!([
            {"part": "workloads", "power_watts": [7.0, null]}, {"part": "system", "power_watts": [1.0, null]},
            {"part": "idle", "power_watts": [2.0, null]}, {"part": "unattributed", "power_watts": [0.0, null]}
        ]);
        assert_eq!(found["series"], series);
        assert_eq!(found["known_seconds"], json!(10.0));
        // 100 J at a millionth each, and two seconds of a CPU at one each.
        assert!((found["cost"].as_f64().unwrap() - 2.0001).abs() < 1e-9, "{found}");
        assert_eq!(found["is_estimated"], json!(false));
        let free = UnitPrices { kilowatt_hour: Money(0.0), core_hour: Money(0.0), ..prices() };
        let found = serde_json::to_value(of_workload("box", &timeline, &free)).unwrap();
        assert_eq!(found["series"], json!([{"workload": "box", "power_watts": [10.0, null]}]));
        assert_eq!(found.get("cost"), None);
    }

    #[test]
    fn an_earlier_transcode_has_the_frames_of_the_time_in_which_it_was_observed() {
        let row = TranscodeRow {
            key: "7-1".into(),
            energy: MicroJoules(90_000_000),
            frames: Some(1000),
            seen: agent_core::model::transcode::SeenOutput {
                energy: MicroJoules(50_000_000),
                frames: Some(250),
                ..Default::default()
            },
            ..TranscodeRow::default()
        };
        let found = serde_json::to_value(transcodes(&[row, TranscodeRow::default()], &prices())).unwrap();
        assert_eq!(found["items"][0]["joules_per_frame"], json!(0.2));
        assert_eq!(found["items"][1].get("joules_per_frame"), None);
        assert_eq!(found["currency"], json!("EUR"));
    }
}
