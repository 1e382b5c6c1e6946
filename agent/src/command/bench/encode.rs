//! Runs the ffmpegs of a scenario, follows their progress, and reports failures and streams that fall behind.

use std::io::Read;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use agent_core::ffmpeg::progress::Lines;
use agent_core::model::progress::Block;
use agent_core::model::scenario::Quality;
use agent_core::time::{MonoTime, WallTime};
use agent_core::units::Bytes;
use rustix::process::Signal;

use crate::child::{self, ChildGroup, MAX_LINE, Messages, Unfinished};
use crate::clock::{Clock, SystemClock};
use crate::command::bench::cgroup::Cgroup;
use crate::command::bench::command::{self, Stream};
use crate::command::bench::conditions::Before;
use crate::command::bench::options::Options;
use crate::command::bench::plan::Scenario;
use crate::command::bench::scoring::{self, Scoring};
use crate::command::bench::{BenchError, Target, slug};
use crate::host::HostRoots;
use crate::quality::{QualityError, Scores};

/// Time in which an ffmpeg has to end after a signal.
const GRACE: Duration = Duration::from_secs(5);

/// In real time, a slower stream falls behind: its viewers would see it stop.
const LEAST_SPEED: f64 = 0.95;

/// ffmpeg needs some time to start: a smaller delay does not count.
const LEAST_LAG: Duration = Duration::from_secs(1);

/// ffmpeg's last progress.
#[derive(Clone, Copy, Debug, Default)]
struct Progress {
    frames: u64,
    dropped: u64,
    /// Playing time of the written output.
    written: Duration,
}

impl Progress {
    fn take(&mut self, block: &Block) {
        self.frames = block.frames.unwrap_or(self.frames);
        self.dropped = block.dropped.unwrap_or(self.dropped);
        self.written = block.output_time.unwrap_or(self.written);
    }
}

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

/// One ffmpeg process.
#[derive(Debug)]
struct Process {
    child: ChildGroup,
    progress: Arc<Mutex<Progress>>,
    started: MonoTime,
    readers: Vec<JoinHandle<()>>,
    messages: Arc<Mutex<Messages>>,
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
    pub(super) fn has_ended(&mut self) -> bool {
        self.processes.iter_mut().any(|process| matches!(process.child.has_ended(), Ok(true) | Err(_)))
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
        let read = |process: &Process| *process.progress.lock().unwrap_or_else(PoisonError::into_inner);
        self.processes.iter().map(read).collect()
    }
}

impl Process {
    #[expect(clippy::disallowed_methods, reason = "a bench starts its encodes; `end` ends them")]
    fn start(program_and_arguments: &[String], cgroup: Option<&Cgroup>) -> Result<Self, BenchError> {
        // The shell moves itself into the cgroup before it becomes ffmpeg, so that no cycle is charged elsewhere. And with util-linux,
        // a bench that is killed ends its ffmpegs.
        let script = r#"if [ -n "$1" ]; then echo 0 > "$1" || exit 125; fi; shift
            command -v setpriv > /dev/null && exec setpriv --pdeathsig KILL "$@"
            exec "$@""#;
        let processes = cgroup.map(Cgroup::processes).unwrap_or_default();
        let mut command = Command::new("sh");
        command.args(["-c", script, "sh"]).arg(processes).args(program_and_arguments);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let started = SystemClock.now();
        let mut child =
            ChildGroup::spawn(&mut command).map_err(|cause| BenchError::io("start sh".to_owned(), cause))?;
        let progress = Arc::new(Mutex::new(Progress::default()));
        let messages = Arc::new(Mutex::new(Messages::default()));
        let mut readers = Vec::new();
        if let Some(output) = child.output() {
            let progress = Arc::clone(&progress);
            readers.push(std::thread::spawn(move || follow(output, &progress)));
        }
        if let Some(output) = child.errors() {
            let messages = Arc::clone(&messages);
            readers.push(std::thread::spawn(move || {
                let read = Messages::read(output);
                *messages.lock().unwrap_or_else(PoisonError::into_inner) = read;
            }));
        }
        Ok(Self { child, progress, started, readers, messages })
    }

    /// The reason why it does not run, when it should. One that `has_end` may have ended without an error.
    fn problem(&mut self, has_end: bool) -> Option<String> {
        if let Ok(false) = self.child.has_ended() {
            return None;
        }
        // Its messages are complete once no process has its pipes open.
        let status = match self.end() {
            Ok(status) if has_end && status.success() => return None,
            Ok(status) => status.to_string(),
            Err(Unfinished::Unknown(error)) => error.to_string(),
            Err(Unfinished::Late | Unfinished::Stopped) => "a process that it started went on".to_owned(),
        };
        let cause = self.messages.lock().unwrap_or_else(PoisonError::into_inner).cause();
        let cause = cause.as_deref().unwrap_or("no error message");
        Some(format!("ffmpeg ended ({status}): {cause}"))
    }

    fn tell_to_end(&self) {
        self.child.signal(Signal::TERM);
    }

    /// Waits for its end, and kills it after the grace time, with all processes that it started.
    fn end(&mut self) -> Result<ExitStatus, Unfinished> {
        let is_read = || self.readers.iter().all(JoinHandle::is_finished);
        let status = self.child.wait(SystemClock.now().plus(GRACE), &AtomicBool::new(false), is_read);
        for reader in self.readers.drain(..) {
            // A reader ends with its pipe, and does not panic.
            let _ = reader.join();
        }
        status
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.tell_to_end();
        // Its status does not matter: it was told to end.
        let _ = self.end();
    }
}

/// Follows the progress of an ffmpeg until its end; a figure that a block does not have stays as it was.
fn follow(output: impl Read, progress: &Mutex<Progress>) {
    let mut parsed = Lines::default();
    for block in child::lines(output, MAX_LINE).filter_map(|line| parsed.line(&line)) {
        progress.lock().unwrap_or_else(PoisonError::into_inner).take(&block);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Vec<String> {
        ["sh", "-c", script].map(str::to_owned).to_vec()
    }

    #[test]
    fn an_encode_of_a_clip_may_end_only_without_an_error() {
        let problem = |script: &str, has_end: bool| {
            let mut process = Process::start(&shell(script), None).unwrap();
            while !process.child.has_ended().unwrap() {
                std::thread::yield_now();
            }
            process.problem(has_end)
        };
        assert_eq!(problem("exit 0", true), None);
        assert!(problem("exit 0", false).is_some(), "a live source has no end");
        assert!(problem("exit 1", true).unwrap().contains("exit status: 1"));
    }

    #[test]
    fn a_failed_encode_has_the_cause_as_its_problem() {
        let script = "echo '[libx264 @ 0x1] Error setting preset fastest' >&2
            echo 'Conversion failed!' >&2; exit 3";
        let mut process = Process::start(&shell(script), None).unwrap();
        while !process.child.has_ended().unwrap() {
            std::thread::yield_now();
        }
        let expected = "ffmpeg ended (exit status: 3): Error setting preset fastest";
        assert_eq!(process.problem(false).as_deref(), Some(expected));
    }

    #[test]
    fn an_ffmpeg_that_a_script_starts_ends_with_the_script() {
        let script = "sleep 600 & echo $! >&2; wait";
        let mut process = Process::start(&shell(script), None).unwrap();
        process.tell_to_end();
        assert!(process.end().is_ok(), "none of them waits for the grace time");
        assert_eq!(process.readers.len(), 0);
    }

    #[test]
    fn progress_is_that_of_the_last_whole_block() {
        let script = "yes | head -c 100000 | tr -d '\\n'
            printf '\\nframe=5\\ndrop_frames=1\\nout_time_us=2000000\\nprogress=continue\\n'
            printf 'frame=7\\nout_time_us=N/A\\nprogress=end\\nframe=9\\n'";
        let mut process = Process::start(&shell(script), None).unwrap();
        assert!(process.end().unwrap().success());
        let progress = *process.progress.lock().unwrap();
        assert_eq!((progress.frames, progress.dropped, progress.written), (7, 1, Duration::from_secs(2)));
    }
}
