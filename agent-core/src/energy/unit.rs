//! Converts a counter's counts to microjoules, by the energy of one count.

use crate::units::MicroJoules;

#[cfg(test)]
mod tests;

/// The energy of one count, in 2⁻⁶⁴ µJ.
///
/// Binary fixed point, because hardware counts in 2⁻ⁿ J: 10⁶ · 2⁶⁴⁻ⁿ is a whole number up to n = 70, so every RAPL unit
/// and perf's 2⁻³² J are exact. Counts are multiplied in integers and rounded down once, at the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EnergyUnit(u128);

/// Bits after the binary point.
const FRACTION: u32 = 64;

/// 2⁶⁴ exactly, which `powi` is not promised to be.
const TWO_TO_64: f64 = (1_u128 << FRACTION) as f64;

/// Microjoules in a joule.
const PER_JOULE: u64 = 1_000_000;

impl EnergyUnit {
    /// A microjoule: powercap's unit.
    pub const MICROJOULE: Self = Self(1 << FRACTION);

    /// A joule.
    pub const JOULE: Self = Self((PER_JOULE as u128) << FRACTION);

    /// The unit of a counter that shows this energy in this many counts.
    pub fn microjoules(energy: MicroJoules, counts: MicroJoules) -> Self {
        Self((u128::from(energy.0) << FRACTION) / u128::from(counts.0.max(1)))
    }

    /// 2⁻ⁿ J, n at most 64.
    pub fn joules_over_two_to(n: u32) -> Self {
        Self(Self::JOULE.0 >> n.min(FRACTION))
    }

    /// 2ⁿ µJ, n at most 31: the unit of early Atoms.
    pub fn microjoules_times_two_to(n: u32) -> Self {
        Self(Self::MICROJOULE.0 << n.min(31))
    }

    /// A unit of joules as decimal text: perf's `.scale` file
    /// (`Documentation/ABI/testing/sysfs-bus-event_source-devices-events`). `None` for text that cannot be the energy of a count.
    ///
    /// The text is rounded once, to the nearest 64-bit float; its multiples by powers of two are exact, and "2.328…e-10" is
    /// 2⁻³² to the last digit. A rounded scale has a constant error of 2⁻⁵³ of itself; it does not drift.
    pub fn parse_joules(text: &str) -> Option<Self> {
        let joules: f64 = text.trim().parse().ok()?;
        let fixed = joules * PER_JOULE as f64 * TWO_TO_64;
        // Between 2⁻⁶⁴ µJ and 2⁶⁰ µJ (a million megajoules) a count.
        (1.0..TWO_TO_64 * (1_u64 << 60) as f64).contains(&fixed).then_some(Self(fixed.round() as u128))
    }

    /// The energy of this many counts, rounded down.
    pub fn energy_of(self, counts: u128) -> MicroJoules {
        // (a·2⁶⁴ + b)(c·2⁶⁴ + d) / 2⁶⁴, so that only a result that is too large overflows.
        let (whole, fraction) = (self.0 >> FRACTION, self.0 & u128::from(u64::MAX));
        let (high, low) = (counts >> FRACTION, counts & u128::from(u64::MAX));
        let sum = (low * whole)
            .saturating_add((low * fraction) >> FRACTION)
            .saturating_add(high.saturating_mul(fraction))
            .saturating_add(high.saturating_mul(whole).saturating_mul(1 << FRACTION));
        MicroJoules(u64::try_from(sum).unwrap_or(u64::MAX))
    }

    /// One count, to the nearest microjoule and at least one.
    pub fn step(self) -> MicroJoules {
        let half = Self::MICROJOULE.0 / 2;
        MicroJoules(u64::try_from((self.0 + half) >> FRACTION).unwrap_or(u64::MAX).max(1))
    }
}
