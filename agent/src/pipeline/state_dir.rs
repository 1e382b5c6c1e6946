//! What survives a restart? So far: what the machine draws when nobody runs.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, AtFlags, CWD, FsWord, PROC_SUPER_MAGIC, accessat, statfs};
use serde::{Deserialize, Serialize};

use crate::host::HostRoots;
use crate::model::energy::{Domain, Scope, Zone};
use crate::units::Watts;

/// `statfs(2)`: the type of sysfs.
const SYSFS_MAGIC: FsWord = 0x6265_6572;

const IDLE_FILE: &str = "idle.json";

/// The file as written. What was learned on one processor says nothing about another.
#[derive(Debug, Serialize, Deserialize)]
struct IdleFile {
    cpu_model: String,
    zones: Vec<IdleZone>,
}

#[derive(Debug, Serialize, Deserialize)]
struct IdleZone {
    domain: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    package: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    die: Option<u32>,
    watts: f64,
}

/// The folder, if any can be written.
#[derive(Debug)]
pub(super) struct StateDir {
    folder: Option<PathBuf>,
    cpu_model: String,
}

impl StateDir {
    /// The first of the candidates that can be made and written to. Without one the agent forgets at every restart, and
    /// says so.
    pub(super) fn open(candidates: &[PathBuf], roots: &HostRoots) -> Self {
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
                "no state folder can be written ({}): set --state-dir; until then what the machine draws when \
                idle is learned again after every restart",
                tried.join(", ")
            );
        }
        Self { folder: folder.cloned(), cpu_model: roots.cpu_model().unwrap_or_default() }
    }

    /// What was learned before on this processor.
    pub(super) fn load_idle(&self) -> BTreeMap<Zone, Watts> {
        let Some(path) = self.folder.as_ref().map(|folder| folder.join(IDLE_FILE)) else {
            return BTreeMap::new();
        };
        match read_idle(&path) {
            Ok(file) if file.cpu_model == self.cpu_model => {
                file.zones.iter().filter_map(parse_zone).collect()
            }
            Ok(file) => {
                tracing::info!(
                    learned_on = file.cpu_model,
                    "idle power is learned anew: this is another processor"
                );
                BTreeMap::new()
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => BTreeMap::new(),
            Err(error) => {
                tracing::warn!(file = %path.display(), %error, "cannot read what was learned; it is learned anew");
                BTreeMap::new()
            }
        }
    }

    /// Keeps what was learned.
    pub(super) fn save_idle(&self, learned: &BTreeMap<Zone, Watts>) {
        let Some(folder) = &self.folder else { return };
        if learned.is_empty() {
            return;
        }
        let zones = learned.iter().map(|(zone, watts)| write_zone(*zone, *watts)).collect();
        let file = IdleFile { cpu_model: self.cpu_model.clone(), zones };
        if let Err(error) = write_whole(&folder.join(IDLE_FILE), &file) {
            tracing::warn!(folder = %folder.display(), %error, "cannot keep what was learned");
        }
    }
}

pub(crate) fn is_writable(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let probe = folder.join(".probe");
    fs::write(&probe, b"")?;
    fs::remove_file(probe)
}

/// Whether a folder could be made and written to, without doing either: by its nearest parent that is there.
pub(crate) fn could_be_written(folder: &Path) -> bool {
    // Of a relative path the last is the folder that the program was started in.
    let parents =
        folder.ancestors().map(|path| if path.as_os_str().is_empty() { Path::new(".") } else { path });
    let Some(there) = parents.into_iter().find(|path| path.exists()) else { return false };
    // The kernel's own file systems have no room for others' files, which access(2) does not say to root.
    let is_kernels =
        statfs(there).is_ok_and(|system| [PROC_SUPER_MAGIC, SYSFS_MAGIC].contains(&system.f_type));
    let wanted = Access::WRITE_OK | Access::EXEC_OK;
    there.is_dir() && !is_kernels && accessat(CWD, there, wanted, AtFlags::EACCESS).is_ok()
}

fn read_idle(path: &Path) -> io::Result<IdleFile> {
    serde_json::from_slice(&fs::read(path)?).map_err(io::Error::from)
}

/// A reader sees the old file or the new one, never half of one.
fn write_whole(path: &Path, file: &IdleFile) -> io::Result<()> {
    let new = path.with_extension("new");
    fs::write(&new, serde_json::to_vec(file).map_err(io::Error::from)?)?;
    fs::rename(new, path)
}

fn parse_zone(zone: &IdleZone) -> Option<(Zone, Watts)> {
    let domains = [Domain::Package, Domain::Core, Domain::Uncore, Domain::Dram, Domain::Psys];
    let domain = domains.into_iter().find(|domain| domain.name() == zone.domain)?;
    let scope = match (zone.package, zone.die) {
        (Some(package), Some(die)) => Scope::Die { package, die },
        (Some(package), None) => Scope::Package(package),
        (None, _) => Scope::Platform,
    };
    (zone.watts.is_finite() && zone.watts > 0.0).then_some((Zone { scope, domain }, Watts(zone.watts)))
}

fn write_zone(zone: Zone, watts: Watts) -> IdleZone {
    let (package, die) = match zone.scope {
        Scope::Package(package) => (Some(package), None),
        Scope::Die { package, die } => (Some(package), Some(die)),
        Scope::Platform => (None, None),
    };
    IdleZone { domain: zone.domain.name().to_owned(), package, die, watts: watts.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(model: &str) -> (tempfile::TempDir, HostRoots) {
        let proc = tempfile::tempdir().unwrap();
        fs::write(proc.path().join("cpuinfo"), format!("processor: 0\nmodel name\t: {model}\n")).unwrap();
        let roots = HostRoots { proc: proc.path().to_path_buf(), ..HostRoots::default() };
        (proc, roots)
    }

    fn learned() -> BTreeMap<Zone, Watts> {
        let zone = |scope, domain| Zone { scope, domain };
        [
            (zone(Scope::Package(0), Domain::Package), Watts(12.5)),
            (zone(Scope::Die { package: 1, die: 2 }, Domain::Core), Watts(3.0)),
            (zone(Scope::Platform, Domain::Psys), Watts(30.0)),
        ]
        .into()
    }

    #[test]
    fn what_was_learned_comes_back_on_the_same_processor_only() {
        let folder = tempfile::tempdir().unwrap();
        let (_proc, roots) = host("A");
        StateDir::open(&[folder.path().join("deep")], &roots).save_idle(&learned());
        assert_eq!(StateDir::open(&[folder.path().join("deep")], &roots).load_idle(), learned());
        let (_proc, other) = host("B");
        assert!(StateDir::open(&[folder.path().join("deep")], &other).load_idle().is_empty());
    }

    #[test]
    fn whether_a_folder_could_be_made_is_told_without_making_it() {
        let folder = tempfile::tempdir().unwrap();
        assert!(could_be_written(&folder.path().join("not/yet")));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        fs::write(folder.path().join("file"), "").unwrap();
        assert!(!could_be_written(&folder.path().join("file/below")));
        assert!(!could_be_written(Path::new("/proc/no/such/place")));
    }

    #[test]
    fn a_damaged_file_is_learned_anew() {
        let folder = tempfile::tempdir().unwrap();
        let (_proc, roots) = host("A");
        for text in ["", "{", "[]", "{\"cpu_model\":\"A\",\"zones\":[{\"domain\":\"x\",\"watts\":-1}]}"] {
            fs::write(folder.path().join(IDLE_FILE), text).unwrap();
            assert!(StateDir::open(&[folder.path().to_path_buf()], &roots).load_idle().is_empty(), "{text}");
        }
    }

    #[test]
    fn without_a_folder_nothing_is_kept_and_nothing_breaks() {
        let (_proc, roots) = host("A");
        let state = StateDir::open(&[PathBuf::from("/proc/no/such/place")], &roots);
        state.save_idle(&learned());
        assert!(state.load_idle().is_empty());
    }
}
