//! Prices of CPU time on each core, from the energy counters of the cores.
//!
//! A processor that counts the energy of each core (AMD Zen and later) has measured what CPU time alone does not show: wide vectors, clock
//! frequency, and two threads that share a core. So the energy of a window is split in two levels: over cores, by their energy above the
//! idle power of a core, and within each core, by busy time, of which a second beside a busy sibling weighs less
//! ([`SharedCoreWeight`]). Both levels are one weight of a claimant: busy time × the price of the core, summed over cores. What the
//! package draws beyond its cores follows the same shares.
//!
//! A core at rest has no price of its own, because most of its energy is that of an idle core; it has the mean price of the others. The
//! idle power of a core is the lowest power of a core of the package that was idle for a window. Until there was one, it is taken as 0: an
//! idle core is switched off and draws some hundredths of a watt, a busy one several watts (R. Schöne et al., "Energy Efficiency
//! Aspects of the AMD Zen 2 Architecture", 2021, <https://arxiv.org/abs/2108.00808>).

use std::collections::BTreeMap;
use std::time::Duration;

use crate::attribution::demand::{Demand, PlaceTime};
use crate::attribution::idle::LOW_UTILISATION;
use crate::attribution::siblings::SharedCoreWeight;
use crate::model::cpu::{BusyTime, CoreId, CpuPlace};
use crate::model::energy::{CoreReading, Scope};
use crate::model::key::FallbackReason;
use crate::units::{CpuTime, MicroJoules, Ratio, Watts};

#[cfg(test)]
mod tests;

/// Highest utilisation of an idle core. A hundredth of the power of a busy core is of the order of that of an idle one.
const IDLE: Ratio = Ratio(0.01);

/// Binary digits of the nanoseconds to which a price refers, about a millisecond: 0.1 W is a price of 105 µJ.
const PRICE_DIGITS: u32 = 20;

/// Readings of all counted cores at one time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CoreReadings(Vec<CoreReading>);

impl FromIterator<CoreReading> for CoreReadings {
    fn from_iter<I: IntoIterator<Item = CoreReading>>(readings: I) -> Self {
        let mut readings: Vec<CoreReading> = readings.into_iter().collect();
        readings.sort_unstable_by_key(|reading| reading.core);
        Self(readings)
    }
}

impl CoreReadings {
    /// Whether the cores of a scope are counted.
    pub fn cover(&self, scope: Scope) -> bool {
        self.0.iter().any(|reading| reading.scope == scope)
    }

    fn get(&self, core: CoreId) -> Option<&CoreReading> {
        let index = self.0.binary_search_by_key(&core, |reading| reading.core).ok()?;
        self.0.get(index)
    }
}

/// A window of a zone with energy counters for its cores.
#[derive(Clone, Copy, Debug)]
pub struct CoreWindow<'a> {
    /// Scope of the zone.
    pub scope: Scope,
    /// Length of the window.
    pub duration: Duration,
    /// Readings at the begin of the window.
    pub begin: &'a CoreReadings,
    /// Readings at its end.
    pub end: &'a CoreReadings,
}

/// Energy of a core in a window.
enum Counted {
    Energy(MicroJoules),
    /// The counter could not be read, or was reset.
    Unknown,
    /// There is no counter, or the core is unknown.
    Not,
}

impl CoreWindow<'_> {
    fn energy(&self, place: CpuPlace) -> Counted {
        let Some(end) = place.core.and_then(|core| self.end.get(core)) else { return Counted::Not };
        let begin = self.begin.get(end.core).and_then(|begin| begin.count);
        match (begin, end.count) {
            (Some(begin), Some(end)) if begin.resets == end.resets => {
                Counted::Energy(end.total.saturating_sub(begin.total))
            }
            _ => Counted::Unknown,
        }
    }
}

/// Price of CPU time in each place of a window in which a task ran.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CorePrices {
    of: Vec<CorePrice>,
    shared_core: SharedCoreWeight,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct CorePrice {
    place: CpuPlace,
    /// Microjoules for 2²⁰ ns.
    price: u64,
    /// Weighed busy time of all claimants.
    busy: CpuTime,
}

impl CorePrices {
    /// Price of a place in microjoules for 2²⁰ ns, the weighed time of a claimant's busy time there, and that of all claimants.
    pub(super) fn of(&self, place: CpuPlace, busy: BusyTime) -> (u64, CpuTime, CpuTime) {
        let index = self.of.binary_search_by_key(&place, |price| price.place);
        let (price, all) =
            index.map_or((0, CpuTime::ZERO), |index| (self.of[index].price, self.of[index].busy));
        (price, self.shared_core.of(busy), all)
    }
}

/// The key of a window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pricing {
    /// The energy of the cores.
    Cores(CorePrices),
    /// CPU time, for this reason.
    Time(FallbackReason),
}

/// Computes the prices of a window. `idle` is the power of an idle core, `shared_core` the weight of time beside a busy thread of the core.
pub fn price(
    demand: &Demand,
    window: &CoreWindow<'_>,
    idle: Watts,
    shared_core: SharedCoreWeight,
) -> Pricing {
    let idle = idle.during(window.duration);
    let (mut prices, mut at_rest) = (Vec::new(), Vec::new());
    let (mut above_idle, mut busy_time) = (MicroJoules::ZERO, CpuTime::ZERO);
    for (place, time) in demand.places(window.scope).filter(|(_, time)| time.busy.all > CpuTime::ZERO) {
        let busy = shared_core.of(time.busy);
        if rests(time, LOW_UTILISATION) {
            at_rest.push((place, busy));
            continue;
        }
        let energy = match window.energy(place) {
            Counted::Energy(energy) => energy.saturating_sub(idle),
            Counted::Unknown => return Pricing::Time(FallbackReason::CoreUnreadable),
            Counted::Not => return Pricing::Time(FallbackReason::CoreNotCounted),
        };
        let price = price_of(energy, busy);
        if price == 0 {
            return Pricing::Time(FallbackReason::CoreStandsStill);
        }
        above_idle += energy;
        busy_time += busy;
        prices.push(CorePrice { place, price, busy });
    }
    if prices.is_empty() && !at_rest.is_empty() {
        return Pricing::Time(FallbackReason::CoresAtRest);
    }
    let mean = price_of(above_idle, busy_time);
    prices.extend(at_rest.into_iter().map(|(place, busy)| CorePrice { place, price: mean, busy }));
    prices.sort_unstable_by_key(|price| price.place);
    Pricing::Cores(CorePrices { of: prices, shared_core })
}

/// Microjoules for 2²⁰ ns, to the nearest.
fn price_of(energy: MicroJoules, busy: CpuTime) -> u64 {
    let busy = u128::from(busy.0.max(1));
    let price = ((u128::from(energy.0) << PRICE_DIGITS) + busy / 2) / busy;
    u64::try_from(price).unwrap_or(u64::MAX)
}

/// Whether the CPUs of a place were busy for at most this share of the time.
fn rests(time: PlaceTime, most: Ratio) -> bool {
    time.busy.all.share_of(time.elapsed).is_some_and(|share| share <= most)
}

/// The power of an idle core, by package.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CoreIdle(BTreeMap<Scope, Watts>);

impl CoreIdle {
    /// The power of an idle core; 0 while it is unknown.
    pub fn power(&self, scope: Scope) -> Watts {
        self.0.get(&scope).copied().unwrap_or(Watts(0.0))
    }

    /// Learns from the idle cores of a window.
    pub fn observe(&mut self, demand: &Demand, window: &CoreWindow<'_>) {
        for (place, _) in demand.places(window.scope).filter(|(_, time)| rests(*time, IDLE)) {
            if let Counted::Energy(energy) = window.energy(place)
                && let Some(power) = energy.over(window.duration)
            {
                let lowest = self.0.entry(window.scope).or_insert(power);
                *lowest = Watts(lowest.0.min(power.0));
            }
        }
    }
}
