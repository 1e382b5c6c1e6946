//! Decides by which key a window is split, where the energy of each core is counted, and counts windows that CPU time splits instead.

use std::collections::{BTreeMap, BTreeSet};

use agent_core::attribution::cores::{CoreIdle, CoreWindow, Pricing, price};
use agent_core::attribution::demand::Demand;
use agent_core::attribution::siblings::SharedCoreWeight;
use agent_core::attribution::weights::Weights;
use agent_core::model::energy::{Domain, Zone};
use agent_core::model::key::{FallbackReason, SplitKey};

use crate::pipeline::zones::Closed;

/// Keys of all zones, and the idle power of their cores.
#[derive(Debug)]
pub(super) struct CoreTracker {
    shared_core: SharedCoreWeight,
    idle: CoreIdle,
    /// The key of each zone, as of its last window.
    keys: BTreeMap<Zone, SplitKey>,
    fallbacks: BTreeMap<FallbackReason, u64>,
    /// Zones in whose last window a core stood still: what it shows next may be energy of that window.
    stood_still: BTreeSet<Zone>,
}

impl CoreTracker {
    /// `shared_core` is the weight of time on a core whose other thread is busy too.
    pub(super) fn new(shared_core: SharedCoreWeight) -> Self {
        Self {
            shared_core,
            idle: CoreIdle::default(),
            keys: BTreeMap::new(),
            fallbacks: BTreeMap::new(),
            stood_still: BTreeSet::new(),
        }
    }

    /// Learns the power of idle cores from a window of a package. `demand` is that of its last tick.
    pub(super) fn learn(&mut self, closed: &Closed, demand: &Demand) {
        if closed.is_sound && closed.owed.is_none() && closed.window.zone.domain == Domain::Package {
            self.idle.observe(demand, &window(closed));
        }
    }

    /// Weights of the claimants of a window.
    pub(super) fn weights(&mut self, closed: &Closed, demand: &Demand) -> Weights {
        let (zone, shared_core) = (closed.window.zone, self.shared_core);
        let by_time = || Weights::by_time(demand, zone.scope, shared_core);
        if !is_by_core(closed, demand) {
            let weights = by_time();
            self.keys.insert(zone, weights.key());
            return weights;
        }
        self.keys.insert(zone, SplitKey::CoreEnergy);
        match self.pricing(closed, demand) {
            Pricing::Cores(prices) => Weights::by_core_energy(demand, zone.scope, &prices),
            Pricing::Time(reason) => {
                self.fell_back(reason);
                by_time()
            }
        }
    }

    fn pricing(&mut self, closed: &Closed, demand: &Demand) -> Pricing {
        let zone = closed.window.zone;
        if closed.is_stretched {
            return Pricing::Time(FallbackReason::CounterStalled);
        }
        let pricing = price(demand, &window(closed), self.idle.power(zone.scope), self.shared_core);
        let stood_still = self.stood_still.remove(&zone);
        if pricing == Pricing::Time(FallbackReason::CoreStandsStill) {
            self.stood_still.insert(zone);
        } else if stood_still && matches!(pricing, Pricing::Cores(_)) {
            return Pricing::Time(FallbackReason::CoreStandsStill);
        }
        pricing
    }

    /// Notes the key of a zone that is split by another than CPU time and cores.
    pub(super) fn set_key(&mut self, zone: Zone, key: SplitKey) {
        self.keys.insert(zone, key);
    }

    /// Counts a window that CPU time splits instead of its key.
    pub(super) fn fell_back(&mut self, reason: FallbackReason) {
        *self.fallbacks.entry(reason).or_default() += 1;
    }

    /// The key of a zone.
    pub(super) fn key(&self, zone: Zone) -> SplitKey {
        self.keys.get(&zone).copied().unwrap_or_default()
    }

    /// Windows that CPU time has split instead of the key of the zone, by reason; none where CPU time is the key of all.
    pub(super) fn fallbacks(&self) -> Vec<(FallbackReason, u64)> {
        let is_other = |key: &SplitKey| !matches!(key, SplitKey::Time | SplitKey::SharedCores);
        let is_used = self.keys.values().any(is_other) || !self.fallbacks.is_empty();
        let count = |reason| (reason, self.fallbacks.get(&reason).copied().unwrap_or(0));
        FallbackReason::ALL.into_iter().filter(|_| is_used).map(count).collect()
    }
}

/// Whether a zone is split by its cores: where they are counted and CPU time is known by core.
fn is_by_core(closed: &Closed, demand: &Demand) -> bool {
    let zone = closed.window.zone;
    let is_of_cores = matches!(zone.domain, Domain::Package | Domain::Core);
    let has_cores = || demand.places(zone.scope).any(|(place, _)| place.core.is_some());
    is_of_cores && closed.cores[1].cover(zone.scope) && has_cores()
}

fn window(closed: &Closed) -> CoreWindow<'_> {
    let [begin, end] = &closed.cores;
    CoreWindow { scope: closed.window.zone.scope, duration: closed.window.duration, begin, end }
}
