//! What did the hardware spend? Which of its meters can be read here?
//!
//! Three ways to the same registers (RAPL), best first: the kernel's `power` PMU, powercap, the registers themselves. Each is
//! chosen by trying it, never by looking at versions or settings. An estimate stands apart, in [`model`].

mod cpu_list;
#[cfg(test)]
mod fixture;
mod meter;
pub mod model;
mod msr;
mod perf;
mod powercap;
mod presence;
mod processor;
mod reader;
#[cfg(test)]
mod tests;

use agent_core::model::energy::{CounterEvent, Domain, EnergySourceKind, Zone, ZoneReading};
use agent_core::time::MonoTime;
use agent_core::units::Watts;

use crate::clock::Clock;
use crate::host::{CpuTopology, HostRoots};
use crate::source::SourceError;

pub use meter::EnergyMeter;
pub use presence::presence;

/// One reading of a meter.
#[derive(Debug, Default)]
pub struct EnergyReading {
    /// Every counter that could be read, with the time of its own reading.
    pub zones: Vec<(MonoTime, ZoneReading)>,
    /// Counters whose energy is not known yet, though they were read: what they counted is in a later reading.
    pub withheld: Vec<ZoneReading>,
    /// Every counter that could not, and why.
    pub failures: Vec<(Zone, SourceError)>,
    /// Whether any counter has counted since the last reading.
    pub has_moved: bool,
    /// What happened to counters besides counting.
    pub events: Vec<(Zone, CounterEvent)>,
}

/// What all packages together may draw for long, as powercap states it, whatever meter is used.
pub fn power_limit(roots: &HostRoots) -> Option<Watts> {
    powercap::power_limit(roots)
}

/// What the configuration says about meters.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct EnergyOptions {
    /// More than this no counter can draw: a greater advance is a reset. `None`: four times the zone's stated limit but at least
    /// 100 W, or where none is stated 2 kW, or 10 kW for a whole platform.
    pub plausible_power: Option<Watts>,
}

impl EnergyOptions {
    /// The power beyond which a counter's advance is not believed.
    ///
    /// Four times the zone's sustained limit: turbo limits are about twice it, and the limit itself may be lowered while the
    /// agent starts (on battery) and raised later. Not below `LEAST_BOUND`, for the same reason.
    fn bound(&self, domain: Domain, limit: Option<Watts>) -> Watts {
        let by_limit = limit.map(|limit| Watts((4.0 * limit.0).max(LEAST_BOUND.0)));
        let by_domain = if domain == Domain::Psys { PLATFORM_BOUND } else { PACKAGE_BOUND };
        self.plausible_power.or(by_limit).unwrap_or(by_domain)
    }
}

/// What any zone may draw for a second: the turbo limit (PL2) of 15 W laptop processors is 64 W.
const LEAST_BOUND: Watts = Watts(100.0);

/// What a package, or the memory attached to it, may draw where nothing states a limit.
const PACKAGE_BOUND: Watts = Watts(2000.0);

/// What a whole machine may draw where nothing states a limit: several packages, accelerators, fans.
const PLATFORM_BOUND: Watts = Watts(10_000.0);

/// Opens one kind of meter. There is no meter of kind [`EnergySourceKind::Model`].
pub fn open(
    kind: EnergySourceKind,
    roots: &HostRoots,
    topology: &CpuTopology,
    options: &EnergyOptions,
    clock: &dyn Clock,
) -> Result<EnergyMeter, SourceError> {
    match kind {
        EnergySourceKind::Perf => perf::open(roots, topology, options, clock),
        EnergySourceKind::Powercap => powercap::open(roots, options, clock),
        EnergySourceKind::Msr => msr::open(roots, topology, options, clock),
        EnergySourceKind::Model => Err(SourceError::unavailable("the model is an estimate, not a meter", "")),
    }
}

/// Opens the best meter there is; else says of each why not.
pub fn open_best(
    roots: &HostRoots,
    topology: &CpuTopology,
    options: &EnergyOptions,
    clock: &dyn Clock,
) -> Result<EnergyMeter, Vec<(EnergySourceKind, SourceError)>> {
    let mut reasons = Vec::new();
    for kind in [EnergySourceKind::Perf, EnergySourceKind::Powercap, EnergySourceKind::Msr] {
        match open(kind, roots, topology, options, clock) {
            Ok(meter) => return Ok(meter),
            Err(error) => reasons.push((kind, error)),
        }
    }
    Err(reasons)
}
