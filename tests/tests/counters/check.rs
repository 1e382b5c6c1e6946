//! What `ffwatt check` says of counters: each problem with its reason and what helps.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use serde_json::Value;
use tests::agent::binary;
use tests::counting::Counting;
use tests::host::Host;

use crate::zone;

/// The report, as JSON.
fn check(host: &Host) -> Value {
    let state = tempfile::tempdir().unwrap();
    let mut command = Command::new(binary().unwrap());
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

#[test]
fn counters_that_do_not_move() {
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
    let begin = 21_181_449_722;
    let zones = [zone("intel-rapl:0", "package-1", begin), zone("intel-rapl:1", "package-3", begin + 120)];
    let host = Host::of(&[(1, 0), (3, 0)], &zones).unwrap();
    let report = check(&host);
    is_problem_with_fix(line(&report, "powercap", "package-3 show the energy of package-1"));
}

#[test]
fn a_sysfs_without_cpus_is_named() {
    let host = Host::of(&[(0, 0)], &[zone("intel-rapl:0", "package-0", 1)]).unwrap();
    fs::remove_dir_all(host.path("sys/devices/system")).unwrap();
    let report = check(&host);
    let line = line(&report, "topology", "devices/system/cpu");
    assert_eq!(line["state"], "fatal");
}
