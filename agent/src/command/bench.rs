//! `ffwatt bench`: encodes scenarios with real ffmpeg, one after the other, and writes a result file.
//!
//! Each scenario runs in a cgroup of its own, `ffrtmp/<scenario>`, so that an agent on the same host charges its energy separately from all
//! others. The file is written after every scenario: finished scenarios are kept, whatever happens later.

mod agent;
mod batch;
mod cgroup;
mod clip_options;
mod clips;
mod command;
mod conditions;
mod encode;
mod file;
mod joules;
mod matrix;
mod options;
mod plan;
mod process;
pub(in crate::command) mod rate_control;
mod scoring;
mod table;
#[cfg(test)]
mod tests;
mod two_pass;

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use agent_core::units::Bytes;
use indicatif::{ProgressBar, ProgressStyle};
use tempfile::TempDir;

use crate::clock::{Clock, SystemClock};
use crate::config::{Config, Layers};
use crate::error::chain;
use crate::files::{self, ReplaceError, TemporaryFolderError};
use crate::host::HostRoots;
use crate::quality::{QualityError, Tools};

pub(crate) use batch::BatchError;
pub use batch::count_scenarios;
pub(crate) use options::{Options, command, options};

use agent::OwnAgent;
use clips::Decoding;
use conditions::{Lookout, Meanwhile, Unfit, WhenBusy};
use encode::{Encode, Outcome};
use file::ResultFile;
use joules::Joules;
use options::Work;
use plan::Scenario;
use scoring::Scoring;

/// Interval in which running encodes are checked.
const POLL: Duration = Duration::from_millis(50);

/// Time for which the host is looked at before the first scenario.
const GLANCE: Duration = Duration::from_secs(1);

/// The reason why a bench cannot continue.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BenchError {
    /// The batch file cannot be used.
    #[error(transparent)]
    Batch(#[from] BatchError),
    /// There is no temporary folder.
    #[error(transparent)]
    TemporaryFolder(#[from] TemporaryFolderError),
    /// A file or program cannot be used.
    #[error("cannot {doing}")]
    Io {
        /// The attempted action.
        doing: String,
        /// The error.
        #[source]
        cause: std::io::Error,
    },
    /// No agent runs, and none can be started.
    #[error(
        "no agent runs here, and none can be started ({why}); `ffwatt check` says what helps, and --no-agent encodes without"
    )]
    NoAgent {
        /// The agent's last message.
        why: String,
    },
    /// A clip cannot be read or decoded.
    #[error(transparent)]
    Clip(#[from] QualityError),
    /// The result file cannot be replaced.
    #[error(transparent)]
    Replace(#[from] ReplaceError),
    /// The host is busy or hot, and the user wants no figures then.
    #[error(transparent)]
    Unfit(#[from] Unfit),
}

impl BenchError {
    fn io(doing: impl Into<String>, cause: std::io::Error) -> Self {
        Self::Io { doing: doing.into(), cause }
    }
}

/// Result of a bench.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// All scenarios are done.
    Done,
    /// Some encodes failed or did not keep up.
    Failed,
    /// A user stopped it; finished scenarios are in the file.
    Stopped,
}

/// Runs all scenarios. `stop` ends it between two checks; finished scenarios stay in the file.
pub(crate) fn run(
    options: &Options,
    (config, layers): (&Config, &Layers),
    stop: &Arc<AtomicBool>,
    out: &mut dyn Write,
) -> Result<Ending, BenchError> {
    let encodes = Encodes::open(options)?;
    // Before the first encode: what is missing for scores is said at once, and once.
    let find = |_| Tools::find(&config.quality.ffmpeg, stop);
    let tools = encodes.scratch.as_ref().map(find).transpose()?;
    let timeout = config.quality.timeout.0;
    let decoding = encodes.scratch.as_ref().zip(tools.as_ref()).map(|(scratch, tools)| Decoding {
        folder: scratch.path(),
        ffmpeg: &options.ffmpeg,
        tools,
        timeout,
        stop,
    });
    let scenarios = match (&options.work, &decoding) {
        (Work::Clips(clips), Some(decoding)) => {
            plan::with_unique_names(clips.scenarios(options.cooldown(), decoding)?)
        }
        _ => options.scenarios()?,
    };
    let folder = options.output_dir.clone().unwrap_or_else(|| config.results_dir());
    let roots = config.roots();
    let mut file = ResultFile::create(&folder, conditions::host(&roots, &options.ffmpeg, stop))?;
    let own_agent =
        if options.has_agent { agent::start_unless_running(config, layers, &folder, stop)? } else { None };
    let bar = progress(&scenarios);
    // Nothing asks the agent where nobody sees the answers.
    let joules = (!bar.is_hidden()).then(|| Joules::follow(config));
    let mut outcomes: Vec<(&Scenario, Outcome)> = Vec::new();
    let mut ending = Ending::Done;
    let mut cooldown = Duration::ZERO;
    let mut unfit = None;
    let lookout = Lookout { roots: &roots, when_busy: options.when_busy, stop, bar: &bar };
    for (index, scenario) in scenarios.iter().enumerate() {
        bar.set_prefix(format!("{}/{} {}", index + 1, scenarios.len(), scenario.name));
        if let (Some(encode), Some(decoding)) = (&scenario.clip, &decoding) {
            match decoding.prepare(&encode.clip) {
                Err(QualityError::Stopped) => {
                    ending = Ending::Stopped;
                    break;
                }
                result => result?,
            }
        }
        // Before the first scenario, a glance at the host is enough.
        let pause = if index == 0 { options.cooldown().min(GLANCE) } else { cooldown };
        // A refusal needs figures.
        let pause = if options.when_busy == WhenBusy::Mark { pause } else { pause.max(GLANCE) };
        let before = match lookout.pause(&scenario.name, pause) {
            Ok(Some(before)) => before,
            Ok(None) => {
                ending = Ending::Stopped;
                break;
            }
            Err(error) => {
                unfit = Some(error);
                break;
            }
        };
        cooldown = scenario.cooldown;
        let (encodes, roots, bar, joules) = (&encodes, &roots, &bar, joules.as_ref());
        let conditions = Conditions { options, encodes, roots, stop, bar, joules };
        let meanwhile = Meanwhile::begin(roots);
        let Some(mut outcome) = one(scenario, &conditions)? else {
            ending = Ending::Stopped;
            break;
        };
        let (busy, throttled) = meanwhile.end(roots);
        outcome.before = before;
        outcome.throttled = throttled;
        if scenario.is_baseline() {
            outcome.busy = busy;
            if let Err(error) = lookout.judge_baseline(&scenario.name, busy) {
                unfit = Some(error);
                break;
            }
        }
        outcome.size = encodes.size(scenario);
        if outcome.problem.is_some() {
            ending = Ending::Failed;
        } else if let (Some(scratch), Some(tools), Target::Folder(folder)) =
            (&encodes.scratch, &tools, &encodes.target)
            && scenario.has_encodes()
        {
            let (ffmpeg, reference) = (&*options.ffmpeg, &scratch.path().join("source.mkv"));
            match outcome.score(scenario, &Scoring { folder, reference, ffmpeg, tools, timeout, stop }) {
                Ok(()) => {}
                Err(QualityError::Stopped) => ending = Ending::Stopped,
                Err(error) => {
                    tracing::error!("{}: not scored: {}", scenario.name, chain(&error));
                    ending = Ending::Failed;
                }
            }
        }
        encodes.clear(scenario);
        // A finished encode is kept, scored or not.
        file.add(scenario, &outcome)?;
        outcomes.push((scenario, outcome));
        if ending == Ending::Stopped {
            break;
        }
    }
    bar.finish_and_clear();
    if outcomes.is_empty() {
        own_agent.into_iter().for_each(OwnAgent::stop);
        if let Some(unfit) = unfit {
            return Err(unfit.into());
        }
    } else if own_agent.is_some_and(|agent| !agent.finish(config, file.path(), stop)) {
        tracing::warn!("the energy of some scenarios is not in the ledger; `ffwatt report` shows which");
    }
    let written = |cause| BenchError::io("write to standard output", cause);
    table::write(&outcomes, out).map_err(written)?;
    writeln!(out, "\n{} of {} scenarios in {}", outcomes.len(), scenarios.len(), file.path().display())
        .map_err(written)?;
    if let Some(unfit) = unfit {
        return Err(unfit.into());
    }
    if ending == Ending::Done {
        table::write_next(&scenarios, file.path(), out).map_err(written)?;
    }
    Ok(ending)
}

/// Conditions that all scenarios of a bench share.
struct Conditions<'a> {
    options: &'a Options,
    encodes: &'a Encodes,
    roots: &'a HostRoots,
    /// Ends a scenario when it becomes true.
    stop: &'a AtomicBool,
    /// Advances with the encodes.
    bar: &'a ProgressBar,
    /// Shown beside the bar.
    joules: Option<&'a Joules>,
}

/// Runs one scenario; `None` when it was stopped.
#[expect(clippy::disallowed_methods, reason = "a bench waits for its encodes")]
fn one(scenario: &Scenario, conditions: &Conditions<'_>) -> Result<Option<Outcome>, BenchError> {
    let Conditions { options, encodes, roots, stop, bar, joules } = *conditions;
    let mut encode = Encode::start(scenario, options, encodes, roots)?;
    let wait = |time: Duration, encode: &mut Encode| -> Result<bool, BenchError> {
        let clock = SystemClock;
        let begin = clock.now();
        let before = bar.position();
        // A clip has its own end, however long its encode takes.
        while !encode.has_ended()? && (scenario.clip.is_some() || clock.now().since(begin) < time) {
            if stop.load(Ordering::Relaxed) {
                return Ok(false);
            }
            std::thread::sleep(POLL);
            encode.count_threads();
            let passed = if scenario.clip.is_some() { encode.written() } else { clock.now().since(begin) };
            bar.set_position(before + milliseconds(passed.min(time)));
            if let Some(joules) = joules.and_then(Joules::sum) {
                bar.set_message(format!(", {:.1} J", joules.joules()));
            }
        }
        bar.set_position(before + milliseconds(time));
        Ok(true)
    };
    let mut goes_on = true;
    // A clip has none: a wait for it would last until the end of the clip.
    if !scenario.stabilization.is_zero() {
        goes_on = wait(scenario.stabilization, &mut encode)?;
        encode.begin_window();
    }
    let goes_on = goes_on && wait(scenario.played(), &mut encode)?;
    let outcome = encode.end();
    Ok(goes_on.then_some(outcome))
}

/// Folder in which encodes are kept until they are scored.
#[derive(Debug)]
struct Encodes {
    /// A temporary folder, for files that only scoring needs.
    scratch: Option<TempDir>,
    target: Target,
}

impl Encodes {
    fn open(options: &Options) -> Result<Self, BenchError> {
        if let Target::Folder(folder) = &options.target {
            fs::create_dir_all(folder)
                .map_err(|cause| BenchError::io(format!("make {}", folder.display()), cause))?;
        }
        if !options.is_scored {
            return Ok(Self { scratch: None, target: options.target.clone() });
        }
        let scratch = files::temporary_folder("ffwatt-bench-")?;
        let target = match &options.target {
            Target::Null => Target::Folder(scratch.path().to_owned()),
            target => target.clone(),
        };
        Ok(Self { scratch: Some(scratch), target })
    }

    /// A folder for the statistics of a first pass, where the scenario has one.
    fn statistics(&self, scenario: &Scenario) -> Result<Option<TempDir>, BenchError> {
        let has_two_passes =
            scenario.clip.as_ref().is_some_and(|encode| encode.has_two_passes && !encode.is_reading());
        let Some(scratch) = self.scratch.as_ref().filter(|_| has_two_passes) else { return Ok(None) };
        let made = tempfile::Builder::new().prefix("passes-").tempdir_in(scratch);
        made.map(Some)
            .map_err(|cause| BenchError::io(format!("make a folder in {}", scratch.path().display()), cause))
    }

    /// Size of a scenario's encodes, where all of them are files.
    fn size(&self, scenario: &Scenario) -> Option<Bytes> {
        let Target::Folder(folder) = &self.target else { return None };
        let files = command::files(scenario, folder).into_iter().filter(|_| scenario.has_encodes());
        let sizes = files.map(|file| Some(fs::metadata(file).ok()?.len()));
        sizes.sum::<Option<u64>>().filter(|size| *size > 0).map(Bytes)
    }

    /// Removes files that only scoring needed.
    fn clear(&self, scenario: &Scenario) {
        let Some(scratch) = &self.scratch else { return };
        for file in command::files(scenario, scratch.path()) {
            // A file may not have been written, and encodes to a server have none here.
            let _ = fs::remove_file(file);
        }
    }
}

/// A progress bar on standard error, when that is a terminal.
fn progress(scenarios: &[Scenario]) -> ProgressBar {
    let all: Duration = scenarios.iter().map(|scenario| scenario.stabilization + scenario.played()).sum();
    let bar = ProgressBar::new(milliseconds(all));
    // Every user would see an invalid template; the plain bar is sufficient.
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {prefix}{msg} ({eta} left)") {
        bar.set_style(style);
    }
    bar
}

/// A time in the unit of the bar.
fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Most characters of a folder's name.
const MAX_SLUG: usize = 100;

/// The name in a form that can be a folder's.
fn slug(name: &str) -> String {
    let plain = |character: char| {
        if character.is_ascii_alphanumeric() { character.to_ascii_lowercase() } else { '-' }
    };
    let text: String = name.chars().map(plain).collect();
    let parts: Vec<&str> = text.split('-').filter(|part| !part.is_empty()).collect();
    let slug: String = parts.join("-").chars().take(MAX_SLUG).collect();
    if slug.is_empty() { "scenario".to_owned() } else { slug }
}

/// Output of a scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// No output: only the encode is measured.
    Null,
    /// Files in a folder.
    Folder(PathBuf),
    /// A server: `rtmp://`, `srt://` or `udp://`.
    Url(String),
}
