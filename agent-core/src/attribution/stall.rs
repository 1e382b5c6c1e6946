//! Computes the part of the window before a stall that the energy after the stall pays for.
//!
//! A counter that stops counting does so in the middle of a window: the step of that window is short, and the missing energy is in the jump
//! with which the counter catches up. So the jump is charged, in part, to the claimants that ran in that window.

use std::time::Duration;

use crate::units::{CpuTime, MicroJoules, Ratio, Watts};

/// A span of a zone: its energy, its length, and busy time of its CPUs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Span {
    /// Counted energy.
    pub energy: MicroJoules,
    /// Length.
    pub duration: Duration,
    /// Busy CPU time.
    pub busy: CpuTime,
}

/// Part of the window before a stall that its energy has not paid for.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Shortfall {
    /// The part of the last tick's demand that has not been paid for.
    pub dynamic: Ratio,
    /// The time for which the idle power has not been paid.
    pub idle: Duration,
}

/// Compares the window before a stall with it and the jump together, on the assumption that a CPU second costs the same in both.
/// `last_busy` and `last_duration` are of the last tick of that window, in which alone the counter can have stopped.
pub fn shortfall(
    before: Span,
    jump: Span,
    idle: Option<Watts>,
    (last_busy, last_duration): (CpuTime, Duration),
) -> Shortfall {
    let idle_watts = idle.map_or(0.0, |power| power.0);
    let dynamic = |energy: f64, duration: Duration| (energy - idle_watts * duration.as_secs_f64()).max(0.0);
    let busy = before.busy.seconds() + jump.busy.seconds();
    let last = last_busy.seconds();
    let missing = if busy > 0.0 && last > 0.0 {
        let whole = dynamic(before.energy.joules() + jump.energy.joules(), before.duration + jump.duration);
        let price = whole / busy;
        let lacks = price * before.busy.seconds() - dynamic(before.energy.joules(), before.duration);
        if price > 0.0 { (lacks / (price * last)).clamp(0.0, 1.0) } else { 0.0 }
    } else {
        0.0
    };
    let unpaid = if idle_watts > 0.0 {
        let paid = Duration::try_from_secs_f64(before.energy.joules() / idle_watts).unwrap_or(Duration::MAX);
        before.duration.saturating_sub(paid).min(last_duration)
    } else {
        Duration::ZERO
    };
    Shortfall { dynamic: Ratio(missing), idle: unpaid }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn span(joules: f64, seconds: f64, busy: f64) -> Span {
        Span {
            energy: MicroJoules::from_joules(joules).unwrap(),
            duration: Duration::from_secs_f64(seconds),
            busy: CpuTime::from_seconds(busy).unwrap(),
        }
    }

    #[test]
    fn a_whole_window_lacks_nothing() {
        let last = (CpuTime(1_000_000_000), SECOND);
        let shortfall = shortfall(span(20.0, 1.0, 1.0), span(80.0, 4.0, 4.0), Some(Watts(10.0)), last);
        assert_eq!(shortfall, Shortfall::default());
    }

    #[test]
    fn a_counter_that_stopped_half_way_lacks_half() {
        // 10 W idle and 10 W a busy CPU; the counter stopped after half a second.
        let last = (CpuTime(1_000_000_000), SECOND);
        let half = shortfall(span(10.0, 1.0, 1.0), span(90.0, 4.0, 4.0), Some(Watts(10.0)), last);
        // The step paid for idle power alone, so all demand is owed and no idle power.
        assert_eq!((half.dynamic, half.idle), (Ratio(1.0), Duration::ZERO));
        let without_idle = shortfall(span(10.0, 1.0, 1.0), span(90.0, 4.0, 4.0), None, last);
        assert_eq!(without_idle.dynamic, Ratio(0.5));
    }

    #[test]
    fn idle_power_that_was_not_paid_is_paid_later() {
        let last = (CpuTime(500_000_000), SECOND);
        let early = shortfall(span(2.5, 1.0, 0.5), span(60.0, 4.0, 2.0), Some(Watts(10.0)), last);
        assert_eq!(early.idle, Duration::from_millis(750));
    }

    #[test]
    fn nothing_is_divided_by_nothing() {
        let none = shortfall(span(0.0, 0.0, 0.0), span(0.0, 0.0, 0.0), None, (CpuTime::ZERO, Duration::ZERO));
        assert_eq!(none, Shortfall::default());
    }
}
