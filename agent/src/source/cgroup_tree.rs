//! Walks the cgroup hierarchy, and finds the files of a cgroup.

mod controller;

use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use agent_common::ROOT_CGROUP;
use agent_core::identity::cgroup_path;
use agent_core::model::cpu::{CgroupId, Hierarchy, ProcessId};

use crate::host::{HostRoots, KernelFileSystem};
use crate::source::SourceError;
use crate::source::cgroup_namespace::{self, NamespaceRoots};
use crate::source::identity::processes;

pub(crate) use controller::Controller;

/// Layout of the cgroup file systems.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CgroupTree {
    /// Cgroup v2, where it is mounted.
    unified: Option<PathBuf>,
    /// A hierarchy of cgroup v1, where one of [`Controller`] is mounted.
    legacy: Option<(Controller, PathBuf)>,
    /// The folder of v1's memory controller, on hosts that have one.
    v1_memory: Option<PathBuf>,
    /// Present where procfs shows the cgroups of processes by paths of another root: see [`cgroup_namespace`].
    namespace: Option<NamespaceRoots>,
}

/// Deeper than any runtime nests; ends a walk into a loop of bind mounts.
const MAX_DEPTH: usize = 64;

/// Bytes of paths, and number of cgroups, at which a walk ends. A user who may make cgroups can make millions of them.
const MAX_PATH_BYTES: usize = 8 << 20;
const MAX_CGROUPS: usize = 1 << 16;

/// Cgroups found by a walk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Walk {
    /// Path of each in its hierarchy.
    pub cgroups: BTreeMap<CgroupId, String>,
    /// Whether the walk is complete: a cgroup that it lacks does not exist.
    pub is_whole: bool,
}

impl CgroupTree {
    /// Finds the hierarchies to use: cgroup v2, and where it is not mounted in place of v1, one of cgroup v1 as well.
    pub(crate) fn find(roots: &HostRoots) -> Result<Self, SourceError> {
        let mount = &roots.cgroup;
        let v1_memory = Some(mount.join("memory")).filter(|folder| folder.join("cgroup.procs").exists());
        let is_unified = |folder: &PathBuf| folder.join("cgroup.controllers").exists();
        let unified = [mount.clone(), mount.join("unified")].into_iter().find(is_unified);
        let legacy = || {
            let found = |controller: Controller| Some((controller, controller.find(mount)?));
            Controller::ALL.into_iter().find_map(found)
        };
        let legacy = if unified.as_ref() == Some(mount) { None } else { legacy() };
        if unified.is_none() && legacy.is_none() {
            return Err(SourceError::unavailable(
                format!("no cgroup hierarchy at {}", mount.display()),
                "mount it (`mount -t cgroup2 none /sys/fs/cgroup`), or set its folder with \
                 --path.cgroupfs",
            ));
        }
        let mut tree = Self { unified, legacy, v1_memory, namespace: None };
        if cgroup_namespace::is_private() {
            tree.namespace = Some(NamespaceRoots::find(&tree, roots));
        }
        Ok(tree)
    }

    /// Whether cgroup v2 is mounted.
    pub(crate) fn is_unified(&self) -> bool {
        self.unified.is_some()
    }

    /// The controller of cgroup v1 by which tasks are charged, beside cgroup v2 or alone.
    pub(crate) fn controller(&self) -> Option<Controller> {
        self.legacy.as_ref().map(|(controller, _)| *controller)
    }

    /// The hierarchies, cgroup v2 first.
    pub(crate) fn hierarchies(&self) -> impl Iterator<Item = (Hierarchy, &Path)> {
        let unified = self.unified.as_deref().map(|folder| (Hierarchy::Unified, folder));
        let legacy = self.legacy.as_ref().map(|(_, folder)| (Hierarchy::Legacy, folder.as_path()));
        unified.into_iter().chain(legacy)
    }

    /// Whether the hierarchy of cgroup v1 is the kernel's, and not a fixture folder.
    pub(crate) fn has_kernels_legacy(&self) -> bool {
        self.root_of(Hierarchy::Legacy).is_some_and(|root| KernelFileSystem::CgroupV1.holds(root))
    }

    /// The root folder of the hierarchy for new cgroups: cgroup v2, if it is mounted.
    pub(crate) fn root(&self) -> &Path {
        self.hierarchies().next().map_or(Path::new(""), |(_, root)| root)
    }

    fn root_of(&self, wanted: Hierarchy) -> Option<&Path> {
        self.hierarchies().find(|(hierarchy, _)| *hierarchy == wanted).map(|(_, root)| root)
    }

    /// A file of a cgroup in one hierarchy.
    pub(crate) fn file_in(&self, hierarchy: Hierarchy, cgroup: &str, name: &str) -> Option<PathBuf> {
        Some(self.root_of(hierarchy)?.join(cgroup.trim_start_matches('/')).join(name))
    }

    /// A file of a cgroup, in the first hierarchy that has a cgroup of this path.
    pub(crate) fn file(&self, cgroup: &str, name: &str) -> PathBuf {
        let folder = |root: &Path| root.join(cgroup.trim_start_matches('/'));
        let is_there = |folder: &PathBuf| self.legacy.is_none() || folder.exists();
        let found = self.hierarchies().map(|(_, root)| folder(root)).find(is_there);
        found.unwrap_or_else(|| folder(self.root())).join(name)
    }

    /// A file of a cgroup in v1's memory hierarchy.
    pub(crate) fn v1_memory_file(&self, cgroup: &str, name: &str) -> Option<PathBuf> {
        Some(self.v1_memory.as_ref()?.join(cgroup.trim_start_matches('/')).join(name))
    }

    /// The id of a cgroup in the first hierarchy that has one of this path.
    pub(crate) fn id(&self, cgroup: &str) -> io::Result<CgroupId> {
        let mut ids = self.hierarchies().map(|(hierarchy, _)| self.id_in(hierarchy, cgroup));
        let first = ids.next().unwrap_or_else(|| Err(io::ErrorKind::NotFound.into()));
        first.or_else(|error| ids.find_map(Result::ok).ok_or(error))
    }

    /// The id of a cgroup in one hierarchy.
    pub(crate) fn id_in(&self, hierarchy: Hierarchy, cgroup: &str) -> io::Result<CgroupId> {
        let folder = self.file_in(hierarchy, cgroup, "").ok_or(io::ErrorKind::NotFound)?;
        fs::metadata(folder).map(|folder| id_of(hierarchy, folder.ino()))
    }

    /// Whether the cgroup with this id is at this path.
    pub(crate) fn is_at(&self, id: CgroupId, cgroup: &str) -> bool {
        self.id_in(id.hierarchy(), cgroup).is_ok_and(|found| found == id)
    }

    /// The cgroup of a process, by procfs. Of its cgroups in two hierarchies it is the one that identifies the process.
    pub(crate) fn of_process(&self, roots: &HostRoots, process: ProcessId) -> Option<CgroupId> {
        let path = |hierarchy| self.path_of(roots, process, hierarchy);
        let (hierarchy, path) = match (path(Hierarchy::Unified), path(Hierarchy::Legacy)) {
            (Some(unified), Some(legacy)) if cgroup_path::is_told_by_legacy(&unified, &legacy) => {
                (Hierarchy::Legacy, legacy)
            }
            (Some(unified), _) => (Hierarchy::Unified, unified),
            (None, legacy) => (Hierarchy::Legacy, legacy?),
        };
        self.id_in(hierarchy, &path).ok()
    }

    /// The path of a process's cgroup. In a private cgroup namespace the agent trusts a path only where the cgroup at that
    /// path lists the process.
    pub(crate) fn path_of(
        &self,
        roots: &HostRoots,
        process: ProcessId,
        hierarchy: Hierarchy,
    ) -> Option<String> {
        let path = self.procfs_path(roots, process, hierarchy)?;
        let Some(namespace) = &self.namespace else { return Some(path) };
        let whole = namespace.whole_path(hierarchy, &path);
        [Some(path), whole].into_iter().flatten().find(|path| self.lists(hierarchy, path, process))
    }

    /// The path of a process's cgroup, as procfs shows it.
    pub(crate) fn procfs_path(
        &self,
        roots: &HostRoots,
        process: ProcessId,
        hierarchy: Hierarchy,
    ) -> Option<String> {
        let controller = match hierarchy {
            Hierarchy::Unified => self.unified.as_ref().map(|_| None),
            Hierarchy::Legacy => self.controller().map(Some),
        };
        processes::cgroup_path(roots, process, controller?)
    }

    /// Whether a cgroup lists a process.
    pub(crate) fn lists(&self, hierarchy: Hierarchy, cgroup: &str, process: ProcessId) -> bool {
        let file = self.file_in(hierarchy, cgroup, "cgroup.procs");
        let text = file.and_then(|file| fs::read_to_string(file).ok()).unwrap_or_default();
        text.lines().any(|line| line.parse() == Ok(process.0))
    }

    /// Whether the agent is in a private cgroup namespace.
    pub(crate) fn is_namespaced(&self) -> bool {
        self.namespace.is_some()
    }

    /// Error where only a part of the hierarchy is visible.
    pub(crate) fn problem(&self) -> Option<SourceError> {
        let is_whole = self.id("/").is_ok_and(|id| id.inode() == ROOT_CGROUP);
        (self.is_namespaced() && !is_whole).then(|| cgroup_namespace::only_a_part(self.root()))
    }

    /// All existing cgroups, level by level, so that a crowd of cgroups below one user's comes after the containers. Parents are recorded
    /// before their children are read, so a cgroup that is removed meanwhile is merely missing.
    pub(crate) fn walk(&self) -> Result<Walk, SourceError> {
        let mut walk = Walk { cgroups: BTreeMap::new(), is_whole: true };
        let mut bytes = 0;
        for (hierarchy, root) in self.hierarchies() {
            let id = self
                .id_in(hierarchy, "/")
                .map_err(|cause| SourceError::transient(format!("read {}", root.display()), cause))?;
            walk.cgroups.insert(id, "/".to_owned());
            walk.is_whole &= walk_below(hierarchy, root, &mut walk.cgroups, &mut bytes);
        }
        Ok(walk)
    }
}

/// Adds the cgroups below a root. Returns whether these are all.
fn walk_below(
    hierarchy: Hierarchy,
    root: &Path,
    cgroups: &mut BTreeMap<CgroupId, String>,
    bytes: &mut usize,
) -> bool {
    let mut queue = VecDeque::from([(String::new(), 0)]);
    while let Some((path, depth)) = queue.pop_front() {
        // A cgroup that has been removed meanwhile is merely missing.
        let Ok(entries) = fs::read_dir(root.join(path.trim_start_matches('/'))) else { continue };
        for entry in entries.flatten() {
            if !entry.file_type().is_ok_and(|kind| kind.is_dir()) || depth >= MAX_DEPTH {
                continue;
            }
            let Ok(metadata) = entry.metadata() else { continue };
            let path = format!("{path}/{}", entry.file_name().to_string_lossy());
            *bytes += path.len();
            if *bytes > MAX_PATH_BYTES || cgroups.len() >= MAX_CGROUPS {
                return false;
            }
            // A cgroup without children has no links besides `.` and its name in the parent.
            if metadata.nlink() != 2 {
                queue.push_back((path.clone(), depth + 1));
            }
            cgroups.insert(id_of(hierarchy, metadata.ino()), path);
        }
    }
    true
}

/// Error on a host with both versions where CPU time is charged by cgroup v2 only.
pub(crate) fn legacy_is_not_followed(why: &str) -> SourceError {
    SourceError::unavailable(
        format!(
            "{why}: a container or job that has cgroups of cgroup v1 only is charged to the unit that started it"
        ),
        "boot with cgroup v2 alone (`systemd.unified_cgroup_hierarchy=1`)",
    )
}

fn id_of(hierarchy: Hierarchy, inode: u64) -> CgroupId {
    match hierarchy {
        Hierarchy::Unified => CgroupId(inode),
        Hierarchy::Legacy => CgroupId::legacy(inode),
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
        let folders = ["unified", "cpuacct"].map(|name| hybrid.path().join(name));
        assert_eq!(found.hierarchies().map(|(_, folder)| folder).collect::<Vec<_>>(), folders);
        assert_eq!(found.v1_memory_file("/a", "x"), Some(hybrid.path().join("memory/a/x")));
        let (legacy, roots) = tree(&["cpu,cpuacct/cpuacct.usage"]);
        let found = CgroupTree::find(&roots).unwrap();
        assert!(!found.is_unified() && found.controller() == Some(Controller::Cpuacct));
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
        let tree = CgroupTree { namespace: None, ..CgroupTree::find(&roots).unwrap() };
        let agent = tree.id("/agent").unwrap();
        assert_eq!(tree.of_process(&roots, ProcessId(7)), Some(agent));
        assert_eq!(tree.problem().map(|problem| problem.chain()), None);
        let tree = CgroupTree { namespace: Some(NamespaceRoots::default()), ..tree };
        assert_eq!(tree.of_process(&roots, ProcessId(7)), None, "it is in another cgroup of that path");
        assert_eq!(tree.of_process(&roots, ProcessId(8)), None);
        fs::write(root.path().join("agent/cgroup.procs"), "70\n7\n").unwrap();
        assert_eq!(tree.of_process(&roots, ProcessId(7)), Some(agent));
        assert!(
            tree.problem().unwrap().chain().contains("only a part of the hierarchy"),
            "its root has another number"
        );
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
