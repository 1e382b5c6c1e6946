//! Splits a whole number by weights, so that the parts sum to it exactly: the method of the largest remainder.

use std::cmp::Reverse;

/// Splits `total` in proportion to `weights` by the largest-remainder method (Hamilton's): each weight gets the whole part of
/// its quota, and the units that are left go, one each, to the largest remainders; ties to the first weight.
///
/// The parts sum to `total`, each is within one of its exact quota, and a weight of 0 gets 0. `None` when no weight is
/// above 0.
pub fn apportion(total: u64, weights: &[u64]) -> Option<Vec<u64>> {
    let sum: u128 = weights.iter().map(|weight| u128::from(*weight)).sum();
    if sum == 0 {
        return None;
    }
    let mut parts = Vec::with_capacity(weights.len());
    let mut remainders = Vec::with_capacity(weights.len());
    let mut given = 0;
    for (index, weight) in weights.iter().enumerate() {
        let product = u128::from(total) * u128::from(*weight);
        // At most `total`, because no weight is above the sum.
        let part = (product / sum) as u64;
        given += part;
        parts.push(part);
        remainders.push((Reverse(product % sum), index));
    }
    // Fewer than there are remainders above 0, so a weight of 0 stays at 0.
    let left = (total - given) as usize;
    if left > 0 {
        remainders.select_nth_unstable(left - 1);
        for (_, index) in &remainders[..left] {
            parts[*index] += 1;
        }
    }
    Some(parts)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::few;

    #[test]
    fn rounding_by_largest_remainder() {
        let table: [(u64, &[u64], &[u64]); 6] = [
            (10, &[1, 1, 1], &[4, 3, 3]),
            (100, &[1, 2, 4], &[14, 29, 57]),
            (1, &[1, 1, 1], &[1, 0, 0]),
            (7, &[0, 5, 0], &[0, 7, 0]),
            (0, &[3, 4], &[0, 0]),
            (u64::MAX, &[u64::MAX, u64::MAX], &[u64::MAX / 2 + 1, u64::MAX / 2]),
        ];
        for (total, weights, parts) in table {
            assert_eq!(apportion(total, weights).as_deref(), Some(parts), "{total} by {weights:?}");
        }
        assert_eq!(apportion(5, &[]), None);
        assert_eq!(apportion(5, &[0, 0]), None);
    }

    proptest! {
        #[test]
        fn parts_sum_to_the_whole_and_are_within_one_of_the_quota(
            total: u64,
            weights in prop::collection::vec(prop_oneof![Just(0), 1..1000u64, any::<u64>()], 1..few(200)),
        ) {
            prop_assume!(weights.iter().any(|weight| *weight > 0));
            let parts = apportion(total, &weights).unwrap();
            let sum: u128 = parts.iter().map(|part| u128::from(*part)).sum();
            prop_assert_eq!(sum, u128::from(total));
            let whole: u128 = weights.iter().map(|weight| u128::from(*weight)).sum();
            for (part, weight) in parts.iter().zip(&weights) {
                let floor = u128::from(total) * u128::from(*weight) / whole;
                prop_assert!(u128::from(*part) == floor || u128::from(*part) == floor + 1);
                prop_assert!(*weight > 0 || *part == 0);
            }
        }

        #[test]
        fn more_weight_never_gets_less(total: u64, mut weights in prop::collection::vec(0..100_000u64, 2..few(50))) {
            prop_assume!(weights.iter().any(|weight| *weight > 0));
            weights.sort_unstable_by(|a, b| b.cmp(a));
            let parts = apportion(total, &weights).unwrap();
            prop_assert!(parts.is_sorted_by(|a, b| a >= b), "{weights:?} -> {parts:?}");
        }
    }
}
