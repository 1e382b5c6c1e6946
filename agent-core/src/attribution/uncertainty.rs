//! Bounds the error of a charge, in each window and for each claimant.
//!
//! The bound is made of what can be known about each reading:
//!
//! * the counter's step: half a step at each end of the window;
//! * RAPL's update edge: the registers refresh about every millisecond (Intel SDM vol. 3B, "RAPL Interfaces"), so each end may
//!   be off by what the zone draws in one;
//! * skew: energy and CPU time are not read at the same instant, and what the zone drew between the two readings may belong
//!   to another claimant;
//! * the key: energy above idle is split by CPU time, but a CPU second does not cost the same for each claimant and at each moment. Where
//!   it is split by the energy of the cores, that holds only within the cores that claimants share; where by the time of GPU engines, a
//!   second of one engine may cost more than that of another;
//! * the class of the source: energy of the model is an estimate, with the bound of its own watts.
//!
//! The first two scale with the claimant's share. The skew is charged in full, because a claimant may have begun just then. The key's error
//! for one claimant is the opposite error for all others together, so it goes to zero as the claimant's share goes to all.

use std::time::Duration;

use crate::model::key::SplitKey;
use crate::units::{MicroJoules, Ratio, Watts};

/// RAPL's update period.
const UPDATE_PERIOD: Duration = Duration::from_millis(1);

/// Largest deviation of a CPU second's cost from the mean: by the load of the host, clock frequency, a sibling thread, wide
/// vectors. On a simulated host whose power grows with the power 0.6 of its use, 95 of 100 windows of a second are within 0.07, and of
/// 0.1 s within 0.15 (`cargo xtask accuracy`, docs/ACCURACY.md).
const KEY_ERROR: Ratio = Ratio(0.2);

/// Largest deviation of the cost of a core's joule from the mean: cores of one energy differ in what memory and I/O dies draw for them, and
/// the processor estimates the energy of its cores from their activity (R. Schöne et al., "Energy Efficiency Aspects of the AMD Zen 2
/// Architecture", 2021, <https://arxiv.org/abs/2108.00808>). In the model of `weights/tests.rs`, where each of three encoders has cores of
/// its own and memory costs each up to 10 % more or less, the energy of an encoder is off by up to 3 %: 5 % × the part of the others.
const CORE_KEY_ERROR: Ratio = Ratio(0.06);

/// Largest deviation of the cost of a GPU second from the mean. An assumption: engines differ in power by class, and no published figure
/// says how much. With one user of the GPU at a time, it does not matter.
const ENGINE_KEY_ERROR: Ratio = Ratio(0.5);

/// Precision of a zone's energy in a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EnergyError {
    /// A counter with this step.
    Counter(MicroJoules),
    /// An estimate that may be off by this much.
    Estimate(MicroJoules),
}

/// Precision of a zone's window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quality {
    /// Precision of its energy.
    pub energy: EnergyError,
    /// Distance between the energy reading and the CPU reading, both ends of the window added.
    pub skew: Duration,
}

/// Energy that was split by a key.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Keyed {
    /// The energy of all claimants together.
    pub all: MicroJoules,
    /// The key.
    pub key: SplitKey,
    /// The part of the claimant's weight that was split by time with others: [`Weights::shared`].
    ///
    /// [`Weights::shared`]: crate::attribution::weights::Weights::shared
    pub shared: Ratio,
}

impl Keyed {
    /// The largest relative error of a part of it.
    fn error(self, part: MicroJoules) -> f64 {
        let others = if self.all.0 > 0 { 1.0 - part.0 as f64 / self.all.0 as f64 } else { 0.0 };
        let by_time = KEY_ERROR.0 * others;
        match self.key {
            SplitKey::Time | SplitKey::SharedCores => by_time,
            SplitKey::EngineTime => ENGINE_KEY_ERROR.0 * others,
            SplitKey::CoreEnergy => by_time.min(KEY_ERROR.0 * self.shared.0 + CORE_KEY_ERROR.0 * others),
        }
    }
}

/// The bound on the error of `charged` out of a zone's `energy` in `duration`. `keyed` is the energy that was split by the key together
/// with it; `None` when it was not.
pub fn bound(
    charged: MicroJoules,
    keyed: Option<Keyed>,
    energy: MicroJoules,
    duration: Duration,
    quality: Quality,
) -> MicroJoules {
    if energy == MicroJoules::ZERO {
        return MicroJoules::ZERO;
    }
    let share = charged.0 as f64 / energy.0 as f64;
    let power = energy.over(duration).unwrap_or(Watts(0.0));
    let whole = match quality.energy {
        EnergyError::Estimate(error) => error,
        EnergyError::Counter(quantum) => quantum + power.during(2 * UPDATE_PERIOD),
    };
    let shared = MicroJoules((whole.0 as f64 * share).ceil() as u64);
    let key = keyed.map_or(0.0, |keyed| charged.0 as f64 * keyed.error(charged));
    let key = MicroJoules(key.ceil() as u64);
    // Never more than everything: the truth lies between nothing and the zone's energy plus its own error.
    (shared + key + power.during(quality.skew)).min(energy + whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn measured(skew: Duration) -> Quality {
        Quality { energy: EnergyError::Counter(MicroJoules(61)), skew }
    }

    #[test]
    fn the_bound_follows_the_share() {
        let energy = MicroJoules(50_000_000);
        let whole = bound(energy, None, energy, SECOND, measured(Duration::ZERO));
        assert_eq!(whole, MicroJoules(61 + 100_000), "one step and 2 ms of 50 W");
        let half = bound(MicroJoules(25_000_000), None, energy, SECOND, measured(Duration::ZERO));
        assert_eq!(half, MicroJoules(50_031));
    }

    #[test]
    fn the_key_is_wrong_for_some_and_never_for_whoever_has_all() {
        let (energy, half) = (MicroJoules(50_000_000), MicroJoules(25_000_000));
        let bound = |charged, all| {
            let keyed = Keyed { all, key: SplitKey::Time, shared: Ratio(1.0) };
            bound(charged, Some(keyed), energy, SECOND, measured(Duration::ZERO)).0
        };
        assert_eq!(bound(half, half), 50_031, "all that was above idle");
        assert_eq!(bound(half, energy), 50_031 + 2_500_000, "a fifth of it, for the half that others have");
    }

    #[test]
    fn the_energy_of_cores_is_wrong_by_little_as_far_as_they_are_not_shared() {
        let (energy, half) = (MicroJoules(50_000_000), MicroJoules(25_000_000));
        let bound = |shared| {
            let keyed = Keyed { all: energy, key: SplitKey::CoreEnergy, shared: Ratio(shared) };
            bound(half, Some(keyed), energy, SECOND, measured(Duration::ZERO)).0
        };
        assert_eq!(bound(0.0), 50_031 + 750_000, "6 %, for the half that others have");
        assert_eq!(bound(0.25), 50_031 + 2_000_000, "and a fifth of the quarter that is shared");
        assert_eq!(bound(0.5), 50_031 + 2_500_000, "never more than by CPU time");
    }

    #[test]
    fn skew_is_charged_in_full() {
        let energy = MicroJoules(50_000_000);
        let small = bound(MicroJoules(1000), None, energy, SECOND, measured(Duration::from_millis(4)));
        assert_eq!(small, MicroJoules(200_000 + 3));
    }

    #[test]
    fn an_estimate_is_as_wrong_as_its_watts() {
        let energy = MicroJoules(1_000_000);
        let quality =
            |error| Quality { energy: EnergyError::Estimate(MicroJoules(error)), skew: Duration::ZERO };
        let half = MicroJoules(500_000);
        assert_eq!(bound(energy, None, energy, SECOND, quality(150_000)), MicroJoules(150_000));
        assert_eq!(bound(half, None, energy, SECOND, quality(150_000)), MicroJoules(75_000));
        assert_eq!(bound(energy, None, energy, SECOND, quality(1_500_000)), MicroJoules(1_500_000));
    }

    #[test]
    fn nothing_spent_nothing_uncertain() {
        assert_eq!(
            bound(MicroJoules::ZERO, None, MicroJoules::ZERO, SECOND, measured(SECOND)),
            MicroJoules::ZERO
        );
    }
}
