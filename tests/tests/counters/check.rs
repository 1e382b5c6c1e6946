//! Tests `ffwatt check` on energy counters: each problem has a reason and a fix.

use std::fs;
use std::os::unix::fs::symlink;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use tests::command::pause;
use tests::counting::Counting;
use tests::host::Host;

use crate::zone;

/// The report, as JSON.
fn check(host: &Host) -> Value {
    let state = tempfile::tempdir().unwrap();
    let mut command = tests::agent::command().unwrap();
    command.env_clear().arg("check").arg("--json").args(host.flags());
    command.arg(format!("--state-dir={}", state.path().display()));
    serde_json::from_slice(&command.output().unwrap().stdout).unwrap()
}

/// The line of a source that contains this.
fn line<'a>(report: &'a Value, source: &str, words: &str) -> &'a Value {
    let lines = report["lines"].as_array().unwrap();
    let found = lines.iter().find(|line| {
        line["source"] == source && line["detail"].as_str().is_some_and(|detail| detail.contains(words))
    });
    found.unwrap_or_else(|| panic!("{source} says nothing of {words:?}: {report:#}"))
}

#[track_caller]
fn is_problem_with_fix(line: &Value) {
    assert_eq!(line["state"], "problem", "{line}");
    assert_ne!(line["fix"], "", "{line}");
}

/// Two sockets, whose counters stand apart.
fn two_sockets() -> Host {
    let zones = [
        zone("intel-rapl:0", "package-0", 36_015_001_535),
        zone("intel-rapl:0:0", "dram", 9_101_500_153),
        zone("intel-rapl:1", "package-1", 42_522_502_303),
        zone("intel-rapl:1:0", "dram", 8_152_250_230),
    ];
    Host::of(&[(0, 0), (1, 0)], &zones).unwrap()
}

/// The CPUs of a host, busy by its `/proc/stat`, while something is done.
fn while_busy<T>(host: &Host, work: impl FnOnce() -> T) -> T {
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            for ticks in (0_u64..).step_by(20) {
                if is_over.load(Ordering::Relaxed) {
                    break;
                }
                let cpu = |number: u32| format!("cpu{number} {ticks} 0 0 7000 0 0 0 0 0 0\n");
                host.write("proc/stat", &format!("cpu  0 0 0 0 0 0 0 0 0 0\n{}{}", cpu(0), cpu(1))).unwrap();
                pause(Duration::from_millis(20));
            }
        });
        let done = work();
        is_over.store(true, Ordering::Relaxed);
        done
    })
}

#[test]
fn counters_that_have_never_counted_or_show_one_number() {
    for energy in [0, 123_456_789] {
        let zones = [zone("intel-rapl:0", "package-0", energy), zone("intel-rapl:0:0", "dram", energy)];
        let host = Host::of(&[(0, 0), (0, 0)], &zones).unwrap();
        let report = check(&host);
        is_problem_with_fix(line(&report, "powercap", "do not move"));
        assert_eq!(report["energy_source"], "model");
        assert_ne!(report["verdict"], "ready");
    }
}

#[test]
fn counters_that_stand_still_are_stuck_where_cpus_are_busy_and_not_known_elsewhere() {
    let host = two_sockets();
    let report = while_busy(&host, || check(&host));
    is_problem_with_fix(line(&report, "powercap", "do not move"));
    assert_eq!(report["energy_source"], "model");
    let report = check(&host);
    assert_eq!(line(&report, "powercap", "no CPU was busy")["state"], "note");
    assert_eq!((&report["energy_source"], &report["verdict"]), (&"powercap".into(), &"ready".into()));
    fs::remove_file(host.path("proc/stat")).unwrap();
    assert_eq!(check(&host)["energy_source"], "powercap");
}

#[test]
fn a_counter_that_stands_still_beside_others_that_move() {
    let host = two_sockets();
    let _counting = Counting::start(&host, &[("intel-rapl:0", 40.0), ("intel-rapl:0:0", 4.0)]).unwrap();
    let report = while_busy(&host, || check(&host));
    is_problem_with_fix(line(&report, "powercap", "counter package-1 does not move"));
    is_problem_with_fix(line(&report, "powercap", "counter dram-1 does not move"));
    assert_eq!(report["energy_source"], "powercap");
    assert_ne!(report["verdict"], "ready");
}

#[test]
fn counters_that_move_are_all_that_a_host_needs() {
    let host = two_sockets();
    let zones = ["intel-rapl:0", "intel-rapl:0:0", "intel-rapl:1", "intel-rapl:1:0"];
    let _counting = Counting::start(&host, &zones.map(|zone| (zone, 40.0))).unwrap();
    let report = while_busy(&host, || check(&host));
    assert_eq!(report["energy_source"], "powercap");
    let problems = report["lines"].as_array().unwrap().iter().filter(|line| line["state"] == "problem");
    assert_eq!(problems.collect::<Vec<_>>(), [&Value::Null; 0]);
}

#[test]
fn a_socket_without_a_counter() {
    let host = Host::of(&[(0, 0), (1, 0)], &[zone("intel-rapl:0", "package-0", 222_999_999)]).unwrap();
    let _counting = Counting::start(&host, &[("intel-rapl:0", 40.0)]).unwrap();
    let report = check(&host);
    is_problem_with_fix(line(&report, "powercap", "socket 1"));
    assert_ne!(report["verdict"], "ready");
}

#[test]
fn a_package_that_cannot_be_read() {
    let zones = [
        zone("intel-rapl:0", "package-0", 1),
        zone("intel-rapl:0:0", "core", 120_830_033),
        zone("intel-rapl:0:1", "dram", 30_282_508),
    ];
    let host = Host::of(&[(0, 0), (0, 0)], &zones).unwrap();
    let file = host.path(&host.zone_file("intel-rapl:0", "energy_uj"));
    fs::remove_file(&file).unwrap();
    symlink("/proc/self/mem", &file).unwrap();
    let _counting = Counting::start(&host, &[("intel-rapl:0:0", 20.0), ("intel-rapl:0:1", 5.0)]).unwrap();
    let report = check(&host);
    let problem = line(&report, "powercap", "package-0");
    is_problem_with_fix(problem);
    assert!(problem["detail"].as_str().unwrap().contains("energy_uj"), "it names the path: {problem}");
    line(&report, "powercap", "core-0, dram-0");
    assert_ne!(report["verdict"], "ready");
}

#[test]
fn sockets_that_show_one_counter() {
    for begin in [500_000, 21_181_449_722] {
        let zones =
            [zone("intel-rapl:0", "package-1", begin), zone("intel-rapl:1", "package-3", begin + 120)];
        let host = Host::of(&[(1, 0), (3, 0)], &zones).unwrap();
        let report = check(&host);
        is_problem_with_fix(line(&report, "powercap", "package-3 show the energy of package-1"));
    }
}

#[test]
fn sockets_under_nearly_the_same_load_are_two() {
    let zones = [zone("intel-rapl:0", "package-0", 500_000), zone("intel-rapl:1", "package-1", 500_000)];
    let host = Host::of(&[(0, 0), (1, 0)], &zones).unwrap();
    let _counting = Counting::start(&host, &[("intel-rapl:0", 60.0), ("intel-rapl:1", 61.0)]).unwrap();
    let report = check(&host);
    let lines = report["lines"].as_array().unwrap().iter();
    let problems = lines.filter(|line| line["source"] == "powercap" && line["state"] == "problem");
    assert_eq!(problems.collect::<Vec<_>>(), [&Value::Null; 0]);
}

#[test]
fn a_sysfs_without_cpus_is_named() {
    let host = Host::of(&[(0, 0)], &[zone("intel-rapl:0", "package-0", 1)]).unwrap();
    fs::remove_dir_all(host.path("sys/devices/system")).unwrap();
    let report = check(&host);
    let line = line(&report, "topology", "devices/system/cpu");
    assert_eq!(line["state"], "fatal");
}
