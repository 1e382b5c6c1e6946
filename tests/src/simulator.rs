//! A host whose true joules are known: energy counters that advance every millisecond by a power model over the kernel's own CPU
//! accounting of real processes in real cgroups.
//!
//! The truth is what cgroups used by their `cpu.stat`, of what the whole machine used, kernel threads included: the root's
//! `cpuacct.usage`, which a host with cgroup v1 has. Without it, what runs outside the parent draws nothing.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use anyhow::Context;

use crate::cgroup;
use crate::command::now;
use crate::rapl::{Counter, link_the_rest};

/// How often the counters advance, as RAPL's do.
const STEP: Duration = Duration::from_millis(1);

/// What one step of a client's counter is, in joules.
const QUANTUM: f64 = 61e-6;

/// CPU time of everything, in nanoseconds.
const WHOLE_MACHINE: &str = "/sys/fs/cgroup/cpuacct/cpuacct.usage";

/// How power follows from busy CPUs.
#[derive(Clone, Copy, Debug)]
pub enum Power {
    /// So many watts for each busy CPU.
    Linear(f64),
    /// So many watts for all CPUs, growing with the power 0.6 of their use: the first busy CPU costs the most, as on real machines.
    Concave(f64),
}

impl Power {
    fn watts(self, busy: f64, cpus: f64) -> f64 {
        match self {
            Self::Linear(each) => each * busy,
            Self::Concave(all) => all * (busy / cpus).clamp(0.0, 1.0).powf(0.6),
        }
    }
}

/// The machine.
#[derive(Clone, Copy, Debug)]
pub struct Machine {
    /// Above the idle power.
    pub power: Power,
    /// Watts that are there when nobody runs.
    pub idle: f64,
    /// Where the counter goes around, in microjoules.
    pub range: u64,
}

/// What was true at a moment.
#[derive(Clone, Debug, Default)]
pub struct Truth {
    /// Seconds since 1970.
    pub at: f64,
    /// Joules of the host.
    pub host: f64,
    /// Joules above idle of each cgroup, by name.
    pub workloads: Vec<f64>,
}

#[derive(Debug, Default)]
struct Shared {
    stop: AtomicBool,
    reset: AtomicBool,
    truths: Mutex<Vec<Truth>>,
}

/// A running host.
#[derive(Debug)]
pub struct Simulator {
    folder: tempfile::TempDir,
    names: Vec<String>,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Simulator {
    /// A host over the cgroups of these names below `parent`. They must be there.
    pub fn start(machine: Machine, parent: &str, names: &[&str]) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir().context("cannot make a folder")?;
        link_the_rest(folder.path())?;
        let counter = Counter::make(folder.path(), "intel-rapl:0", "package-0", machine.range)?;
        let parent = cgroup::root()?.join(parent);
        let open =
            |path: PathBuf| File::open(&path).with_context(|| format!("cannot open {}", path.display()));
        let all = match File::open(WHOLE_MACHINE) {
            Ok(file) => file,
            Err(_) => open(parent.join("cpu.stat"))?,
        };
        let each: Vec<File> = names
            .iter()
            .map(|name| open(parent.join(name).join("cpu.stat")))
            .collect::<anyhow::Result<_>>()?;
        let shared = Arc::new(Shared::default());
        let told = Arc::clone(&shared);
        let run = move || advance(machine, &counter, &all, &each, &told);
        let thread = std::thread::Builder::new().name("simulator".to_owned()).spawn(run)?;
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        Ok(Self { folder, names, shared, thread: Some(thread) })
    }

    /// What stands for `/sys`.
    pub fn path(&self) -> PathBuf {
        self.folder.path().to_path_buf()
    }

    /// Sets the counter back to nothing, as firmware does after a suspend.
    pub fn reset(&self) {
        self.shared.reset.store(true, Ordering::Relaxed);
    }

    /// What was true at a moment, between the two records around it; `None` outside.
    pub fn at(&self, time: f64) -> Option<Truth> {
        let truths = self.shared.truths.lock().unwrap_or_else(PoisonError::into_inner);
        let place = truths.partition_point(|truth| truth.at <= time);
        let (before, after) = (truths.get(place.checked_sub(1)?)?, truths.get(place)?);
        let part = (time - before.at) / (after.at - before.at);
        let between = |one: f64, other: f64| one + (other - one) * part;
        let pairs = before.workloads.iter().zip(&after.workloads);
        Some(Truth {
            at: time,
            host: between(before.host, after.host),
            workloads: pairs.map(|(one, other)| between(*one, *other)).collect(),
        })
    }

    /// A truth's workloads by name.
    pub fn by_name(&self, truth: &Truth) -> BTreeMap<String, f64> {
        self.names.iter().cloned().zip(truth.workloads.iter().copied()).collect()
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

fn advance(machine: Machine, counter: &Counter, all: &File, each: &[File], shared: &Shared) {
    // Late steps are long steps; but the finer the better.
    let _ = rustix::process::setpriority_process(None, -15);
    let cpus = std::thread::available_parallelism().map_or(1.0, |cpus| cpus.get() as f64);
    let mut last = now();
    let mut used: Vec<f64> = std::iter::once(all).chain(each).map(usage).collect();
    let mut truth = Truth { workloads: vec![0.0; each.len()], ..Truth::default() };
    let (mut offset, mut price) = (0.0, 0.0);
    while !shared.stop.load(Ordering::Relaxed) {
        std::thread::sleep(STEP);
        let seconds = last.elapsed().as_secs_f64();
        last = now();
        let usages: Vec<f64> = std::iter::once(all).chain(each).map(usage).collect();
        let spent: Vec<f64> = usages.iter().zip(&used).map(|(now, before)| (now - before).max(0.0)).collect();
        used = usages;
        let dynamic = machine.power.watts(spent[0] / seconds, cpus) * seconds;
        truth.host += machine.idle * seconds + dynamic;
        // What a CPU second costs at this moment. Files are read one after the other: a step in which only one of them has moved has
        // the price of the step before.
        if spent[0] > 0.0 {
            price = dynamic / spent[0];
        }
        for (joules, spent_by_it) in truth.workloads.iter_mut().zip(&spent[1..]) {
            *joules += price * spent_by_it;
        }
        truth.at = wall();
        if shared.reset.swap(false, Ordering::Relaxed) {
            offset = truth.host;
        }
        counter.set(((truth.host - offset) / QUANTUM).floor() * QUANTUM);
        shared.truths.lock().unwrap_or_else(PoisonError::into_inner).push(truth.clone());
    }
}

/// CPU seconds in an open `cpu.stat`, or `cpuacct.usage`, which is a plain number.
fn usage(file: &File) -> f64 {
    let mut bytes = [0; 64];
    let read = file.read_at(&mut bytes, 0).unwrap_or(0);
    let text = String::from_utf8_lossy(&bytes[..read]);
    if let Ok(nanoseconds) = text.trim_end_matches(['\0', '\n']).parse::<f64>() {
        return nanoseconds / 1e9;
    }
    let number =
        text.strip_prefix("usage_usec ").and_then(|rest| rest.lines().next()?.trim().parse::<f64>().ok());
    number.unwrap_or(0.0) / 1e6
}

/// Seconds since 1970: what the agent's ticks are dated by.
#[expect(clippy::disallowed_methods, reason = "the rule is the agent's")]
pub fn wall() -> f64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0.0, |time| time.as_secs_f64())
}
