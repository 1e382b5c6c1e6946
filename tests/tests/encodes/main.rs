//! Tests what the API shows of encodes: processes with the command lines of many programs run, and their fields are compared. Needs root.
//!
//! The processes are real, and only stand in for the encoders: a line is read the same way whether a picture is encoded or not.
//!
//! Run: together.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod table;
mod wrappers;

use std::fmt::Write;
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use tests::agent::Agent;
use tests::command::{Owned, eventually};

use crate::table::{Entry, entries};

/// Smallest share of fields that the agent must know, in percent. None may be wrong.
const KNOWN_PERCENT: usize = 98;

#[test]
fn command_lines_of_encoders_that_start_later() {
    let agent = agent("bpf");
    let folder = tempfile::tempdir().unwrap();
    let processes = start(folder.path());
    compare(&agent, &processes);
}

#[test]
fn command_lines_of_encoders_that_the_agent_finds() {
    let folder = tempfile::tempdir().unwrap();
    let processes = start(folder.path());
    for source in ["bpf", "cgroupfs"] {
        compare(&agent(source), &processes);
    }
}

fn agent(source: &str) -> Agent {
    let source = format!("--cpu.source={source}");
    let flags = ["--interval=200ms", "--containers.docker-socket=", "--containers.podman-socket="];
    Agent::start(&[&[source.as_str()], &flags[..]].concat()).unwrap()
}

/// A process for each entry, under the name of its program. They end with this test, when their inputs are closed.
fn start(folder: &Path) -> Vec<(Entry, Owned)> {
    let start = |entry: Entry| {
        let file = folder.join(&entry.file);
        if !file.exists() {
            symlink(env!("CARGO_BIN_EXE_stand_in"), &file).unwrap();
        }
        let mut command = Command::new(file);
        command.arg0(&entry.words[0]).args(&entry.words[1..]).stdin(Stdio::piped());
        let process = Owned(command.spawn().unwrap());
        (entry, process)
    };
    entries().into_iter().map(start).collect()
}

/// Waits until all processes are transcodes, and compares their fields.
fn compare(agent: &Agent, processes: &[(Entry, Owned)]) {
    let found = eventually("all are transcodes", Duration::from_secs(40), || {
        let answer = agent.get(agent.ports.main, "/api/v1/transcodes?per_page=1000").ok()?;
        let page: Value = serde_json::from_str(&answer.text()).ok()?;
        let item = |(_, process): &(Entry, Owned)| {
            let prefix = format!("{}-", process.0.id());
            let mut items = page["items"].as_array()?.iter();
            items.find(|item| item["transcode"].as_str().is_some_and(|key| key.starts_with(&prefix))).cloned()
        };
        processes.iter().map(item).collect::<Option<Vec<Value>>>()
    });
    let found = found.unwrap_or_else(|error| panic!("{error:#}: {}", agent.log()));
    let (mut all, mut wrong, mut absent, mut table) = (0, 0, 0, String::new());
    for ((entry, _), item) in processes.iter().zip(&found) {
        for (field, expected) in &entry.expected {
            let shown =
                item.get(*field).map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned));
            all += 1;
            if shown == *expected {
                continue;
            }
            if shown.is_some() {
                wrong += 1;
            } else {
                absent += 1;
            }
            writeln!(table, "{} | {field} | expected {expected:?} | shown {shown:?}", entry.title).unwrap();
        }
    }
    assert!(all > 400, "the table is whole: {all}");
    assert!(
        wrong == 0 && (all - absent) * 100 >= all * KNOWN_PERCENT,
        "{wrong} wrong and {absent} absent of {all} fields:\n{table}"
    );
}
