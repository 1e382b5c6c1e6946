//! Tests that every panel, variable, rule and alert has data. Needs root.
//!
//! A real Prometheus with the shipped configuration scrapes the real agent during real encodes.
//!
//! Run: alone (it starts an engine and measures the host). `FFWATT_LONG=1` waits a quarter of an hour for an alert of a healthy host.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod configuration;
mod encodes;
mod pictures;
mod queries;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use encodes::{CONTAINER_LOGS, LIVE, POD_LOGS, encode_in_containers, encode_in_pod, encode_scenarios, vary};
use pictures::{wanted, write_series};
use queries::{Expression, chosen, excused, of_dashboards, of_rules};
use serde_json::Value;
use tests::agent::binary;
use tests::cgroup::Cgroup;
use tests::command::{Owned, eventually};
use tests::engine::Engine;
use tests::ffmpeg;
use tests::image;
use tests::length::short_or_long;
use tests::namespace::Namespace;
use tests::prometheus::Prometheus;
use tests::rapl::LiveRapl;

/// The names that the shipped configuration scrapes.
const NAMES: [&str; 6] =
    ["ffwatt", "rapl-exporter", "docker-stats-exporter", "results-exporter", "qoe-exporter", "cost-exporter"];

/// The idle power that the agent is told, and its share of the power of a busy host.
const IDLE_WATTS: f64 = 8.0;
const IDLE_SHARE: f64 = IDLE_WATTS / 23.0;

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

/// The agent, an engine with encodes in containers, and Prometheus, as the compose file has them.
struct Stack<'a> {
    prometheus: Prometheus<'a>,
    _agent: Owned,
    _encoder: Owned,
    _pod: Cgroup,
    _engine: Engine,
    _rapl: LiveRapl,
    folder: tempfile::TempDir,
}

/// An agent with these flags, on the tree of `rapl`; its log, state and results are in the folder.
fn start_agent(namespace: &Namespace, rapl: &LiveRapl, folder: &Path, flags: &[&str]) -> Owned {
    let mut agent = namespace.command(binary().unwrap().to_str().unwrap());
    // The names are those of this host here, and listeners on a loopback address accept only configured names.
    agent.arg(format!("--listen.host-names={}", NAMES.join(",")));
    agent.arg(format!("--path.sysfs={}", rapl.path().display())).arg("--path.cgroupfs=/sys/fs/cgroup");
    agent.arg(format!("--results-dir={}", folder.join("results").display()));
    agent.arg(format!("--state-dir={}", folder.join("state").display())).args(flags);
    let log = fs::File::create(folder.join("log")).unwrap();
    Owned(agent.stdout(Stdio::null()).stderr(log).spawn().unwrap())
}

fn start(namespace: &Namespace, rapl: LiveRapl) -> Stack<'_> {
    let folder = tempfile::tempdir().unwrap();
    let engine = Engine::start_private().unwrap();
    image::make(&engine, "encoder:1").unwrap();
    let prometheus = Prometheus::start(namespace, &repository().join("packaging/prometheus")).unwrap();
    let in_folder = |name: &str| folder.path().join(name).display().to_string();
    let vmaf = ffmpeg::with_vmaf().unwrap();
    let flags = [
        "--energy.source=powercap",
        &format!("--containers.docker-socket={}", engine.socket().display()),
        "--containers.podman-socket=",
        &format!("--quality.ffmpeg={vmaf}"),
        &format!("--path.podlogs={}", in_folder(POD_LOGS)),
        &format!("--path.containerlogs={}", in_folder(CONTAINER_LOGS)),
        "--budget.kwh-per-month=100",
        &format!("--attribution.idle-watts={IDLE_WATTS}"),
    ];
    let agent = start_agent(namespace, &rapl, folder.path(), &flags);
    let ask = || namespace.command("curl").args(["-sf", "http://localhost:9510/ready"]).output().ok();
    eventually("the agent is ready", Duration::from_secs(30), || ask()?.status.success().then_some(()))
        .unwrap_or_else(|error| panic!("{error}: {}", fs::read_to_string(in_folder("log")).unwrap()));
    let (pod, encoder) = encode_in_pod(namespace, folder.path(), &LIVE);
    encode_in_containers(&engine, folder.path());
    encode_scenarios(folder.path(), &vmaf);
    Stack { prometheus, _agent: agent, _encoder: encoder, _pod: pod, _engine: engine, _rapl: rapl, folder }
}

#[test]
fn every_panel_variable_rule_and_alert_has_data() {
    let namespace = Namespace::start(&NAMES).unwrap();
    let wanted = wanted();
    // A picture shows the load of the host.
    let rapl = if wanted.is_some() { LiveRapl::start_by_load(IDLE_SHARE) } else { LiveRapl::start() };
    let stack = start(&namespace, rapl.unwrap());
    let mut missing: Vec<Expression> = of_dashboards().into_iter().chain(of_rules()).collect();
    for expression in &mut missing {
        expression.text = chosen(&expression.text);
    }
    assert!(missing.len() > 150, "{} expressions", missing.len());
    let excused = excused();
    let is_excused = |expression: &Expression| {
        let stands = |(place, metric): &(String, String)| {
            *place == expression.place && expression.text.contains(metric.as_str())
        };
        excused.iter().any(stands)
    };
    let mut rounds = 0;
    let last = eventually("everything has data", Duration::from_mins(2), || {
        // A series that had data once is sufficient: series appear with ticks and scrapes.
        missing.retain(|expression| stack.prometheus.query(&expression.text).unwrap().is_empty());
        rounds += 1;
        missing.iter().all(is_excused).then_some(())
    });
    let left: BTreeSet<String> = missing
        .iter()
        .filter(|expression| !is_excused(expression))
        .map(|expression| format!("{}: {}", expression.place, expression.text))
        .collect();
    last.unwrap_or_else(|error| {
        panic!("{error}; without data:\n{}", left.into_iter().collect::<Vec<_>>().join("\n"))
    });
    for (place, metric) in &excused {
        let stands =
            |expression: &Expression| expression.place == *place && expression.text.contains(metric.as_str());
        assert!(
            missing.iter().any(stands),
            "{place} / {metric} has data, or is gone: strike it off the list"
        );
    }
    assert_eq!(stack.prometheus.value("count(up == 1)").unwrap() as usize, NAMES.len() + 1);
    assert!(stack.prometheus.query("up == 0").unwrap().is_empty(), "all targets are up");
    if wanted.is_none() {
        counts_what_was_there(&stack.prometheus);
    }
    let of = |name: &str| format!("sum({name}{{domain=~\"package|dram\"}})");
    let [workloads, ended, host] = [
        "ffwatt_workload_energy_joules_total",
        "ffwatt_ended_energy_joules_total",
        "ffwatt_host_energy_joules_total",
    ]
    .map(of);
    let difference = stack.prometheus.value(&format!("{workloads} + {ended} - {host}")).unwrap();
    assert!(difference.abs() < 1e-6, "{difference} J are missing or too many");
    assert!(stack.prometheus.query("ffwatt_attribution_residual_joules != 0").unwrap().is_empty());
    if let Some(wanted) = wanted {
        vary(&namespace, stack.folder.path(), wanted.length);
        write_series(&stack.prometheus, &wanted);
    }
}

/// 20 and 3 W, between the ticks that two scrapes show.
fn counts_what_was_there(prometheus: &Prometheus<'_>) {
    const METRICS: &str = "ffwatt_host_energy_joules_total|ffwatt_last_tick_timestamp_seconds";
    let query = format!(r#"{{__name__=~"{METRICS}", domain=~"package|dram|"}}[1m]"#);
    let watts = eventually("ten seconds are scraped", Duration::from_mins(1), || {
        let (mut joules, mut seconds) = (0.0, 0.0);
        for series in prometheus.query(&query).ok()? {
            let values = series["values"].as_array()?;
            let value = |sample: &Value| sample[1].as_str()?.parse::<f64>().ok();
            let grown = value(values.last()?)? - value(values.first()?)?;
            let is_time = series["metric"]["__name__"] == "ffwatt_last_tick_timestamp_seconds";
            *(if is_time { &mut seconds } else { &mut joules }) += grown;
        }
        (seconds >= 10.0).then(|| joules / seconds)
    })
    .unwrap();
    assert!((watts / 23.0 - 1.0).abs() < 0.05, "{watts} W");
}

/// Alerts that were pending or have fired so far, by their names.
fn alerts(prometheus: &Prometheus<'_>) -> BTreeSet<String> {
    let name = |series: Value| series["metric"]["alertname"].as_str().unwrap().to_owned();
    prometheus.query("count_over_time(ALERTS[1h])").unwrap().into_iter().map(name).collect()
}

/// A pending alert has its cause: how long it waits does not matter here.
#[test]
fn a_healthy_host_has_no_alert_and_a_source_that_fails_has_one() {
    let namespace = Namespace::start(&NAMES).unwrap();
    let rapl = LiveRapl::start().unwrap();
    let prometheus = Prometheus::start(&namespace, &repository().join("packaging/prometheus")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let flags = [
        "--energy.source=auto",
        "--containers.docker-socket=/nonexistent/docker.sock",
        "--containers.podman-socket=/nonexistent/podman.sock",
    ];
    let _agent = start_agent(&namespace, &rapl, folder.path(), &flags);
    let scraped = |query: &str, patience| {
        eventually(query, patience, || (!prometheus.query(query).unwrap().is_empty()).then_some(())).unwrap();
    };
    // A dozen scrapes, or those of a quarter of an hour.
    let scrapes = short_or_long(12, 180);
    let healthy = format!("sum_over_time(up{{job=\"ffwatt\"}}[20m]) >= {scrapes}");
    scraped(&healthy, Duration::from_mins(20));
    let absent = prometheus.query("ffwatt_source_state{state=\"absent\"} == 1").unwrap();
    let log = || fs::read_to_string(folder.path().join("log")).unwrap();
    assert!(absent.len() >= 3, "some are not here: {absent:?}, {}", log());
    assert_eq!(alerts(&prometheus), BTreeSet::new());
    rapl.set_broken(true);
    scraped("ffwatt_source_up == 0", Duration::from_mins(2));
    eventually("the alert", Duration::from_mins(1), || {
        alerts(&prometheus).contains("SourceDown").then_some(())
    })
    .unwrap();
}
