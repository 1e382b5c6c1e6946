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
pub(super) struct Crowd {
    shared: Arc<Mutex<Seats>>,
}

#[derive(Debug, Default)]
struct Seats {
    limit: usize,
    /// Counts all events: a clock for "longest".
    now: u64,
    taken: HashMap<u64, Sitter>,
}

/// Activity of a connection; the least is closed first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Activity {
    Idle,
    Answered,
    Kept,
}

#[derive(Debug)]
struct Sitter {
    activity: Activity,
    since: u64,
    /// Handle to end it; unknown between taking the permit and starting.
    end: Option<AbortHandle>,
}

impl Seats {
    fn tick(&mut self) -> u64 {
        self.now += 1;
        self.now
    }
}

/// A permit of one connection; released when dropped.
#[derive(Debug)]
pub(super) struct Seat {
    crowd: Crowd,
    id: u64,
    ends: Option<Ends>,
}

/// As long as this lives, the connection is answering a request.
#[derive(Debug)]
pub(super) struct Answering(Arc<Seat>);

impl Crowd {
    pub(super) fn new(limit: usize) -> Self {
        Self { shared: Arc::new(Mutex::new(Seats { limit, ..Seats::default() })) }
    }

    fn lock(&self) -> MutexGuard<'_, Seats> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a permit for a connection, if necessary from another one.
    pub(super) fn sit(&self, ends: Option<Ends>) -> Seat {
        let mut seats = self.lock();
        if seats.taken.len() >= seats.limit {
            let longest = seats.taken.iter().min_by_key(|(_, sitter)| (sitter.activity, sitter.since));
            if let Some(id) = longest.map(|(id, _)| *id)
                && let Some(Sitter { end: Some(end), .. }) = seats.taken.remove(&id)
            {
                end.abort();
            }
        }
        let id = seats.tick();
        seats.taken.insert(id, Sitter { activity: Activity::Idle, since: id, end: None });
        drop(seats);
        Seat { crowd: self.clone(), id, ends }
    }

    /// Registers the handle by which the connection of this permit can be ended.
    pub(super) fn introduce(&self, id: u64, end: AbortHandle) {
        match self.lock().taken.get_mut(&id) {
            Some(sitter) => sitter.end = Some(end),
            // Already ended, or displaced before it began.
            None => end.abort(),
        }
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        self.lock().taken.len()
    }
}

impl Seat {
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
        let mut seats = self.crowd.lock();
        let now = seats.tick();
        if let Some(sitter) = seats.taken.get_mut(&self.id) {
            (sitter.activity, sitter.since) = (activity, now);
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.crowd.lock().taken.remove(&self.id);
    }
}

impl Answering {
    pub(super) fn begin(seat: &Arc<Seat>) -> Self {
        seat.mark(Activity::Answered);
        Self(Arc::clone(seat))
    }
}

impl Drop for Answering {
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
    async fn the_one_who_waits_longest_goes_and_those_who_are_answered_stay() {
        let crowd = Crowd::new(2);
        let (first, second) = (Arc::new(crowd.sit(None)), Arc::new(crowd.sit(None)));
        let ((one, end_one), (two, end_two)) = (task(), task());
        crowd.introduce(first.id(), end_one);
        crowd.introduce(second.id(), end_two);
        let answering = Answering::begin(&first);
        let third = crowd.sit(None);
        assert!(two.await.unwrap_err().is_cancelled(), "the first is being answered, so the second goes");
        drop(second);
        assert_eq!(crowd.len(), 2, "a seat that was lost is not given up twice");
        let (three, end_three) = task();
        crowd.introduce(third.id(), end_three);
        drop(answering);
        let _fourth = crowd.sit(None);
        assert!(three.await.unwrap_err().is_cancelled(), "the first has asked something since");
        assert!(!one.is_finished());
    }

    #[tokio::test]
    async fn when_all_are_answered_the_oldest_goes() {
        let crowd = Crowd::new(1);
        let seat = Arc::new(crowd.sit(None));
        let (task, end) = task();
        crowd.introduce(seat.id(), end);
        let _answering = Answering::begin(&seat);
        let _next = crowd.sit(None);
        assert!(task.await.unwrap_err().is_cancelled());
    }

    #[tokio::test]
    async fn one_that_posts_for_a_transcode_outlasts_those_that_are_answered() {
        let crowd = Crowd::new(2);
        let (kept, other) = (Arc::new(crowd.sit(None)), Arc::new(crowd.sit(None)));
        let ((one, end_one), (two, end_two)) = (task(), task());
        crowd.introduce(kept.id(), end_one);
        crowd.introduce(other.id(), end_two);
        let _answering = [Answering::begin(&kept), Answering::begin(&other)];
        kept.keep();
        let _next = crowd.sit(None);
        assert!(two.await.unwrap_err().is_cancelled());
        assert!(!one.is_finished());
    }

    #[tokio::test]
    async fn one_that_was_pushed_out_before_it_began_never_begins() {
        let crowd = Crowd::new(1);
        let first = crowd.sit(None);
        let _second = crowd.sit(None);
        let (task, end) = task();
        crowd.introduce(first.id(), end);
        assert!(task.await.unwrap_err().is_cancelled());
        drop(first);
        assert_eq!(crowd.len(), 1);
    }
}
