//! Command lines and configuration of the programs of a cluster. All paths are those within its namespaces.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use tests::containerd::{ContainerdPlaces, configuration};

/// Address of the node. The default route leads to the loopback interface: a kubelet wants one.
pub(super) const ADDRESS: &str = "10.99.0.2";

/// Name of the node.
pub(super) const NODE: &str = "node-a";

/// Port on which the kubelet says whether it is well.
pub(super) const KUBELET_HEALTH: &str = "http://127.0.0.1:10248/healthz";

/// Socket of containerd.
pub(super) const SOCKET: &str = "/run/containerd/containerd.sock";

/// Folder with configuration and keys of the cluster.
pub(super) const CONFIGURATION: &str = "/var/lib/cluster";

const SERVER: &str = "https://127.0.0.1:6443";

/// Users of the API server: name, and group.
const USERS: [(&str, &str); 4] = [
    ("admin", "system:masters"),
    ("system:kube-controller-manager", "system:masters"),
    ("system:kube-scheduler", "system:masters"),
    ("system:node:node-a", "system:nodes"),
];

/// A program that runs as long as the cluster.
#[derive(Clone, Copy, Debug)]
pub(super) struct Daemon {
    pub(super) name: &'static str,
    arguments: &'static [&'static str],
}

pub(super) const ETCD: Daemon = Daemon { name: "etcd", arguments: &["--data-dir=/var/lib/etcd"] };

pub(super) const CONTAINERD: Daemon =
    Daemon { name: "containerd", arguments: &["--config={}/containerd.toml"] };

pub(super) const KUBELET: Daemon = Daemon {
    name: "kubelet",
    arguments: &[
        "--config={}/kubelet.json",
        "--kubeconfig={}/system:node:node-a.json",
        "--hostname-override=node-a",
        "--node-ip=10.99.0.2",
        "--container-runtime=remote",
        "--container-runtime-endpoint=unix:///run/containerd/containerd.sock",
        // The file of the host may be a link to a folder that is hidden.
        "--resolv-conf=",
    ],
};

pub(super) const API_SERVER: Daemon = Daemon {
    name: "kube-apiserver",
    arguments: &[
        "--etcd-servers=http://127.0.0.1:2379",
        "--service-cluster-ip-range=10.97.0.0/24",
        "--bind-address=127.0.0.1",
        "--advertise-address=10.99.0.2",
        "--cert-dir={}/apiserver",
        "--token-auth-file={}/tokens.csv",
        "--authorization-mode=Node,RBAC",
        "--allow-privileged",
        "--kubelet-preferred-address-types=InternalIP",
        "--service-account-issuer=https://kubernetes.default.svc",
        "--service-account-key-file={}/service-accounts.key",
        "--service-account-signing-key-file={}/service-accounts.key",
    ],
};

pub(super) const CONTROLLER_MANAGER: Daemon = Daemon {
    name: "kube-controller-manager",
    arguments: &[
        "--kubeconfig={}/system:kube-controller-manager.json",
        "--leader-elect=false",
        "--cert-dir={}/controller-manager",
        "--service-account-private-key-file={}/service-accounts.key",
    ],
};

pub(super) const SCHEDULER: Daemon = Daemon {
    name: "kube-scheduler",
    arguments: &[
        "--kubeconfig={}/system:kube-scheduler.json",
        "--leader-elect=false",
        "--cert-dir={}/scheduler",
    ],
};

impl Daemon {
    pub(super) fn arguments(self) -> impl Iterator<Item = String> {
        self.arguments.iter().map(|argument| argument.replace("{}", CONFIGURATION))
    }
}

/// Path of a user's access to the API server.
pub(super) fn kubeconfig(user: &str) -> String {
    format!("{CONFIGURATION}/{user}.json")
}

/// Writes all configuration into a folder: the one that is at [`CONFIGURATION`] within the namespaces.
pub(super) fn write(folder: &Path) -> anyhow::Result<()> {
    let write = |name: &str, text: String| fs::write(folder.join(name), text);
    for (user, _) in USERS {
        write(&format!("{user}.json"), access(user).to_string())?;
    }
    let tokens = USERS.map(|(user, group)| format!("token-of-{user},{user},{user},\"{group}\"\n"));
    write("tokens.csv", tokens.concat())?;
    write("kubelet.json", kubelet().to_string())?;
    let places = ContainerdPlaces {
        root: "/var/lib/containerd".into(),
        state: "/run/containerd".into(),
        socket: SOCKET.into(),
        network: format!("{CONFIGURATION}/network").into(),
        plugins: "/usr/lib/cni".into(),
    };
    write("containerd.toml", configuration(&places))?;
    fs::create_dir(folder.join("network"))?;
    write("network/pods.conf", network().to_string())?;
    Ok(())
}

/// Server and user for kubectl and the daemons. The network is the cluster's own, so that the server's certificate is not verified.
fn access(user: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "a", "cluster": {"server": SERVER, "insecure-skip-tls-verify": true}}],
        "users": [{"name": "a", "user": {"token": format!("token-of-{user}")}}],
        "contexts": [{"name": "a", "context": {"cluster": "a", "user": "a"}}],
        "current-context": "a",
    })
}

fn kubelet() -> Value {
    json!({
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "cgroupDriver": "cgroupfs",
        "failSwapOn": false,
        "authentication": {"anonymous": {"enabled": true}, "webhook": {"enabled": false}},
        "authorization": {"mode": "AlwaysAllow"},
        "makeIPTablesUtilChains": false,
        "volumePluginDir": format!("{CONFIGURATION}/volume-plugins"),
        // The disk and the memory are those of the host, which has other users.
        "evictionHard": {"memory.available": "1Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
        "imageGCHighThresholdPercent": 100,
    })
}

/// A pair of interfaces for each pod.
fn network() -> Value {
    json!({
        "cniVersion": "0.4.0",
        "name": "pods",
        "type": "ptp",
        "ipam": {"type": "host-local", "subnet": "10.98.0.0/24", "routes": [{"dst": "0.0.0.0/0"}]},
    })
}
