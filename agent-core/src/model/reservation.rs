//! CPUs of the host that are reserved for each workload: its quota and its weight.

use std::collections::BTreeMap;

use crate::model::workload::WorkloadId;
use crate::units::Ratio;

/// Reservations of all living workloads.
///
/// A workload with a CPU quota reserves that many CPUs, and is charged that share of the idle part; quotas above the host's number of CPUs
/// are scaled down to it. The remaining CPUs are split over the other workloads by `cpu.weight`
/// (<https://docs.kernel.org/admin-guide/cgroup-v2.html#cpu-interface-files>).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reservations {
    /// Number of CPUs of the host.
    pub cpus: u32,
    /// All living workloads.
    pub workloads: BTreeMap<WorkloadId, Reservation>,
}

/// Reservation of one workload.
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
