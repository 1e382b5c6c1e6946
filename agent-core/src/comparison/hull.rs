//! Convex hull of operating points: the settings that no mix of others beats, in cost and quality.

use crate::comparison::difference::OperatingPoint;

/// Indices of the points on the upper left hull over the logarithm of the cost, the cheapest first.
///
/// A ladder takes its renditions from this hull (J. De Cock et al., "Complexity-based consistent-quality encoding in the cloud", IEEE
/// ICIP 2016).
pub fn convex_hull(points: &[OperatingPoint]) -> Vec<usize> {
    let is_known =
        |point: &OperatingPoint| point.cost > 0.0 && point.cost.is_finite() && point.quality.is_finite();
    let mut order: Vec<usize> = (0..points.len()).filter(|index| is_known(&points[*index])).collect();
    order.sort_by(|one, other| {
        let (one, other) = (points[*one], points[*other]);
        one.cost.total_cmp(&other.cost).then(other.quality.total_cmp(&one.quality))
    });
    let mut hull: Vec<usize> = Vec::new();
    for index in order {
        // A dearer point that is no better is below the hull.
        if hull.last().is_some_and(|last| points[*last].quality >= points[index].quality) {
            continue;
        }
        while let [.., before, last] = hull[..]
            && !turns_right(points[before], points[last], points[index])
        {
            hull.pop();
        }
        hull.push(index);
    }
    hull
}

/// Whether the middle point is above the line from the first to the last.
fn turns_right(first: OperatingPoint, middle: OperatingPoint, last: OperatingPoint) -> bool {
    let along = |point: OperatingPoint| ((point.cost / first.cost).ln(), point.quality - first.quality);
    let (middle, last) = (along(middle), along(last));
    middle.1 * last.0 > last.1 * middle.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(of: &[(f64, f64)]) -> Vec<OperatingPoint> {
        of.iter().map(|(cost, quality)| OperatingPoint { cost: *cost, quality: *quality }).collect()
    }

    #[test]
    fn a_point_below_the_line_of_its_neighbours_is_no_part_of_it() {
        // In the logarithm, 2 is half way from 1 to 4.
        assert_eq!(convex_hull(&points(&[(4.0, 90.0), (1.0, 70.0), (2.0, 81.0)])), [1, 2, 0]);
        assert_eq!(convex_hull(&points(&[(4.0, 90.0), (1.0, 70.0), (2.0, 79.0)])), [1, 0]);
        assert_eq!(convex_hull(&points(&[(1.0, 70.0), (2.0, 60.0), (1.0, 69.0), (0.0, 99.0)])), [0]);
        assert_eq!(convex_hull(&[]), [0_usize; 0]);
    }
}
