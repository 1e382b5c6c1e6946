//! Compares the agent with other tools on the same counters, at the same time.
//!
//! `node_exporter` (Debian's) reads the host's joules. Scaphandre (built by cargo) divides the host's power among processes. It
//! finds the counters at one path only, so it runs where the simulated ones are mounted there; and it exits at once on a kernel
//! without modules, so it gets a simulated list of modules.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::Context;
use tests::agent::Ports;
use tests::cgroup;
use tests::command::{Owned, eventually, pause};
use tests::exposition::Exposition;
use tests::http;
use tests::simulator::{Machine, Simulator, Truth, wall};

use super::windows::{Reading, read, truths};
use super::{PARENT, Stage, names, stage};
use xtask::process::{output, run, say};
use xtask::{install, root};

/// Workloads of one process each, so that the process's power is the workload's.
const COMPARED: [&str; 4] = ["steady", "x264", "x265", "svt-av1"];

/// Scaphandre measures again when it is scraped more than two seconds after the last time.
const BETWEEN: Duration = Duration::from_millis(2500);

/// Without its default features, which do not build together.
const SCAPHANDRE: [&str; 7] = [
    "install",
    "--quiet",
    "--locked",
    "--no-default-features",
    "--features",
    "prometheus,json,containers",
    "scaphandre",
];

/// Replaces `/proc/modules` for a program, because a kernel without modules does not have it.
const MODULES: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
int open64(const char *path, int flags, ...) {
    static int (*real)(const char *, int, ...);
    if (!real) real = dlsym(RTLD_NEXT, "open64");
    va_list rest;
    va_start(rest, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    return real(strcmp(path, "/proc/modules") ? path : getenv("MODULES"), flags, mode);
}
"#;

/// The other tools, and the truth.
#[derive(Debug, Default)]
pub(super) struct Compared {
    pub(super) seconds: f64,
    /// Versions of `node_exporter` and Scaphandre; empty for a tool that could not be built.
    pub(super) versions: [String; 2],
    /// Relative error of ffwatt's host energy.
    pub(super) host: f64,
    /// Relative error of `node_exporter`'s host energy.
    pub(super) node_exporter: f64,
    /// Relative error of Scaphandre's host energy, where it could be built.
    pub(super) scaphandre_host: Option<f64>,
    pub(super) workloads: Vec<Workload>,
}

/// One workload's joules.
#[derive(Debug)]
pub(super) struct Workload {
    pub(super) workload: &'static str,
    /// Energy above idle.
    pub(super) truth: f64,
    pub(super) ffwatt: f64,
    pub(super) scaphandre: Option<f64>,
    /// Relative error against the host's energy divided by the use of all CPUs, which is Scaphandre's definition.
    pub(super) scaphandre_as_defined: Option<f64>,
}

/// Path of Scaphandre, after building it; `None`, with a message, where it cannot be built.
pub(super) fn install_scaphandre(root: &Path) -> Option<PathBuf> {
    let tools = root.join("target/tools");
    let program = tools.join("bin/scaphandre");
    if !program.is_file() {
        say("Scaphandre is being built for the comparison (minutes)");
        let mut install = Command::new(env!("CARGO"));
        install.args(SCAPHANDRE).arg("--root").arg(&tools);
        if let Err(error) = run(&mut install) {
            say(&format!("without Scaphandre: {error:#}"));
            return None;
        }
    }
    Some(program)
}

/// Energy of the host and of each of [`COMPARED`] by one tool, added up over its readings.
#[derive(Debug, Default)]
struct Sums {
    host: f64,
    workloads: [f64; COMPARED.len()],
}

/// Runs all tools at once.
pub(super) fn compare(
    machine: Machine,
    binary: &Path,
    scaphandre: Option<PathBuf>,
    time: Duration,
) -> anyhow::Result<Compared> {
    install::packages("a comparison with node_exporter", &["prometheus-node-exporter"])?;
    let stage = stage(machine, binary, &names(machine), &["--interval=1s"])?;
    let folder = root()?.join("target/accuracy");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let ports = [Ports::free()?.main, Ports::free()?.rapl];
    let _exporter = node_exporter(&stage.simulator.path(), ports[0])?;
    let other_version = scaphandre.as_deref().map(version_of).transpose()?.unwrap_or_default();
    let other = scaphandre
        .map(|program| start_scaphandre(&program, &stage.simulator.path(), &folder, ports[1]))
        .transpose()?;
    let by_exporter = || -> anyhow::Result<(f64, f64)> {
        let scrape = Exposition::parse(&http::get(ports[0], "/metrics")?.text())?;
        let truth = truth_now(&stage.simulator)?;
        Ok((
            scrape.sum("node_rapl_package_joules_total", &[]).context("node_exporter has no joules")?,
            truth.host,
        ))
    };
    eventually("node_exporter", Duration::from_secs(20), || by_exporter().ok())?;
    let own_page = Exposition::parse(&http::get(ports[0], "/metrics")?.text())?;
    let build =
        own_page.find("node_exporter_build_info", &[]).next().context("node_exporter has no version")?;
    let versions = [build.label("version").to_owned(), other_version];
    if other.is_some() {
        let power = || scaphandre_says(ports[1]).ok()?.sum("scaph_host_power_microwatts", &[]);
        eventually("Scaphandre's power of the host", Duration::from_secs(30), || {
            pause(BETWEEN);
            power()
        })?;
    }
    let cpu = || -> anyhow::Result<Vec<f64>> { COMPARED.iter().map(|name| cpu_seconds(name)).collect() };

    let (first, begin, before, used) =
        (reading(&stage)?, truth_now(&stage.simulator)?, by_exporter()?, cpu()?);
    let (mut sums, mut last) = (Sums::default(), wall());
    while wall() - begin.at < time.as_secs_f64() {
        pause(BETWEEN);
        if other.is_some() {
            add(&mut sums, &scaphandre_says(ports[1])?, &mut last)?;
        }
    }
    let (end, now_used, after) = (truth_now(&stage.simulator)?, cpu()?, by_exporter()?);
    let last = reading(&stage)?;

    let (from, to) = truths(&stage.simulator, &first, &last)?;
    let error = |said: f64, truth: f64| said / truth - 1.0;
    let between = |from: &Truth, to: &Truth, name: &str| {
        stage.simulator.by_name(to)[name] - stage.simulator.by_name(from)[name]
    };
    let seconds = end.at - begin.at;
    let cpus = thread::available_parallelism().map_or(1.0, |cpus| cpus.get() as f64);
    let has_other = other.is_some();
    let workload = |(index, name): (usize, &&'static str)| {
        let ours =
            last.energy.get(name).zip(first.energy.get(name)).map_or(0.0, |(last, first)| last - first);
        let truth = between(&from, &to, name);
        let share = (now_used[index] - used[index]) / (cpus * seconds);
        let said = sums.workloads[index];
        Workload {
            workload: name,
            truth,
            ffwatt: error(ours, truth),
            scaphandre: has_other.then(|| error(said, between(&begin, &end, name))),
            scaphandre_as_defined: has_other.then(|| error(said, (end.host - begin.host) * share)),
        }
    };
    Ok(Compared {
        seconds,
        versions,
        host: error(last.host - first.host, to.host - from.host),
        node_exporter: error(after.0 - before.0, after.1 - before.1),
        scaphandre_host: has_other.then(|| error(sums.host, end.host - begin.host)),
        workloads: COMPARED.iter().enumerate().map(workload).collect(),
    })
}

/// The version that a program prints after its name.
fn version_of(program: &Path) -> anyhow::Result<String> {
    let text = output(Command::new(program).arg("--version"))?;
    Ok(text.split_whitespace().nth(1).context("a program prints its name and version")?.to_owned())
}

/// The truth of a moment ago, because the last step may not be complete.
fn truth_now(simulator: &Simulator) -> anyhow::Result<Truth> {
    simulator.at(wall() - 0.005).context("the simulator stands still")
}

fn reading(stage: &Stage) -> anyhow::Result<Reading> {
    read(&stage.agent.wait_ticks(1)?).context("a scrape without energy")
}

fn cpu_seconds(name: &str) -> anyhow::Result<f64> {
    Ok(cgroup::cpu_stat(&cgroup::root()?.join(PARENT).join(name))?.as_secs_f64())
}

fn node_exporter(sysfs: &Path, port: u16) -> anyhow::Result<Owned> {
    let mut command = Command::new("prometheus-node-exporter");
    command
        .arg(format!("--path.sysfs={}", sysfs.display()))
        .arg(format!("--web.listen-address=127.0.0.1:{port}"))
        .args(["--collector.disable-defaults", "--collector.rapl"])
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    Ok(Owned(command.spawn().context("cannot start node_exporter")?))
}

/// Starts it in a mount namespace of its own, in which `/sys/class` has the simulated counters.
fn start_scaphandre(program: &Path, sysfs: &Path, folder: &Path, port: u16) -> anyhow::Result<Owned> {
    let [source, shim, modules] = ["modules.c", "modules.so", "modules"].map(|name| folder.join(name));
    fs::write(&source, MODULES)?;
    fs::write(
        &modules,
        "intel_rapl_common 40960 1 intel_rapl_msr, Live 0x0\nintel_rapl_msr 20480 0 - Live 0x0\n",
    )?;
    run(Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&shim).arg(&source).arg("-ldl"))?;
    let mount = "mount -t tmpfs none /sys/class && mkdir /sys/class/powercap && \
                 mount --bind \"$0\" /sys/class/powercap && exec \"$@\"";
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", mount]).arg(sysfs.join("class/powercap")).arg("env");
    command.arg(format!("LD_PRELOAD={}", shim.display())).arg(format!("MODULES={}", modules.display()));
    command.arg(program).args(["prometheus", "--address", "127.0.0.1", "--port", &port.to_string()]);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    Ok(Owned(command.spawn().context("cannot start Scaphandre")?))
}

fn scaphandre_says(port: u16) -> anyhow::Result<Exposition> {
    Exposition::parse(&http::get(port, "/metrics")?.text())
}

fn add(sums: &mut Sums, scrape: &Exposition, last: &mut f64) -> anyhow::Result<()> {
    let now = wall();
    let seconds = now - *last;
    *last = now;
    sums.host +=
        scrape.sum("scaph_host_power_microwatts", &[]).context("Scaphandre has no power")? / 1e6 * seconds;
    for (sum, name) in sums.workloads.iter_mut().zip(COMPARED) {
        let file = cgroup::root()?.join(PARENT).join(name).join("cgroup.procs");
        for pid in fs::read_to_string(&file)?.lines() {
            let power = scrape.sum("scaph_process_power_consumption_microwatts", &[("pid", pid)]);
            *sum += power.unwrap_or(0.0) / 1e6 * seconds;
        }
    }
    Ok(())
}
