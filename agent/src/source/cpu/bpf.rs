//! Reads CPU time from the eBPF programs: load, attach, flush, read.
//!
//! **Invariant:** nothing outlives this value. The programs are attached by links that the kernel drops with the process,
//! and nothing is pinned.

mod clock_offset;
mod hierarchies;
mod kernel_types;
mod lifecycle;
mod load;
mod open_files;
mod siblings;

use std::any::Any;
use std::collections::{BTreeMap, HashSet};
use std::os::fd::{AsFd, BorrowedFd};
use std::thread;
use std::time::Duration;

use agent_common::{
    CLASS_TASK, ConsumerKey, CpuClock, CpuTime, ROOT_CGROUP, TRACKED_PAGE, loss, order, tracking,
};
use agent_core::model::cpu::{CgroupId, Consumer, CpuSourceKind, CpuWindow, ProcessId};
use agent_core::model::health::{MeterHealth, ProgramCost};
use agent_core::time::MonoTime;
use aya::Ebpf;
use aya::maps::{Array, MapData, MapError, PerCpuArray, PerCpuHashMap, RingBuf};
use aya::programs::{ProgramError, RawTracePoint, RawTracePointRunOptions, TestRun};

use crate::clock::Clock;
use crate::error::chain;
use crate::host::{self, HostRoots};
use crate::source::SourceError;
use crate::source::cpu::{CpuMeter, DeviceFile, LifecycleEvent, Tracking};
use agent_core::cpu::accounts::{Accounts, CpuState, Reading};
use agent_core::cpu::topology::CpuTopology;
use clock_offset::KernelClockOffset;
use open_files::FileList;
use siblings::Siblings;

pub(crate) use load::Options;

/// The programs, by their names in the object.
const PROGRAMS: [&str; 10] = [
    "switch",
    "untyped_switch",
    "flush",
    "control",
    "cgroup_mkdir",
    "cgroup_rmdir",
    "process_exec",
    "process_exit",
    "signal",
    "device_files",
];

/// Attempts to read the map consistently before the missing time is counted as unknown.
const READ_ATTEMPTS: usize = 3;

/// A sleep, however short, is a switch.
const SHORT_SLEEP: Duration = Duration::from_millis(1);

/// The eBPF meter.
pub(crate) struct BpfMeter {
    ebpf: Ebpf,
    /// Links that keep the programs attached.
    links: Vec<Box<dyn Any + Send>>,
    /// Whether switches are read by the kernel's types (BTF).
    is_typed: bool,
    /// Whether the signals to encoders are seen.
    sees_signals: bool,
    /// The list of the open files of a device.
    file_list: FileList,
    kernel: String,
    clocks: PerCpuArray<MapData, CpuClock>,
    times: PerCpuHashMap<MapData, ConsumerKey, CpuTime>,
    losses: PerCpuArray<MapData, u64>,
    tracked: Array<MapData, [u8; TRACKED_PAGE as usize]>,
    ring: RingBuf<MapData>,
    siblings: Siblings,
    accounts: Accounts,
    roots: HostRoots,
    own: ProcessId,
    room: usize,
    torn_reads: u64,
    reattached: u64,
    clock_offset: KernelClockOffset,
    /// Whether tasks are charged by their cgroup in cgroup v1 as well: then a cgroup may be a part of many keys.
    has_legacy: bool,
    problem: Option<SourceError>,
}

impl BpfMeter {
    /// Loads and attaches the programs, and begins accounting on every CPU.
    pub(crate) fn load(
        roots: &HostRoots,
        topology: &CpuTopology,
        options: &Options,
        clock: &dyn Clock,
    ) -> Result<Self, SourceError> {
        load::load(roots, topology, options, clock)
    }

    /// Flushes every CPU that may have run since the last flush: where switches are counted, not those that were idle then.
    fn flush(&self, clocks: &[CpuClock], is_seen: bool) -> Result<Vec<CpuState>, SourceError> {
        let program = self.program("flush")?;
        let mut states = Vec::with_capacity(clocks.len());
        for (cpu, clock) in clocks.iter().enumerate() {
            if is_seen && clock.is_asleep() {
                states.push(CpuState::StillIdle);
                continue;
            }
            let options = RawTracePointRunOptions { cpu: Some(cpu as u32), ..RawTracePointRunOptions::new() };
            states.push(match program.test_run(options) {
                Ok(_) => CpuState::Flushed,
                Err(error) if is_offline(&error) => CpuState::Offline,
                Err(error) => return Err(program_error(format!("flush CPU {cpu}"), error)),
            });
        }
        Ok(states)
    }

    /// Whether the programs miss switches, on every CPU. The reader waited for its tick, and a wait is a switch; to be sure, it waits
    /// once more.
    #[expect(clippy::disallowed_methods, reason = "a wait is a context switch, which is what is tested")]
    fn missed_switches(&self, clocks: &[CpuClock]) -> Result<bool, SourceError> {
        if !has_no_switch(clocks) {
            return Ok(false);
        }
        thread::sleep(SHORT_SLEEP);
        Ok(has_no_switch(&self.read_clocks()?))
    }

    /// Attaches the programs again.
    fn attach_again(&mut self) -> Result<(), SourceError> {
        tracing::warn!("the kernel no longer runs the eBPF programs: they are attached again");
        self.links.clear();
        self.links = load::attach(&mut self.ebpf, self.is_typed, &self.kernel)?;
        // Signals were missed meanwhile, and encoders that run now may have got them.
        self.sees_signals = false;
        self.reattached += 1;
        Ok(())
    }

    fn find_clock_offset(&self, clock: &dyn Clock) -> Result<KernelClockOffset, SourceError> {
        self.flush(&self.read_clocks()?, true)?;
        let flushed = self.read_clocks()?.iter().map(|clock| clock.flushed_mono).max().unwrap_or(0);
        Ok(KernelClockOffset::between(MonoTime(flushed), clock.now()))
    }

    fn read_entries(&self) -> Result<Vec<(ConsumerKey, Vec<CpuTime>)>, SourceError> {
        self.times
            .iter()
            .map(|entry| entry.map(|(key, values)| (key, values.to_vec())))
            .collect::<Result<_, _>>()
            .map_err(|error| map_error("read the map of CPU times", error))
    }

    fn read_clocks(&self) -> Result<Vec<CpuClock>, SourceError> {
        let values = self.clocks.get(&0, 0).map_err(|error| map_error("read the CPU clocks", error))?;
        Ok(values.to_vec())
    }

    fn program(&self, name: &str) -> Result<&RawTracePoint, SourceError> {
        self.ebpf.program(name).and_then(|program| program.try_into().ok()).ok_or_else(|| {
            SourceError::broken(format!("the eBPF object has no raw tracepoint program {name:?}"))
        })
    }

    fn order(&self, order: u64, process: u32) -> Result<(), SourceError> {
        let mut options = RawTracePointRunOptions::new();
        options.args[0] = order;
        options.args[1] = u64::from(process);
        let result = self.program("control")?.test_run(options);
        result.map(drop).map_err(|error| program_error("run the control program", error))
    }
}

impl CpuMeter for BpfMeter {
    fn kind(&self) -> CpuSourceKind {
        CpuSourceKind::Bpf
    }

    fn read(&mut self, clock: &dyn Clock) -> Result<CpuWindow, SourceError> {
        // Taken before the clocks are read: a CPU that is found asleep has slept at least until now.
        let at = self.clock_offset.kernel(clock.now());
        let clocks = self.read_clocks()?;
        let missed_switches = self.missed_switches(&clocks)?;
        if missed_switches {
            self.attach_again()?;
        }
        let states = self.flush(&clocks, !missed_switches)?;
        let mut reading = Reading { at, states, clocks: self.read_clocks()?, entries: self.read_entries()? };
        for _ in 1..READ_ATTEMPTS {
            if self.accounts.adds_up(&reading) {
                break;
            }
            self.torn_reads += 1;
            reading.entries = self.read_entries()?;
        }
        // The place of a CPU is known once it is on line.
        let mut has_new_places = false;
        let come: Vec<usize> = self.accounts.unplaced(&reading.states).collect();
        for (cpu, place) in come.into_iter().filter_map(|cpu| Some((cpu, host::cpu_place(&self.roots, cpu)?)))
        {
            self.accounts.place_cpu(cpu, place);
            has_new_places = true;
        }
        if has_new_places {
            self.siblings.write(self.accounts.topology())?;
        }
        let mut window = self.accounts.close(&reading);
        (window.start, window.end) = (self.clock_offset.own(window.start), self.clock_offset.own(window.end));
        // Without switches all time would be charged to the tasks at the flush.
        Ok(if missed_switches { window.without_claimants() } else { window })
    }

    fn separate_cores(&mut self, by_core: bool) {
        self.accounts.separate_cores(by_core);
    }

    fn counts_shared_cores(&self) -> bool {
        self.is_typed && self.siblings.are_counted()
    }

    fn device_files(&mut self) -> Option<Vec<DeviceFile>> {
        if self.file_list == FileList::Unavailable {
            return None;
        }
        match open_files::list(&mut self.ebpf) {
            Ok(files) => Some(files),
            Err(error) => {
                tracing::debug!("the files of devices are looked for in procfs: {}", chain(&error));
                self.file_list = FileList::Unavailable;
                None
            }
        }
    }

    fn events_fd(&self) -> Option<BorrowedFd<'_>> {
        Some(self.ring.as_fd())
    }

    fn events(&mut self, _clock: &dyn Clock) -> Vec<LifecycleEvent> {
        let mut events = Vec::new();
        while let Some(item) = self.ring.next() {
            events.extend(lifecycle::decode(&item, self.sees_signals));
        }
        for event in &mut events {
            let (LifecycleEvent::CgroupMade { at, .. }
            | LifecycleEvent::CgroupRemoved { at, .. }
            | LifecycleEvent::Exec { at, .. }
            | LifecycleEvent::Exit { at, .. }) = event;
            *at = self.clock_offset.own(*at);
        }
        events
    }

    fn track(&mut self, process: ProcessId) -> Result<(), SourceError> {
        self.order(order::TRACK, process.0)
    }

    fn untrack(&mut self, process: ProcessId) -> Result<(), SourceError> {
        self.order(order::UNTRACK, process.0)
    }

    fn forget(&mut self, consumer: Consumer) {
        let keys: Vec<ConsumerKey> = match consumer {
            // The root cgroup exists for ever.
            Consumer::Tasks { cgroup: CgroupId(ROOT_CGROUP), process: None }
            | Consumer::Kernel
            | Consumer::Unknown => return,
            Consumer::Tasks { cgroup, process } if self.has_legacy => {
                let tracked = process.map_or(0, |process| process.0);
                let is_of =
                    |key: &&ConsumerKey| key.tracked == tracked && cgroups_of(**key).contains(&cgroup);
                self.accounts.keys().filter(is_of).copied().collect()
            }
            Consumer::Tasks { cgroup, process } => vec![key_of(cgroup, process)],
            Consumer::InBoth { unified, legacy, process } => {
                vec![ConsumerKey { legacy: legacy.inode(), ..key_of(unified, process) }]
            }
        };
        for key in keys {
            // A missing entry is no error: the consumer never ran, or was never seen.
            if self.times.remove(&key).is_ok() {
                self.accounts.forget(&key);
            }
        }
    }

    fn consumers(&self) -> Vec<Consumer> {
        self.accounts.consumers().collect()
    }

    fn with_usage(&self, removed: &[CgroupId]) -> Vec<CgroupId> {
        // Without the clocks, the pending time of CPUs is unknown, and any of the cgroups may have run.
        let Ok(clocks) = self.read_clocks() else { return removed.to_vec() };
        if self.has_legacy {
            let known: Result<Vec<ConsumerKey>, MapError> = self.times.keys().collect();
            let Ok(known) = known else { return removed.to_vec() };
            let pending = clocks.iter().map(|clock| clock.key);
            let used: HashSet<CgroupId> = known.into_iter().chain(pending).flat_map(cgroups_of).collect();
            return removed.iter().copied().filter(|cgroup| used.contains(cgroup)).collect();
        }
        let has_run = |cgroup: &CgroupId| {
            let key = key_of(*cgroup, None);
            clocks.iter().any(|clock| clock.key == key) || self.times.get(&key, 0).is_ok()
        };
        removed.iter().copied().filter(has_run).collect()
    }

    fn tracking(&self, process: ProcessId) -> Option<Tracking> {
        let page = self.tracked.get(&(process.0 / TRACKED_PAGE), 0).ok()?;
        match tracking::state(page[(process.0 % TRACKED_PAGE) as usize]) {
            tracking::OFF => Some(Tracking::Off),
            tracking::ON => Some(Tracking::On),
            tracking::ENDED => Some(Tracking::Ended),
            _ => None,
        }
    }

    fn own_process(&self) -> Option<ProcessId> {
        Some(self.own)
    }

    fn take_problem(&mut self) -> Option<SourceError> {
        self.problem.take()
    }

    fn health(&self) -> MeterHealth {
        let clocks = self.read_clocks().unwrap_or_default();
        let events = self.losses.get(&loss::EVENTS, 0);
        let mut programs = BTreeMap::new();
        for name in PROGRAMS {
            let cost =
                self.ebpf.program(name).and_then(|program| program.info().ok()).map(|info| ProgramCost {
                    runs: info.run_count(),
                    nanoseconds: u64::try_from(info.run_time().as_nanos()).unwrap_or(u64::MAX),
                });
            // Without kernel.bpf_stats_enabled the kernel counts nothing, so the cost is unknown.
            programs.extend(cost.filter(|cost| cost.runs > 0).map(|cost| (name, cost)));
        }
        MeterHealth {
            lost_events: events.map_or(0, |values| values.iter().sum()),
            lost_charges: clocks.iter().map(|clock| clock.lost_count).sum(),
            torn_reads: self.torn_reads,
            reattached: self.reattached,
            map_entries: Some((self.accounts.consumers().count(), self.room)),
            programs,
        }
    }
}

/// Whether no CPU has switched since its last flush.
fn has_no_switch(clocks: &[CpuClock]) -> bool {
    clocks.iter().all(|clock| clock.switches == 0)
}

fn key_of(cgroup: CgroupId, process: Option<ProcessId>) -> ConsumerKey {
    let tracked = process.map_or(0, |process| process.0);
    ConsumerKey { cgroup: cgroup.0, legacy: 0, tracked, class: CLASS_TASK }
}

fn cgroups_of(key: ConsumerKey) -> [CgroupId; 2] {
    [CgroupId(key.cgroup), CgroupId::legacy(key.legacy)]
}

/// The kernel answers ENXIO for a CPU that is off line or does not exist (`bpf_prog_test_run_raw_tp`).
fn is_offline(error: &ProgramError) -> bool {
    match error {
        ProgramError::SyscallError(error) => {
            error.io_error.raw_os_error() == Some(rustix::io::Errno::NXIO.raw_os_error())
        }
        _ => false,
    }
}

fn program_error(doing: impl Into<String>, error: ProgramError) -> SourceError {
    match error {
        ProgramError::SyscallError(error) => SourceError::transient(doing, error.io_error),
        error => SourceError::broken(format!("cannot {}: {error}", doing.into())),
    }
}

fn map_error(doing: &str, error: MapError) -> SourceError {
    match error {
        MapError::SyscallError(error) => SourceError::transient(doing, error.io_error),
        error => SourceError::broken(format!("cannot {doing}: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_switch_is_seen_although_the_clock_stood_still() {
        let flushed = CpuClock { accounted_to: 5000, epoch: 1, flushed_in_idle: 1, ..CpuClock::default() };
        assert!(flushed.is_asleep() && has_no_switch(&[flushed, flushed]));
        // The whole time between the flush and the switch went to interrupts.
        let switched = CpuClock { switches: 1, ..flushed };
        assert!(!switched.is_asleep() && !has_no_switch(&[flushed, switched]));
        // Time that a flush charges is no switch.
        let charged = CpuClock { accounted_to: 9000, ..flushed };
        assert!(charged.is_asleep() && has_no_switch(&[charged]));
    }
}
