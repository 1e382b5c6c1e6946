//! Computes CPU time: places of CPUs, and windows from readings of the eBPF programs' map.

pub mod accounts;
pub mod topology;
