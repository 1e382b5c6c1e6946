//! Means of repeated measurements, with their 95 % intervals.

use crate::join::student;

/// A mean, and how well it is known.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The mean.
    pub mean: f64,
    /// Half of the 95 % interval; `None` where a single measurement says nothing about it.
    pub margin: Option<f64>,
}

impl Estimate {
    /// The mean of repeats, with the interval of a mean of normal values of unknown deviation. `None` without a value.
    pub fn of(values: &[f64]) -> Option<Self> {
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let square = |value: &f64| (value - mean).powi(2);
        let margin = student::quantile(values.len().saturating_sub(1)).map(|quantile| {
            let deviation = (values.iter().map(square).sum::<f64>() / (count - 1.0)).sqrt();
            quantile * deviation / count.sqrt()
        });
        mean.is_finite().then_some(Self { mean, margin })
    }

    /// The difference to another quantity, whose errors are independent.
    #[must_use]
    pub fn less(self, other: Self) -> Self {
        let margin = self.margin.zip(other.margin).map(|(one, other)| one.hypot(other));
        Self { mean: self.mean - other.mean, margin }
    }

    /// The mean of several quantities, whose errors are independent. `None` without one.
    pub fn mean_of(all: &[Self]) -> Option<Self> {
        let count = all.len() as f64;
        let margin =
            all.iter().map(|estimate| estimate.margin.map(|margin| margin.powi(2))).sum::<Option<f64>>();
        let mean = all.iter().map(|estimate| estimate.mean).sum::<f64>() / count;
        mean.is_finite().then_some(Self { mean, margin: margin.map(|squares| squares.sqrt() / count) })
    }

    /// Whether the intervals have no value in common; `None` where one is not known.
    pub fn differs_from(self, other: Self) -> Option<bool> {
        Some((self.mean - other.mean).abs() > self.margin? + other.margin?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_of_a_mean_is_students() {
        let estimate = Estimate::of(&[9.0, 10.0, 11.0]).unwrap();
        // 4.303 · 1 / √3
        assert!((estimate.mean - 10.0).abs() < 1e-12 && (estimate.margin.unwrap() - 2.484_338).abs() < 1e-5);
        assert_eq!(Estimate::of(&[7.0]), Some(Estimate { mean: 7.0, margin: None }));
        assert_eq!(Estimate::of(&[]), None);
    }

    #[test]
    fn errors_add_in_squares_and_unknown_ones_stay_unknown() {
        let of = |mean, margin| Estimate { mean, margin };
        // The last digit of `hypot` and `powi` differs by platform (<https://doc.rust-lang.org/std/primitive.f64.html>).
        let near = |found: Estimate, mean: f64, margin: f64| {
            (found.mean - mean).abs() < 1e-12 && (found.margin.unwrap() - margin).abs() < 1e-12
        };
        let difference = of(10.0, Some(3.0)).less(of(1.0, Some(4.0)));
        assert!(near(difference, 9.0, 5.0), "{difference:?}");
        assert_eq!(of(10.0, Some(3.0)).less(of(1.0, None)), of(9.0, None));
        let mean = Estimate::mean_of(&[of(10.0, Some(3.0)), of(20.0, Some(4.0))]).unwrap();
        assert!(near(mean, 15.0, 2.5), "{mean:?}");
        assert_eq!(Estimate::mean_of(&[]), None);
    }

    #[test]
    fn intervals_that_touch_are_not_told_apart() {
        let of = |mean, margin| Estimate { mean, margin };
        assert_eq!(of(10.0, Some(1.0)).differs_from(of(12.5, Some(1.0))), Some(true));
        assert_eq!(of(10.0, Some(1.0)).differs_from(of(12.0, Some(1.0))), Some(false));
        assert_eq!(of(10.0, Some(1.0)).differs_from(of(90.0, None)), None);
    }
}
