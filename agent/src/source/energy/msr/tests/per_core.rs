//! Tests registers of cores: they are summed over cores, and read on other CPUs.

use super::*;

const JOULE: u64 = 1 << 16;

/// Four CPUs, two cores: `0,2` and `1,3`, as Linux numbers hardware threads.
fn two_cores() -> Host {
    let host = Host::new(&amd(), &[(0, 0); 4]);
    host.siblings(&[(0, "0,2"), (1, "1,3"), (2, "0,2"), (3, "1,3")]);
    for cpu in 0..4 {
        host.set(cpu, &[(SPREAD.unit, UNIT_16), (PACKAGE, 9), (CORE, 9)]);
    }
    host
}

#[test]
fn amd_s_cores_are_summed_one_thread_each() {
    let host = two_cores();
    let mut meter = host.open_spread().unwrap();
    host.read(&mut meter);
    for (cpu, joules) in [(0, 3), (1, 4), (2, 3), (3, 4)] {
        host.set(cpu, &[(PACKAGE, 9 + 20 * JOULE), (CORE, 9 + joules * JOULE)]);
    }
    expect![[r"
        package-0 20000000 µJ in steps of 15
        core-0 7000000 µJ in steps of 15
    "]]
    .assert_eq(&show(&host.read(&mut meter)));
}

/// Energy of each core since the beginning, in joules; `None` where it is unknown.
fn by_core(reading: &EnergyReading) -> Vec<(u32, Option<u64>)> {
    let joules = |core: &CoreReading| core.count.map(|count| count.total.0 / 1_000_000);
    reading.cores.iter().map(|core| (core.core.0, joules(core))).collect()
}

#[test]
fn each_of_amd_s_cores_is_counted_and_one_off_line_is_unknown() {
    let mut host = two_cores();
    let core = |number| CpuPlace { core: Some(CoreId(number)), ..CpuPlace::on_die(0, 0) };
    host.topology = [core(0), core(1), core(0), core(1)].map(Some).into_iter().collect();
    let mut meter = host.open_spread().unwrap();
    assert!(meter.counts_cores());
    host.read(&mut meter);
    for (cpu, joules) in [(0, 3), (1, 4), (2, 3), (3, 4)] {
        host.set(cpu, &[(PACKAGE, 9 + 20 * JOULE), (CORE, 9 + joules * JOULE)]);
    }
    assert_eq!(by_core(&host.read(&mut meter)), [(0, Some(3)), (1, Some(4))]);
    host.take_offline(0);
    assert_eq!(by_core(&host.read(&mut meter)), [(0, Some(3)), (1, Some(4))], "by its other thread");
    host.take_offline(2);
    assert_eq!(by_core(&host.read(&mut meter)), [(0, None), (1, Some(4))]);
    assert!(
        !Host::new(&intel(0x9E), &[(0, 0)])
            .set(0, &[(0x606, UNIT_14), (0x611, 5)])
            .open()
            .unwrap()
            .counts_cores()
    );
}

#[test]
fn cores_are_told_apart_by_number_where_siblings_are_not_listed() {
    let host = Host::new(&amd(), &[(0, 0); 4]);
    for (cpu, core) in [(0, "0"), (1, "1"), (2, "0"), (3, "1")] {
        let folder = host.roots.sys.join(format!("devices/system/cpu/cpu{cpu}/topology"));
        write_tree(&folder, &[("core_id", core), ("die_id", "0")]);
    }
    assert_eq!(cores::of(&host.roots.sys, &[0, 1, 2, 3]), Some(vec![vec![0, 2], vec![1, 3]]));
    assert_eq!(cores::of(&host.roots.sys, &[0, 4]), None);
}

#[test]
fn cores_that_cannot_be_told_apart_are_not_counted() {
    let host = Host::new(&amd(), &[(0, 0); 2]);
    for cpu in 0..2 {
        host.set(cpu, &[(SPREAD.unit, UNIT_16), (PACKAGE, 9), (CORE, 9)]);
    }
    let meter = host.open_spread().unwrap();
    assert_eq!(zones(&meter), ["package-0"]);
    assert_eq!(
        meter.notes(),
        ["the cores of package 0 are left out: it is not known which CPUs share a core"]
    );
}

#[test]
fn another_cpu_is_asked_when_one_goes_off_line() {
    let host = two_cores();
    let mut meter = host.open_spread().unwrap();
    host.read(&mut meter);
    host.take_offline(0);
    for cpu in 1..4 {
        host.set(cpu, &[(PACKAGE, 9 + 5 * JOULE), (CORE, 9 + JOULE)]);
    }
    expect![[r"
        package-0 5000000 µJ in steps of 15
        core-0 2000000 µJ in steps of 15
    "]]
    .assert_eq(&show(&host.read(&mut meter)));
    // Both threads of core 0: its energy stands still.
    host.take_offline(2);
    for cpu in [1, 3] {
        host.set(cpu, &[(PACKAGE, 9 + 7 * JOULE), (CORE, 9 + 2 * JOULE)]);
    }
    expect![[r"
        package-0 7000000 µJ in steps of 15
        core-0 3000000 µJ in steps of 15
    "]]
    .assert_eq(&show(&host.read(&mut meter)));
    host.take_offline(1);
    host.take_offline(3);
    expect![[r"
        package-0 vanished
        core-0 vanished
    "]]
    .assert_eq(&show(&host.read(&mut meter)));
    host.set(3, &[(PACKAGE, 9 + 8 * JOULE), (CORE, 9 + 2 * JOULE)]);
    expect![[r"
        package-0 8000000 µJ in steps of 15
        core-0 3000000 µJ in steps of 15
    "]]
    .assert_eq(&show(&host.read(&mut meter)));
}
