//! Tests the split of an integrated GPU and its package, by hand and for arbitrary readings.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::attribution::demand::Demand;
use crate::attribution::siblings::SharedCoreWeight;
use crate::attribution::weights::Weights;
use crate::attribution::{Charge, IdlePolicy, attribute};
use crate::gpu::engine::EngineClass;
use crate::model::cpu::CpuPlace;
use crate::model::energy::{Domain, Scope, Zone};
use crate::model::reservation::Reservations;
use crate::model::workload::{Pseudo, WorkloadId};
use crate::units::CpuTime;

const SCOPE: Scope = Scope::Package(0);
const SECOND: Duration = Duration::from_secs(1);
const QSV: Claimant = Claimant { workload: WorkloadId(100), transcode: None };
const X264: Claimant = Claimant { workload: WorkloadId(101), transcode: None };

fn window(domain: Domain, energy: u64) -> ZoneWindow {
    ZoneWindow { zone: Zone { scope: SCOPE, domain }, energy: MicroJoules(energy), duration: SECOND }
}

fn engines(uses: &[(Claimant, u64)]) -> EngineDemand {
    let mut demand = EngineDemand::default();
    for (claimant, nanoseconds) in uses {
        let mut times = EngineTimes::default();
        times.add(EngineClass::Video, *nanoseconds);
        demand.add(*claimant, &times);
    }
    demand
}

fn demand(uses: &[(Claimant, u64)]) -> Demand {
    let mut demand = Demand::default();
    for (claimant, busy) in uses {
        demand.add(*claimant, CpuPlace::on_die(0, 0), CpuTime(*busy));
    }
    demand
}

/// Charges of the GPU and of the package in one window.
fn charges(
    [gpu, package]: [(u64, Option<f64>); 2],
    cpu: &Demand,
    engines: &EngineDemand,
    policy: IdlePolicy,
) -> [Vec<Charge>; 2] {
    let none = Reservations::default();
    let by_engine = Weights::by_engine_time(cpu, SCOPE, engines);
    let (gpu_idle, idle) = (gpu.1.map(Watts), package.1.map(Watts));
    let of_gpu = attribute(window(Domain::Uncore, gpu.0), &by_engine, gpu_idle, policy, &none);
    let parts = divide((window(Domain::Package, package.0), idle), MicroJoules(gpu.0), gpu_idle);
    let weights = [by_engine, Weights::by_time(cpu, SCOPE, SharedCoreWeight::EQUAL)];
    let of_package = parts.into_iter().zip(&weights);
    let of_package =
        of_package.flat_map(|((part, idle), weights)| attribute(part, weights, idle, policy, &none));
    [of_gpu, of_package.collect()]
}

fn by_workload(charges: &[Charge]) -> BTreeMap<WorkloadId, u64> {
    let mut sums = BTreeMap::new();
    for charge in charges {
        *sums.entry(charge.claimant.workload).or_default() += charge.energy.0;
    }
    sums
}

/// A QSV transcode that draws 15 W of GPU and uses 2 % of a CPU, beside an encode that uses all of one for 6 W; 4 W idle.
#[test]
fn a_gpu_is_paid_by_its_users_and_cpus_by_theirs() {
    let cpu = demand(&[(QSV, 20_000_000), (X264, 980_000_000)]);
    let readings = [(15_000_000, Some(0.0)), (25_000_000, Some(4.0))];
    let [gpu, package] = charges(readings, &cpu, &engines(&[(QSV, 600_000_000)]), IdlePolicy::Own);
    assert_eq!(by_workload(&gpu), [(QSV.workload, 15_000_000)].into());
    let expected = [(Pseudo::Idle.id(), 4_000_000), (QSV.workload, 15_120_000), (X264.workload, 5_880_000)];
    assert_eq!(by_workload(&package), expected.into());
}

#[test]
fn energy_of_a_gpu_that_nobody_used_is_unattributed() {
    let cpu = demand(&[(X264, 1_000_000_000)]);
    let readings = [(5_000_000, None), (11_000_000, None)];
    let [gpu, package] = charges(readings, &cpu, &engines(&[]), IdlePolicy::Own);
    assert_eq!(by_workload(&gpu), [(Pseudo::Unattributed.id(), 5_000_000)].into());
    assert_eq!(
        by_workload(&package),
        [(Pseudo::Unattributed.id(), 5_000_000), (X264.workload, 6_000_000)].into()
    );
}

#[test]
fn a_package_that_closes_later_has_all_energy_of_its_gpu_since() {
    let mut account = GpuAccount::default();
    for joules in [3, 4] {
        account.add(&engines(&[(QSV, 10)]));
        assert_eq!(account.close_gpu(MicroJoules(joules)), engines(&[(QSV, 10)]));
    }
    let part = GpuPart { energy: MicroJoules(7), engines: engines(&[(QSV, 20)]) };
    assert_eq!(account.close_package(), Some(part));
    account.add(&engines(&[]));
    account.close_gpu(MicroJoules(1));
    assert_eq!(account.close_package().map(|part| part.energy), Some(MicroJoules(1)));
}

#[test]
fn energy_that_comes_after_its_package_belongs_to_no_window_of_it() {
    let mut account = GpuAccount::default();
    account.add(&engines(&[(QSV, 10)]));
    assert_eq!(account.close_package(), None, "the energy of the GPU is still to come");
    account.add(&engines(&[(X264, 5)]));
    assert_eq!(account.close_gpu(MicroJoules(9)), engines(&[(QSV, 10), (X264, 5)]));
    assert_eq!(account.close_package(), None, "a part of it is of the window before");
    account.add(&engines(&[(X264, 5)]));
    account.close_gpu(MicroJoules(2));
    assert_eq!(account.close_package().map(|part| part.energy), Some(MicroJoules(2)));
}

proptest! {
    #[test]
    fn sums_are_exact_and_nobody_pays_less_for_the_package_than_for_its_gpu(
        (gpu, rest) in (0..1_000_000_000_u64, 0..1_000_000_000_u64),
        (gpu_idle, idle) in (proptest::option::of(0.0..5.0), proptest::option::of(0.0..50.0)),
        cpu in proptest::collection::vec(0..1_000_000_000_u64, 4),
        engine in proptest::collection::vec(0..1_000_000_000_u64, 4),
        policy in proptest::sample::select(vec![IdlePolicy::Own, IdlePolicy::Proportional]),
        is_late in any::<bool>(),
    ) {
        let of = |uses: Vec<u64>| -> Vec<(Claimant, u64)> {
            (100..).map(|id| Claimant::workload(WorkloadId(id))).zip(uses).collect()
        };
        // The GPU may seem to draw more than the package.
        let package = if is_late { rest.min(gpu) } else { gpu + rest };
        let [of_gpu, of_package] =
            charges([(gpu, gpu_idle), (package, idle)], &demand(&of(cpu)), &engines(&of(engine)), policy)
                .map(|charges| by_workload(&charges));
        prop_assert_eq!(of_gpu.values().sum::<u64>(), gpu);
        prop_assert_eq!(of_package.values().sum::<u64>(), package);
        if gpu <= package {
            for (workload, energy) in &of_gpu {
                prop_assert!(of_package.get(workload).is_some_and(|all| all >= energy));
            }
        }
    }
}
