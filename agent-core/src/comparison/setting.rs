//! Measured settings of encoders: the repeats of an encode together, without the energy and the CPU time that reading its clip takes.

use crate::comparison::estimate::Estimate;
use crate::join::bitrate::{self, Dialect, Megabits};
use crate::model::joined::{EnergyBasis, Names, ScenarioFigures};
use crate::model::vmaf_model::VmafModel;

/// The encoder of a scenario that only reads its clip: ffmpeg's, which passes pictures on as they are.
pub const READING: &str = "wrapped_avframe";

/// An encoder with a preset and a limit of size, on one clip: one encode, or its repeats.
#[derive(Clone, Debug)]
pub struct Setting<'a> {
    /// Names of the first encode.
    pub names: &'a Names,
    /// The encodes, in the order of the file. All have energy for each frame and a VMAF of the whole source.
    pub scenarios: Vec<&'a ScenarioFigures>,
    /// Scenarios that only read the clip. Without one, energy and CPU time include the reading.
    pub readings: Vec<&'a ScenarioFigures>,
}

/// Energy and CPU time for one frame.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FrameCost {
    /// Energy in joules: far less than what microjoules can show.
    pub joules: f64,
    /// CPU time in seconds, where known.
    pub cpu_seconds: Option<f64>,
}

/// The settings of a run, in the order of their first scenarios. A scenario without energy or frames, or without a VMAF of its whole
/// source, is in none.
pub fn settings(all: &[ScenarioFigures]) -> Vec<Setting<'_>> {
    let mut settings: Vec<Setting<'_>> = Vec::new();
    for figures in all {
        let names = &figures.names;
        let is_comparable = cost(figures).is_some() && figures.vmaf.is_some() && figures.covered.is_none();
        if names.is_baseline || !is_comparable {
            continue;
        }
        let known = settings.iter_mut().find(|setting| setting.is_repeated_by(figures));
        match known {
            Some(setting) => setting.scenarios.push(figures),
            None => {
                settings.push(Setting { names, scenarios: vec![figures], readings: readings(all, figures) });
            }
        }
    }
    settings
}

/// The scenarios that only read what an encode encoded.
fn readings<'a>(all: &'a [ScenarioFigures], encode: &ScenarioFigures) -> Vec<&'a ScenarioFigures> {
    let basis = |figures: &ScenarioFigures| figures.energy.map(|energy| energy.basis);
    let is_of_it = |figures: &&ScenarioFigures| {
        let (names, own) = (&figures.names, &encode.names);
        names.encoder == READING
            && [&names.clip, &names.resolution] == [&own.clip, &own.resolution]
            && basis(figures) == basis(encode)
            && cost(figures).is_some()
    };
    all.iter().filter(is_of_it).collect()
}

fn cost(figures: &ScenarioFigures) -> Option<FrameCost> {
    let frames = figures.frames.filter(|frames| *frames > 0.0)?;
    let cpu = figures.energy?.cpu;
    Some(FrameCost {
        joules: figures.efficiency.joules_per_frame?,
        cpu_seconds: cpu.map(|cpu| cpu.seconds() / frames),
    })
}

impl<'a> Setting<'a> {
    /// The setting that has this scenario, where one has it.
    pub fn find<'b>(settings: &'b [Self], scenario: &str) -> Option<&'b Self> {
        let has_it =
            |setting: &&Self| setting.scenarios.iter().any(|figures| figures.names.scenario == scenario);
        settings.iter().find(has_it)
    }

    /// Encoder, preset and limit of size; for other writers' files, the name of the scenario.
    pub fn name(&self) -> String {
        let Names { encoder, preset, setting, scenario, .. } = self.names;
        if setting.is_empty() {
            return scenario.clone();
        }
        let parts = [encoder, preset, setting].into_iter().filter(|part| !part.is_empty());
        parts.map(String::as_str).collect::<Vec<_>>().join(" ")
    }

    /// Encoder, preset, number of streams and limit of size: what can be chosen for any clip.
    pub fn encoding(&self) -> [&'a str; 4] {
        let Names { encoder, preset, streams, setting, .. } = self.names;
        [encoder, preset, streams, setting]
    }

    /// Encoder, preset, renditions and number of streams: the same for all settings of a curve.
    pub(super) fn curve(&self) -> [&'a str; 6] {
        curve(self.names)
    }

    /// Origin of the figures. Those of different origins cannot be compared.
    pub fn origin(&self) -> (Option<VmafModel>, Option<EnergyBasis>) {
        self.scenarios.first().map_or((None, None), |figures| origin(figures))
    }

    fn is_repeated_by(&self, figures: &ScenarioFigures) -> bool {
        let names = &figures.names;
        // Other writers give no setting: each of their scenarios is its own.
        !names.setting.is_empty()
            && self.names.clip == names.clip
            && self.names.setting == names.setting
            && self.curve() == curve(names)
            && self.origin() == origin(figures)
    }

    /// Joules for each frame.
    pub fn energy(&self) -> Option<Estimate> {
        self.estimate(|cost| Some(cost.joules))
    }

    /// A cost that is proportional to energy and CPU time, for each frame. `None` where it is not known, or where reading the clip costs
    /// as much as the encode.
    pub fn estimate(&self, of: impl Fn(FrameCost) -> Option<f64>) -> Option<Estimate> {
        let of_all = |all: &[&ScenarioFigures]| {
            let values: Option<Vec<f64>> = all.iter().map(|figures| of(cost(figures)?)).collect();
            Estimate::of(&values?)
        };
        let encodes = of_all(&self.scenarios)?;
        let estimate = if self.readings.is_empty() { encodes } else { encodes.less(of_all(&self.readings)?) };
        Some(estimate).filter(|estimate| estimate.mean > 0.0)
    }

    /// Mean VMAF of the encodes. Repeats of an encoder with several threads need not be equal.
    pub fn vmaf(&self) -> f64 {
        let sum: f64 = self.scenarios.iter().filter_map(|figures| figures.vmaf).map(|vmaf| vmaf.0).sum();
        sum / self.scenarios.len() as f64
    }

    /// Mean bitrate of the encodes: reached where the bench recorded it, else as set.
    pub fn bitrate(&self) -> Option<Megabits> {
        let of =
            |figures: &&ScenarioFigures| Some(bitrate::parse(&figures.names.bitrate, Dialect::Results)?.0);
        let sum: Option<f64> = self.scenarios.iter().map(of).sum();
        sum.map(|sum| Megabits(sum / self.scenarios.len() as f64))
    }

    /// Whether the bitrate is the reached one.
    pub fn has_reached_bitrate(&self) -> bool {
        self.scenarios.iter().all(|figures| figures.output_size.is_some())
    }

    /// Frames a second of the output.
    pub fn frame_rate(&self) -> Option<f64> {
        self.names.frame_rate.parse().ok().filter(|rate: &f64| *rate > 0.0)
    }
}

fn origin(figures: &ScenarioFigures) -> (Option<VmafModel>, Option<EnergyBasis>) {
    (figures.vmaf_model, figures.energy.map(|energy| energy.basis))
}

fn curve(names: &Names) -> [&str; 6] {
    // A ladder is unknown where the size or the rate is.
    [&names.encoder, &names.preset, &names.ladder, &names.resolution, &names.frame_rate, &names.streams]
}
