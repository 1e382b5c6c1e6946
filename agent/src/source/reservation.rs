//! Reads the CPU quota and weight of a workload from its cgroup's files.

use std::fs;

use agent_core::model::reservation::Reservation;
use agent_core::units::Ratio;

use crate::source::cgroup_tree::CgroupTree;

/// Quota and weight of a cgroup (<https://docs.kernel.org/admin-guide/cgroup-v2.html#cpu-interface-files>); the kernel's
/// defaults where it has no such files.
pub(crate) fn read(tree: &CgroupTree, cgroup: &str) -> Reservation {
    let text = |name| fs::read_to_string(tree.file(cgroup, name)).unwrap_or_default();
    let default = Reservation::default();
    Reservation {
        quota: quota(&text("cpu.max")),
        weight: text("cpu.weight").trim().parse().unwrap_or(default.weight),
    }
}

/// `cpu.max` is "quota period" in microseconds, or "max period".
fn quota(text: &str) -> Option<Ratio> {
    let (quota, period) = text.trim().split_once(' ')?;
    let (quota, period): (u32, u32) = (quota.parse().ok()?, period.parse().ok()?);
    (period > 0).then(|| Ratio(f64::from(quota) / f64::from(period)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotas() {
        let table = [
            ("200000 100000\n", Some(Ratio(2.0))),
            ("50000 100000", Some(Ratio(0.5))),
            ("max 100000\n", None),
            ("1 0", None),
            ("", None),
        ];
        for (text, expected) in table {
            assert_eq!(quota(text), expected, "{text:?}");
        }
    }
}
