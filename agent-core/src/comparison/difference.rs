//! Computes Bjøntegaard differences of two encoders: in cost (bitrate, energy, money) at equal quality, or in quality at equal cost.
//!
//! G. Bjøntegaard, "Calculation of average PSNR differences between RD-curves", ITU-T VCEG-M33, 2001; with piecewise interpolation as in
//! JCTVC-L1100 and C. Herglotz et al., "The Bjøntegaard Bible", IEEE TIP 2024 (<https://arxiv.org/abs/2304.12852>).

use crate::comparison::interpolation::{Interpolation, Slopes};

/// One encode: its quality, and its cost in any unit, the same for both encoders.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OperatingPoint {
    /// Bitrate, joules for each frame, or money; more than 0.
    pub cost: f64,
    /// VMAF or PSNR.
    pub quality: f64,
}

/// A mean difference, and what it is based on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Difference {
    /// For cost: a ratio less 1, so −0.2 is a fifth less. For quality: in its own unit.
    pub mean: f64,
    /// The part of both curves' whole range that they have in common.
    pub overlap: f64,
}

/// Reason why there is no difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoDifference {
    /// A curve has fewer than two points.
    #[error("fewer than two encodes")]
    TooFew,
    /// Two points of a curve have the same place on the axis, or one has no logarithm.
    #[error("two encodes are equal")]
    Equal,
    /// The curves have no part in common.
    #[error("nothing in common")]
    NoOverlap,
    /// The figures of the curves have different origins.
    #[error("not comparable")]
    Unlike,
}

/// Mean relative difference in cost of `test` against `anchor` at equal quality: BD-rate for bitrates, BD-energy for joules.
pub fn cost_difference(
    anchor: &[OperatingPoint],
    test: &[OperatingPoint],
    slopes: Slopes,
) -> Result<Difference, NoDifference> {
    let by_quality = |point: &OperatingPoint| (point.quality, point.cost.ln());
    let logarithms = difference(anchor, test, slopes, by_quality)?;
    Ok(Difference { mean: logarithms.mean.exp_m1(), ..logarithms })
}

/// Mean difference in quality of `test` against `anchor` at equal cost.
pub fn quality_difference(
    anchor: &[OperatingPoint],
    test: &[OperatingPoint],
    slopes: Slopes,
) -> Result<Difference, NoDifference> {
    difference(anchor, test, slopes, |point| (point.cost.ln(), point.quality))
}

fn difference(
    anchor: &[OperatingPoint],
    test: &[OperatingPoint],
    slopes: Slopes,
    axes: impl Fn(&OperatingPoint) -> (f64, f64),
) -> Result<Difference, NoDifference> {
    let curve = |points: &[OperatingPoint]| {
        if points.len() < 2 {
            return Err(NoDifference::TooFew);
        }
        Interpolation::through(points.iter().map(&axes).collect(), slopes).ok_or(NoDifference::Equal)
    };
    let (anchor, test) = (curve(anchor)?, curve(test)?);
    let (anchor_range, test_range) = (anchor.range(), test.range());
    let (from, to) = (anchor_range.0.max(test_range.0), anchor_range.1.min(test_range.1));
    if from >= to {
        return Err(NoDifference::NoOverlap);
    }
    let mean = (test.integral(from, to) - anchor.integral(from, to)) / (to - from);
    let whole = anchor_range.1.max(test_range.1) - anchor_range.0.min(test_range.0);
    Ok(Difference { mean, overlap: (to - from) / whole })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANCHOR: [(f64, f64); 4] = [(1200.0, 71.2), (2300.0, 82.9), (4100.0, 90.4), (8300.0, 95.1)];
    const BETTER: [(f64, f64); 5] =
        [(700.0, 70.3), (1400.0, 83.5), (2600.0, 91.7), (5200.0, 95.9), (9900.0, 97.6)];
    const UNEVEN: [(f64, f64); 4] = [(1500.0, 80.0), (2500.0, 80.4), (3500.0, 91.0), (5000.0, 91.2)];
    const CROSSING: [(f64, f64); 6] =
        [(900.0, 70.0), (1500.0, 75.0), (2100.0, 80.0), (3300.0, 85.0), (4600.0, 90.0), (7000.0, 95.0)];

    fn points(of: &[(f64, f64)]) -> Vec<OperatingPoint> {
        of.iter().map(|(cost, quality)| OperatingPoint { cost: *cost, quality: *quality }).collect()
    }

    /// By the Python package `bjontegaard` 1.3.0: `bd_rate` (in percent) and `bd_psnr`, with `min_overlap=0`.
    #[test]
    fn differences_are_those_of_the_reference_implementation() {
        let table = [
            (&BETTER[..], Slopes::Pchip, -42.384_326_229_285_605, 5.848_446_537_028_472),
            (&UNEVEN, Slopes::Pchip, 4.484_185_093_017_623, -0.026_019_371_616_892_09),
            (&CROSSING, Slopes::Pchip, 9.609_260_312_186_54, -1.331_028_230_204_498_5),
            (&BETTER, Slopes::Akima, -42.068_247_851_190_996, 5.864_113_866_456_902),
            (&UNEVEN, Slopes::Akima, 4.320_541_416_737_056, -0.270_343_145_629_698_86),
            (&CROSSING, Slopes::Akima, 9.265_128_971_940_095, -1.331_471_704_789_833_2),
        ];
        for (test, slopes, rate, quality) in table {
            let (anchor, test) = (points(&ANCHOR), points(test));
            let ours = cost_difference(&anchor, &test, slopes).unwrap().mean * 100.0;
            assert!((ours - rate).abs() < 1e-6, "{slopes:?}: {ours} %, reference {rate} %");
            let ours = quality_difference(&anchor, &test, slopes).unwrap().mean;
            assert!((ours - quality).abs() < 1e-6, "{slopes:?}: {ours}, reference {quality}");
        }
    }

    #[test]
    fn a_curve_differs_from_itself_by_nothing_and_from_a_dearer_one_by_its_price() {
        let (anchor, dearer) =
            (points(&ANCHOR), points(&ANCHOR.map(|(cost, quality)| (cost * 1.25, quality))));
        for slopes in [Slopes::Pchip, Slopes::Akima] {
            let same = cost_difference(&anchor, &anchor, slopes).unwrap();
            assert!(same.mean.abs() < 1e-12 && (same.overlap - 1.0).abs() < 1e-12, "{same:?}");
            let more = cost_difference(&anchor, &dearer, slopes).unwrap();
            assert!((more.mean - 0.25).abs() < 1e-12, "{more:?}");
            let less = cost_difference(&dearer, &anchor, slopes).unwrap();
            assert!((less.mean + 0.2).abs() < 1e-12, "{less:?}");
        }
    }

    #[test]
    fn curves_without_a_difference_say_why() {
        let (anchor, one) = (points(&ANCHOR), points(&ANCHOR[..1]));
        let of = |test: &[OperatingPoint]| cost_difference(&anchor, test, Slopes::Pchip).unwrap_err();
        assert_eq!(of(&one), NoDifference::TooFew);
        assert_eq!(of(&points(&[(1.0, 80.0), (2.0, 80.0)])), NoDifference::Equal);
        assert_eq!(of(&points(&[(0.0, 80.0), (2.0, 81.0)])), NoDifference::Equal);
        assert_eq!(of(&points(&[(1.0, 96.0), (2.0, 97.0)])), NoDifference::NoOverlap);
    }
}
