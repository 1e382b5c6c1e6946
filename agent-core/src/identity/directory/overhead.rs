//! The overhead of a Kubernetes pod: the workload that bears the charges of each container.
//!
//! The pod's own cgroup is one workload, `<namespace>/<pod>/POD`. CPU time of the sandbox is charged to it, too, and for
//! [`GRACE`] that of a container whose name is still to come: no link names the sandbox, and the link of a container comes when the
//! container has already used CPU time. After that, the oldest of the pod's containers is the sandbox, because a runtime starts it first;
//! any other is charged itself, under its id. A container with an encoder is charged itself at once: a question for its pod
//! ([`NameReport::Begun`]) finds its name before its link exists.
//!
//! A cgroup never changes its workload. [`Directory::charged_to`] decides at each charge which workload bears it, so that every charge has
//! one bearer and nothing moves afterwards. The sandbox keeps an entry of its own, which is never charged and therefore never shown.
//! Where no source names all containers ([`Directory::names_all`]), nothing tells the sandbox from others, and each is charged itself.
//!
//! [`NameReport::Begun`]: crate::identity::kubernetes::NameReport::Begun

use std::time::Duration;

use crate::identity::cgroup_path;
use crate::identity::directory::Directory;
use crate::identity::directory::pods::PodPlace;
use crate::model::workload::{KubernetesNames, WorkloadId};
use crate::time::MonoTime;

/// Time within which a container's name comes: the kubelet makes the link right after the start, which takes longer on a busy host.
pub(super) const GRACE: Duration = Duration::from_secs(5);

/// The bearer of a workload's charges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChargedTo {
    /// The workload itself.
    Itself,
    /// The overhead of the pod.
    Overhead(WorkloadId),
    /// The overhead of the pod, whose own cgroup is not in the directory. It has this path; the workload itself if there is none.
    OverheadAt(String),
}

impl Directory {
    /// Notes that an encoder runs in a container, which is therefore no sandbox. It is charged itself from now on, so where its name is
    /// still to come, its pod is one of [`Directory::take_beginning`].
    pub fn encodes(&mut self, workload: WorkloadId) {
        if let Some((entry, place)) = self.place_of(workload)
            && place.is_overhead.is_none()
            && entry.identity.details.kubernetes.is_none()
            && self.expects_name(place)
        {
            self.pods.beginning.insert(place.uid.as_str().into());
        }
        if let Some(place) = self.workloads.get_mut(&workload).and_then(|entry| entry.place.as_mut()) {
            place.is_overhead.get_or_insert(false);
        }
    }

    /// The bearer of a charge of this workload. `now` is the time of the charge.
    pub fn charged_to(&mut self, workload: WorkloadId, now: MonoTime) -> ChargedTo {
        let is_in_pod = self.place_of(workload).is_some();
        if !is_in_pod || (!self.is_undecided(workload, now) && !self.is_overhead(workload)) {
            return ChargedTo::Itself;
        }
        let Some((entry, place)) = self.place_of(workload) else { return ChargedTo::Itself };
        let own = self.pods.members.get(&place.uid).and_then(|members| members.own);
        match own.and_then(|own| Some((own, self.workloads.get(&own)?))) {
            Some((own, pod)) if is_within(&entry.root, &pod.root) => ChargedTo::Overhead(own),
            Some(_) => ChargedTo::Itself,
            None => {
                let parent = entry.root.rsplit_once('/').map_or("", |(parent, _)| parent);
                let pod = cgroup_path::identify(parent);
                let is_pods = pod.container.is_none() && pod.pod.as_deref() == Some(&place.uid);
                if is_pods && pod.root == parent {
                    ChargedTo::OverheadAt(pod.root)
                } else {
                    ChargedTo::Itself
                }
            }
        }
    }

    /// Whether a workload can bear idle energy: a pod's own cgroup has no tasks, and the sandbox does nothing but wait.
    pub fn bears_idle(&self, workload: WorkloadId) -> bool {
        let Some((entry, place)) = self.place_of(workload) else { return true };
        let is_nameless = entry.identity.details.kubernetes.is_none() && self.expects_name(place);
        !place.is_own && !is_nameless && !self.is_overhead(workload)
    }

    /// Whether a workload is shown before it has used CPU time: a container whose name is known.
    pub fn is_shown_unused(&self, workload: WorkloadId) -> bool {
        let Some(entry) = self.workloads.get(&workload) else { return false };
        match self.place_of(workload) {
            Some((_, place)) => {
                !place.is_own && entry.identity.details.kubernetes.is_some() && !self.is_overhead(workload)
            }
            None => entry.container.is_some() || entry.identity.kind.is_container(),
        }
    }

    fn expects_name(&self, place: &PodPlace) -> bool {
        let is_known = self.pods.names.get(&place.uid).is_some();
        !place.is_own && is_known && self.pods.names_all && place.is_overhead != Some(false)
    }

    /// Whether a container is known to be its pod's sandbox.
    fn is_overhead(&self, workload: WorkloadId) -> bool {
        self.place_of(workload).is_some_and(|(entry, place)| match &entry.identity.details.kubernetes {
            Some(names) => !place.is_own && *names.container == *KubernetesNames::OVERHEAD,
            None => place.is_overhead == Some(true),
        })
    }

    /// Whether the name of a container may still come. Decides what it is when the time for that is over.
    fn is_undecided(&mut self, workload: WorkloadId, now: MonoTime) -> bool {
        let Some((entry, place)) = self.place_of(workload) else { return false };
        let is_named = entry.identity.details.kubernetes.is_some();
        if is_named || place.is_overhead.is_some() || !self.expects_name(place) {
            return false;
        }
        let since = place.unnamed_since.unwrap_or(now);
        let is_over = now.since(since) >= GRACE;
        let is_oldest = is_over && self.is_oldest(workload, place);
        let Some(place) = self.workloads.get_mut(&workload).and_then(|entry| entry.place.as_mut()) else {
            return false;
        };
        place.unnamed_since = Some(since);
        if is_over {
            place.is_overhead = Some(is_oldest);
        }
        !is_over
    }

    /// Whether no other existing container of the pod is older. The kernel numbers cgroups in the order in which they are made.
    pub(super) fn is_oldest(&self, workload: WorkloadId, place: &PodPlace) -> bool {
        let age = |id: &WorkloadId| self.workloads.get(id).and_then(|entry| entry.first);
        let others = self.pods.members.get(&place.uid).into_iter().flat_map(|members| &members.containers);
        let others = others.filter(|id| **id != workload && self.is_living(**id));
        others.filter_map(age).all(|other| age(&workload).is_some_and(|own| own < other))
    }
}

/// Whether a container's cgroup is the pod's: in the pod's cgroup, or with the pod's slice in its own name.
fn is_within(container: &str, pod: &str) -> bool {
    let is_below = container.strip_prefix(pod).is_some_and(|below| below.starts_with('/'));
    let slice = container.rsplit('/').next().and_then(|name| name.split_once(':')).map(|(slice, _)| slice);
    is_below || (slice.is_some() && slice == pod.rsplit('/').next())
}
