//! Measures the agent's memory with a full history, by number of busy cgroups, in both builds that are shipped.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use serde_json::{Map, Value, json};
use tests::agent::Agent;
use tests::cgroup::Cgroup;
use tests::command::pause;

use super::sizes::{PARENT, populate};
use super::spawn;
use xtask::dist;
use xtask::process::say;

/// Cgroups with a process each that wakes up every second.
const SIZES: [usize; 2] = [100, 1000];

/// Longer than the history, which is a quarter of an hour.
const LENGTH: Duration = Duration::from_mins(20);

/// Measures; returns its section.
pub(super) fn measure(binary: &Path, root: &Path, json: &mut Map<String, Value>) -> anyhow::Result<String> {
    dist::run_all(dist::Options { binary_only: true, debug: false })?;
    let builds = [("release build", binary.to_owned()), ("static build", root.join("target/dist/ffwatt"))];
    let minutes = LENGTH.as_secs() / 60;
    let mut section = format!(
        "## Memory\n\nAfter {minutes} minutes. Tick of 1 s; each cgroup has one process that wakes up every second. `anonymous`: the memory that \
         the agent has allocated. The rest of `resident` is its program and the tables that it shares with the kernel.\n\n\
         | cgroups | build | resident | anonymous | largest |\n|---|---|---|---|---|\n"
    );
    let (mut cgroups, mut parents, mut all) = (Vec::new(), Vec::new(), Vec::new());
    for size in SIZES {
        let from = cgroups.len();
        for number in from..size {
            cgroups.push(Cgroup::make(&format!("{PARENT}/{number}"))?);
        }
        parents.push(populate(from, size)?);
        let start =
            |(name, binary): &(&'static str, PathBuf)| Ok((*name, spawn(binary, &["--interval=1s"])?));
        let agents = builds.iter().map(start).collect::<anyhow::Result<Vec<_>>>()?;
        pause(LENGTH);
        for (name, agent) in &agents {
            let shown = agent.scrape()?.all("ffwatt_workload_cpu_seconds_total").count();
            anyhow::ensure!(shown >= size, "{shown} workloads of {size} have series");
            let [resident, anonymous, largest] =
                ["VmRSS", "RssAnon", "VmHWM"].map(|figure| bytes(agent, figure));
            let (resident, anonymous, largest) = (resident?, anonymous?, largest?);
            let megabytes = |bytes: u64| bytes as f64 / 1e6;
            let row = format!(
                "| {size} | {name} | {:.1} MB | {:.1} MB | {:.1} MB |\n",
                megabytes(resident),
                megabytes(anonymous),
                megabytes(largest)
            );
            say(&row);
            section.push_str(&row);
            all.push(json!({ "cgroups": size, "build": name, "resident_bytes": resident, "anonymous_bytes": anonymous,
                "largest_bytes": largest }));
        }
    }
    json.insert("memory".to_owned(), Value::Array(all));
    Ok(section)
}

/// A figure of `/proc/<pid>/status`.
fn bytes(agent: &Agent, figure: &str) -> anyhow::Result<u64> {
    let path = format!("/proc/{}/status", agent.pid());
    let status = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(figure)?.strip_prefix(':'));
    let kibibytes = line
        .and_then(|line| line.trim().strip_suffix(" kB"))
        .with_context(|| format!("no {figure} in {path}"))?;
    Ok(kibibytes.trim().parse::<u64>()? * 1024)
}
