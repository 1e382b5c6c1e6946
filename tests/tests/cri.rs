//! Tests labels, images and names of pods by the interface of the container runtime (CRI), with a real containerd. Needs root.
//!
//! Run: alone (these tests make cgroups at the paths of a real kubelet).

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use serde_json::Value;
use tests::agent::{Agent, WITH_BPF};
use tests::command::output;
use tests::containerd::Containerd;
use tests::exposition::Sample;
use tests::ffmpeg::live;

/// An agent that has no other source of names than the runtime.
fn agent(containerd: &Containerd) -> Agent {
    let socket = format!("--containers.cri-socket={}", containerd.socket().display());
    let more = [&socket, "--path.podlogs=", "--path.containerlogs=", "--interval=200ms"];
    Agent::start(&[&WITH_BPF[..], &more].concat()).unwrap()
}

/// The info sample of a container, once it has an image.
fn described(agent: &Agent, id: &str) -> Sample {
    let of_it = [("id", &id[..12])];
    let known = agent.until("it is described", |scrape| {
        let mut found = scrape.find("ffwatt_workload_info", &of_it);
        found.find(|info| !info.label("image").is_empty()).cloned()
    });
    known.unwrap()
}

#[test]
fn pods_have_labels_images_and_names_also_after_a_restart_of_the_runtime() {
    let mut containerd = Containerd::start().unwrap();
    let agent = agent(&containerd);
    let pod = containerd.pod("live", "ladder", &[("ffwatt.scenario", "of-the-pod")]).unwrap();
    let id = pod.container("ffmpeg", &live("60")).unwrap();
    let info = described(&agent, &id);
    assert_eq!(
        ["workload", "namespace", "pod", "container", "image", "scenario"].map(|label| info.label(label)),
        ["live/ladder/ffmpeg", "live", "ladder", "ffmpeg", "localhost/encoder:1", "of-the-pod"]
    );
    let scrape = agent.scrape().unwrap();
    assert_eq!(scrape.sum("ffwatt_source_up", &[("source", "cri")]), Some(1.0));
    drop(pod);
    containerd.kill_daemon();
    containerd.start_daemon().unwrap();
    assert_eq!(described(&agent, &id).label("workload"), "live/ladder/ffmpeg", "what was known stays");
    let pod = containerd.pod("live", "again", &[("ffwatt.scenario", "second")]).unwrap();
    let id = pod.container("ffmpeg", &live("60")).unwrap();
    let info = described(&agent, &id);
    assert_eq!(["workload", "scenario"].map(|label| info.label(label)), ["live/again/ffmpeg", "second"]);
    // An agent that is younger than the pod.
    drop(agent);
    let agent = self::agent(&containerd);
    assert_eq!(described(&agent, &id).label("scenario"), "second");
}

/// A Kubernetes Job: its pod is deleted when it has ended.
#[test]
fn a_job_of_three_seconds_is_in_the_report_and_the_class_counters_after_its_deletion() {
    let containerd = Containerd::start().unwrap();
    let state = tempfile::tempdir().unwrap();
    let state = format!("--state-dir={}", state.path().display());
    let socket = format!("--containers.cri-socket={}", containerd.socket().display());
    let pods = format!("--path.podlogs={}", containerd.pod_logs().display());
    let links = format!("--path.containerlogs={}", containerd.container_logs().display());
    let agent = Agent::start_with_bpf(&[&state, &socket, &pods, &links]).unwrap();
    let pod = containerd.pod("batch", "job-x7k2p", &[("ffwatt.scenario", "nightly")]).unwrap();
    let id = pod.container("encode", &live("3")).unwrap();
    let job = [("workload", "batch/job-x7k2p/encode")];
    agent.until("it has ended", |scrape| scrape.sum("ffwatt_transcode_exit_code", &job)).unwrap();
    drop(pod);
    assert_eq!(described(&agent, &id).label("scenario"), "nightly");
    let of_job = [("namespace", "batch"), ("scenario", "nightly"), ("codec", "libx264")];
    let jobs = agent.until("it is counted", |scrape| scrape.sum("ffwatt_class_jobs_total", &of_job));
    assert_eq!(jobs.unwrap() as u32, 1);
    let scrape = agent.scrape().unwrap();
    assert!(scrape.sum("ffwatt_class_energy_joules_total", &of_job).unwrap() > 0.0);
    // Its first tick may have been charged before its labels were known.
    let charged = scrape.sum("ffwatt_class_energy_joules_total", &of_job[2..]).unwrap();
    // An agent that is killed may lose its last tick, in which the transcode may have ended.
    agent.stop().unwrap();
    let mut report = tests::agent::command().unwrap();
    let report = output(report.args(["report", "--by=workload", "--json", &state])).unwrap();
    let groups: Value = serde_json::from_str(&report).unwrap();
    let group = groups.as_array().unwrap().iter().find(|group| group["name"] == job[0].1);
    let energy = group.unwrap_or_else(|| panic!("it is not in {groups}"))["energy_joules"].as_f64().unwrap();
    assert!((energy / charged - 1.0).abs() < 1e-3, "{energy} J in the report, {charged} J in the counters");
}

#[test]
fn check_names_the_runtime_and_what_is_missing() {
    let check = |socket: &str| {
        let flag = format!("--containers.cri-socket={socket}");
        let output = tests::agent::command().unwrap().args(["check", &flag]).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().find(|line| line.contains(" cri ")).map(ToOwned::to_owned).unwrap_or(text)
    };
    let containerd = Containerd::start().unwrap();
    let version = containerd.cri().version().unwrap();
    let line = check(&containerd.socket().display().to_string());
    let expected = format!("{} {} at", version.runtime_name, version.runtime_version);
    assert!(line.contains("used") && line.contains(&expected), "{line}");
    let line = check("/nowhere/cri.sock");
    assert!(line.contains("absent") && line.contains("/nowhere/cri.sock"), "{line}");
}
