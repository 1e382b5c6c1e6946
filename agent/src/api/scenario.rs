//! Formats the last run's scenarios for the API, and marks the Pareto-optimal ones.

use agent_core::join::pareto_front::pareto_front;
use agent_core::model::joined::{Costs, ScenarioFigures};
use agent_core::model::scenario;
use agent_core::model::snapshot::Snapshot;
use agent_core::units::CpuTime;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// An item of `/api/v1/scenarios`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Scenario {
    pub scenario: String,
    pub run: String,
    pub encoder: String,
    pub preset: String,
    pub resolution: String,
    pub bitrate: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub frame_rate: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub streams: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub ladder: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub clip: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub setting: String,
    pub is_on_front: bool,
    pub is_baseline: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_seconds: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub energy_joules: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_seconds: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub energy_basis: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub matched_by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub power_watts: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frames: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub joules_per_frame: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub joules_per_megapixel: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vmaf_score: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vmaf_model: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub psnr_decibels: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ssim_score: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quality_covered_ratio: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vmaf_per_watt: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub carbon_grams: Option<f64>,
}

/// When, where and with which programs a run was made.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Conditions {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub date: Option<String>,
    /// Texts by name, in the order of the file.
    pub host: Map<String, Value>,
}

impl Conditions {
    pub(super) fn of(conditions: &scenario::Conditions) -> Self {
        let named = |(name, value): &(String, String)| (name.clone(), Value::from(value.as_str()));
        Self { date: conditions.date.clone(), host: conditions.host.iter().map(named).collect() }
    }

    /// The conditions as a result file has them.
    pub(crate) fn of_run(&self) -> scenario::Conditions {
        let text = |(name, value): (&String, &Value)| Some((name.clone(), value.as_str()?.to_owned()));
        scenario::Conditions { date: self.date.clone(), host: self.host.iter().filter_map(text).collect() }
    }
}

/// All scenarios, in the order of the result file.
pub(crate) fn scenarios(snapshot: &Snapshot) -> Vec<Scenario> {
    let all = &snapshot.joined.scenarios;
    let front = pareto_front(all);
    let is_on_front = |one: &ScenarioFigures| front.iter().any(|(other, ..)| std::ptr::eq(*other, one));
    all.iter().map(|one| Scenario { is_on_front: is_on_front(one), ..scenario_of(one) }).collect()
}

fn scenario_of(figures: &ScenarioFigures) -> Scenario {
    let (names, energy, cost) = (&figures.names, &figures.energy, figures.costs.first());
    Scenario {
        scenario: names.scenario.clone(),
        run: names.run.clone(),
        encoder: names.encoder.clone(),
        preset: names.preset.clone(),
        resolution: names.resolution.clone(),
        bitrate: names.bitrate.clone(),
        frame_rate: names.frame_rate.clone(),
        streams: names.streams.clone(),
        ladder: names.ladder.clone(),
        clip: names.clip.clone(),
        setting: names.setting.clone(),
        is_baseline: names.is_baseline,
        duration_seconds: figures.duration.map(|duration| duration.as_secs_f64()),
        energy_joules: energy.map(|energy| energy.energy.joules()),
        cpu_seconds: energy.and_then(|energy| energy.cpu).map(CpuTime::seconds),
        energy_basis: energy.map(|energy| energy.basis.name().to_owned()),
        matched_by: energy.map(|energy| energy.matched.name().to_owned()),
        power_watts: energy.and_then(|energy| energy.mean).map(|power| power.0),
        frames: figures.frames,
        output_bytes: figures.output_size.map(|size| size.0),
        joules_per_frame: figures.efficiency.joules_per_frame,
        joules_per_megapixel: figures.efficiency.joules_per_megapixel,
        vmaf_score: figures.vmaf.map(|vmaf| vmaf.0),
        vmaf_model: figures.vmaf_model.map(|model| model.name().to_owned()),
        psnr_decibels: figures.psnr.map(|psnr| psnr.0).filter(|psnr| psnr.is_finite()),
        ssim_score: figures.ssim.map(|ssim| ssim.0),
        quality_covered_ratio: figures.covered.map(|share| share.0),
        vmaf_per_watt: figures.efficiency.vmaf_per_watt,
        currency: cost.map(|cost| cost.currency.to_string()),
        cost: cost.and_then(Costs::shown).map(|cost| cost.0),
        carbon_grams: figures.carbon.map(|carbon| carbon.0),
        ..Scenario::default()
    }
}
