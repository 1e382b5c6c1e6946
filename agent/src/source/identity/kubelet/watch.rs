//! Waits for changes of the kubelet's log folders, by inotify, and for the pipeline's requests to list them.

use std::ffi::CStr;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};

use super::is_used;

/// Most changes that are handled at once: the rest waits in the kernel.
const AT_ONCE: usize = 4096;

/// Makes a sender and a receiver of requests.
pub(crate) fn requests() -> io::Result<(NameRequest, NameRequests)> {
    let bell = Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
    Ok((NameRequest(Arc::clone(&bell)), NameRequests(bell)))
}

/// Sender of requests: a pod is unknown.
#[derive(Clone, Debug)]
pub(crate) struct NameRequest(Arc<OwnedFd>);

impl NameRequest {
    /// Requests a list of both folders.
    pub(crate) fn send(&self) {
        // This fails only when the counter is full, and then a list is requested already.
        let _ = rustix::io::write(&self.0, &1_u64.to_ne_bytes());
    }
}

/// Receiver of requests.
#[derive(Debug)]
pub(crate) struct NameRequests(Arc<OwnedFd>);

/// Result of a wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// Changes of single names.
    Changes(Vec<Change>),
    /// The folders are to be listed: events were lost, a list was requested, or the time is over.
    Lost,
    /// A folder was moved or removed.
    Gone,
}

/// A change of one name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// A folder of a pod.
    Pod { name: String, is_there: bool },
    /// A link of a container.
    Link { name: String, is_there: bool },
}

impl NameRequests {
    /// Waits for changes or a request, at most for `longest`.
    pub(super) fn wait(&self, watch: Option<&FoldersWatch>, longest: Duration) -> io::Result<Seen> {
        let mut sources = vec![PollFd::new(&*self.0, PollFlags::IN)];
        sources.extend(watch.map(|watch| PollFd::new(&watch.inotify, PollFlags::IN)));
        let timeout = Timespec::try_from(longest).ok();
        match poll(&mut sources, timeout.as_ref()) {
            Ok(0) => return Ok(Seen::Lost),
            Err(rustix::io::Errno::INTR) => return Ok(Seen::Changes(Vec::new())),
            Ok(_) => {}
            Err(error) => return Err(error.into()),
        }
        // Empty when there was no request.
        let is_requested = rustix::io::read(&*self.0, &mut [0; 8]).is_ok();
        match watch {
            Some(watch) if !is_requested => watch.changes(),
            _ => Ok(Seen::Lost),
        }
    }

    /// Waits for this time.
    #[expect(
        clippy::disallowed_methods,
        reason = "the thread of the names lists folders no more often than this"
    )]
    pub(super) fn pause(time: Duration) {
        std::thread::sleep(time);
    }
}

/// Inotify watches of the folders that exist.
#[derive(Debug)]
pub(super) struct FoldersWatch {
    inotify: OwnedFd,
    pods: Option<i32>,
    links: Option<i32>,
}

impl FoldersWatch {
    /// Begins to watch the folders that exist.
    pub(super) fn open(pods: &Path, links: &Path) -> io::Result<Self> {
        let inotify = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
        let wanted = WatchFlags::CREATE
            | WatchFlags::MOVE
            | WatchFlags::DELETE
            | WatchFlags::DELETE_SELF
            | WatchFlags::MOVE_SELF
            | WatchFlags::ONLYDIR;
        let add = |folder: &Path| match inotify::add_watch(&inotify, folder, wanted) {
            Ok(watch) => Ok(Some(watch)),
            Err(rustix::io::Errno::NOENT) => Ok(None),
            Err(error) => Err(io::Error::from(error)),
        };
        let add = |folder: &Path| if is_used(folder) { add(folder) } else { Ok(None) };
        let (pods, links) = (add(pods)?, add(links)?);
        Ok(Self { inotify, pods, links })
    }

    fn changes(&self) -> io::Result<Seen> {
        let mut changes = Vec::new();
        let mut buffer = [const { MaybeUninit::uninit() }; 16 * 1024];
        let mut events = inotify::Reader::new(&self.inotify, &mut buffer);
        while changes.len() < AT_ONCE || !events.is_buffer_empty() {
            let event = match events.next() {
                Ok(event) => event,
                Err(rustix::io::Errno::AGAIN) => break,
                Err(error) => return Err(error.into()),
            };
            let flags = event.events();
            if flags.contains(ReadFlags::QUEUE_OVERFLOW) {
                return Ok(Seen::Lost);
            }
            let gone =
                ReadFlags::IGNORED | ReadFlags::MOVE_SELF | ReadFlags::DELETE_SELF | ReadFlags::UNMOUNT;
            if flags.intersects(gone) {
                return Ok(Seen::Gone);
            }
            let Some(name) = event.file_name().map(CStr::to_str).and_then(Result::ok) else { continue };
            let (name, is_there) =
                (name.to_owned(), flags.intersects(ReadFlags::CREATE | ReadFlags::MOVED_TO));
            if Some(event.wd()) == self.pods {
                changes.push(Change::Pod { name, is_there });
            } else if Some(event.wd()) == self.links {
                changes.push(Change::Link { name, is_there });
            }
        }
        Ok(Seen::Changes(changes))
    }
}
