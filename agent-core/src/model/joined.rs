//! Figures of a run's scenarios and of transcodes, as metrics, API and page show them. Unknown is `None`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::model::health::Kept;
use crate::model::transcode::Output;
use crate::units::{CpuTime, Decibels, Grams, MicroJoules, Money, Pixels, Ratio, Vmaf, Watts};

/// The last run, joined with energy.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Joined {
    /// Whether the newest result file could be read; `None` before the folder was looked at.
    pub is_readable: Option<bool>,
    /// Its scenarios.
    pub scenarios: Vec<ScenarioFigures>,
    /// What may be spent, and what has been.
    pub budgets: Vec<BudgetFigures>,
    /// What transcodes have put out, by key, where that is known.
    pub outputs: BTreeMap<Arc<str>, Output>,
    /// Finished transcodes that were compared with their sources.
    pub comparisons: Comparisons,
    /// The past on disk.
    pub ledger: LedgerHealth,
    /// How much of the recent past is kept in memory.
    pub history: Kept,
}

/// How the ledger is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LedgerHealth {
    /// Whether it could be written the last time.
    pub up: bool,
    /// Buckets that are over and not written.
    pub waiting: u64,
    /// Buckets that were given up.
    pub lost_buckets: u64,
    /// Transcodes that were given up.
    pub lost_transcodes: u64,
    /// Charges of a subject in a bucket that the database refused.
    pub lost_charges: u64,
    /// Size of the write-ahead log; `None` while there is no ledger.
    pub log_bytes: Option<u64>,
}

/// Comparisons of finished transcodes with their sources.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Comparisons {
    /// Those that gave scores.
    pub done: u64,
    /// Those that did not.
    pub failed: u64,
}

/// Where a scenario's joules come from.
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

/// How it was found whose joules a scenario's are, the best rule first.
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
    /// Nobody: the joules are the file's.
    File,
}

impl Matched {
    /// All of them.
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

/// One scenario.
#[derive(Clone, Debug, PartialEq)]
pub struct ScenarioFigures {
    /// What it is called and was asked to do.
    pub names: Names,
    /// How long it ran.
    pub duration: Option<Duration>,
    /// Its energy.
    pub energy: Option<ScenarioEnergy>,
    /// Against the run's baseline.
    pub net: Option<Net>,
    /// What its streams were to be expected to draw, by the run's other scenarios.
    pub predicted: Option<PredictedPower>,
    /// Quality scores.
    pub vmaf: Option<Vmaf>,
    /// PSNR.
    pub psnr: Option<Decibels>,
    /// SSIM.
    pub ssim: Option<Ratio>,
    /// How long computing the scores took.
    pub quality_took: Option<Duration>,
    /// The share of the source's frames that the scores are of, where the encode is shorter.
    pub covered: Option<Ratio>,
    /// Frames lost of all.
    pub drop_rate: Option<Ratio>,
    /// Frames that were lost.
    pub dropped: Option<u64>,
    /// Frames a second that were reached.
    pub reached_rate: Option<f64>,
    /// Frames encoded, over all renditions.
    pub frames: Option<f64>,
    /// Pixels encoded, over all renditions.
    pub pixels: Option<Pixels>,
    /// What was got for energy.
    pub efficiency: Efficiency,
    /// What it cost, in the prices' currency first.
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
    /// Whether it is the host without an encode: then it has neither encoder, preset nor pixels.
    pub is_baseline: bool,
    /// Name of the result file without its ending.
    pub run: String,
    /// The scenario's name as written.
    pub scenario: String,
    /// The same as the quality and cost families spell it.
    pub label: String,
    /// Bitrate as written.
    pub bitrate: String,
    /// Picture size as written; of a ladder, that of its largest rendition.
    pub resolution: String,
    /// Frames a second, of the same.
    pub frame_rate: String,
    /// Encodes at once.
    pub streams: String,
    /// Renditions; `baseline` where there are none for that reason.
    pub ladder: String,
    /// `cpu`, `gpu`, …; `baseline` where nothing is encoded.
    pub encoder_type: String,
    /// `h264` where the file does not say, as upstream has it.
    pub encoder: String,
    /// `veryfast` where the file does not say, as upstream has it.
    pub preset: String,
}

/// What a transcode has cost so far. The unit is in the name.
#[derive(Clone, Debug, Default, PartialEq)]
#[expect(missing_docs, reason = "the names say it")]
pub struct TranscodeFigures {
    pub joules_per_frame: Option<f64>,
    pub joules_per_megapixel: Option<f64>,
    pub joules_per_output_second: Option<f64>,
    pub joules_per_vmaf_point: Option<f64>,
    pub vmaf_per_watt: Option<f64>,
    /// In each currency.
    pub costs: Vec<TranscodeCost>,
    pub carbon: Option<Grams>,
}

/// What a transcode has cost, in one currency.
#[derive(Clone, Debug, PartialEq)]
pub struct TranscodeCost {
    /// The currency.
    pub currency: Arc<str>,
    /// Energy and busy cores.
    pub total: Money,
    /// The same for an hour of output.
    pub per_output_hour: Option<Money>,
}

/// A scenario's energy.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScenarioEnergy {
    /// Its joules.
    pub energy: MicroJoules,
    /// Its CPU time, where that is known.
    pub cpu: Option<CpuTime>,
    /// Mean power over its window.
    pub mean: Option<Watts>,
    /// Spread of its power from tick to tick (sample standard deviation).
    pub deviation: Option<Watts>,
    /// Mean power of graphics cards, by the file.
    pub gpu: Option<Watts>,
    /// Mean use of all containers together, of one CPU.
    pub containers: Option<Ratio>,
    /// Mean use of the engine, of one CPU.
    pub engine: Option<Ratio>,
    /// Where the joules come from.
    pub basis: EnergyBasis,
    /// Whose they are.
    pub matched: Matched,
}

/// A scenario against the run's baseline: by the host's power, which has everything in it that the encode caused.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Net {
    /// Mean power of the host above the baseline's.
    pub power: Watts,
    /// The share of the baseline's power that is.
    pub increase: Option<Ratio>,
    /// The same over the scenario's time, in watt hours; negative when it drew less.
    pub energy_watt_hours: f64,
    /// Use of containers above the baseline's, of one CPU.
    pub containers: Option<Ratio>,
}

/// Expected power, with its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PredictedPower {
    /// Mean power.
    pub power: Watts,
    /// Lower end.
    pub low: Watts,
    /// Upper end.
    pub high: Watts,
}

/// What was got for energy. The unit is in the name.
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

/// What a scenario cost, in one currency. Amounts that energy is a part of are `None` where the energy is not known.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Costs {
    /// The currency.
    pub currency: Arc<str>,
    /// Energy.
    pub energy: Option<Money>,
    /// The machine, by time.
    pub compute: Option<Money>,
    /// Both.
    pub total: Option<Money>,
    /// Busy cores.
    pub compute_by_load: Option<Money>,
    /// Energy and busy cores.
    pub total_by_load: Option<Money>,
    /// One pixel of the total.
    pub per_pixel: Option<Money>,
    /// One viewer's hour of the total.
    pub per_watch_hour: Option<Money>,
    /// An hour's energy.
    pub energy_an_hour: Option<Money>,
    /// An hour's energy less than the baseline's.
    pub energy_saved_an_hour: Option<Money>,
    /// Energy and busy cores for an hour of output.
    pub per_output_hour: Option<Money>,
}

impl Costs {
    /// The one figure that is called a scenario's cost everywhere but on the ports of before: energy and busy cores; where those are
    /// not known, energy and machine time.
    pub fn shown(&self) -> Option<Money> {
        self.total_by_load.or(self.total)
    }
}

/// A budget.
#[derive(Clone, Debug, PartialEq)]
pub struct BudgetFigures {
    /// `day` or `month`.
    pub period: &'static str,
    /// A currency, or `kWh`.
    pub unit: String,
    /// What may be spent.
    pub limit: f64,
    /// What has been.
    pub spent: f64,
    /// The share of it.
    pub used: Option<Ratio>,
    /// What it will have been at the end.
    pub forecast: Option<f64>,
}
