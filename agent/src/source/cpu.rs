//! Who used the CPU since the last reading?
//!
//! Two meters answer, one contract: the eBPF program (exact) and a poll of the cgroup file system (where BPF cannot be had).

pub mod accounts;
pub mod bpf;
pub mod btf;
pub mod cgroupfs;

use std::os::fd::BorrowedFd;

use crate::clock::{Clock, MonoTime};
use crate::model::cpu::{CgroupId, Consumer, CpuSourceKind, CpuWindow, ProcessId};
use crate::model::health::MeterHealth;
use crate::model::transcode::ExitStatus;
use crate::source::SourceError;

/// Something that tells who used the CPU, and what cgroups and tracked processes came and went.
pub trait CpuMeter: Send {
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

    /// The agent's own process.
    fn own_process(&self) -> Option<ProcessId>;

    /// What the meter knows of its own losses and cost.
    fn health(&self) -> MeterHealth;
}

/// Something came or went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LifecycleEvent {
    /// A cgroup was made. Without an id its directory has to be asked.
    CgroupMade {
        /// Its id, where the kernel tells.
        id: Option<CgroupId>,
        /// Its path within the hierarchy.
        path: String,
    },
    /// A cgroup was removed.
    CgroupRemoved {
        /// Its id, where the kernel tells.
        id: Option<CgroupId>,
        /// Its path within the hierarchy.
        path: String,
    },
    /// A tracked program was started.
    Exec {
        /// When.
        at: MonoTime,
        /// Its process.
        process: ProcessId,
        /// The cgroup it is in.
        cgroup: CgroupId,
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
