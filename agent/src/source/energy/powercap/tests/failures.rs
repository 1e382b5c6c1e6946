//! Tests files and folders that cannot be read, or that hold nonsense.

use super::*;

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
