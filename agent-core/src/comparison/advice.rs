//! Chooses the cheapest setting that is good enough for all clips, and says which others cannot be told from it.

use crate::comparison::estimate::Estimate;
use crate::comparison::setting::Setting;
use crate::join::bitrate::Megabits;
use crate::units::Vmaf;

/// A setting that was measured on all clips.
#[derive(Clone, Debug)]
pub struct Choice<'a> {
    /// The setting on each clip.
    pub settings: Vec<Setting<'a>>,
    /// Mean cost over the clips, for an hour of output.
    pub cost: Estimate,
    /// The lowest VMAF of a clip.
    pub vmaf: f64,
    /// The highest bitrate of a clip, where known.
    pub bitrate: Option<Megabits>,
}

/// Demands on a setting.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Constraints {
    /// Each clip has this VMAF or more.
    pub least_vmaf: Vmaf,
    /// No clip has a higher bitrate. A setting of unknown bitrate does not meet it.
    pub most_bitrate: Option<Megabits>,
}

/// How the cost of a choice compares with the cheapest one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Distinction {
    /// The intervals have no value in common.
    Distinct,
    /// The intervals overlap.
    NotDistinguishable,
    /// One of them was measured once only: its interval is not known.
    NotKnown,
}

/// Choices that meet the constraints, the cheapest first; each with its distinction from the cheapest.
#[derive(Clone, Debug)]
pub struct Advice<'a> {
    /// The cheapest choice.
    pub best: Choice<'a>,
    /// The others.
    pub others: Vec<(Choice<'a>, Distinction)>,
}

/// The settings that all clips have. `cost` is that of an hour of output; a setting without it is left out.
pub fn choices<'a>(
    settings: &[Setting<'a>],
    cost: impl Fn(&Setting<'a>) -> Option<Estimate>,
) -> Vec<Choice<'a>> {
    let mut clips: Vec<&str> = settings.iter().map(|setting| setting.names.clip.as_str()).collect();
    clips.sort_unstable();
    clips.dedup();
    let mut groups: Vec<Vec<&Setting<'a>>> = Vec::new();
    for setting in settings {
        let is_same = |other: &&Setting<'a>| {
            // Other writers give no setting: each of their scenarios is a choice of its own.
            !setting.names.setting.is_empty()
                && other.encoding() == setting.encoding()
                && other.origin() == setting.origin()
                && other.names.clip != setting.names.clip
        };
        match groups.iter_mut().find(|group| group.iter().any(&is_same)) {
            Some(group) => group.push(setting),
            None => groups.push(vec![setting]),
        }
    }
    groups.retain(|group| group.len() == clips.len());
    let choice = |group: Vec<&Setting<'a>>| {
        let costs: Option<Vec<Estimate>> = group.iter().map(|setting| cost(setting)).collect();
        let bitrates: Option<Vec<f64>> = group.iter().map(|setting| Some(setting.bitrate()?.0)).collect();
        Some(Choice {
            cost: Estimate::mean_of(&costs?)?,
            vmaf: group.iter().map(|setting| setting.vmaf()).fold(f64::INFINITY, f64::min),
            bitrate: bitrates.map(|all| Megabits(all.into_iter().fold(0.0, f64::max))),
            settings: group.into_iter().cloned().collect(),
        })
    };
    groups.into_iter().filter_map(choice).collect()
}

/// The cheapest choice that meets the constraints; `None` when none does.
pub fn advise<'a>(choices: Vec<Choice<'a>>, constraints: Constraints) -> Option<Advice<'a>> {
    let mut good: Vec<Choice<'a>> =
        choices.into_iter().filter(|choice| constraints.are_met(choice)).collect();
    // At equal cost, the better picture.
    good.sort_by(|one, other| {
        one.cost.mean.total_cmp(&other.cost.mean).then(other.vmaf.total_cmp(&one.vmaf))
    });
    let mut good = good.into_iter();
    let best = good.next()?;
    let others = good.map(|choice| {
        let distinction = match best.cost.differs_from(choice.cost) {
            Some(true) => Distinction::Distinct,
            Some(false) => Distinction::NotDistinguishable,
            None => Distinction::NotKnown,
        };
        (choice, distinction)
    });
    let others = others.collect();
    Some(Advice { best, others })
}

impl Constraints {
    fn are_met(self, choice: &Choice<'_>) -> bool {
        let is_small =
            self.most_bitrate.is_none_or(|most| choice.bitrate.is_some_and(|bitrate| bitrate.0 <= most.0));
        choice.vmaf >= self.least_vmaf.0 && is_small
    }
}
