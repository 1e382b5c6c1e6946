//! Compares encoders by curves of quality against cost: Bjøntegaard differences of bitrate, energy and quality.
//!
//! * [`curves`] makes the curves of a run and compares two of them.
//! * [`difference`] computes mean differences of two curves.
//! * [`interpolation`] makes a smooth function of a curve's points.

pub mod curves;
pub mod difference;
pub mod interpolation;
