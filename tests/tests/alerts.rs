//! Tests that a low VMAF becomes an alert that a webhook receives, with a real Prometheus and a real Alertmanager. Needs root.
//!
//! The metrics of an agent are simulated by a file. The receiver of the webhook is a script.
//!
//! Run: together.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tests::command::{Owned, eventually, script};
use tests::namespace::Namespace;
use tests::prometheus::Prometheus;

/// The name of the agent and of Alertmanager in the shipped configuration of Prometheus.
const NAMES: [&str; 2] = ["ffwatt", "alertmanager"];

const METRICS: &str = "# TYPE ffwatt_transcode_vmaf_score gauge
ffwatt_transcode_vmaf_score{transcode=\"7-1\",workload=\"live\"} 61.5
";

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

/// The configuration of Alertmanager in the documentation.
fn documented() -> String {
    let page = fs::read_to_string(repository().join("docs/ALERTS.md")).unwrap();
    let (_, example) = page.split_once("```yaml\n").unwrap();
    example.split_once("```").unwrap().0.to_owned()
}

/// A server of the agent's port, with the metrics and two webhooks that keep what they receive.
fn server(namespace: &Namespace, folder: &Path) -> Owned {
    let webhooks = folder.join("cgi-bin");
    fs::create_dir(&webhooks).unwrap();
    fs::write(folder.join("metrics"), METRICS).unwrap();
    for name in ["operators", "quality"] {
        // A post is complete when it has its last name.
        let text = format!(
            "#!/bin/sh\nkept={0}/{name}\ncat > $kept.$$\nmv $kept.$$ $kept\nprintf 'Content-Type: text/plain\\r\\n\\r\\n'\n",
            folder.display()
        );
        script(&webhooks.join(name), &text).unwrap();
    }
    let mut server = namespace.command("busybox");
    server.args(["httpd", "-f", "-p", "9510", "-h"]).arg(folder);
    Owned(server.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
}

#[test]
fn a_low_vmaf_reaches_the_webhook_for_quality() {
    let namespace = Namespace::start(&NAMES).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let _server = server(&namespace, folder.path());
    let mut text = documented();
    for name in ["operators", "quality"] {
        let address = format!("http://{name}.example.com/webhook");
        assert!(text.contains(&address), "{text}");
        text = text.replace(&address, &format!("http://ffwatt:9510/cgi-bin/{name}"));
    }
    let configuration = folder.path().join("alertmanager.yml");
    fs::write(&configuration, text).unwrap();
    let log = folder.path().join("log");
    let mut alertmanager = namespace.command("prometheus-alertmanager");
    alertmanager
        .arg(format!("--config.file={}", configuration.display()))
        .arg(format!("--storage.path={}", folder.path().join("data").display()))
        .args(["--web.listen-address=127.0.0.1:9093", "--cluster.listen-address="])
        .stdout(Stdio::null())
        .stderr(fs::File::create(&log).unwrap());
    let _alertmanager = Owned(alertmanager.spawn().unwrap());
    let _prometheus = Prometheus::start(&namespace, &repository().join("packaging/prometheus")).unwrap();
    let received = eventually("the webhook receives an alert", Duration::from_mins(2), || {
        fs::read_to_string(folder.path().join("quality")).ok()
    });
    let received = received.unwrap_or_else(|error| panic!("{error}: {}", fs::read_to_string(&log).unwrap()));
    let received: Value = serde_json::from_str(&received).unwrap();
    assert_eq!(received["status"], "firing");
    let [alert] = &received["alerts"].as_array().unwrap()[..] else { panic!("{received}") };
    assert_eq!(alert["labels"]["alertname"], "TranscodeScoredLow");
    assert_eq!(alert["labels"]["instance"], "ffwatt:9510");
    assert_eq!(alert["labels"]["severity"], "warning");
    assert_eq!(alert["annotations"]["summary"], "A transcode of live has a VMAF of 61.5");
    assert_eq!(alert["annotations"]["runbook_url"], "docs/ALERTS.md#transcodescoredlow");
    assert!(!folder.path().join("operators").exists(), "another receiver has it too");
}
