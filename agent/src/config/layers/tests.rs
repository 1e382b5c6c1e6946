//! Tests of the order of layers, and of the messages about wrong values.

use std::fs;

use agent_core::model::energy::EnergySourceKind;

use super::*;
use crate::config::{Budget, EnergyChoice, HumanDuration};

fn layers(
    file: &str,
    environment: &[(&str, &str)],
    flags: &[(&'static str, &str)],
) -> (tempfile::TempDir, Layers) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ffwatt.toml");
    fs::write(&path, file).unwrap();
    let environment = environment.iter().map(|(name, value)| (name.into(), value.into())).collect();
    let flags = flags.iter().map(|(key, value)| (*key, (*value).to_owned())).collect();
    (folder, Layers { file: Some(path), environment, flags, is_restricted: false })
}

fn resolve(
    file: &str,
    environment: &[(&str, &str)],
    flags: &[(&'static str, &str)],
) -> Result<Config, String> {
    let (folder, layers) = layers(file, environment, flags);
    layers
        .resolve()
        .map_err(|error| crate::error::chain(&error).replace(&folder.path().display().to_string(), "DIR"))
}

#[test]
fn flags_over_environment_over_file_over_defaults() {
    let file = "[listen]\nport = 1001\nrapl_port = 1002\ndocker_port = 1003\n";
    let config = resolve(
        file,
        &[("FFWATT_LISTEN_PORT", "2001"), ("RAPL_EXPORTER_PORT", "2002")],
        &[("listen.port", "3001")],
    );
    let listen = config.unwrap().listen;
    assert_eq!((listen.port, listen.rapl_port, listen.docker_port), (3001, 2002, 1003));
}

#[test]
fn our_own_names_over_the_names_of_old_and_empty_is_not_set() {
    let config = resolve(
        "",
        &[("CPU_EXPORTER_PORT", "5"), ("RAPL_EXPORTER_PORT", ""), ("DOCKER_STATS_PORT", "6")],
        &[],
    );
    let listen = config.unwrap().listen;
    assert_eq!((listen.rapl_port, listen.docker_port), (5, 6));
    let both = resolve("", &[("FFWATT_LISTEN_DOCKER_PORT", "7"), ("DOCKER_STATS_PORT", "6")], &[]).unwrap();
    assert_eq!(both.listen.docker_port, 7);
}

#[test]
fn every_kind_of_value_from_the_command_line() {
    let flags = [
        ("interval", "250ms"),
        ("cpu.tracked", "ffmpeg, x264,"),
        ("energy.source", "msr"),
        ("attribution.idle_watts", "12.5"),
        ("path.cgroupfs", "/host/cgroup"),
    ];
    let config = resolve("", &[], &flags).unwrap();
    assert_eq!(config.interval, HumanDuration(std::time::Duration::from_millis(250)));
    assert_eq!(config.cpu.tracked, ["ffmpeg", "x264"]);
    assert_eq!(config.energy.source, EnergyChoice::Only(EnergySourceKind::Msr));
    assert_eq!(config.attribution.idle_watts, Some(12.5));
    assert_eq!(config.roots().cgroup, PathBuf::from("/host/cgroup"));
}

#[test]
fn a_bare_number_is_seconds_in_the_file_as_on_the_command_line() {
    for (written, milliseconds) in [("5", 5000), ("0.5", 500), ("\"250ms\"", 250)] {
        let config = resolve(&format!("interval = {written}\n"), &[], &[]).unwrap();
        assert_eq!(
            config.interval,
            HumanDuration(std::time::Duration::from_millis(milliseconds)),
            "{written}"
        );
    }
}

#[test]
fn errors_name_the_culprit() {
    let table: [(Result<Config, String>, &[&str]); 13] = [
        (resolve("[listen]\nprot = 5\n", &[], &[]), &["DIR/ffwatt.toml", "line 2", "prot", "port"]),
        (resolve("[lisen]\n", &[], &[]), &["line 1", "lisen"]),
        (resolve("interval = true\n", &[], &[]), &["line 1", "interval", "1s"]),
        (resolve("interval = -5\n", &[], &[]), &["line 1", "interval", "1s"]),
        (resolve("interval = \"soon\"\n", &[], &[]), &["line 1", "interval", "1s"]),
        (resolve("interval = \"2ms\"\n", &[], &[]), &["interval", "100ms", "DIR/ffwatt.toml"]),
        (
            resolve("", &[("FFWATT_LISTEN_PORT", "http")], &[]),
            &["FFWATT_LISTEN_PORT", "http", "whole number"],
        ),
        (resolve("", &[("DOCKER_STATS_PORT", "9510")], &[]), &["9510", "listen.port", "DOCKER_STATS_PORT"]),
        (resolve("", &[], &[("energy.source", "sun")]), &["--energy.source", "sun", "powercap"]),
        (resolve("", &[], &[("energy.model_cpu", "z80")]), &["--energy.model-cpu", "z80", "flat", "zen5c"]),
        (
            resolve("", &[], &[("energy.model_threads_per_vcpu", "0")]),
            &["energy.model_threads_per_vcpu", "1 or 2"],
        ),
        (resolve("", &[], &[("energy.model_idle_watts", "4")]), &["energy.model_busy_watts", "(4 W)"]),
        (
            resolve("", &[], &[("cpu.tracked", "/usr/bin/ffmpeg")]),
            &["cpu.tracked", "entry 1", "program name"],
        ),
    ];
    for (result, words) in table {
        let error = result.unwrap_err();
        for word in words {
            assert!(error.contains(word), "{word:?} is not in {error:?}");
        }
    }
}

#[test]
fn a_missing_file_is_an_error() {
    let layers = Layers { file: Some("/no/such/file".into()), ..Layers::default() };
    assert!(matches!(layers.resolve(), Err(ConfigError::Unreadable { .. })));
}

#[test]
fn the_table_of_keys_is_complete() {
    let mut everything = Config { state_dir: Some("/s".into()), ..Config::default() };
    everything.results_dir = Some("/r".into());
    everything.path.cgroupfs = Some("/c".into());
    everything.web.config_file = Some("/w".into());
    everything.price.per_kwh = Some(1.0);
    everything.price.per_core_second = Some(1.0);
    everything.price.per_joule = Some(1.0);
    everything.price.file = Some("/p".into());
    everything.budget = Budget {
        cost_per_day: Some(1.0),
        cost_per_month: Some(1.0),
        kwh_per_day: Some(1.0),
        kwh_per_month: Some(1.0),
    };
    everything.energy.plausible_watts = Some(1.0);
    everything.energy.model_idle_watts = Some(1.0);
    everything.energy.model_busy_watts = Some(1.0);
    everything.attribution.idle_watts = Some(1.0);
    let table = as_table(&everything);
    let mut paths = Vec::new();
    for (name, value) in &table {
        match value.as_table() {
            Some(section) => paths.extend(section.keys().map(|key| format!("{name}.{key}"))),
            None => paths.push(name.clone()),
        }
    }
    paths.sort_unstable();
    let mut keys: Vec<&str> = KEYS.iter().map(|key| key.path).collect();
    keys.sort_unstable();
    assert_eq!(paths, keys);
}

#[test]
fn what_is_printed_can_be_read_again() {
    let flags = [("cpu.tracked", "a,b"), ("attribution.idle_watts", "3"), ("interval", "1500ms")];
    let config = resolve("", &[], &flags).unwrap();
    assert_eq!(resolve(&print(&config), &[], &[]).unwrap(), config);
}
