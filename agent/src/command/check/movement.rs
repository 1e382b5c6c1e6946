//! Watches energy counters for a second at most, to tell whether they move, beside the CPU time of the same host.
//!
//! A host whose CPUs are busy draws power: counters that stand still meanwhile do not count. In a tree of files in which nothing happens
//! only a counter at 0, or counters of a package that show the same number, are known not to count.

use std::fs;
use std::thread;
use std::time::Duration;

use agent_core::model::energy::{Domain, EnergySourceKind, Zone};
use agent_core::units::{CpuTime, MicroJoules};

use crate::clock::{Clock, SystemClock};
use crate::host::{HostRoots, KernelFileSystem};
use crate::source::energy::{EnergyMeter, EnergyReading};

/// Pause between two readings: counters move every millisecond.
const PAUSE: Duration = Duration::from_millis(20);

/// Most readings, until all counters have moved and mirrors are decided.
const READINGS: u32 = 50;

/// CPU time in which a counter must move: some milliwatts over that time are more than a step.
const BUSY: CpuTime = CpuTime(100_000_000);

/// Result of watching a meter.
pub(super) struct Movement {
    pub(super) last: EnergyReading,
    /// The reason why none of its counters count.
    pub(super) stands_still: Option<Standstill>,
    /// Whether no counter has moved, but nothing else has happened either: then the result is unknown.
    pub(super) is_unknown: bool,
    /// Counters that do not move, although others do.
    pub(super) still: Vec<Zone>,
}

/// Evidence that counters do not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standstill {
    /// They stood still while CPUs were busy.
    WhileBusy,
    /// They are at 0.
    AtNothing,
    /// Package and memory show the same number.
    Same,
}

/// Reads counters until all have moved and none is doubtful, or for a second.
pub(super) fn watch(meter: &mut EnergyMeter, roots: &HostRoots) -> Movement {
    let is_running_kernels = KernelFileSystem::Sysfs.holds(&roots.sys);
    let begun = busy_time(roots);
    let mut last = meter.read(&SystemClock);
    let mut unmoved = totals(&last);
    let mut has_moved = false;
    for _ in 0..READINGS {
        if has_moved && unmoved.is_empty() && meter.suspects().is_empty() {
            break;
        }
        pause(is_running_kernels);
        last = meter.read(&SystemClock);
        has_moved |= last.has_moved;
        let now = totals(&last);
        unmoved.retain(|(zone, total)| now.iter().all(|(other, now)| other != zone || now <= total));
    }
    let mirrors = meter.mirrors();
    let unmoved = || unmoved.iter().map(|(zone, _)| *zone).filter(|zone| !mirrors.contains_key(zone));
    let was_busy =
        begun.zip(busy_time(roots)).is_some_and(|(begun, ended)| ended.saturating_sub(begun) >= BUSY);
    let at_nothing = at_nothing(meter);
    let stands_still = match (has_moved, was_busy) {
        (true, _) => None,
        (false, true) => Some(Standstill::WhileBusy),
        (false, false) if !at_nothing.is_empty() && unmoved().all(|zone| at_nothing.contains(&zone)) => {
            Some(Standstill::AtNothing)
        }
        (false, false) => shows_one_number(meter).then_some(Standstill::Same),
    };
    let still = unmoved().filter(|zone| stands_still.is_none() && (was_busy || at_nothing.contains(zone)));
    Movement { still: still.collect(), is_unknown: !has_moved && stands_still.is_none(), stands_still, last }
}

/// Waits; on the running kernel's host by keeping a CPU busy, so that an idle host draws power too.
#[expect(clippy::disallowed_methods, reason = "the command waits for counters to move")]
fn pause(is_running_kernels: bool) {
    if !is_running_kernels {
        return thread::sleep(PAUSE);
    }
    let begun = SystemClock.now();
    while SystemClock.now().since(begun) < PAUSE {
        thread::yield_now();
    }
}

/// Totals of the counters that always move: a package and its memory always draw power.
fn totals(reading: &EnergyReading) -> Vec<(Zone, MicroJoules)> {
    let read = reading.zones.iter().map(|(_, zone)| zone).chain(&reading.withheld);
    read.filter(|zone| always_moves(zone.zone)).map(|zone| (zone.zone, zone.total)).collect()
}

fn always_moves(zone: Zone) -> bool {
    matches!(zone.domain, Domain::Package | Domain::Dram)
}

/// Counters at 0, except those of perf, which begin there.
fn at_nothing(meter: &EnergyMeter) -> Vec<Zone> {
    let at_nothing = |(_, position): &(Zone, MicroJoules)| *position == MicroJoules::ZERO;
    let positions = meter.positions().into_iter().filter(at_nothing).map(|(zone, _)| zone);
    positions.filter(|zone| meter.kind() != EnergySourceKind::Perf && always_moves(*zone)).collect()
}

/// Whether all counters of some package show the same number, and there are several.
fn shows_one_number(meter: &EnergyMeter) -> bool {
    let positions = meter.positions();
    positions.iter().any(|(package, position)| {
        let is_other = |(zone, _): &&(Zone, MicroJoules)| zone.scope == package.scope && zone != package;
        let mut others = positions.iter().filter(is_other).peekable();
        package.domain == Domain::Package
            && meter.kind() != EnergySourceKind::Perf
            && others.peek().is_some()
            && others.all(|(_, other)| other == position)
    })
}

/// Busy time of all CPUs by `/proc/stat`; `None` where that does not exist, or belongs to another host than sysfs.
fn busy_time(roots: &HostRoots) -> Option<CpuTime> {
    if KernelFileSystem::Procfs.holds(&roots.proc) != KernelFileSystem::Sysfs.holds(&roots.sys) {
        return None;
    }
    let text = fs::read_to_string(roots.proc.join("stat")).ok()?;
    let of_cpu = |line: &str| {
        let (cpu, fields) = line.strip_prefix("cpu")?.split_once(' ')?;
        cpu.parse::<usize>().ok()?;
        // user nice system idle iowait irq softirq steal
        let fields = fields.split_ascii_whitespace().map(|field| field.parse::<u64>().unwrap_or(0));
        let busy = fields.take(8).enumerate().filter(|(place, _)| !matches!(place, 3 | 4));
        Some(busy.map(|(_, ticks)| CpuTime::from_clock_ticks(ticks)).sum::<CpuTime>())
    };
    Some(text.lines().filter_map(of_cpu).sum())
}
