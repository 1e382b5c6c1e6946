//! Scores finished transcodes while the agent runs.
//!
//! One thread runs one comparison at a time, on the CPUs that it may use and at the lowest priority; the ffmpegs that it starts inherit
//! both. Its ffmpegs are the agent's own children, and charged to the agent.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use agent_core::model::snapshot::TranscodeSnapshot;
use agent_core::model::transcode::{ExitStatus, Output};
use agent_core::time::WallTime;
use indicatif::ProgressBar;
use rustix::process::setpriority_process;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::config::Quality;
use crate::host::HostRoots;
use crate::quality::process::LOWEST_PRIORITY;
use crate::quality::{Pair, QualityError, Terms, Tools, compare};
use crate::source::identity::processes;

/// A finished transcode to score.
#[derive(Clone, Debug)]
pub(crate) struct Job {
    pub key: Arc<str>,
    /// Start time of the transcode.
    pub started: WallTime,
    /// The container's `ffwatt.scenario`.
    pub scenario: Option<String>,
    pair: Pair,
}

/// The scoring thread, and its queue.
#[derive(Debug)]
pub(crate) struct Watcher {
    roots: HostRoots,
    seen: HashSet<Arc<str>>,
    /// Transcodes that had the output of their labels open for writing.
    writers: HashSet<Arc<str>>,
    jobs: Option<Sender<Job>>,
    done: Receiver<(Job, Result<Output, QualityError>)>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Watcher {
    /// Starts the thread; `None` when the configuration does not enable it. `started` is called with the numbers of comparing processes.
    pub(crate) fn start(
        config: &Quality,
        roots: HostRoots,
        started: impl Fn(u32) + Send + 'static,
    ) -> std::io::Result<Option<Self>> {
        if config.max_cpus == 0 {
            return Ok(None);
        }
        let (jobs, to_do) = channel::<Job>();
        let (report, done) = channel();
        let stop = Arc::new(AtomicBool::new(false));
        let (told, config) = (Arc::clone(&stop), config.clone());
        let work = move || {
            keep_back(config.max_cpus as usize);
            for job in to_do {
                let result = score(&job, &config, &told, &started);
                if told.load(Ordering::Relaxed) || report.send((job, result)).is_err() {
                    break;
                }
            }
        };
        let thread = std::thread::Builder::new().name("quality".to_owned()).spawn(work)?;
        let (seen, writers) = (HashSet::new(), HashSet::new());
        Ok(Some(Self { roots, seen, writers, jobs: Some(jobs), done, stop, thread: Some(thread) }))
    }

    /// Queues transcodes that ended without an error, whose container's labels name a source and an output, and that wrote this
    /// output: it is in their command line, or they had it open for writing.
    pub(crate) fn follow(&mut self, transcodes: &[TranscodeSnapshot]) {
        for transcode in transcodes {
            let key = &transcode.identity.key;
            if self.seen.contains(key) {
                continue;
            }
            let Some(pair) = pair_of(transcode) else { continue };
            if transcode.ended.is_none() {
                self.look(transcode, &pair);
                continue;
            }
            let is_good = matches!(transcode.status, None | Some(ExitStatus::Code(0)));
            let output = pair.distorted.as_os_str().as_encoded_bytes();
            if !is_good || !(self.writers.contains(key) || transcode.identity.written.contains(output)) {
                continue;
            }
            self.seen.insert(Arc::clone(key));
            let scenario = transcode.workload.details.scenario().map(str::to_owned);
            let job = Job { key: Arc::clone(key), started: transcode.started, scenario, pair };
            // The thread ends only with the agent.
            self.jobs.as_ref().and_then(|jobs| jobs.send(job).ok());
        }
        let shown: HashSet<&Arc<str>> = transcodes.iter().map(|transcode| &transcode.identity.key).collect();
        self.seen.retain(|key| shown.contains(key));
        self.writers.retain(|key| shown.contains(key));
    }

    /// Notes that a running transcode writes the output of its labels, where the command line does not say it: `pipe:1` in a shell's
    /// redirection.
    fn look(&mut self, transcode: &TranscodeSnapshot, pair: &Pair) {
        let process = transcode.observation.process.as_ref().map(|identity| identity.process);
        let key = &transcode.identity.key;
        if !self.writers.contains(key)
            && process.is_some_and(|process| processes::writes(&self.roots, process, &pair.distorted))
        {
            self.writers.insert(Arc::clone(key));
        }
    }

    /// Results since the last call.
    pub(crate) fn scored(&self) -> impl Iterator<Item = (Job, Result<Output, QualityError>)> {
        self.done.try_iter()
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.jobs = None;
        // Its ffmpeg ends with it; the thread does not panic.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

fn pair_of(transcode: &TranscodeSnapshot) -> Option<Pair> {
    let labels = &transcode.workload.details.labels;
    let path = |name: &str| labels.get(name).filter(|path| !path.is_empty()).map(PathBuf::from);
    Some(Pair { reference: path("reference")?, distorted: path("output")? })
}

fn score(
    job: &Job,
    config: &Quality,
    stop: &AtomicBool,
    started: &dyn Fn(u32),
) -> Result<Output, QualityError> {
    for (label, path) in [("reference", &job.pair.reference), ("output", &job.pair.distorted)] {
        if !Path::is_file(path) {
            let problem = format!(
                "the label ffwatt.{label} names it, and it is no file that the agent sees: mount its folder at the same place"
            );
            return Err(QualityError::Input { path: path.clone(), problem });
        }
    }
    let tools = Tools::find(&config.ffmpeg)?;
    let bar = ProgressBar::hidden();
    let terms = Terms { timeout: config.timeout.0, is_neg: false, stop, bar: &bar, started };
    let comparison = compare(&tools, &job.pair, &terms)?;
    for finding in &comparison.findings {
        tracing::info!("{finding}");
    }
    Ok(comparison.output)
}

/// Restricts this thread, and its children, to this many CPUs and the lowest priority.
fn keep_back(cpus: usize) {
    // Where the host forbids it, the comparison runs at normal priority: it is charged to the agent in any case.
    let _ = setpriority_process(None, LOWEST_PRIORITY);
    if let Ok(allowed) = sched_getaffinity(None) {
        let mut few = CpuSet::new();
        // The last CPUs, because most interrupts are on the first.
        let usable = (0..CpuSet::MAX_CPU).rev().filter(|cpu| allowed.is_set(*cpu));
        usable.take(cpus).for_each(|cpu| few.set(cpu));
        let _ = sched_setaffinity(None, &few);
    }
}
