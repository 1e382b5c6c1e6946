//! Maps cgroups to workloads, and workloads to the names that users know.
//!
//! The directory gets cgroups from the kernel's events and from walks, names and images from container engines, and the names of Kubernetes
//! from any source that has them. No IO. A name may become known later; until then a workload has the name that its path gives, and a
//! cgroup of unknown path its number.
//!
//! **Bounded:** by [`ROOM`] cgroups that exist, and [`ROOM_REMOVED`] that were removed; names by the limits of `engines` and `pods`.

mod engines;
mod overhead;
mod pods;
mod reported;

mod undescribed;

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::Arc;

use crate::identity::cgroup_path::{self, CgroupIdentity};
use crate::identity::directory::engines::{kind_by_engine, with_facts};
use crate::identity::directory::pods::{PodPlace, Pods};
use crate::model::cpu::CgroupId;
use crate::model::workload::{Details, Identity, Pseudo, WorkloadId, WorkloadKind};

pub use engines::ContainerFacts;
pub use overhead::ChargedTo;

/// Most existing cgroups: as many as the accounting map has entries by default. Tests fill it: Miri has fewer.
const ROOM: usize = if cfg!(miri) { 256 } else { 16_384 };

/// Most removed cgroups that are still mapped to their workloads. The one that was removed first is dropped first.
const ROOM_REMOVED: usize = if cfg!(miri) { 64 } else { 4096 };

#[derive(Debug)]
struct CgroupEntry {
    workload: WorkloadId,
    /// `None` for a cgroup that is known by its number only.
    path: Option<Arc<str>>,
    removed: bool,
}

#[derive(Debug)]
struct WorkloadEntry {
    identity: Identity,
    root: Arc<str>,
    container: Option<String>,
    /// Its place in a Kubernetes pod.
    place: Option<PodPlace>,
    /// The oldest cgroup at its root.
    first: Option<CgroupId>,
    /// Number of existing cgroups.
    living: usize,
    /// All its known cgroups, removed ones included.
    cgroups: HashSet<CgroupId>,
}

/// All known cgroups, workloads and containers.
#[derive(Debug)]
pub struct Directory {
    cgroups: HashMap<CgroupId, CgroupEntry>,
    workloads: HashMap<WorkloadId, WorkloadEntry>,
    by_root: HashMap<Arc<str>, WorkloadId>,
    by_container: HashMap<String, WorkloadId>,
    containers: HashMap<String, ContainerFacts>,
    pods: Pods,
    /// Kinds and short ids in use: with those two, every workload has series of its own.
    labels: HashSet<(WorkloadKind, Arc<str>)>,
    /// Removed cgroups, the first one first. Some may exist again, or may have been dropped.
    removed: VecDeque<CgroupId>,
    /// Number of existing cgroups.
    living: usize,
    evicted: u64,
    next: u32,
}

/// Result of adding a cgroup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// The workload of the cgroup.
    pub workload: WorkloadId,
    /// Whether the workload is shown before it has used CPU time: containers are, in Kubernetes when their names are known.
    pub is_shown: bool,
}

impl Default for Directory {
    fn default() -> Self {
        Self {
            cgroups: HashMap::new(),
            workloads: HashMap::new(),
            by_root: HashMap::new(),
            by_container: HashMap::new(),
            containers: HashMap::new(),
            pods: Pods::default(),
            labels: HashSet::new(),
            removed: VecDeque::new(),
            living: 0,
            evicted: 0,
            next: Pseudo::ALL.len() as u32,
        }
    }
}

impl Directory {
    /// Adds a cgroup that exists.
    pub fn cgroup_made(&mut self, id: CgroupId, path: &str) -> Known {
        if let Some(workload) = self.living_at(id, path) {
            return Known { workload, is_shown: self.is_shown_unused(workload) };
        }
        // The inode number is used again, or the cgroup has moved: the former entry has ended.
        self.forget(id);
        let found = cgroup_path::identify(path);
        let workload = if found.root == "/" { Pseudo::System.id() } else { self.workload_for(&found) };
        if let Some(entry) = self.workloads.get_mut(&workload) {
            entry.living += 1;
            if *entry.root == *path {
                entry.first = Some(pods::first(entry.first, id));
            }
        }
        self.living += 1;
        let root = self.workloads.get(&workload).map(|entry| &entry.root).filter(|root| ***root == *path);
        let path = root.map_or_else(|| path.into(), Arc::clone);
        self.enter(id, CgroupEntry { workload, path: Some(path), removed: false });
        self.made_in_pod(workload);
        Known { workload, is_shown: self.is_shown_unused(workload) }
    }

    /// Marks a cgroup as removed. Returns its workload when that was the last cgroup of it.
    ///
    /// The cgroup stays mapped, because the CPU time of its last tasks may be read later.
    pub fn cgroup_removed(&mut self, id: CgroupId) -> Option<WorkloadId> {
        let entry = self.cgroups.get_mut(&id).filter(|entry| !entry.removed)?;
        entry.removed = true;
        let workload = entry.workload;
        self.living -= 1;
        self.note_removed(id);
        let entry = self.workloads.get_mut(&workload)?;
        entry.living = entry.living.saturating_sub(1);
        (entry.living == 0).then_some(workload)
    }

    /// Cgroups that are marked as existing but are not in this walk.
    pub fn missing_from(&self, walk: &BTreeMap<CgroupId, String>) -> Vec<(CgroupId, Arc<str>)> {
        let living = self.cgroups.iter().filter(|(id, entry)| !entry.removed && !walk.contains_key(id));
        living.filter_map(|(id, entry)| Some((*id, Arc::clone(entry.path.as_ref()?)))).collect()
    }

    /// The workload of an existing cgroup at this path.
    pub fn living_at(&self, id: CgroupId, path: &str) -> Option<WorkloadId> {
        let entry = self.cgroups.get(&id).filter(|entry| !entry.removed)?;
        (entry.path.as_deref() == Some(path)).then_some(entry.workload)
    }

    /// The workload of a known cgroup, strangers included.
    pub fn workload_of(&self, id: CgroupId) -> Option<WorkloadId> {
        self.cgroups.get(&id).map(|entry| entry.workload)
    }

    /// The path of a cgroup, unless only its number is known.
    pub fn path(&self, id: CgroupId) -> Option<&str> {
        self.cgroups.get(&id)?.path.as_deref()
    }

    /// Whether only the number of a cgroup is known.
    pub fn is_unnamed(&self, id: CgroupId) -> bool {
        self.cgroups.get(&id).is_some_and(|entry| entry.path.is_none())
    }

    /// Whether a cgroup is removed, or only its number is known.
    pub fn is_removed(&self, id: CgroupId) -> bool {
        self.cgroups.get(&id).is_some_and(|entry| entry.removed)
    }

    /// Adds a cgroup of unknown path, which makes a workload by its number.
    pub fn add_unnamed(&mut self, id: CgroupId) -> WorkloadId {
        let name = format!("cgroup {}", id.0);
        let found = CgroupIdentity { root: name.clone(), name, ..cgroup_path::identify("/") };
        let workload = self.workload_for(&found);
        self.enter(id, CgroupEntry { workload, path: None, removed: true });
        self.note_removed(id);
        workload
    }

    /// Drops a cgroup, because its number is another's now. Returns its workload.
    pub fn forget(&mut self, id: CgroupId) -> Option<WorkloadId> {
        self.cgroup_removed(id);
        let workload = self.cgroups.remove(&id)?.workload;
        if let Some(entry) = self.workloads.get_mut(&workload) {
            entry.cgroups.remove(&id);
        }
        Some(workload)
    }

    /// Whether one more cgroup may be added. Cgroups without CPU time may take at most half of the room.
    pub fn has_room(&self, is_used: bool) -> bool {
        self.living < if is_used { ROOM } else { ROOM / 2 }
    }

    /// Whether a workload has an existing cgroup.
    pub fn is_living(&self, id: WorkloadId) -> bool {
        self.workloads.get(&id).is_some_and(|entry| entry.living > 0)
    }

    /// Number of removed cgroups that were dropped because there were too many.
    pub fn evicted(&self) -> u64 {
        self.evicted
    }

    /// Closes a workload: drops its removed cgroups, and the workload when none is left. Returns those cgroups.
    pub fn close(&mut self, workload: WorkloadId) -> Vec<CgroupId> {
        let Some(entry) = self.workloads.get_mut(&workload) else { return Vec::new() };
        let is_gone = |id: &CgroupId| self.cgroups.get(id).is_none_or(|entry| entry.removed);
        let closed: Vec<CgroupId> = entry.cgroups.extract_if(is_gone).collect();
        let over = entry.living == 0;
        for id in &closed {
            self.cgroups.remove(id);
        }
        if over && let Some(entry) = self.workloads.remove(&workload) {
            self.by_root.remove(&entry.root);
            self.labels.remove(&(entry.identity.kind, entry.identity.id));
            entry.container.and_then(|container| self.by_container.remove(&container));
            if let Some(place) = entry.place {
                self.leave_pod(workload, &place);
            }
        }
        closed
    }

    /// The identity of a workload.
    pub fn identity(&self, id: WorkloadId) -> Identity {
        match (id.pseudo(), self.known(id)) {
            (Some(pseudo), _) => Identity::pseudo(pseudo),
            (None, Some(identity)) => identity.clone(),
            // A dropped workload has no account and is shown nowhere; this keeps the function total.
            (None, None) => Identity::pseudo(Pseudo::Unattributed),
        }
    }

    /// The identity of a workload that has not been dropped and is no pseudo-workload.
    pub fn known(&self, id: WorkloadId) -> Option<&Identity> {
        self.workloads.get(&id).map(|entry| &entry.identity)
    }

    /// Workloads with an existing cgroup.
    pub fn living(&self) -> impl Iterator<Item = (WorkloadId, &Identity)> {
        self.workloads.iter().filter(|(_, entry)| entry.living > 0).map(|(id, entry)| (*id, &entry.identity))
    }

    /// Number of known cgroups.
    pub fn len(&self) -> usize {
        self.cgroups.len()
    }

    /// Whether no cgroup is known.
    pub fn is_empty(&self) -> bool {
        self.cgroups.is_empty()
    }

    fn workload_for(&mut self, found: &CgroupIdentity) -> WorkloadId {
        if let Some(id) = self.by_root.get(found.root.as_str()) {
            return *id;
        }
        let id = WorkloadId(self.next);
        self.next += 1;
        let root: Arc<str> = found.root.as_str().into();
        let details = Details {
            image: None,
            cgroup: Some(Arc::clone(&root)),
            runtime: found.runtime,
            pod_uid: found.pod.clone(),
            kubernetes: None,
            labels: BTreeMap::new(),
        };
        // Users who may make cgroups can give one a container's id. The container's was there first: its id is random.
        let container =
            found.container.clone().filter(|container| !self.by_container.contains_key(container));
        let facts = container.as_ref().and_then(|container| self.containers.get(container)).cloned();
        let kind = facts.as_ref().map_or(found.kind, |facts| kind_by_engine(found.kind, facts));
        let short = cgroup_path::short_id(found);
        let label = self.free_label(kind, &short);
        let name = if found.name == short { Arc::clone(&label) } else { found.name.as_str().into() };
        let mut identity = Identity { name, id: label, kind, details: Arc::new(details) };
        if let Some(facts) = &facts {
            identity = with_facts(&identity, facts);
        }
        if let Some(container) = &container {
            self.by_container.insert(container.clone(), id);
        }
        self.by_root.insert(Arc::clone(&root), id);
        let place = Self::place_for(found);
        let entry = WorkloadEntry {
            identity,
            root,
            container,
            place,
            first: None,
            living: 0,
            cgroups: HashSet::new(),
        };
        self.workloads.insert(id, entry);
        self.join_pod(id);
        id
    }

    /// The short id, with a number appended where another workload has it.
    fn free_label(&mut self, kind: WorkloadKind, short: &str) -> Arc<str> {
        let numbered = (2_u32..).map(|number| format!("{short}-{number}"));
        let mut labels = std::iter::once(short.to_owned()).chain(numbered).map(Arc::<str>::from);
        let free = labels.find(|label| !self.labels.contains(&(kind, Arc::clone(label))));
        let label = free.unwrap_or_else(|| short.into());
        self.labels.insert((kind, Arc::clone(&label)));
        label
    }

    fn enter(&mut self, id: CgroupId, entry: CgroupEntry) {
        if let Some(workload) = self.workloads.get_mut(&entry.workload) {
            workload.cgroups.insert(id);
        }
        self.cgroups.insert(id, entry);
    }

    fn note_removed(&mut self, id: CgroupId) {
        self.removed.push_back(id);
        while self.removed.len() > ROOM_REMOVED {
            let Some(first) = self.removed.pop_front() else { return };
            if self.cgroups.get(&first).is_some_and(|entry| entry.removed) {
                self.forget(first);
                self.evicted += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests;
