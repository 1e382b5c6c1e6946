//! ffwatt: what every ffmpeg container and every transcode costs.
//!
//! Data flows one way:
//!
//! ```text
//! sources ──► attribution ──► join ──► exposition
//! cpu   energy   identity     (listeners, command line)
//! ```
//!
//! * [`source`] asks the host, and may fail.
//! * [`attribution`] splits energy over whoever ran: pure, total, exact to the microjoule.
//! * [`exposition`] formats a snapshot; [`server`] answers with it.
//! * [`pipeline`] is the only place that knows them all: one thread owns the state and publishes immutable snapshots.
//!
//! The nouns they share are in [`model`] and [`units`].

pub mod units;
pub mod clock;
pub mod duration;
pub mod host;
pub mod apportion;
pub mod model;
mod misspelt;

pub mod source;
pub mod attribution;
pub mod join;
pub mod ledger;
pub mod progress;
pub mod exposition;
pub mod api;
pub mod server;
pub mod pipeline;
pub mod privileges;

pub mod config;
pub mod cli;
pub mod agent;
pub mod bench;
pub mod quality;
pub mod report;
pub mod top;
pub mod calibrate;
pub mod check;

#[cfg(test)]
mod documented;
