//! Tests the ledger: its format, its readers, transcodes that outlive an agent, and corrected result files.
//!
//! The real binary on fixture hosts.
//!
//! Run: together.

#![allow(
    clippy::unwrap_used,
    clippy::float_cmp,
    reason = "a test may panic, and means equal when it says equal"
)]

mod format;
mod partial;
mod readers;
mod stale;

use std::fs;
use std::path::Path;
use std::process::Output;
use std::time::{Duration, SystemTime};

use rusqlite::{Connection, OpenFlags};
use tests::agent::Agent;
use tests::host::Host;

/// An agent on a fixture host, with this state folder, after its first whole tick.
fn agent(host: &Host, state: &Path, more: &[&str]) -> Agent {
    let (flags, state) = (host.flags(), format!("--state-dir={}", state.display()));
    let fixed = ["--interval=300ms", "--energy.source=powercap", "--results.rescan=100ms", &state];
    let flags: Vec<&str> =
        flags.iter().map(String::as_str).chain(fixed).chain(more.iter().copied()).collect();
    let agent = Agent::start(&flags).unwrap();
    agent.wait_ticks(1).unwrap();
    agent
}

/// The ledger of a state folder, opened for writing as any program can.
fn database(state: &Path) -> Connection {
    let connection =
        Connection::open_with_flags(state.join("ledger.db"), OpenFlags::SQLITE_OPEN_READ_WRITE).unwrap();
    connection.busy_timeout(Duration::from_secs(5)).unwrap();
    connection
}

/// `ffwatt report` with these arguments.
fn report(state: &Path, arguments: &[&str]) -> Output {
    let mut command = tests::agent::command().unwrap();
    command.env_clear().arg("report").arg(format!("--state-dir={}", state.display())).args(arguments);
    command.output().unwrap()
}

#[track_caller]
fn json(output: &Output) -> serde_json::Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// One transcode of the API, by the number of its process.
fn transcode(agent: &Agent, process: u32) -> Option<serde_json::Value> {
    let answer = agent.get(agent.ports.main, "/api/v1/transcodes").ok()?;
    let all: serde_json::Value = serde_json::from_str(&answer.text()).ok()?;
    let prefix = format!("{process}-");
    let mut items = all["items"].as_array()?.iter();
    items.find(|one| one["transcode"].as_str().is_some_and(|key| key.starts_with(&prefix))).cloned()
}

#[expect(clippy::disallowed_methods, reason = "the rule is the agent's")]
fn now() -> f64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs_f64()
}

/// Time since boot, on the clock that processes' start times are of.
fn uptime() -> Duration {
    let text = fs::read_to_string("/proc/uptime").unwrap();
    Duration::from_secs_f64(text.split(' ').next().unwrap().parse().unwrap())
}

/// A file of the ledger that a release of 0.1 wrote.
fn of_release(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("ledgers/version-2").join(name)).unwrap()
}

/// Puts that ledger into a state folder, and its result file beside it.
fn restore(state: &Path) {
    let connection = Connection::open(state.join("ledger.db")).unwrap();
    connection.execute_batch(&of_release("ledger.sql")).unwrap();
    let _: String = connection.query_row("PRAGMA journal_mode = WAL", (), |row| row.get(0)).unwrap();
    fs::write(state.join("test_results_1.json"), of_release("test_results_1.json")).unwrap();
}
