//! Reads the zones of powercap (`<sys>/class/powercap`, <https://docs.kernel.org/power/powercap/powercap.html>).
//!
//! Microjoules that wrap at `max_energy_range_uj`; readable by root only since the PLATYPUS fix (CVE-2020-8694).

mod limits;
mod naming;
#[cfg(test)]
mod tests;
mod tree;

use std::io;
use std::path::Path;

use agent_core::energy::counter::EnergyCounter;
use agent_core::energy::processor::Processor;
use agent_core::energy::unit::EnergyUnit;
use agent_core::model::energy::{Domain, EnergySourceKind, Zone};
use agent_core::units::{MicroJoules, Watts};

use self::limits::{Limits, Range};
use self::naming::NamedZone;
use super::energy_file::EnergyFile;
use super::meter::{Part, ZoneMeter, add_part};
use super::processor::{self, EnergyCounters};
use super::{EnergyMeter, EnergyOptions, Place};
use crate::host::HostRoots;
use crate::source::SourceError;

/// Opens all zones.
pub(super) fn open(place: &Place<'_>) -> Result<EnergyMeter, SourceError> {
    let Place { roots, options, clock, .. } = *place;
    let class = roots.sys.join("class/powercap");
    let processor = processor::read(roots);
    let folders = tree::find(&class).map_err(|cause| no_folder(&class, processor, cause))?;
    let (named, notes) = naming::name(&folders, processor);
    if named.is_empty() {
        return Err(no_zones(&class, &folders, processor, &notes));
    }
    let (zones, corrected) = zones(&named, processor, roots.has_own_sysfs(), options);
    let meter = EnergyMeter::start(EnergySourceKind::Powercap, zones, notes, clock).map_err(explain)?;
    Ok(meter.with_corrected(corrected))
}

/// Highest sustained power of all packages together; `None` where one of them states none.
pub(super) fn power_limit(roots: &HostRoots) -> Option<Watts> {
    let folders = tree::find(&roots.sys.join("class/powercap")).ok()?;
    let (named, _) = naming::name(&folders, processor::read(roots));
    let packages = named.iter().filter(|zone| zone.zone.domain == Domain::Package);
    let limits: Option<Vec<f64>> = packages.map(|zone| Some(Limits::read(&zone.folder).power?.0)).collect();
    limits.filter(|limits| !limits.is_empty()).map(|limits| Watts(limits.iter().sum()))
}

/// One meter for each zone; the `psys` zones of several platforms are parts of one. Also the zones whose unit the kernel has wrong, with
/// their step.
fn zones(
    named: &[NamedZone],
    processor: Processor,
    is_kernels_own: bool,
    options: &EnergyOptions,
) -> (Vec<ZoneMeter>, Vec<(Zone, MicroJoules)>) {
    let limits: Vec<(Zone, Limits)> =
        named.iter().map(|zone| (zone.zone, Limits::read(&zone.folder))).collect();
    let (mut zones, mut corrected): (Vec<ZoneMeter>, _) = (Vec::new(), Vec::new());
    for (zone, (_, limit)) in named.iter().zip(&limits) {
        let power = limit.power.or_else(|| package_power(zone.zone, &limits));
        let mut range = Range::new(limit.range);
        let mut unit = EnergyUnit::MICROJOULE;
        if let Some((right, step)) = dram_unit(zone.zone, limit.range, &limits, processor) {
            (unit, range.quantum) = (right, step);
            corrected.push((zone.zone, step));
        }
        let bound = options.bound(zone.zone.domain, power);
        let part = Part {
            raw: Box::new(EnergyFile::new(zone.folder.join("energy_uj"), is_kernels_own)),
            counter: EnergyCounter::new(unit, range.modulus, bound),
            core: None,
        };
        add_part(&mut zones, zone.zone, range.quantum, part);
    }
    (zones, corrected)
}

/// The energy of one of the kernel's microjoules, and of a step, where it takes a memory counter of general steps for one of the 15.3 µJ
/// of earlier servers (Linux
/// before commit 80275ca9e525, on Sapphire Rapids).
fn dram_unit(
    zone: Zone,
    range: Option<MicroJoules>,
    limits: &[(Zone, Limits)],
    processor: Processor,
) -> Option<(EnergyUnit, MicroJoules)> {
    if zone.domain != Domain::Dram
        || !processor.counts_memory_in_general_units()
        || range != Some(EARLIER_RANGE)
    {
        return None;
    }
    let package = Zone { domain: Domain::Package, ..zone };
    let whole = limits.iter().find(|(zone, _)| *zone == package)?.1.range?;
    (whole != EARLIER_RANGE)
        .then(|| (EnergyUnit::microjoules(whole, EARLIER_RANGE), Range::new(Some(whole)).quantum))
}

/// (2³² − 1) steps of 15.3 µJ, truncated.
const EARLIER_RANGE: MicroJoules = MicroJoules(65_712_999_613);

/// Highest power of the package for its cores and graphics; memory and the platform are not in it.
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
            SourceError::unavailable(format!("no permission to list {path}"), MAY_READ)
        }
        _ => SourceError::transient(format!("list {path}"), cause),
    }
}

fn no_zones(class: &Path, folders: &tree::Folders, processor: Processor, notes: &[String]) -> SourceError {
    let path = class.display();
    if folders.zones.is_empty() && folders.dangling {
        return SourceError::unavailable(format!("the zones of {path} are broken links"), UNMASK);
    }
    if folders.zones.is_empty() {
        return processor.unavailable(&format!("{path} has no RAPL zones"), LOAD_DRIVER);
    }
    SourceError::unavailable(format!("{path} has no known zone: {}", notes.join("; ")), "")
}

/// A meter without permission for any zone is not failing: it is unavailable.
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
