//! Checks of the rights of the agent: its processes as the kernel shows them, its mounts, and the objects of the release.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context, ensure};
use tests::agent::{self, status_field};

use super::super::scene::{RELEASE, Scene};
use crate::kube::workloads;

/// Numbers of the capabilities `DAC_READ_SEARCH`, `PERFMON` and `BPF` (capabilities(7)).
const CAPABILITIES: [u32; 3] = [2, 38, 39];

/// Sockets of docs/KUBERNETES.md, and that of Docker.
const SOCKETS: [&str; 7] = [
    "/run/containerd/containerd.sock",
    "/run/k3s/containerd/containerd.sock",
    "/var/snap/microk8s/common/run/containerd.sock",
    "/run/k0s/containerd.sock",
    "/run/crio/crio.sock",
    "/run/cri-dockerd.sock",
    "/var/run/docker.sock",
];

/// Status of all threads of the agent.
fn threads(scene: &Scene<'_>) -> anyhow::Result<Vec<String>> {
    let found = agent::threads(scene.process(&scene.agent.container)?)?;
    ensure!(!found.is_empty(), "the agent has no threads");
    Ok(found)
}

pub(super) fn capabilities(scene: &mut Scene<'_>) -> anyhow::Result<String> {
    let allowed: u64 = CAPABILITIES.iter().map(|number| 1 << number).sum();
    let threads = threads(scene)?;
    let mut seen = BTreeSet::new();
    for status in &threads {
        for name in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
            let value = u64::from_str_radix(status_field(status, name)?, 16)?;
            ensure!(value & !allowed == 0, "{name} is {value:016x}");
        }
        seen.insert(format!(
            "permitted {}, bounded by {}",
            status_field(status, "CapPrm")?,
            status_field(status, "CapBnd")?
        ));
    }
    Ok(format!("{} threads: {}", threads.len(), Vec::from_iter(seen).join("; ")))
}

pub(super) fn restrictions(scene: &mut Scene<'_>) -> anyhow::Result<String> {
    let threads = threads(scene)?;
    for status in &threads {
        for (name, expected) in [("NoNewPrivs", "1"), ("Seccomp", "2")] {
            let value = status_field(status, name)?;
            ensure!(value == expected, "{name} is {value}");
        }
    }
    Ok(format!("{} threads: NoNewPrivs 1, Seccomp 2", threads.len()))
}

/// A line of `mountinfo` (`proc_pid_mountinfo(5)`).
struct Mount {
    point: String,
    options: String,
}

fn mounts(process: u32) -> anyhow::Result<Vec<Mount>> {
    let text =
        fs::read_to_string(format!("/proc/{process}/mountinfo")).context("the process has no mounts")?;
    let mount = |line: &str| {
        let mut words = line.split(' ').skip(4).map(str::to_owned);
        Some(Mount { point: words.next()?, options: words.next()? })
    };
    Ok(text.lines().filter_map(mount).collect())
}

pub(super) fn root_file_system(scene: &mut Scene<'_>) -> anyhow::Result<String> {
    let mounts = mounts(scene.process(&scene.agent.container)?)?;
    let is_read_only = |mount: &Mount| mount.options.split(',').any(|option| option == "ro");
    let root = mounts.iter().find(|mount| mount.point == "/").context("no root file system")?;
    ensure!(is_read_only(root), "the root file system is mounted {}", root.options);
    let writable: Vec<&str> = mounts
        .iter()
        .filter(|mount| {
            !is_read_only(mount) && !mount.point.starts_with("/proc") && !mount.point.starts_with("/dev")
        })
        .map(|mount| mount.point.as_str())
        .collect();
    Ok(format!("read-only; to be written: {}", writable.join(", ")))
}

fn has_token(process: u32) -> anyhow::Result<bool> {
    Ok(mounts(process)?.iter().any(|mount| mount.point.contains("serviceaccount")))
}

/// The ordinary pod shows that the cluster mounts tokens.
pub(super) fn tokens(scene: &mut Scene<'_>) -> anyhow::Result<String> {
    let agent = has_token(scene.process(&scene.agent.container)?)?;
    ensure!(!agent, "the agent has a token");
    let pods = scene.cluster.get(&["pods", "--namespace", workloads::LIVE])?;
    let id = pods["items"][0]["status"]["containerStatuses"][0]["containerID"].as_str();
    let id = id.and_then(|id| id.strip_prefix("containerd://")).context("no ordinary pod runs")?;
    ensure!(has_token(scene.process(id)?)?, "the ordinary pod has none either");
    Ok("none; the ordinary pod has one".to_owned())
}

pub(super) fn sockets(scene: &mut Scene<'_>) -> anyhow::Result<String> {
    let process = scene.process(&scene.agent.container)?;
    let mounts = mounts(process)?;
    let mounted =
        mounts.iter().find(|mount| Path::new(&mount.point).extension().is_some_and(|name| name == "sock"));
    ensure!(mounted.is_none(), "{} is mounted", mounted.map_or("", |mount| mount.point.as_str()));
    for socket in SOCKETS {
        let seen = Path::new(&format!("/proc/{process}/root{socket}")).exists();
        ensure!(!seen, "the container has {socket}");
    }
    Ok(format!("none of {} in {} mounts", SOCKETS.len(), mounts.len()))
}

pub(super) fn objects(scene: &mut Scene<'_>) -> anyhow::Result<String> {
    let manifest = scene.cluster.helm(&["get", "manifest", RELEASE, "--namespace", RELEASE])?;
    let kinds: BTreeSet<&str> = manifest.lines().filter_map(|line| line.strip_prefix("kind: ")).collect();
    ensure!(kinds.contains("DaemonSet"), "the release has no DaemonSet: {kinds:?}");
    ensure!(!kinds.iter().any(|kind| kind.contains("Role")), "{kinds:?}");
    Ok(Vec::from_iter(kinds).join(", "))
}
