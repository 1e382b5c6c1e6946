//! `cargo xtask bench`: measures the cost of the agent itself.
//!
//! The cost of each context switch; CPU, memory and scrapes by number of cgroups; the start; the live page in a browser; and the agent's
//! parts, one by one.

mod live_page;
mod memory;
mod sizes;
mod switches;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::Context;
use serde_json::{Map, Value, json};
use tests::agent::Agent;
use tests::command::{eventually, now};

use crate::page;
use xtask::process::{is_root, output, run, say};
use xtask::{build_ebpf, root};

/// Number of starts.
const ROUNDS: usize = 7;

/// The agent's own settings: the real host, no engine, every cgroup shown.
const FLAGS: [&str; 5] = [
    "--cpu.source=bpf",
    "--attribution.max-workloads=10000",
    "--energy.source=model",
    "--containers.docker-socket=",
    "--containers.podman-socket=",
];

/// Measures, prints, and renews the measured sections of docs/PERFORMANCE.md.
pub(crate) fn measure(only: Option<&str>) -> anyhow::Result<()> {
    anyhow::ensure!(
        is_root() || only == Some("parts"),
        "this needs root: it loads eBPF programs and makes cgroups; `--only parts` does not"
    );
    let root = root()?;
    if only != Some("parts") {
        build_ebpf::run()?;
        let mut build = Command::new(env!("CARGO"));
        run(build.current_dir(&root).args(["build", "--quiet", "--release", "--package", "ffwatt"]))?;
    }
    let binary = root.join("target/release/ffwatt");
    let path = root.join("docs/PERFORMANCE.md");
    let mut json = Map::new();
    for part in xtask::lab::PARTS.into_iter().filter(|part| only.is_none_or(|only| only == *part)) {
        let section = match part {
            "switches" => switches::measure(&binary, &mut json)?,
            "sizes" => sizes::measure(&binary, &mut json)?,
            "memory" => memory::measure(&binary, &root, &mut json)?,
            "start" => starts(&binary, &mut json)?,
            "page" => live_page::measure(&binary, &mut json)?,
            _ => parts(&root)?,
        };
        let section = page::dated(&section)?;
        say(&section);
        page::renew(&path, &section)?;
    }
    let results = root.join("target/bench.json");
    fs::write(&results, serde_json::to_vec_pretty(&json)?)
        .with_context(|| format!("cannot write {}", results.display()))?;
    say(&format!("written: {}, {}", path.display(), results.display()));
    Ok(())
}

fn spawn(binary: &Path, flags: &[&str]) -> anyhow::Result<Agent> {
    let mut agent = Agent::spawn(binary, &[&FLAGS[..], flags].concat(), &[])?;
    agent.wait_ready()?;
    Ok(agent)
}

/// The micro benches of `agent/benches`. They only measure; no test depends on them.
fn parts(root: &Path) -> anyhow::Result<String> {
    let mut command = Command::new(env!("CARGO"));
    command.current_dir(root).args([
        "bench",
        "--quiet",
        "--package",
        "ffwatt",
        "--bench",
        "hot_path",
        "--bench",
        "results",
    ]);
    let table: Vec<String> =
        output(&mut command)?.trim().lines().map(|line| line.trim_end().to_owned()).collect();
    Ok(format!(
        "## Parts\n\nEach part alone, in memory (`agent/benches`).\n\n```text\n{}\n```\n",
        table.join("\n")
    ))
}

fn starts(binary: &Path, json: &mut Map<String, Value>) -> anyhow::Result<String> {
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        let begin = now();
        let agent = Agent::spawn(binary, &[&FLAGS[..], &["--interval=1s"]].concat(), &[])?;
        eventually("the first sample", Duration::from_secs(20), || {
            let scrape = agent.scrape().ok()?;
            scrape.sum("ffwatt_workload_energy_joules_total", &[]).filter(|energy| *energy > 0.0)
        })?;
        times.push(begin.elapsed().as_secs_f64());
    }
    times.sort_by(f64::total_cmp);
    let section = format!(
        "## Start\n\nTime from the start of the process to the first attributed joule on port 9510: {:.2} s, the median of {ROUNDS} starts. Tick of 1 s.\n",
        times[times.len() / 2]
    );
    json.insert("start_seconds".to_owned(), json!(times));
    Ok(section)
}
