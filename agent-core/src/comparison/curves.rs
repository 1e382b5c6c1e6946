//! Groups the settings of a run into curves of VMAF against energy and bitrate, and compares two curves.

use crate::comparison::combined_hull::{TradeOff, combined_hull};
use crate::comparison::difference::{
    Difference, NoDifference, OperatingPoint, cost_difference, quality_difference,
};
use crate::comparison::hull::convex_hull;
use crate::comparison::interpolation::Slopes;
use crate::comparison::setting::{Setting, settings};
use crate::model::joined::{Names, ScenarioFigures};

/// Monotone curves: a higher bitrate of the same encoder has no lower quality.
const SLOPES: Slopes = Slopes::Pchip;

/// Settings of the same clip, encoder, preset, renditions (picture sizes and frame rates) and number of streams: they differ in bitrate or
/// constant quality.
#[derive(Clone, Debug)]
pub struct Curve<'a> {
    /// Names of the first scenario.
    pub names: &'a Names,
    /// The settings, in the order of the file.
    pub settings: Vec<Setting<'a>>,
}

/// A curve compared with an anchor. Differences of costs are ratios less 1: −0.2 is a fifth less.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Comparison {
    /// BD-energy: joules for each frame at equal VMAF.
    pub energy: Result<Difference, NoDifference>,
    /// BD-rate: bitrate at equal VMAF.
    pub bitrate: Result<Difference, NoDifference>,
    /// BD-VMAF: VMAF points at equal bitrate.
    pub vmaf: Result<Difference, NoDifference>,
}

/// Curves of a run, in the order of their first scenarios.
pub fn curves(all: &[ScenarioFigures]) -> Vec<Curve<'_>> {
    let mut curves: Vec<Curve<'_>> = Vec::new();
    for setting in settings(all) {
        match curves.iter_mut().find(|curve| curve.has(&setting)) {
            Some(curve) => curve.settings.push(setting),
            None => curves.push(Curve { names: setting.names, settings: vec![setting] }),
        }
    }
    curves
}

/// Settings that no mix of others of the same clip and origin beats, the cheapest first: by joules for each frame, or by bitrate.
pub fn hull<'b, 'a>(curves: &'b [Curve<'a>], clip: &str, axis: Axis) -> Vec<&'b Setting<'a>> {
    let cost = |setting: &Setting<'_>| match axis {
        Axis::Energy => energy(setting),
        Axis::Bitrate => bitrate(setting),
    };
    let (settings, points): (Vec<_>, Vec<_>) = comparable(curves, clip)
        .filter_map(|setting| {
            Some((setting, OperatingPoint { cost: cost(setting)?, quality: setting.vmaf() }))
        })
        .unzip();
    convex_hull(&points).into_iter().filter_map(|index| settings.get(index).copied()).collect()
}

/// Settings that no mix of others of the same clip and origin beats in bitrate, joules for each frame and VMAF at once, in their order.
pub fn hull_of_both<'b, 'a>(curves: &'b [Curve<'a>], clip: &str) -> Vec<&'b Setting<'a>> {
    let (settings, points): (Vec<_>, Vec<_>) = comparable(curves, clip)
        .filter_map(|setting| {
            let trade_off =
                TradeOff { bitrate: bitrate(setting)?, energy: energy(setting)?, quality: setting.vmaf() };
            Some((setting, trade_off))
        })
        .unzip();
    combined_hull(&points).into_iter().filter_map(|index| settings.get(index).copied()).collect()
}

/// The settings of a clip that have the origin of its first one.
fn comparable<'b, 'a>(curves: &'b [Curve<'a>], clip: &str) -> impl Iterator<Item = &'b Setting<'a>> {
    let of_clip = move |own: &&Setting<'_>| own.names.clip == clip;
    let origin = curves.iter().flat_map(|curve| &curve.settings).find(of_clip).map(Setting::origin);
    let settings = curves.iter().flat_map(|curve| &curve.settings).filter(of_clip);
    settings.filter(move |own| Some(own.origin()) == origin)
}

fn energy(setting: &Setting<'_>) -> Option<f64> {
    Some(setting.energy()?.mean)
}

fn bitrate(setting: &Setting<'_>) -> Option<f64> {
    Some(setting.bitrate()?.0)
}

/// Cost of a curve's points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Axis {
    /// Joules for each frame.
    Energy,
    /// Bits a second.
    Bitrate,
}

impl<'a> Curve<'a> {
    /// All scenarios of the curve.
    pub fn scenarios(&self) -> impl Iterator<Item = &'a ScenarioFigures> {
        self.settings.iter().flat_map(|setting| setting.scenarios.iter().copied())
    }

    fn has(&self, other: &Setting<'_>) -> bool {
        let is_like_it = |own: &Setting<'_>| {
            own.names.clip == other.names.clip
                && own.curve() == other.curve()
                && own.origin() == other.origin()
        };
        self.settings.first().is_some_and(is_like_it)
    }

    /// Compares this curve with an anchor, which is one of the same clip.
    pub fn against(&self, anchor: &Self) -> Comparison {
        let is_alike = |one: &Setting<'_>, other: &Setting<'_>| {
            one.origin() == other.origin()
                && one.names.clip == other.names.clip
                && one.readings.is_empty() == other.readings.is_empty()
        };
        if !self
            .settings
            .first()
            .zip(anchor.settings.first())
            .is_some_and(|(one, other)| is_alike(one, other))
        {
            let unlike = Err(NoDifference::Unlike);
            return Comparison { energy: unlike, bitrate: unlike, vmaf: unlike };
        }
        Comparison {
            energy: cost_difference(&anchor.points(energy), &self.points(energy), SLOPES),
            bitrate: cost_difference(&anchor.points(bitrate), &self.points(bitrate), SLOPES),
            vmaf: quality_difference(&anchor.points(bitrate), &self.points(bitrate), SLOPES),
        }
    }

    /// The settings whose cost is known, as points.
    fn points(&self, cost: impl Fn(&Setting<'_>) -> Option<f64>) -> Vec<OperatingPoint> {
        let point =
            |setting: &Setting<'_>| Some(OperatingPoint { cost: cost(setting)?, quality: setting.vmaf() });
        self.settings.iter().filter_map(point).collect()
    }
}
