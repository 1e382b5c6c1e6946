//! Starts an agent for the time of a bench, where none runs on this host.

use std::fs::File;
use std::io::{Read, Seek};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use agent_core::join::figures::Found;
use rustix::process::Signal;

use crate::child::ChildGroup;
use crate::clock::{Clock, SystemClock};
use crate::command::bench::BenchError;
use crate::command::check::running::{self, Running};
use crate::config::keys::KEYS;
use crate::config::{Config, Layers};
use crate::ledger::Ledger;
use crate::source::results;

/// Time in which an agent begins to serve, on a slow host.
const START: Duration = Duration::from_secs(30);

/// Time in which an agent writes the energy of the last scenario, beside its ticks.
const WRITING: Duration = Duration::from_secs(20);

/// Time in which an agent ends.
const END: Duration = Duration::from_secs(15);

const POLL: Duration = Duration::from_millis(100);

/// An agent that ends with the bench.
#[derive(Debug)]
pub(super) struct OwnAgent(ChildGroup);

/// Starts an agent unless one runs, and waits until it serves. It has the bench's configuration and reads the bench's results.
///
/// # Errors
///
/// The agent does not start; the error has its last message. `Ok(None)` also when the bench was stopped.
pub(super) fn start_unless_running(
    config: &Config,
    layers: &Layers,
    results: &Path,
    stop: &AtomicBool,
) -> Result<Option<OwnAgent>, BenchError> {
    if !matches!(running::find(config), Running::Nobody) {
        return Ok(None);
    }
    let failed = |cause| BenchError::io("start an agent for the bench", cause);
    let mut log = tempfile::tempfile().map_err(failed)?;
    let mut child = spawn(layers, results, log.try_clone().map_err(failed)?).map_err(failed)?;
    tracing::info!("no agent runs here: one is started until the bench ends");
    let deadline = SystemClock.now().plus(START);
    while SystemClock.now() < deadline && !stop.load(Ordering::Relaxed) {
        if !matches!(running::find(config), Running::Nobody) {
            return Ok(Some(OwnAgent(child)));
        }
        if child.has_ended().map_err(failed)? {
            return Err(BenchError::NoAgent { why: last_line(&mut log) });
        }
        pause();
    }
    end(&mut child);
    if stop.load(Ordering::Relaxed) {
        Ok(None)
    } else {
        Err(BenchError::NoAgent { why: last_line(&mut log) })
    }
}

#[expect(clippy::disallowed_methods, reason = "`OwnAgent` ends it")]
fn spawn(layers: &Layers, results: &Path, log: File) -> std::io::Result<ChildGroup> {
    // With util-linux, the agent of a bench that is killed ends.
    let script = r#"command -v setpriv > /dev/null && exec setpriv --pdeathsig TERM "$@"; exec "$@""#;
    let mut command = Command::new("sh");
    command.args(["-c", script, "sh"]).arg(std::env::current_exe()?).arg("run");
    if let Some(file) = &layers.file {
        command.arg("--config").arg(file);
    }
    for key in KEYS.iter().filter(|key| key.path != "results_dir") {
        if let Some(value) = layers.flags.get(key.path) {
            command.arg(format!("--{}={value}", key.flag()));
        }
    }
    command.arg("--results-dir").arg(results);
    ChildGroup::spawn(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log))
}

fn last_line(log: &mut File) -> String {
    let mut text = Vec::new();
    // Without the log the reason is not known.
    let _ = log.rewind().and_then(|()| log.read_to_end(&mut text));
    let text = String::from_utf8_lossy(&text);
    text.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("no message").to_owned()
}

impl OwnAgent {
    /// Ends the agent of a bench without scenarios.
    pub(super) fn stop(mut self) {
        end(&mut self.0);
    }

    /// Waits until the energy of all scenarios of a result file is in the ledger, and ends the agent. Returns whether all is there.
    pub(super) fn finish(mut self, config: &Config, file: &Path, stop: &AtomicBool) -> bool {
        let deadline = SystemClock.now().plus(WRITING).plus(config.interval.0 * 3);
        let mut is_written = false;
        while !is_written && SystemClock.now() < deadline && !stop.load(Ordering::Relaxed) {
            pause();
            is_written = is_written_whole(config, file);
        }
        end(&mut self.0);
        is_written
    }
}

/// Whether the ledger has the energy of all scenarios of a result file.
fn is_written_whole(config: &Config, file: &Path) -> bool {
    let Ok(bytes) = std::fs::read(file) else { return false };
    let Ok((run, _)) = results::parse(file, &bytes) else { return false };
    let Ok(ledger) = Ledger::open_first_for_reading(&config.state_dirs()) else { return false };
    let is_known = |found: Option<Found>| found.is_some_and(|found| found.is_attributed());
    run.scenarios.iter().all(|scenario| ledger.find(&run.id, scenario).is_ok_and(is_known))
}

#[expect(clippy::disallowed_methods, reason = "a bench waits for its agent")]
fn pause() {
    std::thread::sleep(POLL);
}

fn end(child: &mut ChildGroup) {
    child.signal(Signal::TERM);
    // A later end is a kill, and what it lost is found by the next agent.
    let _ = child.wait(SystemClock.now().plus(END), &AtomicBool::new(false), || true);
}
