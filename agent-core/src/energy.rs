//! Totals of energy counters (units of counts, wraps, resets, mirrored counters), and estimates by processor where there are none.

pub mod counter;
pub mod estimate;
pub mod generation;
pub mod mirror;
pub mod processor;
pub mod specpower;
pub mod spread;
pub mod unit;
