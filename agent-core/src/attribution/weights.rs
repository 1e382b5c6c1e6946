//! Weights of the claimants of a window, by the key of the window: CPU time, CPU time with the use of shared cores, the energy of the
//! cores, or the time of GPU engines.

use crate::attribution::cores::CorePrices;
use crate::attribution::demand::{Claimant, Demand};
use crate::attribution::engines::EngineDemand;
use crate::attribution::siblings::SharedCoreWeight;
use crate::model::energy::Scope;
use crate::model::key::SplitKey;
use crate::units::Ratio;

#[cfg(test)]
mod tests;

/// Weights of all claimants that ran in a window, in a stable order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Weights {
    time: Vec<(Claimant, u64)>,
    other: OtherKey,
}

/// Weights by another key than CPU time.
#[derive(Clone, Debug, Default, PartialEq)]
enum OtherKey {
    #[default]
    None,
    /// By CPU time, with less weight for time on shared cores.
    SharedCores(Vec<(Claimant, u64)>),
    /// By the energy of cores.
    Cores {
        weights: Vec<(Claimant, u64)>,
        /// Of each weight, the part that other claimants of the same cores used.
        shared: Vec<Ratio>,
    },
    /// By the time of GPU engines.
    Engines(Vec<(Claimant, u64)>),
}

impl Weights {
    /// By busy time in a scope; `shared_core` is the weight of time on a core whose other thread is busy too.
    pub fn by_time(demand: &Demand, scope: Scope, shared_core: SharedCoreWeight) -> Self {
        let other = if shared_core == SharedCoreWeight::EQUAL {
            OtherKey::None
        } else {
            OtherKey::SharedCores(demand.within_by(scope, shared_core))
        };
        Self { time: demand.within(scope), other }
    }

    /// By the time of GPU engines. CPU time in the scope is kept for the idle part.
    pub fn by_engine_time(demand: &Demand, scope: Scope, engines: &EngineDemand) -> Self {
        Self { time: demand.within(scope), other: OtherKey::Engines(engines.weights()) }
    }

    /// By the energy of the cores of a scope, and by busy time within each core.
    pub fn by_core_energy(demand: &Demand, scope: Scope, prices: &CorePrices) -> Self {
        let of = demand.by_claimant(scope, |places| {
            let (mut time, mut weight, mut shared) = (0, 0_u128, 0.0);
            for (place, busy) in places {
                time += busy.all.0;
                let (price, own, all) = prices.of(place, busy);
                let part = u128::from(own.0) * u128::from(price);
                weight += part;
                shared += part as f64 * (1.0 - own.share_of(all).map_or(1.0, |own| own.0));
            }
            (time, weight, Ratio(if weight > 0 { shared / weight as f64 } else { 0.0 }))
        });
        // 64 bits are enough for a day of hundreds of cores; beyond, all weights lose the same digits.
        let largest = of.iter().map(|(_, (_, weight, _))| *weight).max().unwrap_or(0);
        let surplus = (u128::BITS - largest.leading_zeros()).saturating_sub(u64::BITS);
        let mut time = Vec::with_capacity(of.len());
        let (mut weights, mut shares) = (Vec::with_capacity(of.len()), Vec::with_capacity(of.len()));
        for (claimant, (busy, weight, shared)) in of {
            time.push((claimant, busy));
            weights.push((claimant, (weight >> surplus) as u64));
            shares.push(shared);
        }
        Self { time, other: OtherKey::Cores { weights, shared: shares } }
    }

    /// The key.
    pub fn key(&self) -> SplitKey {
        match self.other {
            OtherKey::None => SplitKey::Time,
            OtherKey::SharedCores(_) => SplitKey::SharedCores,
            OtherKey::Cores { .. } => SplitKey::CoreEnergy,
            OtherKey::Engines(_) => SplitKey::EngineTime,
        }
    }

    /// Busy nanoseconds.
    pub(super) fn time(&self) -> &[(Claimant, u64)] {
        &self.time
    }

    /// Weights by the key.
    pub(super) fn by_key(&self) -> &[(Claimant, u64)] {
        match &self.other {
            OtherKey::None => &self.time,
            OtherKey::SharedCores(weights) | OtherKey::Cores { weights, .. } | OtherKey::Engines(weights) => {
                weights
            }
        }
    }

    /// The part of a claimant's weight that is split by time with other claimants: 1 where time is the only key.
    pub fn shared(&self, claimant: Claimant) -> Ratio {
        let OtherKey::Cores { weights, shared } = &self.other else { return Ratio(1.0) };
        let index = weights.binary_search_by_key(&claimant, |(claimant, _)| *claimant);
        index.map_or(Ratio(1.0), |index| shared[index])
    }
}
