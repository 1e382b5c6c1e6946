//! Tests the split of energy where each core is counted: by the energy of the cores, and by CPU time where a core's energy is unknown.

use agent_core::model::key::{FallbackReason, SplitKey};

use super::properties::books::sums_close;
use super::*;

const PACKAGE: Zone = zone(Domain::Package, 0);
const CORES: Zone = zone(Domain::Core, 0);

/// Watts of the two cores of the first socket while they are busy, and of the package outside of its cores.
const WATTS: [f64; 2] = [9.0, 13.0];
const BEYOND: f64 = 4.0;

/// A socket of two cores with an energy counter each, and one container for each core.
fn two_cores() -> Scene {
    let hardware = ScriptedHardware::default();
    hardware.add(PACKAGE, 7_000_000, RANGE);
    for core in 0..2 {
        hardware.add_core(CORES, core_number(0, core), 1_000_000_000 * u64::from(1 + core), RANGE);
    }
    let scene = Scene::new(&Config::default(), hardware);
    scene.cpu.script(|script| script.cpus = [2, 0]);
    for number in [10, 11] {
        scene.make_cgroup(number, &container_path(number));
    }
    scene
}

/// A second in which each container keeps one core busy for this part of it.
fn second_of(scene: &mut Scene, parts: [f64; 2]) -> SharedSnapshot {
    let mut watts = BEYOND;
    for (core, part) in (0..2).zip(parts) {
        let power = WATTS[core as usize] * part;
        scene.run_on_core(10 + u64::from(core), None, (0, core), SECOND.mul_f64(part));
        scene.hardware.draw_core(CORES, core_number(0, core), Watts(power).during(SECOND));
        watts += power;
    }
    scene.draw(PACKAGE, watts, SECOND);
    let snapshot = scene.tick(SECOND);
    sums_close(&snapshot);
    snapshot
}

fn second(scene: &mut Scene) -> SharedSnapshot {
    second_of(scene, [1.0, 1.0])
}

/// Joules of both containers in a zone.
fn joules(snapshot: &Snapshot, zone: Zone) -> [f64; 2] {
    let index = snapshot.zones.iter().position(|of| of.zone == zone).unwrap();
    [10, 11].map(|number| {
        at_path(snapshot, &container_path(number)).map_or(0.0, |one| energy_of(one, index).joules())
    })
}

/// Joules of both containers in the last second.
fn last_second(scene: &mut Scene, before: &Snapshot, zone: Zone) -> ([f64; 2], SharedSnapshot) {
    let after = second(scene);
    let (before, now) = (joules(before, zone), joules(&after, zone));
    ([now[0] - before[0], now[1] - before[1]], after)
}

#[track_caller]
fn assert_near(got: [f64; 2], expected: [f64; 2]) {
    for (got, expected) in got.into_iter().zip(expected) {
        assert!((got - expected).abs() < 1e-3, "{got} J, not {expected} J");
    }
}

fn fallbacks(snapshot: &Snapshot) -> Vec<(FallbackReason, u64)> {
    snapshot.fallbacks.iter().copied().filter(|(_, count)| *count > 0).collect()
}

fn key_of(snapshot: &Snapshot, zone: Zone) -> SplitKey {
    snapshot.zones.iter().find(|of| of.zone == zone).unwrap().key
}

const BY_CORE: [f64; 2] = [26.0 * 9.0 / 22.0, 26.0 * 13.0 / 22.0];
const BY_TIME: [f64; 2] = [13.0, 13.0];

#[test]
fn unlike_encodes_on_cores_of_their_own_have_the_energy_of_their_cores() {
    let mut scene = two_cores();
    let last = (0..5).map(|_| second(&mut scene)).last().unwrap();
    assert_near(joules(&last, PACKAGE), BY_CORE.map(|watts| watts * 5.0));
    assert_near(joules(&last, CORES), WATTS.map(|watts| watts * 5.0));
    assert_eq!([PACKAGE, CORES].map(|zone| key_of(&last, zone)), [SplitKey::CoreEnergy; 2]);
    assert!(fallbacks(&last).is_empty() && last.fallbacks.len() == FallbackReason::ALL.len());
    let uncertainty = |number| {
        let one = at_path(&last, &container_path(number)).unwrap();
        one.account.zones[0].uncertainty.joules() / one.account.zones[0].energy().joules()
    };
    // By CPU time, a fifth of what the other has.
    assert!(uncertainty(10) < 0.045 && uncertainty(11) < 0.045, "{} {}", uncertainty(10), uncertainty(11));
}

#[test]
fn a_host_that_counts_no_cores_is_split_by_time_without_a_fallback() {
    let mut scene = Scene::server(&Config::default());
    scene.make_cgroup(10, &container_path(10));
    scene.run(10, None, 0, SECOND);
    scene.draw(PACKAGE, 20.0, SECOND);
    let first = scene.tick(SECOND);
    assert_eq!((key_of(&first, PACKAGE), first.fallbacks.len()), (SplitKey::Time, 0));
}

#[test]
fn a_cpu_meter_that_knows_no_cores_makes_time_the_key() {
    let mut scene = two_cores();
    scene.cpu.script(|script| script.knows_no_cores = true);
    let last = (0..2).map(|_| second(&mut scene)).last().unwrap();
    assert_eq!((key_of(&last, PACKAGE), last.fallbacks.len()), (SplitKey::Time, 0));
}

#[test]
fn time_beside_a_busy_thread_of_the_core_weighs_less() {
    let split = |weight: Option<f64>| {
        let mut config = Config::default();
        config.attribution.shared_core_weight = weight.unwrap_or(config.attribution.shared_core_weight);
        let hardware = ScriptedHardware::default();
        hardware.add(PACKAGE, 7_000_000, RANGE);
        let cpu = ScriptedCpu::default();
        cpu.script(|script| (script.has_siblings, script.by_core) = (true, true));
        let mut scene = Scene::on(&config, hardware, cpu);
        for number in [10, 11] {
            scene.make_cgroup(number, &container_path(number));
        }
        // The time on the second core is beside another busy thread.
        for core in 0..2 {
            scene.run_on_core(10 + u64::from(core), None, (0, core), SECOND);
        }
        scene.draw(PACKAGE, 31.5, SECOND);
        let last = scene.tick(SECOND);
        sums_close(&last);
        (joules(&last, PACKAGE), key_of(&last, PACKAGE))
    };
    let (charged, key) = split(None);
    assert_near(charged, [20.0, 11.5]);
    assert_eq!(key, SplitKey::SharedCores);
    let (charged, key) = split(Some(1.0));
    assert_near(charged, [15.75, 15.75]);
    assert_eq!(key, SplitKey::Time);
}

#[test]
fn a_core_that_stands_still_while_it_is_busy_makes_time_the_key_until_it_counts_again() {
    let mut scene = two_cores();
    let sound = second(&mut scene);
    let stuck = core_number(0, 1);
    scene.hardware.change_core(CORES, stuck, |counter| counter.is_frozen = true);
    let (charged, during) = last_second(&mut scene, &sound, PACKAGE);
    assert_near(charged, BY_TIME);
    scene.hardware.change_core(CORES, stuck, |counter| counter.is_frozen = false);
    // The core now shows the energy of two seconds at once.
    let (charged, after) = last_second(&mut scene, &during, PACKAGE);
    assert_near(charged, BY_TIME);
    let (charged, last) = last_second(&mut scene, &after, PACKAGE);
    assert_near(charged, BY_CORE);
    // The package and the cores, in two seconds.
    assert_eq!(fallbacks(&last), [(FallbackReason::CoreStandsStill, 4)]);
    assert_eq!(key_of(&last, PACKAGE), SplitKey::CoreEnergy, "the key of the zone stays");
}

#[test]
fn a_core_that_cannot_be_read_makes_time_the_key_of_that_window_and_the_next() {
    let mut scene = two_cores();
    let sound = second(&mut scene);
    let core = core_number(0, 0);
    scene.hardware.change_core(CORES, core, |counter| counter.is_readable = false);
    let (charged, during) = last_second(&mut scene, &sound, PACKAGE);
    assert_near(charged, BY_TIME);
    assert_near(joules(&during, CORES), WATTS);
    scene.hardware.change_core(CORES, core, |counter| counter.is_readable = true);
    let (charged, after) = last_second(&mut scene, &during, PACKAGE);
    assert_near(charged, BY_TIME);
    // The cores' own zone was owed, and is split by the energy of both seconds.
    assert_near(joules(&after, CORES), WATTS.map(|watts| watts * 3.0));
    let (charged, last) = last_second(&mut scene, &after, PACKAGE);
    assert_near(charged, BY_CORE);
    assert_eq!(fallbacks(&last), [(FallbackReason::CoreUnreadable, 2)]);
}

#[test]
fn a_core_off_line_changes_nothing_for_the_others() {
    let mut scene = two_cores();
    second(&mut scene);
    let gone = core_number(0, 1);
    scene.hardware.change_core(CORES, gone, |counter| counter.is_there = false);
    scene.cpu.script(|script| script.cpus = [1, 0]);
    let alone = (0..3).map(|_| second_of(&mut scene, [1.0, 0.0])).last().unwrap();
    assert!(fallbacks(&alone).is_empty(), "{:?}", alone.fallbacks);
    scene.hardware.change_core(CORES, gone, |counter| counter.is_there = true);
    scene.cpu.script(|script| script.cpus = [2, 0]);
    let (charged, back) = last_second(&mut scene, &alone, PACKAGE);
    assert_near(charged, BY_TIME);
    let (charged, last) = last_second(&mut scene, &back, PACKAGE);
    assert_near(charged, BY_CORE);
    assert_eq!(fallbacks(&last), [(FallbackReason::CoreUnreadable, 2)], "it had no reading at its begin");
}

#[test]
fn a_core_without_a_counter_makes_time_the_key_while_it_is_busy() {
    let mut scene = two_cores();
    scene.cpu.script(|script| script.cpus = [3, 0]);
    scene.run_on_core(11, None, (0, 2), SECOND);
    let with_third = second(&mut scene);
    assert_eq!(fallbacks(&with_third), [(FallbackReason::CoreNotCounted, 2)]);
    let (charged, _) = last_second(&mut scene, &with_third, PACKAGE);
    assert_near(charged, BY_CORE);
}

#[test]
fn a_window_of_several_ticks_has_the_energy_of_the_cores_in_all_of_them() {
    let mut scene = two_cores();
    let sound = second(&mut scene);
    scene.hardware.change(PACKAGE, |counter| counter.is_readable = false);
    second_of(&mut scene, [1.0, 0.0]);
    second_of(&mut scene, [1.0, 0.0]);
    scene.hardware.change(PACKAGE, |counter| counter.is_readable = true);
    let after = second_of(&mut scene, [1.0, 1.0]);
    let (before, now) = (joules(&sound, PACKAGE), joules(&after, PACKAGE));
    // 27 J and 13 J by the cores, and 12 J beyond them.
    assert_near([now[0] - before[0], now[1] - before[1]], [52.0 * 27.0 / 40.0, 52.0 * 13.0 / 40.0]);
    assert!(fallbacks(&after).is_empty(), "{:?}", after.fallbacks);
}

#[test]
fn a_package_that_stands_still_is_split_by_time_when_it_moves() {
    let mut scene = two_cores();
    second(&mut scene);
    scene.hardware.change(PACKAGE, |counter| {
        // It stopped in the middle of this second.
        counter.raw += 13_000_000;
        counter.is_frozen = true;
    });
    for _ in 0..3 {
        second(&mut scene);
    }
    scene.hardware.change(PACKAGE, |counter| counter.is_frozen = false);
    let after = second(&mut scene);
    assert_eq!(fallbacks(&after), [(FallbackReason::CounterStalled, 1)]);
}

#[test]
fn idle_cores_bear_nothing_and_their_power_is_not_charged_to_busy_cores() {
    let mut scene = two_cores();
    // The second core is idle at 1 W; the first is busy at 9 W, 1 W of which it would draw idle.
    let idle_second = |scene: &mut Scene| {
        scene.run_on_core(10, None, (0, 0), SECOND);
        for (core, watts) in [(0, 9.0), (1, 1.0)] {
            scene.hardware.draw_core(CORES, core_number(0, core), Watts(watts).during(SECOND));
        }
        scene.draw(PACKAGE, 10.0, SECOND);
        scene.tick(SECOND)
    };
    let before = (0..2).map(|_| idle_second(&mut scene)).last().unwrap();
    let (charged, _) = last_second(&mut scene, &before, PACKAGE);
    assert_near(charged, [26.0 * 8.0 / 20.0, 26.0 * 12.0 / 20.0]);
}
