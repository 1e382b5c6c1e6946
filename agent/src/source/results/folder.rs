//! Chooses the result file of a folder, and detects its changes.
//!
//! The newest by name counts: names contain their time (`test_results_20260203_101112.json`). A file that cannot be read, because
//! it is half written or broken, does not replace the last readable one; it is tried again when it changes.

use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::source::SourceError;

/// Prefix of the names of result files.
const PREFIX: &str = "test_results_";
const SUFFIX: &str = ".json";

/// Larger files are no result files: ten thousand scenarios have a tenth of it.
const MAX_BYTES: u64 = 64 << 20;

/// Identifies one version of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Version {
    inode: u64,
    bytes: u64,
    modified: (i64, i64),
}

/// A folder of result files.
#[derive(Debug, Default)]
pub struct Folder {
    path: PathBuf,
    last: Option<(PathBuf, Version)>,
}

/// A result file and its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResultFile {
    /// Its path.
    pub path: PathBuf,
    /// Content of the file.
    pub bytes: Vec<u8>,
}

impl Folder {
    /// A folder; it need not exist yet.
    pub fn new(path: PathBuf) -> Self {
        Self { path, last: None }
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The newest file, when it has changed since the last call; `None` when nothing has changed, or there is no file.
    ///
    /// Lists names and reads one file: ten thousand files cost no more than the list.
    pub fn changed(&mut self) -> Result<Option<ResultFile>, SourceError> {
        let Some(name) = self.newest()? else {
            self.last = None;
            return Ok(None);
        };
        let path = self.path.join(name);
        let (file, metadata) = open(&path)?;
        let version = Version {
            inode: metadata.ino(),
            bytes: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
        };
        if self.last.as_ref().is_some_and(|last| *last == (path.clone(), version)) {
            return Ok(None);
        }
        // Noted before it is parsed: a file that cannot be parsed is tried again only when it changes.
        self.last = Some((path.clone(), version));
        content(&path, file, &metadata).map(|bytes| Some(ResultFile { path, bytes }))
    }

    /// Whether the last call has found a file.
    pub fn has_file(&self) -> bool {
        self.last.is_some()
    }

    /// The path of the newest file, as far as the folder can be listed.
    pub fn newest_path(&self) -> PathBuf {
        self.newest().ok().flatten().map_or_else(|| self.path.clone(), |name| self.path.join(name))
    }

    /// The paths of all files, the newest first.
    pub fn paths(&self) -> Result<Vec<PathBuf>, SourceError> {
        let mut names: Vec<String> = self.names()?.collect();
        names.sort_unstable_by(|one, other| other.cmp(one));
        Ok(names.into_iter().map(|name| self.path.join(name)).collect())
    }

    /// The name that sorts last.
    fn newest(&self) -> Result<Option<String>, SourceError> {
        Ok(self.names()?.max())
    }

    fn names(&self) -> Result<impl Iterator<Item = String>, SourceError> {
        let entries = fs::read_dir(&self.path).map_err(|cause| match cause.kind() {
            io::ErrorKind::NotFound => SourceError::unavailable(
                format!("the results folder {} is not there", self.path.display()),
                "make it, or say where results are with --results-dir (RESULTS_DIR)",
            ),
            _ => SourceError::transient(format!("list {}", self.path.display()), cause),
        })?;
        let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
        Ok(names.filter(|name| name.starts_with(PREFIX) && name.ends_with(SUFFIX)))
    }
}

/// Reads a file that is named.
pub(crate) fn read_file(path: &Path) -> Result<Vec<u8>, SourceError> {
    let (file, metadata) = open(path)?;
    content(path, file, &metadata)
}

fn open(path: &Path) -> Result<(File, Metadata), SourceError> {
    let transient = |cause| SourceError::transient(format!("read {}", path.display()), cause);
    // A pipe without a writer would keep the reader waiting.
    let file = File::options().read(true).custom_flags(libc::O_NONBLOCK).open(path).map_err(transient)?;
    let metadata = file.metadata().map_err(transient)?;
    Ok((file, metadata))
}

fn content(path: &Path, file: File, metadata: &Metadata) -> Result<Vec<u8>, SourceError> {
    if !metadata.is_file() || metadata.len() > MAX_BYTES {
        let what = format!("{} is no result file: {} bytes", path.display(), metadata.len());
        return Err(SourceError::broken(what));
    }
    let mut bytes = Vec::new();
    file.take(MAX_BYTES)
        .read_to_end(&mut bytes)
        .map_err(|cause| SourceError::transient(format!("read {}", path.display()), cause))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> (tempfile::TempDir, Folder) {
        let root = tempfile::tempdir().unwrap();
        let folder = Folder::new(root.path().to_path_buf());
        (root, folder)
    }

    #[test]
    fn the_newest_by_name_counts_and_is_given_once() {
        let (root, mut folder) = folder();
        assert_eq!(folder.changed().unwrap(), None);
        fs::write(root.path().join("test_results_20260101_000000.json"), "old").unwrap();
        fs::write(root.path().join("test_results_20260102_000000.json"), "new").unwrap();
        fs::write(root.path().join("test_results_20260103_000000.csv"), "no").unwrap();
        fs::write(root.path().join("zzz.json"), "no").unwrap();
        assert_eq!(folder.changed().unwrap().unwrap().bytes, b"new");
        assert_eq!(folder.changed().unwrap(), None);
        let names = ["test_results_20260102_000000.json", "test_results_20260101_000000.json"];
        assert_eq!(folder.paths().unwrap(), names.map(|name| root.path().join(name)));
        fs::write(root.path().join("test_results_20260102_000000.json"), "newer").unwrap();
        assert_eq!(folder.changed().unwrap().unwrap().bytes, b"newer");
        fs::remove_file(root.path().join("test_results_20260102_000000.json")).unwrap();
        assert_eq!(folder.changed().unwrap().unwrap().bytes, b"old");
    }

    #[test]
    fn a_folder_that_is_not_there_is_unavailable_and_says_how_to_name_another() {
        let mut folder = Folder::new("/no/such/folder".into());
        let error = folder.changed().unwrap_err();
        assert!(error.hint().contains("RESULTS_DIR"), "{error}");
    }

    #[test]
    fn what_is_no_file_is_broken_once() {
        let (root, mut folder) = folder();
        fs::create_dir(root.path().join("test_results_1.json")).unwrap();
        assert!(matches!(folder.changed(), Err(SourceError::Broken { .. })));
        assert_eq!(folder.changed().unwrap(), None);
    }
}
