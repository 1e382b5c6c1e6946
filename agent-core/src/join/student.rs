//! Quantiles of Student's t distribution, for 95 % intervals of means and predictions.

/// 97.5 % quantiles by degrees of freedom, from 1 on (NIST/SEMATECH e-Handbook of Statistical Methods, 1.3.6.7.2).
const QUANTILES: [f64; 15] = [
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
];

/// The normal distribution's, for more degrees of freedom than the table has.
const NORMAL: f64 = 1.960;

/// The 97.5 % quantile; `None` without a degree of freedom.
pub(crate) fn quantile(freedom: usize) -> Option<f64> {
    let index = freedom.checked_sub(1)?;
    Some(QUANTILES.get(index).copied().unwrap_or(NORMAL))
}
