//! Computes a [`CpuWindow`] from two readings of the accounting map.
//!
//! The kernel side only counts up. The agent reads the map.
//!
//! **Invariant:** in every place, `elapsed = idle + Σ usage`, to the nanosecond. If the map does not add up to the clock,
//! the missing time is charged to [`Consumer::Unknown`], not dropped.

use std::collections::HashMap;

use crate::model::cpu::CpuPlace;
use crate::model::cpu::{BusyTime, CgroupId, Consumer, CpuWindow, PlaceWindow, ProcessId, Usage};
use crate::time::MonoTime;
use crate::units::CpuTime;
use agent_common::{
    BusyTime as Counted, CLASS_KERNEL_THREAD, ConsumerKey, CpuClock, CpuTime as Entry, ROOT_CGROUP,
};

use crate::cpu::topology::CpuTopology;

/// Result of the tick's flush for one CPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CpuState {
    /// Flushed: its counters stand as of then.
    Flushed,
    /// Idle at the last flush and not switched since: nothing to flush, all time since is idle.
    StillIdle,
    /// Off line, or never present.
    Offline,
}

/// Counters of all CPUs as read at one tick, indexed by CPU.
#[derive(Clone, Debug, Default)]
pub struct Reading {
    /// Time of the flush.
    pub at: MonoTime,
    /// Result of the flush, by CPU.
    pub states: Vec<CpuState>,
    /// Clock, by CPU.
    pub clocks: Vec<CpuClock>,
    /// Every entry of the map, with one value for each CPU.
    pub entries: Vec<(ConsumerKey, Vec<Entry>)>,
}

impl Reading {
    /// Value of an entry at the flush of its CPU.
    fn value(&self, entry: &Entry, cpu: usize) -> Counted {
        if entry.epoch == self.clocks[cpu].epoch { entry.at_flush } else { entry.total }
    }

    /// Time of a CPU that is in none of its counters: constant while the map is complete.
    fn missing(&self, cpu: usize) -> u64 {
        let clock = &self.clocks[cpu];
        let elapsed = clock.flushed_elapsed;
        let found: u64 = self.entries.iter().map(|(_, values)| self.value(&values[cpu], cpu).all).sum();
        elapsed.saturating_sub(clock.flushed_idle + clock.flushed_lost + found)
    }
}

/// State of one CPU at the end of the last window.
#[derive(Clone, Copy, Debug, Default)]
struct CpuAccount {
    known: bool,
    /// Nanoseconds since accounting began on the CPU, including idle ones that were counted in advance.
    to: u64,
    idle: u64,
    lost: u64,
    missing: u64,
    /// Start of its time off line, and the least end of it.
    away: Option<(u64, u64)>,
}

/// State of all windows so far.
#[derive(Debug)]
pub struct Accounts {
    topology: CpuTopology,
    /// Whether cores are places of their own.
    by_core: bool,
    places: Vec<CpuPlace>,
    cpus: Vec<CpuAccount>,
    consumed: HashMap<ConsumerKey, Vec<Counted>>,
    at: MonoTime,
}

impl Accounts {
    /// Empty accounts; `cpus` is the number of values of a map entry.
    pub fn new(topology: CpuTopology, cpus: usize) -> Self {
        let places = topology.places();
        let cpus = vec![CpuAccount::default(); cpus];
        Self { topology, by_core: false, places, cpus, consumed: HashMap::new(), at: MonoTime::default() }
    }

    /// The places of the CPUs.
    pub fn topology(&self) -> &CpuTopology {
        &self.topology
    }

    /// CPUs that are on line and whose place is unknown.
    pub fn unplaced<'a>(&'a self, states: &'a [CpuState]) -> impl Iterator<Item = usize> + 'a {
        let running = states.iter().enumerate().filter(|(_, state)| **state != CpuState::Offline);
        running.map(|(cpu, _)| cpu).filter(|cpu| !self.topology.has_place(*cpu))
    }

    /// Sets the place of a CPU that has come on line.
    pub fn place_cpu(&mut self, cpu: usize, place: CpuPlace) {
        self.topology.enter(cpu, place);
        self.find_places();
    }

    /// Sets whether the windows from the next one on distinguish the cores of a die. Where no counter does, fewer places are cheaper.
    pub fn separate_cores(&mut self, by_core: bool) {
        if self.by_core != by_core {
            self.by_core = by_core;
            self.find_places();
        }
    }

    fn find_places(&mut self) {
        self.places = if self.by_core { self.topology.core_places() } else { self.topology.places() };
    }

    /// Whether the map adds up to the clock on every CPU that was flushed. If not, an entry was read while its CPU changed
    /// it: read again.
    pub fn adds_up(&self, reading: &Reading) -> bool {
        self.flushed(reading)
            .all(|cpu| !self.cpus[cpu].known || reading.missing(cpu) == self.cpus[cpu].missing)
    }

    /// Closes the window that ends with `reading`.
    pub fn close(&mut self, reading: &Reading) -> CpuWindow {
        let mut places: Vec<PlaceWindow> = self
            .places
            .iter()
            .map(|place| PlaceWindow { place: *place, cpus: 0, elapsed: CpuTime::ZERO, idle: CpuTime::ZERO })
            .collect();
        let place_of: Vec<usize> = (0..self.cpus.len()).map(|cpu| self.place(cpu)).collect();
        let mut busy: HashMap<(Consumer, usize), BusyTime> = HashMap::new();
        for (cpu, &place) in place_of.iter().enumerate() {
            let state = reading.states.get(cpu).copied().unwrap_or(CpuState::Offline);
            if state == CpuState::Offline {
                let away = &mut self.cpus[cpu].away;
                *away = Some((away.map_or(reading.at.0, |(since, _)| since), reading.at.0));
                continue;
            }
            let (elapsed, idle, unknown) = self.advance(cpu, state, reading);
            places[place].cpus += 1;
            places[place].elapsed += CpuTime(elapsed);
            places[place].idle += CpuTime(idle);
            *busy.entry((Consumer::Unknown, place)).or_default() += CpuTime(unknown).into();
        }
        for (key, values) in &reading.entries {
            let new = || vec![Counted::default(); self.cpus.len()];
            let consumed = self.consumed.entry(*key).or_insert_with(new);
            for (cpu, entry) in values.iter().enumerate().take(consumed.len()) {
                if reading.states.get(cpu) != Some(&CpuState::Flushed) {
                    continue;
                }
                let value = reading.value(entry, cpu);
                let used = since(consumed[cpu], value);
                if used.all > CpuTime::ZERO {
                    consumed[cpu] = value;
                    *busy.entry((consumer(*key), place_of[cpu])).or_default() += used;
                }
            }
        }
        let mut usage: Vec<Usage> = busy
            .into_iter()
            .filter(|(_, used)| used.all > CpuTime::ZERO)
            .map(|((consumer, place), busy)| Usage { consumer, place, busy })
            .collect();
        usage.sort_unstable_by_key(|usage| (usage.consumer, usage.place));
        let start = std::mem::replace(&mut self.at, reading.at);
        CpuWindow { start, end: reading.at, places, usage }
    }

    /// Drops an entry that is being removed from the map.
    pub fn forget(&mut self, key: &ConsumerKey) {
        for (account, consumed) in self.cpus.iter_mut().zip(self.consumed.remove(key).unwrap_or_default()) {
            account.missing += consumed.all;
        }
    }

    /// Keys of the entries seen so far and not dropped.
    pub fn keys(&self) -> impl Iterator<Item = &ConsumerKey> {
        self.consumed.keys()
    }

    /// Consumers of the entries seen so far and not dropped.
    pub fn consumers(&self) -> impl Iterator<Item = Consumer> {
        self.consumed.keys().copied().map(consumer)
    }

    fn flushed<'a>(&self, reading: &'a Reading) -> impl Iterator<Item = usize> + 'a {
        let count = self.cpus.len();
        let states = reading.states.iter().enumerate().take(count);
        states.filter(|(_, state)| **state == CpuState::Flushed).map(|(cpu, _)| cpu)
    }

    fn place(&self, cpu: usize) -> usize {
        let place = self.topology.place(cpu);
        let place = if self.by_core { place } else { place.without_core() };
        self.places.binary_search(&place).unwrap_or(0)
    }

    /// Advances one CPU's account to the reading. Returns elapsed time, idle time, and time without a consumer.
    fn advance(&mut self, cpu: usize, state: CpuState, reading: &Reading) -> (u64, u64, u64) {
        let clock = &reading.clocks[cpu];
        let before = self.cpus[cpu];
        let now = if state == CpuState::StillIdle {
            // Idle since the flush; a reading just before the CPU wakes must not count time in advance.
            let asleep = reading.at.0.saturating_sub(clock.flushed_mono);
            let idle = (clock.flushed_idle + asleep).max(before.idle);
            CpuAccount { to: before.to + (idle - before.idle), idle, ..before }
        } else {
            // Idle time was counted in advance of the scheduler's clock: the next window is shorter by it.
            let early = before.idle.saturating_sub(clock.flushed_idle);
            CpuAccount {
                known: true,
                to: clock.flushed_elapsed + early,
                idle: clock.flushed_idle + early,
                lost: clock.flushed_lost,
                missing: reading.missing(cpu),
                away: None,
            }
        };
        self.cpus[cpu] = now;
        if !before.known {
            return (0, 0, 0);
        }
        let (elapsed, idle) = (now.to.saturating_sub(before.to), now.idle.saturating_sub(before.idle));
        // The kernel counts a CPU that is off line as idle; here it does not count.
        let away = before.away.map_or(0, |(since, until)| until - since).min(idle);
        let unknown = now.lost.saturating_sub(before.lost) + now.missing.saturating_sub(before.missing);
        (elapsed - away.min(elapsed), idle - away, unknown)
    }
}

fn since(before: Counted, now: Counted) -> BusyTime {
    BusyTime {
        all: CpuTime(now.all.saturating_sub(before.all)),
        shared: CpuTime(now.shared.saturating_sub(before.shared)),
    }
}

fn consumer(key: ConsumerKey) -> Consumer {
    if key.class == CLASS_KERNEL_THREAD {
        return Consumer::Kernel;
    }
    let process = (key.tracked != 0).then_some(ProcessId(key.tracked));
    let (unified, legacy) = (CgroupId(key.cgroup), CgroupId::legacy(key.legacy));
    match (key.cgroup, key.legacy) {
        (_, 0) => Consumer::Tasks { cgroup: unified, process },
        (ROOT_CGROUP, _) => Consumer::Tasks { cgroup: legacy, process },
        _ => Consumer::InBoth { unified, legacy, process },
    }
}

#[cfg(test)]
mod tests;
