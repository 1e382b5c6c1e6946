//! Reads the memory use of a container.
//!
//! As `docker stats` counts it: usage less the page cache that can be dropped at once
//! (<https://docs.docker.com/reference/cli/docker/container/stats/>).

use std::fs;
use std::path::Path;

use agent_core::model::snapshot::MemoryUse;
use agent_core::units::Bytes;

use crate::source::cgroup_tree::CgroupTree;

/// A v1 limit above this is none: the kernel returns the largest number of pages that fits into a long.
const NO_LIMIT_V1: u64 = 1 << 60;

/// Memory of a cgroup; `None` without a memory controller.
pub(crate) fn read(tree: &CgroupTree, cgroup: &str) -> Option<MemoryUse> {
    unified(tree, cgroup).or_else(|| legacy(tree, cgroup))
}

fn unified(tree: &CgroupTree, cgroup: &str) -> Option<MemoryUse> {
    let used = number(&tree.file(cgroup, "memory.current"))?;
    let cache = field(&tree.file(cgroup, "memory.stat"), "inactive_file").unwrap_or(0);
    // "max" is no number, and no limit.
    let limit = number(&tree.file(cgroup, "memory.max")).map(Bytes);
    Some(MemoryUse { used: Bytes(used.saturating_sub(cache)), limit })
}

fn legacy(tree: &CgroupTree, cgroup: &str) -> Option<MemoryUse> {
    let used = number(&tree.v1_memory_file(cgroup, "memory.usage_in_bytes")?)?;
    let cache = field(&tree.v1_memory_file(cgroup, "memory.stat")?, "total_inactive_file").unwrap_or(0);
    let limit = number(&tree.v1_memory_file(cgroup, "memory.limit_in_bytes")?);
    let limit = limit.filter(|limit| *limit < NO_LIMIT_V1).map(Bytes);
    Some(MemoryUse { used: Bytes(used.saturating_sub(cache)), limit })
}

fn number(file: &Path) -> Option<u64> {
    fs::read_to_string(file).ok()?.trim().parse().ok()
}

fn field(file: &Path, name: &str) -> Option<u64> {
    let text = fs::read_to_string(file).ok()?;
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::HostRoots;

    fn tree(files: &[(&str, &str)]) -> (tempfile::TempDir, CgroupTree) {
        let root = tempfile::tempdir().unwrap();
        for (file, text) in files {
            let path = root.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let roots = HostRoots { cgroup: root.path().to_path_buf(), ..HostRoots::default() };
        let tree = CgroupTree::find(&roots).unwrap();
        (root, tree)
    }

    #[test]
    fn cgroup_v2() {
        let (_root, tree) = tree(&[
            ("cgroup.controllers", ""),
            ("docker/a/memory.current", "5000\n"),
            ("docker/a/memory.stat", "anon 1\ninactive_file 2000\n"),
            ("docker/a/memory.max", "max\n"),
        ]);
        assert_eq!(read(&tree, "/docker/a"), Some(MemoryUse { used: Bytes(3000), limit: None }));
        assert_eq!(read(&tree, "/docker/b"), None);
    }

    #[test]
    fn the_v1_controller_of_a_hybrid_host() {
        let (_root, tree) = tree(&[
            ("unified/cgroup.controllers", ""),
            ("memory/cgroup.procs", ""),
            ("memory/docker/a/memory.usage_in_bytes", "5000\n"),
            ("memory/docker/a/memory.stat", "inactive_file 1\ntotal_inactive_file 2000\n"),
            ("memory/docker/a/memory.limit_in_bytes", "9223372036854771712\n"),
            ("memory/docker/b/memory.usage_in_bytes", "5000\n"),
            ("memory/docker/b/memory.stat", ""),
            ("memory/docker/b/memory.limit_in_bytes", "10000\n"),
        ]);
        assert_eq!(read(&tree, "/docker/a"), Some(MemoryUse { used: Bytes(3000), limit: None }));
        assert_eq!(
            read(&tree, "/docker/b"),
            Some(MemoryUse { used: Bytes(5000), limit: Some(Bytes(10000)) })
        );
    }
}
