//! `cargo xtask kube`: installs the Helm chart into a Kubernetes of its own on this host, and checks what the agents show.
//!
//! All parts are real: kubelet, API server, controller manager and scheduler from Debian's source package, etcd, containerd, kubectl and
//! helm. The cluster has one node, and a network namespace, a mount namespace and files of its own. The host has no energy counters as
//! a rule, so joules are the agent's estimate there; CPU seconds are compared with the kernel's.

mod checks;
mod cluster;
mod daemons;
mod images;
mod leftovers;
mod programs;
mod runtime;
mod scene;
mod table;
mod workloads;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};
use xtask::dist;
use xtask::process::{day_and_machine, is_root, output, say};
use xtask::{helm, install, root};

use cluster::{Cluster, Parts};
use programs::Kubernetes;
use scene::{AgentPod, Scene};

/// Packages of the cluster, of its images and of the checks.
const PACKAGES: [&str; 10] = [
    "etcd-server",
    "containerd",
    "runc",
    "containernetworking-plugins",
    "iproute2",
    "openssl",
    "curl",
    "strace",
    "ffmpeg",
    "busybox-static",
];

/// Options of the task.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Options<'a> {
    /// Series of containerd.
    pub(crate) series: &'a str,
    /// Whether the debug build is sufficient.
    pub(crate) debug: bool,
}

pub(crate) fn run(options: Options<'_>) -> anyhow::Result<()> {
    ensure!(is_root(), "a cluster needs root: it makes namespaces, cgroups and containers");
    let root = root()?;
    for hidden in ["/var/lib", "/var/log", "/run"] {
        ensure!(
            !root.starts_with(hidden),
            "the cluster hides {hidden}: move the repository to another folder"
        );
    }
    install::packages("a Kubernetes cluster", &[&PACKAGES[..], &programs::PACKAGES].concat())?;
    let runtime = runtime::find_runtime(&root, options.series)?;
    let kubernetes = Kubernetes::build(&root)?;
    let mut folders = vec![kubernetes.bin(), runtime.folder.clone()];
    let mut kubelet = format!("kubelet {}", kubernetes.version());
    if runtime.has_only_runtime_v1() {
        folders.insert(0, kubernetes.kubelet_of_runtime_v1()?);
        kubelet.push_str(" (with its calls renamed from `runtime.v1alpha2` to `runtime.v1`)");
    }
    let parts = Parts { folders, kubectl: helm::kubectl(&root)?, helm: helm::helm(&root)? };
    let agent = agent(&root, options.debug)?;
    let (rows, logs) = check(&root, parts, &agent)?;
    let about = format!(
        "{}: {kubelet}, containerd {}, {}{}.",
        day_and_machine()?,
        runtime.version,
        output(Command::new(&agent).arg("--version"))?.trim(),
        if options.debug { " (debug build)" } else { "" }
    );
    let section = table::section(&about, &rows);
    say(&format!("\n{section}"));
    table::write(&root, options.series, &section)?;
    let failed = rows.iter().filter(|row| !row.is_ok).count();
    ensure!(failed == 0, "{failed} of {} checks failed; the logs are in {}", rows.len(), logs.display());
    Ok(())
}

/// The program of the agent. `FFWATT_BINARY` names one that is built already, as for the tests.
fn agent(root: &Path, debug: bool) -> anyhow::Result<PathBuf> {
    if let Some(path) = std::env::var_os("FFWATT_BINARY") {
        return Ok(PathBuf::from(path));
    }
    dist::run_all(dist::Options { binary_only: true, debug })?;
    Ok(root.join("target/dist/ffwatt"))
}

/// Starts the cluster, makes all checks, and removes the cluster. Returns the rows, and the folder of the logs.
fn check(root: &Path, parts: Parts, agent: &Path) -> anyhow::Result<(Vec<table::Row>, PathBuf)> {
    let mut cluster = Cluster::start(&root.join("target/kube"), parts)?;
    images::import(&cluster, root, agent)?;
    cluster.start_node()?;
    let logs = cluster.logs().to_path_buf();
    let mut scene = Scene {
        cluster: &mut cluster,
        chart: root.join("packaging/helm/ffwatt").display().to_string(),
        agent: AgentPod::default(),
        scrapes: 0,
        faults: 0,
    };
    scene.older_pod().context("the first pod")?;
    let rows = checks::run(&mut scene);
    Ok((rows, logs))
}
