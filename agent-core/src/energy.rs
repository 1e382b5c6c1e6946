//! Makes totals of energy counters: units, wraps, resets, and counters that are one.

pub mod counter;
pub mod mirror;
pub mod unit;
