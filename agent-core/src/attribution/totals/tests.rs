//! Tests of the begin and end of series, and a property test over random histories.

mod groups;
mod history;

use std::time::Duration;

use super::*;
use crate::model::energy::Scope;
use crate::time::WallTime;

const A: WorkloadId = WorkloadId(100);
const B: WorkloadId = WorkloadId(101);
const C: WorkloadId = WorkloadId(102);
const ZONE: Zone = Zone { scope: Scope::Package(0), domain: Domain::Package };

/// This many seconds after the start, which is at 1000 s on the wall clock.
fn moment(seconds: u64) -> Moment {
    Moment { mono: MonoTime(seconds * 1_000_000_000), wall: WallTime(1000.0 + seconds as f64) }
}

fn totals(shown: usize) -> Totals {
    Totals::new(TotalsLimits { keep_ended: Duration::from_mins(2), shown, classes: 200 }, moment(0))
}

fn dynamic(workload: WorkloadId, energy: u64) -> (Charge, MicroJoules) {
    let charge =
        Charge { claimant: Claimant::workload(workload), share: Share::Dynamic, energy: MicroJoules(energy) };
    (charge, MicroJoules(1))
}

/// A window in which these workloads used a millisecond each and had these charges.
fn window(totals: &mut Totals, end: u64, charges: &[(WorkloadId, u64)]) -> Vec<WorkloadId> {
    let used: Vec<_> = charges.iter().map(|(id, _)| (Claimant::workload(*id), CpuTime(1_000_000))).collect();
    totals.begin_window(&used);
    let charges: Vec<_> = charges.iter().map(|(id, energy)| dynamic(*id, *energy)).collect();
    let energy = charges.iter().map(|(charge, _)| charge.energy).sum();
    totals.charge(ZONE, energy, &charges);
    publish(totals, end).0
}

fn publish(totals: &mut Totals, now: u64) -> (Vec<WorkloadId>, Vec<TranscodeId>) {
    let closed = totals.end_window(moment(now).mono);
    totals.published(moment(now));
    closed
}

/// The counter of a workload, and the time at which it was 0.
fn series(totals: &Totals, id: WorkloadId) -> Option<(u64, f64)> {
    let (_, entry) = totals.workloads().find(|(workload, _)| *workload == id)?;
    Some((energy(&entry.account.since(&entry.earlier)), entry.created.0))
}

fn energy(account: &Account) -> u64 {
    account.energy(|_| true).0
}

fn ended(totals: &Totals) -> u64 {
    energy(totals.ended().0)
}

#[test]
fn series_stay_after_the_end_and_then_their_total_is_in_the_ended_account() {
    let mut totals = totals(10);
    window(&mut totals, 1, &[(A, 5)]);
    totals.end_workload(A, moment(1).mono);
    window(&mut totals, 120, &[]);
    assert_eq!((series(&totals, A), ended(&totals)), (Some((5, 1000.0)), 0));
    assert_eq!(window(&mut totals, 121, &[]), [A]);
    assert_eq!((series(&totals, A), ended(&totals)), (None, 5));
    assert_eq!(totals.residual(), [0]);
}

#[test]
fn the_first_have_series_of_their_own_and_the_others_share_one_for_life() {
    let mut totals = totals(1);
    window(&mut totals, 1, &[(A, 1)]);
    window(&mut totals, 2, &[(A, 1), (B, 100)]);
    assert_eq!(series(&totals, B), None, "B draws more, and A was there first");
    assert_eq!(series(&totals, Pseudo::Other.id()), Some((100, 1000.0)));
    totals.end_workload(A, moment(2).mono);
    window(&mut totals, 122, &[(B, 100)]);
    window(&mut totals, 123, &[(B, 100), (C, 7)]);
    assert_eq!(series(&totals, B), None, "A's place is free, and B stays where it is");
    assert_eq!(series(&totals, C), Some((7, 1122.0)), "a new workload takes it");
    totals.end_workload(B, moment(123).mono);
    window(&mut totals, 124, &[]);
    window(&mut totals, 125, &[]);
    assert_eq!(window(&mut totals, 126, &[]), [B]);
    assert_eq!((series(&totals, Pseudo::Other.id()), ended(&totals)), (Some((300, 1000.0)), 2));
    assert_eq!(totals.residual(), [0]);
}

#[test]
fn a_workload_that_comes_back_goes_on_or_begins_at_0() {
    let mut totals = totals(10);
    totals.expect_workload(A, Some(MonoTime(500_000_000)));
    window(&mut totals, 1, &[(A, 5)]);
    assert_eq!(series(&totals, A), Some((5, 1000.5)));
    totals.end_workload(A, moment(1).mono);
    totals.expect_workload(A, Some(moment(60).mono));
    window(&mut totals, 200, &[(A, 6)]);
    assert_eq!(series(&totals, A), Some((11, 1000.5)), "it came back while it was shown");
    totals.end_workload(A, moment(200).mono);
    assert_eq!(window(&mut totals, 320, &[]), [A]);
    totals.open_workload(A, Some(moment(330).mono));
    window(&mut totals, 400, &[]);
    assert_eq!(series(&totals, A), Some((0, 1330.0)));
    window(&mut totals, 401, &[(A, 3)]);
    assert_eq!((series(&totals, A), ended(&totals)), (Some((3, 1330.0)), 11));
}

#[test]
fn a_charge_after_the_series_have_disappeared_is_in_the_ended_account() {
    let mut totals = totals(10);
    window(&mut totals, 1, &[(A, 5)]);
    totals.end_workload(A, moment(1).mono);
    window(&mut totals, 121, &[]);
    // A counter could not be read meanwhile: A owes a part of its energy.
    totals.begin_window(&[]);
    totals.charge(ZONE, MicroJoules(7), &[dynamic(A, 7)]);
    publish(&mut totals, 122);
    assert_eq!((series(&totals, A), ended(&totals)), (None, 12));
    assert_eq!(totals.residual(), [0]);
}

#[test]
fn a_workload_that_ends_without_a_charge_leaves_no_account() {
    let mut totals = totals(10);
    totals.expect_workload(A, Some(moment(0).mono));
    totals.end_workload(A, MonoTime(1));
    assert!(window(&mut totals, 1, &[]).is_empty(), "its last CPU time may still come");
    assert!(window(&mut totals, 2, &[]).is_empty());
    assert_eq!(window(&mut totals, 3, &[]), [A]);
    totals.expect_workload(B, None);
    totals.end_workload(B, MonoTime(3_500_000_000));
    window(&mut totals, 4, &[(B, 2)]);
    assert_eq!(series(&totals, B), Some((2, 1003.0)), "what it used came after its end");
    assert_eq!(window(&mut totals, 124, &[]), [B]);
}

#[test]
fn new_labels_are_new_series_of_the_same_account() {
    let mut totals = totals(10);
    window(&mut totals, 1, &[(A, 5)]);
    totals.relabel_workload(A);
    window(&mut totals, 2, &[(A, 3)]);
    assert_eq!((series(&totals, A), ended(&totals)), (Some((3, 1001.0)), 5));
    let (_, entry) = totals.workloads().find(|(id, _)| *id == A).unwrap();
    assert_eq!(energy(&entry.account), 8, "the workload itself was charged all of it");
    totals.end_workload(A, moment(2).mono);
    window(&mut totals, 122, &[]);
    assert_eq!(ended(&totals), 8);
    assert_eq!(totals.residual(), [0]);
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
