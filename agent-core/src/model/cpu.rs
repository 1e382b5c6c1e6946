//! CPU time of a window by consumer and place: the types of stage 1 for CPU time.

use std::iter::Sum;
use std::ops::AddAssign;

use crate::model::energy::Scope;
use crate::time::MonoTime;
use crate::units::{CpuTime, Ratio};

/// A core of the host, by the lowest number among its CPUs (hardware threads).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CoreId(pub u32);

/// The place of one CPU, or of several with a common counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CpuPlace {
    /// Socket.
    pub package: u32,
    /// Die within the socket.
    pub die: u32,
    /// Core; `None` where cores are not distinguished, or the core is unknown.
    pub core: Option<CoreId>,
}

impl CpuPlace {
    /// A die as a whole.
    pub const fn on_die(package: u32, die: u32) -> Self {
        Self { package, die, core: None }
    }

    /// The die of the place, as a whole.
    #[must_use]
    pub const fn without_core(self) -> Self {
        Self::on_die(self.package, self.die)
    }

    /// Whether a counter of this scope covers the CPU.
    pub fn is_in(self, scope: Scope) -> bool {
        match scope {
            Scope::Package(package) => package == self.package,
            Scope::Die { package, die } => package == self.package && die == self.die,
            Scope::Platform => true,
        }
    }
}

/// A cgroup's id: in cgroup v2 the inode number of its directory, as `bpf_get_current_cgroup_id()` returns it; in the followed hierarchy
/// of cgroup v1 the same, marked by [`CgroupId::legacy`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CgroupId(pub u64);

/// A kind of cgroup hierarchy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hierarchy {
    /// Cgroup v2, the single hierarchy of all its controllers.
    Unified,
    /// The hierarchy of cgroup v1 by which CPU time is charged.
    Legacy,
}

impl CgroupId {
    /// Inode numbers are the same in every hierarchy. The kernel uses this bit last of the upper half, in
    /// which it counts how often the lower half has been used up.
    const LEGACY: u64 = 1 << 63;

    /// A cgroup of the followed hierarchy of cgroup v1, by its inode number.
    pub const fn legacy(inode: u64) -> Self {
        Self(inode | Self::LEGACY)
    }

    /// Whether it is a cgroup of cgroup v1.
    pub const fn is_legacy(self) -> bool {
        self.0 & Self::LEGACY != 0
    }

    /// The hierarchy of the cgroup.
    pub const fn hierarchy(self) -> Hierarchy {
        if self.is_legacy() { Hierarchy::Legacy } else { Hierarchy::Unified }
    }

    /// The inode number of its directory.
    pub const fn inode(self) -> u64 {
        self.0 & !Self::LEGACY
    }
}

/// A thread-group id in the first PID namespace: the pid that `ps` shows on the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProcessId(pub u32);

/// The finest unit to which CPU time is charged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Consumer {
    /// Tasks of a cgroup: those of one tracked process in it, or all others in it.
    Tasks {
        /// The cgroup the tasks are in, not one above it.
        cgroup: CgroupId,
        /// The tracked process, if any.
        process: Option<ProcessId>,
    },
    /// As [`Consumer::Tasks`], of tasks that are in a cgroup of cgroup v2 and in one of cgroup v1, neither of them a root. Which of the two
    /// identifies the tasks is not decided yet.
    InBoth {
        /// The cgroup in cgroup v2.
        unified: CgroupId,
        /// The cgroup in cgroup v1.
        legacy: CgroupId,
        /// The tracked process, if any.
        process: Option<ProcessId>,
    },
    /// Kernel threads.
    Kernel,
    /// Unknown consumer: time without room in the accounting map, or that polling cannot divide.
    Unknown,
}

impl Consumer {
    /// The cgroups of the tasks.
    pub fn cgroups(self) -> impl Iterator<Item = CgroupId> {
        let cgroups = match self {
            Self::Tasks { cgroup, .. } => [Some(cgroup), None],
            Self::InBoth { unified, legacy, .. } => [Some(unified), Some(legacy)],
            Self::Kernel | Self::Unknown => [None, None],
        };
        cgroups.into_iter().flatten()
    }

    /// The tracked process, if any.
    pub fn process(self) -> Option<ProcessId> {
        match self {
            Self::Tasks { process, .. } | Self::InBoth { process, .. } => process,
            Self::Kernel | Self::Unknown => None,
        }
    }
}

/// Busy CPU time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BusyTime {
    /// All of it.
    pub all: CpuTime,
    /// The part of it in which the other CPU (hardware thread) of the core was busy too; 0 where that is not counted.
    pub shared: CpuTime,
}

/// Busy time without a known shared part: a core has one CPU, or the source does not count the overlap.
impl From<CpuTime> for BusyTime {
    fn from(all: CpuTime) -> Self {
        Self { all, shared: CpuTime::ZERO }
    }
}

impl AddAssign for BusyTime {
    fn add_assign(&mut self, other: Self) {
        self.all += other.all;
        self.shared += other.shared;
    }
}

impl Sum for BusyTime {
    fn sum<I: Iterator<Item = Self>>(times: I) -> Self {
        times.fold(Self::default(), |mut sum, time| {
            sum += time;
            sum
        })
    }
}

/// CPU time of one consumer in one place during a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// The consumer.
    pub consumer: Consumer,
    /// Index into [`CpuWindow::places`].
    pub place: usize,
    /// Busy time, summed over the CPUs of the place.
    pub busy: BusyTime,
}

/// CPU time of one place in a window.
///
/// **Invariant:** `elapsed = idle + Σ usage in this place`, exactly when the kernel counted it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlaceWindow {
    /// The place.
    pub place: CpuPlace,
    /// Number of CPUs on line in the place.
    pub cpus: u32,
    /// Elapsed time, summed over CPUs.
    pub elapsed: CpuTime,
    /// The part of it in the idle task.
    pub idle: CpuTime,
}

impl PlaceWindow {
    /// Time outside the idle task.
    pub fn busy(&self) -> CpuTime {
        self.elapsed.saturating_sub(self.idle)
    }

    /// Busy share of elapsed time; `None` when none has elapsed.
    pub fn utilisation(&self) -> Option<Ratio> {
        self.busy().share_of(self.elapsed)
    }
}

/// CPU time between two readings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CpuWindow {
    /// Time of the earlier reading.
    pub start: MonoTime,
    /// Time of the later reading.
    pub end: MonoTime,
    /// The places, ascending.
    pub places: Vec<PlaceWindow>,
    /// CPU time of each consumer; no entry with zero time.
    pub usage: Vec<Usage>,
}

impl CpuWindow {
    /// The same time, all of it of an unknown consumer.
    #[must_use]
    pub fn without_claimants(mut self) -> Self {
        let busy = |(place, window): (usize, &PlaceWindow)| Usage {
            consumer: Consumer::Unknown,
            place,
            busy: window.busy().into(),
        };
        let usage = self.places.iter().enumerate().map(busy);
        self.usage = usage.filter(|usage| usage.busy.all > CpuTime::ZERO).collect();
        self
    }
}

/// Source of CPU times.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CpuSourceKind {
    /// The eBPF program: exact.
    Bpf,
    /// Polling of the cgroup file system and of `/proc`: a task that starts and ends between two polls is only in the sums.
    Cgroupfs,
}

impl CpuSourceKind {
    /// As the `cpu_source` label and the configuration value.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bpf => "bpf",
            Self::Cgroupfs => "cgroupfs",
        }
    }
}
