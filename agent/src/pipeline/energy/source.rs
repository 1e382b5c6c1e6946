//! Opens the source of energy, and replaces it while the agent runs: counters may appear late, disappear, or never move.
//!
//! At the start every source is tried, best first; with `auto`, counters that do not move are passed over. Later, with the rights that
//! are left, only powercap and the source of the start are: opening the others takes capabilities that are given up. A meter that was
//! passed over or given up, or is opened later, is a *candidate*: it is used once its counters have moved.

use std::collections::BTreeSet;
use std::time::Duration;

use agent_core::energy::estimate::Estimate;
use agent_core::model::cpu::CpuWindow;
use agent_core::model::energy::{Domain, EnergySourceKind, Zone};
use agent_core::time::MonoTime;
use agent_core::units::CpuTime;

use super::probe::Probe;
use super::silence::Silence;
use crate::clock::Clock;
use crate::config::{self, EnergyChoice};
use crate::pipeline::sources::HealthTracker;
use crate::pipeline::zones::ZoneTracker;
use crate::source::SourceError;
use crate::source::energy::model::ModelMeter;
use crate::source::energy::{EnergyHardware, EnergyMeter, EnergyReading};

/// The source in use.
pub(in crate::pipeline) enum Active {
    /// A hardware meter.
    Meter(EnergyMeter),
    /// The estimate.
    Model,
    /// No source: the required one does not work. CPU time is still accounted.
    None,
}

/// A meter that is watched and not used.
pub(super) struct Candidate {
    pub(super) meter: EnergyMeter,
    /// Time since which its counters have not moved.
    pub(super) since: MonoTime,
}

/// The source of energy, and candidates to replace it.
pub(in crate::pipeline) struct EnergySource {
    pub(super) active: Active,
    pub(in crate::pipeline) model: ModelMeter,
    pub(super) candidates: Vec<Candidate>,
    pub(super) silence: Silence,
    /// Zones that could not be read at the last tick, with the reason.
    pub(super) failures: Vec<(Zone, String)>,
    choice: EnergyChoice,
    at_start: Option<EnergySourceKind>,
    hardware: Box<dyn EnergyHardware>,
    probe: Probe,
}

impl EnergySource {
    /// Opens the best source, or the one that the configuration names. Never fails: an agent without energy still shows CPU time, and
    /// reports the failure.
    pub(in crate::pipeline) fn open(
        config: &config::Energy,
        hardware: Box<dyn EnergyHardware>,
        clock: &dyn Clock,
        health: &mut HealthTracker,
    ) -> Self {
        let now = clock.now();
        let mut source = Self {
            active: Active::None,
            model: ModelMeter::new(Estimate::choose(config.estimate(), hardware.processor())),
            candidates: Vec::new(),
            silence: Silence::begin(now),
            failures: Vec::new(),
            choice: config.source,
            at_start: None,
            probe: Probe::begin(now, hardware.presence()),
            hardware,
        };
        source.active = source.best(clock, health);
        source.at_start = source.kind();
        source
    }

    fn best(&mut self, clock: &dyn Clock, health: &mut HealthTracker) -> Active {
        let mut in_part = None;
        for kind in EnergySourceKind::ALL {
            if !kind.is_measured() || !self.choice.allows(kind) {
                continue;
            }
            match self.hardware.open(kind, clock) {
                Ok(mut meter) => {
                    if self.may_estimate() && !self.hardware.moves(&mut meter, clock) {
                        health.failed(kind.name(), &Self::silent_error(kind));
                        self.candidates.push(Candidate { meter, since: clock.now() });
                        continue;
                    }
                    health.works(kind.name());
                    if is_whole(&meter) {
                        return use_meter(meter);
                    }
                    in_part.get_or_insert(meter);
                }
                Err(error) => health.failed(kind.name(), &error),
            }
        }
        if let Some(meter) = in_part {
            return use_meter(meter);
        }
        if self.may_estimate() {
            let name = EnergySourceKind::Model.name();
            health.works(name);
            let why = match self.choice {
                EnergyChoice::Only(_) => "configured",
                EnergyChoice::Auto => "no energy counter works; `ffwatt check` reports the reason",
            };
            let watts = self.model.estimate().summary();
            tracing::warn!("energy is estimated from CPU use (source=\"model\"): {why}; {watts}");
            return Active::Model;
        }
        if let EnergyChoice::Only(kind) = self.choice {
            health.demand(kind.name());
        }
        Active::None
    }

    /// Kind of the source in use.
    pub(in crate::pipeline) fn kind(&self) -> Option<EnergySourceKind> {
        match &self.active {
            Active::Meter(meter) => Some(meter.kind()),
            Active::Model => Some(EnergySourceKind::Model),
            Active::None => None,
        }
    }

    pub(super) fn is_forced(&self) -> bool {
        self.choice != EnergyChoice::Auto
    }

    /// Whether the configuration allows the estimate.
    pub(super) fn may_estimate(&self) -> bool {
        self.choice.allows(EnergySourceKind::Model)
    }

    /// Whether the meter in use gives no energy although CPUs are busy.
    pub(super) fn is_silent(&self, now: MonoTime) -> bool {
        matches!(self.active, Active::Meter(_)) && self.silence.is_over(now)
    }

    /// Zones that hardware counts.
    pub(in crate::pipeline) fn zones(&self) -> Vec<Zone> {
        match &self.active {
            Active::Meter(meter) => meter.zones(),
            Active::Model | Active::None => Vec::new(),
        }
    }

    pub(in crate::pipeline) fn longest_gap(&self) -> Option<Duration> {
        match &self.active {
            Active::Meter(meter) => meter.longest_gap(),
            Active::Model | Active::None => None,
        }
    }

    pub(in crate::pipeline) fn rebaseline(&mut self) {
        if let Active::Meter(meter) = &mut self.active {
            meter.rebaseline();
        }
    }

    /// Reads the meter; the model needs the CPU times first.
    pub(in crate::pipeline) fn read(&mut self, clock: &dyn Clock) -> Option<EnergyReading> {
        match &mut self.active {
            Active::Meter(meter) => Some(meter.read(clock)),
            Active::Model | Active::None => None,
        }
    }

    /// Reads the meter between ticks, if it is time, so that no wrap is missed. The energy is in the next tick.
    pub(in crate::pipeline) fn keep_up(&mut self, clock: &dyn Clock, zones: &mut ZoneTracker) {
        let (Some(gap), now) = (self.longest_gap(), clock.now()) else { return };
        if zones.last_read().is_some_and(|last| now.since(last) < gap) {
            return;
        }
        let Some((kind, reading)) = self.kind().zip(self.read(clock)) else { return };
        zones.was_read(now, &reading.cores);
        zones.count(&reading.events, now);
        self.silence.observe(now, reading.has_moved, CpuTime::ZERO);
        for (at, zone) in &reading.zones {
            zones.baseline(*at, zone, kind);
        }
    }

    /// Ends the reader threads, which have the rights of the start. Those of later readings have the rights that are left.
    pub(in crate::pipeline) fn stop_readers(&mut self) {
        let candidates = self.candidates.iter_mut().map(|candidate| &mut candidate.meter);
        let active = match &mut self.active {
            Active::Meter(meter) => Some(meter),
            Active::Model | Active::None => None,
        };
        candidates.chain(active).for_each(EnergyMeter::stop_reader);
    }

    /// Zones whose counters mirror others, each with the mirrored one.
    pub(in crate::pipeline) fn mirrored(&self) -> Vec<(Zone, Zone)> {
        match &self.active {
            Active::Meter(meter) => meter.mirrors().into_iter().collect(),
            Active::Model | Active::None => Vec::new(),
        }
    }

    /// Whether the source in use has a counter for this zone alone; for the estimate, whether the zone has been estimated.
    pub(in crate::pipeline) fn gives(&self, zone: Zone, has_been_estimated: bool) -> bool {
        match &self.active {
            Active::Meter(meter) => meter.reads(zone),
            Active::Model => has_been_estimated,
            Active::None => false,
        }
    }

    /// Sockets with CPUs on line that have no counter, although others have one.
    pub(super) fn uncounted(&self, window: &CpuWindow) -> BTreeSet<u32> {
        let Active::Meter(meter) = &self.active else { return BTreeSet::new() };
        let running = window.places.iter().filter(|place| place.cpus > 0);
        meter.uncounted(running.map(|place| place.place))
    }

    /// Takes the first candidate whose counters have moved, with the reading that shows it.
    pub(super) fn moved_candidate(&mut self, clock: &dyn Clock) -> Option<(EnergyMeter, EnergyReading)> {
        if matches!(self.active, Active::Meter(_)) {
            return None;
        }
        for index in 0..self.candidates.len() {
            let reading = self.candidates[index].meter.read(clock);
            if reading.has_moved {
                return Some((self.candidates.remove(index).meter, reading));
            }
        }
        None
    }

    /// Checks for counters that are new, and opens them. `is_lacking`: some do not work.
    pub(super) fn look(&mut self, clock: &dyn Clock, is_lacking: bool, health: &mut HealthTracker) {
        let now = clock.now();
        if !self.probe.is_due(now) || self.choice == EnergyChoice::Only(EnergySourceKind::Model) {
            return;
        }
        let is_lacking = is_lacking || !matches!(self.active, Active::Meter(_));
        if !self.probe.look(now, self.hardware.presence(), is_lacking) {
            return;
        }
        for kind in self.kinds_to_open() {
            match self.hardware.open(kind, clock) {
                Ok(meter) => self.take_in(meter, now),
                Err(error) if self.kind() != Some(kind) => health.failed(kind.name(), &error),
                // The source in use reports its own failures.
                Err(_) => {}
            }
        }
    }

    fn kinds_to_open(&self) -> Vec<EnergySourceKind> {
        if let Active::Meter(meter) = &self.active {
            return vec![meter.kind()];
        }
        let mut kinds: Vec<EnergySourceKind> = self.at_start.into_iter().collect();
        kinds.push(EnergySourceKind::Powercap);
        kinds.dedup();
        kinds.retain(|kind| kind.is_measured() && self.choice.allows(*kind));
        kinds
    }

    fn take_in(&mut self, later: EnergyMeter, now: MonoTime) {
        if let Active::Meter(meter) = &mut self.active {
            for zone in meter.adopt(later) {
                tracing::info!(%zone, source = meter.kind().name(), "a new energy counter is read");
            }
            return;
        }
        match self.candidates.iter_mut().find(|known| known.meter.kind() == later.kind()) {
            Some(known) => drop(known.meter.adopt(later)),
            None => self.candidates.push(Candidate { meter: later, since: now }),
        }
    }

    /// Uses a meter whose counters have just moved.
    pub(super) fn use_meter(&mut self, meter: EnergyMeter, now: MonoTime) {
        self.active = use_meter(meter);
        self.silence = Silence::begin(now);
        self.silence.observe(now, true, CpuTime::ZERO);
    }

    /// Estimates instead of using the meter, which is watched from now on. Returns the kind of the meter.
    pub(super) fn give_up(&mut self) -> Option<EnergySourceKind> {
        let Active::Meter(meter) = std::mem::replace(&mut self.active, Active::Model) else { return None };
        let kind = meter.kind();
        self.failures.clear();
        self.candidates.push(Candidate { meter, since: self.silence.since() });
        Some(kind)
    }

    /// The error of a source that is given up.
    pub(super) fn silent_error(kind: EnergySourceKind) -> SourceError {
        SourceError::unavailable(
            format!("the energy counters of {kind} do not move although CPUs are busy"),
            "on a virtual machine, configure the hypervisor to pass RAPL through, or set \
             --energy.source=model",
        )
    }
}

fn use_meter(meter: EnergyMeter) -> Active {
    for note in meter.notes() {
        tracing::info!(source = meter.kind().name(), "{note}");
    }
    Active::Meter(meter)
}

/// Whether every package can be read.
fn is_whole(meter: &EnergyMeter) -> bool {
    meter.unreadable().iter().all(|zone| zone.domain != Domain::Package)
}
