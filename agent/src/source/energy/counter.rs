//! How far has a counter come, although it wraps, stalls and is sometimes set back?
//!
//! Pure: raw counts and times in, a 64-bit total out that never goes down.
//!
//! A *wrap* loses nothing; a *reset* (driver reloaded, machine suspended, firmware) makes the energy of its window unknown. The
//! raw counts look the same, so power decides: what the hardware cannot have drawn since the counter last moved is a reset.
//! Where the window is so long that the hardware could have drawn the whole range, the two cannot be told apart and a
//! decrease counts as a wrap: hence `EnergyMeter::longest_gap`.

use std::time::Duration;

use super::unit::EnergyUnit;
use crate::clock::MonoTime;
use crate::model::energy::CounterEvent;
use crate::units::{MicroJoules, Watts};

#[cfg(test)]
mod tests;

/// Energy may appear late by this much: RAPL registers are refreshed about every millisecond (Intel SDM vol. 3B, "RAPL
/// Interfaces"), and a reading may be stamped late on a busy machine.
const SLACK: Duration = Duration::from_millis(100);

/// A counter's raw count, extended.
#[derive(Clone, Debug)]
pub(super) struct EnergyCounter {
    unit: EnergyUnit,
    /// Number of counts after which it begins again; `None` when it never should.
    modulus: Option<u128>,
    /// More than this it cannot draw.
    bound: Watts,
    last: Option<Last>,
    /// All counts so far. Converted as a whole, so that rounding never adds up.
    counted: u128,
}

/// The last reading.
#[derive(Clone, Copy, Debug)]
struct Last {
    count: u64,
    /// When the count was first seen at this value: a stall leaves it alone.
    changed: MonoTime,
}

impl EnergyCounter {
    /// A counter that has not been read yet.
    pub(super) fn new(unit: EnergyUnit, modulus: Option<u128>, bound: Watts) -> Self {
        Self { unit, modulus, bound, last: None, counted: 0 }
    }

    /// Takes in a raw count. The first is the baseline.
    pub(super) fn observe(&mut self, count: u64, at: MonoTime) -> Option<CounterEvent> {
        let Some(last) = self.last else {
            self.last = Some(Last { count, changed: at });
            return None;
        };
        if count == last.count {
            return None;
        }
        self.last = Some(Last { count, changed: at });
        let (advance, event) = if count > last.count {
            (Some(u128::from(count - last.count)), None)
        } else {
            (self.advance_over_the_end(last.count, count), Some(CounterEvent::Wrap))
        };
        let plausible = self.bound.during(at.since(last.changed) + SLACK);
        match advance {
            Some(advance) if self.unit.energy_of(advance) <= plausible => {
                self.counted += advance;
                event
            }
            _ => Some(CounterEvent::Reset),
        }
    }

    /// `None` when there is no end, or the last count was beyond it.
    fn advance_over_the_end(&self, last: u64, count: u64) -> Option<u128> {
        Some(self.modulus?.checked_sub(u128::from(last))? + u128::from(count))
    }

    /// Energy since the first reading. Never goes down.
    pub(super) fn total(&self) -> MicroJoules {
        self.unit.energy_of(self.counted)
    }

    /// Makes the next reading a new baseline; the total stays.
    pub(super) fn rebaseline(&mut self) {
        self.last = None;
    }

    /// The least time in which it can pass its whole range; `None` when it has no end.
    pub(super) fn wrap_time(&self) -> Option<Duration> {
        let range = self.unit.energy_of(self.modulus?);
        Duration::try_from_secs_f64(range.joules() / self.bound.0).ok()
    }
}
