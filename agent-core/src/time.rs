//! Points in time, on the monotonic clock and on the wall clock.
//!
//! All times are measured on `CLOCK_MONOTONIC`, the clock of `bpf_ktime_get_ns()`, so that times of the kernel and of the agent have
//! the same scale. Wall-clock time is only for display and for result files.

use std::time::Duration;

/// A point on `CLOCK_MONOTONIC`, in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MonoTime(pub u64);

impl MonoTime {
    /// The time since `earlier`; zero when `earlier` is later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// The point `duration` later.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)))
    }
}

/// Seconds since 1970, UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub struct WallTime(pub f64);

/// One moment on both clocks.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Moment {
    /// On the monotonic clock.
    pub mono: MonoTime,
    /// On the wall clock.
    pub wall: WallTime,
}

impl Moment {
    /// The wall-clock time of another point on the monotonic clock.
    pub fn wall_of(self, at: MonoTime) -> WallTime {
        WallTime(self.wall.0 + at.since(self.mono).as_secs_f64() - self.mono.since(at).as_secs_f64())
    }
}
