//! Tells what the agent cannot know because it runs in a cgroup namespace of its own (`cgroup_namespaces(7)`).
//!
//! In such a namespace procfs shows the cgroups of processes by paths that begin at the agent's own cgroup. The ids under which the kernel
//! charges CPU time are the same everywhere.

use std::fs;
use std::path::Path;

use crate::host::HostRoots;
use crate::source::SourceError;

/// The namespace that the kernel starts with (`PROC_CGROUP_INIT_INO`, unchanged since 4.6).
const FIRST: &str = "cgroup:[4026531835]";

/// What to do about it.
pub const FIX: &str =
    "run the agent in the host's cgroup namespace (`docker run --cgroupns=host`, `cgroup: host` in compose)";

/// Whether the agent is in a cgroup namespace of its own. The paths that procfs shows follow the reader, whatever procfs it reads.
pub fn is_private() -> bool {
    names_another(fs::read_link(HostRoots::default().own_process("ns/cgroup")).ok().as_deref())
}

/// A kernel without such namespaces has no link.
fn names_another(link: Option<&Path>) -> bool {
    link.is_some_and(|link| link != Path::new(FIRST))
}

/// What follows where the hierarchy is mounted whole.
pub const NOTE: &str = "the agent runs in a cgroup namespace of its own: cgroups of processes are those by which the kernel charges CPU time, \
    and an encoder that started before the agent is shown once it has used CPU time";

/// What follows where only a part of the hierarchy is to be seen.
pub fn only_a_part(root: &Path) -> SourceError {
    SourceError::unavailable(
        format!(
            "the agent runs in a cgroup namespace of its own, and {} is only its own part of the hierarchy: workloads that run already \
             are known by numbers, not by names",
            root.display()
        ),
        FIX,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_namespace_is_told_from_others() {
        for (link, expected) in [(Some(FIRST), false), (Some("cgroup:[4026532207]"), true), (None, false)] {
            assert_eq!(names_another(link.map(Path::new)), expected, "{link:?}");
        }
    }
}
