//! Turns a tick's energy readings into charges, and follows the source of energy.

mod find;
mod probe;
mod silence;
mod source;

use std::sync::Arc;

use agent_core::attribution::demand::Demand;
use agent_core::attribution::uncertainty::{self, Quality};
use agent_core::attribution::{self, Charge, IdlePolicy, Share};
use agent_core::model::cpu::{CpuWindow, PlaceWindow};
use agent_core::model::energy::{Domain, EnergySourceKind, Scope, Zone, ZoneReading};
use agent_core::model::reservation::Reservations;
use agent_core::time::MonoTime;
use agent_core::units::{CpuTime, MicroJoules};
use source::Active;

use crate::pipeline::Pipeline;
use crate::pipeline::zones::Moment;
use crate::source::energy::{EnergyMeter, EnergyReading};
pub(super) use source::EnergySource;

impl Pipeline {
    /// Reads the counters for the first time: the baseline of the first window. This needs rights that are given up afterwards.
    pub(super) fn baseline_energy(&mut self) {
        let kind = self.energy.kind();
        if let Some((kind, reading)) = kind.zip(self.energy.read(&*self.clock)) {
            self.zones.was_read(self.clock.now());
            self.take_baseline(kind, &reading);
        }
        if let Active::Meter(meter) = &mut self.energy.active {
            meter.stop_reader();
        }
    }

    fn take_baseline(&mut self, kind: EnergySourceKind, reading: &EnergyReading) {
        for (at, zone) in &reading.zones {
            self.zones.baseline(*at, zone, kind);
        }
        let now = self.clock.now();
        for zone in &reading.withheld {
            self.zones.await_first(now, zone);
        }
    }

    /// Splits the energy of every counter since its last reading, and follows the source of energy.
    pub(super) fn charge_energy(
        &mut self,
        metered: Option<EnergyReading>,
        window: &CpuWindow,
        demand: &Arc<Demand>,
    ) {
        match (&self.energy.active, metered) {
            (Active::Model, _) => self.charge_estimate(window, demand),
            (Active::Meter(meter), Some(reading)) => {
                let kind = meter.kind();
                self.charge_metered(kind, reading, window, demand);
            }
            _ => {}
        }
        self.follow_energy(window);
    }

    /// Adds a window to the estimate, and splits its energy.
    fn charge_estimate(&mut self, window: &CpuWindow, demand: &Arc<Demand>) {
        let before = self.energy.model.totals();
        for reading in self.energy.model.advance(window) {
            let known = before.iter().find(|before| before.zone == reading.zone);
            let total = known.map_or(MicroJoules::ZERO, |before| before.total);
            // The estimate begins with the first window, not with the second.
            let baseline = ZoneReading { total, ..reading };
            self.zones.baseline(window.start, &baseline, EnergySourceKind::Model);
            self.charge_zone(EnergySourceKind::Model, window.end, reading, window, demand);
        }
    }

    fn charge_metered(
        &mut self,
        kind: EnergySourceKind,
        reading: EnergyReading,
        window: &CpuWindow,
        demand: &Arc<Demand>,
    ) {
        // The demand of CPUs of mirrored packages counts for the package whose counter they share.
        let mirrored = self.energy.mirrored();
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
        self.energy.silence.observe(self.clock.now(), reading.has_moved, busy);
        for (at, reading) in self.take_reading(kind, reading, demand) {
            self.charge_zone(kind, at, reading, window, demand);
        }
    }

    /// Notes failures of a meter's reading; returns the readings that succeeded.
    fn take_reading(
        &mut self,
        kind: EnergySourceKind,
        reading: EnergyReading,
        demand: &Demand,
    ) -> Vec<(MonoTime, ZoneReading)> {
        let now = self.clock.now();
        self.zones.was_read(now);
        self.zones.note(&reading, demand, now);
        // A zone that cannot be read still contains others, which do not count in its place.
        for zone in self.energy.zones() {
            self.totals.zone_index(zone);
        }
        for (_, error) in &reading.failures {
            if reading.zones.is_empty() {
                self.health.failed(kind.name(), error);
            } else {
                self.health.note(kind.name(), error);
            }
        }
        let failures = reading.failures.iter().map(|(zone, error)| (*zone, error.chain()));
        self.energy.failures = failures.collect();
        if self.energy.is_silent(now) {
            self.health.failed(kind.name(), &EnergySource::silent_error(kind));
        } else if !reading.zones.is_empty() {
            self.health.works(kind.name());
        }
        reading.zones
    }

    fn charge_zone(
        &mut self,
        kind: EnergySourceKind,
        at: MonoTime,
        reading: ZoneReading,
        window: &CpuWindow,
        demand: &Arc<Demand>,
    ) {
        self.totals.zone_index(reading.zone);
        let idle = self.idle_power(reading.zone, window).map(|idle| idle.power);
        let tick = window.end.since(window.start);
        let moment = Moment { at, cpu_at: window.end, demand, tick, idle };
        let Some(closed) = self.zones.close(&reading, kind, moment) else { return };
        let demand = closed.owed.as_ref().unwrap_or(demand);
        let zone = closed.window;
        if kind.is_measured() {
            self.learn_idle(zone, closed.is_sound, demand);
        }
        let idle_power = self.idle_power(zone.zone, window).map(|idle| idle.power);
        let reservations = self.reservations();
        let charges = attribution::attribute(zone, demand, idle_power, self.policy, &reservations);
        let quality = Quality { source: kind, quantum: reading.quantum, skew: closed.skew };
        let is_dynamic = |charge: &&Charge| charge.share == Share::Dynamic;
        let dynamic: MicroJoules = charges.iter().filter(is_dynamic).map(|charge| charge.energy).sum();
        let bound = |charge: Charge| {
            let by_key = is_dynamic(&&charge).then_some(dynamic);
            uncertainty::bound(charge.energy, by_key, zone.energy, zone.duration, quality)
        };
        let charges: Vec<_> = charges.into_iter().map(|charge| (charge, bound(charge))).collect();
        self.totals.charge(zone.zone, zone.energy, &charges);
        self.zones.charged(zone.zone, kind, zone.energy);
    }

    /// Changes to another source when counters appear, disappear or stand still, and looks for new ones from time to time.
    fn follow_energy(&mut self, window: &CpuWindow) {
        let now = self.clock.now();
        if let Some((meter, reading)) = self.energy.moved_candidate(&*self.clock) {
            self.use_candidate(meter, &reading);
        } else if self.energy.may_estimate() && self.energy.is_silent(now) {
            self.fall_back(window);
        }
        let is_lacking = !self.energy.failures.is_empty() || !self.energy.uncounted(window).is_empty();
        self.energy.look(&*self.clock, is_lacking, &mut self.health);
    }

    /// Uses a meter from now on. Energy that was estimated before stays an estimate.
    fn use_candidate(&mut self, meter: EnergyMeter, reading: &EnergyReading) {
        let kind = meter.kind();
        tracing::info!(source = kind.name(), "the energy counters move: energy is measured from here on");
        self.health.works(kind.name());
        self.health.retire(EnergySourceKind::Model.name());
        self.energy.use_meter(meter, self.clock.now());
        self.zones.end_source();
        self.zones.was_read(self.clock.now());
        self.take_baseline(kind, reading);
    }

    /// Estimates energy from now on, and the unknown energy before.
    fn fall_back(&mut self, window: &CpuWindow) {
        let Some(kind) = self.energy.give_up() else { return };
        let error = EnergySource::silent_error(kind);
        self.health.failed(kind.name(), &error);
        self.health.works(EnergySourceKind::Model.name());
        tracing::warn!("energy is estimated from CPU use (source=\"model\"): {error}");
        let (since, owed) = self.zones.end_source();
        let Some(since) = since else { return };
        let places = owed.places(Scope::Platform).into_iter().map(|(place, elapsed, busy)| PlaceWindow {
            place,
            cpus: 0,
            elapsed,
            idle: elapsed.saturating_sub(busy),
        });
        let unpaid = CpuWindow { start: since, end: window.end, places: places.collect(), usage: Vec::new() };
        self.charge_estimate(&unpaid, &Arc::new(owed));
    }

    /// Reservations of the living workloads, if the idle policy needs them.
    fn reservations(&self) -> Reservations {
        match self.policy {
            IdlePolicy::Own | IdlePolicy::Proportional => Reservations::default(),
            IdlePolicy::Even | IdlePolicy::Reservation => Reservations {
                cpus: self.slow.cpus(),
                workloads: self
                    .identities
                    .living()
                    .map(|(id, _)| (id, self.slow.reservation(id).unwrap_or_default()))
                    .collect(),
            },
        }
    }
}

/// Scopes of mirrored packages, each with the scope that is counted.
pub(super) fn moves(mirrored: &[(Zone, Zone)]) -> Vec<(Scope, Scope)> {
    let packages = mirrored.iter().filter(|(zone, _)| zone.domain == Domain::Package);
    packages.map(|(zone, leader)| (zone.scope, leader.scope)).collect()
}
