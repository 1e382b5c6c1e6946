//! Reads the energy events of the kernel's `power` PMU (`arch/x86/events/rapl.c`).
//!
//! The kernel follows the registers' wraps and gives 64 bits, so nothing can be missed between readings. Counts start when the
//! event is opened. In 2⁻³² J they last 4.3 GJ, half a year at 280 W; the reset that follows costs one reading's energy.

mod event;
mod pmu;
#[cfg(test)]
mod tests;

use std::io;

use agent_core::energy::counter::EnergyCounter;
use agent_core::energy::processor::Processor;
use agent_core::model::energy::{Domain, EnergySourceKind, Scope, Zone};
use rustix::io::Errno;

use self::event::{PerfCounter, Target};
use self::pmu::Pmu;
use super::meter::{Part, ZoneMeter, add_part};
use super::processor::{self, EnergyCounters};
use super::{EnergyMeter, EnergyOptions, Place};
use crate::source::SourceError;
use agent_core::cpu::topology::CpuTopology;

/// Opens every event on one CPU of each package, die or core.
pub(super) fn open(place: &Place<'_>) -> Result<EnergyMeter, SourceError> {
    let Place { roots, topology, options, clock } = *place;
    let processor = processor::read(roots);
    let devices = roots.sys.join("bus/event_source/devices");
    let Some(packages) = Pmu::read(&devices.join("power"))? else {
        let what = format!("{} is missing: the kernel has no energy PMU", devices.join("power").display());
        return Err(processor.unavailable(&what, "modprobe rapl"));
    };
    let mut search =
        Search { topology, options, processor, zones: Vec::new(), notes: Vec::new(), failure: None };
    for (domain, name) in PACKAGE_EVENTS {
        search.add_events(&packages, domain, name)?;
    }
    // AMD counts each core separately, in a PMU of its own (Linux 6.14 or later).
    if let Some(cores) = Pmu::read(&devices.join("power_core"))? {
        search.add_events(&cores, Domain::Core, CORE_EVENT)?;
    }
    if search.zones.is_empty() {
        let what = format!("{} has no energy event", devices.join("power").display());
        return Err(search.failure.unwrap_or_else(|| processor.unavailable(&what, "")));
    }
    EnergyMeter::start(EnergySourceKind::Perf, search.zones, search.notes, clock)
}

/// The events' names: `arch/x86/events/rapl.c`.
const PACKAGE_EVENTS: [(Domain, &str); 5] = [
    (Domain::Package, "energy-pkg"),
    (Domain::Core, "energy-cores"),
    (Domain::Uncore, "energy-gpu"),
    (Domain::Dram, "energy-ram"),
    (Domain::Psys, "energy-psys"),
];

/// The event of a core: `arch/x86/events/rapl.c`.
const CORE_EVENT: &str = "energy-core";

/// The general energy unit's exponent on most Intel processors. The PMU hides the registers' step; this is the coarsest in use.
const USUAL_EXPONENT: u32 = 14;

/// The search for events that can be opened.
struct Search<'a> {
    topology: &'a CpuTopology,
    options: &'a EnergyOptions,
    processor: Processor,
    zones: Vec<ZoneMeter>,
    notes: Vec<String>,
    /// Error of the first event that failed.
    failure: Option<SourceError>,
}

impl Search<'_> {
    /// Opens one event wherever it counts. Fails only where every other event would fail too.
    fn add_events(&mut self, pmu: &Pmu, domain: Domain, name: &str) -> Result<(), SourceError> {
        let event = match pmu.event(name) {
            Ok(Some(event)) => event,
            Ok(None) => return Ok(()),
            Err(error) => {
                self.give_up(error);
                return Ok(());
            }
        };
        let mut incomplete = Vec::new();
        for (scope, cpu) in self.places(pmu, name) {
            let target = Target { pmu: pmu.number, config: event.config, cpu };
            let opened = match PerfCounter::open(target) {
                Ok(opened) => opened,
                Err(cause) => {
                    self.give_up(explain(name, cpu, cause)?);
                    incomplete.push(Zone { scope, domain });
                    continue;
                }
            };
            let zone = Zone { scope: if domain == Domain::Psys { Scope::Platform } else { scope }, domain };
            let counter = EnergyCounter::new(event.unit, None, self.options.bound(domain, None));
            let core = self.topology.place(cpu).core.filter(|_| name == CORE_EVENT);
            let part = Part { raw: Box::new(opened), counter, core };
            // Cores add up to their package. Platforms too: where there is one, only one package counts it and the others
            // read zero (the kernel's commit "perf/x86/rapl: Fix psys-energy event on Intel SPR platform").
            add_part(&mut self.zones, zone, self.processor.unit(domain, USUAL_EXPONENT).step(), part);
        }
        // A part of the cores is not the domain `core`.
        self.zones.retain(|zone| !incomplete.contains(&zone.zone));
        Ok(())
    }

    /// The CPUs to count on, with their scopes. A package that is listed several times is counted by die; but on AMD,
    /// where some kernels list every die for the same counter, once.
    fn places(&self, pmu: &Pmu, name: &str) -> Vec<(Scope, usize)> {
        let package = |cpu: usize| self.topology.place(cpu).package;
        let cpus = pmu.cpus.clone().unwrap_or_else(|| self.first_cpus());
        if name == CORE_EVENT {
            return cpus.into_iter().map(|cpu| (Scope::Package(package(cpu)), cpu)).collect();
        }
        let mut places: Vec<(Scope, usize)> = Vec::new();
        for cpu in &cpus {
            let place = self.topology.place(*cpu);
            let times = cpus.iter().filter(|other| package(**other) == place.package).count();
            let scope = if times == 1 || self.processor.counts_by_package() {
                Scope::Package(place.package)
            } else {
                Scope::Die { package: place.package, die: place.die }
            };
            if places.iter().all(|(known, _)| *known != scope) {
                places.push((scope, *cpu));
            }
        }
        places
    }

    fn first_cpus(&self) -> Vec<usize> {
        let first = |package: &u32| self.topology.cpus().find(|(_, place)| place.package == *package);
        self.topology.packages().iter().filter_map(first).map(|(cpu, _)| cpu).collect()
    }

    fn give_up(&mut self, error: SourceError) {
        self.notes.push(format!("{}, left out", error.chain()));
        self.failure.get_or_insert(error);
    }
}

/// The error of an event that could not be opened: its own, or (as `Err`) one that all events would have.
fn explain(name: &str, cpu: usize, cause: io::Error) -> Result<SourceError, SourceError> {
    let what = format!("the kernel does not open {name} on CPU {cpu}");
    if cause.kind() == io::ErrorKind::PermissionDenied {
        return Err(SourceError::unavailable(format!("{what}: {cause}"), MAY_COUNT));
    }
    Ok(match Errno::from_io_error(&cause) {
        Some(Errno::NOENT | Errno::NODEV | Errno::INVAL | Errno::OPNOTSUPP | Errno::NXIO) => {
            SourceError::unavailable(format!("{what}: {cause}"), "")
        }
        _ => SourceError::transient(format!("open {name} on CPU {cpu}"), cause),
    })
}

/// Debian's and Ubuntu's kernels require `CAP_SYS_ADMIN` while the setting is above 2; counting whole CPUs
/// without any capability needs 0 (`perf_allow_cpu()`, `include/linux/perf_event.h`).
const MAY_COUNT: &str = "give the agent CAP_PERFMON (CAP_SYS_ADMIN before Linux 5.8) and, on Debian and Ubuntu, \
    sysctl kernel.perf_event_paranoid=2; or give it CAP_SYS_ADMIN; or let it read powercap instead";
