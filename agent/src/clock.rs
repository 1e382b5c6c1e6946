//! Reads the kernel's clocks. No other file does.

#[cfg(test)]
pub(crate) mod manual;

use std::time::Duration;

use agent_core::time::{Moment, MonoTime, WallTime};
use rustix::time::{ClockId, clock_gettime};

/// Source of time: the kernel, or a test.
pub(crate) trait Clock: Send {
    /// Now, on the monotonic clock.
    fn now(&self) -> MonoTime;
    /// Now, on the wall clock.
    fn wall(&self) -> WallTime;
    /// Time for which the host has been suspended since boot: a change means that it slept.
    fn suspended(&self) -> Duration;
    /// Now, on both clocks.
    fn moment(&self) -> Moment {
        Moment { mono: self.now(), wall: self.wall() }
    }
}

/// The kernel's clocks.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> MonoTime {
        MonoTime(u64::try_from(read(ClockId::Monotonic).as_nanos()).unwrap_or(u64::MAX))
    }

    fn wall(&self) -> WallTime {
        WallTime(read(ClockId::Realtime).as_secs_f64())
    }

    fn suspended(&self) -> Duration {
        // CLOCK_BOOTTIME is CLOCK_MONOTONIC plus the time asleep (clock_gettime(2)).
        let monotonic = read(ClockId::Monotonic);
        read(ClockId::Boottime).saturating_sub(monotonic)
    }
}

fn read(clock: ClockId) -> Duration {
    let time = clock_gettime(clock);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}
