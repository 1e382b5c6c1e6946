//! Atomic replacement of a file: a reader, or the host after a loss of power, finds the old or the new content, never a part. And
//! temporary folders.

use std::fs::{self, File, Permissions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use tempfile::{NamedTempFile, TempDir};

/// The reason why a file was not replaced, or why a loss of power may bring the old one back.
#[derive(Debug, thiserror::Error)]
#[error("cannot {step} {path}", path = path.display())]
pub(crate) struct ReplaceError {
    step: &'static str,
    path: PathBuf,
    #[source]
    cause: io::Error,
}

impl From<ReplaceError> for io::Error {
    fn from(error: ReplaceError) -> Self {
        Self::new(error.cause.kind(), error)
    }
}

/// A temporary folder could not be made.
#[derive(Debug, thiserror::Error)]
#[error("cannot make a folder in {place}", place = place.display())]
pub(crate) struct TemporaryFolderError {
    place: PathBuf,
    #[source]
    cause: io::Error,
}

/// Makes a temporary folder that is removed when dropped. Its name is random after the prefix, and only its owner can read it.
pub(crate) fn temporary_folder(prefix: &str) -> Result<TempDir, TemporaryFolderError> {
    let place = std::env::temp_dir();
    tempfile::Builder::new()
        .prefix(prefix)
        .permissions(Permissions::from_mode(0o700))
        .tempdir_in(&place)
        .map_err(|cause| TemporaryFolderError { place, cause })
}

/// Replaces a file, or makes it. The new file has this mode; without one, the mode and the owner of the old file, or the mode of any
/// new file of this process.
///
/// A link is replaced, not followed: the folder may belong to another user than this process.
pub(crate) fn replace(path: &Path, content: &[u8], mode: Option<u32>) -> Result<(), ReplaceError> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let failed = |step| move |cause| ReplaceError { step, path: path.to_owned(), cause };
    // A name that no other process can have chosen. The file is removed when a later step fails.
    let made = tempfile::Builder::new()
        .prefix(".ffwatt-")
        .suffix(".new")
        .permissions(Permissions::from_mode(mode.unwrap_or(0o666)))
        .tempfile_in(folder);
    let mut new = made.map_err(failed("make a file beside"))?;
    take_over(&new, path, mode).map_err(failed("set the mode of a file beside"))?;
    new.write_all(content).map_err(failed("write a file beside"))?;
    new.as_file().sync_all().map_err(failed("write a file to the disk beside"))?;
    new.persist(path).map_err(|error| failed("replace")(error.error))?;
    sync_folder(folder).map_err(failed("write to the disk the folder of"))
}

/// Gives the new file its mode, and the owner of the old file where this process may do that.
fn take_over(new: &NamedTempFile, path: &Path, mode: Option<u32>) -> io::Result<()> {
    let mode = match (mode, fs::metadata(path)) {
        (Some(mode), _) => mode,
        (None, Ok(old)) => {
            // Only root may; else the file belongs to the user of this process.
            let _ = fchown(new, Some(old.uid()), Some(old.gid()));
            old.mode() & 0o777
        }
        (None, Err(error)) if error.kind() == ErrorKind::NotFound => return Ok(()),
        (None, Err(error)) => return Err(error),
    };
    // Whatever the umask.
    new.as_file().set_permissions(Permissions::from_mode(mode))
}

/// Writes the new name to the disk, where that is possible: a folder may be writable but not readable, and some file systems cannot
/// sync a folder.
fn sync_folder(folder: &Path) -> io::Result<()> {
    match File::open(folder).and_then(|folder| folder.sync_all()) {
        Err(error) if matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::InvalidInput) => Ok(()),
        result => result,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::error::chain;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().mode() & 0o777
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_is_replaced_with_its_mode_or_a_stated_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        replace(&path, b"a long first content", None).unwrap();
        assert_eq!(mode(&path) & 0o600, 0o600);
        fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        replace(&path, b"short", None).unwrap();
        assert_eq!((fs::read(&path).unwrap(), mode(&path)), (b"short".to_vec(), 0o640));
        replace(&path, b"other", Some(0o604)).unwrap();
        assert_eq!((fs::read(&path).unwrap(), mode(&path)), (b"other".to_vec(), 0o604));
        assert_eq!(names(folder.path()), ["file"], "nothing stays beside");
    }

    #[test]
    fn a_temporary_folder_is_private_and_ends_with_its_owner() {
        let folder = temporary_folder("ffwatt-test-").unwrap();
        let path = folder.path().to_owned();
        assert_eq!(mode(&path), 0o700);
        drop(folder);
        assert!(!path.exists());
    }

    #[test]
    fn the_longest_name_is_possible() {
        let folder = tempfile::tempdir().unwrap();
        let name = "n".repeat(255);
        replace(&folder.path().join(&name), b"text", None).unwrap();
        assert_eq!(names(folder.path()), [name]);
    }

    #[test]
    fn a_link_is_replaced_and_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let (path, other) = (folder.path().join("file"), folder.path().join("other"));
        fs::write(&other, "other").unwrap();
        symlink(&other, &path).unwrap();
        for name in ["file.new", "new"] {
            symlink(&other, folder.path().join(name)).unwrap();
        }
        replace(&path, b"text", Some(0o644)).unwrap();
        assert_eq!(fs::read(&other).unwrap(), b"other");
        assert!(fs::symlink_metadata(&path).unwrap().is_file());
    }

    #[test]
    fn a_failure_names_path_and_step_and_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("folder");
        fs::create_dir(&path).unwrap();
        fs::write(path.join("kept"), "").unwrap();
        let error = chain(&replace(&path, b"text", None).unwrap_err());
        assert!(error.starts_with(&format!("cannot replace {}: ", path.display())), "{error}");
        assert_eq!(names(folder.path()), ["folder"]);
        let path = folder.path().join("missing/file");
        let error = chain(&replace(&path, b"text", None).unwrap_err());
        assert!(error.starts_with(&format!("cannot make a file beside {}: ", path.display())), "{error}");
    }

    #[test]
    fn writers_at_the_same_time_do_not_mix() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let contents = [vec![b'a'; 1 << 16], vec![b'b'; 1 << 17]];
        std::thread::scope(|scope| {
            for content in &contents {
                scope.spawn(|| (0..20).for_each(|_| replace(&path, content, None).unwrap()));
            }
        });
        assert!(contents.contains(&fs::read(&path).unwrap()));
        assert_eq!(names(folder.path()), ["file"]);
    }
}
