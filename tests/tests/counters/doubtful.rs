//! Tests energy counters that exist but show wrong counts.

use std::cell::RefCell;
use std::fs;
use std::os::unix::fs::symlink;

use tests::counting::Counting;
use tests::exposition::Exposition;
use tests::host::Host;

use crate::{agent, assert_no_residual, energy, finding, has_finding, snapshot, zone};

/// A file whose every reading fails with an I/O error.
const UNREADABLE: &str = "/proc/self/mem";

fn spoil(host: &Host, folder: &str) {
    let file = host.path(&host.zone_file(folder, "energy_uj"));
    fs::remove_file(&file).unwrap();
    symlink(UNREADABLE, &file).unwrap();
}

#[test]
fn counters_that_never_move_are_not_0_watts_and_auto_estimates_instead() {
    for energy_at in [0, 123_456_789] {
        let zones = [zone("intel-rapl:0", "package-0", energy_at), zone("intel-rapl:0:0", "dram", energy_at)];
        let host = Host::of(&[(0, 0), (0, 0)], &zones).unwrap();
        let agent = agent(&host, &[]);
        let power = |scrape: &Exposition| scrape.sum("rapl_power_watts", &[]);
        let rapl = agent.scrape_port(agent.ports.rapl).unwrap();
        assert_eq!(power(&rapl), None, "not 0 W");
        let change = agent.until("the next source is used", |scrape| {
            energy(scrape, "0", "model").filter(|energy| *energy > 0.0).map(|_| scrape.clone())
        });
        assert_no_residual(&change.unwrap());
        let after = agent.wait_ticks(1).unwrap();
        assert!(has_finding(&after, "counters_stand_still", "powercap"));
        assert!(has_finding(&after, "energy_is_estimated", "host"));
        assert_eq!(after.sum("ffwatt_source_up", &[("source", "powercap")]), Some(0.0));
        assert_eq!(energy(&after, "0", "powercap"), None, "nothing was measured");
        let rapl = agent.scrape_port(agent.ports.rapl).unwrap();
        assert_eq!((power(&rapl), rapl.sum("rapl_available", &[])), (None, Some(0.0)));
        let snapshot = snapshot(&agent);
        assert_eq!(snapshot["method"]["energy_source"], "model");
        assert!(snapshot["host"]["power_watts"].as_f64().unwrap() > 0.0);
        assert!(
            finding(&snapshot, "counters_stand_still")["fix"].as_str().unwrap().contains("--energy.source")
        );
    }
}

#[test]
fn counters_that_never_move_and_are_demanded_are_no_energy() {
    let host = Host::of(&[(0, 0)], &[zone("intel-rapl:0", "package-0", 7)]).unwrap();
    let agent = agent(&host, &["--energy.source=powercap"]);
    agent
        .until("it is said", |scrape| has_finding(scrape, "counters_stand_still", "powercap").then_some(()))
        .unwrap();
    let snapshot = snapshot(&agent);
    assert!(snapshot["host"].get("power_watts").is_none(), "{snapshot}");
    let rapl = agent.scrape_port(agent.ports.rapl).unwrap();
    assert_eq!(rapl.sum("rapl_available", &[]), Some(0.0));
}

#[test]
fn a_physical_counter_that_a_guest_sees_eight_times_is_counted_once() {
    for begin in [21_000_000_000, 1_000_000, 0] {
        eight_sockets_show_one_counter(begin);
    }
}

fn eight_sockets_show_one_counter(begin: u64) {
    let sockets: Vec<(u32, u32)> = (0..8).map(|socket| (2 * socket + 1, 0)).collect();
    let zones = [
        zone("intel-rapl:0", "package-1", begin),
        zone("intel-rapl:1", "package-3", begin),
        zone("intel-rapl:2", "package-5", begin),
        zone("intel-rapl:3", "package-7", begin),
        zone("intel-rapl:4", "package-9", begin),
        zone("intel-rapl:5", "package-11", begin),
        zone("intel-rapl:6", "package-13", begin),
        zone("intel-rapl:7", "package-15", begin),
    ];
    let host = Host::of(&sockets, &zones).unwrap();
    // One file, seen eight times: the readings differ by what is counted between two of them.
    let first = host.path(&host.zone_file("intel-rapl:0", "energy_uj"));
    for other in &zones[1..] {
        let file = host.path(&host.zone_file(other.folder, "energy_uj"));
        fs::remove_file(&file).unwrap();
        symlink(&first, &file).unwrap();
    }
    let _counting = Counting::start(&host, &[("intel-rapl:0", 60.0)]).unwrap();
    let agent = agent(&host, &["--energy.source=powercap"]);
    let code = "counters_mirror_one_another";
    // Each mirror is decided by comparisons of its own: the finding names the first of them some ticks before the last.
    let mirrors = || finding(&snapshot(&agent), code)["text"].as_str().unwrap_or_default().to_owned();
    let after = agent.until("all seven mirrors are found", |scrape| {
        let text = mirrors();
        let named = zones[1..].iter().all(|zone| text.contains(zone.name));
        (has_finding(scrape, code, "package-1") && named).then(|| scrape.clone())
    });
    assert_no_residual(&after.unwrap());
    let after = agent.wait_ticks(2).unwrap();
    assert!(energy(&after, "1", "powercap").unwrap() > 0.0);
    for mirror in ["3", "5", "7", "9", "11", "13", "15"] {
        assert_eq!(energy(&after, mirror, "powercap"), None, "package {mirror}");
    }
    assert!(snapshot(&agent)["host"]["power_watts"].as_f64().unwrap() < 120.0);
    assert_no_residual(&after);
}

#[test]
fn fresh_sockets_under_nearly_the_same_load_are_two() {
    let zones = [zone("intel-rapl:0", "package-0", 500_000), zone("intel-rapl:1", "package-1", 500_000)];
    let host = Host::of(&[(0, 0), (1, 0)], &zones).unwrap();
    let agent = agent(&host, &["--energy.source=powercap"]);
    let _counting = Counting::start(&host, &[("intel-rapl:0", 60.0), ("intel-rapl:1", 60.6)]).unwrap();
    for _ in 0..8 {
        let scrape = agent.wait_ticks(1).unwrap();
        assert!(!has_finding(&scrape, "counters_mirror_one_another", "package-0"));
        assert_no_residual(&scrape);
    }
    let scrape = agent.scrape().unwrap();
    for package in ["0", "1"] {
        assert!(energy(&scrape, package, "powercap").unwrap() > 0.0, "package {package}");
    }
}

#[test]
fn cores_and_memory_are_not_the_host_when_the_package_cannot_be_read() {
    let zones = [
        zone("intel-rapl:0", "package-0", 1_000_000),
        zone("intel-rapl:0:0", "core", 500_000),
        zone("intel-rapl:0:1", "dram", 200_000),
    ];
    let host = Host::of(&[(0, 0), (0, 0)], &zones).unwrap();
    spoil(&host, "intel-rapl:0");
    let _counting = Counting::start(&host, &[("intel-rapl:0:0", 20.0), ("intel-rapl:0:1", 5.0)]).unwrap();
    let agent = agent(&host, &[]);
    let scrape = agent.wait_ticks(3).unwrap();
    assert!(has_finding(&scrape, "package_unreadable", "package-0"));
    assert_eq!(energy(&scrape, "0", "powercap"), None, "not 0 J");
    let snapshot = snapshot(&agent);
    for field in ["power_watts", "energy_joules"] {
        assert!(snapshot["host"].get(field).is_none(), "{field}: {snapshot}");
    }
    assert_eq!(snapshot["split"], serde_json::json!([]));
    let rapl = agent.scrape_port(agent.ports.rapl).unwrap();
    assert_eq!(rapl.sum("rapl_power_watts", &[("zone", "package_0")]), None);
    assert!(rapl.sum("rapl_power_watts", &[("zone", "core_0")]).is_some(), "what can be read is shown");
    let text = finding(&snapshot, "package_unreadable")["text"].as_str().unwrap().to_owned();
    assert!(text.contains("energy_uj"), "it names the path: {text}");
    assert_no_residual(&scrape);
}

#[test]
fn the_power_of_a_tick_with_a_reset_is_absent() {
    let host = Host::of(&[(0, 0), (0, 0)], &[zone("intel-rapl:0", "package-0", 80_000_000_000)]).unwrap();
    let agent = agent(&host, &["--energy.source=powercap"]);
    let counting = Counting::start(&host, &[("intel-rapl:0", 50.0)]).unwrap();
    let power = || {
        let scrape = agent.scrape_port(agent.ports.rapl).unwrap();
        scrape.sum("rapl_power_watts", &[("zone", "package_0")])
    };
    agent.wait_ticks(3).unwrap();
    assert!(power().is_some_and(|watts| watts > 0.0));
    drop(counting);
    host.set_energy("intel-rapl:0", 10_000_000_000).unwrap();
    let _again = Counting::start(&host, &[("intel-rapl:0", 50.0)]).unwrap();
    let seen = RefCell::new(Vec::new());
    let resets = [("package", "0"), ("domain", "package")];
    agent
        .until("the reset is counted and power is back", |scrape| {
            let watts = power();
            seen.borrow_mut().push(watts);
            (scrape.sum("ffwatt_energy_resets_total", &resets) == Some(1.0) && watts.is_some()).then_some(())
        })
        .unwrap();
    let seen = seen.into_inner();
    assert!(seen.contains(&None), "a tick whose energy is not known has no power: {seen:?}");
    assert!(seen.iter().flatten().all(|watts| *watts > 1.0), "and not 0 W: {seen:?}");
    assert!(has_finding(&agent.scrape().unwrap(), "counter_reset", "package-0"));
}
