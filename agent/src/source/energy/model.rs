//! Estimates the energy of a host without energy counters (virtual machines, mostly).
//!
//! `P = idle + (busy − idle) · utilisation` for every virtual CPU, as Cloud Carbon Footprint estimates cloud usage
//! (<https://www.cloudcarbonfootprint.org/docs/methodology/#energy-estimate-watt-hours>). Integrated over the exact busy time
//! of each window, so only its coefficients are inexact.
//!
//! Never mixed with measured energy: an agent uses the model or a meter, and shows which.

use std::collections::BTreeMap;
use std::time::Duration;

use agent_core::model::cpu::CpuWindow;
use agent_core::model::energy::{Domain, Scope, Zone, ZoneReading};
use agent_core::units::{MicroJoules, Watts};

/// Power of one virtual CPU.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Coefficients {
    /// Power of an idle CPU.
    pub idle: Watts,
    /// Power of a busy CPU.
    pub busy: Watts,
}

impl Default for Coefficients {
    /// The means over AWS's machine types
    /// (<https://www.cloudcarbonfootprint.org/docs/methodology/#appendix-i-energy-coefficients>).
    fn default() -> Self {
        Self { idle: Watts(0.74), busy: Watts(3.5) }
    }
}

/// Microwatts times nanoseconds, in a microjoule.
const PER_MICROJOULE: u128 = 1_000_000_000;

/// The estimate of all packages.
#[derive(Clone, Debug)]
pub(crate) struct ModelMeter {
    coefficients: Coefficients,
    /// Microwatt-nanoseconds by package: whole, so that rounding never adds up.
    spent: BTreeMap<u32, u128>,
}

impl ModelMeter {
    /// An estimate that begins at 0.
    pub(crate) fn new(coefficients: Coefficients) -> Self {
        Self { coefficients, spent: BTreeMap::new() }
    }

    /// Adds a window; returns the totals, like a meter's reading at its end.
    pub(crate) fn advance(&mut self, window: &CpuWindow) -> Vec<ZoneReading> {
        let (idle, busy) = (microwatts(self.coefficients.idle), microwatts(self.coefficients.busy));
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
        let places = window.places.iter().filter(|place| of == zone(place.place.package));
        let cpu_seconds: f64 = places.map(|place| place.elapsed.seconds()).sum();
        let seconds = duration.as_secs_f64();
        (seconds > 0.0).then(|| Watts(self.coefficients.idle.0 * cpu_seconds / seconds))
    }
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
    use agent_core::model::cpu::CpuPlace;
    use agent_core::model::cpu::PlaceWindow;
    use agent_core::time::MonoTime;
    use agent_core::units::CpuTime;

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
            let mut meter = ModelMeter::new(Coefficients::default());
            assert_eq!(meter.advance(&window(busy))[0].total, MicroJoules(microjoules), "{busy} ms busy");
        }
    }

    #[test]
    fn rounding_does_not_add_up() {
        let mut meter = ModelMeter::new(Coefficients { idle: Watts(0.000_001), busy: Watts(0.000_001) });
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
        let meter = ModelMeter::new(Coefficients::default());
        let power = meter.idle_power(&window(1500), Duration::from_secs(1), zone(0));
        assert_eq!(power, Some(Watts(1.48)));
    }
}
