//! `cargo xtask accuracy`: measures the error of attributed energy on simulated hosts whose true energy is known.
//!
//! Other tools on the same host are measured beside the agent.

mod benches;
mod jobs;
mod model;
mod never_idle;
mod peers;
mod table;
mod windows;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tests::simulator::{GPU_SCRIPT, GPU_USER, Machine, Part, Power};
use tests::stage::Stage;

use crate::page;
use xtask::process::{is_root, run, say};
use xtask::{build_ebpf, install, root};

const PAGE: &str = "docs/ACCURACY.md";

/// The package that has an ffmpeg with libvmaf.
const WITH_VMAF: &str = "imageio-ffmpeg==0.8.1";

/// The parent of all cgroups that draw power here.
const PARENT: &str = "ffwatt-accuracy";

/// The simulated machines, by name and description.
const MACHINES: [(&str, &str, Machine); 8] = [
    ("linear", "9 W for each busy CPU", Machine::LINEAR),
    (
        "rough",
        "as linear, but the energy of a CPU second changes by ±30 % with a period of 3.7 s, and the counter is refreshed at irregular \
         times, up to 10 ms late",
        Machine { swing: 0.3, refresh: Duration::from_millis(10), ..Machine::LINEAR },
    ),
    (
        "two sockets",
        "one counter for each half of the CPUs; 9 W for each busy CPU of the first half, 15 W for one of the second; each workload runs on one socket",
        Machine::TWO_SOCKETS,
    ),
    (
        "two dies",
        "as two sockets, but they are dies of one package, on an Intel processor, where each die has a counter",
        Machine { part: Part::Die, ..Machine::TWO_SOCKETS },
    ),
    (
        "per-core",
        "two cores of one package, each half of the CPUs, with a counter for each core and one for the package; 9 W for each busy CPU of \
         the first core, 13 W for one of the second; each workload runs on one core",
        Machine::PER_CORE,
    ),
    (
        "smt",
        "one core with two threads, each half of the CPUs; 9 W for one busy thread, 10.35 W for two; the workload steady runs on one, \
         bursty on the other",
        Machine::TWO_THREADS,
    ),
    (
        "igpu",
        "as linear, with an integrated GPU of 15 W, whose engine is busy for 10 to 90 % of the time; the workload qsv uses it, and 1 to 2 % of a CPU",
        Machine::GPU,
    ),
    (
        "concave",
        "18 W × utilisation^0.6 for all CPUs: the first busy CPU draws the most",
        Machine { parts: &[Power::Concave(18.0)], ..Machine::LINEAR },
    ),
];

/// Other measurements than the error by workload: a name, what is said at its start, and what adds its section.
const OTHERS: [(&str, &str, Measurement); 5] = [
    (never_idle::TITLE, "idle power of a host that is never quiet, 10 minutes", |report, binary, _| {
        report.never_idle(Machine::UNKNOWN_IDLE.idle, &never_idle::follow(binary)?);
        Ok(())
    }),
    ("other tools", "other tools on the same counters", |report, binary, time| {
        let scaphandre = peers::install_scaphandre(&root()?);
        report.peers(&peers::compare(Machine::LINEAR, binary, scaphandre, time)?);
        Ok(())
    }),
    ("short jobs", "jobs by length", |report, binary, _| {
        report.jobs(&jobs::capture(Machine::LINEAR, binary)?);
        Ok(())
    }),
    ("faults", "faults of counters", |report, binary, _| {
        report.counters(&windows::counters(Machine::LINEAR, binary)?);
        Ok(())
    }),
    ("benches", "benches", |report, binary, _| {
        report.add(&benches::section(binary, &python(&root()?)?)?);
        Ok(())
    }),
];

/// Measures by the agent of this path, over this time where the length is free.
type Measurement = fn(&mut table::Report, &Path, Duration) -> anyhow::Result<()>;

/// Names of all measurements.
#[cfg(test)]
pub(crate) fn measured() -> impl Iterator<Item = &'static str> {
    MACHINES.into_iter().map(|(name, ..)| name).chain(OTHERS.into_iter().map(|(name, ..)| name))
}

/// A workload: its name, and the script of its shell. x265 runs without its thread pool, because the pool's threads leave their CPUs.
const WORKLOADS: [(&str, &str); 8] = [
    ("steady", "while :; do :; done"),
    ("bursty", "while :; do timeout 0.05 sh -c 'while :; do :; done'; sleep 0.05; done"),
    ("fork-storm", "while :; do /bin/true; done"),
    ("many-threads", "for i in 1 2 3 4 5 6 7 8; do (while :; do /bin/true; sleep 0.01; done) & done; wait"),
    (
        "x264",
        "exec ffmpeg -nostdin -v error -re -f lavfi -i testsrc2=size=640x360:rate=30 -c:v libx264 -preset veryfast -f null -",
    ),
    (
        "x265",
        "exec ffmpeg -nostdin -v error -re -f lavfi -i testsrc2=size=320x180:rate=15 -c:v libx265 -preset superfast -x265-params log-level=error:pools=none -f null -",
    ),
    (GPU_USER, GPU_SCRIPT),
    (
        "svt-av1",
        "export SVT_LOG=1; exec ffmpeg -nostdin -v error -re -f lavfi -i testsrc2=size=320x180:rate=15 -c:v libsvtav1 -preset 11 -f null -",
    ),
];

/// Names of the workloads of a machine.
fn names(machine: Machine) -> Vec<&'static str> {
    let all = WORKLOADS.iter().map(|(name, _)| *name);
    // One of two threads is busy all the time.
    let all = all.take(if machine.part == Part::Thread { 2 } else { WORKLOADS.len() });
    all.filter(|name| machine.gpu > 0.0 || *name != GPU_USER).collect()
}

/// A simulated host below [`PARENT`]. `names`: those of [`WORKLOADS`] that run.
fn stage(machine: Machine, binary: &Path, names: &[&str], flags: &[&str]) -> anyhow::Result<Stage> {
    let workloads: Vec<_> = WORKLOADS.into_iter().filter(|(name, _)| names.contains(name)).collect();
    Stage::set(machine, binary, PARENT, &workloads, flags)
}

/// Prints the errors of estimates by processor, and renews their section of docs/ACCURACY.md. It needs no host.
pub(crate) fn model() -> anyhow::Result<()> {
    let section = model::section();
    say(&section);
    page::renew(&root()?.join(PAGE), &section)
}

/// Prints the error of benches, and renews its section of docs/ACCURACY.md.
pub(crate) fn benches(is_debug: bool) -> anyhow::Result<()> {
    let root = root()?;
    let section = benches::section(&built(&root, is_debug)?, &python(&root)?)?;
    say(&section);
    page::renew(&root.join(PAGE), &page::dated(&section)?)
}

/// The agent, built.
fn built(root: &Path, is_debug: bool) -> anyhow::Result<PathBuf> {
    anyhow::ensure!(is_root(), "accuracy needs root: it loads eBPF programs and makes cgroups");
    build_ebpf::run()?;
    let mut build = Command::new(env!("CARGO"));
    build.current_dir(root).args(["build", "--quiet", "--package", "ffwatt"]);
    run(build.args((!is_debug).then_some("--release")))?;
    Ok(root.join(format!("target/{}/ffwatt", if is_debug { "debug" } else { "release" })))
}

/// A Python with the package that has an ffmpeg with libvmaf.
fn python(root: &Path) -> anyhow::Result<PathBuf> {
    install::python(root, &[WITH_VMAF])
}

/// Measures and prints the tables. docs/ACCURACY.md has them all; `only` renews the sections of these measurements.
pub(crate) fn measure(seconds: u64, only: &[&str]) -> anyhow::Result<()> {
    let root = root()?;
    let binary = built(&root, false)?;
    let mut report = table::Report::new(seconds)?;
    let time = Duration::from_secs(seconds);
    let is_wanted = |name: &str| only.is_empty() || only.contains(&name);
    for (title, words, machine) in MACHINES.into_iter().filter(|(title, ..)| is_wanted(title)) {
        for (interval, lengths) in [("100ms", &[0.1][..]), ("1s", &[1.0, 10.0])] {
            say(&format!("\n== {title} power, tick of {interval}, {seconds} s"));
            let found = windows::measure(machine, &binary, interval, lengths, time)?;
            report.windows(title, words, interval, &found);
        }
    }
    for (_, words, add) in OTHERS.into_iter().filter(|(name, ..)| is_wanted(name)) {
        say(&format!("\n== {words}"));
        add(&mut report, &binary, time)?;
    }
    if !only.is_empty() {
        return report.renew(&root);
    }
    report.add(&model::section());
    report.finish(&root)
}
