//! Groups the scenarios of a run into curves of VMAF against energy and bitrate, and compares two curves.

use crate::comparison::difference::{
    Difference, NoDifference, OperatingPoint, cost_difference, quality_difference,
};
use crate::comparison::interpolation::Slopes;
use crate::join::bitrate::{self, Dialect};
use crate::model::joined::{EnergyBasis, Names, ScenarioFigures};
use crate::model::vmaf_model::VmafModel;

/// Monotone curves: a higher bitrate of the same encoder has no lower quality.
const SLOPES: Slopes = Slopes::Pchip;

/// Scenarios of the same encoder, preset, renditions (picture sizes and frame rates) and number of streams: they differ in bitrate.
#[derive(Clone, Debug)]
pub struct Curve<'a> {
    /// Names of the first scenario.
    pub names: &'a Names,
    /// The scenarios, in the order of the file. All have energy for each frame and a VMAF of the whole source.
    pub scenarios: Vec<&'a ScenarioFigures>,
    /// Origin of their figures.
    origin: (Option<VmafModel>, EnergyBasis),
}

/// A curve compared with an anchor. Differences of costs are ratios less 1: −0.2 is a fifth less.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Comparison {
    /// BD-energy: joules for each frame at equal VMAF.
    pub energy: Result<Difference, NoDifference>,
    /// BD-rate: set bitrate at equal VMAF.
    pub bitrate: Result<Difference, NoDifference>,
    /// BD-VMAF: VMAF points at equal set bitrate.
    pub vmaf: Result<Difference, NoDifference>,
}

/// Curves of a run, in the order of their first scenarios. A scenario without energy or frames, or without a VMAF of its whole source,
/// is in none.
pub fn curves(all: &[ScenarioFigures]) -> Vec<Curve<'_>> {
    let mut curves: Vec<Curve<'_>> = Vec::new();
    for figures in all {
        let names = &figures.names;
        let (Some(energy), Some(_), Some(_), None, false) = (
            figures.energy,
            figures.vmaf,
            figures.efficiency.joules_per_frame,
            figures.covered,
            names.is_baseline,
        ) else {
            continue;
        };
        let origin = (figures.vmaf_model, energy.basis);
        let known = curves.iter_mut().find(|curve| curve.origin == origin && key(curve.names) == key(names));
        match known {
            Some(curve) => curve.scenarios.push(figures),
            None => curves.push(Curve { names, scenarios: vec![figures], origin }),
        }
    }
    curves
}

fn key(names: &Names) -> [&str; 6] {
    // A ladder is unknown where the size or the rate is.
    [&names.encoder, &names.preset, &names.ladder, &names.resolution, &names.frame_rate, &names.streams]
}

impl Curve<'_> {
    /// Compares this curve with an anchor.
    pub fn against(&self, anchor: &Self) -> Comparison {
        if self.origin != anchor.origin {
            let unlike = Err(NoDifference::Unlike);
            return Comparison { energy: unlike, bitrate: unlike, vmaf: unlike };
        }
        let energies =
            [anchor, self].map(|curve| curve.points(|figures| figures.efficiency.joules_per_frame));
        let bitrates = [anchor, self].map(|curve| {
            curve.points(|figures| Some(bitrate::parse(&figures.names.bitrate, Dialect::Results)?.0))
        });
        Comparison {
            energy: cost_difference(&energies[0], &energies[1], SLOPES),
            bitrate: cost_difference(&bitrates[0], &bitrates[1], SLOPES),
            vmaf: quality_difference(&bitrates[0], &bitrates[1], SLOPES),
        }
    }

    /// The scenarios whose cost is known, as points.
    fn points(&self, cost: impl Fn(&ScenarioFigures) -> Option<f64>) -> Vec<OperatingPoint> {
        let point = |figures: &&ScenarioFigures| {
            Some(OperatingPoint { cost: cost(figures)?, quality: figures.vmaf?.0 })
        };
        self.scenarios.iter().filter_map(point).collect()
    }
}
