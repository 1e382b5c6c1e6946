//! Types for quantities with a unit: energy, power, CPU time, money, carbon and others.
//!
//! Quantities are converted once, where they are read; from there on they have these types. Energy and CPU time are
//! integers, so that sums are exact.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Sub};
use std::time::Duration;

/// Energy in microjoules, the unit of the kernel's powercap interface
/// (<https://docs.kernel.org/power/powercap/powercap.html>).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MicroJoules(pub u64);

impl MicroJoules {
    /// From joules, to the nearest microjoule; `None` for a number that is not between 0 and 10^13.
    pub fn from_joules(joules: f64) -> Option<Self> {
        (0.0..1e13).contains(&joules).then(|| Self((joules * 1e6).round() as u64))
    }

    /// The energy in kilowatt hours.
    pub fn kilowatt_hours(self) -> f64 {
        self.joules() / JOULES_PER_KILOWATT_HOUR
    }

    /// No energy.
    pub const ZERO: Self = Self(0);

    /// The same energy in joules. Exact to the microjoule, once rounded to it, below 2^33 J (8.6 GJ, 2.4 MWh): there neighbouring
    /// numbers are less than a microjoule apart. Beyond, within 2^-52 of it.
    pub fn joules(self) -> f64 {
        self.0 as f64 / 1e6
    }

    /// The mean power of this energy over `time`; `None` when `time` is zero.
    pub fn over(self, time: Duration) -> Option<Watts> {
        let seconds = time.as_secs_f64();
        (seconds > 0.0).then(|| Watts(self.joules() / seconds))
    }

    /// The difference to `other`, or zero.
    #[must_use]
    pub fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl Add for MicroJoules {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl AddAssign for MicroJoules {
    fn add_assign(&mut self, other: Self) {
        self.0 += other.0;
    }
}

impl Sub for MicroJoules {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0 - other.0)
    }
}

impl Sum for MicroJoules {
    fn sum<I: Iterator<Item = Self>>(energies: I) -> Self {
        energies.fold(Self::ZERO, Add::add)
    }
}

impl fmt::Display for MicroJoules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06} J", self.0 / 1_000_000, self.0 % 1_000_000)
    }
}

/// 1000 W for 3600 s.
const JOULES_PER_KILOWATT_HOUR: f64 = 3.6e6;

/// Power in watts.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub struct Watts(pub f64);

impl Watts {
    /// The energy of this power over `time`, to the nearest microjoule.
    pub fn during(self, time: Duration) -> MicroJoules {
        MicroJoules((self.0.max(0.0) * time.as_secs_f64() * 1e6).round() as u64)
    }

    /// The number of watts to the microwatt, without trailing zeros and without the unit.
    pub fn plain(self) -> String {
        ((self.0 * 1e6).round() / 1e6).to_string()
    }
}

impl fmt::Display for Watts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.2} W", self.0)
    }
}

/// CPU time in nanoseconds, summed over CPUs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CpuTime(pub u64);

impl CpuTime {
    /// No time.
    pub const ZERO: Self = Self(0);

    /// From the clock ticks of `/proc`: `USER_HZ`, fixed at 100 a second for user space on every architecture the agent runs
    /// on (`include/asm-generic/param.h`).
    pub fn from_clock_ticks(ticks: u64) -> Self {
        Self(ticks.saturating_mul(10_000_000))
    }

    /// From seconds, to the nearest nanosecond; `None` for a number that is not between 0 and 10^10 (300 years).
    pub fn from_seconds(seconds: f64) -> Option<Self> {
        (0.0..1e10).contains(&seconds).then(|| Self((seconds * 1e9).round() as u64))
    }

    /// The same time in seconds.
    pub fn seconds(self) -> f64 {
        self.0 as f64 / 1e9
    }

    /// The share of `whole`; `None` when `whole` is zero.
    pub fn share_of(self, whole: Self) -> Option<Ratio> {
        (whole.0 > 0).then(|| Ratio(self.0 as f64 / whole.0 as f64))
    }

    /// The difference to `other`, or zero.
    #[must_use]
    pub fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl Add for CpuTime {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl AddAssign for CpuTime {
    fn add_assign(&mut self, other: Self) {
        self.0 += other.0;
    }
}

impl Sum for CpuTime {
    fn sum<I: Iterator<Item = Self>>(times: I) -> Self {
        times.fold(Self::ZERO, Add::add)
    }
}

impl From<Duration> for CpuTime {
    fn from(duration: Duration) -> Self {
        Self(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX))
    }
}

/// A share, 0 to 1 where it is a part of a whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub struct Ratio(pub f64);

impl Ratio {
    /// The same share in percent.
    pub fn percent(self) -> f64 {
        self.0 * 100.0
    }
}

/// An amount of money, without its currency.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub struct Money(pub f64);

/// A number of encoded pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub struct Pixels(pub f64);

/// A VMAF score, 0 to 100.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Vmaf(pub f64);

impl Vmaf {
    /// A score; `None` for a number that is not between 0 and 100.
    pub fn new(score: f64) -> Option<Self> {
        (0.0..=100.0).contains(&score).then_some(Self(score))
    }
}

/// A ratio in decibels; infinite for identical pictures.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Decibels(pub f64);

/// Grams of carbon dioxide equivalent.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub struct Grams(pub f64);

/// An amount of memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bytes(pub u64);

impl Bytes {
    /// The share of `whole`; `None` when `whole` is zero.
    pub fn share_of(self, whole: Self) -> Option<Ratio> {
        (whole.0 > 0).then(|| Ratio(self.0 as f64 / whole.0 as f64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn microjoules_print_and_convert_without_loss() {
        let energy = MicroJoules(4_503_599_627_370_495);
        assert_eq!(energy.to_string(), "4503599627.370495 J");
        assert_eq!(energy.joules().to_string(), "4503599627.370495");
    }

    /// The energy in the text of a scrape, in microjoules.
    fn printed(energy: MicroJoules) -> i128 {
        let text = format!("{:.6}", energy.joules());
        text.replace('.', "").parse().unwrap()
    }

    proptest::proptest! {
        #[test]
        fn joules_below_two_to_the_33rd_are_exact_to_the_microjoule(energy in 0..(1_u64 << 33) * 1_000_000) {
            proptest::prop_assert_eq!(printed(MicroJoules(energy)), i128::from(energy));
        }

        #[test]
        fn larger_ones_are_within_two_to_the_minus_52nd(energy in (1_u64 << 33) * 1_000_000..=u64::MAX) {
            let error = (printed(MicroJoules(energy)) - i128::from(energy)).unsigned_abs();
            proptest::prop_assert!(error <= u128::from(energy >> 52) + 1, "{error}");
        }
    }

    #[test]
    fn the_bound_is_no_larger_than_it_is() {
        let beyond = (1_u64 << 33) * 1_000_000;
        assert!((beyond..beyond + 100).any(|energy| printed(MicroJoules(energy)) != i128::from(energy)));
    }

    #[test]
    fn power_over_no_time_is_unknown() {
        assert_eq!(MicroJoules(5).over(Duration::ZERO), None);
        assert_eq!(MicroJoules(3_000_000).over(Duration::from_millis(1500)), Some(Watts(2.0)));
    }

    #[test]
    fn negative_power_spends_nothing() {
        assert_eq!(Watts(-1.0).during(Duration::from_secs(1)), MicroJoules::ZERO);
    }
}
