//! What does `/api/v1` say? The same figures as the metrics, for programs and the page.
//!
//! Formats only: everything is taken from a snapshot. The unit of a number is in its name. What is not known is left out.
//! docs/API.md has all of it; within a version, fields are added and never changed.

mod finding;
pub mod history;
pub mod list;
mod scenario;
pub mod snapshot;
mod transcode;
mod workload;

pub use finding::{Finding, Notice};
pub use scenario::{Scenario, scenarios};
pub use snapshot::{Answer, Host, Method, Part, Prices, Process, Source, ZoneIdle};
pub use transcode::{Asked, Figures, Told, Transcode, transcodes};
pub use workload::{Workload, workloads};

/// The version, as in the path.
pub const VERSION: u32 = 1;
