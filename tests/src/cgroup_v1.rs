//! A host on which cgroup v1 is mounted, alone or beside cgroup v2: a folder with mounts of the kernel's own hierarchies.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::Context;

use crate::cgroup;
use crate::command::{eventually, output};

/// The mounts; removed when dropped.
#[derive(Debug)]
pub struct Host {
    folder: PathBuf,
    mounts: Vec<PathBuf>,
}

impl Host {
    /// Mounts v1's `cpuacct` hierarchy, and beside it cgroup v2 on a hybrid host.
    pub fn mount(is_hybrid: bool) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir().context("cannot make a folder")?.keep();
        let mut host = Self { folder, mounts: Vec::new() };
        let options = controllers()?;
        host.add("cpuacct", &["-t", "cgroup", "-o", &options, "none"])?;
        if is_hybrid {
            host.add("unified", &["-t", "cgroup2", "none"])?;
        }
        Ok(host)
    }

    fn add(&mut self, name: &str, what: &[&str]) -> anyhow::Result<()> {
        let target = self.folder.join(name);
        fs::create_dir(&target).context("cannot make a mount point")?;
        output(Command::new("mount").args(what).arg(&target))?;
        self.mounts.push(target);
        Ok(())
    }

    /// The agent's flag for this host.
    pub fn flag(&self) -> String {
        format!("--path.cgroupfs={}", self.folder.display())
    }

    /// Makes a cgroup of cgroup v1.
    pub fn cgroup(&self, path: &str) -> anyhow::Result<LegacyCgroup> {
        let root = self.folder.join("cpuacct");
        let folder = root.join(path);
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        Ok(LegacyCgroup { root, folder })
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let is_gone = |target: &PathBuf| output(Command::new("umount").arg("--lazy").arg(target)).is_ok();
        // Cgroups below a mount that stays must not be removed.
        if self.mounts.iter().all(is_gone) {
            for target in &self.mounts {
                let _ = fs::remove_dir(target);
            }
            let _ = fs::remove_dir(&self.folder);
        }
    }
}

/// Controllers that are mounted together with `cpuacct` on this host, if that is mounted at all.
fn controllers() -> anyhow::Result<String> {
    let text = fs::read_to_string("/proc/self/cgroup").context("cannot read /proc/self/cgroup")?;
    let mut lines = text.lines().filter_map(|line| line.split(':').nth(1));
    let found = lines.find(|names| names.split(',').any(|name| name == "cpuacct"));
    Ok(found.unwrap_or("cpuacct").to_owned())
}

/// A cgroup of cgroup v1; it and its parents are removed when dropped.
#[derive(Debug)]
pub struct LegacyCgroup {
    root: PathBuf,
    folder: PathBuf,
}

impl LegacyCgroup {
    /// A command that runs inside, and inside a cgroup of cgroup v2 where one is given: its shell enters them first.
    pub fn command(&self, unified: Option<&cgroup::Cgroup>, program: &str) -> Command {
        let mut command = Command::new("/bin/sh");
        let enter = "echo $$ > \"$0\" && echo $$ > \"$1\" && shift && exec \"$@\"";
        let unified = unified
            .map_or(Path::new("/dev/null").to_owned(), |unified| unified.folder().join("cgroup.procs"));
        command.args(["-c", enter]).arg(self.folder.join("cgroup.procs")).arg(unified).arg(program);
        command.stdin(Stdio::null());
        command
    }

    /// CPU seconds by the kernel's own accounting.
    pub fn cpu_seconds(&self) -> anyhow::Result<f64> {
        let text =
            fs::read_to_string(self.folder.join("cpuacct.usage")).context("cannot read cpuacct.usage")?;
        let nanoseconds: u64 = text.trim().parse().context("cpuacct.usage is no number")?;
        Ok(Duration::from_nanos(nanoseconds).as_secs_f64())
    }
}

impl Drop for LegacyCgroup {
    fn drop(&mut self) {
        // The last process may not have ended completely.
        let _ = eventually("the cgroup is removed", Duration::from_secs(10), || {
            fs::remove_dir(&self.folder).is_ok().then_some(())
        });
        cgroup::remove_empty_parents(&self.folder, &self.root);
    }
}
