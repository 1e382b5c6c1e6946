//! Compares the settings of two runs: which both have, and whether their energies differ by more than their intervals.

use crate::comparison::estimate::Estimate;
use crate::comparison::setting::Setting;

/// A setting that both runs have.
#[derive(Clone, Debug)]
pub struct SettingPair<'a> {
    /// In the first run.
    pub before: Setting<'a>,
    /// In the second run.
    pub after: Setting<'a>,
}

/// Settings of two runs, in the order of the first one.
#[derive(Clone, Debug, Default)]
pub struct RunDifference<'a> {
    /// Settings of both.
    pub pairs: Vec<SettingPair<'a>>,
    /// Settings of the first run only.
    pub only_before: Vec<Setting<'a>>,
    /// Settings of the second run only.
    pub only_after: Vec<Setting<'a>>,
}

/// A relative change, with half of its 95 % interval where known.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EnergyChange {
    /// Ratio less 1: −0.2 is a fifth less.
    pub ratio: f64,
    /// Half of the interval of the ratio.
    pub margin: Option<f64>,
    /// Whether the change is larger than its interval; `None` where that is not known.
    pub is_distinct: Option<bool>,
}

impl<'a> RunDifference<'a> {
    /// Finds each setting of one run in the other: the same clip, encoder, preset, renditions, streams and limit of size, or the same name
    /// where a file has no limits. With repeated names the first counts.
    pub fn of(before: &[Setting<'a>], after: &[Setting<'a>]) -> Self {
        let mut left: Vec<Option<&Setting<'a>>> = after.iter().map(Some).collect();
        let mut difference = Self::default();
        for own in before {
            let is_it = |other: &&mut Option<&Setting<'a>>| other.is_some_and(|other| is_same(own, other));
            match left.iter_mut().find(is_it).and_then(Option::take) {
                Some(other) => {
                    difference.pairs.push(SettingPair { before: own.clone(), after: other.clone() });
                }
                None => difference.only_before.push(own.clone()),
            }
        }
        difference.only_after = left.into_iter().flatten().cloned().collect();
        difference
    }
}

impl SettingPair<'_> {
    /// Change of joules for each frame. `None` where one is not known, or where they cannot be compared.
    pub fn energy(&self) -> Option<EnergyChange> {
        if !self.is_alike() {
            return None;
        }
        let (before, after) = (self.before.energy()?, self.after.energy()?);
        // Of a quotient of independent values, the relative errors add in squares.
        let margin = before
            .margin
            .zip(after.margin)
            .map(|(one, other)| after.mean / before.mean * (one / before.mean).hypot(other / after.mean));
        let ratio = after.mean / before.mean - 1.0;
        Some(EnergyChange { ratio, margin, is_distinct: margin.map(|margin| ratio.abs() > margin) })
    }

    /// Whether the energies have the same origin, both with or both without the reading of their clip.
    pub fn is_alike(&self) -> bool {
        self.before.origin().1 == self.after.origin().1
            && self.before.readings.is_empty() == self.after.readings.is_empty()
    }

    /// Difference in VMAF points; `None` where the models differ.
    pub fn vmaf(&self) -> Option<f64> {
        let is_same_model = self.before.origin().0 == self.after.origin().0;
        is_same_model.then(|| self.after.vmaf() - self.before.vmaf())
    }

    /// Change of the bitrate, as a ratio less 1.
    pub fn bitrate(&self) -> Option<f64> {
        let before = self.before.bitrate().filter(|before| before.0 > 0.0)?;
        Some(self.after.bitrate()?.0 / before.0 - 1.0)
    }

    /// Joules for each frame before and after.
    pub fn energies(&self) -> [Option<Estimate>; 2] {
        [self.before.energy(), self.after.energy()]
    }
}

fn is_same(one: &Setting<'_>, other: &Setting<'_>) -> bool {
    let (own, names) = (one.names, other.names);
    let has_limit = !own.setting.is_empty() || !names.setting.is_empty();
    own.clip == names.clip
        && own.setting == names.setting
        && one.curve() == other.curve()
        && (has_limit || own.scenario == names.scenario)
}
