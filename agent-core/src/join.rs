//! Stage 3: what did a scenario's quality cost? Attribution's joules, joined with what result files say.
//!
//! Pure: no file, no clock, no task. What is not known is `None`, never 0, and nothing that comes out is NaN or infinite, but
//! for the PSNR of pictures that are the same.

pub mod bitrate;
pub mod budget;
pub mod cost;
pub mod efficiency;
pub mod facts;
pub mod figures;
pub mod front;
pub mod history;
pub mod matching;
pub mod prediction;
pub mod pricing;
pub mod progress;
pub mod subject;
pub mod transcode;

/// The value, where it is a number.
fn finite(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}

/// The quotient, where there is one.
fn quotient(dividend: f64, divisor: f64) -> Option<f64> {
    finite(dividend / divisor).filter(|_| divisor > 0.0)
}
