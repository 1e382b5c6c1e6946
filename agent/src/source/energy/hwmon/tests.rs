//! Energy sensors of drivers that are known, of others, and of none.

use std::fs;
use std::time::Duration;

use agent_core::units::MicroJoules;

use super::super::fixture::{host, write_tree};
use super::super::{EnergyHardware, EnergyOptions, HostEnergy};
use super::*;
use crate::clock::manual::TestClock;

const CPU: (&str, &str) = ("sys/devices/system/cpu/cpu0/online", "1");
const KIND: EnergySourceKind = EnergySourceKind::Hwmon;

fn package(number: u32) -> Zone {
    Zone { domain: Domain::Package, scope: Scope::Package(number) }
}

const PLATFORM: Zone = Zone { domain: Domain::Psys, scope: Scope::Platform };

#[test]
fn sockets_of_amd_energy_are_packages() {
    let (root, roots) = host(&[
        CPU,
        ("sys/class/hwmon/hwmon0/name", "nvme"),
        ("sys/class/hwmon/hwmon0/temp1_input", "41000"),
        ("sys/class/hwmon/hwmon3/name", "amd_energy"),
        ("sys/class/hwmon/hwmon3/energy1_label", "Ecore000"),
        ("sys/class/hwmon/hwmon3/energy1_input", "111"),
        ("sys/class/hwmon/hwmon3/energy65_label", "Esocket0"),
        ("sys/class/hwmon/hwmon3/energy65_input", "5000000"),
        ("sys/class/hwmon/hwmon3/energy66_label", "Esocket1"),
        ("sys/class/hwmon/hwmon3/energy66_input", "9000000"),
    ]);
    let clock = TestClock::default();
    let mut meter = HostEnergy::new(roots, EnergyOptions::default()).open(KIND, &clock).unwrap();
    assert_eq!(meter.zones(), [package(0), package(1)]);
    assert!(meter.notes().iter().any(|note| note.contains("Ecore000")), "{:?}", meter.notes());
    let read = |meter: &mut EnergyMeter| -> Vec<(Zone, MicroJoules)> {
        clock.advance(Duration::from_secs(1));
        meter.read(&clock).zones.into_iter().map(|(_, of)| (of.zone, of.total)).collect()
    };
    read(&mut meter);
    let monitor = root.path().join("sys/class/hwmon/hwmon3");
    fs::write(monitor.join("energy65_input"), "45000000\n").unwrap();
    fs::write(monitor.join("energy66_input"), "34000000\n").unwrap();
    assert_eq!(
        read(&mut meter),
        [(package(0), MicroJoules(40_000_000)), (package(1), MicroJoules(25_000_000))]
    );
}

#[test]
fn cores_of_amd_energy_are_counted_one_by_one() {
    let thread = |cpu: u32| format!("sys/devices/system/cpu/cpu{cpu}/topology/core_cpus_list");
    let (first, second) = (thread(0), thread(1));
    let (root, roots) = host(&[
        (&first, "0"),
        (&second, "1"),
        ("sys/class/hwmon/hwmon3/name", "amd_energy"),
        ("sys/class/hwmon/hwmon3/energy1_label", "Ecore000"),
        ("sys/class/hwmon/hwmon3/energy1_input", "111"),
        ("sys/class/hwmon/hwmon3/energy2_label", "Ecore001"),
        ("sys/class/hwmon/hwmon3/energy2_input", "222"),
        ("sys/class/hwmon/hwmon3/energy3_label", "Ecore002"),
        ("sys/class/hwmon/hwmon3/energy3_input", "0"),
        ("sys/class/hwmon/hwmon3/energy4_label", "Esocket0"),
        ("sys/class/hwmon/hwmon3/energy4_input", "5000000"),
    ]);
    let clock = TestClock::default();
    let mut meter = HostEnergy::new(roots, EnergyOptions::default()).open(KIND, &clock).unwrap();
    let cores = Zone { domain: Domain::Core, scope: Scope::Package(0) };
    assert_eq!((meter.zones(), meter.counts_cores()), (vec![package(0), cores], true));
    assert!(
        meter.notes().iter().any(|note| note.contains("Ecore002")),
        "it is off line: {:?}",
        meter.notes()
    );
    meter.read(&clock);
    for (file, energy) in [("energy1_input", "3000111"), ("energy2_input", "4000222")] {
        fs::write(root.path().join("sys/class/hwmon/hwmon3").join(file), energy).unwrap();
    }
    clock.advance(Duration::from_secs(1));
    let reading = meter.read(&clock);
    assert_eq!(reading.zones[1].1.total, MicroJoules(7_000_000));
    let counts: Vec<_> =
        reading.cores.iter().map(|core| (core.core.0, core.count.map(|count| count.total.0))).collect();
    assert_eq!(counts, [(0, Some(3_000_000)), (1, Some(4_000_000))]);
}

#[test]
fn meters_of_a_platform_are_its_parts() {
    let (root, roots) = host(&[
        CPU,
        ("sys/class/hwmon/hwmon1/name", "aem0"),
        ("sys/class/hwmon/hwmon1/energy1_input", "100"),
        ("sys/class/hwmon/hwmon2/name", "aem1"),
        ("sys/class/hwmon/hwmon2/energy1_input", "200"),
    ]);
    let clock = TestClock::default();
    let mut meter = HostEnergy::new(roots, EnergyOptions::default()).open(KIND, &clock).unwrap();
    assert_eq!(meter.zones(), [PLATFORM]);
    meter.read(&clock);
    for (monitor, energy) in [("hwmon1", "60000100"), ("hwmon2", "40000200")] {
        fs::write(root.path().join(format!("sys/class/hwmon/{monitor}/energy1_input")), energy).unwrap();
    }
    clock.advance(Duration::from_secs(1));
    assert_eq!(meter.read(&clock).zones[0].1.total, MicroJoules(100_000_000));
}

#[test]
fn other_sensors_are_named_and_left_out() {
    let (root, roots) = host(&[CPU]);
    let hardware = HostEnergy::new(roots, EnergyOptions::default());
    let why = |hardware: &HostEnergy| hardware.open(KIND, &TestClock::default()).err().unwrap().to_string();
    assert!(why(&hardware).contains("class/hwmon is missing"), "{}", why(&hardware));
    write_tree(
        root.path(),
        &[
            ("sys/class/hwmon/hwmon1/name", "xe"),
            ("sys/class/hwmon/hwmon1/energy1_label", "card"),
            ("sys/class/hwmon/hwmon1/energy1_input", "100"),
            ("sys/class/hwmon/hwmon2/name", "power_meter"),
            ("sys/class/hwmon/hwmon2/power1_input", "90000000"),
            ("sys/class/hwmon/hwmon2/energyless_input", "1"),
        ],
    );
    let said = why(&hardware);
    assert!(said.contains("\"card\"") && said.contains("power_meter samples power"), "{said}");
    assert!(!said.contains("energyless"), "{said}");
}

#[test]
fn a_monitor_that_comes_is_seen() {
    let (root, roots) = host(&[CPU]);
    let hardware = HostEnergy::new(roots, EnergyOptions::default());
    let before = hardware.presence();
    write_tree(root.path(), &[("sys/class/hwmon/hwmon1/name", "aem0")]);
    assert_ne!(hardware.presence(), before);
}
