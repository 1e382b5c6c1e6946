//! Runs the ffmpegs of a scenario, follows their progress, and reports failures and streams that fall behind.

use std::path::Path;
use std::time::Duration;

use agent_core::model::scenario::Quality;
use agent_core::time::WallTime;
use agent_core::units::Bytes;

use crate::clock::{Clock, SystemClock};
use crate::command::bench::cgroup::Cgroup;
use crate::command::bench::command::{self, Stream};
use crate::command::bench::conditions::Before;
use crate::command::bench::options::Options;
use crate::command::bench::plan::Scenario;
use crate::command::bench::process::{Process, Progress};
use crate::command::bench::scoring::{self, Scoring};
use crate::command::bench::{BenchError, Target, slug};
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
    /// The command lines, one for each process.
    commands: Vec<String>,
}

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
    pub(super) before: Before,
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
        target: &Target,
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
        };
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
            let arguments = options.on_cpus(stream.arguments(folder));
            encode.commands.push(arguments.join(" "));
            encode.processes.push(Process::start(&arguments, encode.cgroup.as_ref())?);
        }
        Ok(encode)
    }

    /// Whether an encode has ended.
    pub(super) fn has_ended(&self) -> bool {
        self.processes.iter().any(Process::has_ended)
    }

    /// Playing time of the shortest output so far.
    pub(super) fn written(&self) -> Duration {
        self.progress().iter().map(|progress| progress.written).min().unwrap_or_default()
    }

    /// Begins the measured window after the stabilization.
    pub(super) fn begin_window(&mut self) {
        self.begun = (SystemClock.wall(), self.progress());
    }

    /// Ends all processes; the window ends with the last of them.
    pub(super) fn end(mut self) -> Outcome {
        let told = SystemClock.now();
        let has_end = self.has_end;
        let mut problem = self.processes.iter_mut().find_map(|process| process.problem(has_end));
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
            before: Before::default(),
        }
    }

    fn progress(&self) -> Vec<Progress> {
        self.processes.iter().map(Process::progress).collect()
    }
}
