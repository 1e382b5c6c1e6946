//! Weight of CPU time on a core that two CPUs (hardware threads) share.
//!
//! A core with two busy threads draws little more than with one: `HaPPy` measured about 10 % more on Xeons (Y. Zhai et al., "`HaPPy`:
//! Hyperthread-aware Power Profiling Dynamically", USENIX ATC 2014), METRION about 15 % (2025, <https://arxiv.org/abs/2512.06806>). So a
//! second in which the other thread was busy too costs each of the two about half of what a second alone costs.

use crate::model::cpu::BusyTime;
use crate::units::{CpuTime, Ratio};

/// Weight of a second beside a busy thread of the same core, relative to a second alone on a core.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SharedCoreWeight {
    thousandths: u16,
}

impl SharedCoreWeight {
    /// A second costs the same, shared or not: plain CPU time.
    pub const EQUAL: Self = Self { thousandths: 1000 };

    /// Two busy threads draw 1.15 times what one draws: half of it for each. METRION's figure; `HaPPy`'s is 0.55.
    pub const MEASURED: Self = Self { thousandths: 575 };

    /// Of a configured figure; `None` outside 0.5 (two threads draw what one draws) to 1 (each draws what it draws alone).
    pub fn new(weight: Ratio) -> Option<Self> {
        (0.5..=1.0).contains(&weight.0).then(|| Self { thousandths: (weight.0 * 1000.0).round() as u16 })
    }

    /// As a part of a second.
    pub fn ratio(self) -> Ratio {
        Ratio(f64::from(self.thousandths) / 1000.0)
    }

    /// Time that costs the same alone on a core, to the nanosecond: `busy` itself where nothing was shared.
    pub fn of(self, busy: BusyTime) -> CpuTime {
        let shared = busy.shared.min(busy.all);
        let weighed = (u128::from(shared.0) * u128::from(self.thousandths) + 500) / 1000;
        // Not more than `shared`, because a weight is at most 1.
        let weighed = CpuTime(u64::try_from(weighed).unwrap_or(shared.0));
        busy.all.saturating_sub(shared) + weighed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_weight_is_between_a_half_and_one() {
        assert_eq!(SharedCoreWeight::new(Ratio(0.575)), Some(SharedCoreWeight::MEASURED));
        for refused in [0.499, 1.001, 0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert_eq!(SharedCoreWeight::new(Ratio(refused)), None, "{refused}");
        }
        for weight in [0.5, 0.575, 1.0] {
            assert_eq!(
                SharedCoreWeight::new(Ratio(weight)).map(SharedCoreWeight::ratio),
                Some(Ratio(weight))
            );
        }
    }

    #[test]
    fn shared_time_weighs_less() {
        let of = |all, shared| {
            SharedCoreWeight::MEASURED.of(BusyTime { all: CpuTime(all), shared: CpuTime(shared) }).0
        };
        assert_eq!([of(1000, 0), of(1000, 400), of(1000, 1000)], [1000, 830, 575]);
        // A reading in which more was shared than was used, and the largest time.
        assert_eq!([of(1000, 2000), of(u64::MAX, 0)], [575, u64::MAX]);
        assert!(of(u64::MAX, u64::MAX) < u64::MAX);
    }
}
