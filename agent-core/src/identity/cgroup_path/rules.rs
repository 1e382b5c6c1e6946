//! Table of rules: the path segments of each container runtime, of systemd, of batch systems and of virtual machines.

use Holds::{
    Build, ContainerId, Guest, Handle, Job, Machine, Name, NomadTask, PodUid, SliceName, SlurmJob, UnitName,
};
use WorkloadKind::{Cgroup, Containerd, Crio, Docker, Kubernetes, Podman, Systemd};

use crate::identity::cgroup_path::pattern;
use crate::model::workload::WorkloadKind;

/// One form of a workload's path by some runtime.
#[derive(Debug)]
pub(super) struct Rule {
    /// The last segments of the path, see [`pattern::capture`]. `{}` distinguishes workloads.
    pub(super) written: &'static str,
    /// Kind of the text that matches `{}`.
    pub(super) holds: Holds,
    /// Kind of the workload. A container directly in a pod is a Kubernetes container, whichever engine runs it.
    pub(super) kind: WorkloadKind,
    /// The software that makes such paths.
    pub(super) runtime: &'static str,
}

/// Kind of the text that matches `{}` in a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holds {
    /// Full id of an OCI container.
    ContainerId,
    /// Uid of a Kubernetes pod: the cgroup is the pod's.
    PodUid,
    /// Name of a container, given by a user.
    Name,
    /// Name of a systemd-nspawn machine, escaped for systemd.
    Machine,
    /// Name of a libvirt guest, after the number of its start, escaped for systemd.
    Guest,
    /// `BuildKit`'s id of a build step.
    Build,
    /// UUID-like id of a container that is not an OCI container.
    Handle,
    /// Name of a job.
    Job,
    /// Directory of a Slurm job: `job_<number>`, or since Slurm 26.05 its SLUID.
    SlurmJob,
    /// Allocation and task of Nomad: `<UUID>.<task>`.
    NomadTask,
    /// Name of a systemd unit, without its type.
    UnitName,
    /// Name of a systemd slice, without its type.
    SliceName,
}

/// Precedence when one owner is inside the other: the higher wins, and among equals the inner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    /// A systemd unit.
    Unit,
    /// A job of a batch system.
    Job,
    /// A container, a machine or a pod.
    Container,
}

impl Holds {
    /// The rank of workloads with this kind of id.
    pub(super) fn rank(self) -> Rank {
        match self {
            UnitName | SliceName => Rank::Unit,
            Job | SlurmJob | NomadTask => Rank::Job,
            ContainerId | PodUid | Name | Machine | Guest | Build | Handle => Rank::Container,
        }
    }
}

/// The first of [`RULES`] that the last of these segments match, with the text that matches its `{}`.
pub(super) fn first_match<'a>(segments: &[&'a str]) -> Option<(&'static Rule, &'a str)> {
    let matched = |rule: &'static Rule| Some((rule, pattern::capture(rule, segments)?));
    RULES.iter().find_map(matched)
}

const fn rule(written: &'static str, holds: Holds, kind: WorkloadKind, runtime: &'static str) -> Rule {
    Rule { written, holds, kind, runtime }
}

/// All rules. The first match counts. The cgroups of conmon, LXC's monitor and similar processes are not containers and match none
/// of the containers' rules.
pub(super) static RULES: &[Rule] = &[
    rule("docker-{}.scope", ContainerId, Docker, "docker"), // systemd driver, any --cgroup-parent
    rule("docker/{}", ContainerId, Docker, "docker"),       // cgroupfs driver
    rule("docker/buildx/{}", ContainerId, Docker, "docker"), // builders of the docker-container driver
    rule("ecs/*/{}", ContainerId, Docker, "docker"),        // AWS ECS: the task is the cgroup parent
    rule("actions_job/{}", ContainerId, Docker, "docker"),  // GitHub Actions
    rule("azpl_job/{}", ContainerId, Docker, "docker"),     // Azure Pipelines
    rule("*:docker:{}", ContainerId, Docker, "docker"),
    rule("docker/buildkit/{}", Build, Docker, "buildkit"), // cgroupfs driver
    rule("*:docker:{}", Build, Docker, "buildkit"),        // systemd driver, which BuildKit does not speak
    rule("libpod-{}.scope", ContainerId, Podman, "podman"),
    rule("libpod-{}", ContainerId, Podman, "podman"), // cgroupfs manager
    rule("libpod-payload-{}", ContainerId, Podman, "podman"), // --cgroups=split, as Quadlet does
    rule("*:libpod:{}", ContainerId, Podman, "podman"),
    rule("cri-containerd-{}.scope", ContainerId, Containerd, "containerd"),
    rule("*:cri-containerd:{}", ContainerId, Containerd, "containerd"),
    rule("nerdctl-{}.scope", ContainerId, Containerd, "containerd"),
    rule("*:nerdctl:{}", ContainerId, Containerd, "containerd"),
    rule("default/{}", ContainerId, Containerd, "containerd"), // containerd's namespaces
    rule("k8s.io/{}", ContainerId, Containerd, "containerd"),
    rule("/default/{}", Name, Containerd, "containerd"), // ctr run … <name>
    rule("/k8s.io/{}", Name, Containerd, "containerd"),
    rule("crio-{}.scope", ContainerId, Crio, "cri-o"),
    rule("crio-{}", ContainerId, Crio, "cri-o"), // cgroupfs manager
    rule("*:crio:{}", ContainerId, Crio, "cri-o"),
    rule("*kubepods*-pod{}.slice", PodUid, Kubernetes, "kubelet"), // systemd driver, any QoS class and cgroup root
    rule("kubepods/pod{}", PodUid, Kubernetes, "kubelet"),         // cgroupfs driver, guaranteed
    rule("kubepods/burstable/pod{}", PodUid, Kubernetes, "kubelet"),
    rule("kubepods/besteffort/pod{}", PodUid, Kubernetes, "kubelet"),
    rule("*kubepods*-pod*.slice/{}", ContainerId, Kubernetes, "kubelet"), // whichever runtime the kubelet uses
    rule("kubepods/pod*/{}", ContainerId, Kubernetes, "kubelet"),
    rule("kubepods/*/pod*/{}", ContainerId, Kubernetes, "kubelet"),
    rule("{}", ContainerId, Cgroup, ""), // below any --cgroup-parent, cgroupfs driver; the engine says whose it is
    rule("machine-qemu\\x2d{}.scope", Guest, Systemd, "libvirt"),
    rule("machine-lxc\\x2d{}.scope", Guest, Systemd, "libvirt"),
    rule("{}.libvirt-qemu", Guest, Cgroup, "libvirt"), // without systemd-machined
    rule("{}.libvirt-lxc", Guest, Cgroup, "libvirt"),
    rule("systemd-nspawn@{}.service", Machine, Systemd, "nspawn"),
    rule("machine-{}.scope", Machine, Systemd, "nspawn"),
    rule("lxc.payload.{}", Name, Cgroup, "lxc"), // LXC 4 and later, LXD, Incus
    rule("lxc.payload/{}", Name, Cgroup, "lxc"),
    rule("lxc/{}", Name, Cgroup, "lxc"), // before; Proxmox VE still
    rule("garden/{}", Handle, Cgroup, "garden"),
    rule("garden/*/{}", Handle, Cgroup, "garden"), // CPU throttling sorts them into good/ and bad/
    rule("mesos/{}", Handle, Cgroup, "mesos"),
    rule("*slurmstepd.scope/{}", SlurmJob, Cgroup, "slurm"), // cgroup v2
    rule("slurm*/uid_*/{}", SlurmJob, Cgroup, "slurm"),      // cgroup v1
    rule("nomad.slice/{}.scope", NomadTask, Cgroup, "nomad"), // cgroup v2, Nomad 1.3 to 1.6
    rule("share.slice/{}.scope", NomadTask, Cgroup, "nomad"), // Nomad 1.7 and later, below any cgroup_parent
    rule("reserve.slice/{}.scope", NomadTask, Cgroup, "nomad"), // tasks with cores of their own
    rule("nomad/{}", NomadTask, Cgroup, "nomad"),            // cgroup v1
    rule("ffrtmp/{}", Job, Cgroup, "ffrtmp"),
    rule("{}.service", UnitName, Systemd, "systemd"),
    rule("{}.scope", UnitName, Systemd, "systemd"),
    rule("{}.socket", UnitName, Systemd, "systemd"),
    rule("{}.mount", UnitName, Systemd, "systemd"),
    rule("{}.swap", UnitName, Systemd, "systemd"),
    rule("{}.slice", SliceName, Systemd, "systemd"),
];
