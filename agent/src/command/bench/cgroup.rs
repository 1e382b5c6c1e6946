//! Makes a cgroup for each scenario, so that an agent charges its energy separately.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::host::HostRoots;
use crate::source::cgroup_tree::CgroupTree;

/// The parent of all scenarios' cgroups.
pub(super) const PARENT: &str = "ffrtmp";

/// A cgroup that is removed when dropped.
#[derive(Debug)]
pub(super) struct Cgroup {
    folder: PathBuf,
    /// The workload's name in an agent.
    pub(super) workload: String,
}

impl Cgroup {
    /// Makes a cgroup; an error has the reason.
    pub(super) fn create(roots: &HostRoots, slug: &str) -> Result<Self, String> {
        let tree = CgroupTree::find(roots).map_err(|error| error.chain())?;
        let folder = tree.root().join(PARENT).join(slug);
        fs::create_dir_all(&folder).map_err(|error| format!("cannot make {}: {error}", folder.display()))?;
        Ok(Self { folder, workload: format!("{PARENT}/{slug}") })
    }

    /// The file by which a process moves into it.
    pub(super) fn processes(&self) -> PathBuf {
        self.folder.join("cgroup.procs")
    }

    /// Numbers of processes and threads in it at this moment (Documentation/admin-guide/cgroup-v2.rst of the kernel).
    pub(super) fn counts(&self) -> Option<(usize, usize)> {
        let lines = |file: PathBuf| fs::read_to_string(file).ok().map(|text| text.lines().count());
        Some((lines(self.processes())?, lines(self.folder.join("cgroup.threads"))?))
    }
}

impl Drop for Cgroup {
    #[expect(
        clippy::disallowed_methods,
        reason = "the kernel frees a cgroup a moment after the last process"
    )]
    fn drop(&mut self) {
        // A process that has just ended may still be in it.
        for _ in 0..50 {
            if fs::remove_dir(&self.folder).is_ok() || !self.folder.exists() {
                break;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        // Other benches may still have cgroups in the parent.
        let _ = self.folder.parent().map(Path::new).map(fs::remove_dir);
    }
}
