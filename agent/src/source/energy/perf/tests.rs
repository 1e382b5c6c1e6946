//! Tests that events are found, scaled and counted. The last use this kernel's real `msr` PMU, whose event 0 is the time stamp counter.

use std::fs;
use std::time::Duration;

use agent_core::energy::unit::EnergyUnit;
use agent_core::model::cpu::CpuPlace;
use agent_core::model::health::Reason;
use agent_core::units::{MicroJoules, Watts};
use expect_test::expect;
use rustix::thread::CapabilitySet;
use tempfile::TempDir;

use super::super::fixture::{cpuinfo, host, without_capabilities, write_tree};
use super::*;
use crate::clock::{Clock, SystemClock};
use crate::host::HostRoots;

const PMU: &str = "sys/bus/event_source/devices/power";

/// The kernel's text for 2⁻³² J.
const SCALE: &str = "2.3283064365386962890625e-10";

fn write_event(root: &TempDir, pmu: &str, name: &str, terms: &str, scale: &str) {
    let file = |suffix: &str| format!("events/{name}{suffix}");
    let folder = root.path().join(pmu);
    write_tree(&folder, &[(&file(""), terms), (&file(".scale"), scale), (&file(".unit"), "Joules")]);
}

fn topology(places: &[(u32, u32)]) -> CpuTopology {
    let places: Vec<_> = places.iter().map(|(package, die)| CpuPlace::on_die(*package, *die)).collect();
    places.into_iter().map(Some).collect()
}

fn try_open(roots: &HostRoots) -> Result<EnergyMeter, SourceError> {
    open_with(roots, &EnergyOptions::USUAL)
}

fn open_with(roots: &HostRoots, options: &EnergyOptions) -> Result<EnergyMeter, SourceError> {
    open(&Place { roots, topology: &topology(&[(0, 0)]), options, clock: &SystemClock })
}

fn why_not(root: &TempDir, roots: &HostRoots) -> String {
    let error = try_open(roots).err().expect("it does not open");
    let text = format!("{}\n{}\n", error.chain(), error.hint());
    text.replace(&root.path().display().to_string(), "")
}

#[test]
fn an_event_is_read_from_its_files() {
    let (root, _) = host(&[(&format!("{PMU}/type"), "18"), (&format!("{PMU}/cpumask"), "0,64")]);
    write_event(&root, PMU, "energy-pkg", "event=0x02", SCALE);
    write_event(&root, PMU, "energy-ram", "event=19", "1e-9");
    let pmu = Pmu::read(&root.path().join(PMU)).unwrap().unwrap();
    assert_eq!((pmu.number, &pmu.cpus), (18, &Some(vec![0, 64])));
    let event = pmu.event("energy-pkg").unwrap().unwrap();
    assert_eq!((event.config, event.unit), (2, EnergyUnit::joules_over_two_to(32)));
    assert_eq!(pmu.event("energy-ram").unwrap().unwrap().config, 19);
    assert!(pmu.event("energy-psys").unwrap().is_none());
}

#[test]
fn nonsense_is_named() {
    let (root, _) = host(&[(&format!("{PMU}/type"), "18")]);
    let pmu = Pmu::read(&root.path().join(PMU)).unwrap().unwrap();
    for (terms, scale) in
        [("", SCALE), ("config=2", SCALE), ("event=0x", SCALE), ("event=0x02", ""), ("event=0x02", "0")]
    {
        write_event(&root, PMU, "energy-pkg", terms, scale);
        let error = pmu.event("energy-pkg").unwrap_err();
        assert_eq!(error.reason(), Reason::Broken, "{terms} {scale}");
        assert!(error.chain().contains("energy-pkg"), "{error}");
    }
    write_event(&root, PMU, "energy-pkg", "event=0x02", SCALE);
    write_tree(root.path(), &[(&format!("{PMU}/events/energy-pkg.unit"), "Watts")]);
    assert!(pmu.event("energy-pkg").unwrap_err().chain().ends_with(".unit does not contain Joules"));
    for file in ["type", "cpumask"] {
        write_tree(root.path(), &[(&format!("{PMU}/{file}"), "junk")]);
        assert_eq!(Pmu::read(&root.path().join(PMU)).unwrap_err().reason(), Reason::Broken, "{file}");
        write_tree(root.path(), &[(&format!("{PMU}/{file}"), "0")]);
    }
}

#[test]
fn places() {
    let options = EnergyOptions::default();
    let two_sockets = topology(&[(0, 0), (0, 0), (1, 0), (1, 0)]);
    let dies = topology(&[(0, 0), (0, 1), (1, 0), (1, 1)]);
    let amd = processor::read(&host(&[("proc/cpuinfo", &cpuinfo("AuthenticAMD", 25, 17, "fpu"))]).1);
    let (zones, notes) = (Vec::new, Vec::new);
    let show = |topology: &CpuTopology, processor: Processor, mask: Option<&[usize]>, name: &str| {
        let pmu = Pmu { folder: "power".into(), number: 1, cpus: mask.map(<[usize]>::to_vec) };
        let search =
            Search { topology, options: &options, processor, zones: zones(), notes: notes(), failure: None };
        let places = search.places(&pmu, name).into_iter().map(|(scope, cpu)| format!("{scope} on {cpu}"));
        places.collect::<Vec<_>>().join(", ")
    };
    let intel = Processor::default();
    assert_eq!(show(&two_sockets, intel, Some(&[0, 2]), "energy-pkg"), "0 on 0, 1 on 2");
    assert_eq!(show(&two_sockets, intel, None, "energy-pkg"), "0 on 0, 1 on 2");
    assert_eq!(
        show(&dies, intel, Some(&[0, 1, 2, 3]), "energy-pkg"),
        "0-die-0 on 0, 0-die-1 on 1, 1-die-0 on 2, 1-die-1 on 3"
    );
    assert_eq!(show(&dies, intel, Some(&[0, 2]), "energy-pkg"), "0 on 0, 1 on 2", "counted by package");
    assert_eq!(show(&dies, amd, Some(&[0, 1, 2, 3]), "energy-pkg"), "0 on 0, 1 on 2");
    assert_eq!(show(&dies, amd, Some(&[0, 1, 2]), "energy-core"), "0 on 0, 0 on 1, 1 on 2");
}

#[test]
fn why_not_without_the_pmu() {
    let (root, roots) = host(&[("proc/cpuinfo", &cpuinfo("GenuineIntel", 6, 158, "fpu"))]);
    expect![[r"
        /sys/bus/event_source/devices/power is missing: the kernel has no energy PMU
        modprobe rapl
    "]]
    .assert_eq(&why_not(&root, &roots));
    write_tree(root.path(), &[("proc/cpuinfo", &cpuinfo("GenuineIntel", 6, 158, "hypervisor"))]);
    assert!(why_not(&root, &roots).contains("(a virtual machine without passed-through RAPL)"));
}

#[test]
fn why_not_with_events_the_kernel_does_not_know() {
    let (root, roots) = host(&[(&format!("{PMU}/type"), "4000000000"), (&format!("{PMU}/cpumask"), "0")]);
    expect![[r"
        /sys/bus/event_source/devices/power has no energy event

    "]]
    .assert_eq(&why_not(&root, &roots));
    write_event(&root, PMU, "energy-pkg", "event=0x02", SCALE);
    let text = why_not(&root, &roots);
    if text.contains(MAY_COUNT) {
        println!("skipped: {text}");
        return;
    }
    expect![[r"
        the kernel does not open energy-pkg on CPU 0: No such file or directory (os error 2)

    "]]
    .assert_eq(&text);
}

/// The number of the real PMU that counts time stamps, and a host whose energy PMU is that one: a count is `scale` joules.
fn time_stamp_host(scale: &str) -> Option<(TempDir, HostRoots)> {
    let real = HostRoots::default().sys.join("bus/event_source/devices/msr/type");
    let Ok(number) = fs::read_to_string(&real) else {
        println!("skipped: this kernel has no msr PMU ({})", real.display());
        return None;
    };
    let (root, roots) = host(&[(&format!("{PMU}/type"), number.trim()), (&format!("{PMU}/cpumask"), "0")]);
    write_event(&root, PMU, "energy-pkg", "event=0x00", scale);
    match try_open(&roots) {
        Err(error) if error.hint() == MAY_COUNT => {
            println!("skipped: the msr PMU may not be opened: {}", error.chain());
            None
        }
        Err(error) => panic!("the msr PMU is there and does not open: {}", error.chain()),
        Ok(_) => Some((root, roots)),
    }
}

/// Busy-waits for this real time.
fn spin(duration: Duration) {
    let begun = SystemClock.now();
    while SystemClock.now().since(begun) < duration {
        std::hint::spin_loop();
    }
}

/// Opens two hosts that count time stamps in different units, and compares their energy over the same time.
#[test]
fn real_counts_are_scaled() {
    let Some((_keep, fine)) = time_stamp_host(SCALE) else { return };
    let Some((_keep_too, coarse)) = time_stamp_host("1e-9") else { return };
    let (mut fine, mut coarse) = (try_open(&fine).unwrap(), try_open(&coarse).unwrap());
    assert_eq!(fine.kind(), EnergySourceKind::Perf);
    assert_eq!(fine.longest_gap(), None);
    let mut read = || {
        let begun = SystemClock.now();
        let fine = fine.read(&SystemClock);
        let between = SystemClock.now();
        let coarse = coarse.read(&SystemClock);
        (fine, coarse, [begun, between, SystemClock.now()])
    };
    let (first_fine, first_coarse, first) = read();
    for reading in [&first_fine, &first_coarse] {
        assert_eq!(reading.zones[0].1.total, MicroJoules::ZERO);
        assert_eq!(reading.zones[0].1.zone.to_string(), "package-0");
        assert_eq!(reading.zones[0].1.quantum, MicroJoules(61));
    }
    let mut last = MicroJoules::ZERO;
    for _ in 0..5 {
        spin(Duration::from_millis(20));
        let (fine, coarse, now) = read();
        assert!(fine.failures.is_empty() && fine.events.is_empty(), "{fine:?}");
        let (fine, coarse) = (fine.zones[0].1.total, coarse.zones[0].1.total);
        assert!(fine > last);
        last = fine;
        // In spite of pauses: each has counted for no less than the time between its readings, and no more than with them.
        let seconds = |from: usize, to: usize| now[to].since(first[from]).as_secs_f64();
        let (least_fine, most_fine) = (seconds(1, 0), seconds(0, 1));
        let (least_coarse, most_coarse) = (seconds(2, 1), seconds(1, 2));
        // 10⁻⁹ is 4.295 times 2⁻³².
        let possible = 4.295 * 0.99 * least_coarse / most_fine..4.295 * 1.01 * most_coarse / least_fine;
        let ratio = coarse.joules() / fine.joules();
        assert!(possible.contains(&ratio), "{possible:?}: {coarse} / {fine}");
    }
}

#[test]
fn a_real_counter_that_outruns_the_bound_is_reset() {
    let Some((_keep, roots)) = time_stamp_host("1e-3") else { return };
    let options = EnergyOptions { plausible_power: Some(Watts(100.0)) };
    let mut meter = open_with(&roots, &options).unwrap();
    meter.read(&SystemClock);
    spin(Duration::from_millis(5));
    let reading = meter.read(&SystemClock);
    assert_eq!(reading.zones, [], "megawatts are not believed");
    assert_eq!(reading.withheld[0].total, MicroJoules::ZERO);
}

#[test]
fn real_cores_are_summed() {
    let Some((root, roots)) = time_stamp_host(SCALE) else { return };
    let number = fs::read_to_string(root.path().join(PMU).join("type")).unwrap();
    let core = "sys/bus/event_source/devices/power_core";
    // Twice the same CPU, for hosts with only one.
    write_tree(root.path(), &[(&format!("{core}/type"), number.trim()), (&format!("{core}/cpumask"), "0,0")]);
    write_event(&root, core, "energy-core", "event=0x00", SCALE);
    let mut meter = try_open(&roots).unwrap();
    let (earliest, _, latest) = (SystemClock.now(), meter.read(&SystemClock), SystemClock.now());
    spin(Duration::from_millis(20));
    let shortest = SystemClock.now().since(latest);
    let reading = meter.read(&SystemClock);
    let longest = SystemClock.now().since(earliest);
    let names: Vec<_> = reading.zones.iter().map(|(_, zone)| zone.zone.to_string()).collect();
    assert_eq!(names, ["package-0", "core-0"]);
    let ratio = reading.zones[1].1.total.joules() / reading.zones[0].1.total.joules();
    // The counters are read one after the other: each has counted for no less than the shortest time, and no more than the longest.
    let (shortest, longest) = (shortest.as_secs_f64(), longest.as_secs_f64());
    let possible = 2.0 * shortest / longest * 0.99..2.0 * longest / shortest * 1.01;
    assert!(possible.contains(&ratio), "{possible:?}: {reading:?}");
}

#[test]
fn some_cores_are_not_all_cores() {
    let Some((root, roots)) = time_stamp_host(SCALE) else { return };
    let number = fs::read_to_string(root.path().join(PMU).join("type")).unwrap();
    let core = "sys/bus/event_source/devices/power_core";
    write_tree(
        root.path(),
        &[(&format!("{core}/type"), number.trim()), (&format!("{core}/cpumask"), "0,8191")],
    );
    write_event(&root, core, "energy-core", "event=0x00", SCALE);
    let meter = try_open(&roots).unwrap();
    assert_eq!((meter.zones().len(), meter.notes().len()), (1, 1), "{:?}", meter.notes());
}

#[test]
fn an_event_that_is_not_there_is_noted() {
    let Some((root, roots)) = time_stamp_host(SCALE) else { return };
    write_event(&root, PMU, "energy-psys", "event=0xff", SCALE);
    write_event(&root, PMU, "energy-ram", "rubbish", SCALE);
    let meter = try_open(&roots).unwrap();
    assert_eq!(meter.zones().len(), 1);
    let notes = meter.notes().join("\n").replace(&root.path().display().to_string(), "");
    expect![[r"
        /sys/bus/event_source/devices/power/events/energy-ram does not contain event=NUMBER, left out
        the kernel does not open energy-psys on CPU 0: Invalid argument (os error 22), left out"]]
    .assert_eq(&notes);
}

#[test]
fn why_not_without_permission() {
    let Some((root, roots)) = time_stamp_host(SCALE) else { return };
    let paranoid = fs::read_to_string(HostRoots::default().proc.join("sys/kernel/perf_event_paranoid"));
    if paranoid.is_ok_and(|level| level.trim().parse().unwrap_or(2) <= 0) {
        println!("skipped: kernel.perf_event_paranoid lets everyone count");
        return;
    }
    let text =
        without_capabilities(CapabilitySet::PERFMON | CapabilitySet::SYS_ADMIN, || why_not(&root, &roots));
    expect![[r"
        the kernel does not open energy-pkg on CPU 0: Permission denied (os error 13)
        give the agent CAP_PERFMON (CAP_SYS_ADMIN before Linux 5.8) and, on Debian and Ubuntu, sysctl kernel.perf_event_paranoid=2; or give it CAP_SYS_ADMIN; or let it read powercap instead
    "]].assert_eq(&text);
}
