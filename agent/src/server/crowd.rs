//! How many connections may there be, and who goes when one more comes?
//!
//! A listener has a fixed number of seats. When all are taken, the newcomer gets that of whoever has kept one longest without
//! asking anything; when all are being answered, that of whoever has been at it longest. So those who open connections to keep
//! them only push out each other, and a scraper, who asks at once and is answered within milliseconds, is served.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::task::AbortHandle;

/// The seats of one listener.
#[derive(Clone, Debug)]
pub(super) struct Crowd {
    shared: Arc<Mutex<Seats>>,
}

#[derive(Debug, Default)]
struct Seats {
    limit: usize,
    /// Counts everything that happens: a clock for "longest".
    now: u64,
    taken: HashMap<u64, Sitter>,
}

#[derive(Debug)]
struct Sitter {
    is_answered: bool,
    since: u64,
    /// Ends it; not known in the moment between taking a seat and starting.
    end: Option<AbortHandle>,
}

impl Seats {
    fn tick(&mut self) -> u64 {
        self.now += 1;
        self.now
    }
}

/// A taken seat; free again when dropped.
#[derive(Debug)]
pub(super) struct Seat {
    crowd: Crowd,
    id: u64,
}

/// As long as this lives, its seat's owner is being answered.
#[derive(Debug)]
pub(super) struct Answering(Arc<Seat>);

impl Crowd {
    pub(super) fn new(limit: usize) -> Self {
        Self { shared: Arc::new(Mutex::new(Seats { limit, ..Seats::default() })) }
    }

    fn lock(&self) -> MutexGuard<'_, Seats> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a seat, somebody else's if need be.
    pub(super) fn sit(&self) -> Seat {
        let mut seats = self.lock();
        if seats.taken.len() >= seats.limit {
            let longest = seats.taken.iter().min_by_key(|(_, sitter)| (sitter.is_answered, sitter.since));
            if let Some(id) = longest.map(|(id, _)| *id)
                && let Some(Sitter { end: Some(end), .. }) = seats.taken.remove(&id)
            {
                end.abort();
            }
        }
        let id = seats.tick();
        seats.taken.insert(id, Sitter { is_answered: false, since: id, end: None });
        drop(seats);
        Seat { crowd: self.clone(), id }
    }

    /// Says how whoever has this seat can be ended.
    pub(super) fn introduce(&self, id: u64, end: AbortHandle) {
        match self.lock().taken.get_mut(&id) {
            Some(sitter) => sitter.end = Some(end),
            // Gone already, or pushed out before it began.
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

    fn mark(&self, is_answered: bool) {
        let mut seats = self.crowd.lock();
        let now = seats.tick();
        if let Some(sitter) = seats.taken.get_mut(&self.id) {
            (sitter.is_answered, sitter.since) = (is_answered, now);
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
        seat.mark(true);
        Self(Arc::clone(seat))
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.0.mark(false);
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
        let (first, second) = (Arc::new(crowd.sit()), Arc::new(crowd.sit()));
        let ((one, end_one), (two, end_two)) = (task(), task());
        crowd.introduce(first.id(), end_one);
        crowd.introduce(second.id(), end_two);
        let answering = Answering::begin(&first);
        let third = crowd.sit();
        assert!(two.await.unwrap_err().is_cancelled(), "the first is being answered, so the second goes");
        drop(second);
        assert_eq!(crowd.len(), 2, "a seat that was lost is not given up twice");
        let (three, end_three) = task();
        crowd.introduce(third.id(), end_three);
        drop(answering);
        let _fourth = crowd.sit();
        assert!(three.await.unwrap_err().is_cancelled(), "the first has asked something since");
        assert!(!one.is_finished());
    }

    #[tokio::test]
    async fn when_all_are_answered_the_oldest_goes() {
        let crowd = Crowd::new(1);
        let seat = Arc::new(crowd.sit());
        let (task, end) = task();
        crowd.introduce(seat.id(), end);
        let _answering = Answering::begin(&seat);
        let _next = crowd.sit();
        assert!(task.await.unwrap_err().is_cancelled());
    }

    #[tokio::test]
    async fn one_that_was_pushed_out_before_it_began_never_begins() {
        let crowd = Crowd::new(1);
        let first = crowd.sit();
        let _second = crowd.sit();
        let (task, end) = task();
        crowd.introduce(first.id(), end);
        assert!(task.await.unwrap_err().is_cancelled());
        drop(first);
        assert_eq!(crowd.len(), 1);
    }
}
