//! Measures idle power on request: opens the agent's own source of energy, reads it for a while, and keeps the result for the agent.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use agent_core::attribution::demand::{Claimant, Demand};
use agent_core::attribution::idle::calibration::{
    Calibration, CalibrationWindow, NotCalibrated, calibrate_zone,
};
use agent_core::model::energy::{EnergySourceKind, Zone};
use agent_core::model::workload::Pseudo;
use agent_core::time::MonoTime;

use super::energy::{EnergySource, moves};
use super::sources::{HealthTracker, OpenError, energy_hardware, topology};
use super::state_dir::StateDir;
use super::zones::{Moment, ZoneTracker};
use crate::clock::Clock;
use crate::config::Config;
use crate::source::SourceError;
use crate::source::cpu::CpuMeter;
use crate::source::cpu::cgroupfs::CgroupfsMeter;
use crate::source::energy::EnergyReading;

/// Length of a window.
const STEP: Duration = Duration::from_secs(1);

/// The reason why nothing could be measured or kept.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CalibrationError {
    /// The host cannot be read.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// CPU times cannot be read.
    #[error("the use of the CPUs is not known")]
    Cpu(#[source] SourceError),
    /// No energy counter works.
    #[error(
        "no energy counter of this host works, so its idle power cannot be measured; ffwatt check reports the reason"
    )]
    NoCounter,
    /// No folder can be written.
    #[error("no state folder is writable ({tried}): set --state-dir to the state folder of the agent")]
    NoFolder {
        /// The folders that were tried.
        tried: String,
    },
    /// The result could not be written.
    #[error("cannot store the calibration")]
    Keep(#[source] io::Error),
}

/// Result for one counter.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ZoneCalibration {
    /// The zone.
    pub zone: Zone,
    /// Its idle power, or the reason why it has none.
    pub result: Result<Calibration, NotCalibrated>,
}

/// A measurement of idle power.
pub(crate) struct Calibrating {
    clock: Box<dyn Clock>,
    cpu: Box<dyn CpuMeter>,
    energy: EnergySource,
    kind: EnergySourceKind,
    zones: ZoneTracker,
    state: StateDir,
    windows: BTreeMap<Zone, Vec<CalibrationWindow>>,
}

impl Calibrating {
    /// Opens the sources that the agent would open, and the folder that it reads.
    pub(crate) fn open(config: &Config, clock: Box<dyn Clock>) -> Result<Self, CalibrationError> {
        let roots = config.roots();
        let topology = topology(&roots)?;
        let hardware = Box::new(energy_hardware(config));
        let energy = EnergySource::open(&config.energy, hardware, &*clock, &mut HealthTracker::default());
        let kind = energy.kind().filter(|kind| kind.is_measured()).ok_or(CalibrationError::NoCounter)?;
        let state = open_state(config, &energy.zones())?;
        // Only the utilisation of whole packages is needed, and /proc/stat has it.
        let cpu = CgroupfsMeter::open(&roots, &topology, &[], &*clock).map_err(CalibrationError::Cpu)?;
        let windows = energy.zones().into_iter().map(|zone| (zone, Vec::new())).collect();
        let cpu: Box<dyn CpuMeter> = Box::new(cpu);
        Ok(Self { clock, cpu, energy, kind, zones: ZoneTracker::default(), state, windows })
    }

    /// Reads counters and CPU times for this period.
    #[expect(clippy::disallowed_methods, reason = "the command `calibrate` has the thread for itself")]
    pub(crate) fn measure(&mut self, period: Duration) -> Result<Vec<ZoneCalibration>, CalibrationError> {
        let begin = self.clock.now();
        self.read()?;
        let mut due = begin.plus(STEP);
        while due <= begin.plus(period) {
            thread::sleep(due.since(self.clock.now()));
            self.read()?;
            due = due.plus(STEP);
        }
        let mirrors = self.energy.mirrored();
        let is_own = |zone: &Zone| mirrors.iter().all(|(mirror, _)| mirror != zone);
        let own = self.windows.keys().filter(|zone| is_own(zone));
        let result = |zone: &Zone| calibrate_zone(*zone, &self.windows, period);
        Ok(own.map(|zone| ZoneCalibration { zone: *zone, result: result(zone) }).collect())
    }

    /// Writes the result to the file that the agent reads; returns its path.
    pub(crate) fn keep(&self, measured: &[ZoneCalibration]) -> Result<PathBuf, CalibrationError> {
        let known: Vec<_> = measured.iter().filter_map(|of| Some((of.zone, of.result.ok()?))).collect();
        self.state.keep_calibration(&known, self.clock.wall()).map_err(CalibrationError::Keep)
    }

    fn read(&mut self) -> Result<(), CalibrationError> {
        let reading = self.energy.read(&*self.clock).unwrap_or_default();
        let window = self.cpu.read(&*self.clock).map_err(CalibrationError::Cpu)?;
        let mut demand = Demand::default();
        for place in &window.places {
            demand.add_capacity(place.place, place.elapsed);
            demand.add(Claimant::workload(Pseudo::Unattributed.id()), place.place, place.busy());
        }
        let demand = Arc::new(demand.moved(&moves(&self.energy.mirrored())));
        self.close(&reading, window.start, window.end, &demand);
        Ok(())
    }

    fn close(&mut self, reading: &EnergyReading, start: MonoTime, end: MonoTime, demand: &Arc<Demand>) {
        self.zones.note(reading, demand, end);
        for (at, of) in &reading.zones {
            let moment = Moment { at: *at, cpu_at: end, demand, tick: end.since(start), idle: None };
            let closed = self.zones.close(of, self.kind, moment).filter(|closed| closed.is_sound);
            let known = closed.zip(demand.utilisation(of.zone.scope));
            if let Some((closed, utilisation)) = known {
                let (energy, duration) = (closed.window.energy, closed.window.duration);
                let window = CalibrationWindow { energy, duration, utilisation };
                self.windows.entry(of.zone).or_default().push(window);
            }
        }
    }
}

fn open_state(config: &Config, zones: &[Zone]) -> Result<StateDir, CalibrationError> {
    let folders = config.state_dirs();
    let state = StateDir::open(&folders, &config.roots(), zones);
    if state.is_there() {
        return Ok(state);
    }
    let tried: Vec<String> = folders.iter().map(|folder| folder.display().to_string()).collect();
    Err(CalibrationError::NoFolder { tried: tried.join(", ") })
}

/// Removes the result; returns the path of the file, if there was one.
pub(crate) fn forget_calibration(config: &Config) -> Result<Option<PathBuf>, CalibrationError> {
    open_state(config, &[])?.forget_calibration().map_err(CalibrationError::Keep)
}
