//! Splits the energy of a closed window over its claimants: a package by its GPU and the rest, each by its key.

use agent_core::attribution::demand::Demand;
use agent_core::attribution::engines::{self, EngineDemand, GpuPart, PartWindow};
use agent_core::attribution::uncertainty::{self, Keyed, Quality};
use agent_core::attribution::weights::Weights;
use agent_core::attribution::{self, Charge, Share, ZoneWindow};
use agent_core::model::cpu::CpuWindow;
use agent_core::model::energy::{Domain, EnergySourceKind, Zone};
use agent_core::model::key::{FallbackReason, SplitKey};
use agent_core::units::MicroJoules;

use super::graphics::GpuSplit;
use super::{Charging, Claims, ClosedZone, EnergyAccounting};
use crate::pipeline::zones::Closed;

impl EnergyAccounting {
    /// Splits the energy of a closed window.
    pub(super) fn charge_closed(
        &mut self,
        kind: EnergySourceKind,
        ClosedZone { closed, error }: ClosedZone,
        Claims { window, demand, .. }: Claims<'_>,
        charging: &mut Charging<'_>,
    ) {
        let demand = closed.owed.as_ref().unwrap_or(demand);
        let zone = closed.window;
        let quality = Quality { energy: error, skew: closed.skew };
        let mut charges = Vec::new();
        for ((part, idle), weights) in self.parts(&closed, demand, window) {
            let split = attribution::attribute(part, &weights, idle, self.policy, charging.reservations);
            charges.extend(with_bounds(split, &weights, part, quality));
        }
        charging.totals.charge(zone.zone, zone.energy, &charges);
        self.zones.charged(zone.zone, kind, zone.energy);
    }

    /// The parts of a window that are split on their own, each with its weights: a package's GPU and the rest; else the whole.
    fn parts(&mut self, closed: &Closed, demand: &Demand, window: &CpuWindow) -> Vec<(PartWindow, Weights)> {
        let zone = closed.window.zone;
        let idle = |zone| self.idle_power(zone, window).map(|idle| idle.power);
        let gpu = Zone { domain: Domain::Uncore, ..zone };
        let (whole, gpu_idle) = ((closed.window, idle(zone)), idle(gpu));
        let by_engine = |engines: &EngineDemand| Weights::by_engine_time(demand, zone.scope, engines);
        match self.graphics.split(closed.window) {
            GpuSplit::None => vec![(whole, self.cores.weights(closed, demand))],
            GpuSplit::Unknown => {
                self.cores.fell_back(FallbackReason::GpuEnergyUnknown);
                vec![(whole, self.cores.weights(closed, demand))]
            }
            GpuSplit::Whole(engines) => {
                self.cores.set_key(zone, SplitKey::EngineTime);
                vec![(whole, by_engine(&engines))]
            }
            GpuSplit::Part(GpuPart { energy, engines }) => {
                let [gpu, rest] = engines::divide(whole, energy, gpu_idle);
                vec![(gpu, by_engine(&engines)), (rest, self.cores.weights(closed, demand))]
            }
        }
    }
}

/// Charges of a part of a window, each with the bound on its error.
fn with_bounds(
    charges: Vec<Charge>,
    weights: &Weights,
    part: ZoneWindow,
    quality: Quality,
) -> impl Iterator<Item = (Charge, MicroJoules)> {
    let is_dynamic = |charge: &&Charge| charge.share == Share::Dynamic;
    let dynamic: MicroJoules = charges.iter().filter(is_dynamic).map(|charge| charge.energy).sum();
    charges.into_iter().map(move |charge| {
        let shared = weights.shared(charge.claimant);
        let keyed = is_dynamic(&&charge).then_some(Keyed { all: dynamic, key: weights.key(), shared });
        (charge, uncertainty::bound(charge.energy, keyed, part.energy, part.duration, quality))
    })
}
