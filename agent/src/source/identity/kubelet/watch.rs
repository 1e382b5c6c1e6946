//! Waits for changes of the kubelet's log folders, by inotify, and for the pipeline's requests.

use std::collections::BTreeSet;
use std::ffi::CStr;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};

use super::is_used;

/// Most changes that are handled at once: the rest waits in the kernel.
const AT_ONCE: usize = 4096;

/// Makes a sender and a receiver of requests.
pub(crate) fn requests() -> io::Result<(NameRequest, NameRequests)> {
    let bell = Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
    let wanted = Arc::new(Mutex::new(Wanted::default()));
    let request = NameRequest { wanted: Arc::clone(&wanted), bell: Arc::clone(&bell) };
    Ok((request, NameRequests { wanted, bell }))
}

/// What has been requested and not yet been answered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    /// Whether both folders are to be listed.
    pub(super) list: bool,
    /// Uids of pods in which a container without a link has begun to encode.
    pub(super) begun: BTreeSet<Arc<str>>,
}

/// Sender of requests.
#[derive(Clone, Debug)]
pub(crate) struct NameRequest {
    wanted: Arc<Mutex<Wanted>>,
    bell: Arc<OwnedFd>,
}

impl NameRequest {
    /// Requests a list of both folders: a pod is unknown.
    pub(crate) fn send(&self) {
        self.want(|wanted| wanted.list = true);
    }

    /// Requests the names of the containers of a pod that have no link yet. There is one answer.
    pub(crate) fn begun(&self, uid: Arc<str>) {
        self.want(|wanted| {
            wanted.begun.insert(uid);
        });
    }

    fn want(&self, add: impl FnOnce(&mut Wanted)) {
        add(&mut self.wanted.lock().unwrap_or_else(PoisonError::into_inner));
        ring(&self.bell);
    }
}

fn ring(bell: &OwnedFd) {
    // This fails only when the counter is full, and then the receiver is about to look.
    let _ = rustix::io::write(bell, &1_u64.to_ne_bytes());
}

/// Receiver of requests.
#[derive(Debug)]
pub(crate) struct NameRequests {
    wanted: Arc<Mutex<Wanted>>,
    bell: Arc<OwnedFd>,
}

/// Result of a wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// Changes of single names.
    Changes(Vec<Change>),
    /// A request for pods in which a container has begun.
    Begun(BTreeSet<Arc<str>>),
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
        let mut sources = vec![PollFd::new(&*self.bell, PollFlags::IN)];
        sources.extend(watch.map(|watch| PollFd::new(&watch.inotify, PollFlags::IN)));
        let timeout = Timespec::try_from(longest).ok();
        match poll(&mut sources, timeout.as_ref()) {
            Ok(0) => return Ok(Seen::Lost),
            Err(rustix::io::Errno::INTR) => return Ok(Seen::Changes(Vec::new())),
            Ok(_) => {}
            Err(error) => return Err(error.into()),
        }
        // Empty when there was no request.
        let _ = rustix::io::read(&*self.bell, &mut [0; 8]);
        let mut wanted = self.wanted.lock().unwrap_or_else(PoisonError::into_inner);
        let seen = match watch {
            Some(watch) if !std::mem::take(&mut wanted.list) => watch.changes()?,
            Some(_) => Seen::Lost,
            None if wanted.begun.is_empty() => Seen::Lost,
            None => Seen::Changes(Vec::new()),
        };
        if wanted.begun.is_empty() {
            return Ok(seen);
        }
        if seen == Seen::Changes(Vec::new()) {
            return Ok(Seen::Begun(std::mem::take(&mut wanted.begun)));
        }
        // The links that exist come before the answer.
        ring(&self.bell);
        Ok(seen)
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
