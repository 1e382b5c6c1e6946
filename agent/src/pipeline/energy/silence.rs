//! Decides when an energy source that gives nothing is given up: its counters do not move, or cannot be read, while CPUs are busy.

use std::time::Duration;

use agent_core::time::MonoTime;
use agent_core::units::CpuTime;

/// Limit for counters that have never moved: a real one moves every millisecond.
const NEVER_MOVED: Duration = Duration::from_secs(8);

/// Limit for counters that have moved: drivers and hypervisors hold them still for seconds.
const HAS_MOVED: Duration = Duration::from_mins(1);

/// Busy time below which a standstill does not count.
const BUSY: CpuTime = CpuTime(2_000_000_000);

/// Time for which a source has given no energy.
#[derive(Clone, Copy, Debug)]
pub(super) struct Silence {
    since: MonoTime,
    has_moved: bool,
    busy: CpuTime,
}

impl Silence {
    /// A source that has just been opened.
    pub(super) fn begin(now: MonoTime) -> Self {
        Self { since: now, has_moved: false, busy: CpuTime::ZERO }
    }

    /// Time of the last movement of a counter.
    pub(super) fn since(&self) -> MonoTime {
        self.since
    }

    /// Adds a tick: whether any counter has moved in it, and the busy time of CPUs.
    pub(super) fn observe(&mut self, now: MonoTime, moved: bool, busy: CpuTime) {
        if moved {
            *self = Self { since: now, has_moved: true, busy: CpuTime::ZERO };
        } else {
            self.busy += busy;
        }
    }

    /// Whether the source is given up.
    pub(super) fn is_over(&self, now: MonoTime) -> bool {
        let patience = if self.has_moved { HAS_MOVED } else { NEVER_MOVED };
        self.busy >= BUSY && now.since(self.since) >= patience
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(number: u64) -> MonoTime {
        MonoTime(number * 1_000_000_000)
    }

    #[test]
    fn counters_that_never_moved_are_given_up_soon_and_others_late() {
        let busy = CpuTime(900_000_000);
        let mut silence = Silence::begin(second(0));
        let given_up = |silence: &mut Silence, from: u64| {
            (from..from + 200).find(|now| {
                silence.observe(second(*now), false, busy);
                silence.is_over(second(*now))
            })
        };
        assert_eq!(given_up(&mut silence, 1), Some(8));
        silence.observe(second(10), true, busy);
        assert_eq!(given_up(&mut silence, 11), Some(70));
    }

    #[test]
    fn an_idle_machine_says_nothing_about_its_counters() {
        let mut silence = Silence::begin(second(0));
        for now in 0..10_000 {
            silence.observe(second(now), false, CpuTime(100));
            assert!(!silence.is_over(second(now)));
        }
    }
}
