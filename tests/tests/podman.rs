//! Tests containers of Podman without a socket: conmon names them, and no other process does. Needs root.
//!
//! Run: alone (it makes containers on this host).

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use tests::agent::Agent;
use tests::command::Owned;
use tests::exposition::{Exposition, assert_closed, assert_no_residual};
use tests::podman::Podman;

/// A user without rights.
const NOBODY: u32 = 65_534;

const BURN: [&str; 3] =
    ["sh", "-c", "while :; do i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; sleep 0.05; done"];

fn names(scrape: &Exposition, id: &str) -> Vec<String> {
    let labels = [("kind", "podman"), ("id", &id[..12])];
    scrape
        .find("ffwatt_workload_energy_joules_total", &labels)
        .map(|sample| sample.label("workload").to_owned())
        .collect()
}

#[test]
fn conmon_names_containers_and_a_process_that_only_looks_like_it_does_not() {
    let podman = Podman::new().unwrap();
    let before = podman.run("before", &BURN).unwrap();
    let agent = Agent::start(&[
        "--cpu.source=bpf",
        "--energy.source=model",
        "--containers.docker-socket=",
        "--containers.podman-socket=",
    ])
    .unwrap();
    // Another user's process with conmon's name and words, about a container that it did not start.
    let impostor = Command::new("sh")
        .arg0("conmon")
        .args(["-c", "read line; :", "-c", &before, "-n", "impostor"])
        .uid(NOBODY)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let _impostor = Owned(impostor);
    let after = podman.run("after.2", &BURN).unwrap();
    for (id, name) in [(&before, "before"), (&after, "after.2")] {
        let of = [("workload", name), ("kind", "podman"), ("id", &id[..12])];
        let energy =
            |scrape: &Exposition| scrape.sum("ffwatt_workload_energy_joules_total", &of).filter(|j| *j > 0.0);
        agent.until("conmon has named the container", energy).unwrap();
    }
    let scrape = agent.wait_ticks(2).unwrap();
    for (id, name) in [(&before, "before"), (&after, "after.2")] {
        let names = names(&scrape, id);
        assert!(!names.is_empty() && names.iter().all(|found| found == name), "{name}: {names:?}");
        let of = [("workload", name), ("id", &id[..12])];
        let info = scrape.find("ffwatt_workload_info", &of).next().unwrap();
        assert_eq!((info.label("runtime"), info.label("image")), ("podman", ""));
    }
    assert_closed(&scrape);
}

#[test]
fn a_container_that_ends_before_the_next_tick_has_its_name_by_its_encoder() {
    let podman = Podman::new().unwrap();
    let flags = [
        "--cpu.source=bpf",
        "--energy.source=model",
        "--containers.docker-socket=",
        "--containers.podman-socket=",
    ];
    // Every process of this name stands for an encoder.
    let agent = Agent::start(&[&flags[..], &["--interval=5s", "--cpu.tracked=sleep"]].concat()).unwrap();
    let id = podman.run("short", &["sleep", "0.2"]).unwrap();
    podman.wait("short").unwrap();
    let of = [("workload", "short"), ("kind", "podman"), ("id", &id[..12])];
    let named =
        |scrape: &Exposition| scrape.sum("ffwatt_workload_cpu_seconds_total", &of).filter(|s| *s > 0.0);
    agent.until("the encoder's container has its name", named).unwrap();
    let scrape = agent.scrape().unwrap();
    assert_eq!(names(&scrape, &id), vec!["short"; names(&scrape, &id).len()]);
    assert_no_residual(&scrape);
}
