//! Watches the results folder for changes, by inotify.
//!
//! This only shortens the wait for the next check of the folder, which finds whatever is missed here.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};

/// Pause after a change: ten files that are written within it count as one change.
const SETTLE: Duration = Duration::from_millis(50);

/// An inotify watch of a folder.
#[derive(Debug)]
pub(crate) struct FolderWatch {
    inotify: OwnedFd,
}

/// Result of a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    /// No change.
    Nothing,
    /// A file was written, renamed or removed.
    Change,
    /// The folder was moved or removed.
    Gone,
}

impl FolderWatch {
    /// Begins to watch an existing folder.
    pub(crate) fn open(folder: &Path) -> io::Result<Self> {
        let inotify = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
        let wanted = WatchFlags::CLOSE_WRITE
            | WatchFlags::MOVE
            | WatchFlags::DELETE
            | WatchFlags::DELETE_SELF
            | WatchFlags::MOVE_SELF
            | WatchFlags::ONLYDIR;
        inotify::add_watch(&inotify, folder, wanted)?;
        Ok(Self { inotify })
    }

    /// Waits for a change, at most for `longest`.
    #[expect(clippy::disallowed_methods, reason = "the results thread lets a writer finish")]
    pub(crate) fn wait(&self, longest: Duration) -> io::Result<Seen> {
        let timeout = Timespec::try_from(longest).ok();
        match poll(&mut [PollFd::new(&self.inotify, PollFlags::IN)], timeout.as_ref()) {
            Ok(0) | Err(rustix::io::Errno::INTR) => return Ok(Seen::Nothing),
            Ok(_) => std::thread::sleep(SETTLE),
            Err(error) => return Err(error.into()),
        }
        let mut seen = Seen::Change;
        let mut buffer = [const { MaybeUninit::uninit() }; 4096];
        let mut events = inotify::Reader::new(&self.inotify, &mut buffer);
        loop {
            match events.next() {
                Ok(event) => {
                    let gone = ReadFlags::IGNORED | ReadFlags::MOVE_SELF | ReadFlags::DELETE_SELF;
                    if event.events().intersects(gone) {
                        seen = Seen::Gone;
                    }
                }
                Err(rustix::io::Errno::AGAIN) => return Ok(seen),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_is_written_renamed_or_removed_is_noticed_and_so_is_the_end_of_the_folder() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("results");
        fs::create_dir(&folder).unwrap();
        let watch = FolderWatch::open(&folder).unwrap();
        let seen = || watch.wait(Duration::from_millis(1)).unwrap();
        assert_eq!(seen(), Seen::Nothing);
        fs::write(folder.join("new"), "a").unwrap();
        assert_eq!(seen(), Seen::Change);
        fs::rename(folder.join("new"), folder.join("old")).unwrap();
        assert_eq!(seen(), Seen::Change);
        fs::remove_file(folder.join("old")).unwrap();
        assert_eq!(seen(), Seen::Change);
        assert_eq!(seen(), Seen::Nothing);
        fs::remove_dir(&folder).unwrap();
        assert_eq!(seen(), Seen::Gone);
    }

    #[test]
    fn a_folder_that_is_not_there_cannot_be_watched() {
        assert!(FolderWatch::open(Path::new("/no/such/folder")).is_err());
    }
}
