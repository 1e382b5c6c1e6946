//! Tests an agent that may not load eBPF programs: it polls, and says what it lacks.

use std::process::Command;

use tests::agent::{Agent, Ports, binary};
use tests::cgroup::Cgroup;
use tests::command::output;
use tests::exposition::assert_closed;
use tests::nobody::{self, Capabilities};

use super::{cpu_of, kernel_of};

#[test]
fn without_bpf_it_polls_and_says_so() {
    let agent = Agent::start(&[
        "--cpu.source=cgroupfs",
        "--energy.source=model",
        "--containers.docker-socket=",
        "--containers.podman-socket=",
    ])
    .unwrap();
    let cgroup = Cgroup::make("ffwatt-test/polled").unwrap();
    cgroup.burn(3.0).status().unwrap();
    let scrape = agent.wait_ticks(2).unwrap();
    let info = scrape.all("ffwatt_attribution_info").next().unwrap();
    assert_eq!(info.label("cpu_source"), "cgroupfs");
    let (kernel, ours) = (kernel_of(&cgroup), cpu_of(&scrape, &cgroup.path).unwrap());
    assert!((ours / kernel - 1.0).abs() < 0.02, "kernel {kernel}, ffwatt {ours}");
    assert_closed(&scrape);
}

#[test]
fn without_permission_it_goes_on_degraded_and_names_the_capabilities() {
    // A copy, so that a user without rights may read it.
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("ffwatt");
    std::fs::copy(binary().unwrap(), &copy).unwrap();
    output(Command::new("chmod").args(["755", folder.path().to_str().unwrap()])).unwrap();
    let port = format!("--listen.port={}", Ports::free().unwrap().main);
    let off = ["rapl", "docker", "results", "qoe", "cost"].map(|name| format!("--listen.{name}-port=0"));
    let mut check = nobody::command(&copy, Capabilities::Only(&[]));
    let check = check.args(["check", &port]).args(off).env_clear().output().unwrap();
    let report = String::from_utf8_lossy(&check.stdout).into_owned();
    assert_eq!(check.status.code(), Some(3), "{report}");
    assert!(report.contains("CAP_BPF") && report.contains("CPU time is polled"), "{report}");
    let state = folder.path().join("state");
    std::fs::create_dir(&state).unwrap();
    nobody::give(&state).unwrap();
    let wrapper = folder.path().join("as-nobody");
    nobody::script(&wrapper, &copy, Capabilities::Only(&[])).unwrap();
    let state = state.to_str().unwrap();
    let path = [("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")];
    let mut agent = Agent::spawn(&wrapper, &["--state-dir", state, "--energy.source=model"], &path).unwrap();
    agent.wait_ready().unwrap();
    let scrape = agent.scrape().unwrap();
    // Polling replaces it.
    let absent = [("source", "bpf"), ("state", "absent")];
    assert_eq!(scrape.sum("ffwatt_source_state", &absent), Some(1.0));
    assert_eq!(scrape.sum("ffwatt_source_up", &[("source", "cgroupfs")]), Some(1.0));
    assert!(agent.log().contains("CAP_BPF"), "{}", agent.log());
    assert_closed(&scrape);
}
