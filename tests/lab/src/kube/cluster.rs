//! A Kubernetes of one node, in a network namespace and a mount namespace of its own.
//!
//! `/var/lib`, `/var/log`, `/run` and the kernel parameters that a kubelet sets are files of the cluster there, so that no file of the
//! host changes, and every path is the usual one.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Context;
use serde_json::Value;
use tests::command::{Owned, eventually, output};
use tests::namespace::Namespace;
use xtask::process::{say, succeeds};

use super::daemons::{self, Daemon};
use super::leftovers;

/// Time limit for the first answer of a daemon.
const START_PATIENCE: Duration = Duration::from_mins(2);

/// Seconds that one call of kubectl or helm may take.
const CALL_SECONDS: &str = "240";

/// Makes the namespaces' own files, in the folder `$1`.
const SETUP: &str = r#"set -e
for place in lib log; do mkdir -p "$1/$place"; mount --bind "$1/$place" "/var/$place"; done
mkdir -p "$1/run"; mount --bind "$1/run" /run
mkdir "$1/parameters"
for name in vm/overcommit_memory vm/panic_on_oom kernel/panic kernel/panic_on_oops kernel/keys/root_maxkeys kernel/keys/root_maxbytes; do
  copy="$1/parameters/$(basename $name)"
  cat "/proc/sys/$name" > "$copy"; mount --bind "$copy" "/proc/sys/$name"
done
ip addr add "$2/32" dev lo
ip route add default dev lo src "$2"
readlink /proc/self/ns/mnt"#;

/// Programs of a cluster.
#[derive(Debug)]
pub(super) struct Parts {
    /// Folders of the programs of Kubernetes and of containerd; the first one that has a program is right.
    pub(super) folders: Vec<PathBuf>,
    pub(super) kubectl: PathBuf,
    pub(super) helm: PathBuf,
}

/// A running cluster; ended and removed when dropped.
#[derive(Debug)]
pub(super) struct Cluster {
    parts: Parts,
    /// Ended with the cluster.
    daemons: BTreeMap<&'static str, Owned>,
    namespace: Namespace,
    folder: PathBuf,
    logs: PathBuf,
}

impl Cluster {
    /// Starts all but the kubelet.
    pub(super) fn start(target: &Path, parts: Parts) -> anyhow::Result<Self> {
        let (folder, logs) = (target.join("cluster"), target.join("logs"));
        leftovers::end(&folder)?;
        let _ = fs::remove_dir_all(&logs);
        for path in [&folder, &logs] {
            fs::create_dir_all(path).with_context(|| format!("cannot make {}", path.display()))?;
        }
        let namespace = Namespace::start(&[])?;
        let mut setup = namespace.command("sh");
        setup.args(["-c", SETUP, "sh"]).arg(&folder).arg(daemons::ADDRESS);
        leftovers::claim(&folder, output(&mut setup)?.trim())?;
        let mut cluster = Self { parts, daemons: BTreeMap::new(), namespace, folder, logs };
        let configuration = cluster.folder.join("lib/cluster");
        fs::create_dir(&configuration)?;
        daemons::write(&configuration)?;
        let key = format!("{}/service-accounts.key", daemons::CONFIGURATION);
        output(cluster.command("openssl").args(["genrsa", "-out", &key, "2048"]))?;
        say("starting the control plane and containerd");
        for daemon in [daemons::ETCD, daemons::CONTAINERD, daemons::API_SERVER] {
            cluster.start_daemon(daemon)?;
        }
        cluster.wait("the API server", |cluster| cluster.kubectl(&["get", "--raw=/readyz"]).is_ok())?;
        for daemon in [daemons::CONTROLLER_MANAGER, daemons::SCHEDULER] {
            cluster.start_daemon(daemon)?;
        }
        cluster.wait("containerd", |cluster| cluster.ctr(&["version"]).is_ok())?;
        Ok(cluster)
    }

    /// Starts the kubelet, and waits for the node.
    pub(super) fn start_node(&mut self) -> anyhow::Result<()> {
        self.start_daemon(daemons::KUBELET)?;
        self.wait("the node", |cluster| {
            let path = r#"jsonpath={.status.conditions[?(@.type=="Ready")].status}"#;
            let ready = cluster.kubectl(&["get", "node", daemons::NODE, "--output", path]);
            ready.is_ok_and(|text| text == "True")
        })
    }

    /// Starts a daemon, for the first time or again.
    pub(super) fn start_daemon(&mut self, daemon: Daemon) -> anyhow::Result<()> {
        let log = self.logs.join(format!("{}.log", daemon.name));
        let log = File::options().create(true).append(true).open(log).context("cannot make a log")?;
        let mut command = self.command(daemon.name);
        command.args(daemon.arguments()).stdout(log.try_clone()?).stderr(log);
        let child = command.spawn().with_context(|| format!("cannot start {}", daemon.name))?;
        self.daemons.insert(daemon.name, Owned(child));
        Ok(())
    }

    /// Kills a daemon, and starts it again.
    pub(super) fn restart(&mut self, daemon: Daemon) -> anyhow::Result<()> {
        self.daemons.remove(daemon.name);
        self.start_daemon(daemon)
    }

    /// Waits until the kubelet and containerd answer.
    pub(super) fn wait_node(&mut self) -> anyhow::Result<()> {
        self.wait("containerd", |cluster| cluster.ctr(&["version"]).is_ok())?;
        self.wait("the kubelet", |cluster| {
            succeeds(cluster.command("curl").args(["--silent", "--fail", daemons::KUBELET_HEALTH]))
        })
    }

    fn wait(&mut self, what: &str, is_ready: impl Fn(&Self) -> bool) -> anyhow::Result<()> {
        let mut ended = None;
        eventually(&format!("{what} is ready"), START_PATIENCE, || {
            let mut daemons = self.daemons.iter_mut();
            ended = daemons.find_map(|(name, child)| Some((*name, child.0.try_wait().ok()??)));
            (ended.is_some() || is_ready(self)).then_some(())
        })
        .with_context(|| format!("the logs are in {}", self.logs.display()))?;
        match ended {
            Some((name, status)) => {
                anyhow::bail!("{name} ended with {status}; its log is in {}", self.logs.display())
            }
            None => Ok(()),
        }
    }

    /// A program within the namespaces. Programs of the cluster come before those of the host.
    pub(super) fn command(&self, program: &str) -> Command {
        let ours = self.parts.folders.iter().map(|folder| format!("{}:", folder.display()));
        let path = ours.collect::<String>() + "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
        let mut command = self.namespace.command(program);
        command.env("PATH", path).env("KUBECONFIG", daemons::kubeconfig("admin"));
        // kubectl and helm keep files there.
        command.env("HOME", daemons::CONFIGURATION);
        // Protocols of remote commands that this API server is too old for.
        command.env("KUBECTL_REMOTE_COMMAND_WEBSOCKETS", "false");
        command
    }

    /// What `ctr` prints.
    pub(super) fn ctr(&self, arguments: &[&str]) -> anyhow::Result<String> {
        output(
            self.command("ctr").args(["--address", daemons::SOCKET, "--namespace", "k8s.io"]).args(arguments),
        )
    }

    /// What `kubectl` prints.
    pub(super) fn kubectl(&self, arguments: &[&str]) -> anyhow::Result<String> {
        self.call(&self.parts.kubectl, arguments)
    }

    /// What `helm` prints.
    pub(super) fn helm(&self, arguments: &[&str]) -> anyhow::Result<String> {
        self.call(&self.parts.helm, arguments)
    }

    fn call(&self, program: &Path, arguments: &[&str]) -> anyhow::Result<String> {
        output(self.command("timeout").arg(CALL_SECONDS).arg(program).args(arguments))
    }

    /// Objects of the API server.
    pub(super) fn get(&self, arguments: &[&str]) -> anyhow::Result<Value> {
        let text = self.kubectl(&[&["get", "--output=json"], arguments].concat())?;
        serde_json::from_str(&text).context("kubectl prints no JSON")
    }

    /// Makes an object.
    pub(super) fn create(&self, object: &Value) -> anyhow::Result<()> {
        let file = self.folder.join("object.json");
        fs::write(&file, object.to_string())?;
        self.kubectl(&["create", "--filename", &file.display().to_string()]).map(drop)
    }

    /// Folder of the cluster's files.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Folder of the logs, which stay.
    pub(super) fn logs(&self) -> &Path {
        &self.logs
    }

    /// Keeps the logs of the pods and a list of the objects.
    fn keep_logs(&self) {
        // A part that does not run has none.
        let _ = output(Command::new("cp").arg("-r").arg(self.folder.join("log/pods")).arg(&self.logs));
        for kind in ["pods", "events"] {
            let list = self.kubectl(&["get", kind, "--all-namespaces", "--output=wide"]);
            let text = list.unwrap_or_else(|error| format!("{error:#}"));
            let _ = fs::write(self.logs.join(format!("{kind}.txt")), text);
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.keep_logs();
        self.daemons.clear();
        if let Err(error) = leftovers::end(&self.folder) {
            say(&format!("the cluster is not removed: {error:#}"));
        }
    }
}
