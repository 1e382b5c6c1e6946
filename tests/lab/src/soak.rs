//! `cargo xtask soak`: runs the agent for a long time under load and faults, and checks that it stays stable.
//!
//! Encodes in containers, short jobs, bursts of cgroups, scrapes, and one fault after the other, again and again. It fails unless
//! every sum is exact in every scrape, every scrape is answered within a second, memory, descriptors and threads stay constant,
//! every encode has its figures, and nothing is lost.

mod churn;
mod prober;
mod verdict;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, ensure};
use tests::agent::Agent;
use tests::command::now;
use tests::engine::Engine;
use tests::exposition::Exposition;
use tests::image;
use tests::rapl::LiveRapl;

use xtask::process::{is_root, run as run_command, say};
use xtask::{build_ebpf, install, root};

use churn::Churn;
use prober::Prober;
use verdict::{Sample, Verdict};

const IMAGE: &str = "soak:1";

/// Options of the task.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Options {
    /// Length of the soak.
    pub(crate) length: Duration,
    /// Whether the debug build is sufficient.
    pub(crate) debug: bool,
    /// Whether the figures are written to docs/RELIABILITY.md.
    pub(crate) write: bool,
}

pub(crate) fn run(options: Options) -> anyhow::Result<()> {
    ensure!(is_root(), "a soak needs root: it loads eBPF programs, makes cgroups and starts a Docker engine");
    let root = root()?;
    install::packages("a soak", &["docker.io", "iptables", "ffmpeg", "busybox-static"])?;
    build_ebpf::run()?;
    let mut build = Command::new(env!("CARGO"));
    build.current_dir(&root).args(["build", "--quiet", "--package", "ffwatt"]);
    if !options.debug {
        build.arg("--release");
    }
    run_command(&mut build)?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), Into::into);
    let binary = target.join(if options.debug { "debug" } else { "release" }).join("ffwatt");
    let verdict = soak(&binary, options.length)?;
    let build = if options.debug { "debug" } else { "release" };
    let text = format!("With the {build} build:\n\n{}", verdict.text());
    say(&format!("\n{text}"));
    if options.write {
        verdict::write(&root, &text)?;
    }
    verdict.judge()
}

/// Runs the load, and samples the agent.
fn soak(binary: &Path, length: Duration) -> anyhow::Result<Verdict> {
    let engine = Engine::start_private()?;
    image::make(&engine, IMAGE)?;
    let rapl = LiveRapl::start()?;
    let results = rapl.path().join("results");
    fs::create_dir(&results).context("cannot make a folder")?;
    let flags = [
        format!("--containers.docker-socket={}", engine.socket().display()),
        format!("--path.sysfs={}", rapl.path().display()),
        format!("--results-dir={}", results.display()),
        "--path.cgroupfs=/sys/fs/cgroup".to_owned(),
        "--containers.podman-socket=".to_owned(),
        "--cpu.source=bpf".to_owned(),
        "--energy.source=powercap".to_owned(),
        // Ended workloads are dropped soon, so that memory reaches its final size.
        "--attribution.keep-ended=10s".to_owned(),
    ];
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let mut agent = Agent::spawn(binary, &flags, &[])?;
    agent.wait_ready()?;
    let mut churn = Churn::new(engine, rapl, results);
    let mut verdict = Verdict::default();
    let prober = Prober::start(agent.ports);
    let begin = now();
    while begin.elapsed() < length {
        let fault = churn.round(&agent, &prober)?;
        let scrape = agent.scrape()?;
        check(&scrape, fault)?;
        verdict.take(&scrape, Sample::of(&scrape, begin.elapsed(), fault)?);
    }
    churn.settle(&agent)?;
    let last = agent.wait_ticks(3)?;
    check(&last, "the end")?;
    verdict.finish(&last, churn.counts(), prober.finish());
    let (status, log) = agent.stop()?;
    ensure!(status.success(), "the agent ended with {status}: {log}");
    let bad: Vec<&str> =
        log.lines().filter(|line| line.contains("ERROR") || line.contains("panic")).collect();
    ensure!(bad.is_empty(), "the agent has said: {}", bad.join("; "));
    Ok(verdict)
}

fn check(scrape: &Exposition, fault: &str) -> anyhow::Result<()> {
    let residuals = scrape.residuals();
    let is_closed = !residuals.is_empty() && residuals.values().all(|left| *left == 0);
    ensure!(is_closed, "the sums do not close after {fault}: {residuals:?}");
    Ok(())
}
