//! A temporary folder of a comparison, removed when dropped.

use std::fs;
use std::path::{Path, PathBuf};

use crate::clock::{Clock, SystemClock};
use crate::quality::QualityError;

/// A temporary folder that is removed when dropped.
#[derive(Debug)]
pub(super) struct TemporaryFolder(PathBuf);

impl TemporaryFolder {
    pub(super) fn open() -> Result<Self, QualityError> {
        // Unique on this host for as long as this process lives.
        let name = format!("ffwatt-quality-{}-{}", std::process::id(), SystemClock.now().0);
        let folder = std::env::temp_dir().join(name);
        let made = fs::create_dir(&folder);
        made.map_err(|cause| QualityError::io(format!("make {}", folder.display()), cause))?;
        Ok(Self(folder))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub(super) fn write(&self, name: &str, text: &str) -> Result<(), QualityError> {
        let path = self.file(name);
        fs::write(&path, text).map_err(|cause| QualityError::io(format!("write {}", path.display()), cause))
    }

    /// Text of a log; empty for a filter that wrote none.
    pub(super) fn read(&self, name: &str) -> Result<String, QualityError> {
        let path = self.file(name);
        match fs::read_to_string(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(QualityError::io(format!("read {}", path.display()), error))
            }
            text => Ok(text.unwrap_or_default()),
        }
    }
}

impl Drop for TemporaryFolder {
    fn drop(&mut self) {
        // A failure leaves only temporary files.
        let _ = fs::remove_dir_all(&self.0);
    }
}
