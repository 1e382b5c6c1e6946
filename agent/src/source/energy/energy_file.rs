//! Reads a sysfs counter file of microjoules that stays open. The right to read it is raised only while it is opened.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::PathBuf;

use rustix::fs::OFlags;
use rustix::io::Errno;

use super::meter::RawCounter;
use crate::source::SourceError;
use crate::source::read_search::with_read_search;

/// A counter file, kept open: sysfs writes its text anew for every read at its beginning, so a reading is one system call.
#[derive(Debug)]
pub(super) struct EnergyFile {
    path: PathBuf,
    is_kernels_own: bool,
    file: Option<File>,
    last: Option<u64>,
}

/// More than the 20 digits of 2⁶⁴.
const LONGEST: usize = 64;

impl EnergyFile {
    /// A file that is opened at its first reading. `is_kernels_own`: it is below the real sysfs, not below a configured folder.
    pub(super) fn new(path: PathBuf, is_kernels_own: bool) -> Self {
        Self { path, is_kernels_own, file: None, last: None }
    }

    /// Whether the open file is no longer the one at the path, as far as can be told without opening it. Files of sysfs fail to
    /// read after they are removed; others (bind mounts, simulated hosts) continue to show their last value, so a value that stands
    /// still is checked.
    fn is_stale(&self, file: &File, value: u64) -> bool {
        self.last == Some(value) && file.metadata().is_ok_and(|metadata| metadata.nlink() == 0)
    }

    /// `None` where the driver reads on a CPU that is off line (ENODEV).
    fn read_number(&self, file: &File) -> Result<Option<u64>, SourceError> {
        let mut buffer = [0; LONGEST];
        let length = match file.read_at(&mut buffer, 0) {
            Ok(length) => length,
            Err(cause) if Errno::from_io_error(&cause) == Some(Errno::NODEV) => return Ok(None),
            Err(cause) => {
                return Err(SourceError::transient(format!("read {}", self.path.display()), cause));
            }
        };
        let text = String::from_utf8_lossy(&buffer[..length]);
        let text = text.trim();
        text.parse().map(Some).map_err(|_nothing_is_quoted| {
            let path = self.path.display();
            SourceError::broken(format!(
                "{path} holds no number of microjoules ({length} bytes of something else)"
            ))
        })
    }

    fn open(&self) -> io::Result<File> {
        // A pipe in place of the counter does not block the reader.
        let without_waiting = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or(0);
        let open = || File::options().read(true).custom_flags(without_waiting).open(&self.path);
        match open() {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied && self.is_kernels_own => {
                with_read_search(open)
            }
            opened => opened,
        }
    }
}

impl RawCounter for EnergyFile {
    fn read(&mut self) -> Result<Option<u64>, SourceError> {
        if let Some(file) = self.file.take()
            && let Ok(Some(value)) = self.read_number(&file)
            && !self.is_stale(&file, value)
        {
            self.file = Some(file);
            self.last = Some(value);
            return Ok(self.last);
        }
        // Removed, or shortened: the driver may have been loaded again meanwhile.
        let file = self
            .open()
            .map_err(|cause| SourceError::transient(format!("open {}", self.path.display()), cause))?;
        self.last = self.read_number(&file)?;
        self.file = Some(file);
        Ok(self.last)
    }
}
