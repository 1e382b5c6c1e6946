//! Measures the idle power of a zone from windows of a short quiet period.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::attribution::idle::{LOW_UTILISATION, graphics};
use crate::model::energy::Zone;
use crate::units::{MicroJoules, Ratio, Watts};

/// The share of the period that must be quiet. Periodic background tasks of an idle host may run in the period too.
const MOSTLY: Ratio = Ratio(0.75);

/// A window of a zone with known energy and duration.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CalibrationWindow {
    /// Energy counted in the window.
    pub energy: MicroJoules,
    /// Length of the window.
    pub duration: Duration,
    /// Utilisation of the zone's CPUs.
    pub utilisation: Ratio,
}

/// Measured idle power of a zone.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Calibration {
    /// Mean power of the quiet windows.
    pub power: Watts,
    /// Standard deviation of their powers.
    pub spread: Watts,
    /// Standard error of the mean.
    pub standard_error: Watts,
    /// Utilisation of the zone's CPUs in the quiet windows.
    pub utilisation: Ratio,
    /// Total length of the quiet windows.
    pub quiet: Duration,
}

/// The reason why a zone has no figure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum NotCalibrated {
    /// Its CPUs were busy for too much of the period.
    Busy {
        /// Utilisation over the whole period.
        utilisation: Ratio,
        /// The part of the period that was quiet.
        quiet: Duration,
    },
    /// The integrated GPU worked.
    GraphicsBusy {
        /// Mean power of the GPU over the period.
        power: Watts,
    },
    /// Its counter did not move, or could not be read, for too much of the period.
    Unknown,
}

fn calibrate(windows: &[CalibrationWindow], period: Duration) -> Result<Calibration, NotCalibrated> {
    let needed = period.mul_f64(MOSTLY.0);
    let known: Vec<_> = windows.iter().filter(|window| window.energy > MicroJoules::ZERO).collect();
    let lasted =
        |windows: &[&CalibrationWindow]| windows.iter().map(|window| window.duration).sum::<Duration>();
    if lasted(&known) < needed {
        return Err(NotCalibrated::Unknown);
    }
    let is_quiet = |window: &&CalibrationWindow| window.utilisation <= LOW_UTILISATION;
    let quiet: Vec<_> = known.iter().copied().filter(is_quiet).collect();
    let time = lasted(&quiet);
    if time < needed {
        return Err(NotCalibrated::Busy { utilisation: utilisation(&known), quiet: time });
    }
    let energy: MicroJoules = quiet.iter().map(|window| window.energy).sum();
    let Some(power) = energy.over(time) else { return Err(NotCalibrated::Unknown) };
    let powers = quiet.iter().filter_map(|window| window.energy.over(window.duration));
    let count = quiet.len() as f64;
    let squares: f64 = powers.map(|watts| (watts.0 - power.0).powi(2)).sum();
    let spread = (squares / (count - 1.0).max(1.0)).sqrt();
    Ok(Calibration {
        power,
        spread: Watts(spread),
        standard_error: Watts(spread / count.sqrt()),
        utilisation: utilisation(&quiet),
        quiet: time,
    })
}

/// Computes the idle power of a zone from the windows of all counters in a period of this length. While the integrated GPU works, only
/// the cores have a figure.
pub fn calibrate_zone(
    zone: Zone,
    windows: &BTreeMap<Zone, Vec<CalibrationWindow>>,
    period: Duration,
) -> Result<Calibration, NotCalibrated> {
    for (gpu, of_gpu) in windows {
        let energy: MicroJoules = of_gpu.iter().map(|window| window.energy).sum();
        let power = energy.over(of_gpu.iter().map(|window| window.duration).sum());
        if let Some(power) = power.filter(|power| graphics::is_busy(*gpu, *power))
            && graphics::is_affected(zone, gpu.scope)
        {
            return Err(NotCalibrated::GraphicsBusy { power });
        }
    }
    calibrate(windows.get(&zone).map_or(&[], Vec::as_slice), period)
}

fn utilisation(windows: &[&CalibrationWindow]) -> Ratio {
    let seconds: f64 = windows.iter().map(|window| window.duration.as_secs_f64()).sum();
    let busy = windows.iter().map(|window| window.utilisation.0 * window.duration.as_secs_f64());
    Ratio(busy.sum::<f64>() / seconds)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::energy::{Domain, Scope};

    const PERIOD: Duration = Duration::from_secs(30);

    fn seconds(count: usize, watts: f64, utilisation: f64) -> Vec<CalibrationWindow> {
        let duration = Duration::from_secs(1);
        let energy = Watts(watts).during(duration);
        vec![CalibrationWindow { energy, duration, utilisation: Ratio(utilisation) }; count]
    }

    #[test]
    fn the_mean_of_a_quiet_period_with_its_spread() {
        let windows = [seconds(15, 19.0, 0.01), seconds(15, 21.0, 0.03)].concat();
        let measured = calibrate(&windows, PERIOD).unwrap();
        let close = |one: f64, other: f64| (one - other).abs() < 0.01;
        assert!(close(measured.power.0, 20.0) && close(measured.spread.0, 1.017), "{measured:?}");
        assert!(
            close(measured.standard_error.0, 0.186) && close(measured.utilisation.0, 0.02),
            "{measured:?}"
        );
        assert_eq!(measured.quiet, PERIOD);
    }

    #[test]
    fn what_runs_now_and_then_is_left_out() {
        let windows = [seconds(25, 20.0, 0.01), seconds(5, 70.0, 0.9)].concat();
        assert!((calibrate(&windows, PERIOD).unwrap().power.0 - 20.0).abs() < 1e-6);
    }

    #[test]
    fn a_busy_period_has_no_figure_and_says_how_busy() {
        let windows = [seconds(20, 20.0, 0.0), seconds(10, 70.0, 0.9)].concat();
        let Err(NotCalibrated::Busy { utilisation, quiet }) = calibrate(&windows, PERIOD) else {
            panic!("it was busy")
        };
        assert!((utilisation.0 - 0.3).abs() < 1e-9, "{utilisation:?}");
        assert_eq!(quiet, Duration::from_secs(20));
    }

    #[test]
    fn a_busy_gpu_leaves_no_figure_but_for_the_cores() {
        let zone = |domain| Zone { scope: Scope::Package(0), domain };
        let of = |gpu: f64| {
            BTreeMap::from([
                (zone(Domain::Package), seconds(30, 4.0 + gpu, 0.01)),
                (zone(Domain::Core), seconds(30, 1.0, 0.01)),
                (zone(Domain::Uncore), seconds(30, gpu, 0.01)),
            ])
        };
        let (busy, resting) = (of(15.0), of(0.2));
        let gpu = NotCalibrated::GraphicsBusy { power: Watts(15.0) };
        assert_eq!(calibrate_zone(zone(Domain::Package), &busy, PERIOD), Err(gpu));
        assert_eq!(calibrate_zone(zone(Domain::Uncore), &busy, PERIOD), Err(gpu));
        for (windows, domain, watts) in
            [(&busy, Domain::Core, 1.0), (&resting, Domain::Package, 4.2), (&resting, Domain::Uncore, 0.2)]
        {
            let power = calibrate_zone(zone(domain), windows, PERIOD).unwrap().power;
            assert!((power.0 - watts).abs() < 1e-6, "{domain}: {power}");
        }
        assert_eq!(calibrate_zone(zone(Domain::Dram), &resting, PERIOD), Err(NotCalibrated::Unknown));
    }

    #[test]
    fn a_counter_that_was_not_there_for_long_has_no_figure() {
        for windows in
            [seconds(8, 20.0, 0.0), [seconds(20, 20.0, 0.0), seconds(10, 0.0, 0.0)].concat(), Vec::new()]
        {
            assert_eq!(calibrate(&windows, PERIOD), Err(NotCalibrated::Unknown));
        }
    }
}
