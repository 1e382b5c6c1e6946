//! Estimates the idle power of a zone by regression of its power on the utilisation of its CPUs, with a standard error.
//!
//! For hosts that are never quiet. The estimate is the intercept of a parabola, whose curvature is shrunk towards 0 as far as the
//! windows do not show it (a ridge with the prior [`PRIOR_CURVATURE`]): power bends in utilisation, by turbo clocks and by threads that
//! share a core, and a straight line through busy windows meets zero utilisation too high or too low. The standard error has three parts:
//!
//! 1. that of the straight line's intercept, by the jackknife over blocks of time (M. Quenouille 1956, H. Künsch 1989): neighbouring
//!    windows are alike, and the textbook's error takes them for independent;
//! 2. the remaining uncertainty of the curvature;
//! 3. the correction for curvature, and half as much again: no window shows whether the curvature continues below the lowest utilisation.
//!
//! Memory is bounded: a block is a dozen sums, blocks are merged in pairs when they are many, and the oldest go after a day.

use std::collections::VecDeque;
use std::time::Duration;

use super::moments::Moments;
use crate::units::{MicroJoules, Ratio, Watts};

#[cfg(test)]
mod tests;

/// The estimate is used once its standard error is at most this share of it. Within two standard errors the idle part of a busy host's
/// energy is then known to a fifth, and the dynamic part, by far the larger one there, much better.
const MOST_ERROR: Ratio = Ratio(0.10);

/// An estimate that is used is dropped above this share, so that it does not come and go at the bound.
const DROPPED_ERROR: Ratio = Ratio(0.20);

/// The standard deviation of utilisation below which there is no estimate, regardless of the sums.
const LEAST_SPREAD: Ratio = Ratio(0.05);

/// Blocks below which there is no estimate: a minute.
const LEAST_BLOCKS: usize = 12;

/// Expected curvature before any is observed, as a share of the slope: `u^0.8` has 0.1 at full use, two hyperthreads of a core
/// that cost 1.3 times one of them have 0.3.
const PRIOR_CURVATURE: f64 = 0.25;

/// Unknown part of the curve below the windows, as a multiple of the correction for its curvature: what `u^0.85` has beyond a
/// parabola.
const UNSEEN_CURVATURE: f64 = 1.5;

/// Windows are at least this long: below it, refreshes of the counter and steps of polled CPU times weigh too much.
const WINDOW: Duration = Duration::from_secs(1);

/// Length of the first blocks.
const FIRST_BLOCK: Duration = Duration::from_secs(5);

/// Blocks are merged in pairs when there are so many.
const MOST_BLOCKS: usize = if cfg!(miri) { 24 } else { 48 };

/// Blocks do not become longer than this: all of them are a day.
const LONGEST_BLOCK: Duration = Duration::from_mins(30);

/// Distances from the line, in standard deviations and as a share of the power, beyond which a window counts as if it were nearer.
const OUTLIER: (f64, f64) = (4.0, 0.1);

/// Estimate of an idle power by regression.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct IdleEstimate {
    /// Power at no utilisation.
    pub power: Watts,
    /// Its standard error.
    pub standard_error: Watts,
}

impl IdleEstimate {
    fn is_within(&self, share: Ratio) -> bool {
        self.standard_error.0 <= share.0 * self.power.0
    }
}

/// The sums of one zone.
#[derive(Clone, Debug, PartialEq)]
pub struct Regression {
    /// The window that is not long enough yet.
    open: (MicroJoules, Duration, f64),
    /// The oldest first; the last one is not complete.
    blocks: VecDeque<Moments>,
    block: Duration,
    estimate: Option<IdleEstimate>,
    is_used: bool,
}

impl Default for Regression {
    fn default() -> Self {
        let (open, blocks) = (Default::default(), VecDeque::new());
        Self { open, blocks, block: FIRST_BLOCK, estimate: None, is_used: false }
    }
}

impl Regression {
    /// Drops the open window, because the energy of a window is unknown.
    pub fn interrupt(&mut self) {
        self.open = Default::default();
    }

    /// Adds a window.
    pub fn observe(&mut self, energy: MicroJoules, duration: Duration, utilisation: Ratio) {
        let (sum, lasted, busy) = &mut self.open;
        *sum += energy;
        *lasted += duration;
        *busy += utilisation.0 * duration.as_secs_f64();
        if *lasted < WINDOW {
            return;
        }
        let (sum, lasted, busy) = std::mem::take(&mut self.open);
        let Some(power) = sum.over(lasted) else { return };
        self.add(power, busy / lasted.as_secs_f64(), lasted);
        self.estimate = self.estimate_anew();
        let bound = if self.is_used { DROPPED_ERROR } else { MOST_ERROR };
        self.is_used = self.estimate.is_some_and(|estimate| estimate.is_within(bound));
    }

    /// The current estimate, certain or not; `None` while utilisation has hardly changed.
    pub fn estimate(&self) -> Option<IdleEstimate> {
        self.estimate
    }

    /// The current estimate, if it is certain enough to be used.
    pub fn used(&self) -> Option<IdleEstimate> {
        self.estimate.filter(|_| self.is_used)
    }

    fn add(&mut self, power: Watts, utilisation: f64, lasted: Duration) {
        let watts = self.drawn_in(power.0, utilisation);
        let is_full = |block: &Moments| block.seconds() >= self.block.as_secs_f64();
        if self.blocks.back().is_none_or(is_full) {
            self.make_room();
            self.blocks.push_back(Moments::default());
        }
        if let Some(block) = self.blocks.back_mut() {
            block.add(lasted.as_secs_f64(), utilisation, watts);
        }
    }

    /// Moves a power that is far from the line nearer to it: one wrong window must not tilt the line, and many together do.
    fn drawn_in(&self, watts: f64, utilisation: f64) -> f64 {
        if self.blocks.len() < LEAST_BLOCKS {
            return watts;
        }
        let Some(line) = self.total().fit() else { return watts };
        let expected = line.intercept + line.slope * utilisation;
        let most = (OUTLIER.0 * line.deviation).max(OUTLIER.1 * expected.abs());
        watts.clamp(expected - most, expected + most)
    }

    fn make_room(&mut self) {
        if self.blocks.len() < MOST_BLOCKS {
            return;
        }
        if self.block >= LONGEST_BLOCK {
            self.blocks.pop_front();
            return;
        }
        self.block *= 2;
        let pairs = self.blocks.make_contiguous().chunks(2);
        self.blocks = pairs.map(|pair| pair.iter().copied().sum()).collect();
    }

    fn total(&self) -> Moments {
        self.blocks.iter().copied().sum()
    }

    fn estimate_anew(&self) -> Option<IdleEstimate> {
        if self.blocks.len() < LEAST_BLOCKS {
            return None;
        }
        let total = self.total();
        let all = total.fit()?;
        if all.spread < LEAST_SPREAD.0 {
            return None;
        }
        let mut without = Vec::with_capacity(self.blocks.len());
        for block in &self.blocks {
            without.push(total.without(block).fit()?);
        }
        let of_line = jackknife(without.iter().map(|fit| fit.intercept));
        let of_curvature = jackknife(without.iter().map(|fit| fit.curvature));
        let prior = (PRIOR_CURVATURE * all.slope).powi(2);
        // Between no curvature and the observed curvature.
        let seen = if prior > 0.0 { prior / (prior + of_curvature) } else { 0.0 };
        let curvature = seen * all.curvature;
        let left_open = (seen * of_curvature).max((UNSEEN_CURVATURE * curvature).powi(2));
        let power = all.intercept - all.square_intercept * curvature;
        let error = (of_line + all.square_intercept.powi(2) * left_open).sqrt();
        // Idle power is never above the lowest power of a busy window.
        let power = total.lowest().map_or(power, |lowest| power.min(lowest));
        let is_power = power > 0.0 && error.is_finite();
        is_power.then_some(IdleEstimate { power: Watts(power), standard_error: Watts(error) })
    }
}

/// Variance of a figure, from its values with each block left out.
fn jackknife(values: impl ExactSizeIterator<Item = f64> + Clone) -> f64 {
    let count = values.len() as f64;
    let mean = values.clone().sum::<f64>() / count;
    (count - 1.0) / count * values.map(|value| (value - mean).powi(2)).sum::<f64>()
}
