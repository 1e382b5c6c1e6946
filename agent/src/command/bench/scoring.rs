//! Scores a scenario's encodes by comparison with the source, which ffmpeg generates once more.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use agent_core::model::scenario::Quality;
use agent_core::units::{Decibels, Ratio, Vmaf};
use indicatif::ProgressBar;

use crate::command::bench::command;
use crate::command::bench::plan::Scenario;
use crate::config;
use crate::quality::{Pair, QualityError, Terms, Tools, compare};

/// Mean scores of all streams and renditions of a scenario, whose files are in `folder`; their source is generated into `reference`.
pub(super) fn score(
    scenario: &Scenario,
    folder: &Path,
    reference: &Path,
    ffmpeg: &str,
    config: &config::Quality,
    stop: &AtomicBool,
) -> Result<Quality, QualityError> {
    let tools = Tools::find(&config.ffmpeg)?;
    let encodes = command::files(scenario, folder);
    let bar = ProgressBar::hidden();
    let terms = Terms { timeout: config.timeout.0, is_neg: false, stop, bar: &bar, started: &|_| {} };
    draw(scenario, reference, ffmpeg, longest(&tools, &encodes, &terms))?;
    let mut all = Vec::new();
    for distorted in encodes {
        let pair = Pair { reference: reference.to_path_buf(), distorted };
        let comparison = compare(&tools, &pair, &terms)?;
        all.push(comparison.scores);
    }
    std::fs::remove_file(reference)
        .map_err(|cause| QualityError::io(format!("remove {}", reference.display()), cause))?;
    let mean = |values: Vec<Option<f64>>| {
        let count = values.len() as f64;
        values.into_iter().sum::<Option<f64>>().map(|sum| sum / count)
    };
    Ok(Quality {
        vmaf: mean(all.iter().map(|scores| Some(scores.vmaf.as_ref()?.mean.0)).collect()).and_then(Vmaf::new),
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
    let lengths =
        encodes.iter().filter_map(|encode| crate::quality::length(tools, encode, terms).ok().flatten());
    lengths.max().unwrap_or(Duration::from_secs(1))
}

/// Generates the source of the scenario's encoders, without loss.
#[expect(clippy::disallowed_methods, reason = "ffmpeg generates the source")]
fn draw(scenario: &Scenario, file: &Path, ffmpeg: &str, length: Duration) -> Result<(), QualityError> {
    let source = command::source(command::largest(scenario));
    let output = Command::new(ffmpeg)
        .args(["-hide_banner", "-nostdin", "-loglevel", "error", "-y", "-f", "lavfi", "-i", &source, "-t"])
        .arg(length.as_secs_f64().to_string())
        .args(["-c:v", "ffv1", "-pix_fmt", "yuv420p"])
        .arg(file)
        .stdin(Stdio::null())
        .output()
        .map_err(|cause| QualityError::NoProgram { program: ffmpeg.to_owned(), cause })?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let problem = said.lines().next_back().unwrap_or("ffmpeg failed without an error message").to_owned();
    Err(QualityError::Compare { path: file.to_path_buf(), problem })
}
