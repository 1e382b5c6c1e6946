//! Tests that idle power is learned from quiet stretches only, falls at once, and rises after a week that contradicts it.

use super::*;
use crate::model::energy::{Domain, Scope};

const ZONE: Zone = Zone { scope: Scope::Package(0), domain: Domain::Package };
const SECOND: Duration = Duration::from_secs(1);
const HOUR: u32 = 3600;

/// Lengths of a quiet and of a busy window over days. Six quiet hours have the stretches of [`QUIET_DAY`].
const QUIET: Duration = Duration::from_mins(if cfg!(miri) { 60 } else { 1 });
const BUSY: Duration = Duration::from_hours(if cfg!(miri) { 2 } else { 1 });

/// Busy days in a row.
const BUSY_DAYS: u32 = if cfg!(miri) { 2 } else { 30 };

fn feed(learner: &mut IdleLearner, watts: u64, utilisation: Option<f64>, seconds: u32) {
    feed_windows(learner, watts, utilisation, (seconds, SECOND));
}

/// So many windows of this length.
fn feed_windows(learner: &mut IdleLearner, watts: u64, utilisation: Option<f64>, windows: (u32, Duration)) {
    let (count, length) = windows;
    let energy = MicroJoules(watts * 1_000_000 * length.as_secs());
    for _ in 0..count {
        learner.observe(ZONE, energy, length, utilisation.map(Ratio));
    }
}

/// Number and length of the windows of these hours.
fn windows(hours: u32, length: Duration) -> (u32, Duration) {
    (hours * HOUR / length.as_secs() as u32, length)
}

/// A day with this many quiet hours at this power; the other hours are busy.
fn day(learner: &mut IdleLearner, quiet_watts: u64, quiet_hours: u32) {
    feed_windows(learner, quiet_watts, Some(0.01), windows(quiet_hours, QUIET));
    feed_windows(learner, 90, Some(0.8), windows(24 - quiet_hours, BUSY));
}

#[test]
fn nothing_is_known_until_the_machine_was_quiet_long_enough() {
    let mut learner = IdleLearner::default();
    feed(&mut learner, 30, Some(0.01), 9);
    assert_eq!(learner.power(ZONE), None);
    feed(&mut learner, 30, Some(0.01), 1);
    assert_eq!(learner.power(ZONE), Some(Watts(30.0)));
}

#[test]
fn a_busy_window_begins_the_stretch_again() {
    let mut learner = IdleLearner::default();
    feed(&mut learner, 30, Some(0.01), 9);
    feed(&mut learner, 90, Some(0.80), 1);
    feed(&mut learner, 30, Some(0.01), 9);
    assert_eq!(learner.power(ZONE), None);
}

#[test]
fn a_window_that_is_not_known_ends_the_stretch() {
    let mut learner = IdleLearner::default();
    for _ in 0..10 {
        feed(&mut learner, 30, Some(0.01), 9);
        learner.interrupt(ZONE);
    }
    assert_eq!(learner.power(ZONE), None);
}

#[test]
fn it_falls_at_once_and_does_not_rise_within_a_day() {
    let mut learner = IdleLearner::default();
    feed(&mut learner, 30, Some(0.0), 10);
    feed_windows(&mut learner, 40, Some(0.0), windows(20, QUIET));
    assert_eq!(learner.power(ZONE), Some(Watts(30.0)));
    feed(&mut learner, 25, Some(0.0), 10);
    assert_eq!(learner.power(ZONE), Some(Watts(25.0)));
}

#[test]
fn unknown_utilisation_and_a_counter_that_stands_still_teach_nothing() {
    let mut learner = IdleLearner::default();
    feed(&mut learner, 30, None, 20);
    feed(&mut learner, 0, Some(0.0), 20);
    for _ in 0..10 {
        feed(&mut learner, 30, Some(0.0), 9);
        feed(&mut learner, 0, Some(0.0), 1);
    }
    assert_eq!(learner.power(ZONE), None);
}

#[test]
fn it_rises_when_a_week_has_contradicted_it() {
    let mut learner = IdleLearner::default();
    // Another cooler, another power plan: from some day on the idle host draws 40 W.
    (0..if cfg!(miri) { 1 } else { 10 }).for_each(|_| day(&mut learner, 30, 6));
    (0..DAYS - 1).for_each(|_| day(&mut learner, 40, 6));
    assert_eq!(learner.power(ZONE), Some(Watts(30.0)), "it is not a week yet");
    day(&mut learner, 40, 6);
    assert_eq!(learner.power(ZONE), Some(Watts(40.0)));
    assert_eq!(learner.learned()[&ZONE].past.len(), DAYS);
}

#[test]
fn one_stretch_that_was_too_low_is_forgotten_after_a_week() {
    let mut learner = IdleLearner::default();
    feed(&mut learner, 12, Some(0.0), 10);
    day(&mut learner, 30, 6);
    (0..DAYS - 1).for_each(|_| day(&mut learner, 30, 6));
    assert_eq!(learner.power(ZONE), Some(Watts(12.0)));
    day(&mut learner, 30, 6);
    assert_eq!(learner.power(ZONE), Some(Watts(30.0)));
}

#[test]
fn a_host_that_is_idle_on_sundays_only_keeps_what_sundays_say() {
    let mut learner = IdleLearner::default();
    for _ in 0..if cfg!(miri) { 1 } else { 4 } {
        day(&mut learner, 30, 24);
        (0..6).for_each(|_| day(&mut learner, 36, 2));
        assert_eq!(learner.power(ZONE), Some(Watts(30.0)));
    }
}

#[test]
fn busy_weeks_contradict_nothing() {
    let mut learner = IdleLearner::default();
    day(&mut learner, 30, 6);
    (0..BUSY_DAYS).for_each(|_| day(&mut learner, 90, 0));
    // Half as much quiet, at another power, is not enough evidence for a day.
    feed(&mut learner, 45, Some(0.04), QUIET_DAY / 2 * SUSTAINED.as_secs() as u32);
    (0..BUSY_DAYS).for_each(|_| day(&mut learner, 90, 0));
    assert_eq!(learner.power(ZONE), Some(Watts(30.0)));
}
