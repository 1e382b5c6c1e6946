//! Tests that result files are joined with attributed energy: the real agent on a fixture host, with files as upstream wrote them.
//!
//! Run: together.
#![allow(
    clippy::unwrap_used,
    clippy::float_cmp,
    reason = "a test may panic, and means equal when it says equal"
)]

mod odd_files;
mod other_host;
mod prices;

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use tests::agent::Agent;
use tests::command::pause;
use tests::exposition::Exposition;
use tests::host::{CGROUPS, Host};
use tests::referee;

/// A host, the agent on it, and a folder of results.
struct Stage {
    host: Host,
    agent: Agent,
    results: tempfile::TempDir,
}

impl Stage {
    fn set(more: &[&str]) -> Self {
        let host = Host::client().unwrap();
        let results = tempfile::tempdir().unwrap();
        let folder = format!("--results-dir={}", results.path().display());
        let flags = host.flags();
        let fixed =
            ["--interval=200ms", "--results.rescan=100ms", "--energy.source=powercap", folder.as_str()];
        let flags: Vec<&str> =
            flags.iter().map(String::as_str).chain(fixed).chain(more.iter().copied()).collect();
        let agent = Agent::start(&flags).unwrap();
        Self { host, agent, results }
    }

    fn write(&self, name: &str, text: &str) {
        write(self.results.path(), name, text);
    }

    /// 12 J, a quarter of them charged to nginx.
    fn work(&mut self) {
        let change = || {
            self.host.step(&[(CGROUPS[0], 300), (CGROUPS[1], 100)]).unwrap();
            self.host.set_energy("intel-rapl:0", 13_000_000).unwrap();
        };
        self.agent.between_ticks(change).unwrap();
    }

    fn until(&self, port: u16, what: &str, ask: impl Fn(&Exposition) -> bool) -> Exposition {
        let found = tests::command::eventually(what, Duration::from_secs(10), || {
            let scrape = self.agent.scrape_port(port).ok()?;
            ask(&scrape).then_some(scrape)
        });
        found.unwrap_or_else(|error| panic!("{error}: {}", self.agent.log()))
    }
}

fn write(folder: &Path, name: &str, text: &str) {
    let new = folder.join("new");
    fs::write(&new, text).unwrap();
    fs::rename(new, folder.join(name)).unwrap();
}

#[expect(clippy::disallowed_methods, reason = "the rule is the agent's")]
fn now() -> f64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs_f64()
}

const NGINX: &str = "nginx.service";

#[test]
fn a_scenario_has_the_joules_of_its_workload_on_every_port() {
    let mut stage = Stage::set(&["--price.per-kwh=3.6", "--price.per-cpu-hour=0", "--price.also=EUR=0.5"]);
    stage.agent.wait_ticks(5).unwrap();
    // In the middle of ticks without charges: within a tick energy flows evenly.
    let start = now() - 0.5;
    stage.work();
    stage.agent.wait_ticks(3).unwrap();
    let end = now();
    stage.write(
        "test_results_20260101_000000.json",
        &format!(
            r#"{{"scenarios":[{{"name":"4 Streams @ 2500k","bitrate":"2500k","resolution":"1280x720","fps":30,
            "start_time":{start},"end_time":{end},"outputs":null,"container":"{NGINX}","vmaf_score":90,
            "psnr_score":"inf","ssim_score":0.97,"total_frames":100,"dropped_frames":5,"quality_seconds":1.5}}]}}"#
        ),
    );
    let ports = stage.agent.ports;
    let results = stage.until(ports.results, "the scenario's energy", |scrape| {
        scrape.sum("results_scenario_total_energy_joules", &[]).is_some()
    });
    let energy = results.all("results_scenario_total_energy_joules").next().unwrap();
    assert!((energy.value - 3.0).abs() < 2e-6, "{energy}");
    let labels = ["run_id", "scenario", "streams", "output_ladder", "encoder_type", "encoder", "preset"];
    assert_eq!(
        labels.map(|label| energy.label(label)),
        ["test_results_20260101_000000", "4 Streams @ 2500k", "4", "1280x720@30", "cpu", "h264", "veryfast"]
    );
    let qoe = stage.agent.scrape_port(ports.qoe).unwrap();
    let label = [("scenario", "4_Streams_@_2500k")];
    assert_eq!(qoe.sum("qoe_vmaf_score", &label), Some(90.0));
    assert_eq!(qoe.sum("qoe_psnr_score", &label), Some(f64::INFINITY));
    assert_eq!(qoe.sum("qoe_drop_rate", &label), Some(0.05));
    assert_eq!(qoe.sum("qoe_computation_duration_seconds", &label), Some(1.5));
    let watts = energy.value / (end - start);
    let per_watt = qoe.sum("qoe_quality_per_watt", &label).unwrap();
    assert!((per_watt / (90.0 / watts) - 1.0).abs() < 1e-6, "{per_watt}");
    let cost = stage.agent.scrape_port(ports.cost).unwrap();
    let dollars = cost.sum("cost_energy", &[("currency", "USD")]).unwrap();
    assert!((dollars - energy.value * 1e-6).abs() < 1e-11, "a joule is a millionth: {dollars}");
    assert_eq!(cost.sum("cost_energy", &[("currency", "EUR")]).unwrap() * 2.0, dollars);
    assert_eq!(cost.sum("cost_total", &[("currency", "USD")]).unwrap(), dollars);
    let main = stage.agent.scrape().unwrap();
    let info = main.all("ffwatt_scenario_info").next().unwrap();
    assert_eq!([info.label("matched"), info.label("basis")], ["container", "measured"]);
    assert_eq!(main.sum("ffwatt_scenario_energy_joules", &[]), Some(energy.value));
    let each = main.sum("ffwatt_scenario_joules_per_frame", &[]).unwrap();
    assert!((each - energy.value / 100.0).abs() < 1e-9, "{each}");
    for port in ports.all() {
        referee::promtool(&stage.agent.get(port, "/metrics").unwrap().text()).unwrap();
        let accept = [("Accept", "application/openmetrics-text;version=1.0.0")];
        referee::openmetrics(&tests::http::request(port, "GET", "/metrics", &accept).unwrap().text())
            .unwrap();
    }
}

#[test]
fn what_was_charged_before_a_kill_is_known_after_it() {
    let state = tempfile::tempdir().unwrap();
    let flag = format!("--state-dir={}", state.path().display());
    let mut stage = Stage::set(&[&flag, "--price.per-kwh=1", "--budget.kwh-per-month=100"]);
    stage.agent.wait_ticks(2).unwrap();
    let start = now();
    // The ledger's buckets begin at whole tens of seconds, and energy flows evenly within one: the window has all of this one.
    let next_bucket = || {
        let bucket = now() / 10.0;
        while now() / 10.0 < bucket.floor() + 1.0 {
            pause(Duration::from_millis(50));
        }
    };
    next_bucket();
    // A tick whose charges are in two buckets is over.
    stage.agent.wait_ticks(2).unwrap();
    stage.work();
    next_bucket();
    let end = now();
    // Until a tick after the end is written.
    stage.agent.wait_ticks(8).unwrap();
    let Stage { host, agent, results } = stage;
    agent.stop_by(rustix::process::Signal::KILL).unwrap();
    let folder = format!("--results-dir={}", results.path().display());
    let flags = host.flags();
    let fixed = [folder.as_str(), &flag, "--energy.source=powercap", "--budget.kwh-per-month=100"];
    let flags: Vec<&str> = flags.iter().map(String::as_str).chain(fixed).collect();
    let agent = Agent::start(&flags).unwrap();
    let stage = Stage { host, agent, results };
    stage.write(
        "test_results_1.json",
        &format!(
            r#"{{"scenarios":[{{"name":"a","start_time":{start},"end_time":{end},"container":"{NGINX}"}}]}}"#
        ),
    );
    let main = stage.until(stage.agent.ports.main, "the energy of before", |scrape| {
        scrape.sum("ffwatt_scenario_energy_joules", &[]).is_some()
    });
    let info = main.all("ffwatt_scenario_info").next().unwrap();
    assert_eq!([info.label("matched"), info.label("basis")], ["container", "measured"]);
    let energy = main.sum("ffwatt_scenario_energy_joules", &[]).unwrap();
    assert!((energy - 3.0).abs() < 2e-6, "{energy} J");
    let spent = stage.until(stage.agent.ports.main, "the month's budget", |scrape| {
        scrape
            .sum("ffwatt_budget_spent", &[("period", "month"), ("unit", "kWh")])
            .is_some_and(|spent| spent > 0.0)
    });
    let spent = spent.sum("ffwatt_budget_spent", &[("unit", "kWh")]).unwrap() * 3.6e6;
    assert!((12.0 - 1e-6..12.1).contains(&spent), "{spent} J of the 12 that were counted before the kill");
}

#[test]
fn a_file_without_a_past_has_its_own_joules() {
    let stage = Stage::set(&[]);
    stage.write(
        "test_results_1.json",
        r#"{"scenarios":[
        {"name":"Baseline (Idle)","start_time":1000,"end_time":1060,"power":{"mean_watts":10}},
        {"name":"2 Streams","start_time":1100,"end_time":1160,"power":{"mean_watts":30},
         "cpu_usage_cores":[2,2,2],"step_seconds":30,"encoder_type":"libx264"},
        {"name":"nothing known","start_time":1200,"end_time":1260}]}"#,
    );
    let results = stage.until(stage.agent.ports.results, "the scenarios", |scrape| {
        scrape.sum("results_scenario_duration_seconds", &[]).is_some()
    });
    let of = |name: &str, scenario: &str| results.sum(name, &[("scenario", scenario)]);
    assert_eq!(of("results_scenario_total_energy_joules", "2 Streams"), Some(1800.0));
    assert_eq!(of("results_scenario_net_power_watts", "2 Streams"), Some(20.0));
    assert_eq!(of("results_scenario_power_pct_increase", "2 Streams"), Some(200.0));
    assert_eq!(of("results_scenario_net_power_watts", "Baseline (Idle)"), None, "absent, not 0");
    assert_eq!(of("results_scenario_total_energy_joules", "nothing known"), None);
    assert_eq!(of("results_scenario_duration_seconds", "nothing known"), Some(60.0));
    let main = stage.agent.scrape().unwrap();
    let info = main.find("ffwatt_scenario_info", &[("scenario", "2 Streams")]).next().unwrap();
    assert_eq!([info.label("matched"), info.label("basis")], ["file", "file"]);
    let cost = stage.agent.scrape_port(stage.agent.ports.cost).unwrap();
    let by_load = cost.sum("cost_compute_load_aware", &[("scenario", "2_Streams")]).unwrap();
    assert!((by_load - 120.0 * 0.5 / 3600.0).abs() < 1e-12, "{by_load}");
}

#[test]
fn a_broken_file_leaves_the_last_good_one_and_is_said() {
    let stage = Stage::set(&[]);
    let ports = stage.agent.ports;
    let up = |scrape: &Exposition| scrape.sum("results_exporter_up", &[]);
    stage.until(ports.results, "an empty folder is fine", |scrape| up(scrape) == Some(1.0));
    stage.write("test_results_1.json", r#"{"scenarios":[{"name":"first","duration":5}]}"#);
    let has = |scrape: &Exposition, name: &str| {
        scrape.sum("results_scenario_duration_seconds", &[("scenario", name)]).is_some()
    };
    stage.until(ports.results, "the first file", |scrape| has(scrape, "first"));
    stage.write("test_results_2.json", r#"{"scenarios":[{"name":"second","dura"#);
    let during = stage.until(ports.results, "the broken file", |scrape| up(scrape) == Some(0.0));
    assert!(has(&during, "first"), "the last good one stays");
    assert!(stage.agent.log().contains("test_results_2.json"), "{}", stage.agent.log());
    stage.write("test_results_2.json", r#"{"scenarios":[{"name":"second","duration":5}]}"#);
    let after = stage.until(ports.results, "the whole file", |scrape| has(scrape, "second"));
    assert_eq!(up(&after), Some(1.0));
    assert!(!has(&after, "first"));
}

#[test]
fn a_new_file_is_seen_though_nobody_looks_for_an_hour() {
    let stage = Stage::set(&["--results.rescan=1h"]);
    stage.agent.wait_ticks(2).unwrap();
    stage.write("test_results_1.json", r#"{"scenarios":[{"name":"first","duration":5}]}"#);
    stage.until(stage.agent.ports.results, "the file", |scrape| {
        scrape.sum("results_scenario_duration_seconds", &[("scenario", "first")]).is_some()
    });
}
