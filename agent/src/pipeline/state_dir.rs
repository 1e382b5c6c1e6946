//! Keeps idle power, learned and calibrated, over restarts.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use agent_core::attribution::idle::{DAYS, DailyLows};
use agent_core::model::energy::{Domain, Scope, Zone};
use agent_core::units::Watts;
use rustix::fs::{Access, AtFlags, CWD, accessat};
use serde::{Deserialize, Serialize};

use crate::error::chain;
use crate::files;
use crate::host::{HostRoots, KernelFileSystem};

mod calibration;
#[cfg(test)]
mod tests;

pub(super) use calibration::{CalibratedIdle, CalibrationVersion};

const IDLE_FILE: &str = "idle.json";

/// Version 1 did not have this number, and kept wrong figures from a counter's reset for ever. Version 2 has figures of hosts on which only
/// the integrated GPU worked.
const VERSION: u32 = 3;

/// The stored file.
#[derive(Debug, Serialize, Deserialize)]
struct IdleFile {
    version: u32,
    machine: Machine,
    learned: Vec<IdleZone>,
}

/// The common part of all versions.
#[derive(Debug, Deserialize)]
struct Versioned {
    #[serde(default = "first_version")]
    version: u32,
}

fn first_version() -> u32 {
    1
}

/// The hardware and kernel for which figures were learned; they do not hold for others. An unreadable value is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Machine {
    processor: String,
    microcode: String,
    kernel: String,
    zones: Vec<String>,
}

impl Machine {
    fn of(roots: &HostRoots, zones: &[Zone]) -> Self {
        Self {
            processor: roots.cpu_model().unwrap_or_default(),
            microcode: roots.microcode().unwrap_or_default(),
            kernel: roots.kernel_release().unwrap_or_default(),
            zones: zones.iter().map(Zone::to_string).collect(),
        }
    }

    /// The first difference; `None` when both are equal.
    fn difference(&self, other: &Self) -> Option<&'static str> {
        let other_zones = (self.zones != other.zones).then_some("set of energy counters");
        self.other_hardware(other).or(other_zones)
    }

    /// The first difference, apart from the energy counters.
    fn other_hardware(&self, other: &Self) -> Option<&'static str> {
        let same = [
            (self.processor == other.processor, "processor"),
            (self.microcode == other.microcode, "microcode"),
            (self.kernel == other.kernel, "kernel"),
        ];
        same.into_iter().find(|(is_same, _)| !is_same).map(|(_, what)| what)
    }
}

/// A zone in a file.
#[derive(Debug, Serialize, Deserialize)]
struct ZoneName {
    domain: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    package: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    die: Option<u32>,
}

impl ZoneName {
    fn of(zone: Zone) -> Self {
        let (package, die) = match zone.scope {
            Scope::Package(package) => (Some(package), None),
            Scope::Die { package, die } => (Some(package), Some(die)),
            Scope::Platform => (None, None),
        };
        Self { domain: zone.domain.name().to_owned(), package, die }
    }

    /// `None` where there is no such domain.
    fn zone(&self) -> Option<Zone> {
        let domains = [Domain::Package, Domain::Core, Domain::Uncore, Domain::Dram, Domain::Psys];
        let domain = domains.into_iter().find(|domain| domain.name() == self.domain)?;
        let scope = match (self.package, self.die) {
            (Some(package), Some(die)) => Scope::Die { package, die },
            (Some(package), None) => Scope::Package(package),
            (None, _) => Scope::Platform,
        };
        Some(Zone { scope, domain })
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct IdleZone {
    #[serde(flatten)]
    zone: ZoneName,
    /// Lowest powers of the last days, the oldest first.
    days_watts: Vec<f64>,
    /// Lowest power of the current day.
    #[serde(skip_serializing_if = "Option::is_none")]
    today_watts: Option<f64>,
    observed_seconds: u64,
    stretches: u32,
}

/// The state folder, if any can be written.
#[derive(Debug)]
pub(super) struct StateDir {
    folder: Option<PathBuf>,
    machine: Machine,
}

impl StateDir {
    /// Opens the first of the candidates that can be made and written to, for a host with these energy counters. Without a folder the
    /// agent loses learned figures at every restart, and reports that.
    pub(super) fn open(candidates: &[PathBuf], roots: &HostRoots, zones: &[Zone]) -> Self {
        let folder = candidates.iter().find(|folder| match is_writable(folder) {
            Ok(()) => true,
            Err(error) => {
                tracing::debug!(folder = %folder.display(), %error, "not used as state folder");
                false
            }
        });
        if folder.is_none() {
            let tried: Vec<String> = candidates.iter().map(|folder| folder.display().to_string()).collect();
            tracing::warn!(
                "no state folder is writable ({}): set --state-dir; until then, the agent learns the \
                 idle power again after each restart",
                tried.join(", ")
            );
        }
        Self { folder: folder.cloned(), machine: Machine::of(roots, zones) }
    }

    /// The folder that [`Self::open`] would use, without making it.
    pub(super) fn look(candidates: &[PathBuf], roots: &HostRoots, zones: &[Zone]) -> Self {
        let folder = candidates.iter().find(|folder| could_be_written(folder));
        Self { folder: folder.cloned(), machine: Machine::of(roots, zones) }
    }

    /// Whether there is a folder.
    pub(super) fn is_there(&self) -> bool {
        self.folder.is_some()
    }

    /// Figures that were learned before on this host.
    pub(super) fn load_idle(&self) -> BTreeMap<Zone, DailyLows> {
        let Some(path) = self.folder.as_ref().map(|folder| folder.join(IDLE_FILE)) else {
            return BTreeMap::new();
        };
        let why = match read_idle(&path) {
            Ok(Some(file)) => match file.machine.difference(&self.machine) {
                None => return file.learned.iter().filter_map(parse_zone).collect(),
                Some(what) => format!("it was learned with another {what}"),
            },
            Ok(None) => "the file is of another version of ffwatt".to_owned(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return BTreeMap::new(),
            // Only the kind of the error: its text may quote a file of another program.
            Err(error) => format!("the file cannot be read ({})", error.kind()),
        };
        tracing::warn!(file = %path.display(), "the stored idle power is not used, and the agent learns it again: {why}");
        BTreeMap::new()
    }

    /// Writes the learned figures.
    pub(super) fn save_idle(&self, learned: &BTreeMap<Zone, DailyLows>) {
        let Some(folder) = &self.folder else { return };
        if learned.values().all(|lows| lows.lowest().is_none()) {
            return;
        }
        let learned = learned.iter().map(|(zone, lows)| write_zone(*zone, lows)).collect();
        let file = IdleFile { version: VERSION, machine: self.machine.clone(), learned };
        if let Err(error) = write_whole(&folder.join(IDLE_FILE), &file, None) {
            let error = chain(&error);
            tracing::warn!(folder = %folder.display(), error, "cannot store the learned idle power");
        }
    }
}

pub(crate) fn is_writable(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    // A file without a name: the folder may belong to another user, who could have put a link at any name.
    tempfile::tempfile_in(folder).map(drop)
}

/// Whether a folder could be made and written to, without doing either: by its nearest existing parent.
pub(crate) fn could_be_written(folder: &Path) -> bool {
    // The last parent of a relative path is the working directory.
    let parents =
        folder.ancestors().map(|path| if path.as_os_str().is_empty() { Path::new(".") } else { path });
    let Some(there) = parents.into_iter().find(|path| path.exists()) else { return false };
    // The kernel's own file systems do not take files of programs, which access(2) does not report to root.
    let is_kernels =
        [KernelFileSystem::Procfs, KernelFileSystem::Sysfs].iter().any(|system| system.holds(there));
    let wanted = Access::WRITE_OK | Access::EXEC_OK;
    there.is_dir() && !is_kernels && accessat(CWD, there, wanted, AtFlags::EACCESS).is_ok()
}

/// `None` for a file of another version.
fn read_idle(path: &Path) -> io::Result<Option<IdleFile>> {
    let bytes = fs::read(path)?;
    let Versioned { version } = serde_json::from_slice(&bytes).map_err(io::Error::from)?;
    if version != VERSION {
        return Ok(None);
    }
    serde_json::from_slice(&bytes).map(Some).map_err(io::Error::from)
}

fn write_whole(path: &Path, file: &impl Serialize, mode: Option<u32>) -> io::Result<()> {
    Ok(files::replace(path, &serde_json::to_vec(file)?, mode)?)
}

fn parse_zone(zone: &IdleZone) -> Option<(Zone, DailyLows)> {
    let is_power = |watts: &f64| watts.is_finite() && *watts > 0.0;
    let surplus = zone.days_watts.len().saturating_sub(DAYS);
    let days = zone.days_watts.iter().skip(surplus);
    let lows = DailyLows {
        past: days.copied().filter(is_power).map(Watts).collect(),
        today: zone.today_watts.filter(is_power).map(Watts),
        observed: Duration::from_secs(zone.observed_seconds),
        stretches: zone.stretches,
    };
    Some((zone.zone.zone()?, lows))
}

fn write_zone(zone: Zone, lows: &DailyLows) -> IdleZone {
    IdleZone {
        zone: ZoneName::of(zone),
        days_watts: lows.past.iter().map(|watts| watts.0).collect(),
        today_watts: lows.today.map(|watts| watts.0),
        observed_seconds: lows.observed.as_secs(),
        stretches: lows.stretches,
    }
}
