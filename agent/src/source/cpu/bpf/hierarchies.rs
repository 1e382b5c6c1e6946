//! Chooses the cgroup hierarchies by which the eBPF programs charge tasks: cgroup v2, one of cgroup v1, or both.

use agent_common::Hierarchies;

use crate::host::HostRoots;
use crate::source::SourceError;
use crate::source::cgroup_tree::{self, CgroupTree, Controller};
use crate::source::cpu::btf::KernelTypes;
use crate::source::identity::processes;

/// Mounted cgroup hierarchies of this host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct MountedHierarchies {
    is_unified: bool,
    /// The controller of cgroup v1, and the number of its hierarchy.
    legacy: Option<(Controller, u32)>,
}

impl MountedHierarchies {
    /// Finds the hierarchies. Where none is visible, tasks are charged by cgroup v2.
    pub(super) fn find(roots: &HostRoots) -> Self {
        let Ok(tree) = CgroupTree::find(roots) else { return Self { is_unified: true, legacy: None } };
        let controller = tree.controller().filter(|_| tree.has_kernels_legacy());
        let legacy = controller
            .and_then(|controller| Some((controller, processes::own_hierarchy(roots, controller)?)));
        Self { is_unified: tree.is_unified() || legacy.is_none(), legacy }
    }

    /// The controller's name in the kernel's types.
    pub(super) fn controller(self) -> Option<&'static str> {
        self.legacy.map(|(controller, _)| controller.enumerator())
    }

    /// Configuration of the programs, and their limitations. An error where they could not distinguish cgroups.
    pub(super) fn hierarchies(
        self,
        types: &KernelTypes,
    ) -> Result<(Hierarchies, Option<SourceError>), SourceError> {
        match self.legacy {
            Some((_, number)) if types.offsets.can_read_legacy() => {
                Ok((Hierarchies { unified: u32::from(self.is_unified), legacy: number }, None))
            }
            Some(_) if self.is_unified => {
                let why = "the kernel does not provide its types (BTF)";
                Ok((Hierarchies::UNIFIED, Some(cgroup_tree::legacy_is_not_followed(why))))
            }
            Some(_) => Err(SourceError::unavailable(
                "the host has cgroup v1 only, and the kernel does not provide its types (BTF), which \
                 eBPF programs need to see cgroups of v1",
                "boot with cgroup v2 (`systemd.unified_cgroup_hierarchy=1`), or a kernel with CONFIG_DEBUG_INFO_BTF; until then cgroups \
                 are polled",
            )),
            None => Ok((Hierarchies::UNIFIED, None)),
        }
    }
}

#[cfg(test)]
mod tests {
    use agent_common::KernelOffsets;

    use super::*;

    fn types(offset: u32) -> KernelTypes {
        let offsets = KernelOffsets {
            task_cgroups: offset,
            set_legacy: offset,
            css_cgroup: offset,
            cgroup_kn: offset,
            kernfs_id: offset,
            ..KernelOffsets::UNKNOWN
        };
        KernelTypes { offsets, typedef: None, function: None }
    }

    #[test]
    fn without_types_cgroup_v1_alone_is_a_failure_and_beside_v2_a_problem() {
        let both = MountedHierarchies { is_unified: true, legacy: Some((Controller::Cpuacct, 2)) };
        let legacy = MountedHierarchies { is_unified: false, ..both };
        let unified = MountedHierarchies { is_unified: true, legacy: None };
        let told = |followed: MountedHierarchies, types: &KernelTypes| {
            followed
                .hierarchies(types)
                .map(|(hierarchies, problem)| (hierarchies.unified, hierarchies.legacy, problem.is_some()))
                .ok()
        };
        let (known, unknown) = (types(8), KernelTypes::UNKNOWN);
        assert_eq!(told(both, &known), Some((1, 2, false)));
        assert_eq!(told(both, &unknown), Some((1, 0, true)));
        assert_eq!(told(legacy, &known), Some((0, 2, false)));
        assert_eq!(told(legacy, &unknown), None);
        assert_eq!(told(unified, &unknown), Some((1, 0, false)));
    }
}
