//! Makes and removes real cgroups on the running kernel.

use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;

use crate::command::eventually;

/// Folders of the cgroups that this process has made and not yet removed.
static HELD: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// The cgroup v2 hierarchy, on pure and on hybrid hosts.
pub fn root() -> anyhow::Result<PathBuf> {
    let candidates = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"].map(PathBuf::from);
    let found = candidates.into_iter().find(|folder| folder.join("cgroup.controllers").exists());
    found.context("no cgroup v2 hierarchy is mounted")
}

/// CPU time of the cgroup in this folder.
pub fn cpu_stat(folder: &Path) -> anyhow::Result<Duration> {
    let text = fs::read_to_string(folder.join("cpu.stat")).context("cannot read cpu.stat")?;
    let line =
        text.lines().find_map(|line| line.strip_prefix("usage_usec ")).context("cpu.stat has no usage")?;
    Ok(Duration::from_micros(line.trim().parse()?))
}

/// A cgroup; when dropped, its processes are killed, and it is removed with its parents, as far as these are empty.
#[derive(Debug)]
pub struct Cgroup {
    folder: PathBuf,
    /// Its path within the hierarchy.
    pub path: String,
}

impl Cgroup {
    /// Makes a cgroup at this path within the hierarchy.
    pub fn make(path: &str) -> anyhow::Result<Self> {
        let folder = root()?.join(path.trim_start_matches('/'));
        HELD.lock().unwrap_or_else(PoisonError::into_inner).insert(folder.clone());
        // Another process may remove an empty parent at the same time.
        let made = eventually("the cgroup is made", Duration::from_secs(10), || {
            let made = fs::create_dir_all(&folder);
            (!made.as_ref().is_err_and(|error| error.kind() == ErrorKind::NotFound)).then_some(made)
        })?;
        made.with_context(|| format!("cannot make the cgroup {}", folder.display()))?;
        Ok(Self { folder, path: format!("/{}", path.trim_start_matches('/')) })
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// A command that runs inside: its shell enters the cgroup first, so that all its CPU time is the cgroup's.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new("/bin/sh");
        let enter = "echo $$ > \"$0\" && exec \"$@\"";
        command.args(["-c", enter]).arg(self.folder.join("cgroup.procs")).arg(program).stdin(Stdio::null());
        command
    }

    /// A command that keeps one CPU busy inside, for this many seconds.
    pub fn burn(&self, seconds: f64) -> Command {
        let mut command = self.command("timeout");
        command.args([&seconds.to_string(), "sh", "-c", "while :; do :; done"]);
        command
    }

    /// CPU time of the cgroup by the kernel's own accounting.
    pub fn cpu_stat(&self) -> anyhow::Result<Duration> {
        cpu_stat(&self.folder)
    }

    /// Removes the cgroup, after its last processes have ended.
    pub fn remove(self) -> anyhow::Result<()> {
        remove(&self.folder)
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        // Removed already, or it cannot be removed.
        let _ = remove(&self.folder);
    }
}

fn remove(folder: &Path) -> anyhow::Result<()> {
    eventually("the cgroup is removed", Duration::from_secs(10), || {
        if !folder.exists() {
            return Some(());
        }
        clear(folder);
        fs::remove_dir(folder).ok()
    })?;
    HELD.lock().unwrap_or_else(PoisonError::into_inner).remove(folder);
    remove_empty_parents(folder, &root()?);
    Ok(())
}

/// Removes the parents of a cgroup, the nearest first, up to one that is not empty or that this process made for itself.
pub fn remove_empty_parents(folder: &Path, root: &Path) {
    let held = HELD.lock().unwrap_or_else(PoisonError::into_inner);
    for parent in folder.ancestors().skip(1).take_while(|parent| *parent != root) {
        if held.contains(parent) || fs::remove_dir(parent).is_err() {
            break;
        }
    }
}

/// Parents of containers' cgroups: an engine makes them, in each hierarchy, and leaves them behind. Removed when dropped.
#[derive(Debug)]
pub struct ContainerParents<'a>(pub &'a [&'a str]);

impl Drop for ContainerParents<'_> {
    fn drop(&mut self) {
        let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
        let own = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        // An engine may resolve a relative path from its own cgroup.
        let own = own.lines().filter_map(|line| line.rsplit_once(":/").map(|(_, path)| path));
        let bases: BTreeSet<&str> = own.chain([""]).collect();
        let roots = mounts.lines().filter_map(|line| {
            let mut words = line.split(' ').skip(1);
            let (root, kind) = (words.next()?, words.next()?);
            matches!(kind, "cgroup" | "cgroup2").then_some(Path::new(root))
        });
        for root in roots {
            for (base, parent) in
                bases.iter().flat_map(|base| self.0.iter().map(move |parent| (base, parent)))
            {
                let folder = root.join(base).join(parent);
                // The engine removes the container's own cgroup after its end.
                let _ = eventually("the containers' cgroups are gone", Duration::from_secs(10), || {
                    (!folder.exists() || fs::remove_dir(&folder).is_ok()).then_some(())
                });
                remove_empty_parents(&folder, &root.join(base));
            }
        }
    }
}

/// Ends the processes of a cgroup, and removes the cgroups in it: those that a test that failed has not removed.
fn clear(folder: &Path) {
    kill_all(folder);
    let children = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    for child in children.filter(|path| path.is_dir()) {
        clear(&child);
        // It may still have processes that end.
        let _ = fs::remove_dir(child);
    }
}

fn kill_all(folder: &Path) {
    for pid in fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default().lines() {
        let pid = pid.parse().ok().and_then(rustix::process::Pid::from_raw);
        if let Some(pid) = pid {
            // The process may have ended already.
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
    }
}

/// Waits for a child and checks that it succeeded.
pub fn finish(mut child: Child) -> anyhow::Result<()> {
    let status = child.wait().context("cannot wait for a child")?;
    anyhow::ensure!(status.success(), "a child ended with {status}");
    Ok(())
}
