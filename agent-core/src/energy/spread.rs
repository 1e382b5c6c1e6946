//! Median and percentiles of measured powers, and the bound that they give for another system of the same kind.

use crate::units::{Ratio, Watts};

/// Percentiles of few results are narrower than the results to come: with fewer than this many, [`FEW_ERROR`] is the least bound.
const FEW: usize = 10;

/// The least bound of a power that few results show: that of all rows of the table with more results, but for two, is smaller.
const FEW_ERROR: Ratio = Ratio(0.5);

/// The distribution of a power over several systems.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PowerSpread {
    /// Tenth percentile.
    pub low: Watts,
    /// Median.
    pub median: Watts,
    /// Ninetieth percentile.
    pub high: Watts,
    /// Number of systems.
    pub results: usize,
}

impl PowerSpread {
    /// The spread of these powers, to the milliwatt; `None` without any.
    pub fn of(powers: impl IntoIterator<Item = Watts>) -> Option<Self> {
        let mut powers: Vec<f64> = powers.into_iter().map(|power| power.0).collect();
        powers.sort_by(f64::total_cmp);
        let at = |part: f64| Some(Watts((quantile(&powers, part)? * 1e3).round() / 1e3));
        Some(Self { low: at(0.1)?, median: at(0.5)?, high: at(0.9)?, results: powers.len() })
    }

    /// The bound of the relative error of the median: the distance to the farther one of the two percentiles, because one figure bounds
    /// both sides.
    pub fn error(&self) -> Ratio {
        let farther = (self.high.0 - self.median.0).max(self.median.0 - self.low.0);
        let error = Ratio(farther / self.median.0);
        if self.results < FEW && error < FEW_ERROR { FEW_ERROR } else { error }
    }
}

/// The value below which this part of sorted values lies, interpolated between neighbours; `None` without values.
pub fn quantile(sorted: &[f64], part: f64) -> Option<f64> {
    let position = sorted.len().checked_sub(1)? as f64 * part.clamp(0.0, 1.0);
    let below = sorted.get(position.floor() as usize)?;
    let above = sorted.get(position.ceil() as usize)?;
    Some(below + (above - below) * position.fract())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watts(powers: &[f64]) -> Vec<Watts> {
        powers.iter().copied().map(Watts).collect()
    }

    #[test]
    fn quantiles_lie_between_their_neighbours() {
        assert_eq!(quantile(&[], 0.5), None);
        assert_eq!(quantile(&[3.0], 0.9), Some(3.0));
        assert_eq!(quantile(&[1.0, 2.0, 4.0], 0.5), Some(2.0));
        assert_eq!(quantile(&[1.0, 2.0, 4.0], 0.75), Some(3.0));
    }

    #[test]
    fn the_bound_reaches_the_farther_percentile() {
        let eleven: Vec<f64> = (0..=10).map(|step| 10.0 + f64::from(step * step) / 10.0).collect();
        let spread = PowerSpread::of(watts(&eleven)).unwrap();
        assert_eq!((spread.low, spread.median, spread.high), (Watts(10.1), Watts(12.5), Watts(18.1)));
        assert!((spread.error().0 - 5.6 / 12.5).abs() < 1e-9, "{spread:?}");
    }

    #[test]
    fn few_results_have_a_wide_bound() {
        let spread = PowerSpread::of(watts(&[4.33, 4.37])).unwrap();
        assert_eq!((spread.median, spread.error()), (Watts(4.35), FEW_ERROR));
        assert!(PowerSpread::of(watts(&[1.0, 2.0, 9.0])).unwrap().error() > FEW_ERROR);
        assert_eq!(PowerSpread::of([]), None);
    }
}
