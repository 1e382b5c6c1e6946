//! ffwatt: energy of each ffmpeg container and transcode.
//!
//! Pure computation is in [`agent_core`]. This crate reads the host, keeps files and answers requests:
//!
//! * [`source`] reads the host, and may fail.
//! * [`pipeline`] is the only place that depends on all stages: one thread owns the state and publishes immutable snapshots.
//! * [`results`] is the second thread: result files, ledger, scores.
//! * [`ledger`] is the history on disk; [`server`] and [`api`] answer from snapshots.

#![forbid(unsafe_code)]

mod child;
mod clock;
mod error;
mod files;
mod host;
mod misspelt;

mod source;
mod ledger;
mod progress;
mod api;
mod server;
mod pipeline;
mod results;
mod privileges;

mod config;
mod quality;
mod command;

#[cfg(test)]
mod documented;
#[cfg(test)]
mod kubernetes_names;

pub use command::main;

/// Items that benches, fuzz targets and the release need. No interface for others.
#[doc(hidden)]
pub mod inside {
    pub use crate::api::history::History;
    pub use crate::command::bench::count_scenarios;
    pub use crate::command::cli::command;
    pub use crate::config::{Config, parse as parse_config, print as print_config};
    pub use crate::host::HostRoots;
    pub use crate::ledger::{Buckets, Grouping, Ledger, TranscodeRow};
    pub use crate::server::web_config::WebConfig;
    pub use crate::server::{AuthConfig, Authenticator, converse};
    pub use crate::source::cpu::DeviceFile;
    pub use crate::source::gpu::{GpuCandidate, GpuMeter};
    pub use crate::source::identity::docker::{EngineEvent, read_event, read_list};
    pub use crate::source::results::Folder;
}
