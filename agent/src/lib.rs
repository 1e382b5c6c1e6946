//! ffwatt: energy of each ffmpeg container and transcode.
//!
//! What only computes is in [`agent_core`]. Here is everything that asks the host, keeps files and answers:
//!
//! * [`source`] asks the host, and may fail.
//! * [`pipeline`] is the only place that knows all stages: one thread owns the state and publishes immutable snapshots.
//! * [`results`] is the second thread: result files, ledger, scores.
//! * [`ledger`] keeps what ended; [`server`] and [`api`] answer from snapshots and the ledger.

pub mod clock;
pub mod host;
mod misspelt;

pub mod source;
pub mod ledger;
pub mod progress;
pub mod api;
pub mod server;
pub mod pipeline;
pub mod results;
pub mod privileges;

pub mod config;
pub mod quality;
pub mod command;

#[cfg(test)]
mod documented;

pub use command::main;
