//! The cgroup of a pod in every hierarchy, as the kubelet makes it before the pod.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;

use crate::cgroup::remove_empty_parents;
use crate::command::eventually;

/// A cgroup of one path in all hierarchies; when dropped, it is removed with its parents, as far as these are empty.
#[derive(Debug)]
pub struct PodCgroup {
    path: String,
    /// Root of each hierarchy.
    roots: Vec<PathBuf>,
}

impl PodCgroup {
    /// Makes the cgroup at this path within the hierarchies.
    pub fn make(path: &str) -> anyhow::Result<Self> {
        let mounts = fs::read_to_string("/proc/self/mounts").context("cannot read the mounts")?;
        let roots = mounts.lines().filter_map(|line| {
            let mut words = line.split(' ').skip(1);
            let (root, kind) = (words.next()?, words.next()?);
            matches!(kind, "cgroup" | "cgroup2").then(|| PathBuf::from(root))
        });
        let cgroup = Self { path: path.to_owned(), roots: roots.collect() };
        for root in &cgroup.roots {
            let folder = root.join(path);
            fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
            fill_cpusets(root, path)?;
        }
        Ok(cgroup)
    }

    /// Its path, with a leading slash.
    pub fn path(&self) -> String {
        format!("/{}", self.path)
    }
}

/// Gives the cgroups of v1's controller `cpuset` the CPUs and memory of their parents: without them no process can enter.
fn fill_cpusets(root: &Path, path: &str) -> anyhow::Result<()> {
    let mut parent = root.to_path_buf();
    for part in Path::new(path) {
        let child = parent.join(part);
        for name in ["cpuset.cpus", "cpuset.mems"] {
            let is_empty = |text: String| text.trim().is_empty();
            if root.join("tasks").exists() && fs::read_to_string(child.join(name)).is_ok_and(is_empty) {
                fs::write(child.join(name), fs::read_to_string(parent.join(name))?)?;
            }
        }
        parent = child;
    }
    Ok(())
}

impl Drop for PodCgroup {
    fn drop(&mut self) {
        for root in &self.roots {
            let folder = root.join(&self.path);
            // The runtime removes the containers' cgroups after their end.
            let _ = eventually("the pod's cgroup is gone", Duration::from_secs(10), || {
                (!folder.exists() || fs::remove_dir(&folder).is_ok()).then_some(())
            });
            remove_empty_parents(&folder, root);
        }
    }
}
