//! Finds the time at which the values of a series changed, by Pettitt's test.
//!
//! A. N. Pettitt, "A non-parametric approach to the change-point problem", Applied Statistics 28, 1979. The test compares ranks, so that
//! neither single outliers nor the distribution of the values matter. It supposes values that are independent of each other.

/// The most likely change of a series.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ChangePoint {
    /// Index of the first value after the change.
    pub index: usize,
    /// Median before.
    pub before: f64,
    /// Median after.
    pub after: f64,
    /// Probability of such a change, or a clearer one, in a series without a change. Approximate, and at most 1.
    pub probability: f64,
}

/// The most likely change; `None` with fewer than two values, with equal values only, or with values that are not numbers.
pub fn change_point(values: &[f64]) -> Option<ChangePoint> {
    let count = values.len() as f64;
    if values.len() < 2 || values.iter().any(|value| value.is_nan()) {
        return None;
    }
    let mut statistic = (0, 0.0_f64);
    let mut sum = 0.0;
    let ranks = ranks(values);
    for (index, rank) in ranks.iter().enumerate().take(values.len() - 1) {
        sum += rank;
        let after = (index + 1) as f64;
        let u = 2.0 * sum - after * (count + 1.0);
        if u.abs() > statistic.1 {
            statistic = (index + 1, u.abs());
        }
    }
    let (index, most) = statistic;
    let (before, after) = (median(values.get(..index)?)?, median(values.get(index..)?)?);
    // The approximation of the paper for both directions.
    let probability = (2.0 * (-6.0 * most * most / (count.powi(3) + count.powi(2))).exp()).min(1.0);
    Some(ChangePoint { index, before, after, probability })
}

/// Ranks from 1 on; equal values share the mean of theirs.
fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|one, other| values[*one].total_cmp(&values[*other]));
    let mut ranks = vec![0.0; values.len()];
    let mut place = 0;
    for equal in order.chunk_by(|one, other| values[*one].total_cmp(&values[*other]).is_eq()) {
        let mean = place as f64 + f64::midpoint(equal.len() as f64, 1.0);
        for index in equal {
            ranks[*index] = mean;
        }
        place += equal.len();
    }
    ranks
}

/// The median; `None` without a value.
pub fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let upper = *sorted.get(sorted.len() / 2)?;
    let lower = *sorted.get((sorted.len() - 1) / 2)?;
    Some(f64::midpoint(lower, upper))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CASES: u32 = if cfg!(miri) { 2 } else { 256 };

    #[test]
    fn a_step_is_found_where_it_is() {
        let series = [5.0, 5.2, 4.9, 5.1, 5.0, 4.8, 5.3, 5.1, 6.0, 5.9, 6.2, 6.1, 5.8, 6.0, 6.3, 5.9];
        let found = change_point(&series).unwrap();
        assert_eq!(found.index, 8);
        assert!((found.before - 5.05).abs() < 1e-12 && (found.after - 6.0).abs() < 1e-12, "{found:?}");
        // K = 8 · 8: 2 · exp(-6 · 64² / (16³ + 16²))
        assert!((found.probability - 2.0 * (-24_576.0_f64 / 4352.0).exp()).abs() < 1e-12, "{found:?}");
    }

    #[test]
    fn series_without_a_change() {
        assert_eq!(change_point(&[]), None);
        assert_eq!(change_point(&[1.0]), None);
        assert_eq!(change_point(&[1.0; 20]), None);
        assert_eq!(change_point(&[1.0, f64::NAN, 2.0]), None);
        let alternating: Vec<f64> = (0..40).map(|index| f64::from(index % 2)).collect();
        assert!(change_point(&alternating).unwrap().probability > 0.5);
        // One outlier is no change, whatever its size.
        let mut outlier = [5.0, 5.1, 4.9, 5.0, 5.2, 4.8, 5.1, 5.0, 4.9, 5.1];
        outlier[9] = 1e9;
        assert!(change_point(&outlier).unwrap().probability > 0.5);
    }

    #[test]
    fn equal_values_share_their_rank_and_medians_are_in_the_middle() {
        assert_eq!(ranks(&[3.0, 1.0, 3.0, 2.0]), [3.5, 1.0, 3.5, 2.0]);
        assert_eq!(
            (median(&[3.0, 1.0, 2.0]), median(&[1.0, 2.0]), median(&[])),
            (Some(2.0), Some(1.5), None)
        );
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(CASES) })]

        /// By its definition: the sum of the signs of all pairs of values before and after.
        #[test]
        fn the_statistic_is_that_of_the_pairs(values in prop::collection::vec(0_u8..20, 2..40)) {
            let statistic = |at: usize| {
                let pairs = values[..at].iter().flat_map(|one| values[at..].iter().map(move |other| (one, other)));
                pairs.map(|(one, other)| i64::from(one.cmp(other) as i8)).sum::<i64>().abs()
            };
            let most = (1..values.len()).map(statistic).max().unwrap();
            let series: Vec<f64> = values.iter().copied().map(f64::from).collect();
            match change_point(&series) {
                None => prop_assert_eq!(most, 0),
                Some(found) => {
                    prop_assert_eq!(statistic(found.index), most);
                    let (count, most) = (values.len() as f64, most as f64);
                    let expected = 2.0 * (-6.0 * most * most / (count.powi(3) + count.powi(2))).exp();
                    prop_assert!((found.probability - expected.min(1.0)).abs() < 1e-12);
                }
            }
        }
    }
}
