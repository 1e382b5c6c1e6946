//! Holds the last block of every connection that posts progress, and the pipeline's verdict on it.
//!
//! A connection waits until the pipeline has found its transcode; only then it is accepted. Both numbers are bounded. A new
//! connection can always wait: where too many wait, the oldest of them is refused, connections from other hosts before those from
//! this host. At the limit of accepted connections, one that has sent nothing for [`SILENCE_LIMIT`] gives way to a new one. So
//! silent connections only displace each other.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use agent_core::model::progress::{Block, Ends};
use agent_core::time::MonoTime;
use tokio::sync::watch;

#[cfg(test)]
mod tests;

/// Most accepted connections.
const MAX_ACCEPTED: usize = 256;

/// Most connections that wait for a verdict.
const MAX_WAITING: usize = 256;

/// Most connections that ended since the last tick: they are kept so that an encode shorter than a tick has frames.
const MAX_CLOSED: usize = 1024;

/// Time without data since its start after which a connection may be displaced.
pub(crate) const SILENCE_LIMIT: Duration = Duration::from_secs(10);

/// The sender of a post, as far as the connection shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sender {
    /// The text after `/progress/`.
    pub id: String,
    /// The connection; `None` on a transport without addresses.
    pub connection: Option<Ends>,
}

impl Sender {
    /// Whether the sender is on this host, by its address alone.
    pub(crate) fn is_loopback(&self) -> bool {
        self.peer().is_none_or(|peer| peer.is_loopback())
    }

    /// The sender's address, unless it is a loopback address.
    pub(crate) fn address(&self) -> Option<IpAddr> {
        self.peer().filter(|address| !address.is_loopback())
    }

    fn peer(&self) -> Option<IpAddr> {
        self.connection.map(|connection| connection.peer.ip().to_canonical())
    }
}

/// Decision about a post.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The pipeline has not found its transcode yet.
    #[default]
    Pending,
    /// It has a transcode, and is accepted.
    Matched,
    /// It is refused.
    Refused(Refusal),
}

/// The reason why a post is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// No running transcode is known by its socket, id or address.
    Unknown,
    /// Its sender is not on this host, and the configuration does not allow that.
    Remote,
    /// Another open connection already posts for its transcode.
    Taken,
    /// It sent nothing for [`SILENCE_LIMIT`].
    Silent,
    /// Too many connections wait, or too many are accepted.
    Crowded,
}

/// One connection.
#[derive(Debug)]
struct Entry {
    sender: Sender,
    opened: MonoTime,
    has_sent: bool,
    /// Its last block that was not taken yet, and the block's time.
    last: Option<(Block, MonoTime)>,
    is_open: bool,
    verdict: watch::Sender<Verdict>,
}

impl Entry {
    fn is_waiting(&self) -> bool {
        *self.verdict.borrow() == Verdict::Pending
    }

    fn is_accepted(&self) -> bool {
        self.is_open && *self.verdict.borrow() == Verdict::Matched
    }

    fn is_over(&self) -> bool {
        !self.is_open && !self.is_waiting()
    }

    fn is_silent(&self, now: MonoTime) -> bool {
        !self.has_sent && now.since(self.opened) >= SILENCE_LIMIT
    }
}

/// Progress of a connection since the last call.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Post {
    /// Its last block that was not taken yet, and the block's time.
    pub last: Option<(Block, MonoTime)>,
    /// Whether more blocks may follow.
    pub is_open: bool,
}

/// All connections.
pub(crate) struct ProgressRegistry {
    entries: Mutex<Entries>,
    /// Called for each new connection: a short encode may end before the next tick, and then its socket is gone.
    notify: Box<dyn Fn() + Send + Sync>,
}

#[derive(Debug, Default)]
struct Entries {
    next: u64,
    all: BTreeMap<u64, Entry>,
    refused: u64,
}

impl Entries {
    /// Refuses a connection; its listener answers it, and its entry is dropped.
    fn refuse(&mut self, number: u64, refusal: Refusal) {
        if let Some(entry) = self.all.remove(&number) {
            entry.verdict.send_replace(Verdict::Refused(refusal));
            self.refused += 1;
        }
    }

    /// Refuses one of the connections for which this is true, if there are `limit` of them: the one with the least `rank`.
    fn enforce_limit<R: Ord>(
        &mut self,
        limit: usize,
        is_one: impl Fn(&Entry) -> bool,
        rank: impl Fn(&Entry) -> R,
    ) {
        let all = || self.all.iter().filter(|(_, entry)| is_one(entry));
        if all().count() < limit {
            return;
        }
        let first = all().min_by_key(|(number, entry)| (rank(entry), **number));
        if let Some(number) = first.map(|(number, _)| *number) {
            self.refuse(number, Refusal::Crowded);
        }
    }
}

impl fmt::Debug for ProgressRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProgressRegistry").field("entries", &self.entries).finish_non_exhaustive()
    }
}

impl ProgressRegistry {
    /// An empty registry.
    pub(crate) fn new(notify: impl Fn() + Send + Sync + 'static) -> Self {
        Self { entries: Mutex::default(), notify: Box::new(notify) }
    }

    /// Adds a waiting connection. Where too many wait already, one of them is refused.
    pub(crate) fn open(self: &Arc<Self>, sender: Sender, now: MonoTime) -> ProgressStream {
        let (verdict, receiver) = watch::channel(Verdict::Pending);
        let mut entries = self.lock();
        entries.enforce_limit(MAX_WAITING, Entry::is_waiting, |entry| entry.sender.is_loopback());
        entries.enforce_limit(MAX_CLOSED, Entry::is_over, |_| ());
        let number = entries.next;
        entries.next += 1;
        let entry = Entry { sender, opened: now, has_sent: false, last: None, is_open: true, verdict };
        entries.all.insert(number, entry);
        drop(entries);
        (self.notify)();
        ProgressStream { registry: Arc::clone(self), number, verdict: receiver }
    }

    /// Takes new blocks, by connection. Closed connections are returned once more, and dropped. A connection without a verdict keeps its
    /// last block, and stays after it has closed, until the pipeline decides about it.
    pub(crate) fn take(&self) -> Vec<(u64, Post)> {
        let mut entries = self.lock();
        let mut taken = Vec::with_capacity(entries.all.len());
        for (number, entry) in &mut entries.all {
            let last = if entry.is_waiting() { None } else { entry.last.take() };
            taken.push((*number, Post { last, is_open: entry.is_open }));
        }
        entries.all.retain(|_, entry| !entry.is_over());
        taken
    }

    /// Takes the last block of a connection, and the block's time.
    pub(crate) fn take_block(&self, number: u64) -> Option<(Block, MonoTime)> {
        self.lock().all.get_mut(&number)?.last.take()
    }

    /// Senders of connections without a verdict, the oldest first.
    pub(crate) fn pending(&self) -> Vec<(u64, Sender)> {
        let entries = self.lock();
        let pending = entries.all.iter().filter(|(_, entry)| entry.is_waiting());
        pending.map(|(number, entry)| (*number, entry.sender.clone())).collect()
    }

    /// Accepts a connection. At the limit, the connection that has been silent longest gives way; where none is silent,
    /// the connection is refused and the result is `false`.
    pub(crate) fn accept(&self, number: u64, now: MonoTime) -> bool {
        let mut entries = self.lock();
        let accepted = || entries.all.iter().filter(|(_, entry)| entry.is_accepted());
        if accepted().count() >= MAX_ACCEPTED {
            let silent = accepted().find(|(_, entry)| entry.is_silent(now)).map(|(number, _)| *number);
            let Some(silent) = silent else {
                entries.refuse(number, Refusal::Crowded);
                return false;
            };
            entries.refuse(silent, Refusal::Silent);
        }
        entries.all.get(&number).is_some_and(|entry| {
            entry.verdict.send_replace(Verdict::Matched);
            true
        })
    }

    /// Refuses a connection.
    pub(crate) fn refuse(&self, number: u64, refusal: Refusal) {
        self.lock().refuse(number, refusal);
    }

    /// Makes way for another connection of the same transcode: a connection that never sent a block is refused. `false` where the
    /// connection is open and has sent one, or has just begun.
    pub(crate) fn displace(&self, number: u64, now: MonoTime) -> bool {
        let mut entries = self.lock();
        let Some(entry) = entries.all.get(&number).filter(|entry| entry.is_open) else { return true };
        let is_silent = entry.is_silent(now);
        if is_silent {
            entries.refuse(number, Refusal::Silent);
        }
        is_silent
    }

    /// Number of refused connections so far.
    pub(crate) fn refused(&self) -> u64 {
        self.lock().refused
    }

    /// Locked only while a block is copied.
    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A listener's handle of one connection; dropped when the connection ends.
#[derive(Debug)]
pub(crate) struct ProgressStream {
    registry: Arc<ProgressRegistry>,
    number: u64,
    verdict: watch::Receiver<Verdict>,
}

impl ProgressStream {
    /// Notes that the connection has sent something.
    pub(crate) fn mark_received(&self) {
        if let Some(entry) = self.registry.lock().all.get_mut(&self.number) {
            entry.has_sent = true;
        }
    }

    /// Replaces the last block.
    pub(crate) fn set_block(&self, block: Block, now: MonoTime) {
        if let Some(entry) = self.registry.lock().all.get_mut(&self.number) {
            entry.last = Some((block, now));
        }
    }

    /// Waits for another verdict than the last returned one; never returns when there will be none.
    pub(crate) async fn verdict(&mut self) -> Verdict {
        match self.verdict.changed().await {
            Ok(()) => *self.verdict.borrow_and_update(),
            // The entry was dropped. A last verdict came before that, and was returned.
            Err(_) => std::future::pending().await,
        }
    }

    /// Refuses the connection because it is silent.
    pub(crate) fn refuse_silent(&self) {
        self.registry.refuse(self.number, Refusal::Silent);
    }
}

impl Drop for ProgressStream {
    fn drop(&mut self) {
        if let Some(entry) = self.registry.lock().all.get_mut(&self.number) {
            entry.is_open = false;
        }
    }
}
