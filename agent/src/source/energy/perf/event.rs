//! Opens and reads one perf event.

use std::io;

use perf_event::events::Raw;
use perf_event::{Builder, Counter};

use super::super::meter::RawCounter;
use crate::source::SourceError;

/// Event and CPU of a counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Target {
    /// Number of the PMU.
    pub(super) pmu: u32,
    /// Number of the event.
    pub(super) config: u64,
    /// The CPU. The kernel moves the event to another CPU of the same package when this one goes off line
    /// (`perf_pmu_migrate_context()`).
    pub(super) cpu: usize,
}

/// An open perf event.
pub(super) struct PerfCounter {
    target: Target,
    counter: Counter,
}

impl PerfCounter {
    /// Opens the event. It counts from here.
    pub(super) fn open(target: Target) -> io::Result<Self> {
        Ok(Self { target, counter: open(target)? })
    }
}

impl RawCounter for PerfCounter {
    fn read(&mut self) -> Result<Option<u64>, SourceError> {
        if let Ok(count) = self.counter.read() {
            return Ok(Some(count));
        }
        // An event whose PMU was unloaded stays in error. A new one begins at zero, which is counted as a reset.
        let counter = open(self.target).and_then(|mut counter| Ok((counter.read()?, counter)));
        let (count, counter) = counter.map_err(|cause| {
            let Target { pmu, config, cpu } = self.target;
            SourceError::transient(format!("read event {config:#x} of PMU {pmu} on CPU {cpu}"), cause)
        })?;
        self.counter = counter;
        Ok(Some(count))
    }
}

/// Energy PMUs count whole CPUs and refuse to leave out the kernel or the hypervisor (`PERF_PMU_CAP_NO_EXCLUDE`), which is the
/// library's default.
fn open(target: Target) -> io::Result<Counter> {
    let mut builder = Builder::new(Raw::new(target.config));
    builder.attrs_mut().type_ = target.pmu;
    builder.any_pid().one_cpu(target.cpu).exclude_kernel(false).exclude_hv(false).enabled(true).build()
}
