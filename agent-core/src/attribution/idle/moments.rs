//! Sums over windows of utilisation and power, and the line and parabola that fit them.

use std::iter::Sum;

/// Sums weighted by the length of each window. They can be added and subtracted, so no window is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Moments {
    seconds: f64,
    /// Of the powers 1 to 4 of utilisation.
    utilisation: [f64; 4],
    /// Of power, and of power times utilisation and its square.
    power: [f64; 3],
    power_squared: f64,
    /// The lowest power.
    lowest: Option<f64>,
}

/// The line `intercept + slope · u`, and the additional terms of a parabola.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct PowerCurve {
    pub(super) intercept: f64,
    pub(super) slope: f64,
    /// Standard deviation of power about the line.
    pub(super) deviation: f64,
    /// Standard deviation of utilisation.
    pub(super) spread: f64,
    /// The coefficient of `u²` in the parabola.
    pub(super) curvature: f64,
    /// Intercept of the line through `u²`: the parabola's intercept is the line's, less curvature times this.
    pub(super) square_intercept: f64,
}

impl Moments {
    pub(super) fn seconds(&self) -> f64 {
        self.seconds
    }

    pub(super) fn add(&mut self, seconds: f64, utilisation: f64, watts: f64) {
        let square = utilisation * utilisation;
        let powers = [utilisation, square, square * utilisation, square * square];
        self.seconds += seconds;
        self.power_squared += seconds * watts * watts;
        self.lowest = lower(self.lowest, Some(watts));
        for (sum, power) in self.utilisation.iter_mut().zip(powers) {
            *sum += seconds * power;
        }
        for (sum, power) in self.power.iter_mut().zip([1.0, utilisation, square]) {
            *sum += seconds * watts * power;
        }
    }

    pub(super) fn lowest(&self) -> Option<f64> {
        self.lowest
    }

    /// The sums of all but some of the windows.
    pub(super) fn without(&self, other: &Self) -> Self {
        self.combined(other, -1.0)
    }

    fn combined(&self, other: &Self, sign: f64) -> Self {
        let mut combined = *self;
        combined.seconds += sign * other.seconds;
        combined.power_squared += sign * other.power_squared;
        for (sum, more) in combined.utilisation.iter_mut().zip(other.utilisation) {
            *sum += sign * more;
        }
        for (sum, more) in combined.power.iter_mut().zip(other.power) {
            *sum += sign * more;
        }
        combined
    }

    /// Fits by least squares; `None` where utilisation has so few values that there is no parabola.
    pub(super) fn fit(&self) -> Option<PowerCurve> {
        let mean = |sum: f64| sum / self.seconds;
        let [u, uu, uuu, uuuu] = self.utilisation.map(mean);
        let [y, uy, uuy] = self.power.map(mean);
        let variance = uu - u * u;
        if !(self.seconds > 0.0 && variance > 1e-9) {
            return None;
        }
        let slope = (uy - u * y) / variance;
        let square_slope = (uuu - u * uu) / variance;
        // The part of u² that the line through it does not explain.
        let bend = uuuu - uu * uu - square_slope * square_slope * variance;
        if bend <= 1e-12 {
            return None;
        }
        let curvature = (uuy - uu * y - square_slope * (uy - u * y)) / bend;
        let residual = mean(self.power_squared) - y * y - slope * slope * variance;
        Some(PowerCurve {
            intercept: y - slope * u,
            slope,
            deviation: residual.max(0.0).sqrt(),
            spread: variance.sqrt(),
            curvature,
            square_intercept: uu - square_slope * u,
        })
    }
}

impl Sum for Moments {
    fn sum<I: Iterator<Item = Self>>(moments: I) -> Self {
        moments.fold(Self::default(), |sum, more| Self {
            lowest: lower(sum.lowest, more.lowest),
            ..sum.combined(&more, 1.0)
        })
    }
}

fn lower(one: Option<f64>, other: Option<f64>) -> Option<f64> {
    one.into_iter().chain(other).min_by(f64::total_cmp)
}
