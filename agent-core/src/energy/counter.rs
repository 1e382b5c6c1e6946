//! Extends a counter's raw counts to a 64-bit total that never goes down, through wraps, stalls, garbage and resets.
//!
//! Pure: raw counts and times in, a total out.
//!
//! A *wrap* loses nothing; a *reset* (driver reloaded, host suspended, firmware) makes the energy of its window unknown. The
//! raw counts look the same, so power decides: an advance that the hardware cannot have drawn since the counter last moved is no wrap.
//! Where the window is so long that the hardware could have drawn the whole range, the two cannot be told apart and a
//! decrease counts as a wrap: hence `EnergyMeter::longest_gap`.
//!
//! A count that cannot follow from the last one is *doubtful*: garbage, or a reset. The next count decides. If that one follows from the
//! last count before the doubt, there was garbage and nothing is lost. If it follows from the doubtful one, the counter has begun
//! again: its energy since then is in the total, a lower bound of the true energy. Its first value is a part of that unless
//! the counter has never drawn as much: drivers may begin anywhere.

use std::time::Duration;

use super::unit::EnergyUnit;
use crate::time::MonoTime;
use crate::units::{MicroJoules, Watts};

#[cfg(test)]
mod tests;

/// Energy may appear late by this much: RAPL registers are refreshed about every millisecond (Intel SDM vol. 3B, "RAPL
/// Interfaces"), and a reading on a busy host may have a late time stamp.
const SLACK: Duration = Duration::from_millis(100);

/// A tick with a reset may be more expensive than all others by this factor.
const TWICE: f64 = 2.0;

/// Result of one count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Observed {
    /// All energy until now is in the total.
    Counted,
    /// As `Counted`; the counter has wrapped.
    Wrapped,
    /// The counter had begun again: its energy since then is in the total, its energy before is unknown.
    Reset,
    /// The total is not current: the next count decides whether this one was garbage or a reset.
    Doubtful,
}

/// A counter's raw count, extended to 64 bits.
#[derive(Clone, Debug)]
pub struct EnergyCounter {
    unit: EnergyUnit,
    /// Number of counts after which the counter wraps; `None` when it never does.
    modulus: Option<u128>,
    /// Highest power that the hardware can draw.
    bound: Watts,
    /// Highest power between two counts so far.
    peak: Option<Watts>,
    last: Option<Seen>,
    /// A later count that cannot follow from the last one.
    doubtful: Option<Seen>,
    /// All counts so far. Converted as a whole, so that rounding never adds up.
    counted: u128,
}

/// A raw count and its time.
#[derive(Clone, Copy, Debug)]
struct Seen {
    count: u64,
    /// The time at which the count first had this value: a stall leaves it alone.
    changed: MonoTime,
}

impl EnergyCounter {
    /// A counter that has not been read yet.
    pub fn new(unit: EnergyUnit, modulus: Option<u128>, bound: Watts) -> Self {
        Self { unit, modulus, bound, peak: None, last: None, doubtful: None, counted: 0 }
    }

    /// Adds a raw count. The first is the baseline.
    pub fn observe(&mut self, count: u64, at: MonoTime) -> Observed {
        let now = Seen { count, changed: at };
        let Some(last) = self.last else {
            self.last = Some(now);
            return Observed::Counted;
        };
        if let Some(doubtful) = self.doubtful {
            let since = self.advance_since_reset(last, doubtful, now);
            // A counter that fell and then counts on, or stays, has begun again, whatever other explanation is possible.
            let stays = count == doubtful.count;
            if let Some(advance) = since.filter(|_| stays || doubtful.count < last.count) {
                return self.accept(now, advance, Observed::Reset);
            }
            if let Some((advance, observed)) = self.advance(last, now) {
                return self.accept(now, advance, observed);
            }
            if let Some(advance) = since {
                return self.accept(now, advance, Observed::Reset);
            }
        } else if count == last.count {
            return Observed::Counted;
        } else if let Some((advance, observed)) = self.advance(last, now) {
            return self.accept(now, advance, observed);
        }
        self.doubtful = Some(now);
        Observed::Doubtful
    }

    fn accept(&mut self, now: Seen, advance: u128, observed: Observed) -> Observed {
        if let Some(last) = self.last.filter(|_| observed != Observed::Reset) {
            self.peak = self.peak_with(advance, last, now);
        }
        self.counted += advance;
        self.last = Some(now);
        self.doubtful = None;
        observed
    }

    /// Counts between two readings, if the hardware can have drawn that much.
    fn advance(&self, from: Seen, to: Seen) -> Option<(u128, Observed)> {
        let (advance, observed) = if to.count >= from.count {
            (u128::from(to.count - from.count), Observed::Counted)
        } else {
            (self.advance_over_the_end(from.count, to.count)?, Observed::Wrapped)
        };
        self.is_plausible(advance, from, to).then_some((advance, observed))
    }

    /// Counts since the counter began again before `first`. Only the counts up to `first` may be implausibly many. `None` when the
    /// counter has not begun again.
    fn advance_since_reset(&self, last: Seen, first: Seen, now: Seen) -> Option<u128> {
        let advance = u128::from(now.count.checked_sub(first.count)?);
        if !self.is_plausible(advance, first, now) {
            return None;
        }
        let until_first = u128::from(first.count);
        // A counter may begin again anywhere: its value is energy only if the counter draws as much at other times.
        let usual = self.peak_with(advance, first, now).filter(|peak| peak.0 > 0.0);
        let most = usual.map_or(self.bound, |peak| Watts((TWICE * peak.0).min(self.bound.0)));
        let has_begun_at_nothing = first.count < last.count && self.is_below(most, until_first, last, first);
        Some(advance + if has_begun_at_nothing { until_first } else { 0 })
    }

    /// The peak, updated by the power between two counts.
    fn peak_with(&self, advance: u128, from: Seen, to: Seen) -> Option<Watts> {
        let power = self.unit.energy_of(advance).over(to.changed.since(from.changed) + SLACK)?;
        Some(Watts(self.peak.map_or(0.0, |peak| peak.0).max(power.0)))
    }

    fn is_plausible(&self, advance: u128, from: Seen, to: Seen) -> bool {
        self.is_below(self.bound, advance, from, to)
    }

    fn is_below(&self, most: Watts, advance: u128, from: Seen, to: Seen) -> bool {
        self.unit.energy_of(advance) <= most.during(to.changed.since(from.changed) + SLACK)
    }

    /// Counts over the wrap; `None` when the counter has no end, or the last count was beyond it.
    fn advance_over_the_end(&self, last: u64, count: u64) -> Option<u128> {
        Some(self.modulus?.checked_sub(u128::from(last))? + u128::from(count))
    }

    /// Energy since the first reading. Never goes down.
    pub fn total(&self) -> MicroJoules {
        self.unit.energy_of(self.counted)
    }

    /// The last count, as energy since the hardware began to count.
    pub fn position(&self) -> Option<MicroJoules> {
        self.last.map(|last| self.unit.energy_of(u128::from(last.count)))
    }

    /// Makes the next reading a new baseline; the total stays.
    pub fn rebaseline(&mut self) {
        self.last = None;
        self.doubtful = None;
    }

    /// The shortest time in which the counter can pass its whole range; `None` when it has no end.
    pub fn wrap_time(&self) -> Option<Duration> {
        let range = self.unit.energy_of(self.modulus?);
        Duration::try_from_secs_f64(range.joules() / self.bound.0).ok()
    }
}
