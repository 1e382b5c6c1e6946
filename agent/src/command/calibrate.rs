//! `ffwatt calibrate`: measures the host's power while no task runs, prints it, and keeps it for the agent.

use std::io::{self, Write};
use std::thread;
use std::time::Duration;

use agent_core::attribution::idle::calibration::{Calibration, NotCalibrated};
use agent_core::attribution::idle::{LOW_UTILISATION, graphics};
use agent_core::model::energy::Domain;
use agent_core::model::snapshot::IdleOrigin;
use clap::{Arg, ArgAction, ArgMatches, Command};

use crate::api::Answer;
use crate::clock::SystemClock;
use crate::command::check::{Running, find_running};
use crate::config::{Config, HumanDuration};
use crate::pipeline::{Calibrating, CalibrationError, ZoneCalibration, forget_calibration};

/// Default length of the measurement.
const PERIOD: Duration = Duration::from_secs(30);

/// Shortest and longest length. Three quarters of the shortest are still as long as a stretch from which the agent learns.
const PERIODS: (Duration, Duration) = (Duration::from_secs(15), Duration::from_hours(1));

/// An agent checks for a new calibration in this interval, and then needs a tick to show it.
const PATIENCE: Duration = Duration::from_secs(8);

/// Pause between two requests to it.
const PAUSE: Duration = Duration::from_millis(500);

/// The reason why no figure was kept.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CalibrateError {
    /// Nothing could be measured or kept.
    #[error(transparent)]
    Failed(#[from] CalibrationError),
    /// The measured figures are no idle power.
    #[error("{0}")]
    Refused(String),
    /// Standard output cannot be written to.
    #[error("cannot write to standard output")]
    Output(#[from] io::Error),
}

/// Options of `ffwatt calibrate`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CalibrateOptions {
    period: Duration,
    is_forgotten: bool,
}

/// Syntax of the subcommand.
pub(crate) fn command() -> Command {
    Command::new("calibrate")
        .about("Measure the idle power of a quiet host, and keep it")
        .arg(
            Arg::new("length")
                .long("length")
                .value_name("TIME")
                .value_parser(parse_period)
                .help("Time to measure for [default: 30s] [range: 15s to 1h]"),
        )
        .arg(
            Arg::new("forget")
                .long("forget")
                .action(ArgAction::SetTrue)
                .conflicts_with("length")
                .help("Remove the calibration; the agent uses the learned idle power again"),
        )
}

/// Reads the subcommand's arguments.
pub(crate) fn options(matches: &ArgMatches) -> CalibrateOptions {
    CalibrateOptions {
        period: matches.get_one("length").copied().unwrap_or(PERIOD),
        is_forgotten: matches.get_flag("forget"),
    }
}

fn parse_period(text: &str) -> Result<Duration, String> {
    let HumanDuration(period) = HumanDuration::parse(text)?;
    let is_allowed = (PERIODS.0..=PERIODS.1).contains(&period);
    is_allowed.then_some(period).ok_or_else(|| "must be between 15s and 1h".to_owned())
}

/// Measures and keeps idle power, or removes the kept one.
pub(crate) fn run(
    options: &CalibrateOptions,
    config: &Config,
    out: &mut dyn Write,
) -> Result<(), CalibrateError> {
    if options.is_forgotten {
        match forget_calibration(config)? {
            Some(path) => {
                writeln!(out, "removed {}; a running agent applies the change within 5 s", path.display())?;
            }
            None => writeln!(out, "there is no calibration to remove")?,
        }
        return Ok(());
    }
    let mut calibrating = Calibrating::open(config, Box::new(SystemClock))?;
    writeln!(out, "measuring for {} s; start nothing on this host meanwhile", options.period.as_secs())?;
    out.flush()?;
    let measured = calibrating.measure(options.period)?;
    for zone in &measured {
        writeln!(out, "{}", line(zone, options.period))?;
    }
    let is_package = |zone: &&ZoneCalibration| zone.zone.domain == Domain::Package;
    let mut counting = measured.iter().filter(is_package).peekable();
    let is_whole = match counting.peek() {
        Some(_) => counting.all(|zone| zone.result.is_ok()),
        None => measured.iter().all(|zone| zone.result.is_ok()) && !measured.is_empty(),
    };
    if !is_whole {
        return Err(CalibrateError::Refused(refusal(&measured)));
    }
    let path = calibrating.keep(&measured)?;
    writeln!(out, "kept in {}", path.display())?;
    writeln!(out, "{}", told(config, &measured))?;
    Ok(())
}

/// Result of a counter, in one line.
fn line(of: &ZoneCalibration, period: Duration) -> String {
    let name = of.zone.to_string();
    match of.result {
        Ok(Calibration { power, spread, standard_error, utilisation, quiet }) => format!(
            "{name:<12}{:>8.2} W, standard error {:.2} W, spread {:.2} W, CPUs {:.1} % busy, {} s quiet",
            power.0,
            standard_error.0,
            spread.0,
            utilisation.percent(),
            quiet.as_secs()
        ),
        Err(NotCalibrated::Busy { utilisation, quiet }) => format!(
            "{name:<12}not measured: CPUs {:.0} % busy, {} of {} s quiet",
            utilisation.percent(),
            quiet.as_secs(),
            period.as_secs()
        ),
        Err(NotCalibrated::GraphicsBusy { power }) => {
            format!("{name:<12}not measured: the integrated GPU draws {power}")
        }
        Err(NotCalibrated::Unknown) => {
            format!("{name:<12}not measured: its counter did not move, or could not be read")
        }
    }
}

/// The reason why nothing is kept.
fn refusal(measured: &[ZoneCalibration]) -> String {
    let is_busy = |zone: &ZoneCalibration| matches!(zone.result, Err(NotCalibrated::Busy { .. }));
    let uses_gpu = |zone: &ZoneCalibration| matches!(zone.result, Err(NotCalibrated::GraphicsBusy { .. }));
    if measured.iter().any(is_busy) {
        format!(
            "this host is busy: its CPUs must be at most {:.0} % busy in three quarters of the time. \
             Nothing was stored; stop the workloads (ffwatt top shows them), then run ffwatt calibrate \
             again",
            LOW_UTILISATION.percent()
        )
    } else if measured.iter().any(uses_gpu) {
        format!(
            "the integrated GPU is busy: it must draw at most {} on average. Nothing was stored; stop the \
             encodes on the GPU, then run ffwatt calibrate again",
            graphics::AT_REST
        )
    } else {
        "a package could not be measured, so nothing was stored; ffwatt check reports the state of its \
         counter"
            .to_owned()
    }
}

/// Effect on an agent that runs on this host.
#[expect(clippy::disallowed_methods, reason = "the command waits for the agent to use its result")]
fn told(config: &Config, measured: &[ZoneCalibration]) -> String {
    let attempts = PATIENCE.as_millis() / PAUSE.as_millis();
    for _ in 0..attempts {
        let answer = match find_running(config) {
            Running::Nobody => {
                return "no agent answers on this host; the next agent with this state folder uses the \
                    calibration"
                    .to_owned();
            }
            Running::Guarded => {
                return "an agent runs on this host; it uses the calibration in its state folder within 5 s"
                    .to_owned();
            }
            Running::Open(answer) => answer,
        };
        match use_of(&answer, measured) {
            Use::Calibrated => {
                return format!("the agent on this host (pid {}) uses the calibration", answer.process.pid);
            }
            Use::Configured => {
                return format!(
                    "the agent on this host (pid {}) does not use the calibration, because \
                     attribution.idle_watts takes precedence",
                    answer.process.pid
                );
            }
            Use::None => {}
        }
        thread::sleep(
            PAUSE + Duration::try_from_secs_f64(answer.tick_seconds / attempts as f64).unwrap_or_default(),
        );
    }
    "the agent on this host does not use the calibration: its state folder may differ; give calibrate \
     the same --state-dir"
        .to_owned()
}

/// Source of an agent's idle power.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Use {
    Calibrated,
    Configured,
    None,
}

fn use_of(answer: &Answer, measured: &[ZoneCalibration]) -> Use {
    let packages = measured.iter().filter_map(|of| Some((of.zone.to_string(), of.result.ok()?.power.0)));
    for (name, watts) in packages {
        let Some(idle) = answer.idle_power.iter().find(|idle| idle.zone == name) else { continue };
        if idle.origin == IdleOrigin::Configured.name() {
            return Use::Configured;
        }
        if idle.origin == IdleOrigin::Calibrated.name() && (idle.power_watts - watts).abs() < 1e-6 {
            return Use::Calibrated;
        }
    }
    Use::None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::snapshot::ZoneIdle;
    use agent_core::model::energy::{Scope, Zone};
    use agent_core::units::{Ratio, Watts};

    const PACKAGE: Zone = Zone { scope: Scope::Package(0), domain: Domain::Package };

    fn measured(result: Result<Calibration, NotCalibrated>) -> [ZoneCalibration; 1] {
        [ZoneCalibration { zone: PACKAGE, result }]
    }

    fn good() -> [ZoneCalibration; 1] {
        measured(Ok(Calibration {
            power: Watts(20.125),
            spread: Watts(0.5),
            standard_error: Watts(0.1),
            utilisation: Ratio(0.012),
            quiet: Duration::from_secs(29),
        }))
    }

    #[test]
    fn only_lengths_that_mean_something() {
        let parsed = |length: &str| command().try_get_matches_from(["calibrate", "--length", length]);
        for (length, expected) in [("15s", 15), ("45", 45), ("2m", 120)] {
            assert_eq!(options(&parsed(length).unwrap()).period, Duration::from_secs(expected));
        }
        for length in ["14s", "0", "-1", "2h", "soon", "NaN"] {
            assert!(parsed(length).is_err(), "{length}");
        }
    }

    #[test]
    fn what_was_seen_in_one_line() {
        let shown = line(&good()[0], PERIOD);
        for words in
            ["package-0", "20.12 W", "standard error 0.10 W", "spread 0.50 W", "1.2 % busy", "29 s quiet"]
        {
            assert!(shown.contains(words), "{words:?} is not in {shown:?}");
        }
        let busy =
            measured(Err(NotCalibrated::Busy { utilisation: Ratio(0.62), quiet: Duration::from_secs(3) }));
        assert!(line(&busy[0], PERIOD).contains("62 % busy, 3 of 30 s quiet"), "{}", line(&busy[0], PERIOD));
        assert!(refusal(&busy).starts_with("this host is busy"));
        let gpu = measured(Err(NotCalibrated::GraphicsBusy { power: Watts(15.0) }));
        assert!(
            line(&gpu[0], PERIOD).ends_with("the integrated GPU draws 15.00 W"),
            "{}",
            line(&gpu[0], PERIOD)
        );
        assert!(refusal(&gpu).starts_with("the integrated GPU is busy"), "{}", refusal(&gpu));
        let unknown = measured(Err(NotCalibrated::Unknown));
        assert!(refusal(&unknown).contains("ffwatt check"));
    }

    #[test]
    fn an_agent_uses_it_once_it_shows_the_same_figure() {
        let answer = |origin: &str, watts: f64| {
            let idle = ZoneIdle {
                zone: "package-0".to_owned(),
                power_watts: watts,
                origin: origin.to_owned(),
                standard_error_watts: None,
            };
            Answer { idle_power: vec![idle], ..Answer::default() }
        };
        let used = |origin, watts| use_of(&answer(origin, watts), &good());
        assert_eq!(used("calibrated", 20.125), Use::Calibrated);
        assert_eq!(used("calibrated", 19.0), Use::None, "an earlier one");
        assert_eq!(used("learned", 20.125), Use::None);
        assert_eq!(used("configured", 5.0), Use::Configured);
        assert_eq!(use_of(&Answer::default(), &good()), Use::None);
    }
}
