//! How does a tick's energy become charges?

use std::time::Duration;

use crate::attribution::demand::Demand;
use crate::attribution::uncertainty::{self, Quality};
use crate::attribution::{self, Charge, IdlePolicy, Share};
use crate::clock::{Clock, MonoTime};
use crate::config::{Config, EnergyChoice};
use crate::host::{CpuTopology, HostRoots};
use crate::model::cpu::CpuWindow;
use crate::model::energy::{Domain, EnergySourceKind, Zone, ZoneReading};
use crate::model::finding::FindingCode;
use crate::model::reservation::Reservations;
use crate::model::snapshot::IdleOrigin;
use crate::pipeline::Pipeline;
use crate::pipeline::sources::HealthBook;
use crate::pipeline::zones::ZoneBook;
use crate::source::energy::model::{Coefficients, ModelMeter};
use crate::source::energy::{self, EnergyMeter, EnergyOptions, EnergyReading};
use crate::units::{MicroJoules, Watts};

/// Where energy comes from.
pub(super) enum EnergySource {
    /// A hardware meter.
    Meter(Box<dyn EnergyMeter>),
    /// The estimate.
    Model(ModelMeter),
    /// Nothing: the source that was demanded does not work. CPU time is still accounted.
    None,
}

impl EnergySource {
    /// The best source, or the one the configuration names. Never fails: an agent without energy still tells CPU time, and
    /// says so.
    pub(super) fn open(
        config: &Config,
        roots: &HostRoots,
        topology: &CpuTopology,
        clock: &dyn Clock,
        health: &mut HealthBook,
    ) -> Self {
        let options = EnergyOptions { plausible_power: config.energy.plausible_watts.map(Watts) };
        let forced = match config.energy.source {
            EnergyChoice::Auto => None,
            EnergyChoice::Perf => Some(EnergySourceKind::Perf),
            EnergyChoice::Powercap => Some(EnergySourceKind::Powercap),
            EnergyChoice::Msr => Some(EnergySourceKind::Msr),
            EnergyChoice::Model => Some(EnergySourceKind::Model),
        };
        let kinds = match forced {
            Some(kind) => vec![kind],
            None => vec![
                EnergySourceKind::Perf,
                EnergySourceKind::Powercap,
                EnergySourceKind::Msr,
                EnergySourceKind::Model,
            ],
        };
        for kind in kinds {
            if kind == EnergySourceKind::Model {
                health.works(kind.name());
                tracing::warn!(
                    "energy is estimated from CPU use (source=\"model\"): {}",
                    if forced.is_some() {
                        "configured"
                    } else {
                        "nothing counts it here; `ffwatt check` says why"
                    }
                );
                let coefficients = Coefficients {
                    idle: Watts(config.energy.model_idle_watts),
                    busy: Watts(config.energy.model_busy_watts),
                };
                return Self::Model(ModelMeter::new(coefficients));
            }
            match energy::open(kind, roots, topology, &options, clock) {
                Ok(meter) => {
                    health.works(kind.name());
                    for note in meter.notes() {
                        tracing::info!(source = kind.name(), "{note}");
                    }
                    return Self::Meter(meter);
                }
                Err(error) => health.failed(kind.name(), &error),
            }
        }
        Self::None
    }

    pub(super) fn kind(&self) -> Option<EnergySourceKind> {
        match self {
            Self::Meter(meter) => Some(meter.kind()),
            Self::Model(_) => Some(EnergySourceKind::Model),
            Self::None => None,
        }
    }

    pub(super) fn longest_gap(&self) -> Option<Duration> {
        match self {
            Self::Meter(meter) => meter.longest_gap(),
            Self::Model(_) | Self::None => None,
        }
    }

    pub(super) fn rebaseline(&mut self) {
        if let Self::Meter(meter) = self {
            meter.rebaseline();
        }
    }

    /// Reads the meter; the model has to wait for the CPU times.
    pub(super) fn read(&mut self, clock: &dyn Clock) -> Option<EnergyReading> {
        match self {
            Self::Meter(meter) => Some(meter.read(clock)),
            Self::Model(_) | Self::None => None,
        }
    }

    /// Reads the meter between ticks, if it is time, so that no wrap is missed. The energy is in the next tick.
    pub(super) fn keep_up(&mut self, clock: &dyn Clock, zones: &mut ZoneBook) {
        let (Some(gap), now) = (self.longest_gap(), clock.now()) else { return };
        if zones.last_read().is_some_and(|last| now.since(last) < gap) {
            return;
        }
        if let Some(reading) = self.read(clock) {
            zones.was_read(now);
            zones.count(&reading.events);
            for (at, zone) in &reading.zones {
                zones.baseline(*at, zone);
            }
        }
    }
}

impl Pipeline {
    /// The first readings: the baseline of the first window. They are made with rights that are given up afterwards.
    pub(super) fn baseline_energy(&mut self) {
        if let Some(reading) = self.energy.read(&*self.clock) {
            self.zones.was_read(self.clock.now());
            for (at, zone) in &reading.zones {
                self.zones.baseline(*at, zone);
            }
        }
        if let EnergySource::Meter(meter) = &mut self.energy {
            meter.rest();
        }
    }

    /// Splits what every counter has counted since it was last read.
    pub(super) fn charge_energy(
        &mut self,
        metered: Option<EnergyReading>,
        window: &CpuWindow,
        demand: &Demand,
    ) {
        let Some(kind) = self.energy.kind() else { return };
        let readings = match (&mut self.energy, metered) {
            (EnergySource::Model(model), _) => {
                let readings = model.advance(window);
                for reading in &readings {
                    // The estimate begins with the first window, not with the second.
                    self.zones.baseline(window.start, &ZoneReading { total: MicroJoules::ZERO, ..*reading });
                }
                readings.into_iter().map(|reading| (window.end, reading)).collect()
            }
            (EnergySource::Meter(_), Some(reading)) => self.take_reading(kind, reading, demand),
            _ => Vec::new(),
        };
        for (at, reading) in readings {
            self.charge_zone(kind, at, reading, window, demand);
        }
    }

    /// Notes what went wrong with a meter's reading; returns what went right.
    fn take_reading(
        &mut self,
        kind: EnergySourceKind,
        reading: EnergyReading,
        demand: &Demand,
    ) -> Vec<(MonoTime, ZoneReading)> {
        self.zones.was_read(self.clock.now());
        self.zones.count(&reading.events);
        for (zone, error) in &reading.failures {
            self.zones.owe(*zone, demand);
            if reading.zones.is_empty() {
                self.health.failed(kind.name(), error);
            } else {
                self.health.note(kind.name(), error);
            }
        }
        if !reading.zones.is_empty() {
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
        demand: &Demand,
    ) {
        self.totals.zone_index(reading.zone);
        let Some(closed) = self.zones.close(at, window.end, &reading) else { return };
        let mut owed = closed.owed;
        let demand = if owed.is_empty() {
            demand
        } else {
            owed.extend(demand);
            &owed
        };
        let zone = closed.window;
        if kind.is_measured()
            && self.learner.observe(
                zone.zone,
                zone.energy,
                zone.duration,
                demand.utilisation(zone.zone.scope),
            )
        {
            self.state.save_idle(self.learner.learned());
        }
        let idle_power = self.idle_power(zone.zone, window).map(|(power, _)| power);
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
    }

    /// Reports what is missing, estimated or doubtful in the tick's energy.
    pub(super) fn find_about_energy(&mut self) {
        match self.energy.kind() {
            None => self.findings.report(FindingCode::NoEnergy, "host", "`ffwatt check` says why"),
            Some(EnergySourceKind::Model) => {
                self.findings.report(FindingCode::EnergyIsEstimated, "host", "no counter is read");
            }
            Some(_) => {}
        }
    }

    /// What a zone draws when nobody runs, and how that is known.
    pub(super) fn idle_power(&self, zone: Zone, window: &CpuWindow) -> Option<(Watts, IdleOrigin)> {
        if let Some(power) = self.configured_idle.filter(|_| zone.domain == Domain::Package) {
            return Some((power, IdleOrigin::Configured));
        }
        if let EnergySource::Model(model) = &self.energy {
            let duration = window.end.since(window.start);
            return Some((model.idle_power(window, duration, zone)?, IdleOrigin::Model));
        }
        Some((self.learner.power(zone)?, IdleOrigin::Learned))
    }

    /// Who is there to pay for the idle machine, where the policy asks.
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
