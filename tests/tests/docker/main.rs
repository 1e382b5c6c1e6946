//! Tests containers of a private Docker engine, with real ffmpeg and the real agent: names, energy and transcodes. Needs root.
//!
//! Run: alone (each test starts an engine of its own).

#![allow(
    clippy::unwrap_used,
    clippy::float_cmp,
    reason = "a test may panic, and means equal when it says equal"
)]

mod absence;
mod requests;
mod scores;

use std::time::Duration;

use tests::agent::Agent;
use tests::cgroup::ContainerParents;
use tests::command::eventually;
use tests::engine::Engine;
use tests::exposition::Exposition;
use tests::ffmpeg::live;
use tests::image;

const IMAGE: &str = "encoder:1";
const CPU: &str = "ffwatt_workload_cpu_seconds_total";
const ENERGY: &str = "ffwatt_workload_energy_joules_total";

fn engine() -> Engine {
    let engine = Engine::start_private().unwrap();
    image::make(&engine, IMAGE).unwrap();
    engine
}

fn agent(engine: &Engine) -> Agent {
    agent_with(engine, &[])
}

fn agent_with(engine: &Engine, flags: &[&str]) -> Agent {
    let agent = Agent::start_with_docker(engine.socket(), flags).unwrap();
    agent.wait_for_docker().unwrap();
    agent
}

fn is_up(scrape: &Exposition) -> Option<bool> {
    scrape.sum("ffwatt_source_up", &[("source", "docker")]).map(|up| up == 1.0)
}

/// Starts a container; returns its id.
fn start(engine: &Engine, options: &[&str], command: &[&str]) -> String {
    let words = [&["run", "--detach", "--network=none"][..], options, &[IMAGE], command].concat();
    engine.run(&words).unwrap()
}

/// Script of the shells in the containers.
const BURN: &str = "i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done";

fn of_container(id: &str) -> [(&'static str, String); 2] {
    [("kind", "docker".to_owned()), ("id", id[..12].to_owned())]
}

fn energy_of(scrape: &Exposition, id: &str) -> Option<f64> {
    let labels = of_container(id);
    let labels: Vec<(&str, &str)> = labels.iter().map(|(name, value)| (*name, value.as_str())).collect();
    scrape.sum(ENERGY, &labels)
}

fn name_of(scrape: &Exposition, id: &str) -> Option<String> {
    let labels = of_container(id);
    let labels: Vec<(&str, &str)> = labels.iter().map(|(name, value)| (*name, value.as_str())).collect();
    scrape.find("ffwatt_workload_info", &labels).next().map(|sample| sample.label("workload").to_owned())
}

#[test]
fn an_encode_in_a_container_has_name_image_labels_energy_and_a_transcode() {
    let engine = engine();
    let agent = agent(&engine);
    let id = start(
        &engine,
        &["--name", "live-1", "--label", "ffwatt.scenario=ladder a", "--label", "other=x"],
        &live("60"),
    );
    let key = [("workload", "live-1"), ("kind", "docker")];
    agent.until("it draws power", |scrape| scrape.sum(ENERGY, &key).filter(|energy| *energy > 0.1)).unwrap();
    let scrape = agent.wait_ticks(1).unwrap();
    let info = scrape.find("ffwatt_workload_info", &key).next().unwrap();
    assert_eq!(info.label("id"), &id[..12]);
    assert_eq!(info.label("image"), IMAGE);
    assert_eq!(info.label("scenario"), "ladder a");
    assert_eq!(info.label("runtime"), "docker");
    let transcode =
        scrape.find("ffwatt_transcode_energy_joules_total", &[("workload", "live-1")]).next().unwrap();
    assert_eq!(
        ["scenario", "codec", "preset", "resolution"].map(|label| transcode.label(label)),
        ["ladder a", "libx264", "veryfast", "320x240"]
    );
    assert!(transcode.value > 0.0);
    let docker = agent.scrape_port(agent.ports.docker).unwrap();
    let container = [("container", "live-1")];
    assert!(docker.sum("docker_container_cpu_percent", &container).unwrap() > 0.0);
    assert!(docker.sum("docker_container_memory_percent", &container).unwrap() > 0.0);
    assert!(docker.sum("docker_containers_total_cpu_percent", &[]).unwrap() > 0.0);
    assert_eq!(docker.sum("docker_containers_total", &[]), Some(1.0));
    assert_eq!(docker.sum("docker_stats_exporter_up", &[]), Some(1.0));
    assert!(docker.sum("docker_engine_memory_kb", &[]).unwrap() > 1000.0);
    assert!(docker.sum("docker_engine_cpu_percent", &[]).unwrap() >= 0.0);
    assert!(scrape.residuals().values().all(|left| *left == 0));
}

#[test]
fn a_container_below_a_parent_of_its_own_is_a_container_when_the_agent_comes_before_or_after_it() {
    let _parents = ContainerParents(&["encoders", "tenants/acme", "lxc"]);
    let engine = engine();
    let containers = [("encoder-1", "encoders"), ("encoder-2", "/tenants/acme"), ("encoder-3", "/lxc")];
    let loops = format!("while :; do {BURN}; sleep 0.02; done");
    let start_all = || {
        containers.map(|(name, parent)| {
            let parent = format!("--cgroup-parent={parent}");
            let options = ["--name", name, "--label", "ffwatt.scenario=ladder", &parent];
            start(&engine, &options, &["sh", "-c", &loops])
        })
    };
    let expect = |agent: &Agent, ids: &[String]| {
        eventually("all containers are known", Duration::from_secs(30), || {
            let docker = agent.scrape_port(agent.ports.docker).ok()?;
            (docker.sum("docker_containers_total", &[]) == Some(3.0)).then_some(())
        })
        .unwrap();
        for ((name, _), id) in containers.iter().zip(ids) {
            let key = [("workload", *name), ("kind", "docker"), ("id", &id[..12])];
            agent
                .until("it draws power", |scrape| scrape.sum(ENERGY, &key).filter(|energy| *energy > 0.0))
                .unwrap();
            let scrape = agent.scrape().unwrap();
            let info = scrape.find("ffwatt_workload_info", &key).next().unwrap();
            let labels = ["image", "scenario", "runtime"].map(|label| info.label(label).to_owned());
            assert_eq!(labels, [IMAGE, "ladder", "docker"], "{name}");
            let docker = agent.scrape_port(agent.ports.docker).unwrap();
            assert!(docker.sum("docker_container_cpu_percent", &[("container", name)]).is_some(), "{name}");
            assert_eq!(docker.sum("docker_containers_total", &[]), Some(3.0));
        }
    };
    let before = agent(&engine);
    let ids = start_all();
    expect(&before, &ids);
    drop(before);
    expect(&agent(&engine), &ids);
}

#[test]
fn a_container_that_lives_300_ms_is_named_and_has_its_energy() {
    let engine = engine();
    let agent = agent(&engine);
    let ids: Vec<String> = (0..3)
        .map(|number| {
            let name = format!("brief-{number}");
            // Removed at once when it ends: the engine cannot be queried about it afterwards.
            let burn = format!("timeout 0.3 sh -c 'while :; do :; done'; {BURN}");
            start(&engine, &["--rm", "--name", &name], &["sh", "-c", &burn])
        })
        .collect();
    eventually("they are gone", Duration::from_secs(20), || {
        engine.run(&["ps", "--all", "--quiet"]).ok().filter(String::is_empty)
    })
    .unwrap();
    let scrape = agent.wait_ticks(2).unwrap();
    for (number, id) in ids.iter().enumerate() {
        assert_eq!(name_of(&scrape, id), Some(format!("brief-{number}")));
        assert!(energy_of(&scrape, id).unwrap() > 0.2, "{:?}", energy_of(&scrape, id));
    }
    assert!(scrape.residuals().values().all(|left| *left == 0));
}

#[test]
fn a_container_that_restarts_is_the_same_and_one_that_is_renamed_is_renamed() {
    let engine = engine();
    let agent = agent(&engine);
    let id = start(&engine, &["--name", "first"], &["sh", "-c", &format!("{BURN}; sleep 600")]);
    let before = agent
        .until("it draws power", |scrape| energy_of(scrape, &id).filter(|energy| *energy > 0.0))
        .unwrap();
    engine.run(&["restart", "--time=0", "first"]).unwrap();
    let after = agent.until("it draws power again", |scrape| {
        energy_of(scrape, &id).filter(|energy| *energy > before * 1.5)
    });
    after.unwrap();
    engine.run(&["rename", "first", "second"]).unwrap();
    let renamed = agent
        .until("it has its new name", |scrape| {
            name_of(scrape, &id).filter(|name| name == "second").map(|_| scrape.clone())
        })
        .unwrap();
    let ended = renamed.sum("ffwatt_ended_energy_joules_total", &[("domain", "package")]).unwrap();
    assert!(ended >= before * 1.5, "{ended} J: the series under the former name have ended");
    assert!(energy_of(&renamed, &id).unwrap() < before, "those under the new name began at 0");
    assert!(renamed.residuals().values().all(|residual| *residual == 0));
    engine.run(&["rm", "--force", "second"]).unwrap();
    let scrape = agent.wait_ticks(2).unwrap();
    assert_eq!(name_of(&scrape, &id).as_deref(), Some("second"), "it stays visible after its end");
    let docker = agent.scrape_port(agent.ports.docker).unwrap();
    assert_eq!(docker.sum("docker_containers_total", &[]), Some(0.0));
    assert_eq!(docker.all("docker_container_cpu_percent").count(), 0, "nothing vanished is shown as running");
}

#[test]
fn a_container_that_ran_before_the_agent_is_named() {
    let engine = engine();
    let id = start(&engine, &["--name", "early"], &["sleep", "600"]);
    let agent = agent(&engine);
    agent.until("it is named", |scrape| name_of(scrape, &id).filter(|name| name == "early")).unwrap();
    let scrape = agent.scrape().unwrap();
    assert!(energy_of(&scrape, &id).is_some(), "a container is shown before it has used anything");
}

#[test]
fn hostile_names_and_labels_break_nothing() {
    let engine = engine();
    let agent = agent(&engine);
    let long = format!("ffwatt.scenario={}", "l".repeat(100_000));
    let burn = ["sh", "-c", BURN];
    let hostile = [
        ("idle", "ffwatt.scenario=a\nb\"c\\d{e=\"f\"} 1"),
        ("host", "ffwatt.scenario=<script>alert(1)</script>"),
        ("ffwatt", &long),
        ("kernel", "ffwatt.scenario=# HELP x\n# EOF"),
        ("unattributed", "ffwatt.scenario=\u{202e}\u{7}\u{0}"),
        ("other", "ffwatt.=x"),
    ];
    let ids: Vec<(String, &str)> = hostile
        .iter()
        .map(|(name, label)| {
            // A zero byte is no argument.
            let label = label.replace('\0', "");
            (start(&engine, &["--name", name, "--label", &label], &burn), *name)
        })
        .collect();
    for (id, name) in &ids {
        agent.until("it is named", |scrape| name_of(scrape, id).filter(|known| known == name)).unwrap();
    }
    // A cgroup that gives itself the id of the first.
    let (id, _) = &ids[0];
    let impostor = tests::cgroup::Cgroup::make(&format!("ffwatt-test/docker-{id}.scope")).unwrap();
    impostor.command("sh").args(["-c", BURN]).status().unwrap();
    let odd = ["<img src=x onerror=alert(1)>", "\u{1}x", "\u{2}x", "(ended)", "idle"];
    let odd: Vec<_> =
        odd.iter().map(|name| tests::cgroup::Cgroup::make(&format!("ffwatt-test/{name}")).unwrap()).collect();
    for cgroup in &odd {
        cgroup.command("sh").args(["-c", BURN]).status().unwrap();
    }
    let scrape = agent.wait_ticks(2).unwrap();
    assert!(scrape.residuals().values().all(|left| *left == 0));
    let pseudo = |name| [("workload", name), ("kind", "pseudo")];
    for name in ["idle", "ffwatt", "kernel"] {
        assert_eq!(scrape.find(CPU, &pseudo(name)).count(), usize::from(name != "idle"), "{name}");
        assert_eq!(scrape.find(CPU, &[("workload", name), ("kind", "docker")]).count(), 1, "{name}");
    }
    for port in agent.ports.all() {
        let classic = agent.get(port, "/metrics").unwrap().text();
        tests::referee::promtool(&classic).unwrap();
        let mut seen = std::collections::HashSet::new();
        for line in classic.lines().filter(|line| !line.starts_with('#')) {
            let series = line.rsplit_once(' ').unwrap().0;
            assert!(seen.insert(series), "twice: {series}");
            assert!(series.len() < 2000, "{} bytes: {}…", series.len(), &series[..200]);
        }
        let accept = ("Accept", "application/openmetrics-text;version=1.0.0");
        let open = tests::http::request(port, "GET", "/metrics", &[accept]).unwrap().text();
        tests::referee::openmetrics(&open).unwrap();
        let page = agent.get(port, "/").unwrap().text();
        assert!(!page.contains("<img") && !page.contains("<script>alert"), "{page}");
    }
}
