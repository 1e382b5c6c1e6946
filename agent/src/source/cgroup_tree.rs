//! Walks the cgroup hierarchy, and finds the files of a cgroup.

use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use agent_common::ROOT_CGROUP;

use crate::host::HostRoots;
use crate::model::cpu::{CgroupId, ProcessId};
use crate::source::identity::processes;
use crate::source::{SourceError, cgroup_namespace};

/// How the cgroup file system is laid out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CgroupTree {
    /// The hierarchy that says who is where: cgroup v2 where there is one, else v1's `cpuacct`.
    root: PathBuf,
    /// Whether `root` is cgroup v2; only there are the ids those of the eBPF program.
    unified: bool,
    /// The folder of v1's memory controller, on hosts that have one.
    v1_memory: Option<PathBuf>,
    /// Whether procfs shows the cgroups of processes by paths of another root: see [`cgroup_namespace`].
    is_namespaced: bool,
}

/// Files of v1's `cpuacct` controller, mounted alone or together with `cpu`.
const CPUACCT_FOLDERS: [&str; 3] = ["cpuacct", "cpu,cpuacct", "cpuacct,cpu"];

/// Deeper than any runtime nests; ends a walk into a loop of bind mounts.
const MAX_DEPTH: usize = 64;

/// Bytes of paths, and cgroups, at which a walk ends. Whoever may make cgroups can make millions of them.
const MAX_PATH_BYTES: usize = 8 << 20;
const MAX_CGROUPS: usize = 1 << 16;

/// The cgroups that a walk has found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Walk {
    /// Path in the hierarchy of each.
    pub cgroups: BTreeMap<CgroupId, String>,
    /// Whether these are all: one that is not among them is not there.
    pub is_whole: bool,
}

impl CgroupTree {
    /// Finds the hierarchy to use.
    pub fn find(roots: &HostRoots) -> Result<Self, SourceError> {
        let mount = &roots.cgroup;
        let is_namespaced = cgroup_namespace::is_private();
        let v1_memory = Some(mount.join("memory")).filter(|folder| folder.join("cgroup.procs").exists());
        for folder in [mount.clone(), mount.join("unified")] {
            if folder.join("cgroup.controllers").exists() {
                return Ok(Self { root: folder, unified: true, v1_memory, is_namespaced });
            }
        }
        for name in CPUACCT_FOLDERS {
            let folder = mount.join(name);
            if folder.join("cpuacct.usage").exists() {
                return Ok(Self { root: folder, unified: false, v1_memory, is_namespaced });
            }
        }
        Err(SourceError::unavailable(
            format!("no cgroup hierarchy at {}", mount.display()),
            "mount it (`mount -t cgroup2 none /sys/fs/cgroup`), or say where it is with --path.cgroupfs",
        ))
    }

    /// Whether the hierarchy is cgroup v2.
    pub fn is_unified(&self) -> bool {
        self.unified
    }

    /// The hierarchy's root folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// A file of a cgroup.
    pub fn file(&self, cgroup: &str, name: &str) -> PathBuf {
        self.root.join(cgroup.trim_start_matches('/')).join(name)
    }

    /// A file of a cgroup in v1's memory hierarchy.
    pub fn v1_memory_file(&self, cgroup: &str, name: &str) -> Option<PathBuf> {
        Some(self.v1_memory.as_ref()?.join(cgroup.trim_start_matches('/')).join(name))
    }

    /// The id of a cgroup: its directory's inode number.
    pub fn id(&self, cgroup: &str) -> io::Result<CgroupId> {
        Ok(CgroupId(fs::metadata(self.file(cgroup, ""))?.ino()))
    }

    /// The cgroup that a process is in, by procfs. In a cgroup namespace of its own the agent trusts a path only where the cgroup at that
    /// path lists the process.
    pub fn of_process(&self, roots: &HostRoots, process: ProcessId) -> Option<CgroupId> {
        let path = processes::cgroup_path(roots, process, self.unified)?;
        if self.is_namespaced && !self.lists(&path, process) {
            return None;
        }
        self.id(&path).ok()
    }

    fn lists(&self, cgroup: &str, process: ProcessId) -> bool {
        let text = fs::read_to_string(self.file(cgroup, "cgroup.procs")).unwrap_or_default();
        text.lines().any(|line| line.parse() == Ok(process.0))
    }

    /// Whether the agent is in a cgroup namespace of its own.
    pub fn is_namespaced(&self) -> bool {
        self.is_namespaced
    }

    /// What is missing where the agent sees only a part of the hierarchy.
    pub fn problem(&self) -> Option<SourceError> {
        let is_whole = self.id("/").ok() == Some(CgroupId(ROOT_CGROUP));
        (self.is_namespaced && !is_whole).then(|| cgroup_namespace::only_a_part(&self.root))
    }

    /// Every cgroup there is now, level by level: a crowd in some user's corner comes after the containers. Parents come before their
    /// children are looked at, so one that is removed meanwhile is merely missing.
    pub fn walk(&self) -> Result<Walk, SourceError> {
        let id = self
            .id("/")
            .map_err(|cause| SourceError::transient(format!("read {}", self.root.display()), cause))?;
        let mut walk = Walk { cgroups: BTreeMap::from([(id, "/".to_owned())]), is_whole: true };
        let mut queue = VecDeque::from([(String::new(), 0)]);
        let mut bytes = 0;
        while let Some((path, depth)) = queue.pop_front() {
            // One that is gone by now is merely missing.
            let Ok(entries) = fs::read_dir(self.file(&path, "")) else { continue };
            for entry in entries.flatten() {
                if !entry.file_type().is_ok_and(|kind| kind.is_dir()) || depth >= MAX_DEPTH {
                    continue;
                }
                let Ok(metadata) = entry.metadata() else { continue };
                let path = format!("{path}/{}", entry.file_name().to_string_lossy());
                bytes += path.len();
                if bytes > MAX_PATH_BYTES || walk.cgroups.len() >= MAX_CGROUPS {
                    return Ok(Walk { is_whole: false, ..walk });
                }
                // A cgroup without children has no more links than `.` and its name in the parent.
                if metadata.nlink() != 2 {
                    queue.push_back((path.clone(), depth + 1));
                }
                walk.cgroups.insert(CgroupId(metadata.ino()), path);
            }
        }
        Ok(walk)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[&str]) -> (tempfile::TempDir, HostRoots) {
        let root = tempfile::tempdir().unwrap();
        for file in files {
            let path = root.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let roots = HostRoots { cgroup: root.path().to_path_buf(), ..HostRoots::default() };
        (root, roots)
    }

    #[test]
    fn pure_hybrid_and_legacy_hosts() {
        let (pure, roots) = tree(&["cgroup.controllers"]);
        assert_eq!(CgroupTree::find(&roots).unwrap().root(), pure.path());
        let (hybrid, roots) =
            tree(&["unified/cgroup.controllers", "memory/cgroup.procs", "cpuacct/cpuacct.usage"]);
        let found = CgroupTree::find(&roots).unwrap();
        assert!(found.is_unified());
        assert_eq!(found.root(), hybrid.path().join("unified"));
        assert_eq!(found.v1_memory_file("/a", "x"), Some(hybrid.path().join("memory/a/x")));
        let (legacy, roots) = tree(&["cpu,cpuacct/cpuacct.usage"]);
        let found = CgroupTree::find(&roots).unwrap();
        assert!(!found.is_unified());
        assert_eq!(found.root(), legacy.path().join("cpu,cpuacct"));
    }

    #[test]
    fn in_a_cgroup_namespace_a_path_counts_only_where_the_cgroup_lists_the_process() {
        let (root, roots) = tree(&["cgroup.controllers", "proc/7/cgroup", "proc/8/cgroup"]);
        let roots = HostRoots { proc: root.path().join("proc"), ..roots };
        for (process, path) in [("7", "/agent"), ("8", "/../docker")] {
            fs::write(roots.proc.join(process).join("cgroup"), format!("0::{path}\n")).unwrap();
        }
        fs::create_dir(root.path().join("agent")).unwrap();
        fs::write(root.path().join("agent/cgroup.procs"), "70\n8\n").unwrap();
        let tree = CgroupTree { is_namespaced: false, ..CgroupTree::find(&roots).unwrap() };
        let agent = tree.id("/agent").unwrap();
        assert_eq!(tree.of_process(&roots, ProcessId(7)), Some(agent));
        assert_eq!(tree.problem().map(|problem| problem.chain()), None);
        let tree = CgroupTree { is_namespaced: true, ..tree };
        assert_eq!(tree.of_process(&roots, ProcessId(7)), None, "it is in another cgroup of that path");
        assert_eq!(tree.of_process(&roots, ProcessId(8)), None);
        fs::write(root.path().join("agent/cgroup.procs"), "70\n7\n").unwrap();
        assert_eq!(tree.of_process(&roots, ProcessId(7)), Some(agent));
        assert!(tree.problem().unwrap().chain().contains("only its own part"), "its root has another number");
    }

    #[test]
    fn no_hierarchy_says_how_to_get_one() {
        let (_root, roots) = tree(&[]);
        let SourceError::Unavailable { hint, .. } = CgroupTree::find(&roots).unwrap_err() else { panic!() };
        assert!(hint.contains("--path.cgroupfs"), "{hint}");
    }

    #[test]
    fn a_walk_finds_every_cgroup_by_its_inode() {
        let (_root, roots) = tree(&["cgroup.controllers", "a/b/cgroup.procs", "c/cgroup.procs"]);
        let tree = CgroupTree::find(&roots).unwrap();
        let Walk { cgroups: found, is_whole } = tree.walk().unwrap();
        let mut paths: Vec<&str> = found.values().map(String::as_str).collect();
        paths.sort_unstable();
        assert_eq!(paths, ["/", "/a", "/a/b", "/c"]);
        assert_eq!(found[&tree.id("/a/b").unwrap()], "/a/b");
        assert!(is_whole);
    }

    #[test]
    fn a_walk_through_a_crowd_ends_and_says_so() {
        let (root, roots) =
            tree(&["cgroup.controllers", "user/crowd/cgroup.procs", "system/docker/cgroup.procs"]);
        // Each path below is of 3 kB.
        let deep = (0..12).fold(root.path().join("user/crowd"), |deep, _| deep.join("d".repeat(250)));
        fs::create_dir_all(&deep).unwrap();
        for number in 0..3000 {
            fs::create_dir(deep.join(format!("{number}"))).unwrap();
        }
        let tree = CgroupTree::find(&roots).unwrap();
        let walk = tree.walk().unwrap();
        assert!(!walk.is_whole);
        assert!(walk.cgroups.values().map(String::len).sum::<usize>() <= MAX_PATH_BYTES);
        assert!(walk.cgroups.contains_key(&tree.id("/system/docker").unwrap()));
    }
}
