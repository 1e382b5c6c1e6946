//! Table tests of the split of a window's energy.

use std::time::Duration;

use crate::attribution::demand::{Claimant, Demand};
use crate::attribution::siblings::SharedCoreWeight;
use crate::attribution::weights::Weights;
use crate::attribution::{IdlePolicy, Share, ZoneWindow, attribute};
use crate::model::cpu::CpuPlace;
use crate::model::energy::{Domain, Scope, Zone};
use crate::model::reservation::{Reservation, Reservations};
use crate::model::workload::{Pseudo, WorkloadId};
use crate::units::{CpuTime, MicroJoules, Ratio, Watts};

const A: WorkloadId = WorkloadId(100);
const B: WorkloadId = WorkloadId(101);
const C: WorkloadId = WorkloadId(102);
const SOCKET_0: CpuPlace = CpuPlace::on_die(0, 0);
const SOCKET_1: CpuPlace = CpuPlace::on_die(1, 0);
const SECOND: Duration = Duration::from_secs(1);

fn zone(package: u32) -> Zone {
    Zone { scope: Scope::Package(package), domain: Domain::Package }
}

fn window(package: u32, joules: u64) -> ZoneWindow {
    ZoneWindow { zone: zone(package), energy: MicroJoules(joules * 1_000_000), duration: SECOND }
}

fn demand(uses: &[(WorkloadId, CpuPlace, u64)]) -> Demand {
    let mut demand = Demand::default();
    for (workload, place, milliseconds) in uses {
        demand.add(Claimant::workload(*workload), *place, CpuTime(milliseconds * 1_000_000));
    }
    demand
}

fn bill(
    window: ZoneWindow,
    demand: &Demand,
    idle: Option<f64>,
    policy: IdlePolicy,
) -> Vec<(WorkloadId, Share, u64)> {
    let reservations = Reservations {
        cpus: 4,
        workloads: [
            (A, Reservation { quota: Some(Ratio(1.0)), weight: 100 }),
            (B, Reservation { quota: None, weight: 100 }),
            (C, Reservation { quota: None, weight: 300 }),
        ]
        .into(),
    };
    let weights = Weights::by_time(demand, window.zone.scope, SharedCoreWeight::EQUAL);
    attribute(window, &weights, idle.map(Watts), policy, &reservations)
        .into_iter()
        .map(|charge| (charge.claimant.workload, charge.share, charge.energy.0))
        .collect()
}

#[test]
fn time_on_a_socket_draws_on_that_sockets_energy() {
    let demand = demand(&[(A, SOCKET_0, 500), (B, SOCKET_1, 900), (C, SOCKET_0, 500)]);
    let socket_0 = bill(window(0, 10), &demand, None, IdlePolicy::Own);
    assert_eq!(socket_0, [(A, Share::Dynamic, 5_000_000), (C, Share::Dynamic, 5_000_000)]);
    assert_eq!(bill(window(1, 8), &demand, None, IdlePolicy::Own), [(B, Share::Dynamic, 8_000_000)]);
}

#[test]
fn energy_that_nobody_can_be_charged_with_is_unattributed() {
    let nobody = Demand::default();
    assert_eq!(
        bill(window(0, 10), &nobody, Some(4.0), IdlePolicy::Own),
        [(Pseudo::Unattributed.id(), Share::Dynamic, 6_000_000), (Pseudo::Idle.id(), Share::Idle, 4_000_000)]
    );
}

#[test]
fn idle_is_at_most_all_of_it() {
    let demand = demand(&[(A, SOCKET_0, 1)]);
    let bill = bill(window(0, 3), &demand, Some(40.0), IdlePolicy::Own);
    assert_eq!(bill, [(Pseudo::Idle.id(), Share::Idle, 3_000_000)]);
}

#[test]
fn idle_policies() {
    let demand = demand(&[(A, SOCKET_0, 300), (B, SOCKET_0, 100)]);
    let idle_part = |policy| -> Vec<(WorkloadId, u64)> {
        bill(window(0, 10), &demand, Some(8.0), policy)
            .into_iter()
            .filter(|(_, share, _)| *share == Share::Idle)
            .map(|(workload, _, energy)| (workload, energy))
            .collect()
    };
    assert_eq!(idle_part(IdlePolicy::Own), [(Pseudo::Idle.id(), 8_000_000)]);
    assert_eq!(idle_part(IdlePolicy::Proportional), [(A, 6_000_000), (B, 2_000_000)]);
    assert_eq!(idle_part(IdlePolicy::Even), [(A, 2_666_667), (B, 2_666_667), (C, 2_666_666)]);
    // A reserves one CPU of four; B and C share the other three by weight, one to three.
    assert_eq!(idle_part(IdlePolicy::Reservation), [(A, 2_000_000), (B, 1_500_000), (C, 4_500_000)]);
}

#[test]
fn quotas_beyond_the_machine_are_scaled_down_and_unreserved_idle_stays_the_machines() {
    let one = |quota: f64, cpus| {
        let workloads = [(A, Reservation { quota: Some(Ratio(quota)), weight: 100 })].into();
        let reservations = Reservations { cpus, workloads };
        attribute(
            window(0, 10),
            &Weights::default(),
            Some(Watts(10.0)),
            IdlePolicy::Reservation,
            &reservations,
        )
        .into_iter()
        .map(|charge| (charge.claimant.workload, charge.energy.0))
        .collect::<Vec<_>>()
    };
    assert_eq!(one(8.0, 4), [(A, 10_000_000)]);
    assert_eq!(one(1.0, 4), [(A, 2_500_000), (Pseudo::Idle.id(), 7_500_000)]);
}

#[test]
fn a_reading_that_failed_is_owed_by_everybody_who_ran_since() {
    let mut owed = demand(&[(A, SOCKET_0, 1000)]);
    owed.extend(&demand(&[(B, SOCKET_0, 1000)]));
    let bill = bill(window(0, 10), &owed, None, IdlePolicy::Own);
    assert_eq!(bill, [(A, Share::Dynamic, 5_000_000), (B, Share::Dynamic, 5_000_000)]);
}
