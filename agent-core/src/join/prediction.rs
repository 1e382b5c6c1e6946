//! Predicts the power of more streams by regression over a run's scenarios.
//!
//! Least squares of mean power over the number of streams: a line for up to five different numbers, a parabola for more, as
//! upstream had it. The interval is that of a single new observation at 95 % under normal residuals (any text on linear
//! regression; for the parabola the leverage term is left at the mean's, which is exact in the middle and narrow at the ends).

use crate::join::student;
use crate::units::Watts;

/// Distinct numbers of streams from which on a parabola is fitted.
const PARABOLA_FROM: usize = 6;

/// Fewest observations for a prediction: a line through two points has no residual.
const FEWEST: usize = 3;

/// A scenario's power by number of streams.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Observation {
    /// Number of simultaneous encodes.
    pub(super) streams: u32,
    /// Mean power.
    pub(super) power: Watts,
}

/// A fitted curve.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Model {
    /// Coefficients of 1, x, x².
    coefficients: [f64; 3],
    /// Half of the interval's width.
    margin: Watts,
}

/// Predicted power, with its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Prediction {
    /// Mean power.
    pub(super) power: Watts,
    /// The lower end of the 95 % interval.
    pub(super) low: Watts,
    /// Its upper end.
    pub(super) high: Watts,
}

impl Model {
    /// Fits a curve; `None` when there are too few observations.
    pub(super) fn fit(observations: &[Observation]) -> Option<Self> {
        let mut numbers: Vec<u32> = observations.iter().map(|observation| observation.streams).collect();
        numbers.sort_unstable();
        numbers.dedup();
        if observations.len() < FEWEST || numbers.len() < 2 {
            return None;
        }
        let terms = if numbers.len() < PARABOLA_FROM { 2 } else { 3 };
        let coefficients = solve(observations, terms)?;
        let model = Self { coefficients, margin: Watts(0.0) };
        let freedom = observations.len().checked_sub(terms).filter(|freedom| *freedom > 0)?;
        let residual =
            |observation: &Observation| (observation.power.0 - model.at(observation.streams)).powi(2);
        let spread = (observations.iter().map(residual).sum::<f64>() / freedom as f64).sqrt();
        let widened = spread * (1.0 + 1.0 / observations.len() as f64).sqrt();
        Some(Self { margin: Watts(student::quantile(freedom)? * widened), ..model })
    }

    /// Predicts the power of this many streams.
    pub(super) fn predict(&self, streams: u32) -> Prediction {
        let power = self.at(streams).max(0.0);
        Prediction {
            power: Watts(power),
            low: Watts((power - self.margin.0).max(0.0)),
            high: Watts(power + self.margin.0),
        }
    }

    fn at(&self, streams: u32) -> f64 {
        let [constant, slope, curve] = self.coefficients;
        let x = f64::from(streams);
        constant + slope * x + curve * x * x
    }
}

/// Solves the normal equations by Gaussian elimination with the largest pivot.
fn solve(observations: &[Observation], terms: usize) -> Option<[f64; 3]> {
    let mut rows = [[0.0_f64; 4]; 3];
    for observation in observations {
        let x = f64::from(observation.streams);
        let powers = [1.0, x, x * x];
        for (row, by) in rows.iter_mut().zip(powers) {
            for (cell, power) in row.iter_mut().zip(powers) {
                *cell += by * power;
            }
            row[3] += by * observation.power.0;
        }
    }
    let rows = rows.get_mut(..terms)?;
    for column in 0..terms {
        let size = |row: &[f64; 4]| row[column].abs();
        let best = (column..terms).max_by(|one, other| size(&rows[*one]).total_cmp(&size(&rows[*other])))?;
        rows.swap(column, best);
        let pivot = rows[column];
        if pivot[column].abs() < 1e-12 {
            return None;
        }
        for (index, row) in rows.iter_mut().enumerate() {
            if index != column {
                let factor = row[column] / pivot[column];
                row.iter_mut().zip(pivot).for_each(|(cell, of_pivot)| *cell -= factor * of_pivot);
            }
        }
    }
    let mut coefficients = [0.0; 3];
    for (index, row) in rows.iter().enumerate() {
        coefficients[index] = row[3] / row[index];
    }
    coefficients.iter().all(|coefficient| coefficient.is_finite()).then_some(coefficients)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn observed(points: &[(u32, f64)]) -> Vec<Observation> {
        points
            .iter()
            .map(|(streams, watts)| Observation { streams: *streams, power: Watts(*watts) })
            .collect()
    }

    fn near(found: Watts, expected: f64) {
        assert!((found.0 - expected).abs() < 1e-6, "{found:?} is not {expected}");
    }

    #[test]
    fn a_line_through_what_lies_on_one() {
        let model = Model::fit(&observed(&[(1, 12.0), (2, 14.0), (4, 18.0)])).unwrap();
        let prediction = model.predict(8);
        near(prediction.power, 26.0);
        near(prediction.low, 26.0);
        near(prediction.high, 26.0);
    }

    #[test]
    fn a_parabola_from_six_numbers_on() {
        let square = |x: u32| (x, 5.0 + f64::from(x) + 0.5 * f64::from(x * x));
        let model = Model::fit(&observed(&[1, 2, 3, 4, 6, 8].map(square))).unwrap();
        near(model.predict(10).power, 65.0);
    }

    #[test]
    fn scatter_widens_the_interval_and_power_is_never_negative() {
        let model = Model::fit(&observed(&[(1, 10.0), (2, 22.0), (3, 28.0), (4, 41.0)])).unwrap();
        let prediction = model.predict(2);
        assert!(prediction.low < prediction.power && prediction.power < prediction.high);
        let falling = Model::fit(&observed(&[(1, 10.0), (2, 5.0), (3, 1.0)])).unwrap();
        near(falling.predict(50).power, 0.0);
    }

    #[test]
    fn too_little_is_no_model() {
        assert_eq!(Model::fit(&[]), None);
        assert_eq!(Model::fit(&observed(&[(1, 10.0), (2, 20.0)])), None);
        assert_eq!(Model::fit(&observed(&[(2, 10.0), (2, 11.0), (2, 12.0)])), None);
        assert_eq!(Model::fit(&observed(&[(1, f64::NAN), (2, 1.0), (3, 1.0)])), None);
    }
}
