//! Tests of prices and shares by the energy of cores: single examples, and random readings.

use proptest::prelude::*;

use super::*;
use crate::attribution::demand::Claimant;
use crate::attribution::siblings::SharedCoreWeight;
use crate::attribution::weights::Weights;
use crate::attribution::{IdlePolicy, Share, ZoneWindow, attribute};
use crate::few;
use crate::model::energy::{CoreCount, Domain, Zone};
use crate::model::key::SplitKey;
use crate::model::reservation::Reservations;
use crate::model::workload::WorkloadId;

const SCOPE: Scope = Scope::Package(0);
const SECOND: Duration = Duration::from_secs(1);

fn place(core: u32) -> CpuPlace {
    CpuPlace { core: Some(CoreId(core)), ..CpuPlace::on_die(0, 0) }
}

fn workload(number: u32) -> Claimant {
    Claimant::workload(WorkloadId(100 + number))
}

/// A second of cores of one thread each: workload, core, busy milliseconds.
fn demand(cores: u32, uses: &[(u32, u32, u64)]) -> Demand {
    let mut demand = Demand::default();
    for core in 0..cores {
        demand.add_capacity(place(core), CpuTime(1_000_000_000));
    }
    for (number, core, milliseconds) in uses {
        demand.add(workload(*number), place(*core), CpuTime(milliseconds * 1_000_000));
    }
    demand
}

fn readings(millijoules: &[Option<u64>], resets: u32) -> CoreReadings {
    let count = |energy: &u64| CoreCount { total: MicroJoules(energy * 1000), resets };
    let reading = |(core, energy): (u32, &Option<u64>)| CoreReading {
        scope: SCOPE,
        core: CoreId(core),
        count: energy.as_ref().map(count),
    };
    (0..).zip(millijoules).map(reading).collect()
}

/// Prices of a second in which the cores drew these millijoules.
fn priced(demand: &Demand, millijoules: &[u64], idle: f64) -> Pricing {
    let end: Vec<_> = millijoules.iter().map(|energy| Some(*energy)).collect();
    let begin = readings(&vec![Some(0); end.len()], 0);
    let window = CoreWindow { scope: SCOPE, duration: SECOND, begin: &begin, end: &readings(&end, 0) };
    price(demand, &window, Watts(idle), SharedCoreWeight::EQUAL)
}

fn weights(demand: &Demand, pricing: &Pricing) -> Weights {
    match pricing {
        Pricing::Cores(prices) => Weights::by_core_energy(demand, SCOPE, prices),
        Pricing::Time(_) => Weights::by_time(demand, SCOPE, SharedCoreWeight::EQUAL),
    }
}

/// Millijoules of each workload, of a package without idle power.
fn split(weights: &Weights, millijoules: u64) -> Vec<(u32, u64)> {
    let zone = Zone { scope: SCOPE, domain: Domain::Package };
    let window = ZoneWindow { zone, energy: MicroJoules(millijoules * 1000), duration: SECOND };
    let charges = attribute(window, weights, None, IdlePolicy::Own, &Reservations::default());
    let part = |charge: &crate::attribution::Charge| {
        (charge.claimant.workload.0.saturating_sub(100), (charge.energy.0 + 500) / 1000)
    };
    charges.iter().map(part).collect()
}

#[test]
fn unlike_encoders_on_cores_of_their_own_have_the_energy_of_their_cores() {
    // 9 W and 13 W, and 4 W outside of the cores.
    let demand = demand(2, &[(0, 0, 1000), (1, 1, 1000)]);
    let by_core = weights(&demand, &priced(&demand, &[9000, 13_000], 0.0));
    assert_eq!(by_core.key(), SplitKey::CoreEnergy);
    assert_eq!(split(&by_core, 26_000), [(0, 26_000 * 9 / 22), (1, 26_000 * 13 / 22 + 1)]);
    assert_eq!(
        split(&Weights::by_time(&demand, SCOPE, SharedCoreWeight::EQUAL), 26_000),
        [(0, 13_000), (1, 13_000)]
    );
    assert_eq!((by_core.shared(workload(0)), by_core.shared(workload(1))), (Ratio(0.0), Ratio(0.0)));
}

#[test]
fn within_a_core_energy_is_split_by_time() {
    let demand = demand(2, &[(0, 0, 750), (1, 0, 250), (1, 1, 500)]);
    let by_core = weights(&demand, &priced(&demand, &[8000, 2000], 0.0));
    assert_eq!(split(&by_core, 10_000), [(0, 6000), (1, 4000)]);
    assert_eq!(by_core.shared(workload(0)), Ratio(0.25), "a quarter of its core is the other's");
    assert!((by_core.shared(workload(1)).0 - 0.375).abs() < 1e-4, "{:?}", by_core.shared(workload(1)));
}

#[test]
fn only_energy_above_the_idle_power_of_a_core_counts() {
    let demand = demand(2, &[(0, 0, 1000), (1, 1, 500)]);
    // 1 W idle: 4 W and 2 W above.
    assert_eq!(split(&weights(&demand, &priced(&demand, &[5000, 3000], 1.0)), 6000), [(0, 4000), (1, 2000)]);
}

#[test]
fn a_core_at_rest_has_the_mean_price_whatever_its_counter_shows() {
    let demand = demand(3, &[(0, 0, 1000), (1, 1, 20), (2, 2, 500)]);
    // The first and the third core cost 8 W a busy second; the second drew 0.5 W, most of it while idle.
    let by_core = weights(&demand, &priced(&demand, &[8000, 500, 4000], 0.0));
    assert_eq!(split(&by_core, 12_160), [(0, 8000), (1, 160), (2, 4000)]);
    let without_counter = weights(&demand, &pricing_without(&demand, 1));
    assert_eq!(split(&without_counter, 12_160), [(0, 8000), (1, 160), (2, 4000)]);
}

/// As above, but one core is not counted.
fn pricing_without(demand: &Demand, core: usize) -> Pricing {
    let count = |energies: [u64; 3]| {
        let mut counted: Vec<_> = energies.map(Some).to_vec();
        counted[core] = None;
        readings(&counted, 0)
    };
    let (begin, end) = (count([0; 3]), count([8000, 500, 4000]));
    price(
        demand,
        &CoreWindow { scope: SCOPE, duration: SECOND, begin: &begin, end: &end },
        Watts(0.0),
        SharedCoreWeight::EQUAL,
    )
}

#[test]
fn a_busy_core_whose_energy_is_unknown_makes_cpu_time_the_key() {
    let both = demand(2, &[(0, 0, 1000), (1, 1, 1000)]);
    let why = |demand: &Demand, begin: &CoreReadings, end: &CoreReadings| match price(
        demand,
        &CoreWindow { scope: SCOPE, duration: SECOND, begin, end },
        Watts(0.0),
        SharedCoreWeight::EQUAL,
    ) {
        Pricing::Time(reason) => Some(reason),
        Pricing::Cores(_) => None,
    };
    let (begin, end) = (readings(&[Some(1), Some(1)], 0), readings(&[Some(9000), Some(9000)], 0));
    assert_eq!(why(&both, &begin, &end), None);
    assert_eq!(why(&both, &begin, &readings(&[Some(9000)], 0)), Some(FallbackReason::CoreNotCounted));
    let unreadable = readings(&[Some(9000), None], 0);
    assert_eq!(why(&both, &begin, &unreadable), Some(FallbackReason::CoreUnreadable), "at the end");
    let unread = readings(&[Some(1), None], 0);
    assert_eq!(why(&both, &unread, &end), Some(FallbackReason::CoreUnreadable), "at the begin");
    assert_eq!(why(&both, &readings(&[Some(1)], 0), &end), Some(FallbackReason::CoreUnreadable), "new");
    let reset = readings(&[Some(9000), Some(9000)], 1);
    assert_eq!(why(&both, &begin, &reset), Some(FallbackReason::CoreUnreadable), "reset");
    let stuck = readings(&[Some(9000), Some(1)], 0);
    assert_eq!(why(&both, &begin, &stuck), Some(FallbackReason::CoreStandsStill));
    let quiet = demand(2, &[(0, 0, 20), (1, 1, 30)]);
    assert_eq!(why(&quiet, &begin, &end), Some(FallbackReason::CoresAtRest));
    let mut folded = both.clone();
    folded.merge_cores();
    assert_eq!(why(&folded, &begin, &end), Some(FallbackReason::CoreNotCounted), "not known by core");
    assert_eq!(why(&Demand::default(), &begin, &end), None, "nobody ran");
}

#[test]
fn cores_of_other_packages_do_not_count() {
    let mut demand = demand(1, &[(0, 0, 1000)]);
    let other = CpuPlace { core: Some(CoreId(64)), ..CpuPlace::on_die(1, 0) };
    demand.add(workload(1), other, CpuTime(1_000_000_000));
    let by_core = weights(&demand, &priced(&demand, &[9000], 0.0));
    assert_eq!((by_core.key(), split(&by_core, 9000)), (SplitKey::CoreEnergy, vec![(0, 9000)]));
}

#[test]
fn the_idle_power_is_the_lowest_of_idle_cores() {
    let mut idle = CoreIdle::default();
    let mut observe = |milliseconds: u64, energy: Option<u64>| {
        let demand = demand(2, &[(0, 0, 1000), (1, 1, milliseconds)]);
        let (begin, end) = (readings(&[Some(0), Some(0)], 0), readings(&[Some(9000), energy], 0));
        idle.observe(&demand, &CoreWindow { scope: SCOPE, duration: SECOND, begin: &begin, end: &end });
        idle.power(SCOPE)
    };
    assert_eq!(observe(20, Some(10)), Watts(0.0), "2 % busy is not idle");
    assert_eq!(observe(5, None), Watts(0.0), "unreadable");
    assert_eq!(observe(5, Some(200)), Watts(0.2));
    assert_eq!(observe(0, Some(300)), Watts(0.2));
    assert_eq!(observe(0, Some(100)), Watts(0.1));
    assert_eq!(idle.power(Scope::Package(1)), Watts(0.0));
}

#[test]
fn very_long_demand_loses_digits_and_no_order() {
    let mut demand = Demand::default();
    let year = CpuTime(31_536_000_000_000_000);
    demand.add(workload(0), place(0), year);
    demand.add(workload(1), place(1), year);
    let by_core = weights(&demand, &priced(&demand, &[u64::MAX / 4000, u64::MAX / 2000], 0.0));
    assert_eq!(split(&by_core, 3000), [(0, 1000), (1, 2000)]);
}

/// Uses of workloads on cores: workload, core, and busy time in units of 2²⁰ ns.
fn uses() -> impl Strategy<Value = Vec<(u32, u32, u64)>> {
    prop::collection::vec((0..6_u32, 0..5_u32, 1..60_000_u64), 0..few(30))
}

fn demand_of(uses: &[(u32, u32, u64)]) -> Demand {
    let mut demand = Demand::default();
    for (number, core, busy) in uses {
        demand.add(workload(*number), place(*core), CpuTime(busy << PRICE_DIGITS));
    }
    demand
}

proptest! {
    #[test]
    fn charges_sum_to_the_energy_for_any_readings(
        uses in uses(),
        idle_cores in prop::collection::vec((0..7_u32, 0..u64::MAX / 8), 0..7),
        begin in prop::collection::vec((0..7_u32, prop::option::of(any::<u64>()), 0..2_u32), 0..7),
        end in prop::collection::vec((0..7_u32, prop::option::of(any::<u64>()), 0..2_u32), 0..7),
        energy: u64,
        idle in prop::option::of(0.0..500.0),
        core_idle in 0.0..10.0,
        policy in prop::sample::select(IdlePolicy::ALL.to_vec()),
    ) {
        let mut demand = demand_of(&uses);
        for (core, elapsed) in idle_cores {
            demand.add_capacity(place(core), CpuTime(elapsed));
        }
        let readings = |of: Vec<(u32, Option<u64>, u32)>| -> CoreReadings {
            of.into_iter()
                .map(|(core, total, resets)| CoreReading {
                    scope: SCOPE,
                    core: CoreId(core),
                    count: total.map(|total| CoreCount { total: MicroJoules(total / 8), resets }),
                })
                .collect()
        };
        let (begin, end) = (readings(begin), readings(end));
        let cores = CoreWindow { scope: SCOPE, duration: SECOND, begin: &begin, end: &end };
        let weights = weights(&demand, &price(&demand, &cores, Watts(core_idle), SharedCoreWeight::EQUAL));
        let zone = Zone { scope: SCOPE, domain: Domain::Package };
        let window = ZoneWindow { zone, energy: MicroJoules(energy), duration: SECOND };
        let charges = attribute(window, &weights, idle.map(Watts), policy, &Reservations::default());
        let sum: u128 = charges.iter().map(|charge| u128::from(charge.energy.0)).sum();
        prop_assert_eq!(sum, u128::from(energy));
        for charge in charges.iter().filter(|charge| charge.share == Share::Dynamic) {
            let ran = uses.iter().any(|(number, ..)| workload(*number) == charge.claimant);
            prop_assert!(ran || uses.is_empty(), "{charge:?}");
        }
    }

    #[test]
    fn equal_prices_give_the_shares_of_cpu_time_to_the_microjoule(
        uses in uses(),
        price in 1..100_000_u64,
        energy: u64,
    ) {
        let demand = demand_of(&uses);
        let mut totals: BTreeMap<u32, u64> = (0..5).map(|core| (core, 0)).collect();
        for (_, core, busy) in &uses {
            *totals.entry(*core).or_default() += busy * price;
        }
        let reading = |core: u32, total: u64| CoreReading {
            scope: SCOPE,
            core: CoreId(core),
            count: Some(CoreCount { total: MicroJoules(total), resets: 0 }),
        };
        let begin: CoreReadings = (0..5).map(|core| reading(core, 0)).collect();
        let end: CoreReadings = totals.into_iter().map(|(core, total)| reading(core, total)).collect();
        let cores = CoreWindow { scope: SCOPE, duration: SECOND, begin: &begin, end: &end };
        let pricing = super::price(&demand, &cores, Watts(0.0), SharedCoreWeight::EQUAL);
        let by_core = weights(&demand, &pricing);
        prop_assert_eq!(by_core.key(), SplitKey::CoreEnergy);
        let zone = Zone { scope: SCOPE, domain: Domain::Package };
        let window = ZoneWindow { zone, energy: MicroJoules(energy), duration: SECOND };
        let charges = |weights: &Weights| {
            attribute(window, weights, Some(Watts(3.0)), IdlePolicy::Proportional, &Reservations::default())
        };
        prop_assert_eq!(charges(&by_core), charges(&Weights::by_time(&demand, SCOPE, SharedCoreWeight::EQUAL)));
    }
}
