//! Detects what the agent cannot see because it runs in a private cgroup namespace (`cgroup_namespaces(7)`).
//!
//! In such a namespace procfs shows the cgroups of processes by paths that begin at the agent's own cgroup. The ids under which the kernel
//! charges CPU time are the same everywhere.

use std::fs;
use std::path::Path;

use agent_core::identity::cgroup_path;
use agent_core::model::cpu::Hierarchy;

use crate::host::HostRoots;
use crate::source::SourceError;
use crate::source::cgroup_tree::CgroupTree;
use crate::source::identity::processes;

/// The initial cgroup namespace of the kernel (`PROC_CGROUP_INIT_INO`, unchanged since 4.6).
const FIRST: &str = "cgroup:[4026531835]";

/// The whole paths of the namespace's roots, where they are visible.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct NamespaceRoots {
    unified: Option<String>,
    legacy: Option<String>,
}

impl NamespaceRoots {
    /// Searches for the cgroup that lists the agent: it is at the root of the namespace, or below it by the path in procfs.
    pub(crate) fn find(tree: &CgroupTree, roots: &HostRoots) -> Self {
        let Some(own) = processes::own(roots) else { return Self::default() };
        let Ok(walk) = tree.walk() else { return Self::default() };
        let root = |hierarchy| {
            let inner = tree.procfs_path(roots, own, hierarchy)?;
            let mut cgroups = walk.cgroups.iter().filter(|(id, _)| id.hierarchy() == hierarchy);
            let (_, whole) = cgroups.find(|(_, path)| tree.lists(hierarchy, path, own))?;
            Some(whole.strip_suffix(inner.trim_end_matches('/'))?.to_owned())
        };
        Self { unified: root(Hierarchy::Unified), legacy: root(Hierarchy::Legacy) }
    }

    /// The whole path of a cgroup that procfs shows by a path from the namespace's root; outside of the namespace it begins with `..`.
    pub(crate) fn whole_path(&self, hierarchy: Hierarchy, path: &str) -> Option<String> {
        let root = match hierarchy {
            Hierarchy::Unified => self.unified.as_deref(),
            Hierarchy::Legacy => self.legacy.as_deref(),
        };
        Some(cgroup_path::normalised(&format!("{}{path}", root?)))
    }
}

/// How to give the agent the host's cgroup namespace.
pub(crate) const FIX: &str =
    "run the agent in the host's cgroup namespace (`docker run --cgroupns=host`, `cgroup: host` in compose)";

/// Whether the agent is in a private cgroup namespace. The paths in procfs depend on the reader, whatever procfs it reads.
pub(crate) fn is_private() -> bool {
    names_another(fs::read_link(HostRoots::default().own_process("ns/cgroup")).ok().as_deref())
}

/// A kernel without such namespaces has no link.
fn names_another(link: Option<&Path>) -> bool {
    link.is_some_and(|link| link != Path::new(FIRST))
}

/// Consequence where the hierarchy is mounted whole.
pub(crate) const NOTE: &str = "the agent runs in its own cgroup namespace, where procfs shows other \
    cgroup paths. The agent searches the hierarchy for each encoder; an encoder that is not found \
    appears after its first CPU time with eBPF, and never with polling";

/// Error where only a part of the hierarchy is visible.
pub(crate) fn only_a_part(root: &Path) -> SourceError {
    SourceError::unavailable(
        format!(
            "the agent runs in its own cgroup namespace, and {} is only a part of the hierarchy: \
             workloads that already run have numbers instead of names",
            root.display()
        ),
        FIX,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_namespace_is_told_from_others() {
        for (link, expected) in [(Some(FIRST), false), (Some("cgroup:[4026532207]"), true), (None, false)] {
            assert_eq!(names_another(link.map(Path::new)), expected, "{link:?}");
        }
    }
}
