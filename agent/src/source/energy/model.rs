//! Estimates the energy of a host without energy counters (virtual machines, mostly).
//!
//! `P = idle + (busy − idle) · utilisation` for every virtual CPU, as Cloud Carbon Footprint estimates cloud usage
//! (<https://www.cloudcarbonfootprint.org/docs/methodology/#energy-estimate-watt-hours>). Integrated over the exact busy time
//! of each window, so only its watts are inexact: [`agent_core::energy::estimate`] chooses them, by processor.
//!
//! Never mixed with measured energy: an agent uses the model or a meter, and shows which.

use std::collections::BTreeMap;
use std::time::Duration;

use agent_core::energy::estimate::{BoundedPower, Estimate, VcpuPower};
use agent_core::model::cpu::{CpuWindow, PlaceWindow};
use agent_core::model::energy::{Domain, Scope, Zone, ZoneReading};
use agent_core::units::{CpuTime, MicroJoules, Watts};

/// Microwatts times nanoseconds, in a microjoule.
const PER_MICROJOULE: u128 = 1_000_000_000;

/// The estimate of all packages.
#[derive(Clone, Debug)]
pub(crate) struct ModelMeter {
    estimate: Estimate,
    /// Microwatt-nanoseconds by package: whole, so that rounding never adds up.
    spent: BTreeMap<u32, u128>,
}

impl ModelMeter {
    /// An estimate that begins at 0.
    pub(crate) fn new(estimate: Estimate) -> Self {
        Self { estimate, spent: BTreeMap::new() }
    }

    /// The watts in use, and their origin.
    pub(crate) fn estimate(&self) -> &Estimate {
        &self.estimate
    }

    /// Adds a window; returns the totals, like a meter's reading at its end.
    pub(crate) fn advance(&mut self, window: &CpuWindow) -> Vec<ZoneReading> {
        let VcpuPower { idle, busy } = self.estimate.power;
        let (idle, busy) = (microwatts(idle.power), microwatts(busy.power));
        for place in &window.places {
            let spent = self.spent.entry(place.place.package).or_default();
            *spent += idle * u128::from(place.elapsed.0);
            *spent += busy.saturating_sub(idle) * u128::from(place.busy().0);
        }
        self.totals()
    }

    /// Totals so far.
    pub(crate) fn totals(&self) -> Vec<ZoneReading> {
        self.spent
            .iter()
            .map(|(package, spent)| ZoneReading {
                zone: zone(*package),
                total: MicroJoules((spent / PER_MICROJOULE) as u64),
                quantum: MicroJoules(1),
            })
            .collect()
    }

    /// Idle power of a package, over a window of this length; by the CPUs on line in it.
    pub(crate) fn idle_power(&self, window: &CpuWindow, duration: Duration, of: Zone) -> Option<Watts> {
        let cpu_seconds = places(window, of).map(|place| place.elapsed).sum::<CpuTime>().seconds();
        let seconds = duration.as_secs_f64();
        (seconds > 0.0).then(|| Watts(self.estimate.power.idle.power.0 * cpu_seconds / seconds))
    }

    /// The bound of the error of a package's energy in a window. `idle + (busy − idle) · use` is `idle` in the idle time and `busy` in
    /// the busy time, so each has its own error.
    pub(crate) fn error(&self, window: &CpuWindow, of: Zone) -> MicroJoules {
        let VcpuPower { idle, busy } = self.estimate.power;
        let off = |BoundedPower { power, error }: BoundedPower, time: CpuTime| {
            Watts(power.0 * error.0).during(Duration::from_nanos(time.0))
        };
        places(window, of).map(|place| off(idle, place.idle) + off(busy, place.busy())).sum()
    }
}

/// The parts of a window that count for a zone.
fn places(window: &CpuWindow, of: Zone) -> impl Iterator<Item = &PlaceWindow> {
    window.places.iter().filter(move |place| of == zone(place.place.package))
}

fn zone(package: u32) -> Zone {
    Zone { scope: Scope::Package(package), domain: Domain::Package }
}

fn microwatts(power: Watts) -> u128 {
    (power.0.max(0.0) * 1e6).round() as u128
}

#[cfg(test)]
mod tests {
    use super::*;
    use agent_core::energy::estimate::{EstimateOptions, ProcessorChoice};
    use agent_core::energy::processor::Processor;
    use agent_core::model::cpu::CpuPlace;
    use agent_core::time::MonoTime;

    fn flat() -> ModelMeter {
        let options = EstimateOptions { processor: ProcessorChoice::Flat, ..EstimateOptions::default() };
        ModelMeter::new(Estimate::choose(options, Processor::default()))
    }

    fn window(busy_milliseconds: u64) -> CpuWindow {
        let place = CpuPlace::on_die(0, 0);
        let elapsed = CpuTime(2_000_000_000);
        let idle = CpuTime(elapsed.0 - busy_milliseconds * 1_000_000);
        CpuWindow {
            start: MonoTime(0),
            end: MonoTime(1_000_000_000),
            places: vec![PlaceWindow { place, cpus: 2, elapsed, idle }],
            usage: Vec::new(),
        }
    }

    #[test]
    fn two_cpus_idle_half_busy_and_busy() {
        for (busy, microjoules) in [(0, 1_480_000), (1000, 4_240_000), (2000, 7_000_000)] {
            let mut meter = flat();
            assert_eq!(meter.advance(&window(busy))[0].total, MicroJoules(microjoules), "{busy} ms busy");
        }
    }

    #[test]
    fn rounding_does_not_add_up() {
        let tiny = Some(Watts(0.000_001));
        let options = EstimateOptions { idle: tiny, busy: tiny, ..EstimateOptions::default() };
        let mut meter = ModelMeter::new(Estimate::choose(options, Processor::default()));
        for _ in 0..999 {
            meter.advance(&window(1));
        }
        assert_eq!(
            meter.advance(&window(1))[0].total,
            MicroJoules(2000),
            "a microwatt on two CPUs for 1000 s"
        );
    }

    #[test]
    fn the_idle_part_is_what_idle_cpus_would_have_drawn() {
        let meter = flat();
        let power = meter.idle_power(&window(1500), Duration::from_secs(1), zone(0));
        assert_eq!(power, Some(Watts(1.48)));
    }

    /// 150 % of each: 0.74 W in the idle CPU time and 3.5 W in the busy one.
    #[test]
    fn the_error_is_that_of_the_idle_and_of_the_busy_time() {
        let meter = flat();
        for (busy, microjoules) in [(0, 2_220_000), (1000, 6_360_000), (2000, 10_500_000)] {
            assert_eq!(meter.error(&window(busy), zone(0)), MicroJoules(microjoules), "{busy} ms busy");
        }
        assert_eq!(meter.error(&window(1000), zone(1)), MicroJoules::ZERO, "no CPU of this package");
    }
}
