//! Scores a scenario's encodes by comparison with the source, which ffmpeg generates once more.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use agent_core::model::scenario::Quality;
use agent_core::model::vmaf_model::VmafModel;
use agent_core::units::{Decibels, Ratio, Vmaf};
use indicatif::ProgressBar;

use crate::command::bench::clips::ClipEncode;
use crate::command::bench::command;
use crate::command::bench::plan::Scenario;
use crate::quality::{self, Pair, QualityError, Scores, Terms, Tools, compare};

/// Files and programs of a scoring.
pub(super) struct Scoring<'a> {
    /// Has the encodes.
    pub(super) folder: &'a Path,
    /// The source of the encodes is generated into this file.
    pub(super) reference: &'a Path,
    /// Generates the source.
    pub(super) ffmpeg: &'a str,
    pub(super) tools: &'a Tools,
    /// Longest time of a comparison.
    pub(super) timeout: Duration,
    /// Ends the scoring when it becomes true.
    pub(super) stop: &'a AtomicBool,
}

/// Scores of a clip's encode, against the clip in its own size.
pub(super) fn score_clip(
    scenario: &Scenario,
    encode: &ClipEncode,
    scoring: &Scoring<'_>,
) -> Result<Scores, QualityError> {
    let Scoring { folder, tools, timeout, stop, .. } = *scoring;
    let bar = ProgressBar::hidden();
    let terms = Terms::new(timeout, stop, &bar);
    let distorted = command::clip_file(scenario, folder);
    let pair = Pair { reference: encode.clip.source.clone(), distorted, is_in_step: true };
    Ok(compare(tools, &pair, &terms)?.scores)
}

/// Mean scores of all streams and renditions of a scenario.
pub(super) fn score(scenario: &Scenario, scoring: &Scoring<'_>) -> Result<Quality, QualityError> {
    let Scoring { folder, reference, ffmpeg, tools, timeout, stop } = *scoring;
    let encodes = command::files(scenario, folder);
    let bar = ProgressBar::hidden();
    let terms = Terms::new(timeout, stop, &bar);
    let length = longest(tools, &encodes, &terms);
    quality::generate(&mut source(scenario, reference, ffmpeg, length), reference, &terms)?;
    let mut all = Vec::new();
    for distorted in encodes {
        let pair = Pair { reference: reference.to_path_buf(), distorted, is_in_step: false };
        let comparison = compare(tools, &pair, &terms)?;
        all.push(comparison.scores);
    }
    std::fs::remove_file(reference)
        .map_err(|cause| QualityError::io(format!("remove {}", reference.display()), cause))?;
    let mean = |values: Vec<Option<f64>>| {
        let count = values.len() as f64;
        values.into_iter().sum::<Option<f64>>().map(|sum| sum / count)
    };
    let models: BTreeSet<VmafModel> =
        all.iter().filter_map(|scores| Some(scores.vmaf.as_ref()?.model)).collect();
    Ok(Quality {
        vmaf: mean(all.iter().map(|scores| Some(scores.vmaf.as_ref()?.mean.0)).collect()).and_then(Vmaf::new),
        // Renditions on both sides of the limit have different models.
        vmaf_model: models.first().copied().filter(|_| models.len() == 1),
        psnr: mean(all.iter().map(|scores| Some(scores.psnr?.0)).collect()).map(Decibels),
        ssim: mean(all.iter().map(|scores| Some(scores.ssim?.0)).collect()).map(Ratio),
        took: Some(all.iter().map(|scores| scores.took).sum()),
        covered: all
            .iter()
            .filter_map(|scores| scores.covered)
            .min_by(|one, other| one.0.total_cmp(&other.0)),
    })
}

/// Needed length of the source; encodes of a live source are as long as they took.
fn longest(tools: &Tools, encodes: &[PathBuf], terms: &Terms<'_>) -> Duration {
    let lengths = encodes.iter().filter_map(|encode| quality::length(tools, encode, terms).ok().flatten());
    lengths.max().unwrap_or(Duration::from_secs(1))
}

/// The ffmpeg that generates the source of the scenario's encoders, without loss.
#[expect(clippy::disallowed_methods, reason = "`quality::generate` runs it with a deadline")]
fn source(scenario: &Scenario, file: &Path, ffmpeg: &str, length: Duration) -> Command {
    let source = command::source(command::largest(scenario));
    let mut command = Command::new(ffmpeg);
    command.args(["-hide_banner", "-nostdin", "-nostats", "-loglevel", "level+error", "-y"]);
    command.args(["-f", "lavfi", "-i", &source, "-t"]).arg(length.as_secs_f64().to_string());
    command.args(["-c:v", "ffv1", "-pix_fmt", "yuv420p"]).arg(file);
    command
}
