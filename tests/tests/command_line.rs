//! Tests the program's messages and exit codes.
//!
//! Run: together.

#![allow(
    clippy::unwrap_used,
    clippy::float_cmp,
    reason = "a test may panic, and means equal when it says equal"
)]

use std::fs::Permissions;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::process::{Command, Output};

use rustix::process::Signal;
use tests::agent::{Agent, Ports, binary};
use tests::command::{eventually, now};
use tests::counting::Counting;
use tests::host::Host;
use tests::nobody::{self, Capabilities};

fn ffwatt(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    let mut command = tests::agent::command().unwrap();
    command.env_clear().envs(environment.iter().copied()).args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn version_and_help() {
    let version = ffwatt(&["--version"], &[]);
    assert!(version.status.success());
    assert_eq!(text(&version.stdout), format!("ffwatt {}\n", env!("CARGO_PKG_VERSION")));
    let help = text(&ffwatt(&["--help"], &[]).stdout);
    for word in [
        "run",
        "check",
        "config",
        "--interval",
        "--listen.address",
        "--path.sysfs",
        "--energy.source",
        "Exit codes",
        "Examples:",
    ] {
        assert!(help.contains(word), "{word:?} is not in the help");
    }
    let short = text(&ffwatt(&["-h"], &[]).stdout);
    assert!(short.lines().count() <= 30, "{short}");
    for words in ["[default: 9510] [range: 1 to 65535]", "[possible values: auto, perf,"] {
        assert!(short.contains(words), "{words:?} is not in {short}");
    }
}

#[test]
fn the_printed_configuration_can_be_used() {
    let printed = ffwatt(&["config", "--interval", "3s"], &[("RAPL_EXPORTER_PORT", "1234")]);
    let text = text(&printed.stdout);
    assert!(text.contains("interval = \"3s\"") && text.contains("rapl_port = 1234"), "{text}");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ffwatt.toml");
    std::fs::write(&file, &text).unwrap();
    let again = ffwatt(&["config", "--config", file.to_str().unwrap()], &[]);
    assert_eq!(String::from_utf8_lossy(&again.stdout), text);
    let by_environment = ffwatt(&["config"], &[("FFWATT_CONFIG", file.to_str().unwrap())]);
    assert_eq!(String::from_utf8_lossy(&by_environment.stdout), text);
}

/// Arguments, environment, and words of the expected error.
type Case<'a> = (&'a [&'a str], &'a [(&'a str, &'a str)], &'a [&'a str]);

#[test]
fn wrong_usage_and_wrong_configuration_end_with_2_and_name_the_culprit() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ffwatt.toml");
    std::fs::write(&file, "interval = \"1s\"\n\n[energy]\nsorce = \"model\"\n").unwrap();
    let file = file.to_str().unwrap();
    let table: [Case<'_>; 5] = [
        (&["--config", file], &[], &[file, "line 4", "sorce", "source"]),
        (&["--config", "/no/such.toml"], &[], &["/no/such.toml"]),
        (&["--no-such-flag"], &[], &["--no-such-flag"]),
        (&["run", "--interval", "1ms"], &[], &["interval", "100ms"]),
        (&["check"], &[("DOCKER_STATS_PORT", "many")], &["DOCKER_STATS_PORT", "many"]),
    ];
    for (arguments, environment, words) in table {
        let output = ffwatt(arguments, environment);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        let error = text(&output.stderr);
        for word in words {
            assert!(error.contains(word), "{word:?} is not in {error:?}");
        }
    }
}

#[test]
fn a_variable_that_is_none_of_ours_is_a_warning() {
    let output = ffwatt(&["config"], &[("FFWATT_INTERVALL", "2s"), ("FFWATT_INTERVAL", "3s")]);
    assert!(output.status.success());
    let warning = text(&output.stderr);
    assert!(warning.contains("FFWATT_INTERVALL") && warning.lines().count() == 1, "{warning}");
}

#[test]
fn a_port_in_use_ends_it_with_one_line_that_says_how_to_find_the_culprit() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let output =
        ffwatt(&["run", "--listen.rapl-port", &port, "--cpu.source=cgroupfs", "--log.level=error"], &[]);
    assert_eq!(output.status.code(), Some(1));
    let error = text(&output.stderr);
    assert_eq!(error.lines().count(), 1, "{error}");
    for word in [port.as_str(), "rapl", "ss -ltnp", "--listen.rapl-port"] {
        assert!(error.contains(word), "{word:?} is not in {error:?}");
    }
}

#[test]
fn check_names_the_fix_for_everything_that_is_wrong() {
    let host = Host::without_energy().unwrap();
    let flags = host.flags();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let arguments: Vec<&str> = std::iter::once("check")
        .chain(flags.iter().map(String::as_str))
        .chain(["--listen.port", &port, "--energy.source", "powercap", "--state-dir", "/proc/nowhere"])
        .collect();
    let output = ffwatt(&arguments, &[]);
    assert_eq!(output.status.code(), Some(1), "a port in use: it could not run");
    let report = text(&output.stdout);
    for words in ["FATAL", "ss -ltnp", "powercap", "energy is unknown", "--state-dir"] {
        assert!(report.contains(words), "{words:?} is not in\n{report}");
    }
    let json = ffwatt(&[&arguments[..], &["--json"]].concat(), &[]);
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!(json["verdict"], "cannotrun");
    assert!(
        json["lines"]
            .as_array()
            .unwrap()
            .iter()
            .any(|line| line["source"] == "powercap" && line["state"] != "used")
    );
}

#[test]
fn check_tells_a_socket_that_may_not_be_used_from_one_without_an_engine() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    let program = folder.path().join("ffwatt");
    std::fs::copy(binary().unwrap(), &program).unwrap();
    let socket = folder.path().join("engine.sock");
    let engine = UnixListener::bind(&socket).unwrap();
    std::fs::set_permissions(&socket, Permissions::from_mode(0o600)).unwrap();
    let mut arguments = vec![format!("--containers.docker-socket={}", socket.display())];
    arguments.extend(
        ["check", "--json", "--cpu.source=cgroupfs", "--containers.podman-socket="].map(str::to_owned),
    );
    arguments.extend(Ports::free().unwrap().flags());
    let fix = |command: &mut Command| {
        let report: serde_json::Value =
            serde_json::from_slice(&command.args(&arguments).env_clear().output().unwrap().stdout).unwrap();
        let lines = report["lines"].as_array().unwrap();
        let docker = lines.iter().find(|line| line["source"] == "docker" && line["subject"] == "names");
        docker.unwrap()["fix"].as_str().unwrap().to_owned()
    };
    let refused = fix(&mut nobody::command(&program, Capabilities::Ordinary));
    assert!(refused.contains("group") && refused.contains("equivalent to root"), "{refused}");
    drop(engine);
    let stopped = fix(&mut Command::new(&program));
    assert!(stopped.contains("start the engine") && !stopped.contains("group"), "{stopped}");
}

#[test]
fn check_on_a_host_with_everything_is_content() {
    let host = Host::two_socket().unwrap();
    let flags = host.flags();
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().to_str().unwrap();
    let ports = Ports::free().unwrap().flags();
    let arguments: Vec<&str> = std::iter::once("check")
        .chain(flags.iter().map(String::as_str))
        .chain(ports.iter().map(String::as_str))
        .chain(["--energy.source=powercap", "--state-dir", state])
        .collect();
    let zones = ["intel-rapl:0", "intel-rapl:0:0", "intel-rapl:1", "intel-rapl:1:0"];
    let _counting = Counting::start(&host, &zones.map(|zone| (zone, 30.0))).unwrap();
    let output = ffwatt(&arguments, &[]);
    let report = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{report}");
    assert!(report.contains("package-0, dram-0, package-1, dram-1"), "{report}");
    assert!(report.contains("energy is measured (powercap)"), "{report}");
}

#[test]
fn it_says_where_to_look_and_there_it_is() {
    let host = Host::client().unwrap();
    let flags = host.flags();
    let agent = Agent::start(&flags.iter().map(String::as_str).collect::<Vec<_>>()).unwrap();
    let port = agent.ports.main;
    let page = format!("in the browser: http://127.0.0.1:{port}/");
    let top = format!("in the terminal: ffwatt top --url http://127.0.0.1:{port}");
    for line in [&page, &top, "when something is missing: ffwatt check"] {
        assert!(agent.log().lines().any(|logged| logged.ends_with(line)), "{line}\n{}", agent.log());
    }
    assert!(tests::http::get(port, "/").unwrap().text().contains("<title>"), "the page");
    let url = format!("http://127.0.0.1:{port}");
    assert!(ffwatt(&["top", "--once", "--url", &url], &[]).status.success(), "the terminal");
}

#[test]
fn it_ends_cleanly_by_interrupt_and_by_term() {
    let host = Host::client().unwrap();
    let flags = host.flags();
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    for signal in [Signal::INT, Signal::TERM] {
        let agent = Agent::start(&flags).unwrap();
        let (status, log) = agent.stop_by(signal).unwrap();
        assert!(status.success(), "{signal:?}: {status}: {log}");
    }
}

#[test]
fn it_is_not_ready_before_the_first_tick_and_healthy_all_along() {
    let host = Host::client().unwrap();
    let flags = host.flags();
    let flags: Vec<&str> = flags.iter().map(String::as_str).chain(["--interval=30s"]).collect();
    let agent = Agent::spawn(&binary().unwrap(), &flags, &[]).unwrap();
    let port = agent.ports.main;
    let health = eventually("it answers", std::time::Duration::from_secs(20), || {
        tests::http::get(port, "/health").ok()
    });
    assert_eq!(health.unwrap().status, 200);
    assert_eq!(tests::http::get(port, "/ready").unwrap().status, 503);
    assert_eq!(tests::http::get(port, "/metrics").unwrap().status, 503);
    let began = now();
    let (status, _) = agent.stop().unwrap();
    assert!(status.success() && began.elapsed().as_secs() < 10, "a long tick does not keep it from ending");
}

#[test]
fn check_beside_a_running_agent_knows_it() {
    let host = Host::two_socket().unwrap();
    let flags = host.flags();
    let agent = Agent::start(&flags.iter().map(String::as_str).collect::<Vec<_>>()).unwrap();
    let ports = agent.ports;
    let ports =
        [("FFWATT_LISTEN_PORT", ports.main.to_string()), ("FFWATT_LISTEN_RAPL_PORT", ports.rapl.to_string())];
    let environment: Vec<(&str, &str)> = ports.iter().map(|(name, port)| (*name, port.as_str())).collect();
    let arguments: Vec<&str> = std::iter::once("check").chain(flags.iter().map(String::as_str)).collect();
    let output = ffwatt(&arguments, &environment);
    let report = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{report}");
    let runs = format!("ffwatt {} runs here, pid {}, up ", env!("CARGO_PKG_VERSION"), agent.pid());
    for words in [runs.as_str(), "powercap  used", "runs: ", "energy is measured (powercap)"] {
        assert!(report.contains(words), "{words:?} is not in\n{report}");
    }
    assert!(!report.contains("FATAL") && !report.contains("PROBLEM"), "{report}");
    let (status, log) = agent.stop().unwrap();
    assert!(status.success(), "{log}");
}

#[test]
fn what_run_refuses_config_refuses() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, words: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, words).unwrap();
        path.display().to_string()
    };
    let (prices, web) = (file("prices", "no prices"), file("web.yml", "tls_server_config: 5\n"));
    for (flag, path) in [("--price.file", prices), ("--web.config.file", web)] {
        let flag = format!("{flag}={path}");
        let run = ffwatt(&["run", &flag, "--listen.port=0", "--cpu.source=cgroupfs"], &[]);
        assert!(!run.status.success(), "{flag}");
        let config = ffwatt(&["config", &flag], &[]);
        let said = text(&config.stderr);
        assert_eq!(config.status.code(), Some(2), "{said}");
        assert!(said.contains(&path) && config.stdout.is_empty(), "{said}");
    }
}

/// The agent finds the results of a `bench` without root: both write below the home folder.
#[test]
fn without_root_the_results_are_in_the_users_own_folder() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    // Other users may not be able to reach the program's folder.
    let program = folder.path().join("ffwatt");
    std::fs::copy(binary().unwrap(), &program).unwrap();
    nobody::give(folder.path()).unwrap();
    let mut command = nobody::command(&program, Capabilities::Ordinary);
    command.arg("check").env_clear();
    command.env("XDG_STATE_HOME", &state).env("PATH", std::env::var_os("PATH").unwrap());
    let report = text(&command.output().unwrap().stdout);
    let results = state.join("ffwatt/results");
    assert!(report.contains(&results.display().to_string()), "{} is not in\n{report}", results.display());
}

/// Two encoders at four constant qualities, each three times, on a named host.
fn results_of_clips() -> serde_json::Value {
    let mut scenarios = Vec::new();
    let encodes = [("libx264", 50.0, 3000.0), ("libx265", 90.0, 1700.0)];
    for (repeat, noise) in [-1.0, 0.0, 1.0].into_iter().enumerate() {
        for (encoder, joules, kilobits) in encodes {
            for step in 0..4 {
                let (part, start) = (f64::from(step), 100 * (scenarios.len() + 1));
                scenarios.push(serde_json::json!({
                    "name": format!("<b>{encoder}</b> {step} #{repeat}"), "start_time": start, "end_time": start + 10, "clip": "<i>clip",
                    "encoder": encoder, "preset": "fast", "setting": format!("crf{}", 22 + 4 * step), "streams": 1, "fps": 25,
                    "resolution": "1280x720", "total_frames": 250, "output_bytes": 1000, "vmaf_model": "vmaf_v0.6.1",
                    "bitrate": format!("{}k", kilobits / 1.6_f64.powf(part)), "vmaf_score": 95.0 - 2.0 * part - part * part,
                    "power": {"total_energy_joules": joules * 0.9_f64.powf(part) + noise},
                }));
            }
        }
    }
    let host = serde_json::json!({"processor": "Xeon", "governors": ["performance"], "has_turbo": true, "ffmpeg": "7.1"});
    serde_json::json!({ "test_date": "2026-01-01T12:00:00", "host": host, "scenarios": scenarios })
}

/// In Debian's Chromium, without a network; pictures stay in `target/page`.
#[test]
fn the_html_report_is_drawn_without_a_network() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let (file, page) = (path("test_results_1.json"), path("report.html"));
    std::fs::write(&file, results_of_clips().to_string()).unwrap();
    let state = format!("--state-dir={}", folder.path().display());
    let words = ["report", file.to_str().unwrap(), "--html", page.to_str().unwrap(), &state];
    let output = ffwatt(&words, &[]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    tests::browser::play_file("report.mjs", "offline", &page).unwrap();
}
