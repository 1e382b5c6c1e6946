//! What container engines report about containers: names, images and labels of their workloads.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::identity::cgroup_path;
use crate::identity::directory::Directory;
use crate::identity::kubernetes::ContainerName;
use crate::model::workload::{Details, Identity, WorkloadId, WorkloadKind};

/// What a container engine reports about a container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ContainerFacts {
    /// Kind of the containers of this engine.
    pub engine: Option<WorkloadKind>,
    /// Name of the container, without the leading slash.
    pub name: String,
    /// Image of the container, as the user named it.
    pub image: Option<String>,
    /// Labels that begin with `ffwatt.`, without that prefix.
    pub labels: BTreeMap<String, String>,
    /// Names in Kubernetes, where the kubelet made the container.
    pub kubernetes: Option<ContainerName>,
}

impl Directory {
    /// Adds a container that an engine has reported, by its full id.
    pub fn container_known(&mut self, id: &str, facts: ContainerFacts) {
        if let Some(workload) = self.by_container.get(id).copied() {
            self.take_kind(workload, &facts);
            if let Some(entry) = self.workloads.get_mut(&workload) {
                entry.identity = with_facts(&entry.identity, &facts);
            }
        }
        if let Some(name) = facts.kubernetes.clone() {
            self.container_in_pod(name);
        }
        self.containers.insert(id.to_owned(), facts);
    }

    /// Renames a container that an engine has renamed.
    pub fn container_renamed(&mut self, id: &str, name: &str) {
        if let Some(facts) = self.containers.get(id) {
            let facts = ContainerFacts { name: name.to_owned(), ..facts.clone() };
            self.container_known(id, facts);
        }
    }

    /// Removes a container that an engine has removed. Its workload keeps the name it had.
    pub fn container_removed(&mut self, id: &str) {
        if self.containers.remove(id).is_some_and(|facts| facts.kubernetes.is_some()) {
            self.container_gone(id);
        }
    }

    /// Sets the kind of a workload by its engine: the path may not show it.
    fn take_kind(&mut self, workload: WorkloadId, facts: &ContainerFacts) {
        let Some(entry) = self.workloads.get(&workload) else { return };
        let (before, short) =
            (entry.identity.clone(), cgroup_path::short_id(&cgroup_path::identify(&entry.root)));
        let kind = kind_by_engine(before.kind, facts);
        if kind == before.kind {
            return;
        }
        self.labels.remove(&(before.kind, Arc::clone(&before.id)));
        let id = self.free_label(kind, &short);
        let name = if before.name == before.id { Arc::clone(&id) } else { Arc::clone(&before.name) };
        if let Some(entry) = self.workloads.get_mut(&workload) {
            entry.identity = Identity { name, id, kind, ..before };
        }
    }
}

/// The kind of a container that an engine has listed. The kubelet's containers are Kubernetes' although Docker runs them: by their
/// labels and names.
pub(super) fn kind_by_engine(by_path: WorkloadKind, facts: &ContainerFacts) -> WorkloadKind {
    let is_told = by_path.is_of_engine();
    let is_made_by_kubelet = facts.kubernetes.is_some() || facts.name.starts_with("k8s_");
    let is_kubelets = by_path == WorkloadKind::Kubernetes && is_made_by_kubelet;
    facts.engine.filter(|_| !is_told && !is_kubelets).unwrap_or(by_path)
}

pub(super) fn with_facts(identity: &Identity, facts: &ContainerFacts) -> Identity {
    let runtime = match identity.details.runtime {
        // With the cgroupfs driver, the path of a kubelet's container does not show its runtime.
        runtime @ ("" | "kubelet") => facts.engine.map_or(runtime, WorkloadKind::name),
        runtime => runtime,
    };
    let details = Details {
        runtime,
        image: facts.image.as_deref().map(cgroup_path::bounded),
        labels: facts
            .labels
            .iter()
            .map(|(key, value)| (cgroup_path::bounded(key), label(key, value)))
            .collect(),
        ..Details::clone(&identity.details)
    };
    // Kubernetes' container names are the engine's own construction; users know the pod.
    let name = if identity.kind == WorkloadKind::Kubernetes || facts.name.is_empty() {
        Arc::clone(&identity.name)
    } else {
        cgroup_path::bounded(&facts.name).into()
    };
    Identity { name, details: Arc::new(details), ..identity.clone() }
}

/// A container's label, bounded, because a user may set any text: 100 kB would go into every scrape. Paths must stay whole.
fn label(key: &str, value: &str) -> String {
    const LONGEST_PATH: usize = 4096;
    match key {
        "reference" | "output" if value.len() <= LONGEST_PATH => value.to_owned(),
        _ => cgroup_path::bounded(value),
    }
}
