//! Are mirrored counters found, and two sockets never taken for one?

use super::*;
use crate::model::energy::{Domain, Scope};

fn zone(package: u32) -> Zone {
    Zone { scope: Scope::Package(package), domain: Domain::Package }
}

/// Counters of packages 0, 1, … at a second, a few microseconds apart: where each began, and what it has counted since.
fn read(watch: &mut MirrorWatch, second: u64, counters: &[(u64, u64)]) {
    let position = |(package, (began, counted)): (usize, &(u64, u64))| Position {
        zone: zone(package as u32),
        at: MonoTime(second * 1_000_000_000 + package as u64 * 20_000),
        raw: MicroJoules(began + counted),
        total: MicroJoules(*counted),
        quantum: MicroJoules(61),
    };
    watch.observe(&counters.iter().enumerate().map(position).collect::<Vec<_>>());
}

const BEGIN: u64 = 21_000_000_000;
const OTHER: u64 = 7_000_000_000;

#[test]
fn one_counter_shown_three_times_is_counted_once() {
    let mut watch = MirrorWatch::default();
    for second in 0..6 {
        let counted = second * 60_000_000;
        read(&mut watch, second, &[(BEGIN, counted), (BEGIN, counted + 120), (BEGIN, counted + 2400)]);
        let expected = if second < u64::from(CONFIRMED) { Standing::Suspected } else { Standing::Own };
        assert_eq!(watch.standing(zone(0)), expected, "second {second}");
    }
    assert_eq!([1, 2].map(|package| watch.standing(zone(package))), [Standing::MirrorOf(zone(0)); 2]);
    let memory = |package| Zone { domain: Domain::Dram, ..zone(package) };
    assert_eq!(watch.standing(memory(2)), Standing::MirrorOf(memory(0)), "so is its memory");
    assert_eq!(watch.standing(memory(0)), Standing::Own);
}

#[test]
fn two_physical_counters_shown_twice_each_stay_two() {
    let mut watch = MirrorWatch::default();
    for second in 0..6 {
        let (one, other) = (second * 60_000_000, second * 61_000_000);
        read(&mut watch, second, &[(BEGIN, one), (OTHER, other), (BEGIN, one), (OTHER, other)]);
    }
    assert_eq!(watch.standing(zone(2)), Standing::MirrorOf(zone(0)));
    assert_eq!(watch.standing(zone(3)), Standing::MirrorOf(zone(1)));
    assert_eq!(watch.standing(zone(1)), Standing::Own);
}

#[test]
fn sockets_of_a_power_are_two_when_they_stand_apart() {
    let mut watch = MirrorWatch::default();
    for second in 0..6 {
        read(&mut watch, second, &[(BEGIN, second * 60_000_000), (BEGIN + 9_000_000, second * 60_000_000)]);
        assert_eq!(watch.standing(zone(1)), Standing::Own);
    }
}

#[test]
fn sockets_that_begin_together_part_within_two_readings() {
    let mut watch = MirrorWatch::default();
    read(&mut watch, 0, &[(BEGIN, 0), (BEGIN, 0)]);
    assert_eq!(watch.standing(zone(0)), Standing::Suspected);
    for second in 1..3 {
        // Nearly the same power: 30 W and 30.5 W.
        read(&mut watch, second, &[(BEGIN, second * 30_000_000), (BEGIN, second * 30_500_000)]);
    }
    assert_eq!([0, 1].map(|package| watch.standing(zone(package))), [Standing::Own, Standing::Own]);
}

#[test]
fn one_reading_between_two_refreshes_parts_no_mirror() {
    let mut watch = MirrorWatch::default();
    for second in 0..9 {
        let counted = second * 60_000_000;
        let early = if second == 6 { 6_000_000 } else { 0 };
        read(&mut watch, second, &[(BEGIN, counted - early), (BEGIN, counted)]);
    }
    assert_eq!(watch.standing(zone(1)), Standing::MirrorOf(zone(0)));
}

#[test]
fn counters_that_stand_still_are_neither() {
    let mut watch = MirrorWatch::default();
    for second in 0..20 {
        read(&mut watch, second, &[(BEGIN, 0), (BEGIN, 0)]);
    }
    assert_eq!(watch.standing(zone(1)), Standing::Suspected);
}

#[test]
fn a_first_reading_between_two_refreshes_hides_no_mirror() {
    let mut watch = MirrorWatch::default();
    for second in 0..8 {
        let counted = second * 60_000_000;
        let late = if second == 0 { 6_000_000 } else { 0 };
        read(&mut watch, second, &[(BEGIN - late, counted), (BEGIN, counted)]);
    }
    assert_eq!(watch.standing(zone(1)), Standing::MirrorOf(zone(0)));
}

#[test]
fn sockets_that_began_at_nothing_under_the_same_load_are_two() {
    let mut watch = MirrorWatch::default();
    for second in 0..20 {
        read(&mut watch, second, &[(1_000_000, second * 20_000_000), (1_000_000, second * 20_000_000)]);
        assert_eq!(watch.standing(zone(1)), Standing::Own);
    }
}
