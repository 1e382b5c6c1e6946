//! Opens and reads the energy counters of the host.
//!
//! Three ways to the same registers (RAPL), best first: the kernel's `power` PMU, powercap, the registers themselves; then sensors of
//! hardware monitors. Each is tested by opening it, never by versions or settings. The estimate is separate, in [`model`].

mod cpu_list;
mod energy_file;
#[cfg(test)]
pub(crate) mod fixture;
mod hwmon;
mod meter;
pub(crate) mod model;
mod msr;
mod perf;
mod powercap;
mod presence;
mod processor;
mod reader;
#[cfg(test)]
pub(crate) mod scripted;
#[cfg(test)]
mod tests;

use std::thread;
use std::time::Duration;

use agent_core::energy::processor::Processor;
use agent_core::model::energy::{CoreReading, CounterEvent, Domain, EnergySourceKind, Zone, ZoneReading};
use agent_core::time::MonoTime;
use agent_core::units::Watts;

use crate::clock::Clock;
use crate::host::{self, HostRoots, KernelFileSystem};
use crate::source::SourceError;
use agent_core::cpu::topology::CpuTopology;

pub(crate) use meter::EnergyMeter;

/// One reading of a meter.
#[derive(Debug, Default)]
pub(crate) struct EnergyReading {
    /// Every counter that could be read, with the time of its own reading.
    pub zones: Vec<(MonoTime, ZoneReading)>,
    /// Counters whose energy is not known yet, though they were read: their energy is in a later reading.
    pub withheld: Vec<ZoneReading>,
    /// Every core with a counter of its own, as of the reading of its zone.
    pub cores: Vec<CoreReading>,
    /// Every counter that could not be read, with the error.
    pub failures: Vec<(Zone, SourceError)>,
    /// Whether any counter has counted since the last reading.
    pub has_moved: bool,
    /// Discontinuities of counters.
    pub events: Vec<(Zone, CounterEvent)>,
}

/// Highest sustained power of all packages together, from powercap, whatever meter is used.
pub(crate) fn power_limit(roots: &HostRoots) -> Option<Watts> {
    powercap::power_limit(roots)
}

/// Configured options of meters.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct EnergyOptions {
    /// Highest plausible power of a counter: a larger advance is a reset. `None`: four times the zone's stated limit but at least
    /// 100 W, or where none is stated 2 kW, or 10 kW for a whole platform.
    pub plausible_power: Option<Watts>,
}

impl EnergyOptions {
    /// The power beyond which a counter's advance is not plausible.
    ///
    /// Four times the zone's sustained limit: turbo limits are about twice it, and the limit itself may be lowered while the
    /// agent starts (on battery) and raised later. Not below `LEAST_BOUND`, for the same reason.
    fn bound(&self, domain: Domain, limit: Option<Watts>) -> Watts {
        let by_limit = limit.map(|limit| Watts((4.0 * limit.0).max(LEAST_BOUND.0)));
        let by_domain = if domain == Domain::Psys { PLATFORM_BOUND } else { PACKAGE_BOUND };
        self.plausible_power.or(by_limit).unwrap_or(by_domain)
    }
}

/// Highest power of any zone for a second: the turbo limit (PL2) of 15 W laptop processors is 64 W.
const LEAST_BOUND: Watts = Watts(100.0);

/// Highest power of a package, or of the memory attached to it, without a stated limit.
const PACKAGE_BOUND: Watts = Watts(2000.0);

/// Highest power of a whole machine without a stated limit: several packages, accelerators, fans.
const PLATFORM_BOUND: Watts = Watts(10_000.0);

/// Paths and options for opening the energy counters of a source.
pub(super) struct Place<'a> {
    roots: &'a HostRoots,
    topology: &'a CpuTopology,
    options: &'a EnergyOptions,
    clock: &'a dyn Clock,
}

#[cfg(test)]
impl EnergyOptions {
    /// The default options.
    const USUAL: Self = Self { plausible_power: None };
}

/// A source of measured energy.
struct MeterSource {
    kind: EnergySourceKind,
    open: fn(&Place<'_>) -> Result<EnergyMeter, SourceError>,
}

/// All sources. A new source has a row here, and its kind in [`EnergySourceKind`].
const SOURCES: [MeterSource; 4] = [
    MeterSource { kind: EnergySourceKind::Perf, open: perf::open },
    MeterSource { kind: EnergySourceKind::Powercap, open: powercap::open },
    MeterSource { kind: EnergySourceKind::Msr, open: msr::open },
    MeterSource { kind: EnergySourceKind::Hwmon, open: hwmon::open },
];

/// Longest wait for the first movement of a counter: counters of CPUs move every millisecond.
const MOVES_WITHIN: Duration = Duration::from_millis(100);

/// The energy counters of a host.
pub(crate) trait EnergyHardware: Send {
    /// A cheap list of the hardware: when the list changes, the sources are opened again.
    fn presence(&self) -> Vec<String>;

    /// Opens one kind of meter. There is no meter of kind [`EnergySourceKind::Model`].
    fn open(&self, kind: EnergySourceKind, clock: &dyn Clock) -> Result<EnergyMeter, SourceError>;

    /// The host's processor, by which energy is estimated.
    fn processor(&self) -> Processor;

    /// Whether the counters of a meter that was just opened move. True where that cannot be told at once.
    fn moves(&self, meter: &mut EnergyMeter, clock: &dyn Clock) -> bool;
}

/// The energy counters of this host.
#[derive(Clone, Debug)]
pub(crate) struct HostEnergy {
    roots: HostRoots,
    options: EnergyOptions,
}

impl HostEnergy {
    /// The counters at these paths, with these options.
    pub(crate) fn new(roots: HostRoots, options: EnergyOptions) -> Self {
        Self { roots, options }
    }
}

impl EnergyHardware for HostEnergy {
    fn presence(&self) -> Vec<String> {
        presence::presence(&self.roots)
    }

    fn open(&self, kind: EnergySourceKind, clock: &dyn Clock) -> Result<EnergyMeter, SourceError> {
        let Some(source) = SOURCES.iter().find(|source| source.kind == kind) else {
            return Err(SourceError::unavailable("the model is an estimate, not a meter", ""));
        };
        let topology = host::read_topology(&self.roots)
            .map_err(|cause| SourceError::transient("list the host's CPUs", cause))?;
        let place = Place { roots: &self.roots, topology: &topology, options: &self.options, clock };
        (source.open)(&place)
    }

    fn processor(&self) -> Processor {
        processor::read(&self.roots)
    }

    fn moves(&self, meter: &mut EnergyMeter, clock: &dyn Clock) -> bool {
        // In a tree of files nothing happens, and sensors of hardware monitors may be slow.
        if !KernelFileSystem::Sysfs.holds(&self.roots.sys) || meter.kind() == EnergySourceKind::Hwmon {
            return true;
        }
        let begun = clock.now();
        // The readings keep a CPU busy, so that an idle host draws power too.
        while clock.now().since(begun) < MOVES_WITHIN {
            if meter.read(clock).has_moved {
                return true;
            }
            thread::yield_now();
        }
        false
    }
}
