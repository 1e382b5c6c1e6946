//! Tests that mirrored counters are detected, and that two sockets are never taken for one.

use proptest::prelude::*;

use super::*;
use crate::model::energy::Scope;

const QUANTUM: MicroJoules = MicroJoules(61);
const BEGIN: u64 = 21_000_000_000;
const OTHER: u64 = 7_000_000_000;

fn zone(package: u32) -> Zone {
    Zone { scope: Scope::Package(package), domain: Domain::Package }
}

/// The counter's first position, and its energy since: at the reading, and at the next one.
type Counter = (u64, u64, u64);

fn position(package: usize, began: u64, counted: u64) -> Position {
    let total = MicroJoules(counted);
    let (at, raw) = (MonoTime(package as u64 * 20_000), MicroJoules(began) + total);
    Position { zone: zone(package as u32), at, raw, total, quantum: QUANTUM }
}

/// One reading of the counters of packages 0, 1, …, and a comparison of each pair that needs one.
fn read_moving(watch: &mut MirrorWatch, counters: &[Counter]) -> Vec<Verdict> {
    let positions =
        counters.iter().enumerate().map(|(package, (began, now, _))| position(package, *began, *now));
    watch.observe(&positions.collect::<Vec<_>>());
    let of = |zone: Zone| {
        let Scope::Package(package) = zone.scope else { panic!("{zone} is no package") };
        let (began, now, later) = counters[package as usize];
        (position(package as usize, began, now), position(package as usize, began, later))
    };
    let pairs = watch.pairs();
    let compare = |(leader, follower)| {
        let ((before, after), (follower, _)) = (of(leader), of(follower));
        watch.compare(Comparison { before, follower, after })
    };
    pairs.into_iter().map(compare).collect()
}

/// The same, for registers that are not refreshed meanwhile.
fn read(watch: &mut MirrorWatch, counters: &[(u64, u64)]) -> Vec<Verdict> {
    let counters: Vec<Counter> =
        counters.iter().map(|(began, counted)| (*began, *counted, *counted)).collect();
    read_moving(watch, &counters)
}

fn watch() -> MirrorWatch {
    MirrorWatch::new(EnergySourceKind::Powercap)
}

fn standings<const N: usize>(watch: &MirrorWatch) -> [Standing; N] {
    std::array::from_fn(|package| watch.standing(zone(package as u32)))
}

#[test]
fn one_counter_shown_three_times_is_counted_once() {
    for begin in [0, 1_000_000, BEGIN] {
        let mut watch = watch();
        for second in 0..6 {
            let counted = second * 60_000_000;
            read(&mut watch, &[(begin, counted), (begin + 120, counted), (begin + 840, counted)]);
            let expected = if second < u64::from(CONFIRMED) { Standing::Suspected } else { Standing::Own };
            assert_eq!(watch.standing(zone(0)), expected, "second {second}");
        }
        assert_eq!([1, 2].map(|package| watch.standing(zone(package))), [Standing::MirrorOf(zone(0)); 2]);
        let memory = |package| Zone { domain: Domain::Dram, ..zone(package) };
        assert_eq!(watch.standing(memory(2)), Standing::MirrorOf(memory(0)), "so is its memory");
        assert_eq!(watch.standing(memory(0)), Standing::Own);
    }
}

#[test]
fn a_mirror_that_others_follow_leads_them_to_its_own_leader() {
    let mut watch = watch();
    // The register advances between the first readings of packages 0 and 1.
    read(&mut watch, &[(BEGIN - 300_000, 0), (BEGIN, 0), (BEGIN, 0)]);
    assert_eq!(watch.pairs(), [(zone(1), zone(2))]);
    for second in 1..6 {
        let counted = second * 60_000_000;
        read(&mut watch, &[(BEGIN, counted), (BEGIN, counted), (BEGIN, counted)]);
    }
    let expected = [Standing::Own, Standing::MirrorOf(zone(0)), Standing::MirrorOf(zone(0))];
    assert_eq!(standings(&watch), expected);
}

#[test]
fn two_physical_counters_shown_twice_each_stay_two() {
    let mut watch = watch();
    for second in 0..6 {
        let (one, other) = (second * 60_000_000, second * 61_000_000);
        read(&mut watch, &[(BEGIN, one), (OTHER, other), (BEGIN, one), (OTHER, other)]);
    }
    assert_eq!(
        standings(&watch),
        [Standing::Own, Standing::Own, Standing::MirrorOf(zone(0)), Standing::MirrorOf(zone(1))]
    );
}

#[test]
fn sockets_of_the_same_power_are_two_when_they_stand_apart() {
    let mut watch = watch();
    for second in 0..6 {
        read(&mut watch, &[(BEGIN, second * 60_000_000), (BEGIN + 100_000, second * 60_000_000)]);
        assert_eq!(standings(&watch), [Standing::Own; 2]);
    }
}

#[test]
fn a_register_that_is_refreshed_between_two_readings_parts_no_mirror() {
    let mut watch = watch();
    for second in 0..8 {
        // Half a millisecond at 60 W, now and then; seen by the follower or not.
        let counted = second * 60_000_000;
        let later = counted + if second % 3 == 0 { 30_000 } else { 0 };
        let follower = if second == 3 { later } else { counted };
        let verdicts = read_moving(&mut watch, &[(BEGIN, counted, later), (BEGIN, follower, later)]);
        assert_eq!(verdicts, [Verdict::Agrees], "second {second}");
    }
    assert_eq!(watch.standing(zone(1)), Standing::MirrorOf(zone(0)));
}

#[test]
fn a_leader_that_moves_far_while_the_follower_is_read_tells_nothing() {
    let mut watch = watch();
    read(&mut watch, &[(BEGIN, 0), (BEGIN, 0)]);
    for second in 1..20 {
        let counted = second * 1_000_000;
        let verdicts =
            read_moving(&mut watch, &[(BEGIN, counted, counted + 900_000), (BEGIN, counted + 1000, 0)]);
        assert_eq!(verdicts, [Verdict::Vague], "second {second}");
    }
    assert_eq!(watch.standing(zone(1)), Standing::Suspected);
}

#[test]
fn one_comparison_in_the_middle_of_a_write_parts_no_mirror() {
    let mut watch = watch();
    for second in 0..9 {
        let counted = second * 60_000_000;
        let old = if second == 6 { 30_000_000 } else { 0 };
        read(&mut watch, &[(BEGIN, counted), (BEGIN, counted - old)]);
    }
    assert_eq!(watch.standing(zone(1)), Standing::MirrorOf(zone(0)));
}

#[test]
fn counters_that_stand_still_are_neither() {
    let mut watch = watch();
    for _ in 0..20 {
        read(&mut watch, &[(BEGIN, 0), (BEGIN, 0)]);
    }
    assert_eq!(standings(&watch), [Standing::Suspected; 2]);
    assert_eq!(watch.suspects(), [(zone(1), zone(0))]);
}

#[test]
fn events_of_perf_count_from_when_they_were_opened() {
    let mut watch = MirrorWatch::new(EnergySourceKind::Perf);
    for second in 0..6 {
        // One after the other, a refresh apart.
        read(&mut watch, &[(60_000, second * 60_000_000), (0, second * 60_000_000)]);
    }
    assert_eq!(watch.standing(zone(1)), Standing::MirrorOf(zone(0)));
}

#[test]
fn two_that_have_parted_are_not_suspected_again() {
    let mut watch = watch();
    read(&mut watch, &[(BEGIN, 0), (BEGIN, 0)]);
    for _ in 0..PARTED {
        read(&mut watch, &[(BEGIN, 30_000_000), (BEGIN, 30_100_000)]);
    }
    assert_eq!(standings(&watch), [Standing::Own; 2]);
    read(&mut watch, &[(BEGIN, 90_000_000), (BEGIN, 90_000_000)]);
    assert_eq!(standings(&watch), [Standing::Own; 2]);
}

proptest! {
    /// Sockets that begin together and differ by a thousandth in power: two counters, at the first tick that compares them twice.
    #[test]
    fn equally_loaded_sockets_are_two(
        begin in prop_oneof![Just(0_u64), 0..BEGIN],
        watts in 5_000_000_u64..300_000_000,
        thousandths in prop_oneof![900_i64..=999, 1001_i64..=1100],
    ) {
        let mut watch = watch();
        read(&mut watch, &[(begin, 0), (begin, 0)]);
        for second in 1..4 {
            let (one, other) = (second * watts, second * watts * thousandths as u64 / 1000);
            for _ in 0..PARTED {
                read(&mut watch, &[(begin, one), (begin, other)]);
            }
            prop_assert_eq!(standings(&watch), [Standing::Own; 2]);
        }
    }

    /// One register at any power, refreshed at any moment.
    #[test]
    fn one_register_is_one(
        begin in prop_oneof![Just(0_u64), 0..BEGIN],
        ticks in prop::collection::vec((10_000_000_u64..100_000_000, 0_u64..4000, any::<bool>()), 6..12),
    ) {
        let (mut watch, mut counted) = (watch(), 0);
        for (energy, refresh, is_seen) in ticks {
            counted += energy;
            let follower = if is_seen { counted + refresh } else { counted };
            read_moving(&mut watch, &[(begin, counted, counted + refresh), (begin, follower, 0)]);
        }
        prop_assert_eq!(watch.standing(zone(1)), Standing::MirrorOf(zone(0)));
    }
}
