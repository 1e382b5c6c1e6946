//! Subjects of the history (host, workloads, transcodes), and their observed lifetimes.

use std::sync::Arc;

use crate::time::WallTime;

/// Claimant of the history, by its names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// The host: the domains that count towards a total, and the CPU time of all tasks.
    Host,
    /// A workload, by its name and its short id.
    Workload {
        /// Name of the workload.
        name: Arc<str>,
        /// Short id of the workload; empty for pseudo-workloads.
        id: Arc<str>,
    },
    /// A transcode, by its key.
    Transcode(Arc<str>),
}

/// A subject that can be matched to a scenario.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// The subject.
    pub subject: Subject,
    /// The container's `ffwatt.scenario`.
    pub scenario: Option<String>,
    /// Observed start and end. All of the subject's charges lie between them.
    pub life: Option<(WallTime, WallTime)>,
}
