//! Stage 3: joins attributed energy with result files: cost and efficiency of scenarios and transcodes.
//!
//! Pure: no file, no clock, no task. An unknown figure is `None`, never 0. No figure is NaN or infinite, except the PSNR of identical
//! pictures.

pub mod bitrate;
pub mod budget;
pub mod cost;
mod efficiency;
pub mod figures;
pub mod history;
pub mod matching;
pub mod pareto_front;
mod prediction;
pub mod pricing;
pub mod progress;
mod scenario_defaults;
pub(crate) mod student;
pub mod subject;
pub mod transcode;

/// The value, if it is finite.
fn finite(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}

/// The quotient, if it is finite.
fn quotient(dividend: f64, divisor: f64) -> Option<f64> {
    finite(dividend / divisor).filter(|_| divisor > 0.0)
}
