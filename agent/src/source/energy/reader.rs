//! Reads counters on a helper thread with a deadline, so that a driver that hangs cannot block a tick.
//!
//! A hanging driver blocks the thread that reads its file, and a blocked reader cannot be interrupted. So counters are read by a separate
//! thread, and a tick waits no longer than the deadline. A zone that does not answer keeps its thread until it does;
//! the other zones are read by a new thread. So a zone costs one thread at most, however long it hangs.

use std::io;
use std::mem;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use agent_core::model::energy::Zone;

use super::meter::RawCounter;
use crate::source::SourceError;

#[cfg(test)]
mod tests;

/// Time that a tick waits for a zone, once: later ticks only check whether the answer has arrived. Counters answer within
/// microseconds; a thread on a busy host may have to wait for a CPU.
const PATIENCE: Duration = Duration::from_millis(500);

/// A counter of a zone.
pub(super) type Raw = Box<dyn RawCounter>;

/// Result of one counter.
pub(super) type Count = Result<Option<u64>, SourceError>;

/// The counters of one zone.
pub(super) enum Counters {
    /// No thread holds them.
    Here(Vec<Raw>),
    /// A thread holds them, and has not answered yet.
    Away(Receiver<Answer>),
    /// The thread that held them has panicked.
    Gone,
}

/// Counters that return from a thread, with their results.
type Answer = (Vec<Raw>, Vec<Count>);

/// Reads counters, one zone after the other.
#[derive(Default)]
pub(super) struct Reader {
    thread: Option<Thread>,
}

struct Thread {
    orders: Sender<Vec<Raw>>,
    answers: Receiver<Answer>,
    work: JoinHandle<()>,
}

impl Reader {
    /// Ends the waiting thread; the next reading starts another. A thread has the rights of the thread that started it, so none may
    /// remain before rights are given up. A thread that a counter blocks ends after its answer.
    pub(super) fn stop_reader(&mut self) {
        if let Some(Thread { orders, work, .. }) = self.thread.take() {
            drop(orders);
            if work.join().is_err() {
                tracing::error!(
                    "the thread that reads energy counters panicked; this is a bug worth reporting"
                );
            }
        }
    }

    /// Results of a zone's counters, one for each. An error when they did not answer in time, which does not change
    /// their totals: the next answer shows their energy.
    pub(super) fn read(&mut self, zone: Zone, counters: &mut Counters) -> Result<Vec<Count>, SourceError> {
        let raw = fetch(zone, counters)?;
        let thread = match self.thread.take().map_or_else(Thread::start, Ok) {
            Ok(thread) => thread,
            Err(cause) => {
                *counters = Counters::Here(raw);
                return Err(SourceError::transient("start a thread that reads energy counters", cause));
            }
        };
        if let Err(unsent) = thread.orders.send(raw) {
            *counters = Counters::Here(unsent.0);
            return Err(gone(zone));
        }
        if let Ok((raw, counts)) = thread.answers.recv_timeout(PATIENCE) {
            *counters = Counters::Here(raw);
            self.thread = Some(thread);
            return Ok(counts);
        }
        // The thread gets no more requests, so it ends after its answer.
        *counters = Counters::Away(thread.answers);
        Err(late(zone))
    }
}

/// The counters, if no thread holds them. A late answer is not of this time and is dropped.
fn fetch(zone: Zone, counters: &mut Counters) -> Result<Vec<Raw>, SourceError> {
    match mem::replace(counters, Counters::Gone) {
        Counters::Here(raw) => Ok(raw),
        Counters::Away(answers) => match answers.try_recv() {
            Ok((raw, _)) => Ok(raw),
            Err(TryRecvError::Empty) => {
                *counters = Counters::Away(answers);
                Err(late(zone))
            }
            Err(TryRecvError::Disconnected) => Err(gone(zone)),
        },
        Counters::Gone => Err(gone(zone)),
    }
}

impl Thread {
    fn start() -> io::Result<Self> {
        let (orders, ordered) = channel::<Vec<Raw>>();
        let (answer, answers) = channel();
        let run = move || {
            for mut raw in ordered {
                let counts = raw.iter_mut().map(|counter| counter.read()).collect();
                // The meter has been dropped, so there is no receiver.
                if answer.send((raw, counts)).is_err() {
                    break;
                }
            }
        };
        let work = thread::Builder::new().name("energy".to_owned()).spawn(run)?;
        Ok(Self { orders, answers, work })
    }
}

fn late(zone: Zone) -> SourceError {
    SourceError::transient(format!("read the {zone} counter in time"), io::ErrorKind::TimedOut.into())
}

fn gone(zone: Zone) -> SourceError {
    SourceError::broken(format!(
        "the thread that reads the {zone} counter has ended; this is a bug worth reporting"
    ))
}
