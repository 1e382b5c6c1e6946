//! Tests sources, zones and CPUs that appear after the start, and disappear.

use std::fs;

use tests::counting::Counting;
use tests::host::{CGROUPS, Host};

use crate::{agent, assert_no_residual, energy, has_finding, zone};

#[test]
fn powercap_that_comes_after_the_start_is_measured_from_then_on() {
    let mut host = Host::without_energy().unwrap();
    let agent = agent(&host, &[]);
    let before = agent.wait_ticks(1).unwrap();
    assert!(has_finding(&before, "energy_is_estimated", "host"));
    assert_eq!(before.sum("ffwatt_source_up", &[("source", "model")]), Some(1.0));

    host.powercap(&[zone("intel-rapl:0", "package-0", 1_000_000)]).unwrap();
    let counting = Counting::start(&host, &[("intel-rapl:0", 50.0)]).unwrap();
    let change = agent.until("it is measured", |scrape| {
        energy(scrape, "0", "powercap").filter(|energy| *energy > 0.0).map(|_| scrape.clone())
    });
    let change = change.unwrap();
    let estimated = energy(&change, "0", "model").unwrap();
    host.step(&[(CGROUPS[1], 300)]).unwrap();
    let after = agent.wait_ticks(3).unwrap();
    assert_eq!(
        energy(&after, "0", "model"),
        Some(estimated),
        "what was estimated stays, and nothing is added"
    );
    assert!(energy(&after, "0", "powercap") > energy(&change, "0", "powercap"));
    assert_no_residual(&after);
    assert!(!has_finding(&after, "energy_is_estimated", "host"));
    let up = |source| after.sum("ffwatt_source_up", &[("source", source)]);
    assert_eq!((up("powercap"), up("model")), (Some(1.0), None));
    let rapl = agent.scrape_port(agent.ports.rapl).unwrap();
    let measured = rapl.sum("rapl_energy_joules_total", &[("zone", "package_0")]).unwrap();
    assert!(measured >= energy(&after, "0", "powercap").unwrap(), "no estimate is among what is measured");
    assert!(measured - energy(&after, "0", "powercap").unwrap() < estimated.max(100.0));
    drop(counting);
}

#[test]
fn the_zone_of_a_second_socket_that_comes_late_is_read_and_until_then_it_is_said() {
    let host = Host::of(&[(0, 0), (1, 0)], &[zone("intel-rapl:0", "package-0", 1_000_000)]).unwrap();
    let _first = Counting::start(&host, &[("intel-rapl:0", 50.0)]).unwrap();
    let agent = agent(&host, &["--energy.source=powercap"]);
    let before = agent.wait_ticks(2).unwrap();
    assert!(has_finding(&before, "socket_without_counter", "socket 1"));
    assert_eq!(energy(&before, "1", "powercap"), None, "not 0 J");

    host.powercap(&[zone("intel-rapl:1", "package-1", 2_000_000)]).unwrap();
    let _second = Counting::start(&host, &[("intel-rapl:1", 70.0)]).unwrap();
    agent
        .until("the second socket is counted", |scrape| {
            energy(scrape, "1", "powercap").filter(|energy| *energy > 0.0)
        })
        .unwrap();
    let after = agent.wait_ticks(2).unwrap();
    assert!(!has_finding(&after, "socket_without_counter", "socket 1"));
    assert_no_residual(&after);
}

#[test]
fn a_zone_that_goes_has_no_power_and_comes_back_under_another_number() {
    let zones = [zone("intel-rapl:0", "package-0", 1_000_000), zone("intel-rapl:1", "package-1", 9_000_000)];
    let host = Host::of(&[(0, 0), (1, 0)], &zones).unwrap();
    let _counting = Counting::start(&host, &[("intel-rapl:0", 50.0)]).unwrap();
    let agent = agent(&host, &["--energy.source=powercap"]);
    let folder = host.path("sys/devices/virtual/powercap/intel-rapl/intel-rapl:1");
    let link = host.path("sys/class/powercap/intel-rapl:1");
    fs::remove_file(&link).unwrap();
    fs::remove_dir_all(&folder).unwrap();
    agent
        .until("it is said", |scrape| has_finding(scrape, "package_unreadable", "package-1").then_some(()))
        .unwrap();
    let rapl = agent.scrape_port(agent.ports.rapl).unwrap();
    assert_eq!(rapl.sum("rapl_power_watts", &[("zone", "package_1")]), None);
    host.powercap(&[zone("intel-rapl:2", "package-1", 9_500_000)]).unwrap();
    let _again = Counting::start(&host, &[("intel-rapl:2", 70.0)]).unwrap();
    let after = agent.until("it is counted again", |scrape| {
        let is_counted = energy(scrape, "1", "powercap").is_some_and(|energy| energy > 1.0);
        (is_counted && !has_finding(scrape, "package_unreadable", "package-1")).then(|| scrape.clone())
    });
    assert_no_residual(&after.unwrap());
}

#[test]
fn a_cpu_of_socket_1_that_comes_on_line_late_counts_as_socket_1() {
    let zones = [zone("intel-rapl:0", "package-0", 1_000_000), zone("intel-rapl:1", "package-1", 9_000_000)];
    let mut host = Host::of(&[(0, 0), (1, 0)], &zones).unwrap();
    let (topology, aside) = (host.path("sys/devices/system/cpu/cpu1/topology"), host.path("aside"));
    fs::rename(&topology, &aside).unwrap();
    let agent = agent(&host, &["--energy.source=powercap"]);
    fs::rename(&aside, &topology).unwrap();
    agent.wait_ticks(2).unwrap();
    let _counting = Counting::start(&host, &[("intel-rapl:1", 50.0)]).unwrap();
    let of_nginx = [("workload", "nginx.service"), ("package", "1"), ("domain", "package")];
    for _ in 0..5 {
        host.step(&[(CGROUPS[1], 600)]).unwrap();
        agent.wait_ticks(1).unwrap();
    }
    let after = agent.scrape().unwrap();
    let nginx = after.sum("ffwatt_workload_energy_joules_total", &of_nginx).unwrap_or(0.0);
    assert!(nginx > 0.0, "who runs on socket 1 draws on its energy: {nginx} J");
    assert_no_residual(&after);
}
