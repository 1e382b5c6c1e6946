//! Compares encoders and their settings: by curves of quality against cost, and by the cheapest setting that is good enough.
//!
//! * [`setting`] puts the repeats of an encode together, without the energy that reading its clip takes.
//! * [`curves`] makes the curves of a run and compares two of them.
//! * [`difference`] computes mean differences of two curves.
//! * [`interpolation`] makes a smooth function of a curve's points.
//! * [`output_hour`] computes what an hour of output costs.
//! * [`hull`] finds the settings that no mix of others beats.
//! * [`combined_hull`] does so for bitrate, energy and quality at once.
//! * [`run_difference`] compares the settings of two runs.
//! * [`advice`] chooses the cheapest setting.
//! * [`change_point`] finds when a series changed, and [`forecast`] what a period will have at its end.
//! * [`estimate`] computes means of repeats with their intervals.

pub mod advice;
pub mod change_point;
pub mod combined_hull;
pub mod curves;
pub mod difference;
pub mod estimate;
pub mod forecast;
pub mod hull;
pub mod interpolation;
pub mod output_hour;
pub mod run_difference;
pub mod setting;
