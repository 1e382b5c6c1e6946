//! Renders the series of workloads and transcodes with Kubernetes' names, and compares with a stored text that the test
//! `kubernetes_names` joins with other exporters in a real Prometheus.
//!
//! The pipeline makes the snapshot. This test sets the names in it, in place of a source of names.

use std::path::Path;
use std::sync::Arc;

use agent_core::metrics::catalog::Listener;
use agent_core::metrics::{Format, Options, render};
use agent_core::model::energy::Domain;
use agent_core::model::snapshot::{Snapshot, TranscodeSnapshot};
use agent_core::model::workload::{Details, Identity, KubernetesNames, WorkloadKind};
use expect_test::expect_file;

use crate::config::Config;
use crate::pipeline::tests::{SECOND, Scene, container_id, container_path, zone};

const POD: &str = "/kubepods/burstable/pod2a8f1d1e-5f3c-4d83-9c0c-3f3c1b6f9a10";

/// A pod with two containers, of which one encodes, and a Docker container beside it.
fn snapshot() -> Snapshot {
    let mut scene = Scene::server(&Config::default());
    for cgroup in [10, 11] {
        scene.make_cgroup(cgroup, &format!("{POD}/{}", container_id(cgroup)));
    }
    scene.make_cgroup(12, &container_path(12));
    let line = ["ffmpeg", "-i", "in.mp4", "-c:v", "libx264", "-preset", "fast", "-s", "1280x720", "out.mp4"];
    scene.write_command_line(1000, &line);
    scene.exec(1000, 10);
    for _ in 0..2 {
        scene.run(10, Some(1000), 0, SECOND);
        scene.run(11, None, 0, SECOND / 2);
        scene.run(12, None, 1, SECOND / 2);
        for package in 0..2 {
            scene.draw(zone(Domain::Package, package), 30.0, SECOND);
        }
        scene.tick(SECOND);
    }
    Snapshot::clone(&scene.tick(SECOND))
}

/// The identity with the names of its container in the pod.
fn named(identity: &Identity) -> Identity {
    let is_encoder = identity.details.cgroup.as_deref().is_some_and(|path| path.ends_with(&container_id(10)));
    let names = KubernetesNames {
        namespace: "media".into(),
        pod: "ladder-7d4b9".into(),
        container: if is_encoder { "encoder" } else { "uploader" }.into(),
    };
    let name = names.to_string().into();
    let details = Details { kubernetes: Some(Arc::new(names)), ..Details::clone(&identity.details) };
    Identity { name, details: Arc::new(details), ..identity.clone() }
}

fn with_names(mut snapshot: Snapshot) -> Snapshot {
    let is_pods = |identity: &Identity| identity.kind == WorkloadKind::Kubernetes;
    for workload in snapshot.workloads.iter_mut().filter(|one| is_pods(&one.identity)) {
        workload.identity = named(&workload.identity);
    }
    for TranscodeSnapshot { workload, .. } in &mut snapshot.transcodes {
        *workload = named(workload);
    }
    snapshot
}

/// The lines of workloads and transcodes.
fn text(snapshot: Snapshot) -> String {
    let text = render(&Arc::new(snapshot), Listener::Main, Format::Classic, Options::default()).unwrap();
    let is_its = |line: &&str| {
        let name = line.trim_start_matches("# HELP ").trim_start_matches("# TYPE ");
        name.starts_with("ffwatt_workload_") || name.starts_with("ffwatt_transcode_")
    };
    let mut lines: Vec<&str> = text.lines().filter(is_its).collect();
    lines.push("");
    lines.join("\n")
}

#[test]
fn names_of_kubernetes_are_on_every_series_of_workloads_and_transcodes() {
    let (before, after) = (snapshot(), with_names(snapshot()));
    let after = text(after);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/kubernetes/ffwatt.prom");
    expect_file![path].assert_eq(&after);
    let labels = r#"namespace="media",pod="ladder-7d4b9",container="#;
    let mut series = after.lines().filter(|line| !line.starts_with('#'));
    let is_its = |line: &&str| line.contains("ladder-7d4b9");
    assert!(series.clone().filter(is_its).all(|line| line.contains(labels)), "{after}");
    assert!(series.any(|line| line.starts_with("ffwatt_transcode_running{") && is_its(&line)), "{after}");
    // Without names no label is written.
    assert!(!text(before).contains("namespace="));
}
