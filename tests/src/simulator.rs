//! A host whose true energy is known: counters advance every millisecond by a power model.
//!
//! The model goes by the kernel's own CPU accounting of real processes in real cgroups: the `cpu.stat` of each cgroup, and for each CPU,
//! kernel threads included, the root's `cpuacct.usage_percpu`, which a host with cgroup v1 has. Without it there is one counter, and
//! processes outside the parent draw nothing.

mod gpu;
mod machine;
mod monitor;
mod processor;
mod registers;
mod threads;
mod topology;

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use anyhow::Context;

use crate::cgroup;
use crate::command::{now, output, pause};
use crate::rapl::{Counter, link_the_rest};
use gpu::Gpu;
use monitor::Monitor;
use registers::CoreRegisters;
use threads::Threads;
use topology::link_with_parts;

pub use machine::{GPU_SCRIPT, GPU_USER, Machine, Part, Power};
pub use processor::on_intel;
pub use topology::{siblings, sysfs_of_one_core};

/// Interval in which the counters advance, as RAPL's do.
const STEP: Duration = Duration::from_millis(1);

/// One step of a client's counter, in joules.
const QUANTUM: f64 = 61e-6;

/// CPU time of the whole host, in nanoseconds, CPU by CPU.
const WHOLE_MACHINE: &str = "/sys/fs/cgroup/cpuacct/cpuacct.usage_percpu";

/// Period in which the cost of a CPU second swings, where it does: not a multiple of any tick.
const SWING: f64 = 3.7;

/// Fault of a counter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Trouble {
    /// No fault: it counts.
    #[default]
    None,
    /// It stands still, and then catches up.
    Stall,
    /// It shows no number.
    Unreadable,
    /// It is set to 0 once, and counts from there.
    Reset,
    /// It shows numbers that no counter can reach.
    Garbage,
    /// All zones disappear.
    AllVanished,
    /// The zone of the last part disappears.
    LastVanished,
}

/// The truth at a moment.
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
    trouble: Mutex<Trouble>,
    truths: Mutex<Vec<Truth>>,
    reset: Mutex<Option<f64>>,
}

/// A running host.
#[derive(Debug)]
pub struct Simulator {
    folder: tempfile::TempDir,
    part: Part,
    has_gpu: bool,
    has_registers: bool,
    names: Vec<String>,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Simulator {
    /// A host over the cgroups of these names below `parent`. They must exist, and where there are several parts, each must stay on its
    /// [`part_of`].
    pub fn start(machine: Machine, parent: &str, names: &[&str]) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir().context("cannot make a folder")?;
        let parts = machine.parts.len();
        let counted = machine.counters();
        if parts == 1 {
            link_the_rest(folder.path())?;
        } else {
            link_with_parts(folder.path(), machine.part, parts)?;
        }
        let counter = |number: usize| {
            let package = format!("intel-rapl:{number}");
            let (zone, name) = match machine.part {
                _ if number >= counted => ("intel-rapl:0:0".to_owned(), "uncore".to_owned()),
                Part::Die => (package, format!("package-0-die-{number}")),
                Part::Socket | Part::Core | Part::Thread => (package, format!("package-{number}")),
            };
            Counter::make(folder.path(), &zone, &name, machine.range, begin_of(number))
        };
        let has_gpu = machine.gpu > 0.0;
        let mut counters = if machine.part == Part::Core && machine.has_registers {
            Counters::Registers(CoreRegisters::mount(folder.path(), parts)?)
        } else if machine.part == Part::Core {
            let first_cpus: Vec<usize> = (0..parts).map(|part| part * cpus() / parts).collect();
            Counters::Cores(Monitor::make(folder.path(), &first_cpus)?)
        } else {
            let all = counted + usize::from(has_gpu);
            Counters::Parts((0..all).map(counter).collect::<anyhow::Result<_>>()?)
        };
        let parent = cgroup::root()?.join(parent);
        let user = names.iter().position(|name| *name == GPU_USER).filter(|_| has_gpu);
        let mut gpu = has_gpu.then(|| Gpu::make(folder.path())).transpose()?.map(|gpu| (gpu, user));
        if let Some((gpu, Some(_))) = &mut gpu {
            gpu.open_in_encoder(&parent.join(GPU_USER))?;
        }
        let open =
            |path: PathBuf| File::open(&path).with_context(|| format!("cannot open {}", path.display()));
        let all = match File::open(WHOLE_MACHINE) {
            Ok(file) => file,
            Err(_) if parts == 1 => open(parent.join("cpu.stat"))?,
            Err(error) => {
                return Err(error)
                    .with_context(|| format!("several counters need {WHOLE_MACHINE}, of cgroup v1"));
            }
        };
        let each: Vec<File> = names
            .iter()
            .map(|name| open(parent.join(name).join("cpu.stat")))
            .collect::<anyhow::Result<_>>()?;
        let shared = Arc::new(Shared::default());
        let told = Arc::clone(&shared);
        let run = move || advance(machine, &mut counters, gpu.as_mut(), (&all, &each), &told);
        let thread = std::thread::Builder::new().name("simulator".to_owned()).spawn(run)?;
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        let (part, has_registers) = (machine.part, machine.has_registers);
        Ok(Self { folder, part, has_gpu, has_registers, names, shared, thread: Some(thread) })
    }

    /// The tree in place of `/sys`.
    pub fn path(&self) -> PathBuf {
        self.folder.path().to_path_buf()
    }

    /// The folder in place of `/dev`, on a machine with registers.
    pub fn devices(&self) -> Option<PathBuf> {
        self.has_registers.then(|| registers::devices(self.folder.path()))
    }

    /// The agent, as a program that finds this machine's processor and GPU: only Intel's dies count separately, and AMD's registers are
    /// others than Intel's.
    pub fn program(&self, binary: &Path) -> anyhow::Result<PathBuf> {
        match self.part {
            _ if self.has_gpu => gpu::with_procfs(self.folder.path(), binary),
            _ if self.has_registers => processor::on(&processor::AMD, self.folder.path(), binary),
            Part::Socket | Part::Core | Part::Thread => Ok(binary.to_path_buf()),
            Part::Die => processor::on_intel(self.folder.path(), binary),
        }
    }

    /// Commands of a shell that make its process one that the agent sees on a machine with a GPU, and if asked for a client of the GPU, as
    /// long as it lives.
    pub fn gpu_process(&self, is_client: bool) -> String {
        let client = if is_client { gpu::open(self.folder.path()) } else { String::new() };
        gpu::enter(self.folder.path()) + &client
    }

    /// The `fdinfo` of the processes that are, or were, clients of the GPU, by their numbers.
    pub fn gpu_clients(&self) -> PathBuf {
        gpu::guests(self.folder.path())
    }

    /// Sets the fault of the counters from now on.
    pub fn set_trouble(&self, trouble: Trouble) {
        *self.shared.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }

    /// Time of a reset of the counters since the last call.
    pub fn take_reset(&self) -> Option<f64> {
        self.shared.reset.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// The truth at a moment, between the two records around it; `None` outside.
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

    /// Joules of the workloads of a truth, by name.
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

/// The part of the machine for the cgroup with this number.
pub fn part_of(index: usize, parts: usize) -> usize {
    index % parts
}

/// The CPUs of a part, in the syntax of `taskset`: the parts have as many each, in order.
pub fn cpus_of(part: usize, parts: usize) -> String {
    let each = cpus() / parts;
    format!("{}-{}", part * each, (part + 1) * each - 1)
}

fn cpus() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// First position of the counter of a part, in joules: as with real ones, neither near 0 nor near another.
fn begin_of(part: usize) -> f64 {
    50_000.0 + 10_000.0 * part as f64
}

/// Counters of a machine.
enum Counters {
    /// One for each part.
    Parts(Vec<Counter>),
    /// One for each core, and one for the package.
    Cores(Monitor),
    /// The same, by registers.
    Registers(CoreRegisters),
}

/// Advances the machine until it is stopped. `gpu` has the index of the workload that uses it from the start, and the files the CPU time of
/// all CPUs and of each workload.
fn advance(
    machine: Machine,
    counters: &mut Counters,
    mut gpu: Option<&mut (Gpu, Option<usize>)>,
    (all, each): (&File, &[File]),
    shared: &Shared,
) {
    // Late steps are long steps; shorter ones are more exact. Some hosts permit no real-time thread in this cgroup.
    let thread = rustix::thread::gettid().as_raw_nonzero().to_string();
    if output(Command::new("chrt").args(["--fifo", "--pid", "1", &thread])).is_err() {
        let _ = rustix::process::setpriority_process(None, -15);
    }
    let parts = machine.parts.len();
    let cpus_each = cpus() as f64 / parts as f64;
    let (begin, mut last) = (now(), now());
    let mut used = (by_part(all, parts), each.iter().map(usage).collect::<Vec<f64>>());
    let mut truth = Truth { workloads: vec![0.0; each.len()], ..Truth::default() };
    let counted = machine.counters();
    let (mut joules, mut prices) = (vec![0.0; counted + usize::from(gpu.is_some())], vec![0.0; parts]);
    let mut threads = (machine.part == Part::Thread).then(Threads::default);
    let mut above_idle = vec![0.0; parts];
    let mut offsets: Vec<f64> = (0..joules.len()).map(|part| -begin_of(part)).collect();
    let mut refreshed = now();
    let mut steps: u32 = 0;
    while !shared.stop.load(Ordering::Relaxed) {
        pause(STEP);
        let seconds = last.elapsed().as_secs_f64();
        last = now();
        let usages = (by_part(all, parts), each.iter().map(usage).collect::<Vec<f64>>());
        let since = |now: &[f64], before: &[f64]| -> Vec<f64> {
            now.iter().zip(before).map(|(now, before)| (now - before).max(0.0)).collect()
        };
        let (spent, spent_by_each) = (since(&usages.0, &used.0), since(&usages.1, &used.1));
        used = usages;
        let swing =
            1.0 + machine.swing * (begin.elapsed().as_secs_f64() / SWING * std::f64::consts::TAU).sin();
        let settled = threads.as_mut().map(|threads| threads.settle(&spent));
        for (part, power) in machine.parts.iter().enumerate() {
            let (busy, weighed) =
                settled.map_or((spent[part], spent[part]), |of| (of[part].busy, of[part].weighed));
            let dynamic = power.watts(weighed / seconds, cpus_each) * seconds * swing;
            let more = machine.idle / parts as f64 * seconds + dynamic;
            joules[part.min(counted - 1)] += more;
            above_idle[part] += dynamic;
            truth.host += more;
            // The cost of a CPU second at this moment. Files are read one after the other: a step in which only one of them has
            // moved has the cost of the step before.
            if busy > 0.0 {
                prices[part] = dynamic / busy;
            }
        }
        for (index, (joules, spent)) in truth.workloads.iter_mut().zip(&spent_by_each).enumerate() {
            *joules += prices[part_of(index, parts)] * spent;
        }
        if let Some((gpu, user)) = gpu.as_deref_mut() {
            let drawn = machine.gpu * gpu.run(begin.elapsed().as_secs_f64(), seconds);
            joules[0] += drawn;
            joules[counted] += drawn;
            truth.host += drawn;
            if let Some(user) = *user {
                truth.workloads[user] += drawn;
            }
        }
        truth.at = wall();
        // Refreshes come at odd moments: after a part of the longest time that goes through all tenths.
        let due = machine.refresh * (steps * 7 % 10) / 10;
        if refreshed.elapsed() >= due {
            refreshed = now();
            steps = steps.wrapping_add(1);
            match counters {
                Counters::Parts(counters) => show(counters, &joules, &mut offsets, steps, shared),
                Counters::Cores(monitor) => monitor.set(&above_idle, truth.host),
                Counters::Registers(registers) => registers.set(&above_idle, truth.host),
            }
        }
        shared.truths.lock().unwrap_or_else(PoisonError::into_inner).push(truth.clone());
    }
}

fn show(counters: &mut [Counter], joules: &[f64], offsets: &mut [f64], step: u32, shared: &Shared) {
    let mut trouble = shared.trouble.lock().unwrap_or_else(PoisonError::into_inner);
    if *trouble == Trouble::Reset {
        offsets.copy_from_slice(joules);
        *trouble = Trouble::None;
        *shared.reset.lock().unwrap_or_else(PoisonError::into_inner) = Some(wall());
    }
    let last = counters.len() - 1;
    for (number, counter) in counters.iter_mut().enumerate() {
        let shown = ((joules[number] - offsets[number]) / QUANTUM).floor() * QUANTUM;
        match *trouble {
            Trouble::Stall => {}
            Trouble::Unreadable => counter.spoil(),
            // Each less than the one before: no two of them follow from a counter that counts.
            Trouble::Garbage => counter.set(shown + 150_000.0 - f64::from(step)),
            Trouble::AllVanished => counter.vanish(),
            Trouble::LastVanished if number == last => counter.vanish(),
            Trouble::None | Trouble::Reset | Trouble::LastVanished => counter.set(shown),
        }
    }
}

/// CPU seconds of each part's CPUs.
fn by_part(all: &File, parts: usize) -> Vec<f64> {
    let text = start_of(all);
    if text.starts_with("usage_usec") {
        return vec![of_cpu_stat(&text)];
    }
    let nanoseconds: Vec<f64> = text.split_whitespace().filter_map(|number| number.parse().ok()).collect();
    let each = (nanoseconds.len() / parts).max(1);
    nanoseconds.chunks(each).take(parts).map(|cpus| cpus.iter().sum::<f64>() / 1e9).collect()
}

/// CPU seconds in an open `cpu.stat`.
fn usage(file: &File) -> f64 {
    of_cpu_stat(&start_of(file))
}

fn of_cpu_stat(text: &str) -> f64 {
    let number =
        text.strip_prefix("usage_usec ").and_then(|rest| rest.lines().next()?.trim().parse::<f64>().ok());
    number.unwrap_or(0.0) / 1e6
}

fn start_of(file: &File) -> String {
    let mut bytes = [0; 4096];
    let read = file.read_at(&mut bytes, 0).unwrap_or(0);
    String::from_utf8_lossy(&bytes[..read]).trim_end_matches('\0').to_owned()
}

/// Seconds since 1970, the clock of the agent's ticks.
#[expect(clippy::disallowed_methods, reason = "the rule is the agent's")]
pub fn wall() -> f64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0.0, |time| time.as_secs_f64())
}
