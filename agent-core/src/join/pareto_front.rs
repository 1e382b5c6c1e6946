//! Selects the Pareto-optimal scenarios by VMAF and joules.

use crate::model::joined::ScenarioFigures;

/// Scenarios for which no other has more VMAF for fewer joules, the cheapest first; with their VMAF and joules.
pub fn pareto_front(all: &[ScenarioFigures]) -> Vec<(&ScenarioFigures, f64, f64)> {
    let mut points: Vec<(&ScenarioFigures, f64, f64)> = all
        .iter()
        .filter_map(|figures| Some((figures, figures.vmaf?.0, figures.energy?.energy.joules())))
        .collect();
    points.sort_by(|(_, vmaf, joules), (_, other_vmaf, other)| {
        joules.total_cmp(other).then(other_vmaf.total_cmp(vmaf))
    });
    let mut best = f64::NEG_INFINITY;
    points.retain(|(_, vmaf, _)| {
        let is_better = *vmaf > best;
        best = best.max(*vmaf);
        is_better
    });
    points
}
