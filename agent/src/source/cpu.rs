//! CPU time of cgroups and tracked processes since the last reading.
//!
//! Two meters implement one contract: the eBPF program (exact) and a poll of the cgroup file system (where BPF is not available).

pub(crate) mod bpf;
pub(crate) mod btf;
pub(crate) mod cgroupfs;

use std::os::fd::BorrowedFd;

use agent_core::model::cpu::{CgroupId, Consumer, CpuSourceKind, CpuWindow, ProcessId};
use agent_core::model::health::MeterHealth;
use agent_core::model::transcode::ProcessEnd;
use agent_core::time::MonoTime;

use crate::clock::Clock;
use crate::source::SourceError;

/// A source of CPU times and of life-cycle events of cgroups and tracked processes.
pub(crate) trait CpuMeter: Send {
    /// Kind of the meter.
    fn kind(&self) -> CpuSourceKind;

    /// Closes a window: all CPU time since the last call.
    fn read(&mut self, clock: &dyn Clock) -> Result<CpuWindow, SourceError>;

    /// A descriptor that becomes readable when there are events; `None` when they only come with [`Self::read`].
    fn events_fd(&self) -> Option<BorrowedFd<'_>>;

    /// Sets whether windows distinguish the cores of a die, from the next one on. A meter that cannot ignores it.
    fn separate_cores(&mut self, _by_core: bool) {}

    /// Whether the windows tell in which part of its time a consumer shared a core with another busy thread.
    fn counts_shared_cores(&self) -> bool {
        false
    }

    /// Takes the events that have arrived.
    fn events(&mut self, clock: &dyn Clock) -> Vec<LifecycleEvent>;

    /// Charges a process separately from the rest of its cgroup.
    fn track(&mut self, process: ProcessId) -> Result<(), SourceError>;

    /// Charges a process with the rest of its cgroup again.
    fn untrack(&mut self, process: ProcessId) -> Result<(), SourceError>;

    /// Drops a consumer that will not run again, to make room.
    fn forget(&mut self, consumer: Consumer);

    /// Consumers that occupy an entry until they are dropped.
    fn consumers(&self) -> Vec<Consumer> {
        Vec::new()
    }

    /// Those of these removed cgroups whose CPU time is still to come with [`Self::read`].
    fn with_usage(&self, _removed: &[CgroupId]) -> Vec<CgroupId> {
        Vec::new()
    }

    /// Present tracking of a process, even if its event was lost; `None` where the meter has no such state.
    fn tracking(&self, _process: ProcessId) -> Option<Tracking> {
        None
    }

    /// Open files of all processes that are of the device that the meter was opened for, by the meter's process numbers; `None` where it
    /// cannot list them.
    fn device_files(&mut self) -> Option<Vec<DeviceFile>> {
        None
    }

    /// The agent's own process.
    fn own_process(&self) -> Option<ProcessId>;

    /// A limitation of the meter on this host; returned once.
    fn take_problem(&mut self) -> Option<SourceError> {
        None
    }

    /// Losses and cost of the meter.
    fn health(&self) -> MeterHealth;
}

/// An open file of a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceFile {
    /// The process that has it open.
    pub process: ProcessId,
    /// Number of the file descriptor.
    pub descriptor: u32,
}

/// How a process is charged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tracking {
    /// With the rest of its cgroup.
    Off,
    /// Separately.
    On,
    /// Separately, for the last time: it has ended.
    Ended,
}

/// A life-cycle event of a cgroup or a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum LifecycleEvent {
    /// A cgroup was made. Without an id its directory has to be read; without a path the hierarchy has to be walked.
    CgroupMade {
        /// Time of the event.
        at: MonoTime,
        /// Id of the cgroup, where the kernel reports it.
        id: Option<CgroupId>,
        /// Path within the hierarchy, where the kernel reports all of it.
        path: Option<String>,
    },
    /// A cgroup was removed.
    CgroupRemoved {
        /// Time of the event.
        at: MonoTime,
        /// Id of the cgroup, where the kernel reports it.
        id: Option<CgroupId>,
    },
    /// A tracked program started, or a tracked process started any program.
    Exec {
        /// Time of the event.
        at: MonoTime,
        /// The process.
        process: ProcessId,
        /// Its number in the agent's own PID namespace, where the kernel reports it.
        local: Option<ProcessId>,
        /// Whether the process was tracked before: then it is the same one, with another program.
        was_tracked: bool,
        /// Its cgroup, in cgroup v2 where that is followed.
        cgroup: CgroupId,
        /// Its cgroup in cgroup v1, if it also has one; `None` for the root.
        legacy: Option<CgroupId>,
    },
    /// A tracked process ended.
    Exit {
        /// Time of the event.
        at: MonoTime,
        /// The process.
        process: ProcessId,
        /// Exit status and stop signal; `None` where the kernel does not report them.
        exit: Option<ProcessEnd>,
    },
}
