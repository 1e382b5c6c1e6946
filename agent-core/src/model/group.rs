//! Totals of groups of claimants, classes of transcodes and namespaces of workloads, which stay when the claimants have ended.

use std::sync::Arc;
use std::time::Duration;

use crate::model::account::Account;
use crate::time::WallTime;

/// Labels of a class of transcodes.
pub const CLASS_LABELS: [&str; 5] = ["namespace", "scenario", "codec", "preset", "resolution"];

/// Value of every label of the group that the claimants beyond the configured number of groups share.
pub const OTHER_GROUP: &str = "(other)";

/// Totals of one group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupTotals {
    /// Charges of its claimants, each since the claimant was in the group.
    pub account: Account,
    /// Output of its transcodes.
    pub output: GroupOutput,
    /// Number of its transcodes that have ended.
    pub jobs: u64,
}

/// Output of the transcodes of a group, as far as it is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GroupOutput {
    /// Encoded frames.
    pub frames: u64,
    /// Playing time.
    pub length: Duration,
}

/// Labels and totals of one group.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupSnapshot<const N: usize> {
    /// Values of its labels.
    pub labels: [Arc<str>; N],
    /// Its totals.
    pub totals: GroupTotals,
    /// The time at which they were 0.
    pub created: WallTime,
}
