//! Subjects of the history (host, workloads, transcodes), and their observed lifetimes.

use std::sync::Arc;

use crate::time::WallTime;

/// Whose charges.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// Everything: the domains that add up (package and dram), the CPU time of all who ran.
    Host,
    /// A workload, by the name people know and its short id.
    Workload {
        /// Its name.
        name: Arc<str>,
        /// Its short id; empty for pseudo-workloads.
        id: Arc<str>,
    },
    /// A transcode, by its key.
    Transcode(Arc<str>),
}

/// Somebody who was charged.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// Who.
    pub subject: Subject,
    /// The container's `ffwatt.scenario`.
    pub scenario: Option<String>,
    /// When it was there, as far as is known: what it was charged, it was charged between the two.
    pub life: Option<(WallTime, WallTime)>,
}
