//! Forecasts the sum of a period from its part so far and the values of days.

use crate::comparison::estimate::Estimate;
use crate::join::student;

/// What the whole period has: the part so far, and the rest at the mean of the days, with the 95 % interval of that rest.
///
/// The interval is that of a sum of further values of the same normal distribution, which are independent of each other (G. J. Hahn,
/// W. Q. Meeker, "Statistical Intervals", Wiley, 1991). Weekdays and trends are not in it. `rest` is the number of days left, as a
/// fraction. `None` without a day; the margin is not known with a single one.
pub fn forecast(so_far: f64, days: &[f64], rest: f64) -> Option<Estimate> {
    let count = days.len() as f64;
    let mean = days.iter().sum::<f64>() / count;
    let square = |value: &f64| (value - mean).powi(2);
    let margin = student::quantile(days.len().saturating_sub(1)).map(|quantile| {
        let deviation = (days.iter().map(square).sum::<f64>() / (count - 1.0)).sqrt();
        quantile * deviation * (rest * rest / count + rest).sqrt()
    });
    mean.is_finite().then_some(Estimate { mean: so_far + rest * mean, margin })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rest_at_the_mean_of_the_days() {
        let found = forecast(50.0, &[9.0, 10.0, 11.0], 4.0).unwrap();
        // 4.303 · 1 · √(16 / 3 + 4)
        assert!(
            (found.mean - 90.0).abs() < 1e-12 && (found.margin.unwrap() - 13.1458).abs() < 1e-3,
            "{found:?}"
        );
        assert_eq!(forecast(50.0, &[9.0, 10.0], 0.0), Some(Estimate { mean: 50.0, margin: Some(0.0) }));
        assert_eq!(forecast(50.0, &[10.0], 2.0), Some(Estimate { mean: 70.0, margin: None }));
        assert_eq!(forecast(50.0, &[], 2.0), None);
    }
}
