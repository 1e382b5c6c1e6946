//! Computes costs of energy, machine time and carbon.
//!
//! Both ways of the exporter that ffwatt replaces are kept: by the time for which a machine is taken (`cost_compute`), and by its load
//! (`*_load_aware`). The cost of energy is joules times their price in both.

use std::time::Duration;

use crate::join::{finite, quotient};
use crate::units::{CpuTime, Grams, MicroJoules, Money, Pixels, Watts};

const SECONDS_PER_HOUR: f64 = 3600.0;

/// Prices in one currency.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Tariff {
    /// Price of a joule.
    pub joule: Money,
    /// Price of a second of one core.
    pub core_second: Money,
    /// Price of an hour of the machine.
    pub machine_hour: Money,
}

impl Tariff {
    /// A tariff from the price of a kilowatt hour and of hours. The prices of a joule and of a core second follow from them, unless given.
    pub fn new(
        kilowatt_hour: Money,
        cpu_hour: Money,
        gpu_hour: Money,
        core_second: Option<Money>,
        joule: Option<Money>,
    ) -> Self {
        Self {
            joule: joule.unwrap_or(Money(kilowatt_hour.0 / 3.6e6)),
            core_second: core_second.unwrap_or(Money(cpu_hour.0 / SECONDS_PER_HOUR)),
            machine_hour: Money(cpu_hour.0 + gpu_hour.0),
        }
    }

    /// The price of energy.
    pub fn energy(&self, energy: MicroJoules) -> Money {
        Money(energy.joules() * self.joule.0)
    }

    /// The price of a machine for a while.
    pub fn machine(&self, duration: Duration) -> Money {
        Money(duration.as_secs_f64() / SECONDS_PER_HOUR * self.machine_hour.0)
    }

    /// The price of busy cores.
    pub fn cores(&self, used: CpuTime) -> Money {
        Money(used.seconds() * self.core_second.0)
    }

    /// The price of an hour at this power.
    pub(super) fn energy_an_hour(&self, power: Watts) -> Money {
        Money(power.0 * SECONDS_PER_HOUR * self.joule.0)
    }
}

/// Sum of both. Without a cost of energy there is no sum; without a cost of compute, for an unknown length, it is that of energy.
pub fn total(energy: Option<Money>, compute: Option<Money>) -> Option<Money> {
    finite(energy?.0 + compute.unwrap_or_default().0).map(Money)
}

/// The price of a pixel; `None` for what is free.
pub(super) fn per_pixel(total: Money, pixels: Pixels) -> Option<Money> {
    quotient(total.0, pixels.0).filter(|_| total.0 > 0.0).map(Money)
}

/// The price of an hour of one viewer.
pub(super) fn per_watch_hour(total: Money, duration: Duration, viewers: u32) -> Option<Money> {
    quotient(total.0, duration.as_secs_f64() / SECONDS_PER_HOUR * f64::from(viewers)).map(Money)
}

/// Carbon of energy, at this intensity in grams per kilowatt hour.
pub fn carbon(energy: MicroJoules, per_kilowatt_hour: Grams) -> Grams {
    Grams(energy.kilowatt_hours() * per_kilowatt_hour.0)
}

/// Integral of values at a fixed step, by the trapezoid rule; a single value counts for one step.
pub(super) fn integral(values: &[f64], step: Duration) -> Option<f64> {
    let step = step.as_secs_f64();
    let sum = match values {
        [] => return None,
        [one] => *one * step,
        [first, middle @ .., last] => step / 2.0 * (first + 2.0 * middle.iter().sum::<f64>() + last),
    };
    finite(sum).filter(|sum| *sum >= 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_hours(1);

    fn tariff(kilowatt_hour: f64, cpu: f64, gpu: f64) -> Tariff {
        Tariff::new(Money(kilowatt_hour), Money(cpu), Money(gpu), None, None)
    }

    fn near(found: Money, expected: f64) {
        assert!((found.0 - expected).abs() <= expected.abs() * 1e-3, "{} is not {expected}", found.0);
    }

    /// Upstream's golden vectors, by time.
    #[test]
    fn by_time() {
        let energy = |watts: f64, seconds: u64| Watts(watts).during(Duration::from_secs(seconds));
        near(tariff(0.12, 0.0, 0.0).energy(energy(100.0, 3600)), 0.012);
        near(tariff(0.15, 0.0, 0.0).energy(energy(80.0 + 20.0, 3600)), 0.015);
        near(tariff(0.10, 0.0, 0.0).energy(energy(200.0, 1800)), 0.01);
        near(tariff(0.0, 0.50, 1.20).machine(HOUR), 1.70);
        let all = tariff(0.12, 0.5, 1.0);
        near(total(Some(all.energy(energy(100.0, 3600))), Some(all.machine(HOUR))).unwrap(), 1.512);
        let pixels = Pixels(1920.0 * 1080.0 * 30.0 * 60.0);
        near(per_pixel(tariff(0.10, 0.0, 0.0).energy(energy(100.0, 60)), pixels).unwrap(), 4.466e-14);
        let spent = tariff(0.10, 0.0, 0.0).energy(energy(100.0, 3600));
        near(per_watch_hour(spent, HOUR, 1).unwrap(), 0.01);
        near(per_watch_hour(spent, HOUR, 100).unwrap(), 0.0001);
        assert_eq!(per_watch_hour(spent, HOUR, 0), None);
    }

    /// Upstream's golden vectors, by load.
    #[test]
    fn by_load() {
        let step = Duration::from_secs(10);
        let tariff = Tariff::new(Money(0.0), Money(0.0), Money(0.0), Some(Money(1e-4)), Some(Money(1e-7)));
        let cores = |values: &[f64]| CpuTime::from_seconds(integral(values, step).unwrap()).unwrap();
        let joules = |values: &[f64]| MicroJoules::from_joules(integral(values, step).unwrap()).unwrap();
        near(tariff.cores(cores(&[2.0, 2.5, 3.0, 2.8, 2.2])), 0.0104);
        near(tariff.cores(cores(&[3.0, 3.0, 3.0])), 0.006);
        near(tariff.energy(joules(&[100.0, 150.0, 200.0, 180.0, 120.0])), 0.00064);
        let both = total(
            Some(tariff.energy(joules(&[100.0, 150.0, 200.0]))),
            Some(tariff.cores(cores(&[2.0, 2.5, 3.0]))),
        );
        near(both.unwrap(), 0.0053);
        assert_eq!(integral(&[1.0, 2.0, 3.0, 2.5, 2.0], Duration::from_secs(5)), Some(45.0));
        assert_eq!(integral(&[4.0], step), Some(40.0));
        assert_eq!(integral(&[], step), None);
        assert_eq!(integral(&[f64::NAN, 1.0], step), None);
    }

    /// The example that upstream ran: "4 Streams @ 2500k", 720p30, 120 s, 9600 J, 0.12 a kWh, 0.5 an hour.
    #[test]
    fn a_whole_scenario() {
        let tariff = tariff(0.12, 0.5, 0.0);
        let (energy, duration) = (MicroJoules::from_joules(9600.0).unwrap(), Duration::from_mins(2));
        near(tariff.energy(energy), 0.00032);
        near(tariff.machine(duration), 0.016_666_67);
        let total = total(Some(tariff.energy(energy)), Some(tariff.machine(duration))).unwrap();
        near(total, 0.016_986_67);
        near(per_pixel(total, Pixels(1280.0 * 720.0 * 30.0 * 120.0)).unwrap(), 5.1199e-12);
        near(per_watch_hour(total, duration, 1).unwrap(), 0.5096);
    }

    #[test]
    fn without_energy_there_is_no_cost() {
        assert_eq!(total(None, Some(Money(2.0))), None);
        assert_eq!(total(Some(Money(2.0)), None), Some(Money(2.0)));
        assert_eq!(total(None, None), None);
        assert_eq!(per_pixel(Money(0.0), Pixels(5.0)), None);
        assert_eq!(carbon(MicroJoules::from_joules(3.6e6).unwrap(), Grams(400.0)), Grams(400.0));
    }
}
