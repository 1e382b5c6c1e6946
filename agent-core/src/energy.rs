//! Totals of energy counters: units of counts, wraps, resets, and mirrored counters.

pub mod counter;
pub mod mirror;
pub mod unit;
