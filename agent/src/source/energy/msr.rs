//! Reads the energy registers themselves (`<dev>/cpu/N/msr`, msr(4)).
//!
//! 32-bit registers that wrap. Each is read on one CPU of its package or die, and on another when that CPU goes off line.

mod cores;
mod register;
mod registers;
#[cfg(test)]
mod tests;

use std::io;
use std::path::Path;

use agent_core::energy::counter::EnergyCounter;
use agent_core::energy::processor::{Processor, Vendor};
use agent_core::energy::unit::EnergyUnit;
use agent_core::model::cpu::CpuPlace;
use agent_core::model::energy::{Domain, EnergySourceKind, Scope, Zone};

use self::register::{Access, Register};
use self::registers::Layout;
use super::meter::{Part, ZoneMeter};
use super::processor::{self, EnergyCounters};
use super::{EnergyMeter, EnergyOptions, Place};
use crate::host::HostRoots;
use crate::source::SourceError;
use agent_core::cpu::topology::CpuTopology;

/// Opens all registers that count.
pub(super) fn open(place: &Place<'_>) -> Result<EnergyMeter, SourceError> {
    let layout = match processor::read(place.roots).vendor {
        Vendor::Intel => &registers::INTEL,
        Vendor::Amd => &registers::AMD,
        Vendor::Other => {
            let what = "the vendor of this processor has no known energy registers";
            return Err(SourceError::unavailable(what, ""));
        }
    };
    open_registers(layout, place)
}

/// Opens all registers of a layout that count.
fn open_registers(layout: &'static Layout, place: &Place<'_>) -> Result<EnergyMeter, SourceError> {
    let Place { roots, topology, options, clock } = *place;
    let processor = processor::read(roots);
    let (zones, notes) = (Vec::new(), Vec::new());
    let mut probe = Probe { roots, topology, options, processor, layout, has_device: false, zones, notes };
    for (scope, cpus) in scopes(topology, processor) {
        probe.add_scope(scope, &cores::online(&roots.sys, cpus))?;
    }
    if !probe.has_device {
        let what = format!("{} has no msr device", roots.dev.join("cpu").display());
        return Err(processor.unavailable(&what, "modprobe msr"));
    }
    if probe.zones.is_empty() {
        let what = "none of this processor's energy registers counts";
        return Err(processor.unavailable(what, ""));
    }
    EnergyMeter::start(EnergySourceKind::Msr, probe.zones, probe.notes, clock)
}

/// The packages with their CPUs, or where Intel's packages have several dies, the dies (`rapl_pkg_pmu_is_pkg_scope()`,
/// `arch/x86/events/rapl.c`).
fn scopes(topology: &CpuTopology, processor: Processor) -> Vec<(Scope, Vec<usize>)> {
    let places = topology.places();
    let by_package = processor.counts_by_package() || places.len() == topology.packages().len();
    let scope = |place: CpuPlace| {
        if by_package {
            Scope::Package(place.package)
        } else {
            Scope::Die { package: place.package, die: place.die }
        }
    };
    let mut scopes: Vec<Scope> = places.into_iter().map(scope).collect();
    scopes.dedup();
    let cpus = |wanted: Scope| {
        topology.cpus().filter(move |(_, place)| place.is_in(wanted)).map(|(cpu, _)| cpu).collect()
    };
    scopes.into_iter().map(|wanted| (wanted, cpus(wanted))).collect()
}

/// The search for registers that count.
struct Probe<'a> {
    roots: &'a HostRoots,
    topology: &'a CpuTopology,
    options: &'a EnergyOptions,
    processor: Processor,
    layout: &'static Layout,
    /// Whether there was any CPU with a device.
    has_device: bool,
    zones: Vec<ZoneMeter>,
    notes: Vec<String>,
}

impl Probe<'_> {
    fn add_scope(&mut self, scope: Scope, cpus: &[usize]) -> Result<(), SourceError> {
        let access = Access { folder: self.roots.dev.join("cpu"), cpus: cpus.to_vec() };
        let units = match access.read_once(self.layout.unit) {
            Ok(Some(units)) => units,
            Ok(None) => {
                self.notes.push(format!("package {scope} has no CPU with a readable register, left out"));
                return Ok(());
            }
            Err(cause) => return Err(self.no_unit(&access.folder, cause)),
        };
        self.has_device = true;
        // Bits 12:8, "Energy Status Units" (Intel SDM vol. 4, MSR_RAPL_POWER_UNIT; AMD PPR, RAPL_PWR_UNIT).
        let exponent = (units >> 8) as u32 & 0x1F;
        for (domain, register) in self.layout.package {
            self.add_zone(scope, *domain, exponent, *register, vec![access.clone()]);
        }
        if let Some(register) = self.layout.core {
            match cores::of(&self.roots.sys, cpus) {
                Some(cores) => {
                    let cores = cores.into_iter().map(|cpus| Access { cpus, ..access.clone() }).collect();
                    self.add_zone(scope, Domain::Core, exponent, register, cores);
                }
                None => self.notes.push(format!(
                    "the cores of package {scope} are left out: it is not known which CPUs share a core"
                )),
            }
        }
        Ok(())
    }

    /// Adds the zone if its registers exist and count. Registers that a processor lacks fail to be read (EIO) or read as
    /// zero, which the kernel also takes for missing (`rapl_check_domain()`, `drivers/powercap/intel_rapl_common.c`).
    fn add_zone(&mut self, scope: Scope, domain: Domain, exponent: u32, register: u64, places: Vec<Access>) {
        let scope = if domain == Domain::Psys { Scope::Platform } else { scope };
        let zone = Zone { scope, domain };
        // Every package shows the same platform; on Sapphire Rapids only one does, and others read zero.
        let known = self.zones.iter().any(|known| known.zone == zone);
        if known || !places.iter().any(|place| matches!(place.read_once(register), Ok(Some(1..)))) {
            return;
        }
        let unit = self.processor.unit(domain, exponent);
        let part = |access| self.part(access, register, unit, domain);
        let parts = places.into_iter().map(part).collect();
        self.zones.push(ZoneMeter { zone, quantum: unit.step(), parts });
    }

    fn part(&self, access: Access, register: u64, unit: EnergyUnit, domain: Domain) -> Part {
        let bound = self.options.bound(domain, None);
        let counts_one = self.layout.core == Some(register);
        let core = access.cpus.first().and_then(|cpu| self.topology.place(*cpu).core);
        Part {
            raw: Box::new(Register::new(access, register)),
            counter: EnergyCounter::new(unit, Some(registers::MODULUS), bound),
            core: core.filter(|_| counts_one),
        }
    }

    /// The error of an unreadable unit register.
    fn no_unit(&self, folder: &Path, cause: io::Error) -> SourceError {
        let path = folder.display();
        match cause.kind() {
            io::ErrorKind::PermissionDenied => SourceError::unavailable(
                format!("no permission to read the msr devices in {path}: {cause}"),
                "run the agent as root with CAP_SYS_RAWIO, or use powercap, which needs fewer rights",
            ),
            _ if register::is_not_implemented(&cause) => {
                let what = format!("this processor has no energy unit register ({:#x})", self.layout.unit);
                self.processor.unavailable(&what, "")
            }
            _ => SourceError::transient(format!("read register {:#x} in {path}", self.layout.unit), cause),
        }
    }
}
