//! Tests changes of the host: a CPU that goes off line, a suspend, a clock that is set.
//!
//! Only for a virtual machine with no other purpose: `cargo xtask vm` makes one, and marks it by `FFWATT_MACHINE`.
//!
//! Run: in a virtual machine.

#![allow(
    clippy::unwrap_used,
    clippy::float_cmp,
    reason = "a test may panic, and means equal when it says equal"
)]

#[path = "faults/past.rs"]
mod past;

use std::fs;
use std::process::Command;
use std::thread;
use std::time::Duration;

use past::Past;
use tests::agent::Agent;
use tests::cgroup::Cgroup;
use tests::command::{eventually, output};
use tests::exposition::{Exposition, assert_closed};
use tests::rapl::LiveRapl;

const CPU: &str = "ffwatt_workload_cpu_seconds_total";
const ENERGY: &str = "ffwatt_host_energy_joules_total";

fn agent(more: &[&str]) -> Agent {
    assert!(
        std::env::var_os("FFWATT_MACHINE").is_some(),
        "this test takes CPUs away and sets the clock: run it by `cargo xtask vm`, which makes a machine for it"
    );
    let flags = ["--cpu.source=bpf", "--containers.docker-socket=", "--containers.podman-socket="];
    Agent::start(&[&flags[..], more].concat()).unwrap()
}

/// Keeps a CPU busy for this long.
fn burn(cgroup: &Cgroup, cpu: &str, seconds: &str) {
    let mut command = cgroup.command("taskset");
    command.args(["-c", cpu, "timeout", seconds, "sh", "-c", "while :; do :; done"]);
    command.spawn().unwrap().wait().unwrap();
}

#[track_caller]
fn assert_same(agent: &Agent, cgroup: &Cgroup) -> Exposition {
    let scrape = agent.wait_ticks(3).unwrap();
    let (kernel, ours) =
        (cgroup.cpu_stat().unwrap().as_secs_f64(), scrape.sum(CPU, &[("workload", &cgroup.path)]).unwrap());
    assert!((ours / kernel - 1.0).abs() < 0.03, "kernel {kernel}, ffwatt {ours}");
    assert_closed(&scrape);
    scrape
}

#[test]
fn a_cpu_that_goes_off_line_and_comes_back_costs_no_time_and_invents_none() {
    let agent = agent(&["--energy.source=model", "--interval=200ms"]);
    let switch = |on: &str| fs::write("/sys/devices/system/cpu/cpu1/online", on).unwrap();
    let cgroup = Cgroup::make("ffwatt-test/hotplug").unwrap();
    burn(&cgroup, "1", "1");
    assert_same(&agent, &cgroup);
    switch("0");
    burn(&cgroup, "0", "4");
    let before = assert_same(&agent, &cgroup);
    switch("1");
    burn(&cgroup, "1", "1");
    let after = assert_same(&agent, &cgroup);
    // The virtual CPUs, by the model: they drew at most this in the elapsed time. The four seconds in which one was off line would show.
    let cpus = thread::available_parallelism().unwrap().get() as f64;
    let at = |scrape: &Exposition| scrape.sum("ffwatt_last_tick_timestamp_seconds", &[]).unwrap();
    let joules = after.sum(ENERGY, &[]).unwrap() - before.sum(ENERGY, &[]).unwrap();
    let idle = |scrape: &Exposition| {
        scrape.sum("ffwatt_workload_energy_joules_total", &[("workload", "idle")]).unwrap()
    };
    let passed = at(&after) - at(&before);
    println!("{joules:.2} J in {passed:.2} s, {:.2} J of it idle", idle(&after) - idle(&before));
    assert!(idle(&after) - idle(&before) <= cpus * 0.74 * (passed + 0.4), "idle in {passed} s");
    assert!(agent.stop().unwrap().0.success());
}

#[test]
fn a_machine_that_slept_has_drawn_nothing_that_is_known() {
    let rapl = LiveRapl::start().unwrap();
    let sysfs = format!("--path.sysfs={}", rapl.path().display());
    let agent = agent(&[&sysfs, "--path.cgroupfs=/sys/fs/cgroup", "--energy.source=powercap"]);
    let cgroup = Cgroup::make("ffwatt-test/slept").unwrap();
    burn(&cgroup, "0", "1");
    assert_same(&agent, &cgroup);
    let asleep = || {
        let text = fs::read_to_string("/sys/power/suspend_stats/success").unwrap_or_default();
        text.trim().parse::<u64>().unwrap_or(0)
    };
    let before = asleep();
    // Suspend to memory: all else is off, until the clock's alarm.
    fs::write("/sys/power/mem_sleep", "deep").unwrap();
    fs::write("/sys/class/rtc/rtc0/wakealarm", "+5").unwrap();
    fs::write("/sys/power/state", "mem").unwrap();
    assert!(asleep() > before || !fs::exists("/sys/power/suspend_stats/success").unwrap(), "it has slept");
    eventually("the agent has noticed", Duration::from_mins(1), || {
        agent.log().contains("the host was suspended").then_some(())
    })
    .unwrap();
    burn(&cgroup, "0", "1");
    let after = assert_same(&agent, &cgroup);
    assert_eq!(after.sum("ffwatt_energy_resets_total", &[("domain", "package")]), Some(0.0));
    assert!(agent.stop().unwrap().0.success());
}

#[test]
fn a_clock_that_is_set_forth_and_back_loses_no_energy_from_the_ledger() {
    let agent = agent(&["--energy.source=model", "--interval=200ms", "--results.rescan=100ms"]);
    let begin = fs::metadata(agent.state_dir()).unwrap().modified().unwrap();
    let set = |seconds: u64| {
        let now = begin + Duration::from_secs(seconds);
        let since = now.duration_since(std::time::SystemTime::UNIX_EPOCH).unwrap().as_secs();
        output(Command::new("date").args(["-s", &format!("@{since}")])).unwrap();
    };
    // A year ahead, as when a host's clock is first set; back by an hour; and back to the first time.
    for seconds in [31_536_000, 31_532_400, 100] {
        set(seconds);
        assert_closed(&agent.wait_ticks(5).unwrap());
    }
    let shown =
        |scrape: &Exposition| (scrape.sum(ENERGY, &[("domain", "package")]).unwrap() * 1e6).round() as u64;
    let at_least = shown(&agent.scrape().unwrap());
    eventually("all of it is written", Duration::from_secs(30), || {
        (Past::open(&agent.state_dir()).host() >= at_least).then_some(())
    })
    .unwrap();
    let past = Past::open(&agent.state_dir());
    past.assert_sound();
    let written = past.host();
    let at_most = shown(&agent.wait_ticks(1).unwrap());
    println!("{at_least} µJ counted, {written} µJ written");
    assert!(written <= at_most, "{written} µJ of {at_most}");
    assert!(agent.stop().unwrap().0.success());
}
