//! `ffwatt quality`: scores encodes by comparison with their source.
//!
//! VMAF, PSNR, SSIM and XPSNR by ffmpeg's own filters, all in one run. A first run pairs the frames by time and by picture; the
//! encode is scaled to the source's size. Each conversion is reported, and pairs without a common picture are refused with the
//! reason. The scores can be written into a result file.

#![expect(
    clippy::disallowed_methods,
    reason = "it owns the ffmpeg and ffprobe that it starts: each has a deadline, and a thread that waits"
)]

mod alignment;
mod bars;
mod compare;
mod findings;
mod format;
mod geometry;
mod measure;
mod options;
mod pairing;
mod plan;
mod probe;
mod process;
mod scores;
mod selection;
mod store;
mod temporary_folder;
mod tools;
mod watch;

use std::collections::BTreeSet;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use agent_core::model::scenario::Picture;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::error::chain;
use crate::files::{ReplaceError, TemporaryFolderError};

pub(crate) use compare::{Comparison, Terms, compare};
pub(crate) use options::{Options, command, options};
pub(crate) use scores::{Scores, number_or_inf};
pub(crate) use tools::{Tools, version};
pub(crate) use watch::Watcher;

/// The reason why there are no scores.
#[derive(Debug, thiserror::Error)]
pub(crate) enum QualityError {
    /// A program does not exist or does not start.
    #[error("cannot run {program}: install ffmpeg, or say where it is with --ffmpeg")]
    NoProgram {
        program: String,
        /// The error.
        #[source]
        cause: std::io::Error,
    },
    /// A file has no video, or is not a video file.
    #[error("{path}: {problem}", path = path.display())]
    Input {
        path: PathBuf,
        /// The problem.
        problem: String,
    },
    /// The comparison failed.
    #[error("comparing {path}: {problem}", path = path.display())]
    Compare {
        /// The encode's path.
        path: PathBuf,
        /// Output of ffmpeg.
        problem: String,
    },
    /// It took too long.
    #[error("comparing {path}: not done after {limit:?}; allow more with --timeout", path = path.display())]
    Timeout {
        /// The encode's path.
        path: PathBuf,
        /// The time limit.
        limit: Duration,
    },
    /// A user stopped it.
    #[error("stopped")]
    Stopped,
    /// The result file cannot be used.
    #[error("the result file {path} {problem}", path = path.display())]
    ResultFile {
        path: PathBuf,
        /// The problem.
        problem: String,
    },
    /// A file cannot be written.
    #[error("cannot {doing}")]
    Io {
        /// The attempted action.
        doing: String,
        /// The error.
        #[source]
        cause: std::io::Error,
    },
    /// The result file cannot be replaced.
    #[error(transparent)]
    Replace(#[from] ReplaceError),
    /// There is no temporary folder.
    #[error(transparent)]
    TemporaryFolder(#[from] TemporaryFolderError),
}

impl QualityError {
    pub(crate) fn io(doing: impl Into<String>, cause: std::io::Error) -> Self {
        Self::Io { doing: doing.into(), cause }
    }
}

/// A source and an encode of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pair {
    /// The source.
    pub reference: PathBuf,
    /// The encode.
    pub distorted: PathBuf,
    /// Whether each frame of the encode is that of the source with the same number: nothing is searched, unless their numbers differ.
    pub is_in_step: bool,
}

/// Compares all pairs, some at a time, and writes the results. Returns whether all could be compared.
pub(crate) fn run(
    options: &Options,
    config: &Config,
    stop: &AtomicBool,
    out: &mut dyn Write,
) -> Result<bool, QualityError> {
    let tools = Tools::find(options.ffmpeg.as_deref().unwrap_or(&config.quality.ffmpeg), stop)?;
    let timeout = options.timeout.unwrap_or(config.quality.timeout).0;
    let bar = ProgressBar::new(0);
    // Every user would see an invalid template; the plain bar is sufficient.
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} frames ({eta} left)") {
        bar.set_style(style);
    }
    let next = AtomicUsize::new(0);
    let found: Mutex<Vec<(usize, Result<Comparison, QualityError>)>> = Mutex::default();
    std::thread::scope(|scope| {
        for _ in 0..options.jobs.min(options.pairs.len()) {
            scope.spawn(|| {
                let terms = Terms { timeout, is_neg: options.is_neg, stop, bar: &bar, started: &|_| {} };
                while let Some((index, pair)) = claim(&next, &options.pairs) {
                    let result = compare(&tools, pair, &terms);
                    found.lock().unwrap_or_else(PoisonError::into_inner).push((index, result));
                }
            });
        }
    });
    bar.finish_and_clear();
    let mut found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    found.sort_by_key(|(index, _)| *index);
    let mut all_well = true;
    let mut comparisons = Vec::new();
    for (index, result) in found {
        match (result, options.pairs.get(index)) {
            (Ok(comparison), Some(pair)) => comparisons.push((pair, comparison)),
            (Err(QualityError::Stopped), _) => return Err(QualityError::Stopped),
            (Err(error), _) => {
                all_well = false;
                tracing::error!("{}", chain(&error));
            }
            (Ok(_), None) => {}
        }
    }
    for (_, comparison) in &comparisons {
        for finding in &comparison.findings {
            tracing::info!("{finding}");
        }
    }
    // First: where the result file refuses the scores, they are not lost.
    print(&comparisons, options.as_json, out).map_err(|cause| QualityError::io("write the scores", cause))?;
    if let (Some((file, scenario)), [(_, comparison)]) = (&options.result, &comparisons[..]) {
        store::write(file, scenario, &comparison.scores)?;
    }
    Ok(all_well)
}

/// Playing time of a video, where its file contains it.
pub(crate) fn length(
    tools: &Tools,
    path: &Path,
    terms: &Terms<'_>,
) -> Result<Option<Duration>, QualityError> {
    let attempt = process::Attempt { terms, begin: SystemClock.now() };
    let seconds = probe::probe(tools, &probe::absolute(path)?, &attempt)?.seconds;
    Ok(seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()))
}

/// Picture and playing time of a video.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct VideoSize {
    /// Size and mean frame rate, as decoders show the video.
    pub(crate) picture: Picture,
    /// Playing time, where the file contains it.
    pub(crate) length: Option<Duration>,
}

/// Size, frame rate and playing time of a video.
pub(crate) fn video(tools: &Tools, path: &Path, terms: &Terms<'_>) -> Result<VideoSize, QualityError> {
    let attempt = process::Attempt { terms, begin: SystemClock.now() };
    let video = probe::probe(tools, &probe::absolute(path)?, &attempt)?;
    let wrong = |problem: &str| QualityError::Input { path: path.to_path_buf(), problem: problem.to_owned() };
    let side = |side: u64| u32::try_from(side).ok().ok_or_else(|| wrong("its picture is too large"));
    let frame_rate = video.rate.ok_or_else(|| wrong("its frame rate is not known"))?;
    let picture = Picture { width: side(video.width)?, height: side(video.height)?, frame_rate };
    let length = video.seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    Ok(VideoSize { picture, length })
}

/// Runs an ffmpeg that writes this file, on the terms of a comparison.
pub(crate) fn generate(command: &mut Command, file: &Path, terms: &Terms<'_>) -> Result<(), QualityError> {
    process::run(command, file, &process::Attempt { terms, begin: SystemClock.now() }, |_| {}).map(drop)
}

fn claim<'a>(next: &AtomicUsize, pairs: &'a [Pair]) -> Option<(usize, &'a Pair)> {
    let index = next.fetch_add(1, Ordering::Relaxed);
    Some((index, pairs.get(index)?))
}

fn print(all: &[(&Pair, Comparison)], as_json: bool, out: &mut dyn Write) -> std::io::Result<()> {
    if as_json {
        let entry = |(pair, comparison): &(&Pair, Comparison)| {
            let scores = &comparison.scores;
            let vmaf = scores.vmaf.as_ref();
            json!({
                // A name that is not UTF-8 has no form in JSON.
                "reference": pair.reference.display().to_string(),
                "distorted": pair.distorted.display().to_string(),
                "vmaf": vmaf.map(|vmaf| vmaf.mean.0),
                "vmaf_harmonic_mean": vmaf.and_then(|vmaf| vmaf.harmonic_mean).map(|vmaf| vmaf.0),
                "vmaf_first_percentile": vmaf.and_then(|vmaf| vmaf.first_percentile).map(|vmaf| vmaf.0),
                "vmaf_model": vmaf.map(|vmaf| vmaf.model.name()),
                "psnr_db": scores.psnr.map(scores::number_or_inf),
                "ssim": scores.ssim.map(|ssim| ssim.0),
                "xpsnr_db": scores.xpsnr.map(scores::number_or_inf),
                "frames": scores.frames,
                "covered_ratio": scores.covered.map(|share| share.0),
                "seconds": scores.took.as_secs_f64(),
                "findings": comparison.findings,
            })
        };
        let entries: Vec<Value> = all.iter().map(entry).collect();
        serde_json::to_writer_pretty(&mut *out, &entries)?;
        return writeln!(out);
    }
    writeln!(
        out,
        "{:<40}{:>9}{:>9}{:>9}{:>9}{:>9}{:>9}{:>9}{:>9}",
        "encode", "VMAF", "harmonic", "1st %ile", "PSNR dB", "SSIM", "XPSNR dB", "frames", "seconds"
    )?;
    let mut models = BTreeSet::new();
    for (pair, Comparison { scores, .. }) in all {
        let vmaf = scores.vmaf.as_ref();
        models.extend(vmaf.map(|vmaf| vmaf.model.name()));
        let shown = |value: Option<f64>, digits: usize| {
            value.map_or_else(|| "-".to_owned(), |value| format!("{value:.digits$}"))
        };
        writeln!(
            out,
            "{:<40}{:>9}{:>9}{:>9}{:>9}{:>9}{:>9}{:>9}{:>9.1}{}",
            pair.distorted.display(),
            shown(vmaf.map(|vmaf| vmaf.mean.0), 2),
            shown(vmaf.and_then(|vmaf| vmaf.harmonic_mean).map(|vmaf| vmaf.0), 2),
            shown(vmaf.and_then(|vmaf| vmaf.first_percentile).map(|vmaf| vmaf.0), 2),
            shown(scores.psnr.map(|psnr| psnr.0), 2),
            shown(scores.ssim.map(|ssim| ssim.0), 4),
            shown(scores.xpsnr.map(|xpsnr| xpsnr.0), 2),
            scores.frames,
            scores.took.as_secs_f64(),
            scores.covered.map_or_else(String::new, |share| format!("  of {:.0} %", share.percent())),
        )?;
    }
    if !models.is_empty() {
        writeln!(out, "VMAF by {}", Vec::from_iter(models).join(", "))?;
    }
    Ok(())
}
