//! Tests that wraps, resets and stalls are told apart, and that no energy is lost or invented.

use proptest::prelude::*;

use super::*;
use crate::few;

/// A 32-bit register of 2⁻¹⁶ J: 65.5 kJ.
const MODULUS: u64 = 1 << 32;
const BOUND: Watts = Watts(400.0);

fn register() -> EnergyCounter {
    EnergyCounter::new(EnergyUnit::joules_over_two_to(16), Some(u128::from(MODULUS)), BOUND)
}

fn at(milliseconds: u64) -> MonoTime {
    MonoTime(milliseconds * 1_000_000)
}

/// Joules in counts of 2⁻¹⁶ J.
const fn joules(joules: u64) -> u64 {
    joules << 16
}

/// Time in milliseconds, count, expected result, and expected total in joules.
type Step = (u64, u64, Observed, u64);

fn check(name: &str, mut counter: EnergyCounter, steps: &[Step]) {
    for (time, count, event, total) in steps {
        assert_eq!(counter.observe(*count, at(*time)), *event, "{name} at {time} ms");
        assert_eq!(counter.total(), MicroJoules(total * 1_000_000), "{name} at {time} ms");
    }
}

use Observed::{Counted, Doubtful, Reset, Wrapped};

#[test]
fn table() {
    let end = MODULUS;
    let cases: &[(&str, &[Step])] = &[
        (
            "plain",
            &[
                (0, joules(5), Counted, 0),
                (1000, joules(105), Counted, 100),
                (2000, joules(205), Counted, 200),
            ],
        ),
        (
            "wrap",
            &[
                (0, end - joules(60), Counted, 0),
                (1000, joules(40), Wrapped, 100),
                (2000, joules(90), Counted, 150),
            ],
        ),
        ("wrap to zero", &[(0, end - joules(60), Counted, 0), (1000, 0, Wrapped, 60)]),
        (
            "reset: what was counted since is a lower bound",
            &[
                (0, joules(9000), Counted, 0),
                (1000, joules(3), Doubtful, 0),
                (2000, joules(103), Reset, 103),
                (3000, joules(203), Counted, 203),
            ],
        ),
        (
            "reset near the start",
            &[(0, joules(30), Counted, 0), (1000, joules(3), Doubtful, 0), (2000, joules(5), Reset, 5)],
        ),
        (
            "two resets, one after the other",
            &[
                (0, joules(9000), Counted, 0),
                (1000, joules(30), Doubtful, 0),
                (2000, joules(3), Doubtful, 0),
                (3000, joules(53), Reset, 53),
            ],
        ),
        (
            "set to another value: what it had counted there is not believed",
            &[
                (0, joules(50_000), Counted, 0),
                (1000, joules(9000), Doubtful, 0),
                (2000, joules(9100), Reset, 100),
            ],
        ),
        (
            "set to a value that it never counts to in a tick",
            &[
                (0, joules(50_000), Counted, 0),
                (5000, joules(50_100), Counted, 100),
                (10_000, joules(1500), Doubtful, 100),
                (15_000, joules(1600), Reset, 200),
            ],
        ),
        (
            "a reset in the most expensive tick so far",
            &[
                (0, joules(50_000), Counted, 0),
                (5000, joules(50_100), Counted, 100),
                (10_000, joules(190), Doubtful, 100),
                (15_000, joules(290), Reset, 390),
            ],
        ),
        ("first reading is large", &[(0, end - 1, Counted, 0), (1000, joules(1) - 1, Wrapped, 1)]),
        (
            "jump ahead",
            &[
                (0, joules(1), Counted, 0),
                (1000, joules(9000), Doubtful, 0),
                (2000, joules(9100), Reset, 100),
            ],
        ),
        (
            "garbage once, then back: nothing is lost",
            &[
                (0, joules(1000), Counted, 0),
                (1000, joules(30_000), Doubtful, 0),
                (2000, joules(1200), Counted, 200),
                (3000, joules(1300), Counted, 300),
            ],
        ),
        (
            "garbage twice, then back",
            &[
                (0, joules(1000), Counted, 0),
                (1000, joules(30_000), Doubtful, 0),
                (2000, joules(20_000), Doubtful, 0),
                (3000, joules(1300), Counted, 300),
            ],
        ),
        (
            "nothing once, then back",
            &[(0, joules(1000), Counted, 0), (1000, 0, Doubtful, 0), (2000, joules(1200), Counted, 200)],
        ),
        (
            "all ones once, then back",
            &[
                (0, joules(1000), Counted, 0),
                (1000, u64::from(u32::MAX), Doubtful, 0),
                (2000, joules(1001), Counted, 1),
            ],
        ),
        (
            "stall, then everything at once",
            &[
                (0, joules(10), Counted, 0),
                (1000, joules(10), Counted, 0),
                (9000, joules(10), Counted, 0),
                (10_000, joules(3910), Counted, 3900),
            ],
        ),
        (
            "stall, then more than can be",
            &[
                (0, joules(10), Counted, 0),
                (9000, joules(10), Counted, 0),
                (10_000, joules(4110), Doubtful, 0),
                (11_000, joules(4510), Reset, 400),
            ],
        ),
        (
            "a reset, then a stall",
            &[
                (0, joules(9000), Counted, 0),
                (1000, joules(3), Doubtful, 0),
                (2000, joules(3), Reset, 3),
                (3000, joules(103), Counted, 103),
            ],
        ),
        ("at the bound with slack", &[(0, 0, Counted, 0), (1000, joules(440), Counted, 440)]),
        ("just above it", &[(0, 0, Counted, 0), (1000, joules(441), Doubtful, 0)]),
        ("no time at all", &[(0, 0, Counted, 0), (0, joules(40), Counted, 40)]),
        (
            "beyond the range",
            &[(0, end + joules(5), Counted, 0), (1000, joules(5), Doubtful, 0), (2000, joules(6), Reset, 1)],
        ),
    ];
    for (name, steps) in cases {
        check(name, register(), steps);
    }
}

#[test]
fn without_a_range_every_decrease_is_a_reset() {
    let counter = EnergyCounter::new(EnergyUnit::MICROJOULE, None, BOUND);
    let million = 1_000_000;
    let steps = [
        (0, 9 * million, Counted, 0),
        (1000, 10 * million, Counted, 1),
        (2000, 0, Doubtful, 1),
        (3000, million, Reset, 2),
        (4000, 2 * million, Counted, 3),
    ];
    check("no range", counter.clone(), &steps);
    assert_eq!(counter.wrap_time(), None);
}

#[test]
fn after_a_rebaseline_anything_goes() {
    let mut counter = register();
    counter.observe(joules(5), at(0));
    counter.observe(joules(15), at(1000));
    counter.rebaseline();
    assert_eq!(counter.observe(3, at(2000)), Counted);
    assert_eq!(counter.total(), MicroJoules(10_000_000));
    counter.observe(joules(1) + 3, at(3000));
    assert_eq!(counter.total(), MicroJoules(11_000_000));
}

#[test]
fn wrap_time_is_the_range_at_the_bound() {
    // 65 536 J at 400 W.
    assert_eq!(register().wrap_time(), Some(Duration::from_millis(163_840)));
}

#[test]
fn a_bound_of_nothing_has_no_wrap_time() {
    let counter = EnergyCounter::new(EnergyUnit::MICROJOULE, Some(9), Watts(0.0));
    assert_eq!(counter.wrap_time(), None);
}

proptest! {
    /// Any plausible power over any gaps shorter than a wrap, from anywhere in the range.
    #[test]
    fn plausible_energy_is_counted_to_the_last_count(
        start in 0..MODULUS,
        windows in prop::collection::vec((1_u64..120_000, 0.0..=1.0_f64), 1..few(200)),
    ) {
        let mut counter = register();
        counter.observe(start, at(0));
        let (mut time, mut spent, mut wraps) = (0, 0_u128, 0);
        for (milliseconds, load) in windows {
            time += milliseconds;
            let microjoules = Watts(BOUND.0 * load).during(Duration::from_millis(milliseconds));
            spent += (u128::from(microjoules.0) << 16) / 1_000_000;
            let count = (u128::from(start) + spent) % u128::from(MODULUS);
            match counter.observe(count as u64, at(time)) {
                Wrapped => wraps += 1,
                Reset | Doubtful => prop_assert!(false, "no reset happened"),
                Counted => {}
            }
            let exact = (spent * 1_000_000) >> 16;
            prop_assert_eq!(u128::from(counter.total().0), exact);
        }
        prop_assert_eq!(wraps, (u128::from(start) + spent) / u128::from(MODULUS));
    }

    /// Any counts, at any times.
    #[test]
    fn totals_never_go_down_and_never_outrun_the_bound(
        readings in prop::collection::vec((0_u64..20_000, 0..2 * MODULUS), 1..few(200)),
    ) {
        let mut counter = register();
        let (mut time, mut total, mut first, mut changes) = (0, MicroJoules::ZERO, None, 0_u32);
        for (milliseconds, count) in readings {
            time += milliseconds;
            counter.observe(count, at(time));
            changes += 1;
            prop_assert!(counter.total() >= total);
            total = counter.total();
            let begun = *first.get_or_insert(at(time));
            let most = BOUND.during(at(time).since(begun) + SLACK * changes);
            prop_assert!(total <= most, "{} in {} ms", total, time);
        }
    }

    /// A reset to a value that is too far for a wrap: counting continues from there. The counter's first value counts only
    /// where that much can have been drawn since, at twice the power that it draws afterwards.
    #[test]
    fn a_reset_adds_what_was_counted_since(
        first in 0..joules(900),
        distance in joules(500)..joules(1000),
        later in 1..joules(400),
    ) {
        let mut counter = register();
        counter.observe(first + distance, at(0));
        // Both windows are a second. At the edge itself, rounding decides.
        let most = (2 * later).min(joules(440));
        prop_assume!(first.abs_diff(most) > 2);
        let since = later + if first < most { first } else { 0 };
        for (time, count, observed, total) in [(1000, first, Doubtful, 0), (2000, first + later, Reset, since)] {
            prop_assert_eq!(counter.observe(count, at(time)), observed);
            prop_assert_eq!(counter.total(), EnergyUnit::joules_over_two_to(16).energy_of(u128::from(total)));
        }
    }
}
