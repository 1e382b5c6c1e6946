//! Tests corrected result files: a scenario is matched again, while the agent runs and after a restart.

use std::fs;
use std::path::Path;

use tests::agent::Agent;
use tests::host::{CGROUPS, Host};

use crate::{agent, now};

fn write(folder: &Path, (start, end): (f64, f64), more: &str) {
    let text = format!(r#"{{"scenarios":[{{"name":"one","start_time":{start},"end_time":{end}{more}}}]}}"#);
    fs::write(folder.join("new"), text).unwrap();
    fs::rename(folder.join("new"), folder.join("test_results_1.json")).unwrap();
}

#[track_caller]
fn until(agent: &Agent, expected_match: &str, joules: f64, tolerance: f64) {
    agent
        .until(&format!("{joules} J by {expected_match}"), |scrape| {
            let info = scrape.all("ffwatt_scenario_info").next()?;
            let energy = scrape.sum("ffwatt_scenario_energy_joules", &[])?;
            (info.label("matched") == expected_match && (energy - joules).abs() <= tolerance).then_some(())
        })
        .unwrap();
}

#[test]
fn a_corrected_file_is_matched_anew_and_a_better_rule_beats_a_remembered_worse_one() {
    let (mut host, state) = (Host::client().unwrap(), tempfile::tempdir().unwrap());
    let results = tempfile::tempdir().unwrap();
    let folder = format!("--results-dir={}", results.path().display());
    let first = agent(&host, state.path(), &[&folder]);
    first.wait_ticks(2).unwrap();
    let start = now() - 0.3;
    let birth = crate::uptime();
    host.encoder(4242, CGROUPS[0], birth, std::time::Duration::ZERO).unwrap();
    first.wait_ticks(2).unwrap();
    // 12 J: 9 to the container and the encoder in it, 3 to nginx.
    first
        .between_ticks(|| {
            host.step(&[(CGROUPS[0], 300), (CGROUPS[1], 100)]).unwrap();
            host.encoder(4242, CGROUPS[0], birth, std::time::Duration::from_millis(300)).unwrap();
            host.set_energy("intel-rapl:0", 13_000_000).unwrap();
        })
        .unwrap();
    first.wait_ticks(3).unwrap();
    let window = (start, now());
    host.end_encoder(4242).unwrap();
    first.wait_ticks(3).unwrap();
    write(results.path(), window, "");
    until(&first, "overlap", 9.0, 1e-5);
    write(results.path(), window, r#","container":"nginx.service""#);
    until(&first, "container", 3.0, 1e-5);
    first.stop().unwrap();
    // Stored figures belong to the names in the file at that time.
    let second = agent(&host, state.path(), &[&folder]);
    until(&second, "container", 3.0, 1e-5);
    second.stop().unwrap();
    write(results.path(), window, "");
    let third = agent(&host, state.path(), &[&folder]);
    // By buckets of ten seconds, in which energy flows evenly.
    third
        .until("by overlap again", |scrape| {
            let info = scrape.all("ffwatt_scenario_info").next()?;
            (info.label("matched") == "overlap").then_some(())
        })
        .unwrap();
}
