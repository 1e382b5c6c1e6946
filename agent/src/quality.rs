//! `ffwatt quality`: scores encodes by comparison with their source.
//!
//! VMAF, PSNR and SSIM by ffmpeg's own filters, all in one run. Frames are aligned from the first on, the encode is scaled to the
//! source's size and converted to its rate; each conversion is reported. The scores can be written into a result file.

mod compare;
mod options;
mod probe;
mod scores;
mod store;
mod watch;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use crate::config::Config;

pub(crate) use compare::{Comparison, Terms, Tools, compare};
pub(crate) use options::{Options, command, options};
pub(crate) use scores::number_or_inf;
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
    #[error("the result file {path}: {problem}", path = path.display())]
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
}

/// Compares all pairs, some at a time, and writes the results. Returns whether all could be compared.
pub(crate) fn run(
    options: &Options,
    config: &Config,
    stop: &AtomicBool,
    out: &mut dyn Write,
) -> Result<bool, QualityError> {
    let tools = Tools::find(options.ffmpeg.as_deref().unwrap_or(&config.quality.ffmpeg))?;
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
                let terms = Terms { timeout, stop, bar: &bar, started: &|_| {} };
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
                tracing::error!("{}", crate::source::chain(&error));
            }
            (Ok(_), None) => {}
        }
    }
    for (_, comparison) in &comparisons {
        for finding in &comparison.findings {
            tracing::info!("{finding}");
        }
    }
    if let (Some((file, scenario)), [(_, comparison)]) = (&options.result, &comparisons[..]) {
        store::write(file, scenario, &comparison.scores)?;
    }
    print(&comparisons, options.as_json, out).map_err(|cause| QualityError::io("write the scores", cause))?;
    Ok(all_well)
}

/// Playing time of a video, where its file contains it.
pub(crate) fn length(path: &Path) -> Result<Option<Duration>, QualityError> {
    let seconds = probe::probe(path)?.seconds;
    Ok(seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()))
}

fn claim<'a>(next: &AtomicUsize, pairs: &'a [Pair]) -> Option<(usize, &'a Pair)> {
    let index = next.fetch_add(1, Ordering::Relaxed);
    Some((index, pairs.get(index)?))
}

fn print(all: &[(&Pair, Comparison)], as_json: bool, out: &mut dyn Write) -> std::io::Result<()> {
    if as_json {
        let entry = |(pair, comparison): &(&Pair, Comparison)| {
            let scores = &comparison.scores;
            json!({
                "reference": pair.reference,
                "distorted": pair.distorted,
                "vmaf": scores.vmaf.map(|vmaf| vmaf.0),
                "psnr_db": scores.psnr.map(scores::number_or_inf),
                "ssim": scores.ssim.map(|ssim| ssim.0),
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
        "{:<40}{:>9}{:>9}{:>9}{:>9}{:>9}",
        "encode", "VMAF", "PSNR dB", "SSIM", "frames", "seconds"
    )?;
    for (pair, comparison) in all {
        let scores = &comparison.scores;
        let shown = |value: Option<f64>, digits: usize| {
            value.map_or_else(|| "-".to_owned(), |value| format!("{value:.digits$}"))
        };
        writeln!(
            out,
            "{:<40}{:>9}{:>9}{:>9}{:>9}{:>9.1}{}",
            pair.distorted.display(),
            shown(scores.vmaf.map(|vmaf| vmaf.0), 2),
            shown(scores.psnr.map(|psnr| psnr.0), 2),
            shown(scores.ssim.map(|ssim| ssim.0), 4),
            scores.frames,
            scores.took.as_secs_f64(),
            scores.covered.map_or_else(String::new, |share| format!("  of {:.0} %", share.percent())),
        )?;
    }
    Ok(())
}
