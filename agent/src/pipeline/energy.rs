//! Turns a tick's energy readings into charges, and follows the source of energy.

mod charge;
mod cores;
mod find;
mod graphics;
mod idle;
mod probe;
mod silence;
mod snapshot;
mod source;

use std::sync::Arc;
use std::time::Duration;

use agent_core::attribution::IdlePolicy;
use agent_core::attribution::demand::{Demand, PlaceTime};
use agent_core::attribution::engines::EngineDemand;
use agent_core::attribution::siblings::SharedCoreWeight;
use agent_core::attribution::totals::Totals;
use agent_core::attribution::uncertainty::EnergyError;
use agent_core::model::cpu::{CpuWindow, PlaceWindow};
use agent_core::model::energy::{Domain, EnergySourceKind, Scope, Zone, ZoneReading};
use agent_core::model::reservation::Reservations;
use agent_core::model::snapshot::EnergyModel;
use agent_core::time::MonoTime;
use agent_core::units::{CpuTime, MicroJoules, Watts};
use cores::CoreTracker;
use graphics::GraphicsTracker;
use idle::IdleTracker;
use source::Active;

use super::findings::FindingTracker;
use super::sources::HealthTracker;
use super::state_dir::StateDir;
use super::zones::{Closed, Moment, ZoneTracker};
use crate::clock::Clock;
use crate::config::Config;
use crate::source::energy::{EnergyMeter, EnergyReading};
pub(crate) use idle::known_idle;
pub(super) use source::EnergySource;

/// The source of energy, each of its counters, and the split of their energy.
pub(super) struct EnergyAccounting {
    source: EnergySource,
    zones: ZoneTracker,
    cores: CoreTracker,
    idle: IdleTracker,
    graphics: GraphicsTracker,
    idle_patience: Duration,
    policy: IdlePolicy,
}

/// The closed window of one counter, and the precision of its energy.
#[derive(Debug)]
struct ClosedZone {
    closed: Closed,
    error: EnergyError,
}

/// CPU times of a tick, and the claims that follow from them.
#[derive(Clone, Copy)]
pub(super) struct Claims<'a> {
    pub(super) window: &'a CpuWindow,
    pub(super) demand: &'a Arc<Demand>,
    /// Engine time of the integrated GPU; `None` where it is not known.
    pub(super) engines: Option<&'a EngineDemand>,
}

/// Parts of the pipeline that charging uses.
pub(super) struct Charging<'a> {
    pub(super) clock: &'a dyn Clock,
    pub(super) reservations: &'a Reservations,
    pub(super) totals: &'a mut Totals,
    pub(super) health: &'a mut HealthTracker,
}

impl EnergyAccounting {
    /// `shared_core` is the weight of time on a core whose other thread is busy too.
    pub(super) fn new(
        config: &Config,
        source: EnergySource,
        state: StateDir,
        shared_core: SharedCoreWeight,
    ) -> Self {
        Self {
            source,
            zones: ZoneTracker::default(),
            cores: CoreTracker::new(shared_core),
            idle: IdleTracker::new(config.attribution.idle_watts.map(Watts), state),
            graphics: GraphicsTracker::default(),
            idle_patience: idle::patience(config.interval.0),
            policy: config.attribution.idle_policy.into(),
        }
    }

    /// Kind of the source in use.
    pub(super) fn kind(&self) -> Option<EnergySourceKind> {
        self.source.kind()
    }

    /// The watts of the model, while it is the source in use.
    pub(super) fn model(&self) -> Option<EnergyModel> {
        matches!(self.source.active, Active::Model).then(|| {
            let estimate = self.source.model.estimate();
            let (idle, busy) = (estimate.power.idle.power, estimate.power.busy.power);
            EnergyModel { cpu: estimate.cpu(), source: estimate.source(), idle, busy }
        })
    }

    /// The policy for idle energy.
    pub(super) fn policy(&self) -> IdlePolicy {
        self.policy
    }

    /// Reads the counters for the first time: the baseline of the first window. This needs rights that are given up afterwards.
    pub(super) fn begin(&mut self, clock: &dyn Clock) {
        let kind = self.source.kind();
        if let Some((kind, reading)) = kind.zip(self.source.read(clock)) {
            self.zones.was_read(clock.now(), &reading.cores);
            self.take_baseline(kind, &reading, clock);
        }
        self.source.stop_readers();
    }

    /// Whether single cores have counters, so that CPU time is needed by core.
    pub(super) fn counts_cores(&self) -> bool {
        matches!(&self.source.active, Active::Meter(meter) if meter.counts_cores())
    }

    /// Reads the counters; `None` without counters.
    pub(super) fn read(&mut self, clock: &dyn Clock) -> Option<EnergyReading> {
        self.source.read(clock)
    }

    /// Latest time of the next reading, so that no wrap is missed. `last_tick` counts where nothing has been read yet.
    pub(super) fn next_reading(&self, last_tick: MonoTime) -> Option<MonoTime> {
        let last_read = self.zones.last_read().unwrap_or(last_tick);
        self.source.longest_gap().map(|gap| last_read.plus(gap))
    }

    /// Reads the counters between ticks, if it is time.
    pub(super) fn keep_up(&mut self, clock: &dyn Clock) {
        self.source.keep_up(clock, &mut self.zones);
    }

    /// After a suspend: counters may begin again.
    pub(super) fn resume(&mut self) {
        self.source.rebaseline();
        self.zones.disturb();
    }

    /// Takes new results of `ffwatt calibrate`.
    pub(super) fn follow_calibration(&mut self, now: MonoTime) {
        self.idle.follow_calibration(now);
    }

    /// Writes learned idle powers to the state folder.
    pub(super) fn keep_idle(&self) {
        self.idle.keep();
    }

    /// Reports missing, estimated and doubtful figures of energy.
    pub(super) fn report(
        &self,
        window: &CpuWindow,
        now: MonoTime,
        totals: &Totals,
        findings: &mut FindingTracker,
    ) {
        self.find_about_energy(window, now, findings);
        self.find_about_idle(window, now, totals, findings);
        self.graphics.report(now, findings);
    }

    fn take_baseline(&mut self, kind: EnergySourceKind, reading: &EnergyReading, clock: &dyn Clock) {
        for (at, zone) in &reading.zones {
            self.zones.baseline(*at, zone, kind);
        }
        let now = clock.now();
        for zone in &reading.withheld {
            self.zones.await_first(now, zone);
        }
    }

    /// Splits the energy of every counter since its last reading, and follows the source of energy.
    pub(super) fn charge(
        &mut self,
        metered: Option<EnergyReading>,
        claims: Claims<'_>,
        charging: &mut Charging<'_>,
    ) {
        match (&self.source.active, metered) {
            (Active::Model, _) => self.charge_estimate(claims, charging),
            (Active::Meter(meter), Some(reading)) => {
                let kind = meter.kind();
                self.charge_metered(kind, reading, claims, charging);
            }
            _ => {}
        }
        self.follow_source(claims.window, charging);
    }

    /// Adds a window to the estimate, and splits its energy.
    fn charge_estimate(&mut self, claims: Claims<'_>, charging: &mut Charging<'_>) {
        let window = claims.window;
        let before = self.source.model.totals();
        for reading in self.source.model.advance(window) {
            let known = before.iter().find(|before| before.zone == reading.zone);
            let total = known.map_or(MicroJoules::ZERO, |before| before.total);
            // The estimate begins with the first window, not with the second.
            let baseline = ZoneReading { total, ..reading };
            self.zones.baseline(window.start, &baseline, EnergySourceKind::Model);
            if let Some(closed) =
                self.close_zone(EnergySourceKind::Model, (window.end, reading), claims, charging)
            {
                self.charge_closed(EnergySourceKind::Model, closed, claims, charging);
            }
        }
    }

    fn charge_metered(
        &mut self,
        kind: EnergySourceKind,
        reading: EnergyReading,
        claims: Claims<'_>,
        charging: &mut Charging<'_>,
    ) {
        let Claims { window, demand, engines } = claims;
        self.graphics.add_engine_time(engines, &self.source.zones());
        // The demand of CPUs of mirrored packages counts for the package whose counter they share.
        let mirrored = self.source.mirrored();
        let moves = moves(&mirrored);
        let moved = (!moves.is_empty()).then(|| Arc::new(demand.moved(&moves)));
        if moved.is_some() {
            self.zones.move_owed(&moves);
            for (zone, _) in &mirrored {
                self.zones.forget(*zone);
            }
        }
        let demand = moved.as_ref().unwrap_or(demand);
        let busy: CpuTime = window.places.iter().map(PlaceWindow::busy).sum();
        self.source.silence.observe(charging.clock.now(), reading.has_moved, busy);
        let claims = Claims { window, demand, engines };
        let readings = self.take_reading(kind, reading, demand, charging).into_iter();
        let mut closed: Vec<_> =
            readings.filter_map(|reading| self.close_zone(kind, reading, claims, charging)).collect();
        // A package is split by the energy of its GPU.
        closed.sort_by_key(|zone| zone.closed.window.zone.domain != Domain::Uncore);
        self.learn(&closed, demand, charging.clock.now());
        for closed in closed {
            self.charge_closed(kind, closed, claims, charging);
        }
    }

    /// Learns idle power from the windows of a tick, of all counters together: the power of one shows whether the others are idle.
    fn learn(&mut self, closed: &[ClosedZone], demand: &Demand, now: MonoTime) {
        self.graphics.observe(closed.iter().map(|zone| zone.closed.window), now);
        for ClosedZone { closed, .. } in closed {
            self.cores.learn(closed, demand);
            let is_sound = closed.is_sound && !self.graphics.affects(closed.window.zone, now);
            self.idle.learn(closed.window, is_sound, closed.owed.as_ref().unwrap_or(demand));
        }
    }

    /// Notes failures of a meter's reading; returns the readings that succeeded.
    fn take_reading(
        &mut self,
        kind: EnergySourceKind,
        reading: EnergyReading,
        demand: &Demand,
        charging: &mut Charging<'_>,
    ) -> Vec<(MonoTime, ZoneReading)> {
        let Charging { totals, health, .. } = charging;
        let now = charging.clock.now();
        self.zones.was_read(now, &reading.cores);
        self.zones.note(&reading, demand, now);
        // A zone that cannot be read still contains others, which do not count in its place.
        for zone in self.source.zones() {
            totals.zone_index(zone);
        }
        for (_, error) in &reading.failures {
            if reading.zones.is_empty() {
                health.failed(kind.name(), error);
            } else {
                health.note(kind.name(), error);
            }
        }
        let failures = reading.failures.iter().map(|(zone, error)| (*zone, error.chain()));
        self.source.failures = failures.collect();
        if self.source.is_silent(now) {
            health.failed(kind.name(), &EnergySource::silent_error(kind));
        } else if !reading.zones.is_empty() {
            health.works(kind.name());
        }
        reading.zones
    }

    /// Closes the window of a counter that was read; `None` where the counter gives no energy at this tick.
    fn close_zone(
        &mut self,
        kind: EnergySourceKind,
        (at, reading): (MonoTime, ZoneReading),
        Claims { window, demand, .. }: Claims<'_>,
        charging: &mut Charging<'_>,
    ) -> Option<ClosedZone> {
        charging.totals.zone_index(reading.zone);
        let idle = self.idle_power(reading.zone, window).map(|idle| idle.power);
        let tick = window.end.since(window.start);
        let moment = Moment { at, cpu_at: window.end, demand, tick, idle };
        let closed = self.zones.close(&reading, kind, moment)?;
        let error = match kind {
            EnergySourceKind::Model => EnergyError::Estimate(self.source.model.error(window, reading.zone)),
            _ => EnergyError::Counter(reading.quantum),
        };
        Some(ClosedZone { closed, error })
    }

    /// Changes to another source when counters appear, disappear or stand still, and looks for new ones from time to time.
    fn follow_source(&mut self, window: &CpuWindow, charging: &mut Charging<'_>) {
        let clock = charging.clock;
        let now = clock.now();
        if let Some((meter, reading)) = self.source.moved_candidate(clock) {
            self.use_candidate(meter, &reading, charging);
        } else if self.source.may_estimate() && self.source.is_silent(now) {
            self.fall_back(window, charging);
        }
        let is_lacking = !self.source.failures.is_empty() || !self.source.uncounted(window).is_empty();
        self.source.look(clock, is_lacking, charging.health);
    }

    /// Uses a meter from now on. Energy that was estimated before stays an estimate.
    fn use_candidate(&mut self, meter: EnergyMeter, reading: &EnergyReading, charging: &mut Charging<'_>) {
        let Charging { clock, health, .. } = charging;
        let kind = meter.kind();
        tracing::info!(source = kind.name(), "the energy counters move: energy is measured from here on");
        health.works(kind.name());
        health.retire(EnergySourceKind::Model.name());
        self.source.use_meter(meter, clock.now());
        self.zones.end_source();
        self.zones.was_read(clock.now(), &reading.cores);
        self.take_baseline(kind, reading, *clock);
    }

    /// Estimates energy from now on, and the unknown energy before.
    fn fall_back(&mut self, window: &CpuWindow, charging: &mut Charging<'_>) {
        let Some(kind) = self.source.give_up() else { return };
        let error = EnergySource::silent_error(kind);
        charging.health.failed(kind.name(), &error);
        charging.health.works(EnergySourceKind::Model.name());
        let watts = self.source.model.estimate().summary();
        tracing::warn!("energy is estimated from CPU use (source=\"model\"): {error}; {watts}");
        let (since, owed) = self.zones.end_source();
        let Some(since) = since else { return };
        let places = owed.places(Scope::Platform).map(|(place, PlaceTime { elapsed, busy })| PlaceWindow {
            place,
            cpus: 0,
            elapsed,
            idle: elapsed.saturating_sub(busy.all),
        });
        let unpaid = CpuWindow { start: since, end: window.end, places: places.collect(), usage: Vec::new() };
        self.charge_estimate(Claims { window: &unpaid, demand: &Arc::new(owed), engines: None }, charging);
    }
}

/// Scopes of mirrored packages, each with the scope that is counted.
pub(super) fn moves(mirrored: &[(Zone, Zone)]) -> Vec<(Scope, Scope)> {
    let packages = mirrored.iter().filter(|(zone, _)| zone.domain == Domain::Package);
    packages.map(|(zone, leader)| (zone.scope, leader.scope)).collect()
}
