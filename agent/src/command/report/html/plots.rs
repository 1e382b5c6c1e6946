//! Points of the plots of a report, as JSON for its script, and the legend of their curves.

use agent_core::comparison::curves::{Axis, Curve, hull};
use agent_core::comparison::setting::Setting;
use maud::{Markup, html};
use serde::Serialize;

use crate::command::report::curves::title;
use crate::command::report::html::Report;

/// Number of colours in the style sheet, and of kinds of dashes.
const COLOURS: usize = 8;
const DASHES: usize = 3;

/// VMAF of a clip's settings over one of their costs.
#[derive(Debug, Serialize)]
pub(super) struct Plot<'a> {
    #[serde(skip)]
    pub(super) clip: &'a str,
    #[serde(skip)]
    pub(super) title: &'static str,
    label: &'static str,
    unit: &'static str,
    curves: Vec<Line>,
}

#[derive(Debug, Serialize)]
struct Line {
    colour: usize,
    dash: usize,
    points: Vec<Point>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Point {
    name: String,
    cost: f64,
    margin: Option<f64>,
    vmaf: f64,
    is_on_hull: bool,
}

/// Title, label of the axis and unit of each plot of a clip.
const PLOTS: [(Axis, &str, &str, &str); 2] = [
    (Axis::Bitrate, "VMAF over bitrate", "Mbit/s (logarithmic)", "Mbit/s"),
    (Axis::Energy, "VMAF over energy", "J/frame (logarithmic)", "J/frame"),
];

/// The plots, clip by clip. A plot without a point is left out.
pub(super) fn plots<'a>(report: &Report<'a>) -> Vec<Plot<'a>> {
    let mut clips: Vec<&'a str> = report.curves.iter().map(|curve| curve.names.clip.as_str()).collect();
    clips.sort_unstable();
    clips.dedup();
    let each = clips.into_iter().flat_map(|clip| PLOTS.map(|kind| (clip, kind)));
    let plots = each.map(|(clip, (axis, title, label, unit))| {
        let hull = hull(report.curves, clip, axis);
        let line = |(index, curve): (usize, &Curve<'_>)| {
            let (colour, dash) = look(index);
            let points = curve.settings.iter().filter_map(|setting| point(setting, axis, &hull)).collect();
            Line { colour, dash, points }
        };
        let curves = of_clip(report.curves, clip).map(line).filter(|line| !line.points.is_empty()).collect();
        Plot { clip, title, label, unit, curves }
    });
    plots.filter(|plot| !plot.curves.is_empty()).collect()
}

/// As JSON that cannot end its script.
pub(super) fn as_json(plots: &[Plot<'_>]) -> String {
    // Numbers and text always have a form in JSON.
    serde_json::to_string(plots).unwrap_or_default().replace('<', "\\u003c")
}

/// The curves of a clip by colour and dash.
pub(super) fn legend(curves: &[Curve<'_>], clip: &str) -> Markup {
    html! {
        ul.legend {
            @for (index, curve) in of_clip(curves, clip) {
                @let (colour, dash) = look(index);
                li { span class={ "swatch c" (colour) " dash" (dash) } {} bdi { (title(curve)) } }
            }
            li { span.hull {} "on the convex hull: no mix of other settings is better" }
            li { "├─┤ 95 % interval of J/frame" }
        }
    }
}

/// Curves of a clip, numbered within the clip.
fn of_clip<'b, 'a>(curves: &'b [Curve<'a>], clip: &str) -> impl Iterator<Item = (usize, &'b Curve<'a>)> {
    curves.iter().filter(move |curve| curve.names.clip == clip).enumerate()
}

fn look(index: usize) -> (usize, usize) {
    (index % COLOURS, index / COLOURS % DASHES)
}

/// A setting whose cost is known.
fn point(setting: &Setting<'_>, axis: Axis, hull: &[&Setting<'_>]) -> Option<Point> {
    let (cost, margin) = match axis {
        Axis::Bitrate => (setting.bitrate()?.0, None),
        Axis::Energy => setting.energy().map(|energy| (energy.mean, energy.margin))?,
    };
    Some(Point {
        name: setting.name(),
        cost,
        margin,
        vmaf: setting.vmaf(),
        is_on_hull: hull.iter().any(|other| std::ptr::eq(*other, setting)),
    })
    .filter(|point| point.cost > 0.0 && point.cost.is_finite())
}
