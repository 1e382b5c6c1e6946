//! Decides the idle power of each zone: configured, calibrated, learned, estimated by regression, or unknown.

use std::collections::BTreeMap;
use std::time::Duration;

use agent_core::attribution::ZoneWindow;
use agent_core::attribution::demand::Demand;
use agent_core::attribution::idle::IdleLearner;
use agent_core::attribution::idle::regression::{IdleEstimate, Regression};
use agent_core::attribution::totals::Totals;
use agent_core::model::cpu::CpuWindow;
use agent_core::model::energy::{Domain, EnergySourceKind, Scope, Zone};
use agent_core::model::finding::FindingCode;
use agent_core::model::snapshot::{IdleOrigin, IdlePower};
use agent_core::time::MonoTime;
use agent_core::units::Watts;

use super::EnergyAccounting;
use crate::config::Config;
use crate::pipeline::findings::FindingTracker;
use crate::pipeline::state_dir::{CalibratedIdle, CalibrationVersion, StateDir};

/// Interval in which the file of calibrated powers is checked.
const LOOK: Duration = Duration::from_secs(5);

/// Time without idle power after which it is reported: most hosts have a quiet period within it.
const PATIENCE: Duration = Duration::from_mins(1);

/// The same in ticks, for long ticks.
const PATIENT_TICKS: u32 = 3;

/// Time after the start in which idle power may be unknown without a finding.
pub(super) fn patience(interval: Duration) -> Duration {
    PATIENCE.max(interval * PATIENT_TICKS)
}

/// Idle powers of all zones, by origin.
#[derive(Debug)]
pub(super) struct IdleTracker {
    configured: Option<Watts>,
    calibrated: BTreeMap<Zone, CalibratedIdle>,
    /// Version of the file that they are from, and the time of the last check.
    file: (CalibrationVersion, Option<MonoTime>),
    learner: IdleLearner,
    /// The folder of the kept files.
    state: StateDir,
}

impl IdleTracker {
    pub(super) fn new(configured: Option<Watts>, state: StateDir) -> Self {
        let learner = IdleLearner::new(state.load_idle());
        Self { configured, calibrated: BTreeMap::new(), file: Default::default(), learner, state }
    }

    /// Learns from a window, unless its energy or duration is doubtful.
    pub(super) fn learn(&mut self, window: ZoneWindow, is_sound: bool, demand: &Demand) {
        let ZoneWindow { zone, energy, duration } = window;
        if !is_sound {
            self.learner.interrupt(zone);
        } else if self.learner.observe(zone, energy, duration, demand.utilisation(zone.scope)) {
            self.keep();
        }
    }

    /// Writes the learned powers to the state folder.
    pub(super) fn keep(&self) {
        self.state.save_idle(self.learner.learned());
    }

    /// Follows the file of `ffwatt calibrate`: takes new results, and drops removed ones.
    pub(super) fn follow_calibration(&mut self, now: MonoTime) {
        let (version, looked) = &mut self.file;
        if looked.is_some_and(|looked| now.since(looked) < LOOK) {
            return;
        }
        *looked = Some(now);
        let found = self.state.calibration_version();
        if *version == found {
            return;
        }
        *version = found;
        self.calibrated = self.state.load_calibration();
        for (zone, idle) in &self.calibrated {
            tracing::info!(%zone, power = %idle.power, "calibrated idle power is used");
        }
    }

    /// Idle power observed on a quiet host, or estimated instead.
    fn by_observation(&self, zone: Zone) -> Option<IdlePower> {
        if let Some(CalibratedIdle { power, standard_error }) = self.calibrated.get(&zone) {
            let standard_error = Some(*standard_error);
            return Some(IdlePower { power: *power, origin: IdleOrigin::Calibrated, standard_error });
        }
        if let Some(power) = self.learner.power(zone) {
            return Some(IdlePower { power, origin: IdleOrigin::Learned, standard_error: None });
        }
        let IdleEstimate { power, standard_error } = self.learner.regression(zone)?.used()?;
        let standard_error = Some(standard_error);
        Some(IdlePower { power, origin: IdleOrigin::Regression, standard_error })
    }
}

/// Idle powers of these zones that an agent would have at its start, from the kept files.
pub(crate) fn known_idle(config: &Config, zones: &[Zone]) -> Vec<(Zone, IdlePower)> {
    let state = StateDir::look(&config.state_dirs(), &config.roots(), zones);
    let mut book = IdleTracker::new(None, state);
    book.calibrated = book.state.load_calibration();
    zones.iter().filter_map(|zone| Some((*zone, book.by_observation(*zone)?))).collect()
}

impl EnergyAccounting {
    /// Power of a zone without running tasks, and its origin. The configured power is that of a package: its dies share it.
    pub(super) fn idle_power(&self, zone: Zone, window: &CpuWindow) -> Option<IdlePower> {
        if let Some(power) = self.idle.configured.filter(|_| zone.domain == Domain::Package) {
            let parts = match zone.scope {
                Scope::Die { package, .. } => self.zones.dies(package).max(1),
                Scope::Package(_) | Scope::Platform => 1,
            };
            let power = Watts(power.0 / parts as f64);
            return Some(IdlePower { power, origin: IdleOrigin::Configured, standard_error: None });
        }
        if self.source.kind() == Some(EnergySourceKind::Model) {
            let power = self.source.model.idle_power(window, window.end.since(window.start), zone)?;
            return Some(IdlePower { power, origin: IdleOrigin::Model, standard_error: None });
        }
        self.idle.by_observation(zone)
    }

    /// Reports idle powers that are unknown or estimated.
    pub(super) fn find_about_idle(
        &self,
        window: &CpuWindow,
        now: MonoTime,
        totals: &Totals,
        findings: &mut FindingTracker,
    ) {
        let is_measured = self.source.kind().is_some_and(EnergySourceKind::is_measured);
        if !is_measured || now.since(totals.created().mono) < self.idle_patience {
            return;
        }
        let (mut unknown, mut estimated) = (Vec::new(), Vec::new());
        for zone in totals.zones() {
            if !totals.counts(*zone) || !self.source.gives(*zone, false) {
                continue;
            }
            match self.idle_power(*zone, window) {
                None => {
                    let regression = self.idle.learner.regression(*zone);
                    unknown.push(doubt(*zone, regression.and_then(Regression::estimate)));
                }
                Some(IdlePower { origin: IdleOrigin::Regression, power, standard_error }) => {
                    let error = standard_error.unwrap_or(Watts(f64::NAN));
                    estimated.push(format!("{zone} {power}, standard error {error}"));
                }
                Some(_) => {}
            }
        }
        for (code, zones) in
            [(FindingCode::IdlePowerNotKnown, unknown), (FindingCode::IdlePowerIsEstimated, estimated)]
        {
            if !zones.is_empty() {
                findings.report(code, "host", &zones.join("; "));
            }
        }
    }
}

/// The detail for a zone without idle power: the state of the regression.
fn doubt(zone: Zone, estimate: Option<IdleEstimate>) -> String {
    match estimate {
        Some(IdleEstimate { power, standard_error }) => {
            format!(
                "{zone} (regression says {power} with a standard error of {standard_error}, too large to be used)"
            )
        }
        None => zone.to_string(),
    }
}
