//! Health of the agent: state of its sources, losses, and its own cost.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::units::{Bytes, CpuTime};

/// Why a source gave nothing, as a metric label: a closed set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// The host lacks it.
    Unavailable,
    /// Not allowed.
    Permission,
    /// It was there and is gone.
    Vanished,
    /// It did not answer in time.
    Timeout,
    /// Any other failed system call.
    Io,
    /// It answered nonsense.
    Broken,
}

impl Reason {
    /// As the `reason` label.
    pub fn name(self) -> &'static str {
        match self {
            Self::Unavailable => "unavailable",
            Self::Permission => "permission",
            Self::Vanished => "vanished",
            Self::Timeout => "timeout",
            Self::Io => "io",
            Self::Broken => "broken",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a source is to the agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceState {
    /// It works.
    Up,
    /// The agent needs it, and it does not work.
    Down,
    /// This host does not have it, and another one stands in for it.
    Absent,
}

impl SourceState {
    /// As a label.
    pub fn name(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
            Self::Absent => "absent",
        }
    }
}

/// The state of one source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceHealth {
    /// Whether the last attempt worked.
    pub up: bool,
    /// Whether it is in use: it has worked, is there but fails, or the configuration names it.
    pub is_needed: bool,
    /// Why not, and what would help: one line each; empty when up.
    pub problem: String,
    /// The command or setting that would help; empty when nothing would.
    pub hint: String,
    /// Failures so far.
    pub errors: BTreeMap<Reason, u64>,
}

impl SourceHealth {
    /// What it is to the agent.
    pub fn state(&self) -> SourceState {
        match (self.up, self.is_needed) {
            (true, _) => SourceState::Up,
            (false, true) => SourceState::Down,
            (false, false) => SourceState::Absent,
        }
    }
}

/// A CPU meter's losses and cost. Cumulative.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MeterHealth {
    /// Events that found no room.
    pub lost_events: u64,
    /// Charges that found no room in the accounting map; their time is `unattributed`.
    pub lost_charges: u64,
    /// Readings in which the map did not add up to the clock, and were taken again.
    pub torn_reads: u64,
    /// Times the programs were attached again because switches went unseen.
    pub reattached: u64,
    /// Entries of the accounting map in use, and room for how many.
    pub map_entries: Option<(usize, usize)>,
    /// Run time of the programs, where the kernel counts it (`kernel.bpf_stats_enabled`).
    pub programs: BTreeMap<&'static str, ProgramCost>,
}

/// How much is kept of one kind of thing. Every kind is bounded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// Entries now.
    pub entries: u64,
    /// Entries given up so far for want of room, the oldest ended first. `None` where those beyond the bound share an account instead.
    pub evicted: Option<u64>,
}

/// What one eBPF program has cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProgramCost {
    /// Number of runs.
    pub runs: u64,
    /// Time spent in them.
    pub nanoseconds: u64,
}

/// What the agent's own process uses.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ProcessUse {
    /// Its number, as it sees itself.
    pub pid: u32,
    /// CPU time since it began.
    pub cpu: CpuTime,
    /// Resident memory.
    pub resident: Bytes,
    /// Virtual memory.
    pub virtual_memory: Bytes,
    /// Open file descriptors.
    pub open_files: u64,
    /// Most file descriptors it may open.
    pub max_files: Option<u64>,
    /// Threads.
    pub threads: u64,
    /// When it began, in seconds since 1970.
    pub started: f64,
}

/// How long things took, in buckets.
#[derive(Clone, Debug, PartialEq)]
pub struct DurationHistogram {
    /// Upper bound of each bucket in seconds, and how many fell into it and not into one before.
    pub buckets: Vec<(f64, u64)>,
    /// How many were longer than the last bound.
    pub beyond: u64,
    /// Sum of all.
    pub sum: Duration,
}

impl DurationHistogram {
    /// Empty, with these bounds in seconds, ascending.
    pub fn new(bounds: &[f64]) -> Self {
        Self { buckets: bounds.iter().map(|bound| (*bound, 0)).collect(), beyond: 0, sum: Duration::ZERO }
    }

    /// Counts one.
    pub fn observe(&mut self, duration: Duration) {
        self.sum += duration;
        let seconds = duration.as_secs_f64();
        match self.buckets.iter_mut().find(|(bound, _)| seconds <= *bound) {
            Some((_, count)) => *count += 1,
            None => self.beyond += 1,
        }
    }

    /// Number of all.
    pub fn count(&self) -> u64 {
        self.buckets.iter().map(|(_, count)| count).sum::<u64>() + self.beyond
    }
}
