//! Limits connections of a listener, and chooses the connection to close when one more arrives.
//!
//! A listener has a fixed number of permits. When all are taken, a new connection gets the permit of the connection that has been idle
//! longest; when all are active, that of the connection whose request has lasted longest. So clients that only hold connections open
//! displace each other, and a scraper, which sends its request at once and is answered within milliseconds, is served. A connection
//! that posts the progress of a known transcode is the last to be closed, however long it lasts.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use agent_core::model::progress::Ends;
use tokio::task::AbortHandle;

/// The permits of one listener.
#[derive(Clone, Debug)]
pub(super) struct ConnectionLimiter {
    shared: Arc<Mutex<Permits>>,
}

#[derive(Debug, Default)]
struct Permits {
    limit: usize,
    /// Counts all events: a clock for "longest".
    now: u64,
    taken: HashMap<u64, Holder>,
}

/// Activity of a connection; the least is closed first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Activity {
    Idle,
    Answered,
    Kept,
}

#[derive(Debug)]
struct Holder {
    activity: Activity,
    since: u64,
    /// Handle to end it; unknown between taking the permit and starting.
    end: Option<AbortHandle>,
}

impl Permits {
    fn tick(&mut self) -> u64 {
        self.now += 1;
        self.now
    }
}

/// A permit of one connection; released when dropped.
#[derive(Debug)]
pub(super) struct Permit {
    limiter: ConnectionLimiter,
    id: u64,
    ends: Option<Ends>,
}

/// A request that is being answered; as long as it exists, its connection is active.
#[derive(Debug)]
pub(super) struct ActiveRequest(Arc<Permit>);

impl ConnectionLimiter {
    pub(super) fn new(limit: usize) -> Self {
        Self { shared: Arc::new(Mutex::new(Permits { limit, ..Permits::default() })) }
    }

    fn lock(&self) -> MutexGuard<'_, Permits> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a permit for a connection, if necessary from another one.
    pub(super) fn acquire(&self, ends: Option<Ends>) -> Permit {
        let mut permits = self.lock();
        if permits.taken.len() >= permits.limit {
            let longest = permits.taken.iter().min_by_key(|(_, holder)| (holder.activity, holder.since));
            if let Some(id) = longest.map(|(id, _)| *id)
                && let Some(Holder { end: Some(end), .. }) = permits.taken.remove(&id)
            {
                end.abort();
            }
        }
        let id = permits.tick();
        permits.taken.insert(id, Holder { activity: Activity::Idle, since: id, end: None });
        drop(permits);
        Permit { limiter: self.clone(), id, ends }
    }

    /// Registers the handle by which the connection of this permit can be ended.
    pub(super) fn register(&self, id: u64, end: AbortHandle) {
        match self.lock().taken.get_mut(&id) {
            Some(holder) => holder.end = Some(end),
            // Already ended, or displaced before it began.
            None => end.abort(),
        }
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.lock().taken.len()
    }
}

impl Permit {
    pub(super) fn id(&self) -> u64 {
        self.id
    }

    /// The connection; `None` on a transport without addresses.
    pub(super) fn ends(&self) -> Option<Ends> {
        self.ends
    }

    /// Marks the connection to be closed after all others, until the present request has been answered.
    pub(super) fn keep(&self) {
        self.mark(Activity::Kept);
    }

    fn mark(&self, activity: Activity) {
        let mut permits = self.limiter.lock();
        let now = permits.tick();
        if let Some(holder) = permits.taken.get_mut(&self.id) {
            (holder.activity, holder.since) = (activity, now);
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.limiter.lock().taken.remove(&self.id);
    }
}

impl ActiveRequest {
    pub(super) fn begin(permit: &Arc<Permit>) -> Self {
        permit.mark(Activity::Answered);
        Self(Arc::clone(permit))
    }
}

impl Drop for ActiveRequest {
    fn drop(&mut self) {
        self.0.mark(Activity::Idle);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task() -> (tokio::task::JoinHandle<()>, AbortHandle) {
        let task = tokio::spawn(std::future::pending());
        let end = task.abort_handle();
        (task, end)
    }

    #[tokio::test]
    async fn the_longest_idle_connection_is_closed_and_active_ones_stay() {
        let limiter = ConnectionLimiter::new(2);
        let (first, second) = (Arc::new(limiter.acquire(None)), Arc::new(limiter.acquire(None)));
        let ((one, end_one), (two, end_two)) = (task(), task());
        limiter.register(first.id(), end_one);
        limiter.register(second.id(), end_two);
        let active = ActiveRequest::begin(&first);
        let third = limiter.acquire(None);
        assert!(two.await.unwrap_err().is_cancelled(), "the first is active, so the second is closed");
        drop(second);
        assert_eq!(limiter.len(), 2, "a displaced permit is not released twice");
        let (three, end_three) = task();
        limiter.register(third.id(), end_three);
        drop(active);
        let _fourth = limiter.acquire(None);
        assert!(three.await.unwrap_err().is_cancelled(), "the first was active later");
        assert!(!one.is_finished());
    }

    #[tokio::test]
    async fn when_all_are_active_the_oldest_is_closed() {
        let limiter = ConnectionLimiter::new(1);
        let permit = Arc::new(limiter.acquire(None));
        let (task, end) = task();
        limiter.register(permit.id(), end);
        let _active = ActiveRequest::begin(&permit);
        let _next = limiter.acquire(None);
        assert!(task.await.unwrap_err().is_cancelled());
    }

    #[tokio::test]
    async fn a_connection_with_a_transcode_is_closed_after_active_ones() {
        let limiter = ConnectionLimiter::new(2);
        let (kept, other) = (Arc::new(limiter.acquire(None)), Arc::new(limiter.acquire(None)));
        let ((one, end_one), (two, end_two)) = (task(), task());
        limiter.register(kept.id(), end_one);
        limiter.register(other.id(), end_two);
        let _active = [ActiveRequest::begin(&kept), ActiveRequest::begin(&other)];
        kept.keep();
        let _next = limiter.acquire(None);
        assert!(two.await.unwrap_err().is_cancelled());
        assert!(!one.is_finished());
    }

    #[tokio::test]
    async fn a_connection_that_is_displaced_before_it_begins_never_begins() {
        let limiter = ConnectionLimiter::new(1);
        let first = limiter.acquire(None);
        let _second = limiter.acquire(None);
        let (task, end) = task();
        limiter.register(first.id(), end);
        assert!(task.await.unwrap_err().is_cancelled());
        drop(first);
        assert_eq!(limiter.len(), 1);
    }
}
