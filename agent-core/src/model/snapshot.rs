//! The snapshot: all figures as of one tick. Immutable: readers share it and never wait for the next one.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::model::account::Account;
use crate::model::cpu::CpuSourceKind;
use crate::model::energy::{EnergySourceKind, Zone};
use crate::model::finding::Finding;
use crate::model::health::{DurationHistogram, Kept, MeterHealth, ProcessUse, SourceHealth};
use crate::model::joined::{Joined, TranscodeFigures};
use crate::model::prices::EnergyPrice;
use crate::model::progress::{PostCounts, Progress};
use crate::model::transcode::{ExitStatus, Observation, Output, SeenOutput, TranscodeIdentity};
use crate::model::workload::Identity;
use crate::time::{MonoTime, WallTime};
use crate::units::{Bytes, CpuTime, MicroJoules, Ratio, Watts};

/// The state of the books after one tick.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Ticks so far.
    pub tick: u64,
    /// When the tick was taken.
    pub at: MonoTime,
    /// The same on the wall clock.
    pub wall: WallTime,
    /// Length of the tick's window.
    pub window: Duration,
    /// The machine.
    pub host: HostSnapshot,
    /// How things are measured and split.
    pub method: Method,
    /// Every energy counter.
    pub zones: Vec<ZoneSnapshot>,
    /// Every workload that has series of its own, and the pseudo-workloads, `(other)` included.
    pub workloads: Vec<WorkloadSnapshot>,
    /// Every transcode that has series of its own.
    pub transcodes: Vec<TranscodeSnapshot>,
    /// Transcodes beyond the configured number, together.
    pub other_transcodes: Account,
    /// How many workloads and transcodes are beyond the configured number.
    pub beyond_limit: (usize, usize),
    /// What the series had that have disappeared.
    pub ended: EndedSnapshot,
    /// When the totals of the host were 0.
    pub created: WallTime,
    /// How much is kept, by kind.
    pub kept: BTreeMap<&'static str, Kept>,
    /// The last run's scenarios.
    pub joined: Arc<Joined>,
    /// What energy costs.
    pub prices: EnergyPrice,
    /// The container engine.
    pub engine: Option<EngineUse>,
    /// Posts of progress.
    pub posts: PostCounts,
    /// Sources by name.
    pub sources: BTreeMap<&'static str, SourceHealth>,
    /// What is missing, estimated or doubtful, by code and subject.
    pub findings: Vec<Finding>,
    /// The CPU meter's losses and cost.
    pub meter: MeterHealth,
    /// The agent's own process.
    pub process: ProcessUse,
    /// How long ticks took.
    pub ticks: DurationHistogram,
    /// Ticks that were due while the agent could not run (stopped, starved, asleep).
    pub missed_ticks: u64,
}

impl Snapshot {
    /// Whether the energy of the host is known: every counter of the total has been read. The counters of parts are not the whole.
    pub fn has_energy(&self) -> bool {
        let mut counting = self.counting().peekable();
        counting.peek().is_some() && counting.all(|zone| !zone.by_source.is_empty())
    }

    /// The counters that make up the host now.
    fn counting(&self) -> impl Iterator<Item = &ZoneSnapshot> {
        self.zones.iter().filter(|zone| zone.counts && zone.is_followed)
    }

    /// Power of the host in the last tick; `None` where that of a counter of the total is not known.
    pub fn host_power(&self) -> Option<Watts> {
        let mut counting = self.counting().peekable();
        counting.peek()?;
        let powers: Option<Vec<Watts>> = counting.map(|zone| zone.power).collect();
        Some(Watts(powers?.iter().map(|power| power.0).sum()))
    }

    /// The part of the host's power that is `energy` of the last tick's. A counter that had stood still gives the energy of several
    /// ticks in one: their power is the mean.
    pub fn power_of(&self, energy: MicroJoules) -> Option<Watts> {
        let host = self.host_power()?;
        let all: MicroJoules = self.workloads.iter().map(|one| one.account.window_energy).sum();
        Some(if all == MicroJoules::ZERO {
            Watts(0.0)
        } else {
            Watts(host.0 * (energy.0 as f64 / all.0 as f64))
        })
    }
}

/// The machine.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HostSnapshot {
    /// CPUs on line in the last window.
    pub cpus: u32,
    /// Busy share of the last window.
    pub utilisation: Option<Ratio>,
    /// Installed memory.
    pub memory: Option<Bytes>,
    /// What all packages together may draw for long.
    pub power_limit: Option<Watts>,
    /// Running containers of Docker and Podman, those without series of their own included.
    pub containers: u64,
    /// Their CPU time in the last window.
    pub containers_cpu: CpuTime,
}

/// How things are measured and split.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Method {
    /// Where CPU times come from.
    pub cpu_source: CpuSourceKind,
    /// Where energy comes from; `None` when there is none.
    pub energy_source: Option<EnergySourceKind>,
    /// Who pays for the idle machine: the configured policy's name.
    pub idle_policy: &'static str,
    /// Whether that policy charges workloads at all.
    pub idle_is_shared: bool,
}

/// One energy counter.
#[derive(Clone, Debug, PartialEq)]
pub struct ZoneSnapshot {
    /// Which.
    pub zone: Zone,
    /// Energy since the agent began.
    pub total: MicroJoules,
    /// The same by where it came from; nothing while the counter has never been read.
    pub by_source: Vec<(EnergySourceKind, MicroJoules)>,
    /// Mean power of the last tick; `None` where the energy of the tick is not known.
    pub power: Option<Watts>,
    /// What it draws when nobody runs, and how that is known.
    pub idle_power: Option<IdlePower>,
    /// Host total minus the sum of all accounts, in microjoules.
    pub residual: i128,
    /// Times the counter passed its range.
    pub wraps: u64,
    /// Times the counter was set back or jumped, and a window's energy was not known.
    pub resets: u64,
    /// Whether it counts towards a total: zones that do never contain one another.
    pub counts: bool,
    /// Whether the source in use gives it.
    pub is_followed: bool,
}

/// What a zone draws when nobody runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct IdlePower {
    /// How much.
    pub power: Watts,
    /// How that is known.
    pub origin: IdleOrigin,
    /// Its standard error, where that is known.
    pub standard_error: Option<Watts>,
}

/// How the idle power of a zone is known: the first of these that there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum IdleOrigin {
    /// Given by the user.
    Configured,
    /// Measured by `ffwatt calibrate`.
    Calibrated,
    /// Seen on a quiet machine.
    Learned,
    /// Estimated on a busy machine, by regression of power on utilisation.
    Regression,
    /// A coefficient of the model.
    Model,
}

impl IdleOrigin {
    /// As the `origin` label.
    pub fn name(self) -> &'static str {
        match self {
            Self::Configured => "configured",
            Self::Calibrated => "calibrated",
            Self::Learned => "learned",
            Self::Regression => "regression",
            Self::Model => "model",
        }
    }
}

/// Sums of the series that have disappeared.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EndedSnapshot {
    /// Those of workloads: with the workloads' they are the host's.
    pub workloads: Account,
    /// Those of transcodes.
    pub transcodes: Account,
}

/// One workload.
#[derive(Clone, Debug, PartialEq)]
pub struct WorkloadSnapshot {
    /// What it is.
    pub identity: Identity,
    /// What it was charged.
    pub account: Account,
    /// Its present series.
    pub series: SeriesSnapshot,
    /// Whether it is still there.
    pub running: bool,
    /// When it was seen to begin, and when it ended: what it was charged, it was charged between the two.
    pub life: (Option<WallTime>, Option<WallTime>),
    /// Memory it uses, and the most it may.
    pub memory: Option<MemoryUse>,
}

/// Where the counters of a workload or transcode begin.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SeriesSnapshot {
    /// When they were 0.
    pub created: WallTime,
    /// What was charged under former labels, and is not in them.
    pub earlier: Account,
}

/// Memory of a workload, without page cache that can be dropped at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryUse {
    /// In use.
    pub used: Bytes,
    /// The most it may use; `None` without a limit.
    pub limit: Option<Bytes>,
}

/// One transcode.
#[derive(Clone, Debug, PartialEq)]
pub struct TranscodeSnapshot {
    /// What it is.
    pub identity: TranscodeIdentity,
    /// The workload it runs in.
    pub workload: Identity,
    /// What it was charged; part of what the workload was charged.
    pub account: Account,
    /// Its present series.
    pub series: SeriesSnapshot,
    /// When it began.
    pub started: WallTime,
    /// When it ended.
    pub ended: Option<WallTime>,
    /// How it ended, where the kernel tells.
    pub status: Option<ExitStatus>,
    /// How far it is, by its own word; `None` where it does not post.
    pub progress: Option<Progress>,
    /// What it has put out, as far as is known.
    pub output: Output,
    /// The part of its life that was observed.
    pub observation: Observation,
    /// What it has put out while it was observed, of all runs of the agent.
    pub seen: SeenOutput,
    /// What that has cost; `None` where nothing tells energy.
    pub figures: Option<TranscodeFigures>,
}

impl TranscodeSnapshot {
    /// Its energy and CPU time by all runs of the agent. `counts` tells which zones add up.
    pub fn total(&self, counts: impl Fn(usize) -> bool) -> (MicroJoules, CpuTime) {
        let earlier = &self.observation.earlier;
        (self.account.energy(counts) + earlier.energy, self.account.cpu + earlier.cpu)
    }
}

/// The container engine's own process.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EngineUse {
    /// CPUs used in the last window: 1 is one whole CPU.
    pub cpus: Option<Ratio>,
    /// Resident memory.
    pub resident: Bytes,
}

/// Shared with every reader.
pub type SharedSnapshot = Arc<Snapshot>;
