//! Tests how energy is counted through wraps, resets and bounds.

use super::*;

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
