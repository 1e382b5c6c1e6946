//! Figures of a run's scenarios and of transcodes, as metrics, API and page show them. Unknown is `None`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::model::finding::Finding;
use crate::model::health::Kept;
use crate::model::scenario::Conditions;
use crate::model::transcode::Output;
use crate::model::vmaf_model::VmafModel;
use crate::units::{Bytes, CpuTime, Decibels, Grams, MicroJoules, Money, Pixels, Ratio, Vmaf, Watts};

/// The last run, joined with energy.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Joined {
    /// Whether the newest result file could be read; `None` before the folder was checked.
    pub is_readable: Option<bool>,
    /// Problems of result files.
    pub findings: Vec<Finding>,
    /// Its date, host and programs.
    pub conditions: Conditions,
    /// Its scenarios.
    pub scenarios: Vec<ScenarioFigures>,
    /// Budgets and their use.
    pub budgets: Vec<BudgetFigures>,
    /// Output of transcodes by key, where known.
    pub outputs: BTreeMap<Arc<str>, Output>,
    /// Finished transcodes that were compared with their sources.
    pub comparisons: Comparisons,
    /// Health of the ledger.
    pub ledger: LedgerHealth,
    /// Entries of the history in memory.
    pub history: Kept,
}

/// Health of the ledger.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LedgerHealth {
    /// Whether the last write succeeded.
    pub up: bool,
    /// Complete buckets that are not written yet.
    pub waiting: u64,
    /// Buckets that were dropped.
    pub lost_buckets: u64,
    /// Transcodes that were dropped.
    pub lost_transcodes: u64,
    /// Charges of a subject in a bucket that the database refused.
    pub lost_charges: u64,
    /// Size of the write-ahead log; `None` while there is no ledger.
    pub log_bytes: Option<u64>,
}

/// Comparisons of finished transcodes with their sources.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Comparisons {
    /// Comparisons with scores.
    pub done: u64,
    /// Comparisons without.
    pub failed: u64,
}

/// Source of a scenario's energy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EnergyBasis {
    /// Counted by hardware and attributed.
    Measured,
    /// Estimated from CPU use and attributed.
    Modelled,
    /// The result file's own figure.
    File,
}

impl EnergyBasis {
    /// As a label.
    pub fn name(self) -> &'static str {
        match self {
            Self::Measured => "measured",
            Self::Modelled => "model",
            Self::File => "file",
        }
    }
}

/// The rule that matched a scenario's energy, the best rule first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Matched {
    /// The whole host, for a baseline.
    Host,
    /// The file names a transcode.
    Transcode,
    /// The file names a workload.
    Container,
    /// A container's label `ffwatt.scenario` has the scenario's name.
    Label,
    /// All transcodes that ran in its window.
    Overlap,
    /// No rule: the energy is the file's.
    File,
}

impl Matched {
    /// All rules.
    pub const ALL: [Self; 6] =
        [Self::Host, Self::Transcode, Self::Container, Self::Label, Self::Overlap, Self::File];

    /// As a label.
    pub fn name(self) -> &'static str {
        match self {
            Self::Container => "container",
            Self::Transcode => "transcode",
            Self::Label => "label",
            Self::Overlap => "overlap",
            Self::Host => "host",
            Self::File => "file",
        }
    }
}

/// Figures of one scenario.
#[derive(Clone, Debug, PartialEq)]
pub struct ScenarioFigures {
    /// Labels and requested settings.
    pub names: Names,
    /// Length of the run.
    pub duration: Option<Duration>,
    /// Its energy.
    pub energy: Option<ScenarioEnergy>,
    /// Difference to the run's baseline.
    pub net: Option<Net>,
    /// Predicted power of its streams, by the run's other scenarios.
    pub predicted: Option<PredictedPower>,
    /// Quality scores.
    pub vmaf: Option<Vmaf>,
    /// The model of the VMAF score, where known.
    pub vmaf_model: Option<VmafModel>,
    /// PSNR.
    pub psnr: Option<Decibels>,
    /// SSIM.
    pub ssim: Option<Ratio>,
    /// Time that computing the scores took.
    pub quality_took: Option<Duration>,
    /// The share of the source's frames that the scores cover, where the encode is shorter.
    pub covered: Option<Ratio>,
    /// Share of lost frames.
    pub drop_rate: Option<Ratio>,
    /// Number of lost frames.
    pub dropped: Option<u64>,
    /// Achieved frames per second.
    pub reached_rate: Option<f64>,
    /// Encoded frames, over all renditions.
    pub frames: Option<f64>,
    /// Encoded pixels, over all renditions.
    pub pixels: Option<Pixels>,
    /// Size of the encodes.
    pub output_size: Option<Bytes>,
    /// Output per energy.
    pub efficiency: Efficiency,
    /// Costs, in the prices' currency first.
    pub costs: Vec<Costs>,
    /// Its carbon.
    pub carbon: Option<Grams>,
    /// Carbon of an hour of it.
    pub carbon_an_hour: Option<Grams>,
    /// Carbon of an hour less than the baseline's.
    pub carbon_avoided_an_hour: Option<Grams>,
}

/// Labels.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// Whether it is a baseline: then it has neither encoder, preset nor pixels.
    pub is_baseline: bool,
    /// Name of the result file without its suffix.
    pub run: String,
    /// The scenario's name as written.
    pub scenario: String,
    /// The name in the spelling of the quality and cost families.
    pub label: String,
    /// Bitrate as written.
    pub bitrate: String,
    /// Picture size as written; of a ladder, that of its largest rendition.
    pub resolution: String,
    /// Frames per second of the same rendition.
    pub frame_rate: String,
    /// Number of simultaneous encodes.
    pub streams: String,
    /// Renditions; `baseline` for a baseline.
    pub ladder: String,
    /// `cpu`, `gpu`, …; `baseline` for a baseline.
    pub encoder_type: String,
    /// `h264` where the file does not say, as upstream has it.
    pub encoder: String,
    /// `veryfast` where the file does not say, as upstream has it.
    pub preset: String,
    /// Name of the encoded clip, where a bench encoded a file.
    pub clip: String,
    /// What limits the size of the encode, as `crf22` or `2M`: repeats have the same.
    pub setting: String,
}

/// Figures of a transcode so far. The unit is in the name.
#[derive(Clone, Debug, Default, PartialEq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct TranscodeFigures {
    pub joules_per_frame: Option<f64>,
    pub joules_per_megapixel: Option<f64>,
    pub joules_per_output_second: Option<f64>,
    pub joules_per_vmaf_point: Option<f64>,
    pub vmaf_per_watt: Option<f64>,
    /// Costs in each currency.
    pub costs: Vec<TranscodeCost>,
    pub carbon: Option<Grams>,
}

/// Cost of a transcode, in one currency.
#[derive(Clone, Debug, PartialEq)]
pub struct TranscodeCost {
    /// The currency.
    pub currency: Arc<str>,
    /// Cost of energy and busy cores.
    pub total: Money,
    /// The same for an hour of output.
    pub per_output_hour: Option<Money>,
}

/// A scenario's energy.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScenarioEnergy {
    /// Energy.
    pub energy: MicroJoules,
    /// CPU time, where known.
    pub cpu: Option<CpuTime>,
    /// Mean power over its window.
    pub mean: Option<Watts>,
    /// Deviation of its power from tick to tick (sample standard deviation).
    pub deviation: Option<Watts>,
    /// Mean power of graphics cards, from the file.
    pub gpu: Option<Watts>,
    /// Mean CPU use of all containers together, of one CPU.
    pub containers: Option<Ratio>,
    /// Mean CPU use of the engine, of one CPU.
    pub engine: Option<Ratio>,
    /// Source of the energy.
    pub basis: EnergyBasis,
    /// Rule that matched the energy.
    pub matched: Matched,
}

/// A scenario compared with the run's baseline: by the host's power, which includes all effects of the encode.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Net {
    /// Mean power of the host above the baseline's.
    pub power: Watts,
    /// Share of the baseline's power.
    pub increase: Option<Ratio>,
    /// Energy over the scenario's time, in watt hours; negative when it drew less than the baseline.
    pub energy_watt_hours: f64,
    /// CPU use of containers above the baseline's, of one CPU.
    pub containers: Option<Ratio>,
}

/// Predicted power, with its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PredictedPower {
    /// Mean power.
    pub power: Watts,
    /// Lower end.
    pub low: Watts,
    /// Upper end.
    pub high: Watts,
}

/// Output per energy. The unit is in the name.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Efficiency {
    pub megabits_per_watt: Option<f64>,
    pub pixels_per_joule: Option<f64>,
    pub vmaf_per_watt: Option<f64>,
    pub quality_weighted_pixels_per_joule: Option<f64>,
    pub joules_per_frame: Option<f64>,
    pub joules_per_megapixel: Option<f64>,
    pub joules_per_vmaf_point: Option<f64>,
    pub watt_hours_per_megabit: Option<f64>,
}

/// Costs of a scenario, in one currency. Amounts that include energy are `None` where the energy is unknown.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Costs {
    /// The currency.
    pub currency: Arc<str>,
    /// Cost of energy.
    pub energy: Option<Money>,
    /// Cost of the machine, by time.
    pub compute: Option<Money>,
    /// Sum of both.
    pub total: Option<Money>,
    /// Cost of busy cores.
    pub compute_by_load: Option<Money>,
    /// Cost of energy and busy cores.
    pub total_by_load: Option<Money>,
    /// Total cost of one pixel.
    pub per_pixel: Option<Money>,
    /// Total cost of one viewer's hour.
    pub per_watch_hour: Option<Money>,
    /// Cost of an hour's energy.
    pub energy_an_hour: Option<Money>,
    /// Cost of an hour's energy less than the baseline's.
    pub energy_saved_an_hour: Option<Money>,
    /// Cost of energy and busy cores for an hour of output.
    pub per_output_hour: Option<Money>,
}

impl Costs {
    /// The scenario's cost everywhere but on the legacy ports: energy and busy cores; where those are
    /// unknown, energy and machine time.
    pub fn shown(&self) -> Option<Money> {
        self.total_by_load.or(self.total)
    }
}

/// Figures of a budget.
#[derive(Clone, Debug, PartialEq)]
pub struct BudgetFigures {
    /// `day` or `month`.
    pub period: &'static str,
    /// A currency, or `kWh`.
    pub unit: String,
    /// Limit for the period.
    pub limit: f64,
    /// Amount spent so far.
    pub spent: f64,
    /// Spent share of the limit.
    pub used: Option<Ratio>,
    /// Forecast of the amount spent at the end of the period.
    pub forecast: Option<f64>,
}
