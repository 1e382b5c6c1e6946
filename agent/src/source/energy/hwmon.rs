//! Reads energy sensors of hardware monitors (`<sys>/class/hwmon/hwmonN/energyN_input`, in microjoules:
//! <https://docs.kernel.org/hwmon/sysfs-interface.html>).
//!
//! A sensor is used where its driver tells what it counts. Sensors of power (`powerN_input`) are samples, not counters: the energy
//! between two samples is not known, so they are left out and named.

#[cfg(test)]
mod tests;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use agent_core::cpu::topology::CpuTopology;
use agent_core::energy::counter::EnergyCounter;
use agent_core::energy::unit::EnergyUnit;
use agent_core::model::cpu::CoreId;
use agent_core::model::energy::{Domain, EnergySourceKind, Scope, Zone};
use agent_core::units::MicroJoules;

use super::energy_file::EnergyFile;
use super::meter::{Part, ZoneMeter, add_part};
use super::{EnergyMeter, Place};
use crate::source::SourceError;

/// Sensors do not tell their step. This is the coarsest of the registers below them: 2⁻¹⁴ J.
const STEP: MicroJoules = MicroJoules(61);

/// The ABI has 64 bits.
const MODULUS: u128 = 1 << 64;

/// A sensor, by its driver and label.
#[derive(Debug)]
struct Sensor {
    input: PathBuf,
    driver: String,
    label: String,
}

/// Opens every energy sensor of which it is known what it counts.
pub(super) fn open(place: &Place<'_>) -> Result<EnergyMeter, SourceError> {
    let Place { roots, topology, options, clock } = *place;
    let class = roots.sys.join("class/hwmon");
    let found = find(&class)?;
    let mut zones: Vec<ZoneMeter> = Vec::new();
    let mut notes = found.notes;
    for sensor in found.sensors {
        let Some((zone, core)) = zone(&sensor.driver, &sensor.label, topology) else {
            notes.push(format!(
                "{} of {} ({:?}) is left out: its meaning is not known",
                sensor.input.display(),
                sensor.driver,
                sensor.label
            ));
            continue;
        };
        let part = Part {
            raw: Box::new(EnergyFile::new(sensor.input, roots.has_own_sysfs())),
            counter: EnergyCounter::new(
                EnergyUnit::MICROJOULE,
                Some(MODULUS),
                options.bound(zone.domain, None),
            ),
            core,
        };
        add_part(&mut zones, zone, STEP, part);
    }
    if zones.is_empty() {
        let why = if notes.is_empty() { String::new() } else { format!(": {}", notes.join("; ")) };
        let what = format!("{} has no energy sensor of a processor or a platform{why}", class.display());
        return Err(SourceError::unavailable(what, ""));
    }
    EnergyMeter::start(EnergySourceKind::Hwmon, zones, notes, clock)
}

/// What a sensor counts, and the core that it counts alone.
///
/// * `amd_energy`: `EsocketN` is a package (<https://docs.kernel.org/6.1/hwmon/amd_energy.html>); `EcoreNNN` is the core of the CPU with
///   this number (`amd_energy_read()`, <https://github.com/amd/amd_energy>), known while the CPU is on line.
/// * `ibmaem`: a platform (<https://docs.kernel.org/hwmon/ibmaem.html>).
/// * `ibmpowernv`: `System` is a platform (<https://docs.kernel.org/hwmon/ibmpowernv.html>).
fn zone(driver: &str, label: &str, topology: &CpuTopology) -> Option<(Zone, Option<CoreId>)> {
    let platform = Some((Zone { domain: Domain::Psys, scope: Scope::Platform }, None));
    match driver {
        "amd_energy" => {
            if let Some(core) = label.strip_prefix("Ecore") {
                let cpu = core.parse().ok().filter(|cpu| topology.has_place(*cpu))?;
                let place = topology.place(cpu);
                let zone = Zone { domain: Domain::Core, scope: Scope::Package(place.package) };
                return Some((zone, Some(place.core?)));
            }
            let package = label.strip_prefix("Esocket")?.parse().ok()?;
            Some((Zone { domain: Domain::Package, scope: Scope::Package(package) }, None))
        }
        "ibmpowernv" if label == "System" => platform,
        // `aem0`, `aem1`: instances of one driver.
        _ if driver
            .strip_prefix("aem")
            .is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit())) =>
        {
            platform
        }
        _ => None,
    }
}

/// Energy sensors in the class folder, and notes about other files.
struct Sensors {
    sensors: Vec<Sensor>,
    notes: Vec<String>,
}

fn find(class: &Path) -> Result<Sensors, SourceError> {
    let mut found = Sensors { sensors: Vec::new(), notes: Vec::new() };
    for device in list(class)? {
        // A monitor that goes while it is looked at has no sensors.
        let Ok(files) = list(&device) else { continue };
        let Ok(driver) = text(&device.join("name")) else { continue };
        for file in files {
            let Some(name) = file.file_name().and_then(|name| name.to_str()) else { continue };
            if let Some(sensor) = name.strip_suffix("_input").filter(|name| is_sensor(name, "energy")) {
                let label = text(&device.join(format!("{sensor}_label"))).unwrap_or_default();
                found.sensors.push(Sensor { input: file, driver: driver.clone(), label });
            } else if name.strip_suffix("_input").is_some_and(|name| is_sensor(name, "power")) {
                found
                    .notes
                    .push(format!("{} of {driver} samples power and counts no energy", file.display()));
            }
        }
    }
    Ok(found)
}

fn is_sensor(name: &str, kind: &str) -> bool {
    name.strip_prefix(kind).is_some_and(|number| number.parse::<u32>().is_ok())
}

/// The entries of a folder, in the order of their names.
fn list(folder: &Path) -> Result<Vec<PathBuf>, SourceError> {
    let entries = fs::read_dir(folder).and_then(Iterator::collect::<io::Result<Vec<_>>>);
    let mut paths: Vec<PathBuf> = match entries {
        Ok(entries) => entries.into_iter().map(|entry| entry.path()).collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let what = format!("{} is missing: the kernel has no hardware monitors", folder.display());
            return Err(SourceError::unavailable(what, ""));
        }
        Err(error) => return Err(SourceError::transient(format!("list {}", folder.display()), error)),
    };
    paths.sort_unstable();
    Ok(paths)
}

/// One line of a small file.
fn text(path: &Path) -> io::Result<String> {
    fs::read_to_string(path).map(|text| text.trim().to_owned())
}
