//! Learns the power that each zone draws when no task runs.
//!
//! RAPL does not show it. A *stretch* is [`SUSTAINED`] in a row during which the zone's CPUs were busy for no more than
//! [`LOW_UTILISATION`]; a window of unknown energy or duration ends a stretch and teaches nothing. The idle power is the
//! lowest mean power of the stretches of the last [`DAYS`] days, each of which has at least [`QUIET_DAY`] of them: a windowed
//! minimum, as BBR keeps one of round-trip times (Linux `lib/win_minmax.c`; N. Cardwell et al., ACM Queue 14:5, 2016) and noise
//! estimators of speech (R. Martin, IEEE Trans. SAP 9:5, 2001). So the figure falls at once, and rises when a week has
//! contradicted it: a week, because load has a daily and a weekly rhythm, and a host may be idle on Sundays only.
//!
//! A window in which the integrated GPU works teaches nothing either: see [`graphics`].
//!
//! A host that is never quiet has an estimate by [`regression`]. A user can have the power measured at once: [`calibration`].

pub mod calibration;
pub mod graphics;
mod moments;
pub mod regression;

use std::collections::BTreeMap;
use std::time::Duration;

use regression::Regression;

use crate::model::energy::Zone;
use crate::units::{MicroJoules, Ratio, Watts};

#[cfg(test)]
mod tests;

/// Length of a stretch. RAPL's own error over it is ±2 ms of 10 s, and a cron job does not fit into it.
const SUSTAINED: Duration = Duration::from_secs(10);

/// Highest utilisation of a stretch. One busy CPU of twenty; a lower bound would never be met on hosts with the usual background services.
pub const LOW_UTILISATION: Ratio = Ratio(0.05);

/// Days in which the lowest power is searched, besides the current one. Time in which the agent does not run does not count.
pub const DAYS: usize = 7;

/// Stretches that complete a day: an hour of them. A day with fewer goes on until it has as many.
const QUIET_DAY: u32 = if cfg!(miri) { 6 } else { 360 };

const DAY: Duration = Duration::from_hours(24);

/// The quiet stretch in which a zone is.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Quiet {
    energy: MicroJoules,
    lasted: Duration,
}

/// The lowest powers of a zone, by day.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DailyLows {
    /// Lows of complete days, the oldest first.
    pub past: Vec<Watts>,
    /// Low of the current day.
    pub today: Option<Watts>,
    /// Observed time of the current day.
    pub observed: Duration,
    /// Quiet stretches of the current day.
    pub stretches: u32,
}

impl DailyLows {
    /// The lowest power of all days.
    pub fn lowest(&self) -> Option<Watts> {
        self.past.iter().chain(&self.today).copied().min_by(|one, other| one.0.total_cmp(&other.0))
    }

    fn add_stretch(&mut self, power: Watts) {
        self.stretches += 1;
        self.today = Some(self.today.filter(|today| *today <= power).unwrap_or(power));
    }

    /// Adds observed time. Returns whether the current day is complete.
    fn add_time(&mut self, duration: Duration) -> bool {
        self.observed += duration;
        if self.observed < DAY || self.stretches < QUIET_DAY {
            return false;
        }
        let Self { mut past, today, .. } = std::mem::take(self);
        past.extend(today);
        let surplus = past.len().saturating_sub(DAYS);
        past.drain(..surplus);
        self.past = past;
        true
    }
}

/// Learns the idle power of every zone.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct IdleLearner {
    learned: BTreeMap<Zone, DailyLows>,
    quiet: BTreeMap<Zone, Quiet>,
    regressions: BTreeMap<Zone, Regression>,
}

impl IdleLearner {
    /// Begins with what was learned before.
    pub fn new(learned: BTreeMap<Zone, DailyLows>) -> Self {
        Self { learned, ..Self::default() }
    }

    /// Ends the stretch of a zone, because the energy or duration of a window is unknown.
    pub fn interrupt(&mut self, zone: Zone) {
        self.quiet.remove(&zone);
        if let Some(regression) = self.regressions.get_mut(&zone) {
            regression.interrupt();
        }
    }

    /// Adds one window of a zone; `utilisation` is `None` when it is unknown. Returns whether
    /// there are new figures to keep.
    pub fn observe(
        &mut self,
        zone: Zone,
        energy: MicroJoules,
        duration: Duration,
        utilisation: Option<Ratio>,
    ) -> bool {
        let before = self.power(zone);
        // A counter that stood still does not show a zone without power.
        let known = utilisation.filter(|_| energy > MicroJoules::ZERO);
        let power = match known {
            Some(utilisation) if utilisation <= LOW_UTILISATION => {
                self.add_to_stretch(zone, energy, duration)
            }
            _ => {
                self.quiet.remove(&zone);
                None
            }
        };
        match known {
            Some(utilisation) => {
                self.regressions.entry(zone).or_default().observe(energy, duration, utilisation);
            }
            None => self.interrupt(zone),
        }
        let lows = self.learned.entry(zone).or_default();
        if let Some(power) = power {
            lows.add_stretch(power);
        }
        lows.add_time(duration) || self.power(zone) != before
    }

    /// Mean power of the stretch, once it is long enough.
    fn add_to_stretch(&mut self, zone: Zone, energy: MicroJoules, duration: Duration) -> Option<Watts> {
        let quiet = self.quiet.entry(zone).or_default();
        quiet.energy += energy;
        quiet.lasted += duration;
        if quiet.lasted < SUSTAINED {
            return None;
        }
        let Quiet { energy, lasted } = std::mem::take(quiet);
        energy.over(lasted)
    }

    /// The regression of a zone, certain or not.
    pub fn regression(&self, zone: Zone) -> Option<&Regression> {
        self.regressions.get(&zone)
    }

    /// Idle power of a zone by its quiet stretches; `None` when there were none.
    pub fn power(&self, zone: Zone) -> Option<Watts> {
        self.learned.get(&zone)?.lowest()
    }

    /// All learned lows.
    pub fn learned(&self) -> &BTreeMap<Zone, DailyLows> {
        &self.learned
    }
}
