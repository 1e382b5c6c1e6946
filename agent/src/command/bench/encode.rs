//! Runs the ffmpegs of a scenario, follows their progress, and reports failures and streams that fall behind.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, ChildStderr, ChildStdout, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use agent_core::model::scenario::Quality;
use agent_core::time::{MonoTime, WallTime};
use rustix::process::{Pid, Signal, kill_process};

use crate::clock::{Clock, SystemClock};
use crate::command::bench::cgroup::Cgroup;
use crate::command::bench::command::{self, Stream};
use crate::command::bench::options::Options;
use crate::command::bench::plan::Scenario;
use crate::command::bench::{BenchError, Target, slug};
use crate::host::HostRoots;

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
    /// Written output, in microseconds of playing time.
    written: i64,
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
}

/// One ffmpeg process.
#[derive(Debug)]
struct Process {
    child: Child,
    progress: Arc<Mutex<Progress>>,
    started: MonoTime,
    readers: Vec<JoinHandle<()>>,
    errors: Arc<Mutex<String>>,
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
}

impl Outcome {
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
        let chosen = scenario.preset.clone().or_else(|| options.preset.clone());
        let preset = chosen.or_else(|| command::default_preset(&encoder).map(str::to_owned));
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
            is_paced: !options.is_fast,
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
            let process = Process::start(&options.ffmpeg, &stream.arguments(folder), encode.cgroup.as_ref())?;
            encode.processes.push(process);
        }
        Ok(encode)
    }

    /// Whether an encode has ended early.
    pub(super) fn has_ended(&mut self) -> bool {
        self.processes.iter_mut().any(|process| matches!(process.child.try_wait(), Ok(Some(_)) | Err(_)))
    }

    /// Begins the measured window after the stabilization.
    pub(super) fn begin_window(&mut self) {
        self.begun = (SystemClock.wall(), self.progress());
    }

    /// Ends all processes; the window ends with the last of them.
    pub(super) fn end(mut self) -> Outcome {
        let told = SystemClock.now();
        let mut problem = self.processes.iter_mut().find_map(Process::problem);
        for process in &mut self.processes {
            process.tell_to_end();
        }
        for process in &mut self.processes {
            process.end();
        }
        // An encoder writes its buffered frames when it is told to end: the window includes these frames and their energy.
        let ended = SystemClock.wall();
        let now = self.progress();
        let sum = |of: fn(&Progress) -> u64| {
            let total: u64 = now.iter().map(of).sum();
            let before: u64 = self.begun.1.iter().map(of).sum();
            (!now.is_empty()).then_some(total.saturating_sub(before))
        };
        let speeds = self.processes.iter().zip(&now).filter_map(|(process, now)| {
            let elapsed = told.since(process.started);
            let written = Duration::from_micros(u64::try_from(now.written).ok()?);
            Some((written.as_secs_f64() / elapsed.as_secs_f64(), elapsed.saturating_sub(written)))
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
        }
    }

    fn progress(&self) -> Vec<Progress> {
        let read = |process: &Process| *process.progress.lock().unwrap_or_else(PoisonError::into_inner);
        self.processes.iter().map(read).collect()
    }
}

impl Process {
    #[expect(clippy::disallowed_methods, reason = "a bench starts its encodes; `end` ends them")]
    fn start(ffmpeg: &str, arguments: &[String], cgroup: Option<&Cgroup>) -> Result<Self, BenchError> {
        // The shell moves itself into the cgroup before it becomes ffmpeg, so that no cycle is charged elsewhere. And with util-linux,
        // a bench that is killed ends its ffmpegs.
        let script = r#"if [ -n "$1" ]; then echo 0 > "$1" || exit 125; fi; shift
            command -v setpriv > /dev/null && exec setpriv --pdeathsig KILL "$@"
            exec "$@""#;
        let processes = cgroup.map(Cgroup::processes).unwrap_or_default();
        let mut command = Command::new("sh");
        command.args(["-c", script, "sh"]).arg(processes).arg(ffmpeg).args(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let started = SystemClock.now();
        let mut child = command.spawn().map_err(|cause| BenchError::io(format!("start {ffmpeg}"), cause))?;
        let progress = Arc::new(Mutex::new(Progress::default()));
        let errors = Arc::new(Mutex::new(String::new()));
        let mut readers = Vec::new();
        if let Some(output) = child.stdout.take() {
            let progress = Arc::clone(&progress);
            readers.push(std::thread::spawn(move || follow(output, &progress)));
        }
        if let Some(output) = child.stderr.take() {
            let errors = Arc::clone(&errors);
            readers.push(std::thread::spawn(move || collect(output, &errors)));
        }
        Ok(Self { child, progress, started, readers, errors })
    }

    /// The reason why it does not run, when it should.
    fn problem(&mut self) -> Option<String> {
        let status = match self.child.try_wait() {
            Ok(None) => return None,
            Ok(Some(status)) => status.to_string(),
            Err(error) => error.to_string(),
        };
        // Its messages are complete once it has ended.
        self.join();
        let errors = self.errors.lock().unwrap_or_else(PoisonError::into_inner);
        let last = errors.lines().next_back().unwrap_or("no error message");
        Some(format!("ffmpeg ended ({status}): {last}"))
    }

    fn tell_to_end(&mut self) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        if let (Ok(None), Some(pid)) = (self.child.try_wait(), pid) {
            // It may have just ended.
            let _ = kill_process(pid, Signal::TERM);
        }
    }

    /// Waits for its end, and kills it after the grace time.
    #[expect(clippy::disallowed_methods, reason = "a bench waits for the end of its encodes")]
    fn end(&mut self) {
        let clock = SystemClock;
        let begin = clock.now();
        while matches!(self.child.try_wait(), Ok(None)) && clock.now().since(begin) < GRACE {
            std::thread::sleep(Duration::from_millis(5));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        self.join();
    }

    fn join(&mut self) {
        for reader in self.readers.drain(..) {
            // A reader ends with its pipe, and does not panic.
            let _ = reader.join();
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.tell_to_end();
        self.end();
    }
}

/// Follows `key=value` lines, a block of them each time; see `-progress` in ffmpeg(1).
fn follow(output: ChildStdout, progress: &Mutex<Progress>) {
    for line in BufReader::new(output).lines().map_while(Result::ok) {
        let Some((key, value)) = line.split_once('=') else { continue };
        let value = value.trim();
        let mut progress = progress.lock().unwrap_or_else(PoisonError::into_inner);
        match key {
            "frame" => progress.frames = value.parse().unwrap_or(progress.frames),
            "drop_frames" => progress.dropped = value.parse().unwrap_or(progress.dropped),
            "out_time_us" => progress.written = value.parse().unwrap_or(progress.written),
            _ => {}
        }
    }
}

/// Keeps the last part of its messages.
fn collect(output: ChildStderr, errors: &Mutex<String>) {
    const MOST: usize = 16 << 10;
    let mut output = BufReader::new(output);
    let mut line = Vec::new();
    while output.by_ref().take(MOST as u64).read_until(b'\n', &mut line).is_ok_and(|bytes| bytes > 0) {
        let mut errors = errors.lock().unwrap_or_else(PoisonError::into_inner);
        if errors.len() > MOST {
            errors.clear();
        }
        errors.push_str(&String::from_utf8_lossy(&line));
        line.clear();
    }
}
