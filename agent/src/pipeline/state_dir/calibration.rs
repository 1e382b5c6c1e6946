//! Stores the result of `ffwatt calibrate` in a separate file.
//!
//! The agent only reads this file, so neither program overwrites the other's data.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use agent_core::attribution::idle::calibration::Calibration;
use agent_core::model::energy::Zone;
use agent_core::time::WallTime;
use agent_core::units::Watts;
use serde::{Deserialize, Serialize};

use super::{Machine, StateDir, ZoneName, write_whole};

const CALIBRATION_FILE: &str = "calibration.json";

const VERSION: u32 = 1;

#[derive(Debug, Serialize, Deserialize)]
struct CalibrationFile {
    version: u32,
    machine: Machine,
    measured_unix_seconds: f64,
    calibrated: Vec<CalibratedZone>,
}

#[derive(Debug, Serialize, Deserialize)]
struct CalibratedZone {
    #[serde(flatten)]
    zone: ZoneName,
    watts: f64,
    spread_watts: f64,
    standard_error_watts: f64,
    utilisation_ratio: f64,
    quiet_seconds: f64,
}

/// Stored idle power of a zone.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::pipeline) struct CalibratedIdle {
    pub(in crate::pipeline) power: Watts,
    pub(in crate::pipeline) standard_error: Watts,
}

/// Distinguishes versions of the file: its inode, and the time of its change. `None` where there is no file.
pub(in crate::pipeline) type CalibrationVersion = Option<(u64, i64, i64)>;

impl StateDir {
    fn calibration_file(&self) -> Option<PathBuf> {
        self.folder.as_ref().map(|folder| folder.join(CALIBRATION_FILE))
    }

    pub(in crate::pipeline) fn calibration_version(&self) -> CalibrationVersion {
        let metadata = fs::metadata(self.calibration_file()?).ok()?;
        Some((metadata.ino(), metadata.mtime(), metadata.mtime_nsec()))
    }

    /// Idle powers that were calibrated on this host.
    pub(in crate::pipeline) fn load_calibration(&self) -> BTreeMap<Zone, CalibratedIdle> {
        let Some(path) = self.calibration_file() else { return BTreeMap::new() };
        let why = match read(&path) {
            Ok(file) if file.version != VERSION => "the file is of another version of ffwatt".to_owned(),
            // The other counters of the host do not matter for this one.
            Ok(file) => match file.machine.other_hardware(&self.machine) {
                None => return file.calibrated.iter().filter_map(parse).collect(),
                Some(what) => format!("it was measured with another {what}"),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => return BTreeMap::new(),
            // Only the kind of the error: its text may quote a file of another program.
            Err(error) => format!("the file cannot be read ({})", error.kind()),
        };
        tracing::warn!(file = %path.display(), "calibrated idle power is not used: {why}; run ffwatt calibrate again");
        BTreeMap::new()
    }

    /// Writes the results; returns the path. Zones without a result are not kept.
    pub(in crate::pipeline) fn keep_calibration(
        &self,
        measured: &[(Zone, Calibration)],
        at: WallTime,
    ) -> io::Result<PathBuf> {
        let path = self.calibration_file().ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        let zone = |(zone, of): &(Zone, Calibration)| CalibratedZone {
            zone: ZoneName::of(*zone),
            watts: of.power.0,
            spread_watts: of.spread.0,
            standard_error_watts: of.standard_error.0,
            utilisation_ratio: of.utilisation.0,
            quiet_seconds: of.quiet.as_secs_f64(),
        };
        let calibrated = measured.iter().map(zone).collect();
        let machine = self.machine.clone();
        let file = CalibrationFile { version: VERSION, machine, measured_unix_seconds: at.0, calibrated };
        // The agent may run as another user.
        write_whole(&path, &file, Some(0o644))?;
        Ok(path)
    }

    /// Removes the file; returns its path, if there was one.
    pub(in crate::pipeline) fn forget_calibration(&self) -> io::Result<Option<PathBuf>> {
        let Some(path) = self.calibration_file() else { return Ok(None) };
        match fs::remove_file(&path) {
            Ok(()) => Ok(Some(path)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

fn read(path: &Path) -> io::Result<CalibrationFile> {
    serde_json::from_slice(&fs::read(path)?).map_err(io::Error::from)
}

fn parse(of: &CalibratedZone) -> Option<(Zone, CalibratedIdle)> {
    let is_power = of.watts.is_finite() && of.watts > 0.0;
    let standard_error = Watts(Some(of.standard_error_watts).filter(|watts| *watts >= 0.0)?);
    let power = Watts(of.watts);
    Some((of.zone.zone().filter(|_| is_power)?, CalibratedIdle { power, standard_error }))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::time::Duration;

    use super::super::tests::{PACKAGE, PLATFORM, ZONES, host};
    use super::*;
    use agent_core::units::Ratio;

    fn measured(watts: f64) -> Calibration {
        Calibration {
            power: Watts(watts),
            spread: Watts(0.5),
            standard_error: Watts(0.1),
            utilisation: Ratio(0.01),
            quiet: Duration::from_secs(30),
        }
    }

    fn kept(watts: f64) -> CalibratedIdle {
        CalibratedIdle { power: Watts(watts), standard_error: Watts(0.1) }
    }

    #[test]
    fn what_was_calibrated_is_kept_for_this_machine_until_it_is_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let candidates = [folder.path().to_path_buf()];
        let (_proc, roots) = host("A", "0x1", "6.1");
        let state = StateDir::open(&candidates, &roots, &ZONES);
        assert_eq!((state.calibration_version(), state.load_calibration()), (None, BTreeMap::new()));
        let zones = [(PACKAGE, measured(12.5)), (PLATFORM, measured(30.0))];
        let path = state.keep_calibration(&zones, WallTime(1.0)).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o644);
        let expected: BTreeMap<_, _> = [(PACKAGE, kept(12.5)), (PLATFORM, kept(30.0))].into();
        assert_eq!(state.load_calibration(), expected);
        // The agent stores learned figures in another file at the same time.
        state.save_idle(&[(PACKAGE, super::super::tests::lows(12.0))].into());
        assert_eq!(state.load_calibration(), expected);
        let other_counters = StateDir::open(&candidates, &roots, &ZONES[..1]);
        assert_eq!(other_counters.load_calibration(), expected);
        let (_proc, later_kernel) = host("A", "0x1", "6.2");
        assert!(StateDir::open(&candidates, &later_kernel, &ZONES).load_calibration().is_empty());
        let before = state.calibration_version();
        state.keep_calibration(&zones[..1], WallTime(2.0)).unwrap();
        assert_ne!(state.calibration_version(), before, "a running agent notices");
        assert_eq!(state.load_calibration(), [(PACKAGE, kept(12.5))].into());
        assert_eq!(state.forget_calibration().unwrap(), Some(path));
        assert_eq!((state.forget_calibration().unwrap(), state.load_calibration()), (None, BTreeMap::new()));
    }

    /// The folder may belong to the user of the agent, and `ffwatt calibrate` may run as root.
    #[test]
    fn links_in_the_folder_are_not_followed() {
        let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let secret = other.path().join("secret");
        fs::write(&secret, "secret").unwrap();
        fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
        for name in [".probe", "calibration.json", "calibration.new", "idle.json", "idle.new"] {
            symlink(&secret, folder.path().join(name)).unwrap();
        }
        let (_proc, roots) = host("A", "0x1", "6.1");
        let state = StateDir::open(&[folder.path().to_path_buf()], &roots, &ZONES);
        state.keep_calibration(&[(PACKAGE, measured(12.5))], WallTime(1.0)).unwrap();
        state.save_idle(&[(PACKAGE, super::super::tests::lows(12.0))].into());
        assert_eq!(state.load_calibration(), [(PACKAGE, kept(12.5))].into());
        assert_eq!(fs::read(&secret).unwrap(), b"secret");
        assert_eq!(fs::metadata(&secret).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_damaged_file_is_not_used() {
        let folder = tempfile::tempdir().unwrap();
        let (_proc, roots) = host("A", "0x1", "6.1");
        let state = StateDir::open(&[folder.path().to_path_buf()], &roots, &ZONES);
        let path = state.keep_calibration(&[(PACKAGE, measured(12.5))], WallTime(1.0)).unwrap();
        let good = fs::read_to_string(&path).unwrap();
        let replaced = |from: &str, to: &str| {
            assert!(good.contains(from), "{good}");
            good.replace(from, to)
        };
        let texts = [
            String::new(),
            "{".to_owned(),
            replaced("\"version\":1", "\"version\":2"),
            replaced("\"watts\":12.5", "\"watts\":-12.5"),
            replaced("\"watts\":12.5", "\"watts\":null"),
            replaced("\"standard_error_watts\":0.1", "\"standard_error_watts\":-1"),
            replaced("\"domain\":\"package\"", "\"domain\":\"fan\""),
        ];
        for text in texts {
            fs::write(&path, &text).unwrap();
            assert!(state.load_calibration().is_empty(), "{text}");
        }
    }
}
