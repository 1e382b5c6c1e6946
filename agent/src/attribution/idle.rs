//! What does a zone draw when nobody runs?
//!
//! RAPL does not say; it is learned: the lowest mean power over [`SUSTAINED`] in a row during which the zone's CPUs were
//! busy for no more than [`LOW_UTILISATION`]. What is learned can only go down, and is kept over restarts by the pipeline.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::model::energy::Zone;
use crate::units::{MicroJoules, Ratio, Watts};

/// How long the machine must stay quiet. RAPL's own error over it is ±2 ms of 10 s, and a cron job does not fit into it.
pub const SUSTAINED: Duration = Duration::from_secs(10);

/// How quiet. One busy CPU of twenty; a lower bound would never be met on hosts with the usual background services.
pub const LOW_UTILISATION: Ratio = Ratio(0.05);

/// The quiet stretch a zone is in.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Quiet {
    energy: MicroJoules,
    lasted: Duration,
}

/// Learns the idle power of every zone.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct IdleLearner {
    learned: BTreeMap<Zone, Watts>,
    quiet: BTreeMap<Zone, Quiet>,
}

impl IdleLearner {
    /// Begins with what was learned before.
    pub fn new(learned: BTreeMap<Zone, Watts>) -> Self {
        Self { learned, quiet: BTreeMap::new() }
    }

    /// Takes in one window of a zone; `utilisation` is `None` when nobody knows. Returns whether something was learned.
    pub fn observe(
        &mut self,
        zone: Zone,
        energy: MicroJoules,
        duration: Duration,
        utilisation: Option<Ratio>,
    ) -> bool {
        if utilisation.is_none_or(|utilisation| utilisation > LOW_UTILISATION) {
            self.quiet.remove(&zone);
            return false;
        }
        let quiet = self.quiet.entry(zone).or_default();
        quiet.energy += energy;
        quiet.lasted += duration;
        if quiet.lasted < SUSTAINED {
            return false;
        }
        let Quiet { energy, lasted } = std::mem::take(quiet);
        let Some(power) = energy.over(lasted) else { return false };
        // A counter that stood still all the time is not a zone that draws nothing.
        if energy == MicroJoules::ZERO || self.learned.get(&zone).is_some_and(|known| *known <= power) {
            return false;
        }
        self.learned.insert(zone, power);
        true
    }

    /// The idle power of a zone; `None` while it is not known.
    pub fn power(&self, zone: Zone) -> Option<Watts> {
        self.learned.get(&zone).copied()
    }

    /// All that was learned.
    pub fn learned(&self) -> &BTreeMap<Zone, Watts> {
        &self.learned
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::energy::{Domain, Scope};

    const ZONE: Zone = Zone { scope: Scope::Package(0), domain: Domain::Package };
    const SECOND: Duration = Duration::from_secs(1);

    fn feed(learner: &mut IdleLearner, watts: u64, utilisation: Option<f64>, seconds: u32) {
        for _ in 0..seconds {
            learner.observe(ZONE, MicroJoules(watts * 1_000_000), SECOND, utilisation.map(Ratio));
        }
    }

    #[test]
    fn nothing_is_known_until_the_machine_was_quiet_long_enough() {
        let mut learner = IdleLearner::default();
        feed(&mut learner, 30, Some(0.01), 9);
        assert_eq!(learner.power(ZONE), None);
        feed(&mut learner, 30, Some(0.01), 1);
        assert_eq!(learner.power(ZONE), Some(Watts(30.0)));
    }

    #[test]
    fn a_busy_window_begins_the_stretch_again() {
        let mut learner = IdleLearner::default();
        feed(&mut learner, 30, Some(0.01), 9);
        feed(&mut learner, 90, Some(0.80), 1);
        feed(&mut learner, 30, Some(0.01), 9);
        assert_eq!(learner.power(ZONE), None);
    }

    #[test]
    fn it_only_goes_down() {
        let mut learner = IdleLearner::default();
        feed(&mut learner, 30, Some(0.0), 10);
        feed(&mut learner, 40, Some(0.0), 10);
        assert_eq!(learner.power(ZONE), Some(Watts(30.0)));
        feed(&mut learner, 25, Some(0.0), 10);
        assert_eq!(learner.power(ZONE), Some(Watts(25.0)));
    }

    #[test]
    fn unknown_utilisation_and_a_counter_that_stands_still_teach_nothing() {
        let mut learner = IdleLearner::default();
        feed(&mut learner, 30, None, 20);
        feed(&mut learner, 0, Some(0.0), 20);
        assert_eq!(learner.power(ZONE), None);
    }
}
