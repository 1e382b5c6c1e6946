//! Tests labels, images and names of pods by the interface of the container runtime (CRI), with a real containerd. Needs root.
//!
//! Run: alone (these tests make cgroups at the paths of a real kubelet).

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use tests::agent::{Agent, WITH_BPF};
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
