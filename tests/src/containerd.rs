//! A containerd of its own, and the part of a kubelet that makes pods with it: cgroups, folders of logs, calls of the CRI.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::Context;

use crate::command::{Owned, eventually, find, output};
use crate::cri::Cri;
use crate::cri::messages::{
    ContainerConfig, ContainerMetadata, CreateContainerRequest, ImageSpec, LinuxContainerConfig,
    LinuxContainerResources, LinuxContainerSecurityContext, LinuxPodSandboxConfig,
    LinuxSandboxSecurityContext, NamespaceOption, OF_CONTAINER, OF_HOST, PodSandboxConfig,
    PodSandboxMetadata,
};
use crate::pod_cgroup::PodCgroup;
use crate::{image, oci};

/// Image of the process that holds a pod.
pub const PAUSE: &str = "localhost/pause:1";

/// Image with busybox and ffmpeg.
pub const ENCODER: &str = "localhost/encoder:1";

/// Namespaces of containerd: the kubelet's, and that of other clients.
const KUBELETS: &str = "k8s.io";
const DEFAULT: &str = "default";

/// Its socket: in the state folder, as in containerd's own configuration.
const SOCKET: &str = "state/containerd.sock";

/// Time limit for containerd's first answer.
const START_PATIENCE: Duration = Duration::from_mins(1);

/// A containerd with folders, socket and images of its own.
#[derive(Debug)]
pub struct Containerd {
    /// Ends after its pods.
    daemon: Option<Owned>,
    cri: Cri,
    folder: tempfile::TempDir,
}

impl Containerd {
    /// Starts it, and makes its images from files of this host: nothing is pulled.
    pub fn start() -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix("ffwatt-containerd-")
            .tempdir()
            .context("cannot make a folder")?;
        let socket = folder.path().join(SOCKET);
        let mut containerd = Self { daemon: None, cri: Cri::new(&socket)?, folder };
        let places = ContainerdPlaces {
            root: containerd.path("root"),
            state: containerd.path("state"),
            socket,
            network: containerd.path("cni"),
            plugins: containerd.path("cni"),
        };
        fs::write(containerd.path("config.toml"), configuration(&places))?;
        for name in ["pods", "containers", "cni"] {
            fs::create_dir(containerd.path(name))?;
        }
        containerd.start_daemon()?;
        for (name, root) in [(PAUSE, image::shell_root()?), (ENCODER, image::encoder_root()?)] {
            let archive = containerd.path("image.tar");
            oci::write_image(root.path(), name, &oci::shell(), &archive)?;
            for namespace in [KUBELETS, DEFAULT] {
                let mut import = containerd.ctr(namespace);
                output(import.args(["images", "import"]).arg(&archive))?;
            }
            fs::remove_file(&archive)?;
        }
        Ok(containerd)
    }

    /// Starts the daemon, for the first time or again.
    pub fn start_daemon(&mut self) -> anyhow::Result<()> {
        let program = find("containerd").context("there is no containerd here (package containerd)")?;
        let log = File::options().create(true).append(true).open(self.path("log"))?;
        let mut command = Command::new(program);
        command.arg("--config").arg(self.path("config.toml"));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        // It searches runc and its shim there.
        command.env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
        self.daemon = Some(Owned(command.spawn().context("cannot start containerd")?));
        eventually("containerd answers", START_PATIENCE, || self.cri.version().ok())
            .with_context(|| fs::read_to_string(self.path("log")).unwrap_or_default())?;
        Ok(())
    }

    /// Kills the daemon. Its containers continue.
    pub fn kill_daemon(&mut self) {
        self.daemon = None;
    }

    /// Its socket.
    pub fn socket(&self) -> PathBuf {
        self.path(SOCKET)
    }

    /// Its interface.
    pub fn cri(&self) -> &Cri {
        &self.cri
    }

    /// The folder in place of `/var/log/pods`.
    pub fn pod_logs(&self) -> PathBuf {
        self.path("pods")
    }

    /// The folder in place of `/var/log/containers`.
    pub fn container_logs(&self) -> PathBuf {
        self.path("containers")
    }

    /// Makes a pod on the host's network.
    pub fn pod(&self, namespace: &str, name: &str, labels: &[(&str, &str)]) -> anyhow::Result<Pod<'_>> {
        let uid = fs::read_to_string("/proc/sys/kernel/random/uuid")?.trim().to_owned();
        let cgroup = PodCgroup::make(&format!("kubepods/burstable/pod{uid}"))?;
        let logs = self.pod_logs().join(format!("{namespace}_{name}_{uid}"));
        fs::create_dir(&logs)?;
        let kubelets = [
            ("io.kubernetes.pod.name", name),
            ("io.kubernetes.pod.namespace", namespace),
            ("io.kubernetes.pod.uid", &uid),
        ];
        let labels = labels.iter().copied().chain(kubelets);
        let config = PodSandboxConfig {
            metadata: Some(PodSandboxMetadata {
                name: name.to_owned(),
                uid: uid.clone(),
                namespace: namespace.to_owned(),
            }),
            log_directory: logs.display().to_string(),
            labels: labels.map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
            linux: Some(LinuxPodSandboxConfig {
                cgroup_parent: cgroup.path(),
                security_context: Some(LinuxSandboxSecurityContext { namespace_options: Some(namespaces()) }),
            }),
        };
        let sandbox = self.cri.run_pod(&config)?;
        Ok(Pod { containerd: self, config, sandbox, uid, _cgroup: cgroup })
    }

    /// Runs a container as nerdctl does: its id has 64 digits, and its name is an annotation. nerdctl is not in Debian.
    pub fn run(
        &self,
        name: &str,
        annotations: &[(&str, &str)],
        command: &[&str],
    ) -> anyhow::Result<RunContainer<'_>> {
        let uuid = || fs::read_to_string("/proc/sys/kernel/random/uuid");
        let id = (uuid()? + &uuid()?).replace(['-', '\n'], "");
        let mut run = self.ctr(DEFAULT);
        run.args(["run", "--detach", "--net-host"]);
        for (key, value) in [&[("nerdctl/name", name)], annotations].concat() {
            run.args(["--annotation", &format!("{key}={value}")]);
        }
        output(run.args([ENCODER, &id]).args(command))?;
        Ok(RunContainer { containerd: self, id })
    }

    fn ctr(&self, namespace: &str) -> Command {
        let mut command = Command::new("ctr");
        command.arg("--address").arg(self.socket()).args(["--namespace", namespace]).stdin(Stdio::null());
        command
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// Namespaces of a pod that needs no network of its own.
fn namespaces() -> NamespaceOption {
    NamespaceOption { network: OF_HOST, pid: OF_CONTAINER }
}

/// A pod; removed with its containers when dropped.
#[derive(Debug)]
pub struct Pod<'a> {
    containerd: &'a Containerd,
    config: PodSandboxConfig,
    /// Id of its sandbox.
    pub sandbox: String,
    /// Its uid.
    pub uid: String,
    /// Removed after the sandbox.
    _cgroup: PodCgroup,
}

impl Pod<'_> {
    /// Starts a container; returns its full id.
    pub fn container(&self, name: &str, command: &[&str]) -> anyhow::Result<String> {
        let metadata = self.config.metadata.clone().unwrap_or_default();
        let log_path = format!("{name}/0.log");
        fs::create_dir(Path::new(&self.config.log_directory).join(name))?;
        let mut labels = self.config.labels.clone();
        labels.retain(|key, _| key.starts_with("io.kubernetes."));
        labels.insert("io.kubernetes.container.name".to_owned(), name.to_owned());
        let config = ContainerConfig {
            metadata: Some(ContainerMetadata { name: name.to_owned(), attempt: 0 }),
            image: Some(ImageSpec { image: ENCODER.to_owned() }),
            command: command.iter().map(|word| (*word).to_owned()).collect(),
            labels,
            log_path: log_path.clone(),
            linux: Some(LinuxContainerConfig {
                resources: Some(LinuxContainerResources { cpu_shares: 102 }),
                security_context: Some(LinuxContainerSecurityContext {
                    namespace_options: Some(namespaces()),
                }),
            }),
        };
        let request = CreateContainerRequest {
            pod_sandbox_id: self.sandbox.clone(),
            config: Some(config),
            sandbox_config: Some(self.config.clone()),
        };
        let id = self.containerd.cri.create_container(&request)?;
        self.containerd.cri.start_container(&id)?;
        let PodSandboxMetadata { name: pod, namespace, .. } = metadata;
        let link = self.containerd.container_logs().join(format!("{pod}_{namespace}_{name}-{id}.log"));
        symlink(Path::new(&self.config.log_directory).join(log_path), link)?;
        Ok(id)
    }

    /// The first process of a container, by the host's number.
    pub fn process(&self, container: &str) -> anyhow::Result<u32> {
        let text = output(self.containerd.ctr(KUBELETS).args(["tasks", "list"]))?;
        let line =
            text.lines().find(|line| line.starts_with(container)).context("the container has no task")?;
        Ok(line.split_whitespace().nth(1).context("the task has no process")?.parse()?)
    }
}

impl Drop for Pod<'_> {
    fn drop(&mut self) {
        // A test that failed reports its own failure.
        let _ = self.containerd.cri.remove_pod(&self.sandbox);
    }
}

/// A container outside of Kubernetes; removed when dropped.
#[derive(Debug)]
pub struct RunContainer<'a> {
    containerd: &'a Containerd,
    /// Its full id.
    pub id: String,
}

impl Drop for RunContainer<'_> {
    fn drop(&mut self) {
        for words in [["tasks", "delete", "--force"].as_slice(), &["containers", "delete"]] {
            // A test that failed reports its own failure.
            let _ = output(self.containerd.ctr(DEFAULT).args(words).arg(&self.id));
        }
    }
}

/// Paths of a containerd.
#[derive(Clone, Debug)]
pub struct ContainerdPlaces {
    /// Images and snapshots.
    pub root: PathBuf,
    /// Running containers.
    pub state: PathBuf,
    /// The socket of its interfaces.
    pub socket: PathBuf,
    /// Configuration of the network of pods (CNI).
    pub network: PathBuf,
    /// Programs that make the network of pods.
    pub plugins: PathBuf,
}

/// The configuration: nothing outside of these places, and nothing that a container of a test machine has no right to.
pub fn configuration(places: &ContainerdPlaces) -> String {
    let [root, state, socket, network, plugins] =
        [&places.root, &places.state, &places.socket, &places.network, &places.plugins]
            .map(|path| path.display());
    format!(
        r#"version = 2
root = "{root}"
state = "{state}"
[grpc]
  address = "{socket}"
[plugins."io.containerd.internal.v1.opt"]
  path = "{root}/opt"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE}"
  disable_apparmor = true
  restrict_oom_score_adj = true
  tolerate_missing_hugetlb_controller = true
  disable_hugetlb_controller = true
  stream_server_address = "127.0.0.1"
  stream_server_port = "0"
  [plugins."io.containerd.grpc.v1.cri".cni]
    conf_dir = "{network}"
    bin_dir = "{plugins}"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    default_runtime_name = "runc"
    snapshotter = "overlayfs"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = false
"#
    )
}
