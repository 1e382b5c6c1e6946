//! Tests that a source that fails, lies or is missing costs only the figures that depend on it.

use std::fs;

use tests::host::{CGROUPS, CLIENT_RANGE, Host};

use crate::{
    PACKAGE, STEP, STEP_JOULES, agent, assert_no_residual, energy_of, is_up, package_energy, resets,
};

#[test]
fn a_zone_that_vanishes_and_returns_loses_nothing_and_whoever_ran_meanwhile_pays() {
    let mut host = Host::client().unwrap();
    let agent = agent(&host, &["--energy.source=powercap"]);
    host.set_energy("intel-rapl:0", 1_000_000 + STEP).unwrap();
    let before = agent.wait_ticks(2).unwrap();
    assert_eq!(package_energy(&before), STEP_JOULES);
    assert_eq!(is_up(&before, "powercap"), Some(true));

    // As when the module is unloaded: all files of the zone are removed, and open ones are empty.
    let folder = host.path(&host.zone_file("intel-rapl:0", ""));
    let away = host.path("away");
    fs::write(folder.join("energy_uj"), "").unwrap();
    fs::rename(&folder, &away).unwrap();
    host.step(&[(CGROUPS[1], 200)]).unwrap();
    let during = agent.wait_ticks(2).unwrap();
    assert_eq!(package_energy(&during), STEP_JOULES, "the total stays where it was");
    assert_no_residual(&during);
    assert!(agent.log().contains("intel-rapl:0"), "the log names the zone: {}", agent.log());

    fs::rename(&away, &folder).unwrap();
    host.set_energy("intel-rapl:0", 1_000_000 + 3 * STEP).unwrap();
    let after = agent.wait_ticks(3).unwrap();
    assert_eq!(package_energy(&after), 3.0 * STEP_JOULES, "what was counted meanwhile comes when it is back");
    assert_eq!(is_up(&after, "powercap"), Some(true));
    assert_no_residual(&after);
    let nginx = energy_of(&after, "nginx.service");
    assert!(nginx > 0.0, "who ran while nothing could be read pays: {nginx} J");
}

#[test]
fn garbage_in_a_counter_is_no_energy() {
    let host = Host::client().unwrap();
    let agent = agent(&host, &["--energy.source=powercap"]);
    host.set_energy("intel-rapl:0", 1_000_000 + STEP).unwrap();
    agent.wait_ticks(2).unwrap();
    let file = host.zone_file("intel-rapl:0", "energy_uj");
    for garbage in
        ["", "\n", "watts\n", "-5\n", "1e9\n", "99999999999999999999999\n", "12 34\n", "\u{0}\u{0}\n"]
    {
        fs::write(host.path(&file), garbage).unwrap();
        let during = agent.wait_ticks(2).unwrap();
        assert_eq!(package_energy(&during), STEP_JOULES, "{garbage:?}");
        assert_eq!(resets(&during), Some(0.0), "{garbage:?}");
        assert_no_residual(&during);
    }
    assert!(agent.log().contains("energy_uj"), "{}", agent.log());
    fs::write(host.path(&file), format!("{:<20}\n", 1_000_000 + 2 * STEP)).unwrap();
    let after = agent.wait_ticks(2).unwrap();
    assert_eq!(package_energy(&after), 2.0 * STEP_JOULES);
    assert_no_residual(&after);
}

#[test]
fn of_a_counter_that_jumps_back_what_it_counted_since_is_added_and_it_is_said() {
    let host = Host::client().unwrap();
    let agent = agent(&host, &["--energy.source=powercap"]);
    host.set_energy("intel-rapl:0", 100_000_000).unwrap();
    // 99 J in one tick is within four times a package's default limit.
    let before = agent.wait_ticks(2).unwrap();
    let energy = package_energy(&before);
    host.set_energy("intel-rapl:0", 10_000).unwrap();
    let during = agent.wait_ticks(2).unwrap();
    // 10 mJ: a lower bound of the drawn energy.
    assert_eq!(package_energy(&during), energy + 0.01, "what it has counted since is added");
    assert_eq!(resets(&during), Some(1.0));
    assert_eq!(during.sum("ffwatt_energy_wraps_total", &PACKAGE), Some(0.0));
    assert!(agent.log().contains("was reset"), "{}", agent.log());
    let finding = [("code", "counter_reset"), ("subject", "package-0")];
    assert_eq!(during.sum("ffwatt_finding", &finding), Some(1.0));
    host.set_energy("intel-rapl:0", 10_000 + STEP).unwrap();
    let after = agent.wait_ticks(2).unwrap();
    assert_eq!(package_energy(&after), energy + 0.01 + STEP_JOULES);
    assert_no_residual(&after);
}

#[test]
fn a_counter_that_goes_around_loses_nothing() {
    let host = Host::client().unwrap();
    host.set_energy("intel-rapl:0", CLIENT_RANGE - 2_000_000).unwrap();
    let agent = agent(&host, &["--energy.source=powercap"]);
    host.set_energy("intel-rapl:0", 3_000_000).unwrap();
    let after = agent.wait_ticks(2).unwrap();
    assert_eq!(after.sum("ffwatt_energy_wraps_total", &PACKAGE), Some(1.0));
    assert_eq!(resets(&after), Some(0.0));
    // The range is that of the highest value; the wrap is one step of 61 µJ longer.
    let energy = package_energy(&after);
    assert!((energy - STEP_JOULES - 61e-6).abs() <= 1e-6, "{energy} J");
    assert_no_residual(&after);
}

#[test]
fn a_source_that_was_demanded_and_is_not_there_is_down_and_cpu_time_goes_on() {
    let mut host = Host::without_energy().unwrap();
    let agent = agent(&host, &["--energy.source=powercap"]);
    host.step(&[(CGROUPS[0], 400)]).unwrap();
    let scrape = agent.wait_ticks(2).unwrap();
    assert_eq!(is_up(&scrape, "powercap"), Some(false));
    assert_eq!(is_up(&scrape, "model"), None, "nothing is made up instead");
    assert_eq!(scrape.all("ffwatt_workload_energy_joules_total").count(), 0, "unknown is absent");
    assert_eq!(scrape.all("ffwatt_host_energy_joules_total").count(), 0);
    assert_eq!(scrape.sum("ffwatt_workload_cpu_seconds_total", &[("kind", "docker")]), Some(0.4));
    let rapl = agent.scrape_port(agent.ports.rapl).unwrap();
    assert_eq!(rapl.sum("rapl_available", &[]), Some(0.0));
    assert_eq!(rapl.all("rapl_energy_joules_total").count(), 0);
    assert!(agent.log().contains("powercap"), "{}", agent.log());
}

#[test]
fn an_engine_that_is_not_there_costs_only_the_names() {
    let mut host = Host::client().unwrap();
    let nowhere = host.path("no.sock");
    let socket = format!("--containers.docker-socket={}", nowhere.display());
    let agent = agent(&host, &[&socket]);
    host.step(&[(CGROUPS[0], 400)]).unwrap();
    let scrape = agent.wait_ticks(2).unwrap();
    assert_eq!(is_up(&scrape, "docker"), Some(false));
    let id = [("id", "4f1c0a7be95d"), ("workload", "4f1c0a7be95d")];
    assert_eq!(scrape.sum("ffwatt_workload_cpu_seconds_total", &id), Some(0.4), "by its id");
    assert!(agent.log().contains("no.sock"), "{}", agent.log());
}

#[test]
fn cgroups_never_seen_before_are_workloads_by_their_path() {
    let mut host = Host::client().unwrap();
    let agent = agent(&host, &["--energy.source=powercap"]);
    let strange = ["my cgroup", "quote\"and\\slash", "system.slice/ünïcode-\u{1f50b}.service", "a/b/c/d/e/f"];
    for path in strange {
        host.step(&[]).unwrap();
        host.write(&format!("cgroup/{path}/cpu.stat"), "usage_usec 0\n").unwrap();
    }
    agent.wait_ticks(2).unwrap();
    for path in strange {
        host.write(&format!("cgroup/{path}/cpu.stat"), "usage_usec 100000\n").unwrap();
    }
    host.set_energy("intel-rapl:0", 1_000_000 + STEP).unwrap();
    let scrape = agent.wait_ticks(2).unwrap();
    for name in ["/my cgroup", "/quote\"and\\slash", "ünïcode-\u{1f50b}.service", "/a/b/c/d/e/f"] {
        let seconds = scrape.sum("ffwatt_workload_cpu_seconds_total", &[("workload", name)]);
        assert!(seconds.is_some_and(|seconds| (seconds - 0.1).abs() < 1e-9), "{name}: {seconds:?}");
    }
    tests::referee::promtool(&agent.get(agent.ports.main, "/metrics").unwrap().text()).unwrap();
    assert_no_residual(&scrape);
}

#[test]
fn ten_thousand_cgroups_are_shown_up_to_the_limit_and_nothing_is_lost() {
    let host = Host::client().unwrap();
    for number in 0..10_000 {
        host.write(&format!("cgroup/jobs/{number}/cpu.stat"), "usage_usec 0\n").unwrap();
    }
    let agent = agent(&host, &["--energy.source=powercap", "--interval=2s"]);
    for number in 0..10_000 {
        host.write(&format!("cgroup/jobs/{number}/cpu.stat"), "usage_usec 10\n").unwrap();
    }
    host.set_energy("intel-rapl:0", 1_000_000 + STEP).unwrap();
    let scrape = agent.wait_ticks(2).unwrap();
    assert_no_residual(&scrape);
    assert_eq!(package_energy(&scrape), STEP_JOULES);
    let shown = scrape.find("ffwatt_workload_cpu_seconds_total", &[("kind", "cgroup")]).count() as f64;
    let others = scrape.sum("ffwatt_workloads_folded", &[]).unwrap();
    assert!(shown <= 1000.0 && shown + others >= 10_000.0, "{shown} shown, {others} in (other)");
    let other = [("workload", "(other)")];
    assert!(scrape.sum("ffwatt_workload_cpu_seconds_total", &other).unwrap() > 0.0);
}

#[test]
fn a_cgroup_file_that_cannot_be_read_is_not_the_end() {
    let mut host = Host::client().unwrap();
    let agent = agent(&host, &["--energy.source=powercap"]);
    fs::write(host.path(&format!("cgroup/{}/cpu.stat", CGROUPS[1])), "usage_usec many\n").unwrap();
    fs::remove_file(host.path(&format!("cgroup/{}/cpu.stat", CGROUPS[2]))).unwrap();
    agent.wait_ticks(2).unwrap();
    agent
        .between_ticks(|| {
            host.step(&[(CGROUPS[0], 400), (CGROUPS[1], 100), (CGROUPS[2], 100)]).unwrap();
            host.set_energy("intel-rapl:0", 1_000_000 + STEP).unwrap();
        })
        .unwrap();
    let after = agent.wait_ticks(2).unwrap();
    assert_no_residual(&after);
    assert_eq!(package_energy(&after), STEP_JOULES);
    assert_eq!(after.sum("ffwatt_workload_cpu_seconds_total", &[("workload", "nginx.service")]), Some(0.1));
}
