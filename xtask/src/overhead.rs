//! `cargo xtask overhead`: what does the agent itself cost? CPU, memory and scrapes by number of cgroups, its start, and what it takes
//! from every switch of tasks.

mod switches;

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::Context;
use tests::agent::Agent;
use tests::cgroup::Cgroup;
use tests::command::{Owned, eventually, now};
use tests::http;

use crate::process::{is_root, output, run, say};
use crate::{build_ebpf, root};

/// Cgroups with a process each that wakes up every second.
const SIZES: [usize; 4] = [0, 10, 100, 1000];

/// How long the agent is watched at each size.
const WATCH: Duration = Duration::from_secs(20);

/// Scrapers at once, and scrapes of each.
const SCRAPERS: usize = 4;
const SCRAPES: usize = 50;

/// Starts.
const ROUNDS: usize = 7;

/// The agent's own settings: the real host, no engine.
const FLAGS: [&str; 4] = [
    "--cpu.source=bpf",
    "--energy.source=model",
    "--containers.docker-socket=",
    "--containers.podman-socket=",
];

/// What is measured, by the name on the command line.
pub(crate) const PARTS: [&str; 3] = ["switches", "sizes", "start"];

/// Measures and prints; all of it is written to docs/PERFORMANCE.md, one part is not.
pub(crate) fn measure(only: Option<&str>) -> anyhow::Result<()> {
    anyhow::ensure!(is_root(), "overhead needs root: it loads eBPF programs and makes cgroups");
    let root = root()?;
    build_ebpf::run()?;
    run(Command::new(env!("CARGO")).current_dir(&root).args([
        "build",
        "--quiet",
        "--release",
        "--package",
        "ffwatt",
    ]))?;
    let binary = root.join("target/release/ffwatt");
    let mut text = head()?;
    for part in PARTS.into_iter().filter(|part| only.is_none_or(|only| only == *part)) {
        match part {
            "switches" => switches::measure(&binary, &mut text)?,
            "sizes" => sizes(&binary, &mut text)?,
            _ => starts(&binary, &mut text)?,
        }
    }
    if only.is_some() {
        return Ok(());
    }
    let path = root.join("docs/PERFORMANCE.md");
    fs::write(&path, format!("{}\n", text.trim_end()))
        .with_context(|| format!("cannot write {}", path.display()))?;
    say(&format!("written: {}", path.display()));
    Ok(())
}

fn head() -> anyhow::Result<String> {
    let said = |program: &str, argument: &str| output(Command::new(program).args(["-u", argument]));
    let date = said("date", "+%Y-%m-%d")?;
    let kernel = output(Command::new("uname").arg("-r"))?;
    let cpus = thread::available_parallelism().map_or(0, std::num::NonZero::get);
    Ok(format!(
        "# Performance\n\nWritten by `cargo xtask overhead`, with the release build: {}, Linux {}, {cpus} CPUs (virtual).\n\n",
        date.trim(),
        kernel.trim()
    ))
}

fn spawn(binary: &Path, flags: &[&str]) -> anyhow::Result<Agent> {
    let mut agent = Agent::spawn(binary, &[&FLAGS[..], flags].concat(), &[])?;
    agent.wait_ready()?;
    Ok(agent)
}

fn sizes(binary: &Path, text: &mut String) -> anyhow::Result<()> {
    text.push_str(
        "## By number of cgroups\n\nEach with one process that wakes up every second. CPU is of one core; scrapes are of port 9510 by four scrapers at once.\n\n\
         | cgroups | CPU, tick 1 s | CPU, tick 100 ms | resident | scrape p50 | scrape p99 | payload |\n|---|---|---|---|---|---|---|\n",
    );
    let mut living = Vec::new();
    for size in SIZES {
        while living.len() < size {
            let cgroup = Cgroup::make(&format!("ffwatt-overhead/{}", living.len()))?;
            let mut command = cgroup.command("perl");
            command.args(["-e", "while (1) { select(undef, undef, undef, 1) }"]).stdout(Stdio::null());
            living.push((Owned(command.spawn().context("cannot start perl")?), cgroup));
        }
        thread::sleep(Duration::from_secs(2));
        let slow = spawn(binary, &["--interval=1s"])?;
        let cpu = cpu(&slow)?;
        let scrape = slow.scrape()?;
        let resident = scrape.sum("process_resident_memory_bytes", &[]).context("no memory")?;
        let (median, late, payload) = scrapes(slow.ports.main)?;
        drop(slow);
        let quick = spawn(binary, &["--interval=100ms"])?;
        let quick_cpu = self::cpu(&quick)?;
        let row = format!(
            "| {size} | {:.2} % | {:.2} % | {:.1} MB | {:.2} ms | {:.2} ms | {:.0} kB |\n",
            cpu * 100.0,
            quick_cpu * 100.0,
            resident / 1e6,
            median.as_secs_f64() * 1e3,
            late.as_secs_f64() * 1e3,
            payload as f64 / 1e3,
        );
        say(&row);
        text.push_str(&row);
    }
    text.push('\n');
    Ok(())
}

/// CPU seconds a second.
fn cpu(agent: &Agent) -> anyhow::Result<f64> {
    let used = || -> anyhow::Result<f64> {
        agent.scrape()?.sum("process_cpu_seconds_total", &[]).context("no CPU time")
    };
    thread::sleep(Duration::from_secs(2));
    let (before, begin) = (used()?, now());
    thread::sleep(WATCH);
    Ok((used()? - before) / begin.elapsed().as_secs_f64())
}

/// Median and 99th percentile of a scrape, and its size.
fn scrapes(port: u16) -> anyhow::Result<(Duration, Duration, usize)> {
    let scraper = move || -> anyhow::Result<(Vec<Duration>, usize)> {
        let mut times = Vec::new();
        let mut size = 0;
        for _ in 0..SCRAPES {
            let begin = now();
            size = http::get(port, "/metrics")?.text().len();
            times.push(begin.elapsed());
        }
        Ok((times, size))
    };
    let scrapers: Vec<_> = (0..SCRAPERS).map(|_| thread::spawn(scraper)).collect();
    let (mut times, mut size) = (Vec::new(), 0);
    for one in scrapers {
        let (more, payload) = one.join().map_err(|_panic| anyhow::anyhow!("a scraper panicked"))??;
        times.extend(more);
        size = payload;
    }
    times.sort();
    Ok((times[times.len() / 2], times[times.len() * 99 / 100], size))
}

fn starts(binary: &Path, text: &mut String) -> anyhow::Result<()> {
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
    let mut row = String::new();
    writeln!(
        row,
        "## Start\n\nFrom the start of the process to the first attributed joule on port 9510, tick of 1 s, median of {ROUNDS}: {:.2} s.\n",
        times[times.len() / 2]
    )?;
    say(&row);
    text.push_str(&row);
    Ok(())
}
