//! Finds processes that are in a cgroup of v1 and in one of v2, so that their CPU time is counted once.

use std::collections::{BTreeMap, HashMap};
use std::fs;

use agent_core::identity::cgroup_path;
use agent_core::model::cpu::{CgroupId, Hierarchy, ProcessId};
use agent_core::units::CpuTime;

use crate::host::HostRoots;
use crate::source::cgroup_tree::CgroupTree;

/// Processes of one cgroup that are tried, in case the first have ended meanwhile.
const LOOKS: usize = 8;

/// The last known cgroup of v2 for the processes of each cgroup of v1.
pub(super) struct BothHierarchies {
    roots: HostRoots,
    seen: HashMap<CgroupId, (CgroupId, String)>,
}

impl BothHierarchies {
    pub(super) fn new(roots: &HostRoots) -> Self {
        Self { roots: roots.clone(), seen: HashMap::new() }
    }

    /// Charges each CPU time to the one of the two cgroups of its processes that identifies them. `own` is the time of each cgroup
    /// without those below it.
    pub(super) fn merge(
        &mut self,
        tree: &CgroupTree,
        walk: &BTreeMap<CgroupId, String>,
        own: &mut HashMap<CgroupId, CpuTime>,
    ) {
        if !tree.is_unified() {
            return;
        }
        self.seen.retain(|id, _| walk.contains_key(id));
        for (id, path) in walk.iter().filter(|(id, _)| id.is_legacy()) {
            let used = own.get(id).copied().unwrap_or_default();
            if used == CpuTime::ZERO || path == "/" {
                continue;
            }
            self.look(tree, *id, path);
            let unified = self.seen.get(id);
            let beside = unified.map_or("/", |(_, path)| path.as_str());
            if !cgroup_path::is_told_by_legacy(beside, path) {
                own.remove(id);
            } else if let Some(shared) = unified.and_then(|(unified, _)| own.get_mut(unified)) {
                *shared = shared.saturating_sub(used);
            }
        }
    }

    /// Finds the present v2 cgroup of the processes of a cgroup of v1; without a process, the last one counts.
    fn look(&mut self, tree: &CgroupTree, id: CgroupId, path: &str) {
        let Some(file) = tree.file_in(Hierarchy::Legacy, path, "cgroup.procs") else { return };
        let text = fs::read_to_string(file).unwrap_or_default();
        let processes = text.lines().filter_map(|line| line.parse().ok()).map(ProcessId);
        let found = processes.take(LOOKS).find_map(|process| {
            let path = tree.path_of(&self.roots, process, Hierarchy::Unified)?;
            Some((tree.id_in(Hierarchy::Unified, &path).ok()?, path))
        });
        self.seen.extend(found.map(|found| (id, found)));
    }
}
