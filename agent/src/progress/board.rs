//! What has each connection said last, and whose is it?

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::clock::MonoTime;
use crate::model::progress::Block;

/// Connections that are heard at once.
const MAX_POSTS: usize = 256;

/// Who posts, as far as the connection tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sender {
    /// What stands behind `/progress/`.
    pub id: String,
    /// Its end of the connection; `None` when the connection came over something that has no address.
    pub peer: Option<SocketAddr>,
}

impl Sender {
    /// Whether it is on this host by its address alone.
    pub fn is_loopback(&self) -> bool {
        self.peer.is_none_or(|peer| peer.ip().to_canonical().is_loopback())
    }

    /// Its address, when that says where it is.
    pub fn address(&self) -> Option<IpAddr> {
        self.peer.map(|peer| peer.ip().to_canonical()).filter(|address| !address.is_loopback())
    }
}

/// What becomes of a post.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verdict {
    /// Nobody has found out yet.
    #[default]
    Pending,
    /// It is a transcode's.
    Matched,
    /// It is no running transcode's.
    Unknown,
    /// It comes from elsewhere, and nobody has allowed that.
    Remote,
}

/// One connection.
#[derive(Clone, Debug)]
pub struct Post {
    /// Who.
    pub sender: Sender,
    /// Its last block that was not taken yet, and when it came.
    pub last: Option<(Block, MonoTime)>,
    /// Whether there may be more.
    pub is_open: bool,
    verdict: Verdict,
}

/// All connections.
pub struct Board {
    posts: Mutex<Posts>,
    /// Rung when there is a new one: a short encode is over before the next tick, and then its socket is gone.
    bell: Box<dyn Fn() + Send + Sync>,
}

#[derive(Debug, Default)]
struct Posts {
    next: u64,
    all: BTreeMap<u64, Post>,
}

impl fmt::Debug for Board {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Board").field("posts", &self.posts).finish_non_exhaustive()
    }
}

impl Board {
    /// An empty board.
    pub fn new(bell: impl Fn() + Send + Sync + 'static) -> Self {
        Self { posts: Mutex::default(), bell: Box::new(bell) }
    }

    /// A connection begins; `None` when there are too many.
    pub fn open(self: &Arc<Self>, sender: Sender) -> Option<Ticket> {
        let mut posts = self.lock();
        if posts.all.len() >= MAX_POSTS {
            return None;
        }
        let number = posts.next;
        posts.next += 1;
        posts.all.insert(number, Post { sender, last: None, is_open: true, verdict: Verdict::Pending });
        drop(posts);
        (self.bell)();
        Some(Ticket { board: Arc::clone(self), number })
    }

    /// Takes what has come in since the last time, by connection. Those that are closed are given once more, and forgotten.
    pub fn take(&self) -> Vec<(u64, Post)> {
        let mut posts = self.lock();
        let mut taken = Vec::with_capacity(posts.all.len());
        for (number, post) in &mut posts.all {
            taken.push((*number, Post { last: post.last.take(), ..post.clone() }));
        }
        posts.all.retain(|_, post| post.is_open);
        taken
    }

    /// Who has opened a connection that nobody has judged yet.
    pub fn pending(&self) -> Vec<(u64, Sender)> {
        let posts = self.lock();
        let pending = posts.all.iter().filter(|(_, post)| post.verdict == Verdict::Pending);
        pending.map(|(number, post)| (*number, post.sender.clone())).collect()
    }

    /// Says what becomes of a connection.
    pub fn judge(&self, number: u64, verdict: Verdict) {
        if let Some(post) = self.lock().all.get_mut(&number) {
            post.verdict = verdict;
        }
    }

    /// Held for as long as it takes to copy a block.
    fn lock(&self) -> MutexGuard<'_, Posts> {
        self.posts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A listener's hold on one connection; dropped when it ends.
#[derive(Debug)]
pub struct Ticket {
    board: Arc<Board>,
    number: u64,
}

impl Ticket {
    /// Puts up a block in place of the one before, and says what becomes of the connection.
    pub fn tell(&self, block: Block, now: MonoTime) -> Verdict {
        self.board.lock().all.get_mut(&self.number).map_or(Verdict::Unknown, |post| {
            post.last = Some((block, now));
            post.verdict
        })
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if let Some(post) = self.board.lock().all.get_mut(&self.number) {
            post.is_open = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn sender(id: &str, peer: &str) -> Sender {
        Sender { id: id.to_owned(), peer: Some(peer.parse().unwrap()) }
    }

    fn block(frames: u64) -> Block {
        Block { frames: Some(frames), ..Block::default() }
    }

    #[test]
    fn the_last_block_is_taken_once_and_a_closed_connection_is_given_once_more() {
        let rung = Arc::new(AtomicUsize::new(0));
        let bell = Arc::clone(&rung);
        let board = Arc::new(Board::new(move || {
            bell.fetch_add(1, Ordering::Relaxed);
        }));
        let ticket = board.open(sender("a", "127.0.0.1:40000")).unwrap();
        assert_eq!(rung.load(Ordering::Relaxed), 1);
        assert_eq!(board.pending().len(), 1);
        ticket.tell(block(1), MonoTime(1));
        assert_eq!(ticket.tell(block(2), MonoTime(2)), Verdict::Pending);
        let (number, post) = board.take().pop().unwrap();
        assert_eq!(post.last, Some((block(2), MonoTime(2))));
        board.judge(number, Verdict::Matched);
        assert_eq!(board.pending(), []);
        assert_eq!(board.take()[0].1.last, None);
        assert_eq!(ticket.tell(block(3), MonoTime(3)), Verdict::Matched);
        drop(ticket);
        let (_, post) = board.take().pop().unwrap();
        assert_eq!((post.last, post.is_open), (Some((block(3), MonoTime(3))), false));
        assert!(board.take().is_empty());
    }

    #[test]
    fn there_is_room_for_so_many() {
        let board = Arc::new(Board::new(|| {}));
        let tickets: Vec<Ticket> =
            (0..MAX_POSTS).map(|_| board.open(sender("a", "127.0.0.1:1")).unwrap()).collect();
        assert!(board.open(sender("a", "127.0.0.1:1")).is_none());
        drop(tickets);
        board.take();
        assert!(board.open(sender("a", "127.0.0.1:1")).is_some());
    }

    #[test]
    fn addresses_that_say_where_a_sender_is() {
        assert!(sender("a", "[::ffff:127.0.0.1]:1").is_loopback());
        assert_eq!(sender("a", "[::1]:1").address(), None);
        let mapped = sender("a", "[::ffff:172.17.0.2]:1");
        assert_eq!(mapped.address(), Some("172.17.0.2".parse().unwrap()));
        assert!(!mapped.is_loopback());
    }
}
