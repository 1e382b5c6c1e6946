//! Interpolates a curve through measured points by cubic polynomials, piece by piece, and integrates it exactly.
//!
//! Two ways to choose the slopes at the points. Neither swings between points as one polynomial through all of them does:
//!
//! * *PCHIP* (F. N. Fritsch, J. Butland, "A method for constructing local monotone piecewise cubic interpolants", SIAM J. Sci. Stat.
//!   Comput. 5, 1984): monotone where the points are.
//! * *Akima* (H. Akima, "A new method of interpolation and smooth curve fitting based on local procedures", J. ACM 17, 1970).

/// Rule for the slopes at the points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slopes {
    /// Monotone piecewise cubics.
    Pchip,
    /// Akima's.
    Akima,
}

/// Share of the largest change of slope below which a change is none, so that noise of the last digits decides nothing.
const FLAT: f64 = 1e-9;

/// A smooth function through points of ascending, distinct `x`.
#[derive(Clone, Debug, PartialEq)]
pub struct Interpolation {
    points: Vec<(f64, f64)>,
    slopes: Vec<f64>,
}

impl Interpolation {
    /// `None` with fewer than two points, with two points of the same `x`, or with figures that are not finite.
    pub fn through(mut points: Vec<(f64, f64)>, slopes: Slopes) -> Option<Self> {
        let are_finite = points.iter().all(|(x, y)| x.is_finite() && y.is_finite());
        points.sort_by(|one, other| one.0.total_cmp(&other.0));
        if !are_finite || points.len() < 2 || points.windows(2).any(|pair| pair[0].0 >= pair[1].0) {
            return None;
        }
        let widths: Vec<f64> = points.windows(2).map(|pair| pair[1].0 - pair[0].0).collect();
        let secants: Vec<f64> =
            points.windows(2).zip(&widths).map(|(pair, width)| (pair[1].1 - pair[0].1) / width).collect();
        let slopes = match (slopes, &secants[..]) {
            (_, [only]) => vec![*only; 2],
            (Slopes::Pchip, _) => pchip(&widths, &secants),
            (Slopes::Akima, _) => akima(&secants),
        };
        Some(Self { points, slopes })
    }

    /// The first and the last `x`.
    pub fn range(&self) -> (f64, f64) {
        (self.points[0].0, self.points[self.points.len() - 1].0)
    }

    /// The integral between two `x` within the range.
    pub fn integral(&self, from: f64, to: f64) -> f64 {
        let pieces = self.points.windows(2).zip(self.slopes.windows(2));
        pieces.map(|(points, slopes)| piece(points, slopes, from, to)).sum()
    }
}

/// Part of the integral over one piece.
fn piece(points: &[(f64, f64)], slopes: &[f64], from: f64, to: f64) -> f64 {
    let ((begin, first), (end, last)) = (points[0], points[1]);
    let (from, to) = (from.max(begin), to.min(end));
    if from >= to {
        return 0.0;
    }
    let width = end - begin;
    let secant = (last - first) / width;
    // y = first + slope·t + square·t² + cube·t³, from the begin of the piece.
    let square = (3.0 * secant - 2.0 * slopes[0] - slopes[1]) / width;
    let cube = (slopes[0] + slopes[1] - 2.0 * secant) / (width * width);
    let until = |x: f64| {
        let t = x - begin;
        t * (first + t * (slopes[0] / 2.0 + t * (square / 3.0 + t * cube / 4.0)))
    };
    until(to) - until(from)
}

/// Slopes of Fritsch and Butland: the weighted harmonic mean of the neighbouring secants, and 0 at a turn.
fn pchip(widths: &[f64], secants: &[f64]) -> Vec<f64> {
    let inner = widths.windows(2).zip(secants.windows(2)).map(|(widths, secants)| {
        if secants[0] * secants[1] <= 0.0 {
            return 0.0;
        }
        let (one, other) = (2.0 * widths[1] + widths[0], widths[1] + 2.0 * widths[0]);
        (one + other) / (one / secants[0] + other / secants[1])
    });
    let last = secants.len() - 1;
    let begin = at_end([widths[0], widths[1]], [secants[0], secants[1]]);
    let end = at_end([widths[last], widths[last - 1]], [secants[last], secants[last - 1]]);
    [begin].into_iter().chain(inner).chain([end]).collect()
}

/// Slope at an end, by the three points there, without a turn that the points do not have.
fn at_end(widths: [f64; 2], secants: [f64; 2]) -> f64 {
    let slope =
        ((2.0 * widths[0] + widths[1]) * secants[0] - widths[0] * secants[1]) / (widths[0] + widths[1]);
    if slope * secants[0] <= 0.0 {
        0.0
    } else if secants[0] * secants[1] <= 0.0 && slope.abs() > 3.0 * secants[0].abs() {
        3.0 * secants[0]
    } else {
        slope
    }
}

/// Akima's slopes: the neighbouring secants, weighted by how much the other side bends.
fn akima(secants: &[f64]) -> Vec<f64> {
    // Two secants more at each end, on a parabola.
    let [first, second] = [secants[0], secants[1]];
    let [last, before] = [secants[secants.len() - 1], secants[secants.len() - 2]];
    let mut all = vec![3.0 * first - 2.0 * second, 2.0 * first - second];
    all.extend(secants);
    all.extend([2.0 * last - before, 3.0 * last - 2.0 * before]);
    let bends: Vec<f64> = all.windows(2).map(|pair| (pair[1] - pair[0]).abs()).collect();
    let weights: Vec<f64> = bends.windows(3).map(|bends| bends[0] + bends[2]).collect();
    let most = weights.iter().copied().fold(0.0, f64::max);
    (0..weights.len())
        .map(|point| {
            if weights[point] > FLAT * most {
                (bends[point + 2] * all[point + 1] + bends[point] * all[point + 2]) / weights[point]
            } else {
                f64::midpoint(all[point], all[point + 3])
            }
        })
        .collect()
}
