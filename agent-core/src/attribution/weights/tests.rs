//! Tests the keys on a simulated processor: eight cores of two threads, encoders of unlike power, threads that stay or move.

use std::time::Duration;

use super::*;
use crate::attribution::cores::{CoreReadings, CoreWindow, Pricing, price};
use crate::attribution::siblings::SharedCoreWeight;
use crate::attribution::uncertainty::{EnergyError, Keyed, Quality, bound};
use crate::attribution::{IdlePolicy, ZoneWindow, attribute};
use crate::few;
use crate::model::cpu::{BusyTime, CoreId, CpuPlace};
use crate::model::energy::{CoreCount, CoreReading, Domain, Zone};
use crate::model::reservation::Reservations;
use crate::model::workload::WorkloadId;
use crate::units::{CpuTime, MicroJoules, Watts};

const SCOPE: Scope = Scope::Package(0);
const CORES: usize = 8;
/// Power of a thread alone on its core, of a core while both threads run, relative to one, and power outside of the cores for each watt.
const THREAD: f64 = 5.0;
const BOTH: f64 = 1.15;
const BEYOND: f64 = 0.4;
/// Steps of a second.
const STEPS: usize = 100;

/// A sequence of numbers in 0..1 (xorshift64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// An encoder: its number of threads, and its energy relative to another's, within the cores and beyond them.
struct Encoder {
    threads: usize,
    within: f64,
    beyond: f64,
}

/// A second on the processor.
struct Second {
    demand: Demand,
    by_core: [f64; CORES],
    truth: Vec<f64>,
}

/// Runs encoders for a second. In each step, each thread moves with a probability. `home` has the hardware thread of each thread.
fn run(encoders: &[Encoder], home: &mut [usize], moves: f64, random: &mut Random) -> Second {
    let owner: Vec<usize> =
        encoders.iter().enumerate().flat_map(|(number, one)| vec![number; one.threads]).collect();
    let (mut by_core, mut truth) = ([0.0; CORES], vec![0.0; encoders.len()]);
    let mut demand = Demand::default();
    for _ in 0..STEPS {
        for thread in 0..home.len() {
            let to = (random.next() * (2 * CORES) as f64) as usize;
            if random.next() < moves && !home.contains(&to) {
                home[thread] = to;
            }
        }
        for (thread, at) in home.iter().enumerate() {
            let (core, encoder) = (at / 2, &encoders[owner[thread]]);
            let is_shared = home.contains(&(at ^ 1));
            let power = THREAD * encoder.within * if is_shared { BOTH / 2.0 } else { 1.0 };
            let energy = power / STEPS as f64;
            by_core[core] += energy;
            truth[owner[thread]] += energy * (1.0 + BEYOND * encoder.beyond);
            let place = CpuPlace { core: Some(CoreId(core as u32)), ..CpuPlace::on_die(0, 0) };
            let all = CpuTime(1_000_000_000 / STEPS as u64);
            let shared = if is_shared { all } else { CpuTime::ZERO };
            demand.add(claimant(owner[thread]), place, BusyTime { all, shared });
        }
    }
    Second { demand, by_core, truth }
}

fn claimant(number: usize) -> Claimant {
    Claimant::workload(WorkloadId(100 + number as u32))
}

/// Relative errors of all encoders, and whether each is within the stated uncertainty.
fn errors(second: &Second, key: SplitKey) -> Vec<(f64, bool)> {
    let readings = |energy: &dyn Fn(usize) -> f64| -> CoreReadings {
        let count = |core| CoreCount { total: MicroJoules::from_joules(energy(core)).unwrap(), resets: 0 };
        let reading =
            |core| CoreReading { scope: SCOPE, core: CoreId(core as u32), count: Some(count(core)) };
        (0..CORES).map(reading).collect()
    };
    let (begin, end) = (readings(&|_| 0.0), readings(&|core| second.by_core[core]));
    let duration = Duration::from_secs(1);
    let cores = CoreWindow { scope: SCOPE, duration, begin: &begin, end: &end };
    let shared_core = match key {
        SplitKey::SharedCores => SharedCoreWeight::MEASURED,
        _ => SharedCoreWeight::EQUAL,
    };
    let weights = match (key, price(&second.demand, &cores, Watts(0.0), shared_core)) {
        (SplitKey::CoreEnergy, Pricing::Cores(prices)) => {
            Weights::by_core_energy(&second.demand, SCOPE, &prices)
        }
        _ => Weights::by_time(&second.demand, SCOPE, shared_core),
    };
    assert_eq!(weights.key(), key);
    let all = MicroJoules::from_joules(second.truth.iter().sum()).unwrap();
    let zone = Zone { scope: SCOPE, domain: Domain::Package };
    let window = ZoneWindow { zone, energy: all, duration };
    let quality = Quality { energy: EnergyError::Counter(MicroJoules(15)), skew: Duration::ZERO };
    attribute(window, &weights, None, IdlePolicy::Own, &Reservations::default())
        .iter()
        .map(|charge| {
            let keyed = Keyed { all, key, shared: weights.shared(charge.claimant) };
            let bound = bound(charge.energy, Some(keyed), all, duration, quality).joules();
            let truth = second.truth[charge.claimant.workload.0 as usize - 100];
            let error = (charge.energy.joules() - truth).abs();
            (error / truth, error <= bound)
        })
        .collect()
}

/// Mean error of a key over many seconds, and the part of all charges within the stated uncertainty.
fn measured(key: SplitKey, moves: f64) -> (f64, f64) {
    let encoders = [(4, 0.8, 1.1), (4, 1.0, 1.0), (4, 1.2, 0.9)].map(|(threads, within, beyond)| Encoder {
        threads,
        within,
        beyond,
    });
    let mut random = Random(7);
    let mut home: Vec<usize> = (0..12).collect();
    let seconds = few(300);
    let found: Vec<_> =
        (0..seconds).flat_map(|_| errors(&run(&encoders, &mut home, moves, &mut random), key)).collect();
    let count = found.len() as f64;
    let mean = found.iter().map(|(error, _)| error).sum::<f64>() / count;
    (mean, found.iter().filter(|(_, is_covered)| *is_covered).count() as f64 / count)
}

#[test]
fn unlike_encoders_on_cores_of_their_own_are_within_the_stated_uncertainty() {
    let ((by_time, _), (by_core, covered)) =
        (measured(SplitKey::Time, 0.0), measured(SplitKey::CoreEnergy, 0.0));
    assert!(by_time > 0.1 && by_core < 0.03, "{by_core} by core, {by_time} by time");
    assert!(covered >= 0.95, "{covered} covered");
}

#[test]
fn encoders_that_move_between_cores_are_never_worse_than_by_cpu_time() {
    for moves in [0.02, 0.2] {
        let (by_time, by_core) = (measured(SplitKey::Time, moves), measured(SplitKey::CoreEnergy, moves));
        assert!(by_core.0 < by_time.0, "moves {moves}: {} by core, {} by time", by_core.0, by_time.0);
        assert!(by_core.1 > by_time.1, "moves {moves}: {} covered, {} by time", by_core.1, by_time.1);
    }
}

/// `HaPPy`'s case: a thread alone on its core, and two threads that fill another core.
#[test]
fn a_thread_alone_on_its_core_pays_for_all_of_it() {
    let encoder = |threads| Encoder { threads, within: 1.0, beyond: 1.0 };
    let encoders = [encoder(1), encoder(1), encoder(1)];
    let second = run(&encoders, &mut [0, 2, 3], 0.0, &mut Random(7));
    let error = |key| errors(&second, key).iter().map(|(error, _)| *error).fold(0.0, f64::max);
    let (by_time, by_shared) = (error(SplitKey::Time), error(SplitKey::SharedCores));
    assert!(by_time > 0.25 && by_shared < 0.001, "{by_shared} with shared cores, {by_time} by time");
}

#[test]
fn cores_that_nobody_shares_are_split_as_by_time() {
    let mut demand = Demand::default();
    for (number, busy) in [(0, u64::MAX / 4), (1, 1), (2, 123_456_789)] {
        demand.add(claimant(number), CpuPlace::on_die(0, 0), CpuTime(busy));
    }
    let weights = |shared_core| Weights::by_time(&demand, SCOPE, shared_core).by_key().to_vec();
    assert_eq!(weights(SharedCoreWeight::MEASURED), weights(SharedCoreWeight::EQUAL));
}
