//! Names containers that no engine has described by the process that started them: at the start of an encoder, and at ticks.

use std::collections::{HashMap, HashSet};

use agent_core::identity::cgroup_path;
use agent_core::identity::directory::{ContainerFacts, Directory};
use agent_core::model::cpu::{CgroupId, ProcessId};
use agent_core::model::workload::WorkloadId;

use crate::host::HostRoots;
use crate::pipeline::identity::Context;
use crate::source::cgroup_tree::CgroupTree;
use crate::source::identity::starter::{self, KINDS};

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
pub(super) struct StarterNames {
    tick: u64,
    attempts: HashMap<WorkloadId, Attempts>,
    /// Containers of encoders that have started since the last tick.
    looked_up: HashSet<String>,
    /// Facts of those that are no workloads yet, with the tick. A container may end before the next tick.
    early: HashMap<String, (ContainerFacts, u64)>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Attempts {
    count: u32,
    /// Tick of the next attempt.
    due: u64,
}

impl StarterNames {
    /// Looks up the name of the container in which an encoder has started.
    pub(super) fn started(
        &mut self,
        context: &Context<'_>,
        directory: &Directory,
        encoder: ProcessId,
        cgroup: (CgroupId, &str),
    ) {
        let found = cgroup_path::identify(cgroup.1);
        let Some(container) = found.container.filter(|_| KINDS.contains(&found.kind)) else { return };
        if directory.is_described(&container)
            || self.looked_up.len() >= ENCODERS
            || !self.looked_up.insert(container.clone())
        {
            return;
        }
        let facts =
            context.tree.and_then(|tree| starter::facts_by(context.roots, tree, &container, cgroup, encoder));
        self.early.extend(facts.map(|facts| (container, (facts, self.tick))));
    }

    /// Names containers at a tick.
    pub(super) fn find(&mut self, roots: &HostRoots, tree: Option<&CgroupTree>, directory: &mut Directory) {
        self.tick += 1;
        self.looked_up.clear();
        self.early.retain(|container, (facts, tick)| {
            let is_done = directory.describe(container, facts);
            !is_done && *tick + EARLY_TICKS > self.tick
        });
        let Some(tree) = tree else { return };
        let mut before = std::mem::take(&mut self.attempts);
        let mut found = Vec::new();
        let mut room = AT_ONCE;
        for (workload, container) in KINDS.into_iter().flat_map(|kind| directory.undescribed(kind)) {
            let mut attempts = before.remove(&workload).unwrap_or_default();
            if attempts.count < ATTEMPTS && attempts.due <= self.tick && room > 0 {
                room -= 1;
                attempts.due = self.tick + (1 << attempts.count);
                attempts.count += 1;
                let cgroups = directory.living_cgroups(workload);
                let facts = starter::facts(roots, tree, container, cgroups);
                found.extend(facts.map(|facts| (container.to_owned(), facts)));
            }
            self.attempts.insert(workload, attempts);
        }
        for (container, facts) in found {
            directory.describe(&container, &facts);
        }
    }
}
