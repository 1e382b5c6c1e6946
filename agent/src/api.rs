//! `/api/v1`: the figures of a snapshot as JSON, for programs and the page.
//!
//! Formats only: everything comes from a snapshot. The unit of a number is in its name. Unknown figures are left out.
//! docs/API.md has all of it; within a version, fields are added and never changed.

pub(crate) mod condition;
mod finding;
pub(crate) mod history;
pub(crate) mod list;
pub(crate) mod past;
mod scenario;
mod significant;
pub(crate) mod snapshot;
pub(crate) mod transcode;
mod workload;

pub(crate) use finding::Notice;
pub(crate) use scenario::{Conditions, Scenario, scenarios};
pub(crate) use snapshot::{Answer, Prices};
pub(crate) use transcode::{Transcode, transcodes};
pub(crate) use workload::{Workload, workloads};

/// The version, as in the path.
pub(crate) const VERSION: u32 = 1;
