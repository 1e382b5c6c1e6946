//! Tests a results folder that disappears, is full, or cannot be written.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tests::agent::Agent;
use tests::disk::Disk;
use tests::exposition::Exposition;
use tests::host::Host;

use crate::{agent, assert_no_residual};

const RESULT: &str = "test_results_1.json";

fn on(host: &Host, folder: &Path) -> Agent {
    let folder = format!("--results-dir={}", folder.display());
    agent(host, &["--energy.source=powercap", "--results.rescan=100ms", &folder])
}

fn scenario(name: &str) -> String {
    format!(r#"{{"scenarios":[{{"name":"{name}","duration":5,"power":{{"mean_watts":10}}}}]}}"#)
}

fn results(agent: &Agent) -> Exposition {
    agent.scrape_port(agent.ports.results).unwrap()
}

fn has(scrape: &Exposition, name: &str) -> bool {
    scrape.sum("results_scenario_duration_seconds", &[("scenario", name)]).is_some()
}

#[track_caller]
fn until(agent: &Agent, name: &str) {
    agent.until("the scenario is shown", |_| has(&results(agent), name).then_some(())).unwrap();
}

#[test]
fn a_folder_that_vanishes_leaves_the_last_results_and_is_found_again() {
    let (host, root) = (Host::client().unwrap(), tempfile::tempdir().unwrap());
    let folder = root.path().join("results");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join(RESULT), scenario("first")).unwrap();
    let agent = on(&host, &folder);
    until(&agent, "first");
    fs::remove_dir_all(&folder).unwrap();
    assert_no_residual(&agent.wait_ticks(3).unwrap());
    assert!(has(&results(&agent), "first"), "the last good one stays");
    // A folder that is made again may not be readable at first.
    fs::create_dir(&folder).unwrap();
    fs::set_permissions(&folder, Permissions::from_mode(0o000)).unwrap();
    fs::write(folder.join(RESULT), scenario("second")).unwrap();
    fs::set_permissions(&folder, Permissions::from_mode(0o755)).unwrap();
    until(&agent, "second");
    assert!(!has(&results(&agent), "first"));
}

#[test]
fn a_file_that_a_full_disk_cut_short_leaves_the_last_results() {
    let (host, disk) = (Host::client().unwrap(), Disk::mount("256k").unwrap());
    fs::write(disk.path().join(RESULT), scenario("first")).unwrap();
    let agent = on(&host, disk.path());
    until(&agent, "first");
    disk.fill("filler").unwrap();
    let second = disk.path().join("test_results_2.json");
    let whole = scenario("second") + &" ".repeat(100_000);
    fs::write(&second, &whole).unwrap_err();
    let up = |scrape: &Exposition| scrape.sum("results_exporter_up", &[]);
    agent.until("the file is known to be broken", |_| up(&results(&agent)).filter(|up| *up == 0.0)).unwrap();
    assert!(has(&results(&agent), "first"));
    assert_no_residual(&agent.wait_ticks(1).unwrap());
    fs::remove_file(disk.path().join("filler")).unwrap();
    fs::write(&second, &whole).unwrap();
    until(&agent, "second");
    assert_eq!(up(&results(&agent)), Some(1.0));
}

#[test]
fn a_folder_that_cannot_be_written_is_read_all_the_same() {
    let (host, disk) = (Host::client().unwrap(), Disk::mount("256k").unwrap());
    fs::write(disk.path().join(RESULT), scenario("first")).unwrap();
    disk.make_read_only().unwrap();
    fs::write(disk.path().join("new"), "").unwrap_err();
    let agent = on(&host, disk.path());
    until(&agent, "first");
    assert_no_residual(&agent.wait_ticks(1).unwrap());
}
