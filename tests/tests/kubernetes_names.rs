//! Tests that series with Kubernetes' names join with those of kube-state-metrics and cAdvisor without relabelling. Needs root.
//!
//! A real Prometheus scrapes stored texts. The text of ffwatt is the agent's own, by the unit test
//! `names_of_kubernetes_are_on_every_series_of_workloads_and_transcodes`; the other two have the labels of these exporters.
//!
//! Run: together.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tests::command::{Owned, eventually};
use tests::namespace::Namespace;
use tests::prometheus::Prometheus;

/// As a `PodMonitor` sets target labels: those of the agent's own pod.
const CONFIGURATION: &str = "
global: {scrape_interval: 1s, scrape_timeout: 1s}
scrape_configs:
  - job_name: ffwatt
    honor_labels: true
    metrics_path: /ffwatt.prom
    static_configs:
      - targets: ['localhost:8000']
        labels: {namespace: monitoring, pod: ffwatt-s9hls, container: ffwatt}
  - job_name: kube-state-metrics
    honor_labels: true
    metrics_path: /kube_state_metrics.prom
    static_configs: [{targets: ['localhost:8000']}]
  - job_name: kubelet
    honor_labels: true
    metrics_path: /cadvisor.prom
    static_configs: [{targets: ['localhost:8000']}]
";

/// The labels of a series.
fn labels<'a>(series: &'a Value, names: &[&str]) -> Vec<&'a str> {
    names.iter().map(|name| series["metric"][*name].as_str().unwrap_or_default()).collect()
}

#[test]
fn energy_joins_with_owners_and_cpu_time_without_relabelling() {
    let namespace = Namespace::start(&[]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("prometheus.yml"), CONFIGURATION).unwrap();
    let texts = Path::new(env!("CARGO_MANIFEST_DIR")).join("kubernetes");
    let mut server = namespace.command("python3");
    server.args(["-m", "http.server", "--bind", "127.0.0.1", "--directory"]).arg(texts).arg("8000");
    let _server = Owned(server.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    let prometheus = Prometheus::start(&namespace, folder.path()).unwrap();
    let query = |expression: &str| prometheus.query(expression).unwrap();
    eventually("all texts are scraped", Duration::from_secs(30), || {
        (prometheus.value("count(up == 1)").ok()? as usize == 3).then_some(())
    })
    .unwrap();

    for label in ["exported_namespace", "exported_pod", "exported_container"] {
        assert!(query(&format!(r#"{{{label}!=""}}"#)).is_empty(), "{label}");
    }
    // Series without names of their own get those of the agent's pod: the kind selects the others.
    let owners = query(
        r#"sum by (namespace, owner_name) (ffwatt_workload_energy_joules_total{kind="kubernetes"} * on (namespace, pod) group_left (owner_name) kube_pod_owner)"#,
    );
    let found: Vec<_> = owners.iter().map(|one| labels(one, &["namespace", "owner_name"])).collect();
    assert_eq!(found, [["media", "ladder"]]);
    let transcodes = query(
        "ffwatt_transcode_energy_joules_total{pod=\"ladder-7d4b9\"} * on (namespace, pod) group_left (owner_name) kube_pod_owner",
    );
    let found: Vec<_> =
        transcodes.iter().map(|one| labels(one, &["container", "codec", "owner_name"])).collect();
    assert_eq!(found, [["encoder", "libx264", "ladder"]]);
    let per_second = query(
        r#"sum by (namespace, pod, container) (ffwatt_workload_energy_joules_total{kind="kubernetes", domain="package"}) / on (namespace, pod, container) container_cpu_usage_seconds_total"#,
    );
    let mut found: Vec<_> =
        per_second.iter().map(|one| labels(one, &["namespace", "pod", "container"])).collect();
    found.sort_unstable();
    assert_eq!(found, [["media", "ladder-7d4b9", "encoder"], ["media", "ladder-7d4b9", "uploader"]]);
    // The CPU time of both is the same: one of ffwatt, one of cAdvisor.
    let ratios = query(
        "ffwatt_workload_cpu_seconds_total{kind=\"kubernetes\"} / on (namespace, pod, container) container_cpu_usage_seconds_total",
    );
    assert_eq!(ratios.len(), 2);
    assert!(ratios.iter().all(|one| one["value"][1] == "1"), "{ratios:?}");
}
