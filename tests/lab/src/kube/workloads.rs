//! Objects of the users of a cluster: encodes and waiting pods in several namespaces.

use serde_json::{Value, json};
use tests::containerd::ENCODER;
use tests::ffmpeg::live;

/// Namespace of live encodes.
pub(super) const LIVE: &str = "live";

/// Namespace of jobs.
pub(super) const BATCH: &str = "batch";

/// Namespace of many pods.
pub(super) const CROWD: &str = "crowd";

/// Name of the container in each pod.
pub(super) const CONTAINER: &str = "work";

/// A command that waits, and uses a little CPU time.
const WAIT: [&str; 3] = ["sh", "-c", "while :; do sleep 1; done"];

/// Specification of a pod.
fn pod(command: &[&str], restart: &str) -> Value {
    json!({
        "restartPolicy": restart,
        "terminationGracePeriodSeconds": 1,
        "containers": [{
            "name": CONTAINER,
            "image": ENCODER,
            "command": command,
            "resources": {"requests": {"cpu": "10m", "memory": "8Mi"}},
        }],
    })
}

/// A namespace.
pub(super) fn namespace(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
}

/// A pod that waits.
pub(super) fn waiting_pod(namespace: &str, name: &str) -> Value {
    let metadata = json!({"namespace": namespace, "name": name});
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": pod(&WAIT, "Always")})
}

/// A deployment of live encodes.
pub(super) fn encodes(name: &str, replicas: u32) -> Value {
    deployment(LIVE, name, replicas, &live("3600"))
}

/// A deployment of pods that wait.
pub(super) fn crowd(name: &str, replicas: u32) -> Value {
    deployment(CROWD, name, replicas, &WAIT)
}

fn deployment(namespace: &str, name: &str, replicas: u32, command: &[&str]) -> Value {
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"namespace": namespace, "name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": pod(command, "Always")},
        },
    })
}

/// Specification of a job with one encode of this many seconds.
fn encode(seconds: &str) -> Value {
    json!({"backoffLimit": 0, "template": {"spec": pod(&live(seconds), "Never")}})
}

/// A job with one encode.
pub(super) fn job(name: &str, seconds: &str) -> Value {
    let metadata = json!({"namespace": BATCH, "name": name});
    json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": encode(seconds)})
}

/// A job with one encode each minute.
pub(super) fn cron_job(name: &str, seconds: &str) -> Value {
    json!({
        "apiVersion": "batch/v1beta1",
        "kind": "CronJob",
        "metadata": {"namespace": BATCH, "name": name},
        "spec": {
            "schedule": "* * * * *",
            "concurrencyPolicy": "Forbid",
            "jobTemplate": {"spec": encode(seconds)},
        },
    })
}
