//! Names Podman's containers that no engine has described, by their conmon: at the start of an encoder, and at ticks.

use std::collections::{HashMap, HashSet};

use agent_core::identity::cgroup_path;
use agent_core::identity::directory::{ContainerFacts, Directory};
use agent_core::model::cpu::{CgroupId, ProcessId};
use agent_core::model::workload::{WorkloadId, WorkloadKind};

use crate::host::HostRoots;
use crate::pipeline::identity::Context;
use crate::source::cgroup_tree::CgroupTree;
use crate::source::identity::starter;

/// Most containers that are looked up in one tick. One takes about a tenth of a millisecond.
const AT_ONCE: usize = 32;

/// Most attempts for a container. The number of ticks between two attempts doubles: the last attempt is half an hour after the first one
/// at an interval of a second.
const ATTEMPTS: u32 = 12;

/// Most containers of encoders that are looked up between two ticks.
const ENCODERS: usize = 256;

/// Ticks within which a container of an encoder becomes a workload, by its first CPU time.
const EARLY_TICKS: u64 = 3;

/// Attempts to name containers.
#[derive(Debug, Default)]
pub(super) struct ConmonNames {
    tick: u64,
    attempts: HashMap<WorkloadId, Attempts>,
    /// Containers of encoders that have started since the last tick.
    looked_up: HashSet<String>,
    /// Names of those that are no workloads yet, with the tick. A container may end before the next tick.
    early: HashMap<String, (String, u64)>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Attempts {
    count: u32,
    /// Tick of the next attempt.
    due: u64,
}

impl ConmonNames {
    /// Looks up the name of the container in which an encoder has started.
    pub(super) fn started(
        &mut self,
        context: &Context<'_>,
        directory: &Directory,
        encoder: ProcessId,
        cgroup: (CgroupId, &str),
    ) {
        let found = cgroup_path::identify(cgroup.1);
        let Some(container) = found.container.filter(|_| found.kind == WorkloadKind::Podman) else { return };
        if directory.is_described(&container)
            || self.looked_up.len() >= ENCODERS
            || !self.looked_up.insert(container.clone())
        {
            return;
        }
        let name =
            context.tree.and_then(|tree| starter::name_by(context.roots, tree, &container, cgroup, encoder));
        self.early.extend(name.map(|name| (container, (name, self.tick))));
    }

    /// Names containers at a tick.
    pub(super) fn find(&mut self, roots: &HostRoots, tree: Option<&CgroupTree>, directory: &mut Directory) {
        self.tick += 1;
        self.looked_up.clear();
        self.early.retain(|container, (name, tick)| {
            let is_done = directory.describe(container, &facts(name.clone()));
            !is_done && *tick + EARLY_TICKS > self.tick
        });
        let Some(tree) = tree else { return };
        let mut before = std::mem::take(&mut self.attempts);
        let mut names = Vec::new();
        let mut room = AT_ONCE;
        for (workload, container) in directory.undescribed(WorkloadKind::Podman) {
            let mut attempts = before.remove(&workload).unwrap_or_default();
            if attempts.count < ATTEMPTS && attempts.due <= self.tick && room > 0 {
                room -= 1;
                attempts.due = self.tick + (1 << attempts.count);
                attempts.count += 1;
                let cgroups = directory.living_cgroups(workload);
                let name = starter::name(roots, tree, container, cgroups);
                names.extend(name.map(|name| (container.to_owned(), name)));
            }
            self.attempts.insert(workload, attempts);
        }
        for (container, name) in names {
            directory.describe(&container, &facts(name));
        }
    }
}

fn facts(name: String) -> ContainerFacts {
    ContainerFacts { engine: Some(WorkloadKind::Podman), name, ..ContainerFacts::default() }
}
