//! What does powercap say? (`<sys>/class/powercap`, <https://docs.kernel.org/power/powercap/powercap.html>)
//!
//! Microjoules that wrap at `max_energy_range_uj`; readable by root only since the PLATYPUS fix (CVE-2020-8694).

mod energy_file;
mod limits;
mod naming;
#[cfg(test)]
mod tests;
mod tree;

use std::io;
use std::path::Path;

use self::energy_file::EnergyFile;
use self::limits::{Limits, Range};
use self::naming::NamedZone;
use super::counter::EnergyCounter;
use super::meter::{HardwareMeter, Part, ZoneMeter};
use super::processor::Processor;
use super::unit::EnergyUnit;
use super::{EnergyMeter, EnergyOptions};
use crate::clock::Clock;
use crate::host::HostRoots;
use crate::model::energy::{Domain, EnergySourceKind, Zone};
use crate::source::SourceError;
use crate::units::Watts;

/// Opens every zone that is there.
pub(super) fn open(
    roots: &HostRoots,
    options: &EnergyOptions,
    clock: &dyn Clock,
) -> Result<Box<dyn EnergyMeter>, SourceError> {
    let class = roots.sys.join("class/powercap");
    let processor = Processor::read(roots);
    let folders = tree::find(&class).map_err(|cause| no_folder(&class, processor, cause))?;
    let (named, notes) = naming::name(&folders, processor);
    if named.is_empty() {
        return Err(no_zones(&class, &folders, processor, &notes));
    }
    let zones = zones(&named, roots.has_own_sysfs(), options);
    HardwareMeter::start(EnergySourceKind::Powercap, zones, notes, clock).map_err(explain)
}

/// What all packages together may draw for long; `None` where one of them does not say.
pub(super) fn power_limit(roots: &HostRoots) -> Option<Watts> {
    let folders = tree::find(&roots.sys.join("class/powercap")).ok()?;
    let (named, _) = naming::name(&folders, Processor::read(roots));
    let packages = named.iter().filter(|zone| zone.zone.domain == Domain::Package);
    let limits: Option<Vec<f64>> = packages.map(|zone| Some(Limits::read(&zone.folder).power?.0)).collect();
    limits.filter(|limits| !limits.is_empty()).map(|limits| Watts(limits.iter().sum()))
}

/// One meter a zone; `psys` of several platforms in one machine are its parts.
fn zones(named: &[NamedZone], is_kernels_own: bool, options: &EnergyOptions) -> Vec<ZoneMeter> {
    let limits: Vec<(Zone, Limits)> =
        named.iter().map(|zone| (zone.zone, Limits::read(&zone.folder))).collect();
    let mut zones: Vec<ZoneMeter> = Vec::new();
    for (zone, (_, limit)) in named.iter().zip(&limits) {
        let power = limit.power.or_else(|| package_power(zone.zone, &limits));
        let range = Range::new(limit.range);
        let bound = options.bound(zone.zone.domain, power);
        let part = Part {
            raw: Box::new(EnergyFile::new(zone.folder.join("energy_uj"), is_kernels_own)),
            counter: EnergyCounter::new(EnergyUnit::MICROJOULE, range.modulus, bound),
        };
        match zones.iter_mut().find(|known| known.zone == zone.zone) {
            Some(known) => known.parts.push(part),
            None => zones.push(ZoneMeter { zone: zone.zone, quantum: range.quantum, parts: vec![part] }),
        }
    }
    zones
}

/// Cores and graphics draw no more than the package they are in; memory and the platform are not in it.
fn package_power(zone: Zone, limits: &[(Zone, Limits)]) -> Option<Watts> {
    if !matches!(zone.domain, Domain::Core | Domain::Uncore) {
        return None;
    }
    let package = Zone { domain: Domain::Package, ..zone };
    limits.iter().find(|(zone, _)| *zone == package)?.1.power
}

fn no_folder(class: &Path, processor: Processor, cause: io::Error) -> SourceError {
    let path = class.display();
    match cause.kind() {
        io::ErrorKind::NotFound => {
            processor.unavailable(&format!("{path} is missing: the kernel has no powercap"), LOAD_DRIVER)
        }
        io::ErrorKind::PermissionDenied => {
            SourceError::unavailable(format!("{path} may not be listed"), MAY_READ)
        }
        _ => SourceError::transient(format!("list {path}"), cause),
    }
}

fn no_zones(class: &Path, folders: &tree::Folders, processor: Processor, notes: &[String]) -> SourceError {
    let path = class.display();
    if folders.zones.is_empty() && folders.dangling {
        return SourceError::unavailable(format!("the zones of {path} lead nowhere"), UNMASK);
    }
    if folders.zones.is_empty() {
        return processor.unavailable(&format!("{path} has no RAPL zones"), LOAD_DRIVER);
    }
    SourceError::unavailable(format!("{path} has no zone that is known: {}", notes.join("; ")), "")
}

/// A meter whose every zone is forbidden is not failing, it is lacking a permission.
fn explain(error: SourceError) -> SourceError {
    match &error {
        SourceError::Transient { cause, .. } if cause.kind() == io::ErrorKind::PermissionDenied => {
            SourceError::unavailable(error.chain(), MAY_READ)
        }
        _ => error,
    }
}

const LOAD_DRIVER: &str = "modprobe intel_rapl_msr (it serves AMD too)";

const UNMASK: &str = "container engines hide powercap: mount the host's sysfs into the container and name it with \
    --path.sysfs";

const MAY_READ: &str = "give the agent CAP_DAC_READ_SEARCH (which counts for the real sysfs only, not for --path.sysfs), or let its group read the counters by a udev rule: \
    SUBSYSTEM==\"powercap\", RUN+=\"/bin/chgrp ffwatt $sys$devpath/energy_uj\", \
    RUN+=\"/bin/chmod g+r $sys$devpath/energy_uj\"";
