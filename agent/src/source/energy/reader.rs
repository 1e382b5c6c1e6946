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

/// How long a tick waits for a zone, once: from then on it only looks whether the answer has come. Counters answer within
/// microseconds; a thread on a busy machine may wait for its turn.
const PATIENCE: Duration = Duration::from_millis(500);

/// A counter of a zone.
pub(super) type Raw = Box<dyn RawCounter>;

/// What a counter says.
pub(super) type Count = Result<Option<u64>, SourceError>;

/// The counters of one zone.
pub(super) enum Counters {
    /// Nobody reads them.
    Here(Vec<Raw>),
    /// A thread has them, and has not answered yet.
    Away(Receiver<Answer>),
    /// The thread that had them has panicked.
    Gone,
}

/// Counters that come back, with what they say.
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
    /// Ends the thread that waits for orders; the next reading starts another. A thread has the rights of the one that started it,
    /// so whoever is about to give rights up leaves none behind. One that a counter keeps goes when it has its answer.
    pub(super) fn rest(&mut self) {
        if let Some(Thread { orders, work, .. }) = self.thread.take() {
            drop(orders);
            if work.join().is_err() {
                tracing::error!(
                    "the thread that reads energy counters panicked; this is a bug worth reporting"
                );
            }
        }
    }

    /// What a zone's counters say, one answer each. An error when they did not answer in time, which says nothing about what
    /// they have counted: the next answer tells.
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
        // It gets no more orders, so it ends when it has answered.
        *counters = Counters::Away(thread.answers);
        Err(late(zone))
    }
}

/// The counters, if nobody has them. An answer that comes late is not of this moment: it is dropped.
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
                // Nobody waits any more when the meter is gone.
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
