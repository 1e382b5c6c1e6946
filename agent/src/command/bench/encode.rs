//! Runs the ffmpegs of a scenario, follows their progress, and reports failures and streams that fall behind.

use std::fs;
use std::path::Path;
use std::time::Duration;

use agent_core::model::scenario::Quality;
use agent_core::time::WallTime;
use agent_core::units::{Bytes, Ratio};
use tempfile::TempDir;

use crate::clock::{Clock, SystemClock};
use crate::command::bench::cgroup::Cgroup;
use crate::command::bench::command::{self, Stream};
use crate::command::bench::conditions::Before;
use crate::command::bench::options::Options;
use crate::command::bench::plan::Scenario;
use crate::command::bench::process::{Process, Progress};
use crate::command::bench::scoring::{self, Scoring};
use crate::command::bench::{BenchError, Encodes, Target, slug};
use crate::host::HostRoots;
use crate::quality::{QualityError, Scores};

/// In real time, a slower stream falls behind: its viewers would see it stop.
const LEAST_SPEED: f64 = 0.95;

/// ffmpeg needs some time to start: a smaller delay does not count.
const LEAST_LAG: Duration = Duration::from_secs(1);

/// A running scenario. Its processes end with it.
#[derive(Debug)]
pub(super) struct Encode {
    processes: Vec<Process>,
    cgroup: Option<Cgroup>,
    encoder: String,
    preset: Option<String>,
    begun: (WallTime, Vec<Progress>),
    is_paced: bool,
    /// Whether it ends by itself, at the end of a clip.
    has_end: bool,
    /// The command lines, one for each process and pass.
    commands: Vec<String>,
    /// The second pass, while the first one runs.
    second: Option<SecondPass>,
    /// Playing time of a first pass.
    first_written: Duration,
    /// Why a first pass was of no use.
    first_problem: Option<String>,
    /// Folder of the statistics of a first pass.
    statistics: Option<TempDir>,
    /// Most threads at the same time, as far as was seen.
    threads: Option<usize>,
}

/// Program and arguments of a second pass.
#[derive(Debug)]
struct SecondPass(Vec<String>);

/// Result of a scenario.
#[derive(Clone, Debug)]
pub(super) struct Outcome {
    pub(super) window: (WallTime, WallTime),
    pub(super) frames: Option<u64>,
    pub(super) dropped: Option<u64>,
    pub(super) speed: Option<f64>,
    /// The problem, if there was one.
    pub(super) problem: Option<String>,
    /// The workload that an agent charged.
    pub(super) workload: Option<String>,
    pub(super) encoder: String,
    pub(super) preset: Option<String>,
    pub(super) quality: Quality,
    /// All scores of the only encode of a clip.
    pub(super) scores: Option<Scores>,
    /// Size of the encodes, where they are files.
    pub(super) size: Option<Bytes>,
    pub(super) commands: Vec<String>,
    /// Most threads at the same time.
    pub(super) threads: Option<usize>,
    pub(super) before: Before,
    /// Busy share of all CPUs during a baseline.
    pub(super) busy: Option<Ratio>,
    /// How often heat slowed a processor down meanwhile.
    pub(super) throttled: Option<u64>,
}

impl Outcome {
    /// Compares the encodes with their source.
    pub(super) fn score(&mut self, scenario: &Scenario, scoring: &Scoring<'_>) -> Result<(), QualityError> {
        match &scenario.clip {
            Some(encode) => self.scores = Some(scoring::score_clip(scenario, encode, scoring)?),
            None => self.quality = scoring::score(scenario, scoring)?,
        }
        Ok(())
    }

    pub(super) fn frame_rate(&self) -> Option<f64> {
        let seconds = self.window.1.0 - self.window.0.0;
        (seconds > 0.0).then(|| self.frames.map(|frames| frames as f64 / seconds)).flatten()
    }
}

impl Encode {
    /// Starts all streams of a scenario.
    pub(super) fn start(
        scenario: &Scenario,
        options: &Options,
        encodes: &Encodes,
        roots: &HostRoots,
    ) -> Result<Self, BenchError> {
        let encoder = scenario.encoder.as_deref().unwrap_or(&options.encoder);
        let encoder = command::encoder(encoder).to_owned();
        let chosen = scenario.preset.clone();
        // The encoders of clips have their presets.
        let preset = if scenario.clip.is_some() {
            chosen
        } else {
            let chosen = chosen.or_else(|| options.preset.clone());
            chosen.or_else(|| command::default_preset(&encoder).map(str::to_owned))
        };
        let cgroup = if scenario.is_baseline() {
            None
        } else {
            Cgroup::create(roots, &slug(&scenario.name))
                .inspect_err(|problem| tracing::warn!("{problem}: the encodes run in the bench's own cgroup"))
                .ok()
        };
        let mut encode = Self {
            processes: Vec::new(),
            cgroup,
            encoder,
            preset,
            begun: (SystemClock.wall(), Vec::new()),
            is_paced: !options.is_fast && scenario.clip.is_none(),
            has_end: scenario.clip.is_some(),
            commands: Vec::new(),
            second: None,
            first_written: Duration::ZERO,
            first_problem: None,
            statistics: encodes.statistics(scenario)?,
            threads: None,
        };
        let target = &encodes.target;
        let folder = if let Target::Folder(folder) = target { folder.as_path() } else { Path::new("") };
        for index in 0..scenario.streams.len() {
            let stream = Stream {
                scenario,
                index,
                encoder: &encode.encoder,
                preset: encode.preset.as_deref(),
                target,
                is_fast: options.is_fast,
            };
            let statistics = encode.statistics.as_ref().map_or(Path::new(""), TempDir::path);
            let mut passes = stream.passes(folder, statistics).into_iter().map(|pass| options.on_cpus(pass));
            let first = passes.next().unwrap_or_default();
            encode.second = passes.next().map(SecondPass);
            let both = [Some(&first), encode.second.as_ref().map(|SecondPass(words)| words)];
            encode.commands.extend(both.into_iter().flatten().map(|words| words.join(" ")));
            encode.processes.push(Process::start(&first, encode.cgroup.as_ref())?);
        }
        Ok(encode)
    }

    /// Whether an encode has ended. At the end of a first pass the second one begins.
    pub(super) fn has_ended(&mut self) -> Result<bool, BenchError> {
        if !self.processes.iter().any(Process::has_ended) {
            return Ok(false);
        }
        let (Some(SecondPass(words)), [first]) = (self.second.take(), &mut self.processes[..]) else {
            return Ok(true);
        };
        let statistics = self.statistics.as_ref();
        let lack = || statistics.and_then(|folder| without_statistics(folder.path(), &self.encoder));
        self.first_problem = first.problem(true).or_else(lack);
        if self.first_problem.is_some() {
            return Ok(true);
        }
        self.first_written = first.progress().written;
        let mut second = Process::start(&words, self.cgroup.as_ref())?;
        // The speed is that of both.
        second.started = first.started;
        *first = second;
        Ok(false)
    }

    /// Counts the threads of the scenario.
    pub(super) fn count_threads(&mut self) {
        let Some((processes, threads)) = self.cgroup.as_ref().and_then(Cgroup::counts) else { return };
        // The shells that become ffmpegs have one thread each.
        let are_encoders = threads > processes || self.progress().iter().all(|progress| progress.frames > 0);
        if are_encoders && threads > 0 {
            self.threads = self.threads.max(Some(threads));
        }
    }

    /// Playing time of the shortest output so far, of both passes together.
    pub(super) fn written(&self) -> Duration {
        let written = self.progress().iter().map(|progress| progress.written).min().unwrap_or_default();
        self.first_written + written
    }

    /// Begins the measured window after the stabilization.
    pub(super) fn begin_window(&mut self) {
        self.begun = (SystemClock.wall(), self.progress());
    }

    /// Ends all processes; the window ends with the last of them.
    pub(super) fn end(mut self) -> Outcome {
        let told = SystemClock.now();
        let has_end = self.has_end;
        let of_first = self.first_problem.take().map(|problem| format!("first pass: {problem}"));
        let mut problem =
            of_first.or_else(|| self.processes.iter_mut().find_map(|process| process.problem(has_end)));
        for process in &self.processes {
            process.tell_to_end();
        }
        for process in &mut self.processes {
            // Its status does not matter: it was told to end.
            let _ = process.end();
        }
        // An encoder writes its buffered frames when it is told to end: the window includes these frames and their energy.
        let ended = SystemClock.wall();
        let now = self.progress();
        let sum = |of: fn(&Progress) -> u64| {
            let total: u64 = now.iter().map(of).sum();
            let before: u64 = self.begun.1.iter().map(of).sum();
            (!now.is_empty()).then_some(total.saturating_sub(before))
        };
        let speeds = self.processes.iter().zip(&now).map(|(process, now)| {
            let elapsed = told.since(process.started);
            (now.written.as_secs_f64() / elapsed.as_secs_f64(), elapsed.saturating_sub(now.written))
        });
        let slowest = speeds.min_by(|(one, _), (other, _)| one.total_cmp(other));
        if let (true, None, Some((speed, lag))) = (self.is_paced, &problem, slowest)
            && speed < LEAST_SPEED
            && lag > LEAST_LAG
        {
            problem = Some(format!("fell behind: speed {speed:.2}"));
        }
        if problem.is_none() && sum(|progress| progress.frames) == Some(0) {
            problem = Some("no frame was encoded".to_owned());
        }
        Outcome {
            window: (self.begun.0, ended),
            frames: sum(|progress| progress.frames),
            dropped: sum(|progress| progress.dropped),
            speed: slowest.map(|(speed, _)| speed),
            problem,
            workload: self.cgroup.as_ref().map(|cgroup| cgroup.workload.clone()),
            encoder: self.encoder.clone(),
            preset: self.preset.clone(),
            quality: Quality::default(),
            scores: None,
            size: None,
            commands: self.commands.clone(),
            threads: self.threads,
            before: Before::default(),
            busy: None,
            throttled: None,
        }
    }

    fn progress(&self) -> Vec<Progress> {
        self.processes.iter().map(Process::progress).collect()
    }
}

/// The problem of a first pass that left no statistics for the second one.
fn without_statistics(folder: &Path, encoder: &str) -> Option<String> {
    let mut files = fs::read_dir(folder).into_iter().flatten().flatten();
    let has_some = files.any(|file| file.metadata().is_ok_and(|metadata| metadata.len() > 0));
    (!has_some)
        .then(|| format!("no statistics: this ffmpeg has no two passes of {encoder}; leave out --two-pass"))
}
