//! Prices and carbon intensities of energy by region, as the user's price file has them; the prices in use.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::units::{CpuTime, Grams, MicroJoules, Money};

/// Prices and carbon intensities by region, from the user's price file. They take precedence over the built-in table.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OwnPrices {
    /// Price of a kilowatt hour.
    pub prices: BTreeMap<String, Money>,
    /// Grams of CO2 per kilowatt hour.
    pub carbon: BTreeMap<String, Grams>,
}

/// Prices of energy and of busy CPUs, and carbon of energy.
#[derive(Clone, Debug, PartialEq)]
pub struct UnitPrices {
    /// Price of a kilowatt hour.
    pub kilowatt_hour: Money,
    /// Price of one busy CPU for one hour.
    pub core_hour: Money,
    /// Currency of the prices.
    pub currency: Arc<str>,
    /// Carbon dioxide of a kilowatt hour.
    pub carbon: Grams,
}

impl UnitPrices {
    /// Whether anything has a price. Without one, costs are unknown, not 0.
    pub fn are_set(&self) -> bool {
        self.kilowatt_hour.0 > 0.0 || self.core_hour.0 > 0.0
    }

    /// Cost of energy and of the CPU time that was used with it; `None` without prices.
    pub fn cost(&self, energy: MicroJoules, cpu: CpuTime) -> Option<Money> {
        let hours = cpu.seconds() / SECONDS_PER_HOUR;
        let cost = || Money(energy.kilowatt_hours() * self.kilowatt_hour.0 + hours * self.core_hour.0);
        self.are_set().then(cost)
    }
}

const SECONDS_PER_HOUR: f64 = 3600.0;

#[cfg(test)]
mod tests {
    use super::*;

    fn prices(kilowatt_hour: f64, core_hour: f64) -> UnitPrices {
        UnitPrices {
            kilowatt_hour: Money(kilowatt_hour),
            core_hour: Money(core_hour),
            currency: "USD".into(),
            carbon: Grams(400.0),
        }
    }

    #[test]
    fn a_cost_is_that_of_energy_and_of_busy_cpus() {
        // A kilowatt hour, and two hours of one CPU.
        let (energy, cpu) = (MicroJoules(3_600_000_000_000), CpuTime(7_200_000_000_000));
        assert_eq!(prices(0.25, 0.5).cost(energy, cpu), Some(Money(1.25)));
        assert_eq!(prices(0.0, 0.5).cost(energy, cpu), Some(Money(1.0)));
        assert_eq!(prices(0.25, 0.0).cost(MicroJoules(0), CpuTime(0)), Some(Money(0.0)));
        assert_eq!(prices(0.0, 0.0).cost(energy, cpu), None, "nothing has a price");
    }
}
