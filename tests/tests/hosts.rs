//! Tests the agent's metrics on each fixture host: the real binary against golden files.
//!
//! A golden file is the whole text of the three listeners after one step of the host, less the values that depend on the time of the test.
//! `UPDATE_EXPECT=1` writes it anew; read the difference before committing it.
//!
//! Run: together.

#![allow(
    clippy::unwrap_used,
    clippy::float_cmp,
    reason = "a test may panic, and means equal when it says equal"
)]

use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

use expect_test::expect_file;
use tests::agent::Agent;
use tests::command::eventually;
use tests::counting::Counting;
use tests::exposition::Exposition;
use tests::host::{CGROUPS, Host};
use tests::http::{get, request};
use tests::referee;
use tests::registers::{AMD_CORE, AMD_PACKAGE};

/// Series whose values depend on the clock, the host or the build. All others are equal on every run.
const VARIES: [&str; 14] = [
    "process_",
    "ffwatt_ledger_wal_bytes",
    // The results thread counts independently.
    "ffwatt_kept_entries{what=\"history\"",
    // The host may be busy with other tests.
    "ffwatt_missed_ticks_total",
    "docker_container_cpu_percent",
    "docker_containers_total_cpu_percent",
    "ffwatt_build_info",
    "ffwatt_host_power_watts",
    "ffwatt_last_tick_timestamp_seconds",
    "ffwatt_tick_duration_seconds_bucket",
    "ffwatt_tick_duration_seconds_count",
    "ffwatt_tick_duration_seconds_sum",
    // On a fixture host nothing is idle between two steps.
    "ffwatt_workload_cpu_seconds_total{workload=\"system\"",
    "ffwatt_workload_energy_uncertainty_joules",
];

/// A counter that stood still in the last tick has no power.
const TIMED: &str = "rapl_power_watts";

/// The model's energy is power × time.
const VARIES_WITH_MODEL: [&str; 4] = [
    "rapl_energy_joules_total",
    "ffwatt_host_energy_joules_total",
    "ffwatt_idle_power_watts",
    "ffwatt_workload_energy_joules_total",
];

/// One history: a first reading, then CPU time and energy at once, then the tick that has both.
fn live(host: &mut Host, flags: &[&str], step: impl FnOnce(&mut Host)) -> Agent {
    let own = host.flags();
    let flags: Vec<&str> =
        own.iter().map(String::as_str).chain(["--interval=1s"]).chain(flags.iter().copied()).collect();
    let agent = Agent::start(&flags).unwrap();
    agent.wait_ticks(1).unwrap();
    agent.between_ticks(|| step(host)).unwrap();
    agent.wait_ticks(2).unwrap();
    agent
}

fn work(host: &mut Host) {
    host.step(&[(CGROUPS[0], 700), (CGROUPS[1], 100), (CGROUPS[2], 150), (CGROUPS[3], 50)]).unwrap();
}

/// Compares all listeners, which every validator accepts and whose sums are exact, with the golden file.
fn compare(agent: &Agent, golden: &str, varies: &[&str]) {
    let mut all = String::new();
    for (port, name) in [
        (agent.ports.rapl, "rapl family"),
        (agent.ports.docker, "docker family"),
        (agent.ports.main, "main listener"),
    ] {
        let classic = get(port, "/metrics").unwrap().text();
        referee::promtool(&classic).unwrap();
        let scrape = Exposition::parse(&classic).unwrap();
        for ((package, domain), residual) in scrape.residuals() {
            assert_eq!(residual, 0, "package {package:?}, domain {domain:?}");
        }
        let accept = [("Accept", "application/openmetrics-text;version=1.0.0")];
        referee::openmetrics(&request(port, "GET", "/metrics", &accept).unwrap().text()).unwrap();
        write!(all, "# ffwatt golden file: {name}\n{}\n", stable(&classic, varies)).unwrap();
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden").join(golden);
    expect_file![path].assert_eq(&all);
}

/// The scrape with `~` for every value that varies, and without help texts: docs/METRICS.md has them. Workloads are in the order of
/// their folders' inodes, which depends on the file system; here they are in the order of their names.
fn stable(text: &str, varies: &[&str]) -> String {
    let mut families: Vec<Vec<String>> = Vec::new();
    let is_shown = |line: &&str| !line.starts_with("# HELP") && !line.contains(TIMED);
    for line in text.lines().filter(is_shown) {
        let varies = varies.iter().chain(&VARIES).any(|name| line.starts_with(name));
        let line = match line.rsplit_once(' ') {
            Some((series, _)) if varies => format!("{series} ~"),
            _ => line.to_owned(),
        };
        match families.last_mut() {
            Some(family) if !line.starts_with('#') => family.push(line),
            _ => families.push(vec![line]),
        }
    }
    for family in families.iter_mut().filter(|family| family[0].contains(" ffwatt_workload_")) {
        family[1..].sort();
    }
    families.concat().into_iter().fold(String::new(), |text, line| text + &line + "\n")
}

#[test]
fn a_client_with_psys_and_the_memory_mapped_duplicate() {
    let mut host = Host::client().unwrap();
    let agent = live(&mut host, &["--energy.source=powercap"], |host| {
        host.set_energy("intel-rapl:0", 13_000_000).unwrap();
        host.set_energy("intel-rapl:0:0", 9_500_001).unwrap();
        host.set_energy("intel-rapl:0:1", 40_000).unwrap();
        host.set_energy("intel-rapl:1", 23_000_003).unwrap();
        host.set_energy("intel-rapl-mmio:0", 12_900_000).unwrap();
        work(host);
    });
    compare(&agent, "client.prom", &[]);
}

#[test]
fn two_sockets_with_memory_of_their_own() {
    let mut host = Host::two_socket().unwrap();
    let agent = live(&mut host, &["--energy.source=powercap"], |host| {
        host.set_energy("intel-rapl:0", 45_000_000).unwrap();
        host.set_energy("intel-rapl:0:0", 3_700_007).unwrap();
        host.set_energy("intel-rapl:1", 36_000_001).unwrap();
        host.set_energy("intel-rapl:1:0", 2_800_000).unwrap();
        work(host);
    });
    compare(&agent, "two_socket.prom", &[]);
}

#[test]
fn two_dies_of_one_socket_are_counted_apart() {
    let mut host = Host::multi_die().unwrap();
    let agent = live(&mut host, &["--energy.source=powercap"], |host| {
        host.set_energy("intel-rapl:0", 10_000_100).unwrap();
        host.set_energy("intel-rapl:0:0", 1_000_100).unwrap();
        host.set_energy("intel-rapl:1", 20_000_100).unwrap();
        host.set_energy("intel-rapl:1:0", 2_000_100).unwrap();
        work(host);
    });
    compare(&agent, "multi_die.prom", &[]);
}

#[test]
fn amd_by_powercap() {
    let mut host = Host::amd().unwrap();
    let agent = live(&mut host, &["--energy.source=powercap"], |host| {
        host.set_energy("intel-rapl:0", 20_000_001).unwrap();
        host.set_energy("intel-rapl:0:0", 7_000_001).unwrap();
        work(host);
    });
    compare(&agent, "amd.prom", &[]);
}

#[test]
fn intel_by_registers() {
    let mut host = Host::intel_registers().unwrap();
    // The automatic order: no powercap, so the registers.
    let agent = live(&mut host, &[], |host| {
        for (address, value) in
            [(0x611, 1000 + (20 << 14)), (0x639, 500 + (12 << 14)), (0x619, 70 + (3 << 14))]
        {
            (0..2).for_each(|cpu| host.set_register(cpu, address, value).unwrap());
        }
        work(host);
    });
    compare(&agent, "intel_registers.prom", &[]);
}

#[test]
fn amd_by_registers() {
    let mut host = Host::amd_registers().unwrap();
    let agent = live(&mut host, &["--energy.source=msr"], |host| {
        // 256 J and one step of the package; 2 J of the first core, which wraps, and 3 J of the other one.
        for (cpu, core) in [(2 << 16) - 101, 500 + (3 << 16)].into_iter().enumerate() {
            host.set_register(cpu, AMD_PACKAGE, 1000 + (256 << 16) + 1).unwrap();
            host.set_register(cpu, AMD_CORE, core).unwrap();
        }
        work(host);
    });
    compare(&agent, "amd_registers.prom", &[]);
}

#[test]
fn the_registers_of_a_cpu_that_goes_off_line_are_read_on_another_one() {
    let mut host = Host::intel_registers().unwrap();
    let agent = live(&mut host, &["--energy.source=msr"], |host| {
        host.take_offline(0).unwrap();
        host.set_register(1, 0x611, 1000 + (20 << 14)).unwrap();
        work(host);
    });
    let scrape = agent.scrape().unwrap();
    let package = [("domain", "package")];
    assert_eq!(scrape.sum("ffwatt_host_energy_joules_total", &package), Some(20.0), "{}", agent.log());
}

#[test]
fn a_virtual_machine_is_estimated_and_says_so() {
    let mut host = Host::without_energy().unwrap();
    let agent = live(&mut host, &[], work);
    compare(&agent, "without_energy.prom", &VARIES_WITH_MODEL);
    assert!(agent.log().contains("energy is estimated from CPU use"), "{}", agent.log());
}

#[test]
fn zone_names_of_the_exporter_it_replaces() {
    let mut host = Host::client().unwrap();
    let agent = live(&mut host, &["--compat.zones=upstream"], |host| {
        host.set_energy("intel-rapl:0", 13_000_000).unwrap();
    });
    let scrape = agent.scrape_port(agent.ports.rapl).unwrap();
    assert_eq!(scrape.sum("rapl_energy_joules_total", &[("zone", "package_0")]), Some(12.0));
    for zone in ["package_0_core", "core", "package_0_uncore", "uncore", "psys"] {
        assert_eq!(scrape.sum("rapl_energy_joules_total", &[("zone", zone)]), Some(0.0), "{zone}");
    }
}

/// Two packages or dies, each with memory.
const SERVER: [&str; 4] = ["intel-rapl:0", "intel-rapl:0:0", "intel-rapl:1", "intel-rapl:1:0"];

/// The golden files are of hosts that stand still again: there, power is unknown.
#[test]
fn every_counter_that_moves_has_a_power() {
    for (host, folders, zones) in [
        (
            Host::client(),
            &["intel-rapl:0", "intel-rapl:0:0", "intel-rapl:0:1", "intel-rapl:1"][..],
            &["core_0", "package_0", "psys", "uncore_0"][..],
        ),
        (Host::two_socket(), &SERVER, &["dram_0", "dram_1", "package_0", "package_1"]),
        (Host::multi_die(), &SERVER, &["dram_0_die_0", "dram_0_die_1", "package_0_die_0", "package_0_die_1"]),
        (Host::amd(), &["intel-rapl:0"], &["package_0"]),
    ] {
        let mut host = host.unwrap();
        // Counters that always advance alike would be one counter, shown several times.
        let watts: Vec<(&str, f64)> = folders.iter().copied().zip([4.0, 5.0, 6.0, 7.0]).collect();
        let _counting = Counting::start(&host, &watts).unwrap();
        let flags = host.flags();
        let agent = Agent::start(&flags.iter().map(String::as_str).collect::<Vec<_>>()).unwrap();
        let mut last = String::new();
        let named = eventually("a power of each zone", Duration::from_mins(1), || {
            work(&mut host);
            last = get(agent.ports.rapl, "/metrics").unwrap().text();
            let scrape = Exposition::parse(&last).unwrap();
            let powers = scrape.all("rapl_power_watts").filter(|sample| sample.value > 0.0);
            let mut names: Vec<String> = powers.map(|sample| sample.labels["zone"].clone()).collect();
            names.sort();
            (names == zones).then_some(())
        });
        named.unwrap_or_else(|error| panic!("{error}: {zones:?} are not the powers of\n{last}"));
    }
}

/// There may be more containers than series, and a container of each engine may have the same name.
#[test]
fn every_running_container_is_counted() {
    let mut host = Host::client().unwrap();
    let cgroup = |number: u32| {
        let scope = if number.is_multiple_of(2) { "docker" } else { "libpod" };
        // A container without an engine is named by its short id: those of a pair are the same.
        format!("cgroup/system.slice/{scope}-{:012x}{number:052x}.scope/cpu.stat", number / 2)
    };
    for number in 0..40 {
        host.write(&cgroup(number), "usage_usec 0\n").unwrap();
    }
    let agent = live(&mut host, &["--attribution.max-workloads=10"], |host| {
        for number in 0..40 {
            host.write(&cgroup(number), "usage_usec 20000\n").unwrap();
        }
        work(host);
    });
    let scrape = Exposition::parse(&get(agent.ports.docker, "/metrics").unwrap().text()).unwrap();
    let shown = scrape.all("docker_container_cpu_percent").count();
    assert!(shown < 20, "{shown} have series of their own");
    // One more is the fixture's own.
    assert_eq!(scrape.sum("docker_containers_total", &[]), Some(41.0));
}

#[test]
fn configured_idle_power_is_a_packages_whose_dies_share_it() {
    let host = Host::multi_die().unwrap();
    let flags = host.flags();
    let flags: Vec<&str> =
        flags.iter().map(String::as_str).chain(["--interval=200ms", "--attribution.idle-watts=10"]).collect();
    let agent = Agent::start(&flags).unwrap();
    let scrape = agent.wait_ticks(1).unwrap();
    let of_dies: Vec<f64> =
        scrape.find("ffwatt_idle_power_watts", &[("domain", "package")]).map(|sample| sample.value).collect();
    assert_eq!(of_dies, [5.0, 5.0]);
}
