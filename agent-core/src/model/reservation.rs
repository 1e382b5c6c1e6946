//! CPUs of the host that are reserved for each workload: its quota and its weight.

use std::collections::BTreeMap;

use crate::model::workload::WorkloadId;
use crate::units::Ratio;

/// What is reserved for each living workload.
///
/// A workload with a CPU quota holds that many CPUs, and pays that share of the idle part; quotas above the machine's size
/// are scaled down to it. What the quotas leave is split over the others by `cpu.weight`
/// (<https://docs.kernel.org/admin-guide/cgroup-v2.html#cpu-interface-files>).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reservations {
    /// CPUs of the machine.
    pub cpus: u32,
    /// Every living workload.
    pub workloads: BTreeMap<WorkloadId, Reservation>,
}

/// What is reserved for one workload.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reservation {
    /// CPUs its quota allows (`cpu.max`); `None` without one.
    pub quota: Option<Ratio>,
    /// Its weight (`cpu.weight`), 1 to 10000; 100 is the kernel's default.
    pub weight: u32,
}

impl Default for Reservation {
    fn default() -> Self {
        Self { quota: None, weight: 100 }
    }
}
