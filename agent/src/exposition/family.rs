//! The metrics, one file a family: a metric's file can be guessed from its name.

pub mod attribution;
pub mod docker;
pub mod health;
pub mod host;
pub mod process;
pub mod rapl;
pub mod transcode;
pub mod workload;

use crate::exposition::catalog::Metric;

/// Every family, in the order of the documentation.
pub(super) const ALL: &[&[Metric]] = &[
    rapl::METRICS,
    docker::METRICS,
    host::METRICS,
    workload::METRICS,
    transcode::METRICS,
    attribution::METRICS,
    health::METRICS,
    process::METRICS,
];
