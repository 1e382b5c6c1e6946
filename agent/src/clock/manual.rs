//! A clock that a test moves and the tested code reads.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use agent_core::time::{MonoTime, WallTime};

use super::Clock;

/// Wall time at monotonic time zero, in Unix seconds.
const WALL_AT_ZERO: f64 = 1_800_000_000.0;

/// Clones show the same time.
#[derive(Clone, Debug, Default)]
pub(crate) struct TestClock(Arc<Hands>);

#[derive(Debug, Default)]
struct Hands {
    monotonic: AtomicU64,
    /// Seconds by which a test has set the wall clock.
    set: AtomicI64,
    asleep: AtomicU64,
}

impl TestClock {
    /// Begins at a monotonic time.
    pub(crate) fn at(time: MonoTime) -> Self {
        let clock = Self::default();
        clock.advance(Duration::from_nanos(time.0));
        clock
    }
    pub(crate) fn advance(&self, duration: Duration) {
        self.0.monotonic.fetch_add(duration.as_nanos() as u64, Ordering::Relaxed);
    }
    /// Sets the wall clock, and only the wall clock, by this many seconds.
    pub(crate) fn set(&self, seconds: i64) {
        self.0.set.fetch_add(seconds, Ordering::Relaxed);
    }
    /// Suspends the host: the monotonic clock stands still.
    pub(crate) fn sleep(&self, duration: Duration) {
        self.0.asleep.fetch_add(duration.as_nanos() as u64, Ordering::Relaxed);
    }
}

impl Clock for TestClock {
    fn now(&self) -> MonoTime {
        MonoTime(self.0.monotonic.load(Ordering::Relaxed))
    }
    fn wall(&self) -> WallTime {
        let set = self.0.set.load(Ordering::Relaxed);
        WallTime(WALL_AT_ZERO + self.now().0 as f64 / 1e9 + set as f64)
    }
    fn suspended(&self) -> Duration {
        Duration::from_nanos(self.0.asleep.load(Ordering::Relaxed))
    }
}
