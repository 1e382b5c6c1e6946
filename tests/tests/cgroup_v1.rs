//! Tests CPU time where cgroup v1 is mounted, alone or beside cgroup v2: it is charged by the cgroup that identifies a task. Needs root.
//!
//! Run: alone (these tests measure the host).

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::process::Child;

use tests::agent::{Agent, WITH_BPF};
use tests::cgroup::{Cgroup, finish};
use tests::cgroup_v1::{Host, LegacyCgroup};
use tests::command::Owned;
use tests::exposition::{Exposition, assert_closed};

const ID: &str = "5ea1b2c3d4a1b2c3d4a1b2c3d4a1b2c3d4a1b2c3d4a1b2c3d4a1b2c3d4e6f7a8";

/// A poll counts CPU time up to one tick late, and the last poll of a cgroup is before its removal.
const TICK: f64 = 0.2;

fn agent(host: &Host, source: &str, more: &[&str]) -> Agent {
    let (source, path) = (format!("--cpu.source={source}"), host.flag());
    let own = [source.as_str(), &path, "--interval=200ms"];
    Agent::start(&[&own[..], &WITH_BPF[1..], more].concat()).unwrap()
}

fn check(host: &Host, source: &str) -> String {
    let (source, path) = (format!("--cpu.source={source}"), host.flag());
    let report = tests::agent::command().unwrap().args(["check", &source, &path]).output().unwrap();
    String::from_utf8(report.stdout).unwrap()
}

const BURN: [&str; 4] = ["1.5", "sh", "-c", "while :; do :; done"];

fn burn(cgroup: &LegacyCgroup, unified: Option<&Cgroup>) -> Child {
    cgroup.command(unified, "timeout").args(BURN).spawn().unwrap()
}

/// `timeout` exits with this code when the time is over.
fn finish_burn(mut child: Child) {
    assert_eq!(child.wait().unwrap().code(), Some(124));
}

fn cpu_of(scrape: &Exposition, workload: &str, kind: &str) -> f64 {
    let labels = [("workload", workload), ("kind", kind)];
    scrape.sum("ffwatt_workload_cpu_seconds_total", &labels).unwrap_or_default()
}

fn assert_is(what: &str, ours: f64, kernel: f64, tolerance: f64) {
    assert!(kernel > 0.1 && (ours - kernel).abs() < tolerance, "{what}: kernel {kernel}, ffwatt {ours}");
}

/// Tolerance of a source, in CPU seconds: eBPF counts every switch, from its first instruction in the cgroup.
fn tolerance(source: &str) -> f64 {
    if source == "bpf" { 0.02 } else { TICK }
}

#[test]
fn with_cgroup_v1_only_containers_and_jobs_have_their_cpu_time() {
    only("bpf");
}

#[test]
fn with_cgroup_v1_only_polling_tells_containers_and_jobs_apart() {
    only("cgroupfs");
}

fn only(source: &str) {
    let host = Host::mount(false).unwrap();
    let job = host.cgroup("slurm/uid_1000/job_4711/step_0").unwrap();
    let agent = agent(&host, source, &[]);
    let container = host.cgroup(&format!("docker/{ID}")).unwrap();
    [burn(&container, None), burn(&job, None)].into_iter().for_each(finish_burn);
    let scrape = agent.wait_ticks(3).unwrap();
    let tolerance = tolerance(source);
    assert_is("container", cpu_of(&scrape, &ID[..12], "docker"), container.cpu_seconds().unwrap(), tolerance);
    assert_is("job", cpu_of(&scrape, "slurm/job_4711", "cgroup"), job.cpu_seconds().unwrap(), tolerance);
    assert_closed(&scrape);
    let docker = agent.scrape_port(agent.ports.docker).unwrap();
    assert_eq!(docker.sum("docker_containers_total", &[]), Some(1.0));
    drop(agent);
    let report = check(&host, source);
    assert!(report.contains("cgroup v1 at"), "{report}");
    let method = if source == "bpf" { "CPU time is exact (eBPF)" } else { "CPU time is polled (cgroupfs)" };
    assert!(report.contains(method), "{report}");
}

#[test]
fn on_a_hybrid_host_containers_and_jobs_of_cgroup_v1_are_told_from_the_unit_that_started_them() {
    hybrid("bpf");
}

#[test]
fn on_a_hybrid_host_polling_counts_what_is_in_both_versions_once() {
    hybrid("cgroupfs");
}

fn hybrid(source: &str) {
    let host = Host::mount(true).unwrap();
    let agent = agent(&host, source, &[]);
    let daemon = Cgroup::make("ffwatt-test.slice/ffwatt-containerd.service").unwrap();
    let container = host.cgroup(&format!("docker/{ID}")).unwrap();
    let job = host.cgroup("slurm/uid_1000/job_4711/step_0").unwrap();
    // As systemd does without accounting: a unit is in its slice only.
    let slice = host.cgroup("ffwatt-test.slice").unwrap();
    let jobs = [&container, &job, &slice].map(|cgroup| burn(cgroup, Some(&daemon)));
    jobs.into_iter().for_each(finish_burn);
    let scrape = agent.wait_ticks(3).unwrap();
    let tolerance = tolerance(source);
    let of = |workload: &str, kind: &str| cpu_of(&scrape, workload, kind);
    assert_is("container", of(&ID[..12], "docker"), container.cpu_seconds().unwrap(), tolerance);
    assert_is("job", of("slurm/job_4711", "cgroup"), job.cpu_seconds().unwrap(), tolerance);
    // Its own part, and what its children's `sh` did before they entered cgroup v2.
    let unit = of("ffwatt-containerd.service", "systemd");
    assert_is("unit", unit, slice.cpu_seconds().unwrap(), tolerance);
    let whole = daemon.cpu_stat().unwrap().as_secs_f64();
    let parts = unit + of(&ID[..12], "docker") + of("slurm/job_4711", "cgroup");
    assert_is("all of cgroup v2's", parts, whole, 3.0 * tolerance);
    assert_closed(&scrape);
    // A removed cgroup frees its own entry only.
    drop(container);
    finish(daemon.command("true").spawn().unwrap()).unwrap();
    assert_closed(&agent.wait_ticks(5).unwrap());
    drop(agent);
    let report = check(&host, source);
    assert!(report.contains("cgroup v2 at") && report.contains("cgroup v1 at"), "{report}");
}

#[test]
fn an_encoder_in_a_container_of_cgroup_v1_is_the_containers_transcode() {
    for source in ["bpf", "cgroupfs"] {
        let host = Host::mount(true).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let encoder = folder.path().join("enc-v1");
        fs::copy("/bin/dash", &encoder).unwrap();
        let daemon = Cgroup::make("ffwatt-test.slice/ffwatt-containerd.service").unwrap();
        let container = host.cgroup(&format!("docker/{ID}")).unwrap();
        let start = || {
            let mut command = container.command(Some(&daemon), encoder.to_str().unwrap());
            Owned(command.args(["-c", "while :; do :; done"]).spawn().unwrap())
        };
        let _earlier = start();
        let agent = agent(&host, source, &["--cpu.tracked=enc-v1"]);
        let _later = start();
        let infos = |scrape: &Exposition| {
            let infos = scrape.find("ffwatt_transcode_info", &[("program", "enc-v1")]);
            infos.map(|info| info.label("workload").to_owned()).collect::<Vec<_>>()
        };
        let owners = agent
            .until("both are known", |scrape| Some(infos(scrape)).filter(|owners| owners.len() == 2))
            .unwrap();
        assert_eq!(owners, [&ID[..12], &ID[..12]], "{source}");
        assert_closed(&agent.wait_ticks(2).unwrap());
    }
}
