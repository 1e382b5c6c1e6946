//! Do the books always close? Table and property tests of the whole stage.

use std::time::Duration;

use proptest::prelude::*;

use crate::attribution::demand::{Claimant, Demand};
use crate::attribution::totals::{Totals, TotalsLimits};
use crate::attribution::{IdlePolicy, Share, ZoneWindow, attribute};
use crate::clock::MonoTime;
use crate::host::CpuPlace;
use crate::model::energy::{Domain, Scope, Zone};
use crate::model::reservation::{Reservation, Reservations};
use crate::model::transcode::TranscodeId;
use crate::model::workload::{Pseudo, WorkloadId};
use crate::units::{CpuTime, MicroJoules, Ratio, Watts};

const A: WorkloadId = WorkloadId(100);
const B: WorkloadId = WorkloadId(101);
const C: WorkloadId = WorkloadId(102);
const SOCKET_0: CpuPlace = CpuPlace { package: 0, die: 0 };
const SOCKET_1: CpuPlace = CpuPlace { package: 1, die: 0 };
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
    attribute(window, demand, idle.map(Watts), policy, &reservations)
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
    // A holds one CPU of four; B and C share the other three by weight, one to three.
    assert_eq!(idle_part(IdlePolicy::Reservation), [(A, 2_000_000), (B, 1_500_000), (C, 4_500_000)]);
}

#[test]
fn quotas_beyond_the_machine_are_scaled_down_and_unreserved_idle_stays_the_machines() {
    let one = |quota: f64, cpus| {
        let workloads = [(A, Reservation { quota: Some(Ratio(quota)), weight: 100 })].into();
        let reservations = Reservations { cpus, workloads };
        attribute(
            window(0, 10),
            &Demand::default(),
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

fn totals(shown: usize) -> Totals {
    Totals::new(TotalsLimits { keep_ended: Duration::from_mins(2), shown })
}

fn run(totals: &mut Totals, uses: &[(WorkloadId, CpuPlace, u64)], joules: u64) {
    let demand = demand(uses);
    totals.begin_window(&demand.totals());
    let window = window(0, joules);
    let charges: Vec<_> = attribute(window, &demand, None, IdlePolicy::Own, &Reservations::default())
        .into_iter()
        .map(|charge| (charge, MicroJoules::ZERO))
        .collect();
    totals.charge(window.zone, window.energy, &charges);
}

fn energy_of(totals: &Totals, id: WorkloadId) -> Option<u64> {
    totals
        .workloads()
        .find(|(workload, _)| *workload == id)
        .map(|(_, entry)| entry.account.zones.iter().map(|charges| charges.energy().0).sum())
}

#[test]
fn an_ended_workload_stays_for_two_minutes_and_is_then_folded() {
    let mut totals = totals(10);
    totals.open_workload(A, None);
    run(&mut totals, &[(A, SOCKET_0, 10)], 5);
    totals.end_workload(A, MonoTime(0));
    totals.end_window(MonoTime(119_000_000_000));
    assert_eq!(energy_of(&totals, A), Some(5_000_000));
    let (closed, _) = totals.end_window(MonoTime(120_000_000_000));
    assert_eq!(closed, [A]);
    assert_eq!(energy_of(&totals, A), None);
    assert_eq!(energy_of(&totals, Pseudo::Ended.id()), Some(5_000_000));
    assert_eq!(totals.residual(), [0]);
}

#[test]
fn the_smallest_beyond_the_limit_share_one_account_and_may_come_back() {
    let mut totals = totals(2);
    run(&mut totals, &[(A, SOCKET_0, 10), (B, SOCKET_0, 20), (C, SOCKET_0, 70)], 10);
    totals.end_window(MonoTime(0));
    assert_eq!(energy_of(&totals, A), None);
    assert_eq!(energy_of(&totals, Pseudo::Other.id()), Some(1_000_000));
    // A grows past B: they change places, and what each left in `(other)` stays there.
    run(&mut totals, &[(A, SOCKET_0, 100)], 40);
    totals.end_window(MonoTime(1));
    assert_eq!(energy_of(&totals, A), Some(40_000_000), "what it uses now is already its own");
    assert_eq!(energy_of(&totals, B), None);
    assert_eq!(energy_of(&totals, Pseudo::Other.id()), Some(3_000_000));
    assert_eq!(totals.residual(), [0]);
}

#[test]
fn whoever_uses_something_takes_the_place_of_one_that_never_did() {
    let mut totals = totals(1);
    totals.open_workload(A, None);
    totals.open_workload(B, None);
    run(&mut totals, &[], 1);
    totals.end_window(MonoTime(0));
    assert_eq!(energy_of(&totals, A), Some(0), "of equals the first");
    run(&mut totals, &[(B, SOCKET_0, 5)], 7);
    totals.end_window(MonoTime(1));
    assert_eq!(energy_of(&totals, B), Some(7_000_000));
    assert_eq!(energy_of(&totals, A), None);
}

#[test]
fn only_zones_that_do_not_contain_one_another_count() {
    let mut totals = totals(10);
    let zone = |domain| Zone { scope: Scope::Package(0), domain };
    let psys = Zone { scope: Scope::Platform, domain: Domain::Psys };
    for zone in [zone(Domain::Package), zone(Domain::Core), zone(Domain::Uncore), zone(Domain::Dram), psys] {
        totals.zone_index(zone);
    }
    let counting: Vec<String> =
        totals.zones().iter().filter(|zone| totals.counts(**zone)).map(ToString::to_string).collect();
    assert_eq!(counting, ["package-0", "dram-0"]);
}

proptest! {
    /// The invariant of the whole stage, over random histories: discovery, use, end, folding.
    #[test]
    fn the_books_close_whatever_happens(
        limit in 0..6usize,
        policy in prop::sample::select(&IdlePolicy::ALL),
        idle in prop::option::of(0.0..50.0f64),
        steps in prop::collection::vec(
            (
                prop::collection::vec((0..12u32, 0..3u32, 0..2u32, 0..2_000_000_000u64), 0..12),
                prop::collection::vec((0..2u32, 0..5usize, 0..100_000_000u64), 0..6),
                prop::option::of(0..12u32),
            ),
            1..30,
        ),
    ) {
        let domains = [Domain::Package, Domain::Core, Domain::Uncore, Domain::Dram, Domain::Psys];
        let mut totals = totals(limit);
        let mut shown_before: std::collections::HashMap<WorkloadId, u64> = std::collections::HashMap::new();
        let mut total_cpu = 0;
        for (step, (uses, energies, ends)) in steps.iter().enumerate() {
            let now = MonoTime(step as u64 * 50_000_000_000);
            let mut demand = Demand::default();
            for (workload, transcode, package, busy) in uses {
                let transcode = (*transcode > 0).then_some(TranscodeId(workload * 10 + transcode));
                let claimant = Claimant { workload: WorkloadId(100 + workload), transcode };
                demand.add(claimant, CpuPlace { package: *package, die: 0 }, CpuTime(*busy));
                total_cpu += busy;
            }
            totals.begin_window(&demand.totals());
            let living = (0..12).map(|id| (WorkloadId(100 + id), Reservation::default())).collect();
            let reservations = Reservations { cpus: 8, workloads: living };
            for (package, domain, energy) in energies {
                let domain = domains[*domain];
                let scope = if domain == Domain::Psys { Scope::Platform } else { Scope::Package(*package) };
                let window = ZoneWindow { zone: Zone { scope, domain }, energy: MicroJoules(*energy), duration: SECOND };
                let charges = attribute(window, &demand, idle.map(Watts), policy, &reservations);
                let sum: MicroJoules = charges.iter().map(|charge| charge.energy).sum();
                prop_assert_eq!(sum, window.energy);
                let charges: Vec<_> = charges.into_iter().map(|charge| (charge, MicroJoules(1))).collect();
                totals.charge(window.zone, window.energy, &charges);
            }
            if let Some(id) = ends {
                totals.end_workload(WorkloadId(100 + id), now);
            }
            totals.end_window(now);
            prop_assert!(totals.residual().iter().all(|left| *left == 0), "{:?}", totals.residual());
            let cpu: u64 = totals.workloads().map(|(_, entry)| entry.account.cpu.0).sum();
            prop_assert_eq!(cpu, total_cpu);
            let shown = totals.workloads().filter(|(id, _)| id.pseudo().is_none()).count();
            prop_assert!(shown <= limit);
            // A total that goes on being shown never goes down.
            let mut shown_now = std::collections::HashMap::new();
            for (id, _) in totals.workloads() {
                let energy = energy_of(&totals, id).unwrap_or(0);
                if let Some(before) = shown_before.get(&id) {
                    prop_assert!(energy >= *before || energy == 0, "{id:?} went from {before} to {energy}");
                }
                shown_now.insert(id, energy);
            }
            shown_before = shown_now;
        }
    }
}
