//! Finds the domain and package of a zone folder from its name.
//!
//! The `name` file gives the domain, the parent's `name` file the package. Names are those of `rapl_domain_names` and
//! `rapl_add_package_cpuslocked()`, `drivers/powercap/intel_rapl_common.c`.

use std::fs;
use std::path::PathBuf;

use agent_core::energy::processor::Processor;
use agent_core::model::energy::{Domain, Scope, Zone};

use super::super::processor::EnergyCounters;
use super::tree::{CONTROL_TYPES, Folders};

/// A zone folder with a known domain and scope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NamedZone {
    pub(super) zone: Zone,
    pub(super) folder: PathBuf,
}

/// Finds the zones of folders; also returns notes about folders that were not recognised, or left out.
pub(super) fn name(folders: &Folders, processor: Processor) -> (Vec<NamedZone>, Vec<String>) {
    let mut named: Vec<NamedZone> = Vec::new();
    let mut notes = Vec::new();
    for control_type in CONTROL_TYPES {
        let before = named.len();
        for (id, folder) in folders.zones.iter().filter(|(id, _)| id.split(':').next() == Some(control_type))
        {
            let zone = match understand(id, folders, processor) {
                Ok(zone) => zone,
                Err(note) => {
                    notes.push(note);
                    continue;
                }
            };
            // Each platform of a partitioned machine has its own `psys`; a second zone of any other kind is a duplicate.
            let known = named.iter().position(|known| known.zone == zone);
            match known {
                Some(known) if known < before || zone.domain != Domain::Psys => {
                    notes.push(format!("{id} repeats {zone}, left out"));
                }
                _ => named.push(NamedZone { zone, folder: folder.clone() }),
            }
        }
    }
    (named, notes)
}

/// The zone of a folder, or the reason why there is none.
fn understand(id: &str, folders: &Folders, processor: Processor) -> Result<Zone, String> {
    let name = read_name(id, folders).ok_or_else(|| format!("{id} has no name, left out"))?;
    if name == "psys" || name.starts_with("psys-") {
        return Ok(Zone { scope: Scope::Platform, domain: Domain::Psys });
    }
    if let Some(scope) = package(&name, processor) {
        return Ok(Zone { scope, domain: Domain::Package });
    }
    let domain = part(&name).ok_or_else(|| format!("the name of {id} is not known, left out"))?;
    let scope = id
        .rsplit_once(':')
        .and_then(|(parent, _)| package(&read_name(parent, folders)?, processor))
        .ok_or_else(|| format!("{id} is a part ({}), but is in no package, left out", domain.name()))?;
    // The driver reads MSR_AMD_CORE_ENERGY_STATUS of a single CPU there (`rapl_msr_priv_amd`, `intel_rapl_msr.c`).
    if domain == Domain::Core && processor.counts_by_package() {
        return Err(format!("{id} counts one core of many on AMD, left out"));
    }
    Ok(Zone { scope, domain })
}

fn read_name(id: &str, folders: &Folders) -> Option<String> {
    let text = fs::read_to_string(folders.zones.get(id)?.join("name")).ok()?;
    Some(text.trim().to_owned())
}

/// `package-0` or `package-0-die-1`. Kernels that take the dies of AMD packages for counters list the package once for each die
/// (before `rapl_msrs_are_pkg_scope()` came).
fn package(name: &str, processor: Processor) -> Option<Scope> {
    let numbers = name.strip_prefix("package-")?;
    let Some((package, die)) = numbers.split_once("-die-") else {
        return Some(Scope::Package(numbers.parse().ok()?));
    };
    let (package, die) = (package.parse().ok()?, die.parse().ok()?);
    Some(if processor.counts_by_package() { Scope::Package(package) } else { Scope::Die { package, die } })
}

/// A part of a package, or the memory beside it.
fn part(name: &str) -> Option<Domain> {
    [Domain::Core, Domain::Uncore, Domain::Dram].into_iter().find(|domain| domain.name() == name)
}
