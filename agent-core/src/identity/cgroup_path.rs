//! Identifies the workload of a cgroup by the cgroup's path.
//!
//! A workload is a container, a Kubernetes pod's container, a systemd unit or a plain cgroup. A path is read from
//! its root down, each segment against the table in `rules`, and the last segment that may own everything below it wins:
//!
//! * a container owns all below it but containers inside it: systemd in a container does not split the container;
//! * a job of a batch system owns all below it but containers;
//! * a unit owns all below it but units, jobs and containers;
//! * a slice only groups units: it owns just the processes directly in it;
//! * a cgroup that none of these owns is a plain cgroup, a workload of its own.
//!
//! **Invariant:** only a segment and those above it decide. So every cgroup below a workload's root that is not part of another workload
//! gives the same identity as the root itself, in whatever order cgroups are met.

mod name;
mod pattern;
mod rules;

use crate::identity::cgroup_path::rules::{Holds, Rank, Rule};
use crate::model::workload::WorkloadKind;

pub(super) use name::bounded;

/// The workload that a cgroup belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CgroupIdentity {
    /// Kind of the workload. Machines of nspawn, LXC and libvirt have no kind of their own: they are
    /// [`WorkloadKind::Systemd`] where systemd made their cgroup, else [`WorkloadKind::Cgroup`]; see `runtime`.
    pub kind: WorkloadKind,
    /// Path of the workload's own cgroup: the given path up to some segment, normalised, systemd's escapes left alone.
    pub root: String,
    /// Full container id, 64 lower-case hex digits, where there is one.
    pub container: Option<String>,
    /// Uid of the Kubernetes pod that the workload is, or runs in.
    pub pod: Option<String>,
    /// The name that users know, as far as the path contains it; else the path itself. At most 128 characters, none of them control
    /// characters.
    pub name: String,
    /// The software that made the cgroup: `docker`, `buildkit`, `podman`, `containerd`, `cri-o`, `kubelet`, `nspawn`, `lxc`,
    /// `libvirt`, `garden`, `mesos`, `slurm`, `nomad`, `ffrtmp`, `systemd`, or empty where the path does not show it.
    pub runtime: &'static str,
}

/// The workload that the cgroup with this path belongs to.
///
/// The path is the one inside the hierarchy, of cgroup v2 or of any controller of v1. Total: a cgroup with an unknown path is a
/// plain cgroup, and so is `/` itself. Linear in the path's length.
pub fn identify(path: &str) -> CgroupIdentity {
    let segments = segments(path);
    let Some(owner) = owner_of(&segments) else {
        let root = joined(&segments);
        let name = name::bounded(&root);
        return CgroupIdentity {
            kind: WorkloadKind::Cgroup,
            root,
            container: None,
            pod: None,
            name,
            runtime: "",
        };
    };
    owner.identity(&segments)
}

/// Whether the cgroup in v1, not the one in v2, identifies a task that is in both.
///
/// It does where it is below the other, or the other is the root. Of two different branches neither is below the other; there the more
/// specific one counts: a container, then a job, then a plain cgroup. Runtimes that support one version only leave the task, in the
/// other version, in the unit that started it. Everywhere else cgroup v2 counts, because systemd keeps every unit there.
pub fn is_told_by_legacy(unified: &str, legacy: &str) -> bool {
    let (unified, legacy) = (segments(unified), segments(legacy));
    if unified.starts_with(&legacy) {
        return false;
    }
    legacy.starts_with(&unified) || precision(&legacy) > precision(&unified)
}

/// How specific a path is: least for a unit's path, which systemd mirrors in cgroup v1, most for a container's.
fn precision(segments: &[&str]) -> (Option<Rank>, bool) {
    match owner_of(segments).map(|owner| owner.rule.holds.rank()) {
        Some(Rank::Unit) => (None, false),
        None => (None, true),
        rank => (rank, true),
    }
}

/// Whether the text is the full id of an OCI container.
pub(super) fn is_container_id(text: &str) -> bool {
    Holds::ContainerId.accepts(text)
}

/// The normalised path; see [`CgroupIdentity::root`].
pub fn normalised(path: &str) -> String {
    joined(&segments(path))
}

/// Twelve hex digits that distinguish workloads: the first of the container id where there is one, as engines print them, else
/// [FNV-1a] of `root`, its lower 48 bits. The same on every run and host. For labels only: two paths can be made to collide.
///
/// [FNV-1a]: http://www.isthe.com/chongo/tech/comp/fnv/
pub fn short_id(identity: &CgroupIdentity) -> String {
    const OFFSET_BASIS: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0100_0000_01b3;
    const LOWER_48_BITS: u64 = (1 << 48) - 1;

    if let Some(container) = &identity.container {
        return name::short(container);
    }
    let hash =
        identity.root.bytes().fold(OFFSET_BASIS, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME));
    format!("{:012x}", hash & LOWER_48_BITS)
}

/// A segment that owns everything below it, up to the next owner.
#[derive(Clone, Copy, Debug)]
struct Owner<'a> {
    rule: &'static Rule,
    /// The text that matches the rule's `{}`.
    captured: &'a str,
    /// Number of segments of its path.
    depth: usize,
    kind: WorkloadKind,
    /// Uid in the spelling of the path.
    pod: Option<&'a str>,
}

/// The owner of the cgroup with these segments.
fn owner_of<'a>(segments: &[&'a str]) -> Option<Owner<'a>> {
    let above = |owner, depth| owner_at(&segments[..depth], owner);
    (1..=segments.len()).fold(None, above)
}

/// The owner of the cgroup with these segments, when `above` owns its parent.
fn owner_at<'a>(segments: &[&'a str], above: Option<Owner<'a>>) -> Option<Owner<'a>> {
    let (last, parents) = segments.split_last()?;
    let above = pod_before_colon(last, parents.len()).or(above);
    let Some((rule, captured)) = rules::first_match(segments) else {
        return above.filter(|owner| owner.rule.holds != Holds::SliceName);
    };
    if above.is_some_and(|owner| owner.rule.holds.rank() > rule.holds.rank()) {
        return above;
    }
    let in_pod = above.is_some_and(|owner| owner.rule.holds == Holds::PodUid);
    let kind = if in_pod && rule.holds == Holds::ContainerId { WorkloadKind::Kubernetes } else { rule.kind };
    let inherited = above.and_then(|owner| owner.pod);
    let pod = if rule.holds == Holds::PodUid { Some(captured) } else { inherited };
    Some(Owner { rule, captured, depth: segments.len(), kind, pod })
}

/// The pod in `<pod's slice>:<runtime>:<container>`: where the kubelet uses systemd's notation but containerd does not, the
/// slice that should have been the parent is part of the container's own segment.
fn pod_before_colon(segment: &str, parents: usize) -> Option<Owner<'_>> {
    let (slice, _) = segment.split_once(':')?;
    let (rule, captured) = rules::first_match(&[slice]).filter(|(rule, _)| rule.holds == Holds::PodUid)?;
    Some(Owner { rule, captured, depth: parents + 1, kind: rule.kind, pod: Some(captured) })
}

impl Owner<'_> {
    fn identity(&self, segments: &[&str]) -> CgroupIdentity {
        let own = &segments[..self.depth.min(segments.len())];
        let unit = own.last().copied().unwrap_or_default();
        CgroupIdentity {
            kind: self.kind,
            root: joined(own),
            container: (self.rule.holds == Holds::ContainerId).then(|| self.captured.to_owned()),
            pod: self.pod.map(name::pod_uid),
            name: name::of(self.rule, self.captured, unit),
            runtime: self.rule.runtime,
        }
    }
}

/// Splits the path into segments, without a missing leading slash, a trailing one, empty segments, `.` and `..`.
///
/// No cgroup can be named `.` or `..`. They are resolved, so that no `root` leads out of the hierarchy.
fn segments(path: &str) -> Vec<&str> {
    let mut segments = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                segments.pop();
            }
            _ => segments.push(segment),
        }
    }
    segments
}

fn joined(segments: &[&str]) -> String {
    format!("/{}", segments.join("/"))
}

#[cfg(test)]
mod tests;
