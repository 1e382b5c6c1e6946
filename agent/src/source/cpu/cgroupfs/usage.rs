//! Reads the CPU time of a cgroup from its files.

use std::fs;

use agent_core::model::cpu::Hierarchy;
use agent_core::units::CpuTime;

use crate::source::cgroup_tree::CgroupTree;

/// CPU time of a cgroup and everything below it since it was made; `None` when it is gone or has no such file.
pub(super) fn read(tree: &CgroupTree, hierarchy: Hierarchy, cgroup: &str) -> Option<CpuTime> {
    let text = |name| fs::read_to_string(tree.file_in(hierarchy, cgroup, name)?).ok();
    if hierarchy == Hierarchy::Unified {
        // https://docs.kernel.org/admin-guide/cgroup-v2.html#cpu-interface-files
        let text = text("cpu.stat")?;
        let microseconds: u64 =
            text.lines().find_map(|line| line.strip_prefix("usage_usec "))?.trim().parse().ok()?;
        Some(CpuTime(microseconds.checked_mul(1000)?))
    } else {
        // https://docs.kernel.org/admin-guide/cgroup-v1/cpuacct.html
        Some(CpuTime(text("cpuacct.usage")?.trim().parse().ok()?))
    }
}
