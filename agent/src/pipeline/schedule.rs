//! Keeps the schedule of ticks: when the next one is due, how long each took, and which were missed.

use std::time::Duration;

use agent_core::model::health::DurationHistogram;
use agent_core::time::MonoTime;

use crate::clock::Clock;

/// Bounds of the tick histogram in seconds: from a tick of a small host to one of an overloaded host.
const TICK_BOUNDS: [f64; 10] = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0];

/// Difference of suspended time below which there was no suspend: the two clocks are read one after the other.
const READ_APART: Duration = Duration::from_millis(100);

/// The schedule, and the ticks so far.
pub(super) struct Schedule {
    interval: Duration,
    number: u64,
    last: MonoTime,
    missed: u64,
    /// Time for which the host has been suspended.
    asleep: Duration,
    durations: DurationHistogram,
}

/// The time that a tick charges: since the tick before it.
#[derive(Clone, Copy, Debug)]
pub(super) struct TickSpan {
    pub(super) from: MonoTime,
    pub(super) to: MonoTime,
}

impl Schedule {
    pub(super) fn new(interval: Duration, clock: &dyn Clock) -> Self {
        Self {
            interval,
            number: 0,
            last: clock.now(),
            missed: 0,
            asleep: clock.suspended(),
            durations: DurationHistogram::new(&TICK_BOUNDS),
        }
    }

    /// Due time of the first tick.
    pub(super) fn first_due(&self, now: MonoTime) -> MonoTime {
        now.plus(self.interval)
    }

    /// Due time of the tick after the one that was due at `due`. Missed ticks are counted and not repeated.
    pub(super) fn next_due(&mut self, due: MonoTime, now: MonoTime) -> MonoTime {
        let mut next = due.plus(self.interval);
        while next <= now {
            next = next.plus(self.interval);
            self.missed += 1;
        }
        next
    }

    /// Begins a tick.
    pub(super) fn begin(&mut self, now: MonoTime) -> TickSpan {
        self.number += 1;
        TickSpan { from: std::mem::replace(&mut self.last, now), to: now }
    }

    /// Ends a tick that began at `began`.
    pub(super) fn end(&mut self, began: MonoTime, now: MonoTime) {
        self.durations.observe(now.since(began));
    }

    /// Whether the host was suspended since the last call.
    pub(super) fn has_slept(&mut self, clock: &dyn Clock) -> bool {
        let before = std::mem::replace(&mut self.asleep, clock.suspended());
        let has_slept = self.asleep > before + READ_APART;
        if has_slept {
            let slept = self.asleep.saturating_sub(before);
            tracing::info!(?slept, "the host was suspended: the energy counters restart");
        }
        has_slept
    }

    /// Number of ticks so far.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// Time of the last tick, or of the start.
    pub(super) fn last(&self) -> MonoTime {
        self.last
    }

    /// Ticks that were due while the agent could not run.
    pub(super) fn missed(&self) -> u64 {
        self.missed
    }

    /// Durations of the ticks.
    pub(super) fn durations(&self) -> &DurationHistogram {
        &self.durations
    }
}
