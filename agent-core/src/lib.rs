//! Everything of ffwatt that only computes: no IO, no clock, no threads.
//!
//! Data flows one way, and the agent hands it from one stage to the next:
//!
//! ```text
//! sources (agent) ──► attribution ──► join ──► metrics ──► listeners (agent)
//! ```
//!
//! * [`cpu`] makes windows of CPU time from the counts of the eBPF programs.
//! * [`energy`] makes totals from the counts of energy counters, and [`identity`] makes workloads from cgroup paths.
//! * [`ffmpeg`] parses command lines and progress of encoders.
//! * [`gpu`] parses the use of GPU engines, and counts it by window.
//! * [`attribution`] splits energy over all claimants: total, and exact to the microjoule.
//! * [`results`] parses result files.
//! * [`join`] joins energy with result files, quality and prices.
//! * [`comparison`] compares encoders by their curves of quality against cost.
//! * [`metrics`] formats a snapshot for Prometheus.
//!
//! Shared types are in [`model`], their units in [`units`] and [`time`].

#![forbid(unsafe_code)]

pub mod units;
pub mod time;
pub mod duration;
pub mod apportion;
pub mod text;
pub mod model;

pub mod cpu;
pub mod energy;
pub mod identity;
pub mod ffmpeg;
pub mod gpu;
pub mod attribution;
pub mod results;
pub mod join;
pub mod comparison;
pub mod metrics;

/// Size of a test's input. Miri takes a thousand times longer for each step, so it has a smaller one.
#[cfg(test)]
pub(crate) const fn few(usual: usize) -> usize {
    if cfg!(miri) { usual.div_ceil(20) } else { usual }
}
