//! The snapshot: all figures as of one tick. Immutable: readers share it and never wait for the next one.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::model::account::Account;
use crate::model::cpu::CpuSourceKind;
use crate::model::energy::{EnergySourceKind, Zone};
use crate::model::finding::Finding;
use crate::model::group::{CLASS_LABELS, GroupSnapshot};
use crate::model::health::{DurationHistogram, Kept, MeterHealth, ProcessUse, SourceHealth};
use crate::model::joined::{Joined, TranscodeFigures};
use crate::model::key::{FallbackReason, SplitKey};
use crate::model::prices::UnitPrices;
use crate::model::progress::{PostCounts, Progress};
use crate::model::transcode::{Observation, Output, ProcessEnd, SeenOutput, TranscodeIdentity};
use crate::model::workload::Identity;
use crate::time::{MonoTime, WallTime};
use crate::units::{Bytes, CpuTime, MicroJoules, Ratio, Watts};

/// State of the agent after one tick.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Number of ticks so far.
    pub tick: u64,
    /// Time of the tick.
    pub at: MonoTime,
    /// The same time on the wall clock.
    pub wall: WallTime,
    /// Length of the tick's window.
    pub window: Duration,
    /// The host.
    pub host: HostSnapshot,
    /// Sources of the figures, and the policy of attribution.
    pub method: Method,
    /// Every energy counter.
    pub zones: Vec<ZoneSnapshot>,
    /// Number of windows that were split by CPU time although the energy of each core is counted, by reason; empty where it is not.
    pub fallbacks: Vec<(FallbackReason, u64)>,
    /// Every workload that has series of its own, and the pseudo-workloads, `(other)` included.
    pub workloads: Vec<WorkloadSnapshot>,
    /// Every transcode that has series of its own.
    pub transcodes: Vec<TranscodeSnapshot>,
    /// Transcodes beyond the configured number, together.
    pub other_transcodes: Account,
    /// Classes of transcodes since the agent began, `(other)` included.
    pub classes: Vec<GroupSnapshot<{ CLASS_LABELS.len() }>>,
    /// Namespaces of workloads since the agent began, `(other)` included.
    pub namespaces: Vec<GroupSnapshot<1>>,
    /// Numbers of workloads and transcodes beyond the configured number.
    pub beyond_limit: (usize, usize),
    /// Totals of the series that have disappeared.
    pub ended: EndedSnapshot,
    /// The time at which the totals of the host were 0.
    pub created: WallTime,
    /// Numbers of kept entries, by kind.
    pub kept: BTreeMap<&'static str, Kept>,
    /// The last run's scenarios.
    pub joined: Arc<Joined>,
    /// Prices of energy and of busy CPUs.
    pub prices: UnitPrices,
    /// The container engine.
    pub engine: Option<EngineUse>,
    /// Progress connections.
    pub posts: PostCounts,
    /// Health of sources, by name.
    pub sources: BTreeMap<&'static str, SourceHealth>,
    /// Missing, estimated or doubtful figures, by code and subject.
    pub findings: Vec<Finding>,
    /// The CPU meter's losses and cost.
    pub meter: MeterHealth,
    /// The agent's own process.
    pub process: ProcessUse,
    /// Durations of ticks.
    pub ticks: DurationHistogram,
    /// Ticks that were due while the agent could not run (stopped, starved, asleep).
    pub missed_ticks: u64,
}

impl Snapshot {
    /// Whether the energy of the host is known: that of every counter of the total is. Counters of parts are not sufficient.
    pub fn has_energy(&self) -> bool {
        let mut counting = self.counting().peekable();
        counting.peek().is_some() && counting.all(|zone| !zone.by_source.is_empty())
    }

    /// Counters whose energy is known, each with its index in accounts.
    pub fn known_zones(&self) -> impl Iterator<Item = (usize, &ZoneSnapshot)> {
        self.zones.iter().enumerate().filter(|(_, zone)| !zone.by_source.is_empty())
    }

    /// Whether the energy of some counter of the total is known, now or in an earlier source.
    pub fn has_had_energy(&self) -> bool {
        self.known_zones().any(|(_, zone)| zone.counts)
    }

    /// Whether a counter, by its index in accounts, counts towards a total.
    pub fn counts(&self, zone: usize) -> bool {
        self.zones.get(zone).is_some_and(|zone| zone.counts)
    }

    /// Energy of an account in the domains that add up.
    pub fn energy_of(&self, account: &Account) -> MicroJoules {
        account.energy(|zone| self.counts(zone))
    }

    /// The counters that the host's total consists of now.
    fn counting(&self) -> impl Iterator<Item = &ZoneSnapshot> {
        self.zones.iter().filter(|zone| zone.counts && zone.is_followed)
    }

    /// Power of the host in the last tick; `None` where that of a counter of the total is unknown.
    pub fn host_power(&self) -> Option<Watts> {
        let mut counting = self.counting().peekable();
        counting.peek()?;
        let powers: Option<Vec<Watts>> = counting.map(|zone| zone.power).collect();
        Some(Watts(powers?.iter().map(|power| power.0).sum()))
    }

    /// The part of the host's power for `energy` of the last tick's. A counter that had stood still gives the energy of several
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

/// Figures of the host.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HostSnapshot {
    /// CPUs on line in the last window.
    pub cpus: u32,
    /// Busy share of the last window.
    pub utilisation: Option<Ratio>,
    /// Installed memory.
    pub memory: Option<Bytes>,
    /// Highest sustained power of all packages together.
    pub power_limit: Option<Watts>,
    /// Running containers of Docker and Podman, those without series of their own included.
    pub containers: u64,
    /// CPU time of these containers in the last window.
    pub containers_cpu: CpuTime,
}

/// Sources of the figures, and the policy of attribution.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Method {
    /// Source of CPU times.
    pub cpu_source: CpuSourceKind,
    /// Source of energy; `None` when there is none.
    pub energy_source: Option<EnergySourceKind>,
    /// Watts of the model, while energy is estimated.
    pub energy_model: Option<EnergyModel>,
    /// Name of the configured policy for idle energy.
    pub idle_policy: &'static str,
    /// Whether that policy charges workloads.
    pub idle_is_shared: bool,
}

/// Power of a virtual CPU, by which energy is estimated.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EnergyModel {
    /// Name of the processor's row, `flat`, or `configured`.
    pub cpu: &'static str,
    /// Origin of the watts.
    pub source: &'static str,
    /// Power of an idle virtual CPU.
    pub idle: Watts,
    /// Power of a busy virtual CPU.
    pub busy: Watts,
}

/// Figures of one energy counter.
#[derive(Clone, Debug, PartialEq)]
pub struct ZoneSnapshot {
    /// The zone.
    pub zone: Zone,
    /// Energy since the agent began.
    pub total: MicroJoules,
    /// Energy since the agent began, by source; empty while the counter has never been read, or has never moved as its whole source.
    pub by_source: Vec<(EnergySourceKind, MicroJoules)>,
    /// Mean power of the last tick; `None` where the energy of the tick is unknown.
    pub power: Option<Watts>,
    /// Power without running tasks, and its origin.
    pub idle_power: Option<IdlePower>,
    /// The key by which energy above idle is split.
    pub key: SplitKey,
    /// Host total minus the sum of all accounts, in microjoules.
    pub residual: i128,
    /// Number of times the counter wrapped.
    pub wraps: u64,
    /// Number of times the counter was set back or jumped, so that a window's energy was unknown.
    pub resets: u64,
    /// Whether it counts towards a total: zones that count never contain one another.
    pub counts: bool,
    /// Whether the source in use has the counter.
    pub is_followed: bool,
}

/// Power of a zone without running tasks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct IdlePower {
    /// Power.
    pub power: Watts,
    /// Origin of the figure.
    pub origin: IdleOrigin,
    /// Standard error of the power, where known.
    pub standard_error: Option<Watts>,
}

/// Origin of a zone's idle power: the first of these that exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum IdleOrigin {
    /// Configured by the user.
    Configured,
    /// Measured by `ffwatt calibrate`.
    Calibrated,
    /// Observed on a quiet host.
    Learned,
    /// Estimated on a busy host, by regression of power on utilisation.
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
    /// Totals of workloads: together with those of the shown workloads they are the host's.
    pub workloads: Account,
    /// Totals of transcodes.
    pub transcodes: Account,
}

/// Figures of one workload.
#[derive(Clone, Debug, PartialEq)]
pub struct WorkloadSnapshot {
    /// Identity of the workload.
    pub identity: Identity,
    /// All charges.
    pub account: Account,
    /// The present series.
    pub series: SeriesSnapshot,
    /// Whether the workload still exists.
    pub running: bool,
    /// Observed start and end. All charges lie between them.
    pub life: (Option<WallTime>, Option<WallTime>),
    /// Memory use and limit.
    pub memory: Option<MemoryUse>,
}

/// Begin of the present counters of a workload or transcode.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SeriesSnapshot {
    /// The time at which they were 0.
    pub created: WallTime,
    /// Charges under former labels, which are not in the present counters.
    pub earlier: Account,
}

/// Memory of a workload, without page cache that can be dropped at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryUse {
    /// Memory in use.
    pub used: Bytes,
    /// Limit; `None` without one.
    pub limit: Option<Bytes>,
}

/// Figures of one transcode.
#[derive(Clone, Debug, PartialEq)]
pub struct TranscodeSnapshot {
    /// Identity of the transcode.
    pub identity: TranscodeIdentity,
    /// The workload it runs in.
    pub workload: Identity,
    /// All charges; a part of the workload's.
    pub account: Account,
    /// The present series.
    pub series: SeriesSnapshot,
    /// Start of the transcode.
    pub started: WallTime,
    /// End of the transcode.
    pub ended: Option<WallTime>,
    /// Exit status and stop signal, where the kernel reports them.
    pub exit: Option<ProcessEnd>,
    /// Progress, as posted; `None` where it does not post.
    pub progress: Option<Progress>,
    /// Output, as far as it is known.
    pub output: Output,
    /// The observed part of its life.
    pub observation: Observation,
    /// Output while it was observed, over all runs of the agent.
    pub seen: SeenOutput,
    /// Cost of that output; `None` where energy is unknown.
    pub figures: Option<TranscodeFigures>,
}

impl TranscodeSnapshot {
    /// Energy, in the domains that add up, and CPU time over all runs of the agent. `snapshot` has this transcode.
    pub fn total(&self, snapshot: &Snapshot) -> (MicroJoules, CpuTime) {
        let earlier = &self.observation.earlier;
        (snapshot.energy_of(&self.account) + earlier.energy, self.account.cpu + earlier.cpu)
    }
}

/// The container engine's own process.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EngineUse {
    /// CPUs in use in the last window: 1 is one whole CPU.
    pub cpus: Option<Ratio>,
    /// Resident memory.
    pub resident: Bytes,
}

/// A snapshot that all readers share.
pub type SharedSnapshot = Arc<Snapshot>;
