//! Convex hull of settings in bitrate, energy and quality at once: the settings that neither another one nor a mix of others beats.

/// One encode by what it costs and what it yields.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TradeOff {
    /// Megabits a second.
    pub bitrate: f64,
    /// Joules for each frame.
    pub energy: f64,
    /// VMAF.
    pub quality: f64,
}

/// Quality and the negative logarithms of bitrate and energy, each divided by its range: more is better.
type Merits = [f64; 3];

/// The smallest area of weights that counts, of 0.87 for all weights: a smaller one is rounding.
const LEAST_AREA: f64 = 1e-12;

/// Indices of the points on the hull, in their order. Of equal points the first one counts.
///
/// A point is on the hull when there are weights of quality, bitrate and energy by which it alone is the best. By the separation of convex
/// sets (S. Boyd, L. Vandenberghe, "Convex Optimization", 2004, sections 2.5 and 4.7.4), all others are equalled or beaten by a mix, in
/// which the logarithms of bitrate and energy and the quality are weighted means.
pub fn combined_hull(points: &[TradeOff]) -> Vec<usize> {
    let is_known = |point: &TradeOff| {
        let costs = [point.bitrate, point.energy];
        costs.iter().all(|cost| *cost > 0.0 && cost.is_finite()) && point.quality.is_finite()
    };
    let known: Vec<usize> = (0..points.len()).filter(|index| is_known(&points[*index])).collect();
    let merits = merits(known.iter().map(|index| points[*index]));
    let is_on_hull = |own: usize| {
        let is_repeated = merits[..own].contains(&merits[own]);
        !is_repeated && area(&weights_of(own, &merits)) > LEAST_AREA
    };
    (0..known.len()).filter(|own| is_on_hull(*own)).map(|own| known[own]).collect()
}

fn merits(points: impl Iterator<Item = TradeOff>) -> Vec<Merits> {
    let mut all: Vec<Merits> =
        points.map(|point| [point.quality, -point.bitrate.ln(), -point.energy.ln()]).collect();
    for axis in 0..3 {
        let values = || all.iter().map(|merits| merits[axis]);
        let (least, most) =
            (values().fold(f64::INFINITY, f64::min), values().fold(f64::NEG_INFINITY, f64::max));
        let range = if most > least { most - least } else { 1.0 };
        for merits in &mut all {
            merits[axis] = (merits[axis] - least) / range;
        }
    }
    all
}

/// The weights (none negative, with the sum 1) by which no other point is better than this one: a convex polygon, cut out of the triangle
/// of all weights (I. Sutherland, G. Hodgman, "Reentrant polygon clipping", CACM 17, 1974).
fn weights_of(own: usize, merits: &[Merits]) -> Vec<Merits> {
    let mut polygon = vec![[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
    for other in merits {
        let gain: Merits = std::array::from_fn(|axis| other[axis] - merits[own][axis]);
        polygon = cut(&polygon, gain);
    }
    polygon
}

/// The part of a polygon in which the product with the gain is not positive.
fn cut(polygon: &[Merits], gain: Merits) -> Vec<Merits> {
    let value = |corner: &Merits| corner.iter().zip(gain).map(|(weight, gain)| weight * gain).sum::<f64>();
    let mut kept = Vec::with_capacity(polygon.len() + 1);
    for (index, corner) in polygon.iter().enumerate() {
        let next = &polygon[(index + 1) % polygon.len()];
        let (here, there) = (value(corner), value(next));
        if here <= 0.0 {
            kept.push(*corner);
        }
        if (here < 0.0 && there > 0.0) || (here > 0.0 && there < 0.0) {
            let part = here / (here - there);
            kept.push(std::array::from_fn(|axis| corner[axis] + part * (next[axis] - corner[axis])));
        }
    }
    kept
}

fn area(polygon: &[Merits]) -> f64 {
    let Some(first) = polygon.first() else { return 0.0 };
    let from_first = |corner: &Merits| -> Merits { std::array::from_fn(|axis| corner[axis] - first[axis]) };
    let mut sum = [0.0; 3];
    for pair in polygon.windows(2) {
        let (one, other) = (from_first(&pair[0]), from_first(&pair[1]));
        for (axis, sum) in sum.iter_mut().enumerate() {
            let (second, third) = ((axis + 1) % 3, (axis + 2) % 3);
            *sum += one[second] * other[third] - one[third] * other[second];
        }
    }
    sum.iter().map(|part| part * part).sum::<f64>().sqrt() / 2.0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::comparison::difference::OperatingPoint;
    use crate::comparison::hull::convex_hull;

    fn point((bitrate, energy, quality): (f64, f64, f64)) -> TradeOff {
        TradeOff { bitrate, energy, quality }
    }

    fn hull(points: &[(f64, f64, f64)]) -> Vec<usize> {
        combined_hull(&points.iter().copied().map(point).collect::<Vec<_>>())
    }

    const CASES: u32 = if cfg!(miri) { 2 } else { 256 };

    #[test]
    fn a_setting_may_be_on_it_without_being_the_cheapest_in_either_cost() {
        // Few bits, few joules, and something between both that is on neither of the two plane hulls.
        let (few_bits, few_joules) = ((1.0, 100.0, 90.0), (100.0, 1.0, 90.0));
        assert_eq!(hull(&[few_bits, few_joules, (5.0, 5.0, 90.0)]), [0, 1, 2]);
        // More than half way in both logarithms: a mix of the two has less of both.
        assert_eq!(hull(&[few_bits, few_joules, (20.0, 20.0, 90.0)]), [0, 1]);
        // Worse in all than another one.
        assert_eq!(hull(&[(1.0, 1.0, 90.0), (2.0, 2.0, 80.0)]), [0]);
        // More quality for more of both.
        assert_eq!(
            hull(&[(1.0, 1.0, 70.0), (4.0, 4.0, 90.0), (2.0, 2.0, 79.0), (2.0, 2.0, 81.0)]),
            [0, 1, 3]
        );
    }

    #[test]
    fn equal_and_unknown_points() {
        assert_eq!(hull(&[]), [0_usize; 0]);
        assert_eq!(hull(&[(1.0, 1.0, 90.0); 3]), [0]);
        assert_eq!(hull(&[(0.0, 1.0, 90.0), (1.0, -1.0, 90.0), (1.0, 1.0, f64::NAN), (1.0, 1.0, 50.0)]), [3]);
    }

    /// By brute force: whether a mix of up to three points is better than this one by `lead` in everything. The best mix is where two of
    /// the conditions on its weights hold exactly.
    fn is_beaten(points: &[TradeOff], own: usize, lead: f64) -> bool {
        let merits = |point: &TradeOff| [point.quality, -point.bitrate.ln(), -point.energy.ln()];
        let gains: Vec<[f64; 3]> = (0..points.len())
            .filter(|other| *other != own)
            .map(|other| {
                let (other, own) = (merits(&points[other]), merits(&points[own]));
                [0, 1, 2].map(|axis| other[axis] - own[axis] - lead)
            })
            .collect();
        let count = gains.len();
        let triples = (0..count).flat_map(|one| {
            (one..count).flat_map(move |two| (two..count).map(move |three| [one, two, three]))
        });
        triples.into_iter().any(|triple| {
            let [first, second, last] = triple.map(|index| gains[index]);
            // Each condition is one · x + other · y + rest >= 0, for the weights x, y and 1 - x - y.
            let mut conditions = vec![[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [-1.0, -1.0, 1.0]];
            conditions.extend(
                [0, 1, 2].map(|axis| [first[axis] - last[axis], second[axis] - last[axis], last[axis]]),
            );
            let holds = |weights: [f64; 2]| {
                let value = |of: &[f64; 3]| of[0] * weights[0] + of[1] * weights[1] + of[2];
                conditions.iter().all(|condition| value(condition) >= -1e-9)
            };
            let pairs = (0..6).flat_map(|one| (0..one).map(move |other| (one, other)));
            pairs.into_iter().any(|(one, other)| {
                let (one, other): ([f64; 3], [f64; 3]) = (conditions[one], conditions[other]);
                // By Cramer's rule.
                let minor = |left: usize, right: usize| one[left] * other[right] - one[right] * other[left];
                let determinant = minor(0, 1);
                determinant != 0.0 && holds([minor(1, 2) / determinant, minor(2, 0) / determinant])
            })
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(CASES) })]

        #[test]
        fn it_is_what_no_mix_beats(
            points in prop::collection::vec((0.1..20.0, 0.01..10.0, 20.0..100.0), 1..10)
        ) {
            let points: Vec<TradeOff> = points.into_iter().map(point).collect();
            let hull = combined_hull(&points);
            prop_assert!(!hull.is_empty());
            for own in 0..points.len() {
                // Within the tolerance, both answers are right.
                let is_on_it = hull.contains(&own);
                prop_assert!(!(is_on_it && is_beaten(&points, own, 1e-6)), "{own} is on the hull");
                prop_assert!(is_on_it || is_beaten(&points, own, -1e-6), "{own} is not on the hull");
            }
            let plane = |cost: fn(&TradeOff) -> f64| {
                let points: Vec<OperatingPoint> =
                    points.iter().map(|point| OperatingPoint { cost: cost(point), quality: point.quality }).collect();
                convex_hull(&points)
            };
            for own in plane(|point| point.bitrate).into_iter().chain(plane(|point| point.energy)) {
                prop_assert!(hull.contains(&own), "{own} is on a plane hull");
            }
        }
    }
}
