//! Containers that no engine has described: what other sources report about them.

use crate::identity::directory::{ContainerFacts, Directory, WorkloadEntry, with_facts};
use crate::model::cpu::CgroupId;
use crate::model::workload::{WorkloadId, WorkloadKind};

impl Directory {
    /// Containers of this kind that exist and have no name, with their full ids.
    pub fn undescribed(&self, kind: WorkloadKind) -> impl Iterator<Item = (WorkloadId, &str)> {
        let is_undescribed = move |entry: &WorkloadEntry| {
            entry.living > 0 && entry.identity.kind == kind && entry.identity.name == entry.identity.id
        };
        self.workloads.iter().filter_map(move |(id, entry)| {
            let container = entry.container.as_deref().filter(|_| is_undescribed(entry))?;
            (!self.containers.contains_key(container)).then_some((*id, container))
        })
    }

    /// Whether an engine has described a container.
    pub fn is_described(&self, container: &str) -> bool {
        self.containers.contains_key(container)
    }

    /// Describes a container that no engine has described: the description ends with the workload. Returns whether there is one.
    pub fn describe(&mut self, container: &str, facts: &ContainerFacts) -> bool {
        let Some(workload) = self.by_container.get(container) else { return false };
        if !self.containers.contains_key(container)
            && let Some(entry) = self.workloads.get_mut(workload)
        {
            entry.identity = with_facts(&entry.identity, facts);
        }
        true
    }

    /// Existing cgroups of a workload whose paths are known.
    pub fn living_cgroups(&self, workload: WorkloadId) -> impl Iterator<Item = (CgroupId, &str)> {
        let cgroups = self.workloads.get(&workload).into_iter().flat_map(|entry| &entry.cgroups);
        cgroups.filter_map(|id| {
            let entry = self.cgroups.get(id).filter(|entry| !entry.removed)?;
            Some((*id, entry.path.as_deref()?))
        })
    }
}
