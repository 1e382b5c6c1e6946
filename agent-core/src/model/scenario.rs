//! Scenarios of a run, as its result file says.

use std::time::Duration;

use crate::model::vmaf_model::VmafModel;
use crate::time::WallTime;
use crate::units::{Bytes, Decibels, MicroJoules, Pixels, Ratio, Vmaf, Watts};

/// Scenarios of one result file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Run {
    /// Name of the file without its suffix.
    pub id: String,
    /// Its date, host and programs.
    pub conditions: Conditions,
    /// Its scenarios, in the file's order. No two have the same name.
    pub scenarios: Vec<Scenario>,
}

/// Conditions of a run, as its file has them. Texts are bounded and printable; unknown is absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conditions {
    /// Date as written.
    pub date: Option<String>,
    /// Properties of the host and versions of programs, in the order of the file.
    pub host: Vec<(String, String)>,
}

/// One scenario: some simultaneous encodes, for a while. Fields that the file lacks are `None` or empty.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Scenario {
    /// Its name: free text.
    pub name: String,
    /// Bitrate as written: `2500k`, `5M`, several with commas.
    pub bitrate: Option<String>,
    /// Picture size as written.
    pub resolution: Option<String>,
    /// Frames per second.
    pub frame_rate: Option<f64>,
    /// The renditions, where there are several.
    pub outputs: Vec<Picture>,
    /// Requested length.
    pub requested: Option<Duration>,
    /// Begin and end; the end is not before the beginning.
    pub window: Option<(WallTime, WallTime)>,
    /// Encoder: `h264`, `libx264`.
    pub encoder: Option<String>,
    /// The encoder's preset.
    pub preset: Option<String>,
    /// `cpu`, `gpu`, or the encoder's name: writers of result files differ.
    pub encoder_type: Option<String>,
    /// Quality scores.
    pub quality: Quality,
    /// Encoded frames.
    pub frames: Option<u64>,
    /// Lost frames.
    pub dropped: Option<u64>,
    /// Achieved frames per second.
    pub reached_rate: Option<f64>,
    /// Encoded pixels.
    pub pixels: Option<Pixels>,
    /// Power and energy from the file.
    pub power: FilePower,
    /// Load and power over time, from the file.
    pub series: Series,
    /// Number of viewers.
    pub viewers: Option<u32>,
    /// Number of simultaneous encodes.
    pub streams: Option<u32>,
    /// Name of the encoded clip, where a bench encoded a file.
    pub clip: Option<String>,
    /// What limits the size of the encode, as `crf22` or `2M`: repeats have the same.
    pub setting: Option<String>,
    /// Size of the encodes.
    pub output_size: Option<Bytes>,
    /// The workload that encoded it, by name or id.
    pub container: Option<String>,
    /// The transcode of the scenario, by key.
    pub transcode: Option<String>,
}

/// A rendition's size and rate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Picture {
    /// Pixels across.
    pub width: u32,
    /// Pixels down.
    pub height: u32,
    /// Frames per second.
    pub frame_rate: f64,
}

/// Quality scores, and the time that they took.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Quality {
    /// VMAF.
    pub vmaf: Option<Vmaf>,
    /// The model of that score, where known.
    pub vmaf_model: Option<VmafModel>,
    /// PSNR.
    pub psnr: Option<Decibels>,
    /// SSIM, 0 to 1.
    pub ssim: Option<Ratio>,
    /// Time that computing the scores took.
    pub took: Option<Duration>,
    /// The share of the source's frames that the scores cover, where the encode is shorter.
    pub covered: Option<Ratio>,
}

/// A file's own figures of power and energy.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct FilePower {
    /// Mean power of the processor.
    pub mean: Option<Watts>,
    /// Mean power of graphics cards.
    pub gpu_mean: Option<Watts>,
    /// Energy of the processor.
    pub energy: Option<MicroJoules>,
}

/// Values at a fixed step.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Series {
    /// The step.
    pub step: Option<Duration>,
    /// Power.
    pub watts: Vec<f64>,
    /// Number of busy cores.
    pub cores: Vec<f64>,
    /// Number of busy graphics cards.
    pub gpus: Vec<f64>,
}

impl Picture {
    /// Parses `1280x720`, also in capitals or with spaces.
    pub fn size(text: &str) -> Option<(u32, u32)> {
        let text = text.to_ascii_lowercase();
        let (width, height) = text.split_once('x')?;
        let side = |text: &str| text.trim().parse().ok().filter(|side: &u32| (1..=65_536).contains(side));
        Some((side(width)?, side(height)?))
    }

    /// The size, as `1280x720`.
    pub fn size_name(self) -> String {
        format!("{}x{}", self.width, self.height)
    }

    /// Pixels of one frame.
    pub fn pixels(self) -> Pixels {
        Pixels(f64::from(self.width) * f64::from(self.height))
    }
}

impl Scenario {
    /// Length of the run: by its window, else as requested.
    pub fn duration(&self) -> Option<Duration> {
        let by_window =
            self.window.and_then(|(start, end)| Duration::try_from_secs_f64(end.0 - start.0).ok());
        by_window.or(self.requested).filter(|duration| !duration.is_zero())
    }
}
