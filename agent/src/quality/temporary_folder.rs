//! A temporary folder of a comparison, removed when dropped.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::files;
use crate::quality::QualityError;

/// A temporary folder that is removed when dropped.
#[derive(Debug)]
pub(super) struct TemporaryFolder(TempDir);

impl TemporaryFolder {
    pub(super) fn open() -> Result<Self, QualityError> {
        Ok(Self(files::temporary_folder("ffwatt-quality-")?))
    }

    pub(super) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.path().join(name)
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Barrier;

    use super::*;

    #[test]
    fn folders_of_the_same_moment_differ() {
        let (threads, rounds) = (4, 500);
        let barrier = Barrier::new(threads);
        let open = || {
            let folders = (0..rounds).map(|_| {
                barrier.wait();
                TemporaryFolder::open().unwrap()
            });
            folders.collect::<Vec<_>>()
        };
        let folders = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..threads).map(|_| scope.spawn(open)).collect();
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
        });
        let paths: BTreeSet<&Path> = folders.iter().map(TemporaryFolder::path).collect();
        assert_eq!(paths.len(), threads * rounds);
    }
}
