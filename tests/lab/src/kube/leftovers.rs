//! Ends everything that belongs to a cluster: processes, cgroups and files, also after a run that was interrupted.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, ensure};
use rustix::process::{Pid, Signal, kill_process};
use tests::command::eventually;

/// Time limit for the end of all processes, and then for that of their cgroups.
const PATIENCE: Duration = Duration::from_mins(1);

/// The kubelet's cgroup in each hierarchy.
const PODS: &str = "kubepods";

/// File with the mount namespace of a cluster, in its folder.
const MARK: &str = "namespace";

/// Claims the cgroup of pods for a cluster in this folder, with processes in this mount namespace. Error: a kubelet uses the cgroup.
pub(super) fn claim(cluster: &Path, namespace: &str) -> anyhow::Result<()> {
    let found = cgroups()?;
    ensure!(
        found.is_empty(),
        "the cgroup {} exists: another kubelet or test runs on this host; end it, and remove its cgroup",
        found.first().map(|folder| folder.display().to_string()).unwrap_or_default()
    );
    fs::write(cluster.join(MARK), mark(namespace)?).context("cannot write the mark of the cluster")
}

/// Namespaces have numbers that another boot gives to others.
fn mark(namespace: &str) -> anyhow::Result<String> {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").context("cannot read the boot id")?;
    Ok(format!("{} {namespace}", boot.trim()))
}

/// Ends the cluster in this folder, if there is one.
pub(super) fn end(cluster: &Path) -> anyhow::Result<()> {
    if let Ok(text) = fs::read_to_string(cluster.join(MARK))
        && let Some((_, namespace)) = text.split_once(' ')
        && text == mark(namespace)?
    {
        // The kubelet and the shims first: they would start containers again, or wait for their end.
        kill("a process of the cluster", || members(namespace))?;
        kill("a process of a pod", pods)?;
        remove_cgroups()?;
    }
    if cluster.exists() {
        eventually("the folder of the cluster is removed", PATIENCE, || fs::remove_dir_all(cluster).ok())
            .with_context(|| cluster.display().to_string())?;
    }
    Ok(())
}

/// Kills until none is left.
fn kill(what: &str, list: impl Fn() -> Vec<Pid>) -> anyhow::Result<()> {
    eventually(&format!("{what} ends"), PATIENCE, || {
        let found = list();
        for process in &found {
            // It may have ended meanwhile.
            let _ = kill_process(*process, Signal::KILL);
        }
        found.is_empty().then_some(())
    })
}

/// Processes in this mount namespace that have not ended.
fn members(namespace: &str) -> Vec<Pid> {
    let Ok(processes) = fs::read_dir("/proc") else { return Vec::new() };
    let is_member = |folder: &PathBuf| {
        fs::read_link(folder.join("ns/mnt")).is_ok_and(|link| link.to_string_lossy() == namespace)
    };
    let folders = processes.flatten().map(|entry| entry.path()).filter(is_member);
    folders.filter_map(|folder| Pid::from_raw(folder.file_name()?.to_str()?.parse().ok()?)).collect()
}

/// Processes in the cgroups of pods.
fn pods() -> Vec<Pid> {
    let roots = cgroups().unwrap_or_default();
    let folders = roots.iter().flat_map(|root| below(root));
    let texts = folders.filter_map(|folder| fs::read_to_string(folder.join("cgroup.procs")).ok());
    texts
        .flat_map(|text| {
            let numbers = text.lines().filter_map(|line| Pid::from_raw(line.parse().ok()?));
            numbers.collect::<Vec<_>>()
        })
        .collect()
}

/// The cgroup of pods in each hierarchy that has one.
fn cgroups() -> anyhow::Result<Vec<PathBuf>> {
    let mounts = fs::read_to_string("/proc/self/mounts").context("cannot read the mounts")?;
    let roots = mounts.lines().filter_map(|line| {
        let mut words = line.split(' ').skip(1);
        let (root, kind) = (words.next()?, words.next()?);
        matches!(kind, "cgroup" | "cgroup2").then(|| Path::new(root).join(PODS))
    });
    Ok(roots.filter(|folder| folder.is_dir()).collect())
}

/// A cgroup and all below it, the deepest first.
fn below(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).map(|entries| entries.flatten().collect::<Vec<_>>());
    let folders =
        entries.unwrap_or_default().into_iter().map(|entry| entry.path()).filter(|path| path.is_dir());
    folders.flat_map(|path| below(&path)).chain([folder.to_path_buf()]).collect()
}

fn remove_cgroups() -> anyhow::Result<()> {
    eventually("the cgroups of pods are removed", PATIENCE, || {
        let roots = cgroups().ok()?;
        for folder in roots.iter().flat_map(|root| below(root)) {
            // Its last process is ending; tried again.
            let _ = fs::remove_dir(folder);
        }
        cgroups().ok()?.is_empty().then_some(())
    })
}
