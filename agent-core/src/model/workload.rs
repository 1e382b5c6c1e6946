//! Identity of a workload: containers, units and the pseudo-workloads.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::text::joined;

/// Kind of a workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WorkloadKind {
    /// A Docker container.
    Docker,
    /// A Podman container.
    Podman,
    /// A containerd container outside Kubernetes.
    Containerd,
    /// A CRI-O container outside Kubernetes.
    Crio,
    /// A container of a Kubernetes pod.
    Kubernetes,
    /// A systemd unit.
    Systemd,
    /// A cgroup of another origin.
    Cgroup,
    /// No cgroup: see [`Pseudo`].
    Pseudo,
}

impl WorkloadKind {
    /// As the `kind` label.
    pub fn name(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Podman => "podman",
            Self::Containerd => "containerd",
            Self::Crio => "crio",
            Self::Kubernetes => "kubernetes",
            Self::Systemd => "systemd",
            Self::Cgroup => "cgroup",
            Self::Pseudo => "pseudo",
        }
    }

    /// Kinds of containers that an engine lists, with names, images and labels. Each is the engine's name, too.
    pub const ENGINES: [Self; 2] = [Self::Docker, Self::Podman];

    /// Whether an engine lists it.
    pub fn is_of_engine(self) -> bool {
        Self::ENGINES.contains(&self)
    }

    /// Whether it is a container of any runtime.
    pub fn is_container(self) -> bool {
        matches!(self, Self::Docker | Self::Podman | Self::Containerd | Self::Crio | Self::Kubernetes)
    }
}

impl fmt::Display for WorkloadKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Claimants without a cgroup. All energy that belongs to no other workload is theirs, so that sums are exact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Pseudo {
    /// Energy that the host draws without running tasks.
    Idle,
    /// Kernel threads.
    Kernel,
    /// Processes in the root cgroup: outside every container and unit.
    System,
    /// Energy that no claimant can be charged with.
    Unattributed,
    /// The agent itself.
    Ffwatt,
    /// All workloads beyond the configured number.
    Other,
}

impl Pseudo {
    /// All of them, in the order of their [`WorkloadId`].
    pub const ALL: [Self; 6] =
        [Self::Idle, Self::Kernel, Self::System, Self::Unattributed, Self::Ffwatt, Self::Other];

    /// Its fixed id.
    pub const fn id(self) -> WorkloadId {
        WorkloadId(self as u32)
    }

    /// As the `workload` label.
    pub fn name(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Kernel => "kernel",
            Self::System => "system",
            Self::Unattributed => "unattributed",
            Self::Ffwatt => "ffwatt",
            Self::Other => "(other)",
        }
    }
}

/// A workload's number within this run of the agent. The first ones are the [`Pseudo`] workloads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkloadId(pub u32);

impl WorkloadId {
    /// The pseudo-workload with this id.
    pub fn pseudo(self) -> Option<Pseudo> {
        Pseudo::ALL.get(self.0 as usize).copied()
    }
}

/// Identity of a workload, as users know it. Cheap to clone: snapshots share it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Name that users know.
    pub name: Arc<str>,
    /// Short id; empty for pseudo-workloads.
    pub id: Arc<str>,
    /// Kind of the workload.
    pub kind: WorkloadKind,
    /// Further details.
    pub details: Arc<Details>,
}

/// Further details of a workload. Except for the names in Kubernetes and the scenario, only the info metric shows them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Details {
    /// Image of the container.
    pub image: Option<String>,
    /// Path of the cgroup.
    pub cgroup: Option<Arc<str>>,
    /// The software that made the cgroup: `docker`, `containerd`, `systemd`, ….
    pub runtime: &'static str,
    /// Uid of the Kubernetes pod.
    pub pod_uid: Option<String>,
    /// Names in Kubernetes; `None` outside Kubernetes, and as long as they are unknown.
    pub kubernetes: Option<Arc<KubernetesNames>>,
    /// The container's labels that begin with `ffwatt.`, without that prefix.
    pub labels: BTreeMap<String, String>,
}

/// Names of a container in Kubernetes, in the terms of its API.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct KubernetesNames {
    /// Namespace of the pod.
    pub namespace: Arc<str>,
    /// Name of the pod.
    pub pod: Arc<str>,
    /// Name of the container in the pod's specification.
    pub container: Arc<str>,
}

impl KubernetesNames {
    /// The name of the pod's own cgroup and its sandbox, which no container of a specification can have: it is not lower-case.
    pub const OVERHEAD: &'static str = "POD";

    /// Labels of series with these names, as cAdvisor and kube-state-metrics have them.
    pub const LABELS: [&'static str; 3] = ["namespace", "pod", "container"];
}

impl fmt::Display for KubernetesNames {
    /// As the `workload` label: `<namespace>/<pod>/<container>`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.namespace, self.pod, self.container)
    }
}

impl Details {
    /// The user's own name for the container's work (`ffwatt.scenario`).
    pub fn scenario(&self) -> Option<&str> {
        self.labels.get("scenario").map(String::as_str)
    }

    /// Values of [`KubernetesNames::LABELS`]: empty outside Kubernetes, and as long as they are unknown.
    pub fn kubernetes_labels(&self) -> [&str; 3] {
        self.kubernetes.as_deref().map_or([""; 3], |names| [&names.namespace, &names.pod, &names.container])
    }
}

impl Identity {
    /// Labels of a workload's series.
    pub const LABELS: [&'static str; 6] = joined(["workload", "id", "kind"], KubernetesNames::LABELS);

    /// Values of [`Self::LABELS`].
    pub fn labels(&self) -> [&str; 6] {
        joined([&self.name, &self.id, self.kind.name()], self.details.kubernetes_labels())
    }

    /// Whether it is the overhead of a Kubernetes pod whose names are known.
    pub fn is_overhead(&self) -> bool {
        self.details.kubernetes.as_deref().is_some_and(|names| *names.container == *KubernetesNames::OVERHEAD)
    }

    /// The identity of a pseudo-workload.
    pub fn pseudo(pseudo: Pseudo) -> Self {
        Self {
            name: pseudo.name().into(),
            id: "".into(),
            kind: WorkloadKind::Pseudo,
            details: Arc::new(Details::default()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pseudo_ids_are_their_places_in_the_list() {
        for (index, pseudo) in Pseudo::ALL.into_iter().enumerate() {
            assert_eq!(pseudo.id().0 as usize, index);
            assert_eq!(pseudo.id().pseudo(), Some(pseudo));
        }
        assert_eq!(WorkloadId(6).pseudo(), None);
    }
}
