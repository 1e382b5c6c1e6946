//! CPU time of cgroups and tracked processes since the last reading.
//!
//! Two meters implement one contract: the eBPF program (exact) and a poll of the cgroup file system (where BPF is not available).

pub(crate) mod accounts;
pub(crate) mod bpf;
pub(crate) mod btf;
pub(crate) mod cgroupfs;

use std::os::fd::BorrowedFd;

use agent_core::model::cpu::{CgroupId, Consumer, CpuSourceKind, CpuWindow, ProcessId};
use agent_core::model::health::MeterHealth;
use agent_core::model::transcode::ExitStatus;
use agent_core::time::MonoTime;

use crate::clock::Clock;
use crate::source::SourceError;

/// Something that tells who used the CPU, and what cgroups and tracked processes came and went.
pub(crate) trait CpuMeter: Send {
    /// Which meter it is.
    fn kind(&self) -> CpuSourceKind;

    /// Closes a window: everything since the last call.
    fn read(&mut self, clock: &dyn Clock) -> Result<CpuWindow, SourceError>;

    /// A descriptor that becomes readable when there are events; `None` when they only come with [`Self::read`].
    fn events_fd(&self) -> Option<BorrowedFd<'_>>;

    /// Takes the events that have come in.
    fn events(&mut self, clock: &dyn Clock) -> Vec<LifecycleEvent>;

    /// Tells a process apart from the rest of its cgroup.
    fn track(&mut self, process: ProcessId) -> Result<(), SourceError>;

    /// Stops telling it apart.
    fn untrack(&mut self, process: ProcessId) -> Result<(), SourceError>;

    /// Forgets a consumer that will not run again, to make room.
    fn forget(&mut self, consumer: Consumer);

    /// Consumers that have an entry, and take its room, until they are forgotten.
    fn consumers(&self) -> Vec<Consumer> {
        Vec::new()
    }

    /// Which of these cgroups, all of them removed, have used CPU time that [`Self::read`] has yet to tell of.
    fn with_usage(&self, _removed: &[CgroupId]) -> Vec<CgroupId> {
        Vec::new()
    }

    /// How a process is tracked now, though the event that told so may have been lost; `None` where the meter does not know.
    fn tracking(&self, _process: ProcessId) -> Option<Tracking> {
        None
    }

    /// The agent's own process.
    fn own_process(&self) -> Option<ProcessId>;

    /// What the meter cannot tell on this host; once.
    fn take_problem(&mut self) -> Option<SourceError> {
        None
    }

    /// What the meter knows of its own losses and cost.
    fn health(&self) -> MeterHealth;
}

/// How a process is charged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tracking {
    /// With the rest of its cgroup.
    Off,
    /// By itself.
    On,
    /// By itself, for the last time: it has ended.
    Ended,
}

/// Something came or went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum LifecycleEvent {
    /// A cgroup was made. Without an id its directory has to be asked; without a path the hierarchy has to be walked.
    CgroupMade {
        /// When.
        at: MonoTime,
        /// Its id, where the kernel tells.
        id: Option<CgroupId>,
        /// Its path within the hierarchy, where the kernel tells all of it.
        path: Option<String>,
    },
    /// A cgroup was removed.
    CgroupRemoved {
        /// When.
        at: MonoTime,
        /// Its id, where the kernel tells.
        id: Option<CgroupId>,
    },
    /// A tracked program was started, or a tracked process started any program.
    Exec {
        /// When.
        at: MonoTime,
        /// Its process.
        process: ProcessId,
        /// Its number in the agent's own PID namespace, where the kernel tells.
        local: Option<ProcessId>,
        /// Whether the process was tracked before: then it is the same one, with another program.
        was_tracked: bool,
        /// The cgroup it is in, in cgroup v2 where that is followed.
        cgroup: CgroupId,
        /// The cgroup that it is in besides, in cgroup v1; `None` for the root.
        legacy: Option<CgroupId>,
    },
    /// A tracked process ended.
    Exit {
        /// When.
        at: MonoTime,
        /// The process.
        process: ProcessId,
        /// How; `None` where the kernel does not tell.
        status: Option<ExitStatus>,
    },
}
