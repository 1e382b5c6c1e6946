//! Rounds the derived figures of a row: a list of hundreds of rows is a third shorter without digits that nothing measured.

/// The nearest number of six significant digits. Energies and CPU times are counted, and are not rounded.
pub(super) fn six_digits(figure: f64) -> f64 {
    // Formatted, as a division by a power of ten has digits again. The text of a number is always a number.
    format!("{figure:.5e}").parse().unwrap_or(figure)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn six_digits_are_left() {
        for (figure, shown) in [
            (0.0, "0.0"),
            (1.0 / 3.0, "0.333333"),
            (2.0 / 3.0 * 1e-9, "6.66667e-10"),
            (1_234_567.0, "1234570.0"),
            (99.999_999, "100.0"),
            (12.5, "12.5"),
        ] {
            assert_eq!(serde_json::to_string(&six_digits(figure)).unwrap(), shown);
        }
        assert!(six_digits(f64::NAN).is_nan());
        assert!(six_digits(f64::INFINITY).is_infinite());
    }

    proptest! {
        #[test]
        fn the_error_is_at_most_half_a_digit(figure in -1e12_f64..1e12) {
            prop_assert!((six_digits(figure) - figure).abs() <= 5.000_001e-6 * figure.abs());
        }
    }
}
