//! CPU time of a window by consumer and place: the types of stage 1 for CPU time.

use crate::model::energy::Scope;
use crate::time::MonoTime;
use crate::units::{CpuTime, Ratio};

/// The place of one CPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CpuPlace {
    /// Socket.
    pub package: u32,
    /// Die within the socket.
    pub die: u32,
}

impl CpuPlace {
    /// Whether a counter of this scope covers the CPU.
    pub fn is_in(self, scope: Scope) -> bool {
        match scope {
            Scope::Package(package) => package == self.package,
            Scope::Die { package, die } => package == self.package && die == self.die,
            Scope::Platform => true,
        }
    }
}

/// A cgroup's id: in cgroup v2 the inode number of its directory, as `bpf_get_current_cgroup_id()` gives it; in the followed hierarchy
/// of cgroup v1 the same, told apart by [`CgroupId::legacy`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CgroupId(pub u64);

/// A kind of cgroup hierarchy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hierarchy {
    /// Cgroup v2, the one hierarchy of all its controllers.
    Unified,
    /// The hierarchy of cgroup v1 by which CPU time is told.
    Legacy,
}

impl CgroupId {
    /// Inode numbers are the same in every hierarchy. The kernel counts up to this bit no more than the others of the upper half, in
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

    /// The hierarchy that it is in.
    pub const fn hierarchy(self) -> Hierarchy {
        if self.is_legacy() { Hierarchy::Legacy } else { Hierarchy::Unified }
    }

    /// The inode number of its directory.
    pub const fn inode(self) -> u64 {
        self.0 & !Self::LEGACY
    }
}

/// A thread-group id in the first pid namespace: what `ps` on the host calls a pid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProcessId(pub u32);

/// The finest grain at which CPU time is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Consumer {
    /// Tasks of a cgroup; of one tracked process in it, or of everything else in it.
    Tasks {
        /// The cgroup the tasks are in, not one above it.
        cgroup: CgroupId,
        /// The tracked process, if it is one.
        process: Option<ProcessId>,
    },
    /// As [`Consumer::Tasks`], of tasks that are in a cgroup of cgroup v2 and in one of cgroup v1, neither of them a root. It is not
    /// told yet which of the two says what the tasks are.
    InBoth {
        /// The cgroup in cgroup v2.
        unified: CgroupId,
        /// The cgroup in cgroup v1.
        legacy: CgroupId,
        /// The tracked process, if it is one.
        process: Option<ProcessId>,
    },
    /// Kernel threads.
    Kernel,
    /// Nobody knows: time that found no room in the accounting map, or that the fallback cannot tell apart.
    Unknown,
}

impl Consumer {
    /// The cgroups that the tasks are in.
    pub fn cgroups(self) -> impl Iterator<Item = CgroupId> {
        let cgroups = match self {
            Self::Tasks { cgroup, .. } => [Some(cgroup), None],
            Self::InBoth { unified, legacy, .. } => [Some(unified), Some(legacy)],
            Self::Kernel | Self::Unknown => [None, None],
        };
        cgroups.into_iter().flatten()
    }

    /// The tracked process, if it is one.
    pub fn process(self) -> Option<ProcessId> {
        match self {
            Self::Tasks { process, .. } | Self::InBoth { process, .. } => process,
            Self::Kernel | Self::Unknown => None,
        }
    }
}

/// CPU time of one consumer in one place during a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usage {
    /// Who.
    pub consumer: Consumer,
    /// Index into [`CpuWindow::places`].
    pub place: usize,
    /// How long, summed over the CPUs of the place.
    pub busy: CpuTime,
}

/// What the CPUs of one place did during a window.
///
/// **Invariant:** `elapsed = idle + Σ usage in this place`, exactly when the kernel counted it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PlaceWindow {
    /// Where.
    pub place: CpuPlace,
    /// CPUs in the place that were on line.
    pub cpus: u32,
    /// Time that passed, summed over CPUs.
    pub elapsed: CpuTime,
    /// Of it, time in the idle task.
    pub idle: CpuTime,
}

impl PlaceWindow {
    /// Time not idle.
    pub fn busy(&self) -> CpuTime {
        self.elapsed.saturating_sub(self.idle)
    }

    /// Busy share of the time that passed; `None` when none passed.
    pub fn utilisation(&self) -> Option<Ratio> {
        self.busy().share_of(self.elapsed)
    }
}

/// Everything known about CPU time between two readings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CpuWindow {
    /// When the earlier reading was taken.
    pub start: MonoTime,
    /// When the later one was.
    pub end: MonoTime,
    /// The places, ascending.
    pub places: Vec<PlaceWindow>,
    /// Who ran; no entry with zero time.
    pub usage: Vec<Usage>,
}

impl CpuWindow {
    /// The same time, when it cannot be told whose it was.
    #[must_use]
    pub fn of_nobody(mut self) -> Self {
        let busy = |(place, window): (usize, &PlaceWindow)| Usage {
            consumer: Consumer::Unknown,
            place,
            busy: window.busy(),
        };
        let usage = self.places.iter().enumerate().map(busy);
        self.usage = usage.filter(|usage| usage.busy > CpuTime::ZERO).collect();
        self
    }
}

/// Where CPU times come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CpuSourceKind {
    /// The eBPF program: exact.
    Bpf,
    /// Polling of the cgroup file system and of `/proc`: what ran and ended between two polls is only in the sums.
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
