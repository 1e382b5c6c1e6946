//! Scrapes the agent all the time, and measures how fast each scrape is answered.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tests::agent::Ports;
use tests::command::{now, pause};
use tests::http;

/// Pause between two scrapes.
const PAUSE: Duration = Duration::from_millis(100);

#[derive(Debug, Default)]
struct Shared {
    stop: AtomicBool,
    /// Held during a scrape, and while the agent is kept from answering.
    turn: Mutex<()>,
    slowest: AtomicU64,
    answers: AtomicU64,
    refusals: AtomicU64,
}

/// Scrapes one port after the other, all the time.
#[derive(Debug)]
pub(super) struct Prober {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// Results of the scrapes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Answers {
    /// Scrapes that were answered with 200.
    pub(super) answers: u64,
    /// Scrapes with another answer, or none.
    pub(super) refusals: u64,
    /// The longest time of a scrape.
    pub(super) slowest: Duration,
}

impl Prober {
    pub(super) fn start(ports: Ports) -> Self {
        let shared = Arc::new(Shared::default());
        let told = Arc::clone(&shared);
        let thread = thread::spawn(move || {
            for port in ports.all().into_iter().cycle() {
                if told.stop.load(Ordering::Relaxed) {
                    return;
                }
                told.scrape(port);
                pause(PAUSE);
            }
        });
        Self { shared, thread: Some(thread) }
    }

    /// Prevents scrapes while the guard is held.
    pub(super) fn hold(&self) -> MutexGuard<'_, ()> {
        self.shared.turn()
    }

    pub(super) fn finish(mut self) -> Answers {
        self.end();
        Answers {
            answers: self.shared.answers.load(Ordering::Relaxed),
            refusals: self.shared.refusals.load(Ordering::Relaxed),
            slowest: Duration::from_micros(self.shared.slowest.load(Ordering::Relaxed)),
        }
    }

    fn end(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        // A panic in it means fewer scrapes, which the verdict shows.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

impl Drop for Prober {
    fn drop(&mut self) {
        self.end();
    }
}

impl Shared {
    fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn scrape(&self, port: u16) {
        let _turn = self.turn();
        let begin = now();
        let is_answered = http::get(port, "/metrics").is_ok_and(|answer| answer.status == 200);
        let micros = u64::try_from(begin.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.slowest.fetch_max(micros, Ordering::Relaxed);
        let count = if is_answered { &self.answers } else { &self.refusals };
        count.fetch_add(1, Ordering::Relaxed);
    }
}
