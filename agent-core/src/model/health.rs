//! Health of the agent: state of its sources, losses, and its own cost.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::units::{Bytes, CpuTime};

/// Why a source failed, as a metric label: a closed set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// The host does not have it.
    Unavailable,
    /// The agent may not use it.
    Permission,
    /// It existed and has disappeared.
    Vanished,
    /// It did not answer in time.
    Timeout,
    /// Any other failed system call.
    Io,
    /// It returned invalid data.
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

/// State of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceState {
    /// The source works.
    Up,
    /// The agent needs the source, and it does not work.
    Down,
    /// This host does not have the source, and another one replaces it.
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

/// Health of one source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceHealth {
    /// Whether the last attempt worked.
    pub up: bool,
    /// Whether the agent needs it: it has worked, exists but fails, or the configuration names it.
    pub is_needed: bool,
    /// Reason of the failure, in one line; empty when up.
    pub problem: String,
    /// The command or setting that would help; empty when there is none.
    pub hint: String,
    /// Number of failures so far.
    pub errors: BTreeMap<Reason, u64>,
}

impl SourceHealth {
    /// State of the source.
    pub fn state(&self) -> SourceState {
        match (self.up, self.is_needed) {
            (true, _) => SourceState::Up,
            (false, true) => SourceState::Down,
            (false, false) => SourceState::Absent,
        }
    }
}

/// Losses and cost of a CPU meter. Cumulative.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MeterHealth {
    /// Events without room in the ring buffer.
    pub lost_events: u64,
    /// Charges without room in the accounting map; their time is `unattributed`.
    pub lost_charges: u64,
    /// Readings in which the map did not add up to the clock, and which were repeated.
    pub torn_reads: u64,
    /// Number of times the programs were attached again because switches were missed.
    pub reattached: u64,
    /// Entries of the accounting map in use, and its capacity.
    pub map_entries: Option<(usize, usize)>,
    /// Run time of the programs, where the kernel counts it (`kernel.bpf_stats_enabled`).
    pub programs: BTreeMap<&'static str, ProgramCost>,
}

/// Number of kept entries of one kind. Every kind is bounded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// Present entries.
    pub entries: u64,
    /// Entries dropped so far because there were too many, the oldest ended first. `None` where those beyond the bound share an account.
    pub evicted: Option<u64>,
}

/// Cost of one eBPF program.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProgramCost {
    /// Number of runs.
    pub runs: u64,
    /// Total time of the runs.
    pub nanoseconds: u64,
}

/// Resource use of the agent's own process.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ProcessUse {
    /// Process number in the agent's own PID namespace.
    pub pid: u32,
    /// CPU time since the process began.
    pub cpu: CpuTime,
    /// Resident memory.
    pub resident: Bytes,
    /// Virtual memory.
    pub virtual_memory: Bytes,
    /// Open file descriptors.
    pub open_files: u64,
    /// Limit of open file descriptors.
    pub max_files: Option<u64>,
    /// Number of threads.
    pub threads: u64,
    /// Start of the process, in seconds since 1970.
    pub started: f64,
}

/// A histogram of durations.
#[derive(Clone, Debug, PartialEq)]
pub struct DurationHistogram {
    /// Upper bound of each bucket in seconds, and the number of durations in it but not in the one before.
    pub buckets: Vec<(f64, u64)>,
    /// Number of durations longer than the last bound.
    pub beyond: u64,
    /// Sum of all durations.
    pub sum: Duration,
}

impl DurationHistogram {
    /// An empty histogram with these bounds in seconds, ascending.
    pub fn new(bounds: &[f64]) -> Self {
        Self { buckets: bounds.iter().map(|bound| (*bound, 0)).collect(), beyond: 0, sum: Duration::ZERO }
    }

    /// Adds a duration.
    pub fn observe(&mut self, duration: Duration) {
        self.sum += duration;
        let seconds = duration.as_secs_f64();
        match self.buckets.iter_mut().find(|(bound, _)| seconds <= *bound) {
            Some((_, count)) => *count += 1,
            None => self.beyond += 1,
        }
    }

    /// Number of durations.
    pub fn count(&self) -> u64 {
        self.buckets.iter().map(|(_, count)| count).sum::<u64>() + self.beyond
    }
}
