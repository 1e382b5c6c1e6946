//! Tests of powercap trees in all their shapes, the broken ones included.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use agent_core::model::energy::CounterEvent;
use agent_core::model::health::Reason;
use agent_core::units::MicroJoules;
use expect_test::{Expect, expect};
use tempfile::TempDir;

use super::super::EnergyReading;
use super::super::fixture::{
    self, ANY_FILE, CLIENT_RANGE, DRAM_RANGE, RAPL, SERVER_RANGE, allow, cpuinfo, forbid, host, link_zones,
    without_capabilities, write_tree, write_zone,
};
use super::*;
use crate::clock::manual::TestClock;
use crate::host::CpuTopology;

struct Host {
    folder: TempDir,
    roots: HostRoots,
    clock: TestClock,
}

impl Host {
    fn new(build: impl FnOnce(&Path)) -> Self {
        let (folder, roots) = host(&[]);
        build(folder.path());
        Self { folder, roots, clock: TestClock::default() }
    }

    fn open(&self) -> Result<EnergyMeter, SourceError> {
        self.open_with(&EnergyOptions::USUAL)
    }

    fn open_with(&self, options: &EnergyOptions) -> Result<EnergyMeter, SourceError> {
        let topology = CpuTopology::default();
        open(&Place { roots: &self.roots, topology: &topology, options, clock: &self.clock })
    }

    fn zone(&self, folder: &str) -> PathBuf {
        self.folder.path().join(RAPL).join(folder)
    }

    fn set(&self, folder: &str, energy: &str) {
        fs::write(self.zone(folder).join("energy_uj"), energy).unwrap();
    }

    /// Reads one second after the last reading.
    fn read(&self, meter: &mut EnergyMeter) -> EnergyReading {
        self.clock.advance(Duration::from_secs(1));
        meter.read(&self.clock)
    }

    /// The error of opening, without the folder's name.
    fn why_not(&self) -> String {
        let error = self.open().err().expect("it does not open");
        assert_eq!(error.reason(), Reason::Unavailable, "{error:?}");
        let root = self.folder.path().display().to_string();
        format!("{}\n{}\n", error.chain(), error.hint()).replace(&root, "")
    }
}

fn show(reading: &EnergyReading) -> String {
    let zones = reading.zones.iter().map(|(_, zone)| format!("{} {} µJ\n", zone.zone, zone.total.0));
    let events = reading.events.iter().map(|(zone, event)| format!("{zone} {event:?}\n"));
    let failures = reading.failures.iter().map(|(zone, error)| format!("{zone} {}\n", error.reason()));
    zones.chain(events).chain(failures).collect()
}

#[track_caller]
fn check_zones(build: fn(&Path), expected: &Expect) {
    let meter = Host::new(build).open().unwrap();
    let zones = meter.zones().into_iter().map(|zone| zone.to_string());
    let notes = meter.notes().iter().map(|note| format!("# {note}"));
    let lines: Vec<String> = zones.chain(notes).collect();
    expected.assert_eq(&(lines.join("\n") + "\n"));
}

#[test]
fn zones_of_a_client() {
    check_zones(
        fixture::client,
        &expect![[r"
            package-0
            core-0
            uncore-0
            dram-0
            psys
        "]],
    );
}

#[test]
fn zones_of_two_sockets() {
    check_zones(
        fixture::two_socket,
        &expect![[r"
            package-0
            dram-0
            package-1
            dram-1
        "]],
    );
}

#[test]
fn zones_of_dies() {
    check_zones(
        fixture::multi_die,
        &expect![[r"
            package-0-die-0
            dram-0-die-0
            package-0-die-1
            dram-0-die-1
        "]],
    );
}

#[test]
fn the_same_package_by_mmio_is_left_out() {
    check_zones(
        |root| {
            let mmio = "../intel-rapl-mmio/intel-rapl-mmio:0";
            write_zone(root, mmio, "package-0", "900", CLIENT_RANGE);
            write_zone(root, &format!("{mmio}/intel-rapl-mmio:0:0"), "dram", "90", CLIENT_RANGE);
            write_zone(root, "../intel-rapl-mmio/intel-rapl-mmio:1", "psys", "90", CLIENT_RANGE);
            write_zone(root, "intel-rapl:0", "package-0", "900", CLIENT_RANGE);
            write_zone(root, "intel-rapl:1", "psys", "900", CLIENT_RANGE);
            link_zones(root);
        },
        &expect![[r"
            package-0
            dram-0
            psys
            # intel-rapl-mmio:0 repeats package-0, left out
            # intel-rapl-mmio:1 repeats psys, left out
        "]],
    );
}

#[test]
fn mmio_alone_is_used() {
    check_zones(
        |root| {
            write_zone(root, "../intel-rapl-mmio/intel-rapl-mmio:0", "package-0", "900", CLIENT_RANGE);
            link_zones(root);
        },
        &expect![[r"
            package-0
        "]],
    );
}

#[test]
fn on_amd_dies_are_one_package_and_a_core_is_not_all_cores() {
    check_zones(
        |root| {
            for die in ["0", "1"] {
                let folder = format!("intel-rapl:{die}");
                write_zone(root, &folder, &format!("package-0-die-{die}"), "7", SERVER_RANGE);
                write_zone(root, &format!("{folder}/{folder}:0"), "core", "1", SERVER_RANGE);
            }
            link_zones(root);
            write_tree(root, &[("proc/cpuinfo", &cpuinfo("AuthenticAMD", 25, 17, "fpu"))]);
        },
        &expect![[r"
            package-0
            # intel-rapl:0:0 counts one core of many on AMD, left out
            # intel-rapl:1 repeats package-0, left out
            # intel-rapl:1:0 counts one core of many on AMD, left out
        "]],
    );
}

#[test]
fn a_copied_tree_has_flat_folders_and_perhaps_nested_ones() {
    check_zones(
        |root| {
            for (folder, name) in [
                ("intel-rapl:a", "package-10"),
                ("intel-rapl:a:1", "dram"),
                ("intel-rapl:a:2", "uncore"),
                ("intel-rapl:a/intel-rapl:a:1", "dram"),
                ("intel-rapl:a/intel-rapl:a:3", "core"),
            ] {
                let folder = root.join("sys/class/powercap").join(folder);
                write_tree(&folder, &[("name", name), ("energy_uj", "1")]);
            }
        },
        &expect![[r"
            package-10
            core-10
            uncore-10
            dram-10
        "]],
    );
}

#[test]
fn a_tree_may_have_nested_folders_only() {
    check_zones(
        |root| {
            let class = root.join("sys/class/powercap/intel-rapl/intel-rapl:0");
            write_tree(&class, &[("name", "package-0"), ("energy_uj", "1")]);
            write_tree(&class.join("intel-rapl:0:0"), &[("name", "dram"), ("energy_uj", "1")]);
        },
        &expect![[r"
            package-0
            dram-0
        "]],
    );
}

#[test]
fn what_is_not_known_is_noted_and_the_rest_works() {
    check_zones(
        |root| {
            write_zone(root, "intel-rapl:0", "package-0", "1", CLIENT_RANGE);
            write_zone(root, "intel-rapl:0/intel-rapl:0:0", "flux", "1", CLIENT_RANGE);
            write_zone(root, "intel-rapl:1", "package-x", "1", CLIENT_RANGE);
            write_zone(root, "intel-rapl:2", "dram", "1", CLIENT_RANGE);
            write_tree(&root.join(RAPL).join("intel-rapl:3"), &[("energy_uj", "1")]);
            write_tree(&root.join(RAPL).join("../dtpm/dtpm:0"), &[("name", "soc"), ("energy_uj", "1")]);
            write_tree(
                &root.join(RAPL).join("../amd-rapl/amd-rapl:0"),
                &[("name", "package-7"), ("energy_uj", "1")],
            );
            link_zones(root);
        },
        &expect![[r"
            package-0
            # the name of intel-rapl:0:0 is not known, left out
            # the name of intel-rapl:1 is not known, left out
            # intel-rapl:2 is a part (dram), but is in no package, left out
            # intel-rapl:3 has no name, left out
        "]],
    );
}

#[test]
fn platforms_of_a_partitioned_machine_are_summed() {
    let host = Host::new(|root| {
        for (folder, name) in [("intel-rapl:0", "psys"), ("intel-rapl:1", "psys-1")] {
            write_zone(root, folder, name, "5", "4294967295000000");
        }
        link_zones(root);
    });
    let mut meter = host.open().unwrap();
    meter.read(&host.clock);
    host.set("intel-rapl:0", "3000005");
    host.set("intel-rapl:1", "2000005");
    let reading = host.read(&mut meter);
    assert_eq!(show(&reading), "psys 5000000 µJ\n");
    assert_eq!(reading.zones[0].1.quantum, MicroJoules(1_000_000));
}

#[test]
fn energy_is_counted_from_the_first_reading() {
    let host = Host::new(fixture::client);
    let mut meter = host.open().unwrap();
    assert_eq!(meter.kind(), EnergySourceKind::Powercap);
    assert!(host.read(&mut meter).zones.iter().all(|(_, zone)| zone.total == MicroJoules::ZERO));
    host.set("intel-rapl:0", "11000000\n");
    host.set("intel-rapl:0/intel-rapl:0:2", "700000\n");
    host.set("intel-rapl:1", "23000000\n");
    expect![[r"
        package-0 10000000 µJ
        core-0 0 µJ
        uncore-0 0 µJ
        dram-0 500000 µJ
        psys 20000000 µJ
    "]]
    .assert_eq(&show(&host.read(&mut meter)));
}

#[test]
fn a_wrap_is_one_count_longer_than_the_range() {
    for (range, before, after, energy) in [
        (CLIENT_RANGE, 262_143_328_850_u64, 0, 61),
        (CLIENT_RANGE, 262_143_328_850 - 5_000_000, 1_000_000, 6_000_061),
        (SERVER_RANGE, 65_532_610_987, 0, 15),
        (DRAM_RANGE, 65_712_999_613, 0, 15),
        ("999999", 999_999, 0, 1),
    ] {
        let host = Host::new(|root| {
            write_zone(root, "intel-rapl:0", "package-0", &before.to_string(), range);
            link_zones(root);
        });
        let mut meter = host.open().unwrap();
        meter.read(&host.clock);
        host.set("intel-rapl:0", &after.to_string());
        let reading = host.read(&mut meter);
        assert_eq!(show(&reading), format!("package-0 {energy} µJ\npackage-0 Wrap\n"), "{range}");
    }
}

#[test]
fn a_reloaded_driver_is_a_reset_and_not_a_quarter_of_a_megajoule() {
    let host = Host::new(fixture::client);
    let mut meter = host.open().unwrap();
    meter.read(&host.clock);
    host.set("intel-rapl:0", "7");
    let reading = host.read(&mut meter);
    assert_eq!((reading.withheld.len(), reading.events.len()), (1, 0), "it may be garbage");
    host.set("intel-rapl:0", "1000007");
    let reading = host.read(&mut meter);
    assert_eq!(reading.events.len(), 1);
    assert_eq!(reading.events[0].1, CounterEvent::Reset);
    let package = reading.zones.iter().find(|(_, zone)| zone.zone.domain == Domain::Package).unwrap();
    assert_eq!(package.1.total, MicroJoules(1_000_007), "what it counted since counts");
}

#[test]
fn without_a_range_a_decrease_is_a_reset() {
    for range in ["", "0", "junk"] {
        let host = Host::new(|root| {
            write_zone(root, "intel-rapl:0", "package-0", "900", range);
            link_zones(root);
        });
        let mut meter = host.open().unwrap();
        assert_eq!(meter.longest_gap(), None);
        meter.read(&host.clock);
        host.set("intel-rapl:0", "5");
        assert_eq!(show(&host.read(&mut meter)), "", "{range:?}");
        host.set("intel-rapl:0", "8");
        assert_eq!(show(&host.read(&mut meter)), "package-0 8 µJ\npackage-0 Reset\n", "{range:?}");
    }
}

#[test]
fn the_bound_is_four_times_what_it_may_draw_for_long() {
    // 65 W is stated by the hardware, 45 W is set now.
    let host = Host::new(fixture::client);
    let mut meter = host.open().unwrap();
    meter.read(&host.clock);
    // 260 W for 1.1 s, into package and cores; the memory has no limit.
    for (energy, expected) in [(286_000_000, 0), (286_000_000 + 286_000_001, 1)] {
        host.set("intel-rapl:0", &(1_000_000 + energy).to_string());
        host.set("intel-rapl:0/intel-rapl:0:0", &(500_000 + energy).to_string());
        host.set("intel-rapl:0/intel-rapl:0:2", &(200_000 + energy).to_string());
        let withheld = host.read(&mut meter).withheld;
        assert_eq!(withheld.len(), 2 * expected, "{withheld:?}");
    }
    // A quarter of 262 kJ at the 10 kW a platform without a limit may draw.
    let gap = meter.longest_gap().unwrap();
    assert_eq!(gap.as_millis(), 6553);
}

#[test]
fn a_configured_bound_wins() {
    let host = Host::new(fixture::client);
    let options = EnergyOptions { plausible_power: Some(Watts(10.0)) };
    let mut meter = host.open_with(&options).unwrap();
    meter.read(&host.clock);
    host.set("intel-rapl:0", "12000001");
    assert_eq!(host.read(&mut meter).withheld.len(), 1);
}

#[test]
fn limits_are_read_with_suspicion() {
    for (name, limit, design, expected) in [
        ("long_term", "125000000", "0", Some(125.0)),
        ("long_term", "15000000", "45000000", Some(45.0)),
        ("long_term", "0", "0", None),
        ("long_term", "100000000001", "junk", None),
        ("long_term", "-1", "", None),
        ("short_term", "125000000", "125000000", None),
    ] {
        let folder = TempDir::new().unwrap();
        write_tree(
            folder.path(),
            &[
                ("constraint_2_name", name),
                ("constraint_2_power_limit_uw", limit),
                ("constraint_2_max_power_uw", design),
            ],
        );
        assert_eq!(Limits::read(folder.path()).power, expected.map(Watts), "{name} {limit} {design}");
    }
}

#[test]
fn nonsense_is_named_and_hides_nothing_else() {
    for nonsense in ["", "junk", "-5", "18446744073709551616", "1 2", "0x10", "1e6", "12.5", "\0\0"] {
        let host = Host::new(fixture::client);
        let mut meter = host.open().unwrap();
        host.read(&mut meter);
        host.set("intel-rapl:0", nonsense);
        let reading = host.read(&mut meter);
        assert_eq!((reading.zones.len(), reading.failures.len()), (4, 1), "{nonsense:?}");
        let (zone, error) = &reading.failures[0];
        assert_eq!((zone.domain, error.reason()), (Domain::Package, Reason::Broken));
        let text = error.chain();
        let problem = format!("holds no number of microjoules ({} bytes", nonsense.len());
        assert!(text.contains("intel-rapl:0/energy_uj") && text.contains(&problem), "{text}");
        // The file may be another program's, put in place of the counter.
        assert!(nonsense.len() < 4 || !text.contains(nonsense), "{text}");
        host.set("intel-rapl:0", "2000000");
        assert_eq!(host.read(&mut meter).zones[0].1.total, MicroJoules(1_000_000), "{nonsense:?}");
    }
}

#[test]
fn a_long_file_is_nonsense() {
    let host = Host::new(fixture::client);
    let mut meter = host.open().unwrap();
    host.set("intel-rapl:0", &"9".repeat(100_000));
    let reading = host.read(&mut meter);
    assert_eq!(reading.failures[0].1.reason(), Reason::Broken);
    assert!(reading.failures[0].1.chain().len() < 300);
}

#[test]
fn the_largest_number_is_no_failure() {
    let host = Host::new(|root| {
        write_zone(root, "intel-rapl:0", "package-0", "18446744073709551615", "18446744073709551615");
        link_zones(root);
    });
    let mut meter = host.open().unwrap();
    meter.read(&host.clock);
    host.set("intel-rapl:0", "999");
    assert!(show(&host.read(&mut meter)).ends_with("Wrap\n"));
}

#[test]
fn a_vanished_file_is_missed_and_found_again() {
    let host = Host::new(fixture::client);
    let mut meter = host.open().unwrap();
    host.read(&mut meter);
    let file = host.zone("intel-rapl:0").join("energy_uj");
    fs::remove_file(&file).unwrap();
    let reading = host.read(&mut meter);
    assert_eq!(reading.failures.len(), 1);
    assert_eq!(reading.failures[0].1.reason(), Reason::Vanished);
    host.set("intel-rapl:0", "3000000");
    assert_eq!(host.read(&mut meter).zones[0].1.total, MicroJoules(2_000_000));
}

#[test]
fn a_replaced_file_is_followed() {
    let host = Host::new(fixture::client);
    let mut meter = host.open().unwrap();
    host.read(&mut meter);
    let file = host.zone("intel-rapl:0").join("energy_uj");
    fs::write(file.with_extension("new"), "3000000").unwrap();
    fs::rename(file.with_extension("new"), &file).unwrap();
    assert_eq!(host.read(&mut meter).zones[0].1.total, MicroJoules(2_000_000));
}

#[test]
fn a_disabled_zone_counts_all_the_same() {
    let host = Host::new(fixture::client);
    write_tree(&host.zone("intel-rapl:0"), &[("enabled", "0")]);
    assert_eq!(host.open().unwrap().zones().len(), 5);
}

#[test]
fn why_not_without_the_folder() {
    let metal =
        Host::new(|root| write_tree(root, &[("proc/cpuinfo", &cpuinfo("GenuineIntel", 6, 158, "fpu"))]));
    expect![[r"
        /sys/class/powercap is missing: the kernel has no powercap
        modprobe intel_rapl_msr (it serves AMD too)
    "]]
    .assert_eq(&metal.why_not());
    let guest = cpuinfo("GenuineIntel", 6, 158, "fpu hypervisor");
    let guest = Host::new(|root| write_tree(root, &[("proc/cpuinfo", &guest)]));
    expect![[r"
        /sys/class/powercap is missing: the kernel has no powercap (a virtual machine without passed-through RAPL)

    "]]
    .assert_eq(&guest.why_not());
}

#[test]
fn why_not_without_zones() {
    let empty = Host::new(|root| fs::create_dir_all(root.join("sys/class/powercap/dtpm")).unwrap());
    expect![[r"
        /sys/class/powercap has no RAPL zones
        modprobe intel_rapl_msr (it serves AMD too)
    "]]
    .assert_eq(&empty.why_not());
    let driver_only =
        Host::new(|root| fs::create_dir_all(root.join("sys/class/powercap/intel-rapl")).unwrap());
    assert_eq!(driver_only.why_not(), empty.why_not());
}

#[test]
fn why_not_where_a_container_engine_hides_it() {
    let masked = Host::new(|root| {
        fixture::client(root);
        fs::remove_dir_all(root.join("sys/devices/virtual/powercap")).unwrap();
    });
    expect![[r"
        the zones of /sys/class/powercap are broken links
        container engines hide powercap: mount the host's sysfs into the container and name it with --path.sysfs
    "]]
    .assert_eq(&masked.why_not());
}

#[test]
fn why_not_with_strange_zones_only() {
    let strange = Host::new(|root| {
        write_zone(root, "intel-rapl:0", "flux", "1", CLIENT_RANGE);
        link_zones(root);
    });
    expect![[r"
        /sys/class/powercap has no known zone: the name of intel-rapl:0 is not known, left out

    "]]
    .assert_eq(&strange.why_not());
}

#[test]
fn why_not_without_permission() {
    let host = Host::new(fixture::client);
    let zones = ["intel-rapl:0", "intel-rapl:0/intel-rapl:0:0", "intel-rapl:0/intel-rapl:0:1"];
    let more = ["intel-rapl:0/intel-rapl:0:2", "intel-rapl:1"];
    for folder in zones.iter().chain(&more) {
        forbid(&host.zone(folder).join("energy_uj"));
    }
    let text = without_capabilities(ANY_FILE, || host.why_not());
    expect![[r#"
        cannot open /sys/class/powercap/intel-rapl:0/energy_uj: Permission denied (os error 13)
        give the agent CAP_DAC_READ_SEARCH (which counts for the real sysfs only, not for --path.sysfs), or let its group read the counters by a udev rule: SUBSYSTEM=="powercap", RUN+="/bin/chgrp ffwatt $sys$devpath/energy_uj", RUN+="/bin/chmod g+r $sys$devpath/energy_uj"
    "#]].assert_eq(&text);
    allow(&host.zone("intel-rapl:1").join("energy_uj"));
    assert!(without_capabilities(ANY_FILE, || host.open().is_ok()), "one that may be read is enough");
}

#[test]
fn one_forbidden_file_hides_no_other() {
    let host = Host::new(fixture::client);
    forbid(&host.zone("intel-rapl:0").join("energy_uj"));
    let text = without_capabilities(ANY_FILE, || show(&host.read(&mut host.open().unwrap())));
    assert!(text.ends_with("package-0 permission\n") && text.starts_with("core-0 0 µJ\n"), "{text}");
}

#[test]
fn memory_of_sapphire_rapids_counts_general_steps_whatever_the_kernel_takes_them_for() {
    let open_on = |model: u32| {
        let host = Host::new(|root| {
            write_zone(root, "intel-rapl:0", "package-0", "0", CLIENT_RANGE);
            write_zone(root, "intel-rapl:0/intel-rapl:0:0", "dram", "0", DRAM_RANGE);
            write_tree(root, &[("proc/cpuinfo", &cpuinfo("GenuineIntel", 6, model, "fpu"))]);
            link_zones(root);
        });
        let mut meter = host.open().unwrap();
        meter.read(&host.clock);
        // A million steps: 15.3 J by the kernel, 61.035 J by the processor.
        host.set("intel-rapl:0/intel-rapl:0:0", "15300000");
        let reading = host.read(&mut meter);
        let (_, memory) = reading.zones.iter().find(|(_, zone)| zone.zone.domain == Domain::Dram).unwrap();
        (memory.total.joules().round(), memory.quantum.0, meter.corrected().len())
    };
    assert_eq!(open_on(0x8F), (61.0, 61, 1), "Sapphire Rapids");
    assert_eq!(open_on(0x6A), (15.0, 15, 0), "Ice Lake, whose memory does count 15.3 µJ");
}
