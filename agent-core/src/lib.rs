//! Everything of ffwatt that only computes: no IO, no clock, no threads.
//!
//! Data flows one way, and the agent hands it from one stage to the next:
//!
//! ```text
//! sources (agent) ──► attribution ──► join ──► metrics ──► listeners (agent)
//! ```
//!
//! * [`energy`] makes totals of what counters show, and [`identity`] workloads of cgroup paths.
//! * [`ffmpeg`] understands command lines and progress of encoders.
//! * [`attribution`] splits energy over all that ran: total, and exact to the microjoule.
//! * [`join`] puts result files, quality and prices beside the energy.
//! * [`metrics`] formats a snapshot for Prometheus.
//!
//! The nouns they share are in [`model`], their units in [`units`] and [`time`].

#![forbid(unsafe_code)]

pub mod units;
pub mod time;
pub mod duration;
pub mod apportion;
pub mod text;
pub mod model;

pub mod energy;
pub mod identity;
pub mod ffmpeg;
pub mod attribution;
pub mod join;
pub mod metrics;
