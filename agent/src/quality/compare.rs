//! Compares two videos with ffmpeg's filters.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use agent_core::model::transcode::Output;
use agent_core::units::{Pixels, Ratio};
use indicatif::ProgressBar;
use rustix::process::{Pid, setpriority_process};

use crate::clock::{Clock, SystemClock};
use crate::quality::probe::{self, Video, rate_of};
use crate::quality::scores::{self, Scores};
use crate::quality::{Pair, QualityError};

/// The lowest priority: encodes on the same host have precedence.
pub(super) const LOWEST_PRIORITY: i32 = 19;

/// Interval in which a running comparison is checked.
const POLL: Duration = Duration::from_millis(50);

/// An ffmpeg and its capabilities.
#[derive(Clone, Debug)]
pub(crate) struct Tools {
    ffmpeg: PathBuf,
    /// Whether ffmpeg has libvmaf.
    pub has_vmaf: bool,
}

impl Tools {
    /// Queries the capabilities of an ffmpeg.
    #[expect(clippy::disallowed_methods, reason = "ffmpeg says which filters it has")]
    pub(crate) fn find(ffmpeg: &str) -> Result<Self, QualityError> {
        let output = Command::new(ffmpeg)
            .args(["-hide_banner", "-filters"])
            .stdin(Stdio::null())
            .output()
            .map_err(|cause| QualityError::NoProgram { program: ffmpeg.to_owned(), cause })?;
        let has_vmaf =
            String::from_utf8_lossy(&output.stdout).split_whitespace().any(|word| word == "libvmaf");
        if !has_vmaf {
            tracing::warn!(
                "{ffmpeg} has no libvmaf, so VMAF is left out: `pip install imageio-ffmpeg` carries an ffmpeg that has it; \
                 name it with --ffmpeg or quality.ffmpeg"
            );
        }
        // It is started in another folder than this.
        let path = Path::new(ffmpeg);
        let ffmpeg =
            if ffmpeg.contains('/') { fs::canonicalize(path).unwrap_or(path.into()) } else { path.into() };
        Ok(Self { ffmpeg, has_vmaf })
    }
}

/// Result of comparing a pair.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Comparison {
    /// The scores.
    pub scores: Scores,
    /// Output of the encode.
    pub output: Output,
    /// Conversions that made the two comparable.
    pub findings: Vec<String>,
}

/// A temporary folder that is removed when dropped.
#[derive(Debug)]
struct Workshop(PathBuf);

impl Workshop {
    fn open() -> Result<Self, QualityError> {
        // Unique on this host for as long as this process lives.
        let name = format!("ffwatt-quality-{}-{}", std::process::id(), SystemClock.now().0);
        let folder = std::env::temp_dir().join(name);
        let made = fs::create_dir(&folder);
        made.map_err(|cause| QualityError::io(format!("make {}", folder.display()), cause))?;
        Ok(Self(folder))
    }

    fn read(&self, name: &str) -> String {
        // A filter without a log has no score.
        fs::read_to_string(self.0.join(name)).unwrap_or_default()
    }
}

impl Drop for Workshop {
    fn drop(&mut self) {
        // A failure leaves only temporary files.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Conditions of a comparison.
pub(crate) struct Terms<'a> {
    /// Time limit.
    pub timeout: Duration,
    /// Ends the comparison when it becomes true.
    pub stop: &'a AtomicBool,
    /// Advances with every frame.
    pub bar: &'a ProgressBar,
    /// Called with the number of the process that compares.
    pub started: &'a dyn Fn(u32),
}

/// Compares a pair: aligned from the first frame on, at the source's size and rate, for the length of the shorter.
#[expect(clippy::disallowed_methods, reason = "ffmpeg compares; `wait` ends it")]
pub(crate) fn compare(tools: &Tools, pair: &Pair, terms: &Terms<'_>) -> Result<Comparison, QualityError> {
    let reference = probe::probe(&pair.reference)?;
    let distorted = probe::probe(&pair.distorted)?;
    let begin = SystemClock.now();
    let workshop = Workshop::open()?;
    let expected = reference.frames().min(distorted.frames());
    terms.bar.inc_length(expected.unwrap_or(0));
    let absolute = |path: &Path| {
        fs::canonicalize(path).map_err(|cause| QualityError::io(format!("find {}", path.display()), cause))
    };
    let mut command = Command::new(&tools.ffmpeg);
    command
        .args(["-hide_banner", "-nostdin", "-loglevel", "error", "-progress", "pipe:1", "-i"])
        .arg(absolute(&pair.distorted)?)
        .arg("-i")
        .arg(absolute(&pair.reference)?)
        .arg("-filter_complex")
        .arg(graph(&reference, &distorted, tools.has_vmaf));
    for number in 0..metrics(tools.has_vmaf).len() {
        command.args(["-map", &format!("[o{number}]"), "-f", "null", "-"]);
    }
    // Logs have plain names in a folder of their own: no path needs to be escaped.
    command.current_dir(&workshop.0).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command
        .spawn()
        .map_err(|cause| QualityError::NoProgram { program: tools.ffmpeg.display().to_string(), cause })?;
    (terms.started)(child.id());
    wait(child, pair, terms)?;
    let psnr = scores::psnr(&workshop.read("psnr.log"));
    let ssim = scores::ssim(&workshop.read("ssim.log"));
    let frames = psnr.map_or(0, |(_, frames)| frames);
    if frames == 0 {
        let problem = "not a frame in common".to_owned();
        return Err(QualityError::Compare { path: pair.distorted.clone(), problem });
    }
    let scores = Scores {
        vmaf: scores::vmaf(&workshop.read("vmaf.json")),
        psnr: psnr.map(|(psnr, _)| psnr),
        ssim: ssim.map(|(ssim, _)| ssim),
        frames,
        took: SystemClock.now().since(begin),
        covered: covered(&reference, frames),
    };
    let output = Output {
        frames: distorted.frames().or(Some(frames)),
        pixels: Some(Pixels(
            (distorted.width * distorted.height * distorted.frames().unwrap_or(frames)) as f64,
        )),
        length: distorted.seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
        quality: scores.quality(),
    };
    Ok(Comparison { findings: findings(pair, &reference, &distorted, frames), output, scores })
}

fn metrics(has_vmaf: bool) -> Vec<&'static str> {
    let vmaf = has_vmaf.then_some("libvmaf=log_fmt=json:log_path=vmaf.json:shortest=1");
    ["psnr=stats_file=psnr.log:shortest=1", "ssim=stats_file=ssim.log:shortest=1"]
        .into_iter()
        .chain(vmaf)
        .collect()
}

/// The filter graph, with the encode first, as the filters require.
fn graph(reference: &Video, distorted: &Video, has_vmaf: bool) -> String {
    let metrics = metrics(has_vmaf);
    let labels = |letter: char| {
        let labels: Vec<String> = (0..metrics.len()).map(|number| format!("[{letter}{number}]")).collect();
        labels.concat()
    };
    let (width, height, rate) = (reference.width, reference.height, &reference.rate);
    let rated = if same_rate(reference, distorted) { String::new() } else { format!("fps={rate},") };
    let count = metrics.len();
    let mut graph = format!(
        "[0:v]setpts=PTS-STARTPTS,{rated}scale={width}:{height}:flags=bicubic,format=yuv420p,split={count}{};\
         [1:v]setpts=PTS-STARTPTS,format=yuv420p,split={count}{}",
        labels('d'),
        labels('r')
    );
    for (number, metric) in metrics.iter().enumerate() {
        graph.extend([";", &format!("[d{number}][r{number}]{metric}[o{number}]")]);
    }
    graph
}

fn same_rate(reference: &Video, distorted: &Video) -> bool {
    let rates = rate_of(&reference.rate).zip(rate_of(&distorted.rate));
    rates.is_some_and(|(one, other)| (one / other - 1.0).abs() < 0.001)
}

/// The share of the source that was compared; `None` for all of it, within a frame, or for a source of unknown length.
fn covered(reference: &Video, frames: u64) -> Option<Ratio> {
    let all = reference.frames().filter(|all| frames + 1 < *all)?;
    Some(Ratio(frames as f64 / all as f64))
}

fn findings(pair: &Pair, reference: &Video, distorted: &Video, frames: u64) -> Vec<String> {
    let shown = pair.distorted.display();
    let mut findings = Vec::new();
    if (reference.width, reference.height) != (distorted.width, distorted.height) {
        let Video { width, height, .. } = distorted;
        findings.push(format!(
            "{shown}: scaled from {width}x{height} to the source's {}x{}",
            reference.width, reference.height
        ));
    }
    if !same_rate(reference, distorted) {
        findings.push(format!(
            "{shown}: brought from {} to the source's {} frames a second",
            distorted.rate, reference.rate
        ));
    }
    if let Some(all) = reference.frames().max(distorted.frames()).filter(|all| frames + 1 < *all) {
        let share = covered(reference, frames).map_or_else(String::new, |share| {
            format!(": the scores are of {:.0} % of the source", share.percent())
        });
        findings
            .push(format!("{shown}: {frames} of {all} frames compared; the rest has no counterpart{share}"));
    }
    findings
}

/// Waits for a child, or ends it.
#[expect(clippy::disallowed_methods, reason = "the thread only waits for this child")]
fn wait(mut child: Child, pair: &Pair, terms: &Terms<'_>) -> Result<(), QualityError> {
    let Terms { timeout, stop, bar, .. } = *terms;
    if let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        // When that is refused, it runs at normal priority.
        let _ = setpriority_process(Some(pid), LOWEST_PRIORITY);
    }
    let (output, errors) = (child.stdout.take(), child.stderr.take());
    std::thread::scope(|scope| {
        scope.spawn(move || follow(output, bar));
        let errors = scope.spawn(move || {
            let mut text = String::new();
            // A part of its messages is better than nothing.
            let _ = errors.map(|errors| errors.take(64 << 10).read_to_string(&mut text));
            text
        });
        let begin = SystemClock.now();
        let status = loop {
            match child.try_wait() {
                Ok(Some(status)) => break status,
                Ok(None) => {}
                Err(cause) => return Err(QualityError::io("wait for ffmpeg", cause)),
            }
            let is_late = SystemClock.now().since(begin) > timeout;
            if is_late || stop.load(Ordering::Relaxed) {
                // It may have just ended by itself.
                let _ = child.kill();
                let _ = child.wait();
                return Err(if is_late {
                    QualityError::Timeout { path: pair.distorted.clone(), limit: timeout }
                } else {
                    QualityError::Stopped
                });
            }
            std::thread::sleep(POLL);
        };
        let said = errors.join().unwrap_or_default();
        if status.success() {
            return Ok(());
        }
        let problem = said.lines().next_back().unwrap_or("ffmpeg failed and said nothing").to_owned();
        Err(QualityError::Compare { path: pair.distorted.clone(), problem })
    })
}

fn follow(output: Option<std::process::ChildStdout>, bar: &ProgressBar) {
    let mut before = 0;
    for line in output.into_iter().flat_map(|output| BufReader::new(output).lines().map_while(Result::ok)) {
        if let Some(frames) = line.strip_prefix("frame=").and_then(|text| text.trim().parse::<u64>().ok()) {
            bar.inc(frames.saturating_sub(before));
            before = before.max(frames);
        }
    }
}
