//! Names of Kubernetes containers, from the reports of sources of names.
//!
//! The kubelet's folder of a pod exists before the pod's cgroups, its link of a container exists shortly after the container's
//! cgroup, and both may arrive here in any order. A container has its name when the cgroup's path and the report agree on the pod's uid,
//! and the report and the pod's own names agree on namespace and pod. The first name stays, also after its file was removed.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use crate::identity::cgroup_path::{self, CgroupIdentity};
use crate::identity::directory::reported::Reported;
use crate::identity::directory::{Directory, WorkloadEntry};
use crate::identity::kubernetes::{ContainerName, NameReport, PodName};
use crate::model::cpu::CgroupId;
use crate::model::workload::{Details, Identity, KubernetesNames, WorkloadId, WorkloadKind};
use crate::time::MonoTime;

/// Digits of an id that distinguish the containers of one pod.
const SURE_DIGITS: usize = 6;

/// Most names with a part of an id in one pod.
const ROOM_CUT: usize = 64;

/// All that is known of pods.
#[derive(Debug, Default)]
pub(super) struct Pods {
    /// By uid.
    pub(super) names: Reported<PodName>,
    /// By full id.
    containers: Reported<ContainerName>,
    /// Names of containers whose id is not known as a whole, by the pod's uid.
    cut: Reported<Vec<ContainerName>>,
    /// Workloads, by the pod's uid.
    pub(super) members: HashMap<String, Members>,
    /// Containers that have been named since the last call of [`Directory::take_named`].
    named: Vec<WorkloadId>,
    /// Uids of pods that have come since the last call of [`Directory::take_unknown_pods`].
    new: BTreeSet<String>,
    /// Uids of pods in which an encoder has begun in a container without a name, since the last call of [`Directory::take_beginning`].
    pub(super) beginning: BTreeSet<Arc<str>>,
    /// Full ids of containers that have come since the last call of [`Directory::take_undescribed`].
    undescribed: Vec<String>,
    pub(super) names_all: bool,
}

/// Workloads of one pod.
#[derive(Debug, Default)]
pub(super) struct Members {
    /// The workload of the pod's own cgroup: the first one, because a user may make a cgroup of that name elsewhere.
    pub(super) own: Option<WorkloadId>,
    pub(super) containers: BTreeSet<WorkloadId>,
}

/// The place of a workload in a pod.
#[derive(Debug)]
pub(super) struct PodPlace {
    pub(super) uid: String,
    /// The pod's own cgroup, not a container's.
    pub(super) is_own: bool,
    /// Whether the kubelet runs in a container itself.
    is_nested: bool,
    /// Time of the first charge without a name.
    pub(super) unnamed_since: Option<MonoTime>,
    /// Whether a container that stayed without a name is part of the overhead; `None` as long as the name may come.
    pub(super) is_overhead: Option<bool>,
}

impl Directory {
    /// Adds a report of a source of names.
    pub fn names_reported(&mut self, report: NameReport) {
        match report {
            NameReport::Pod(pod) => self.pod_known(pod),
            NameReport::Container(container) => self.container_in_pod(container),
            NameReport::PodGone { uid } => self.pod_gone(&uid),
            NameReport::ContainerGone { id } => self.container_gone(&id),
            NameReport::Begun { uid, containers } => self.begun(&uid, &containers),
            NameReport::NamesAll(names_all) => self.names_all(names_all),
        }
    }

    /// Adds a pod.
    pub fn pod_known(&mut self, pod: PodName) {
        let uid = Arc::clone(&pod.uid);
        if self.pods.names.tell(&uid, pod) {
            self.name_pod(&uid);
        }
    }

    /// Adds a container's name.
    pub fn container_in_pod(&mut self, container: ContainerName) {
        if container.has_whole_id() {
            let id = container.id.clone();
            if self.pods.containers.tell(&id, container)
                && let Some(workload) = self.by_container.get(&id).copied()
            {
                self.name_member(workload);
            }
            return;
        }
        let Some(uid) = container.uid.clone() else { return };
        self.pods.cut.tell(&uid, Vec::new());
        let Some(cut) = self.pods.cut.get_mut(&uid) else { return };
        cut.retain(|known| known.names != container.names);
        if cut.len() < ROOM_CUT {
            cut.push(container);
        }
        self.name_by_part(&uid);
    }

    /// Notes that a pod does not exist any more. Its workloads keep their names.
    pub fn pod_gone(&mut self, uid: &str) {
        self.pods.names.gone(uid);
        self.pods.cut.gone(uid);
    }

    /// Notes that a container does not exist any more. Its workload keeps its name.
    pub fn container_gone(&mut self, id: &str) {
        self.pods.containers.gone(id);
    }

    /// Notes whether a source names every container soon after its start.
    pub fn names_all(&mut self, names_all: bool) {
        self.pods.names_all = names_all;
    }

    /// Uids of pods in which an encoder has begun in a container without a name since the last call.
    pub fn take_beginning(&mut self) -> BTreeSet<Arc<str>> {
        std::mem::take(&mut self.pods.beginning)
    }

    /// Names the container of a pod in which an encoder has begun by the name without an id, where there is one of each.
    fn begun(&mut self, uid: &str, containers: &[ContainerName]) {
        let [name] = containers else { return };
        let encodes = |id: &WorkloadId| {
            self.place_of(*id).is_some_and(|(entry, place)| {
                place.is_overhead == Some(false)
                    && entry.identity.details.kubernetes.is_none()
                    && entry.living > 0
            })
        };
        let members = self.pods.members.get(uid);
        let mut encoding =
            members.into_iter().flat_map(|members| &members.containers).copied().filter(encodes);
        if let (Some(workload), None) = (encoding.next(), encoding.next())
            && is_agreed(name, uid, self.pods.names.get(uid))
        {
            self.give_names(workload, name.names.clone());
        }
    }

    /// Containers that have been named since the last call.
    pub fn take_named(&mut self) -> Vec<WorkloadId> {
        std::mem::take(&mut self.pods.named)
    }

    /// Whether a pod exists whose kubelet runs on this host, not in a container.
    pub fn has_pods(&self) -> bool {
        let all = self.pods.members.values().flat_map(|pod| pod.own.iter().chain(&pod.containers));
        let mut places = all.filter(|id| self.is_living(**id)).filter_map(|id| self.place_of(*id));
        places.any(|(_, place)| !place.is_nested)
    }

    /// Whether a pod that has come since the last call is unknown.
    pub fn take_unknown_pods(&mut self) -> bool {
        let new = std::mem::take(&mut self.pods.new);
        new.iter().any(|uid| self.pods.names.get(uid).is_none())
    }

    /// Full ids of the containers in pods that have come since the last call, and that no engine has described.
    pub fn take_undescribed(&mut self) -> Vec<String> {
        let mut new = std::mem::take(&mut self.pods.undescribed);
        new.retain(|id| !self.is_described(id));
        new
    }

    /// The place of a new workload in its pod.
    pub(super) fn place_for(found: &CgroupIdentity) -> Option<PodPlace> {
        let uid = found.pod.clone().filter(|_| found.kind == WorkloadKind::Kubernetes)?;
        let above = found.root.split_once("kubepods").map_or("", |(above, _)| above);
        let is_nested = cgroup_path::identify(above).kind.is_container();
        let is_own = found.container.is_none();
        Some(PodPlace { uid, is_own, is_nested, unnamed_since: None, is_overhead: None })
    }

    /// Adds a new workload to its pod, and names it where its names are known.
    pub(super) fn join_pod(&mut self, workload: WorkloadId) {
        let Some((_, place)) = self.place_of(workload) else { return };
        let (uid, is_own) = (place.uid.clone(), place.is_own);
        if !place.is_nested {
            let container = self.workloads.get(&workload).and_then(|entry| entry.container.clone());
            self.pods.new.insert(uid.clone());
            self.pods.undescribed.extend(container);
        }
        let members = self.pods.members.entry(uid).or_default();
        if is_own {
            members.own.get_or_insert(workload);
        } else {
            members.containers.insert(workload);
        }
        self.name_member(workload);
    }

    /// Removes a workload that is being dropped from its pod.
    pub(super) fn leave_pod(&mut self, workload: WorkloadId, place: &PodPlace) {
        let Some(members) = self.pods.members.get_mut(&place.uid) else { return };
        members.containers.remove(&workload);
        members.own.take_if(|own| *own == workload);
        if members.own.is_none() && members.containers.is_empty() {
            self.pods.members.remove(&place.uid);
        }
    }

    /// A workload of kind Kubernetes, with its place in the pod. An engine may know that a container is not the kubelet's.
    pub(super) fn place_of(&self, workload: WorkloadId) -> Option<(&WorkloadEntry, &PodPlace)> {
        let entry = self.workloads.get(&workload)?;
        let place = entry.place.as_ref().filter(|_| entry.identity.kind == WorkloadKind::Kubernetes)?;
        Some((entry, place))
    }

    /// Names all workloads of a pod.
    fn name_pod(&mut self, uid: &str) {
        let Some(members) = self.pods.members.get(uid) else { return };
        let all: Vec<WorkloadId> = members.own.iter().chain(&members.containers).copied().collect();
        for workload in all {
            self.name_member(workload);
        }
        self.name_by_part(uid);
    }

    /// Names a container whose cgroup has been made by a report that has only a part of its id.
    pub(super) fn made_in_pod(&mut self, workload: WorkloadId) {
        let Some((entry, place)) = self.place_of(workload) else { return };
        if entry.identity.details.kubernetes.is_none() && !place.is_own {
            let uid = place.uid.clone();
            self.name_by_part(&uid);
        }
    }

    /// Gives a workload its names in Kubernetes, where they are known and it has none.
    fn name_member(&mut self, workload: WorkloadId) {
        let Some((entry, place)) = self.place_of(workload) else { return };
        if entry.identity.details.kubernetes.is_some() {
            return;
        }
        let pod = self.pods.names.get(&place.uid);
        let members = self.pods.members.get(&place.uid);
        let names = match &entry.container {
            Some(id) => {
                let reported = self.pods.containers.get(id);
                reported.filter(|name| is_agreed(name, &place.uid, pod)).map(|name| name.names.clone())
            }
            // Another cgroup with the pod's uid is not the pod's.
            None if members.and_then(|members| members.own) != Some(workload) => None,
            None => pod.map(PodName::overhead),
        };
        if let Some(names) = names {
            self.give_names(workload, names);
        }
    }

    /// Names containers of a pod by reports that have only a part of the id, where one container alone can be meant.
    fn name_by_part(&mut self, uid: &str) {
        let Some(cut) = self.pods.cut.get(uid).filter(|cut| !cut.is_empty()) else { return };
        let pod = self.pods.names.get(uid);
        let agreed: Vec<ContainerName> =
            cut.iter().filter(|name| is_agreed(name, uid, pod)).cloned().collect();
        for name in agreed {
            let Some(workload) = self.meant_by(&name, uid) else { continue };
            self.give_names(workload, name.names.clone());
            if let Some(cut) = self.pods.cut.get_mut(uid) {
                cut.retain(|used| *used != name);
            }
        }
    }

    /// The one nameless container of a pod that a part of an id can mean. Few digits fit the sandbox, too: it is the oldest.
    fn meant_by(&self, name: &ContainerName, uid: &str) -> Option<WorkloadId> {
        let fits = |id: &WorkloadId| {
            let (entry, place) = self.place_of(*id)?;
            let is_meant = entry.container.as_ref()?.starts_with(&name.id)
                && entry.identity.details.kubernetes.is_none()
                && entry.living > 0
                && (name.id.len() >= SURE_DIGITS || !self.is_oldest(*id, place));
            is_meant.then_some(*id)
        };
        let mut meant = self.pods.members.get(uid)?.containers.iter().filter_map(fits);
        meant.next().filter(|_| meant.next().is_none())
    }

    fn give_names(&mut self, workload: WorkloadId, names: KubernetesNames) {
        let Some(entry) = self.workloads.get_mut(&workload) else { return };
        let name = names.to_string().into();
        let details =
            Details { kubernetes: Some(Arc::new(names)), ..Details::clone(&entry.identity.details) };
        entry.identity = Identity { name, details: Arc::new(details), ..entry.identity.clone() };
        self.pods.named.push(workload);
    }
}

#[cfg(test)]
impl Pods {
    pub(super) fn is_empty_of_workloads(&self) -> bool {
        self.members.is_empty()
    }
}

/// Whether a report is about a container of the pod with this uid.
fn is_agreed(name: &ContainerName, uid: &str, pod: Option<&PodName>) -> bool {
    name.uid.as_deref().is_none_or(|reported| reported == uid)
        && pod.map_or(name.uid.is_some(), |pod| pod.is_of(&name.names))
}

/// The older one of two cgroups of one path, in cgroup v2 and v1.
pub(super) fn first(known: Option<CgroupId>, id: CgroupId) -> CgroupId {
    known.map_or(id, |known| known.min(id))
}
