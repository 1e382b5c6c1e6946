//! Reads from procfs which files a process has open for writing.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use agent_core::model::cpu::ProcessId;

use crate::host::HostRoots;

/// Whether a process has a file open for writing. Names in another mount namespace differ: the file's device and inode count.
pub(crate) fn writes(roots: &HostRoots, id: ProcessId, path: &Path) -> bool {
    let Ok(wanted) = fs::metadata(path) else { return false };
    // Without the right to look, the process is not known to write it.
    let Ok(open) = fs::read_dir(roots.process(id.0, "fd")) else { return false };
    open.flatten().any(|entry| {
        let is_it = fs::metadata(entry.path())
            .is_ok_and(|found| (found.dev(), found.ino()) == (wanted.dev(), wanted.ino()));
        is_it && is_for_writing(&roots.process(id.0, "fdinfo").join(entry.file_name()))
    })
}

/// Reads `flags: 0100001`, in octal digits; the last two bits are the access mode (`open(2)`), 0 for reading.
fn is_for_writing(fdinfo: &Path) -> bool {
    let text = fs::read_to_string(fdinfo).unwrap_or_default();
    let flags =
        text.lines().find_map(|line| u64::from_str_radix(line.strip_prefix("flags:")?.trim(), 8).ok());
    flags.is_some_and(|flags| flags & 0b11 != 0)
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    #[test]
    fn a_file_is_written_by_the_process_that_has_it_open_for_writing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.mp4");
        let (roots, own) = (HostRoots::default(), ProcessId(std::process::id()));
        assert!(!writes(&roots, own, &path), "no such file");
        let written = File::create(&path).unwrap();
        assert!(writes(&roots, own, &path));
        drop(written);
        let read = File::open(&path).unwrap();
        assert!(!writes(&roots, own, &path), "it is only read");
        drop(read);
    }
}
