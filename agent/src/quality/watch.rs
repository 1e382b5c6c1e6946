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
use crate::source::identity::open_files;

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
            self.look(transcode);
            if let Some(job) = self.wanted(transcode) {
                self.seen.insert(Arc::clone(&job.key));
                // The thread ends only with the agent.
                self.jobs.as_ref().and_then(|jobs| jobs.send(job).ok());
            }
        }
        let shown: HashSet<&Arc<str>> = transcodes.iter().map(|transcode| &transcode.identity.key).collect();
        self.seen.retain(|key| shown.contains(key));
        self.writers.retain(|key| shown.contains(key));
    }

    /// The job of a transcode that ended well and wrote the output of its labels; `None` for others, and for jobs in the queue.
    fn wanted(&self, transcode: &TranscodeSnapshot) -> Option<Job> {
        let key = &transcode.identity.key;
        let is_good = matches!(transcode.exit.map(|exit| exit.status), None | Some(ExitStatus::Code(0)));
        if transcode.ended.is_none() || !is_good || self.seen.contains(key) {
            return None;
        }
        let pair = pair_of(transcode)?;
        let is_writer = self.writers.contains(key) || names_output(transcode, &pair);
        let scenario = transcode.workload.details.scenario().map(str::to_owned);
        is_writer.then(|| Job { key: Arc::clone(key), started: transcode.started, scenario, pair })
    }

    /// Notes that a running transcode writes the output of its labels, where the command line does not say it: `pipe:1` in a shell's
    /// redirection. Only then are the open files of the process read, at each tick.
    fn look(&mut self, transcode: &TranscodeSnapshot) {
        let key = &transcode.identity.key;
        if transcode.ended.is_some() || self.writers.contains(key) {
            return;
        }
        let Some((pair, process)) = pair_of(transcode).zip(transcode.observation.process.as_ref()) else {
            return;
        };
        if !names_output(transcode, &pair)
            && open_files::writes(&self.roots, process.process, &pair.distorted)
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

/// Whether the command line names the output.
fn names_output(transcode: &TranscodeSnapshot, pair: &Pair) -> bool {
    transcode.identity.written.contains(pair.distorted.as_os_str().as_encoded_bytes())
}

fn pair_of(transcode: &TranscodeSnapshot) -> Option<Pair> {
    let labels = &transcode.workload.details.labels;
    let path = |name: &str| labels.get(name).filter(|path| !path.is_empty()).map(PathBuf::from);
    Some(Pair { reference: path("reference")?, distorted: path("output")?, is_in_step: false })
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
    let tools = Tools::find(&config.ffmpeg, stop)?;
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use agent_core::model::account::Account;
    use agent_core::model::cpu::ProcessId;
    use agent_core::model::snapshot::SeriesSnapshot;
    use agent_core::model::transcode::{Encode, Observation, ProcessIdentity, SeenOutput, TranscodeIdentity};
    use agent_core::model::workload::{Details, Identity, WorkloadKind};
    use agent_core::model::written::WrittenPaths;

    use super::*;

    const OUTPUT: &str = "/data/out.mp4";

    fn watcher() -> Watcher {
        Watcher {
            roots: HostRoots::default(),
            seen: HashSet::new(),
            writers: HashSet::new(),
            jobs: None,
            done: channel().1,
            stop: Arc::default(),
            thread: None,
        }
    }

    /// A finished transcode with these arguments, in a container with labels.
    fn transcode(arguments: &str, output: &str) -> TranscodeSnapshot {
        let labels = [("reference", "/data/in.mp4"), ("output", output)];
        let labels: BTreeMap<String, String> =
            labels.iter().map(|(name, path)| ((*name).to_owned(), (*path).to_owned())).collect();
        TranscodeSnapshot {
            identity: TranscodeIdentity {
                key: "7-1000".into(),
                encode: Arc::new(Encode::default()),
                written: WrittenPaths::of(arguments.replace(' ', "\0").as_bytes()),
            },
            workload: Identity {
                name: "vod".into(),
                id: "1".into(),
                kind: WorkloadKind::Docker,
                details: Arc::new(Details { labels, ..Details::default() }),
            },
            account: Account::default(),
            series: SeriesSnapshot::default(),
            started: WallTime(1000.0),
            ended: Some(WallTime(1010.0)),
            exit: Some(ExitStatus::Code(0).into()),
            progress: None,
            output: Output::default(),
            observation: Observation::default(),
            seen: SeenOutput::default(),
            figures: None,
        }
    }

    #[test]
    fn only_the_run_that_wrote_the_output_is_scored() {
        let is_wanted = |arguments: &str| watcher().wanted(&transcode(arguments, OUTPUT)).is_some();
        assert!(is_wanted("ffmpeg -i /data/in.mp4 -c:v libx264 /data/out.mp4"));
        for other in [
            "ffmpeg -i /data/in.mp4 -c:v libx264 -pass 1 -f null /dev/null",
            "ffmpeg -i /data/out.mp4 -frames:v 1 /data/poster.jpg",
            "ffmpeg -i /data/out.mp4 -f null -",
            "",
        ] {
            assert!(!is_wanted(other), "{other}");
        }
    }

    #[test]
    fn only_a_run_that_ended_well_is_scored() {
        let mut one = transcode("ffmpeg -i in.mp4 out.mp4", OUTPUT);
        assert!(watcher().wanted(&one).is_some());
        for status in [ExitStatus::Code(1), ExitStatus::Code(255), ExitStatus::Signal(9)] {
            one.exit = Some(status.into());
            assert!(watcher().wanted(&one).is_none(), "{status:?}");
        }
        (one.exit, one.ended) = (Some(ExitStatus::Code(0).into()), None);
        assert!(watcher().wanted(&one).is_none(), "it still runs");
    }

    #[test]
    fn a_run_that_has_the_output_open_is_its_writer() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.mp4");
        let open = std::fs::File::create(&path).unwrap();
        let mut one = transcode("ffmpeg -i in.mp4 -f mp4 pipe:1", &path.display().to_string());
        let process = ProcessId(std::process::id());
        one.observation.process = Some(ProcessIdentity { process, birth: 0, boot: "".into() });
        one.ended = None;
        let mut watcher = watcher();
        watcher.look(&one);
        drop(open);
        one.ended = Some(WallTime(1010.0));
        assert!(watcher.wanted(&one).is_some());
    }
}
