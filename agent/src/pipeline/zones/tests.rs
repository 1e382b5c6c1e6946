//! Tests that energy is charged to the claimants that ran while it was drawn, through stalls, gaps, wraps and resets.

use agent_core::attribution::demand::Claimant;
use agent_core::attribution::siblings::SharedCoreWeight;
use agent_core::attribution::weights::Weights;
use agent_core::attribution::{IdlePolicy, attribute};
use agent_core::model::cpu::CpuPlace;
use agent_core::model::reservation::Reservations;
use agent_core::model::workload::WorkloadId;
use agent_core::units::CpuTime;

use super::*;

const ZONE: Zone = Zone { scope: Scope::Package(0), domain: Domain::Package };
const SOURCE: EnergySourceKind = EnergySourceKind::Powercap;
const JOB: WorkloadId = WorkloadId(9);
const NEIGHBOUR: WorkloadId = WorkloadId(8);

fn reading(microjoules: u64) -> ZoneReading {
    ZoneReading { zone: ZONE, total: MicroJoules(microjoules), quantum: MicroJoules(61) }
}

fn second(number: u64) -> MonoTime {
    MonoTime(number * 1_000_000_000)
}

fn demand(of: &[(WorkloadId, u64)]) -> Arc<Demand> {
    let place = CpuPlace::on_die(0, 0);
    let mut demand = Demand::default();
    demand.add_capacity(place, CpuTime(4_000_000_000));
    for (workload, milliseconds) in of.iter().filter(|(_, milliseconds)| *milliseconds > 0) {
        demand.add(Claimant::workload(*workload), place, CpuTime(milliseconds * 1_000_000));
    }
    Arc::new(demand)
}

fn close(book: &mut ZoneTracker, at: u64, microjoules: u64, demand: &Arc<Demand>) -> Option<Closed> {
    let (at, tick) = (second(at), Duration::from_secs(1));
    book.close(&reading(microjoules), SOURCE, Moment { at, cpu_at: at, demand, tick, idle: None })
}

#[test]
fn a_missed_reading_is_made_up_for_with_what_ran_meanwhile() {
    let mut book = ZoneTracker::default();
    let ran = demand(&[(JOB, 5)]);
    assert!(close(&mut book, 0, 0, &ran).is_none(), "the first reading is a baseline");
    book.owe(ZONE, &ran);
    let closed = close(&mut book, 2, 20_000_000, &demand(&[])).unwrap();
    assert_eq!(closed.window.energy, MicroJoules(20_000_000));
    assert_eq!(closed.window.duration, Duration::from_secs(2));
    assert_eq!(closed.owed.unwrap().busy(ZONE.scope), CpuTime(5_000_000));
    assert_eq!(book.get(ZONE).unwrap().power, Some(Watts(10.0)));
}

#[test]
fn what_ran_before_the_first_reading_owes_nothing() {
    let mut book = ZoneTracker::default();
    book.owe(ZONE, &demand(&[(JOB, 5)]));
    close(&mut book, 1, 0, &demand(&[]));
    assert!(close(&mut book, 2, 1, &demand(&[])).unwrap().owed.is_none());
}

#[test]
fn a_counter_that_stands_still_while_cpus_are_busy_has_no_power() {
    let mut book = ZoneTracker::default();
    let busy = demand(&[(JOB, 900)]);
    close(&mut book, 0, 0, &busy);
    close(&mut book, 1, 10, &busy);
    for at in 2..5 {
        assert!(close(&mut book, at, 10, &busy).is_none());
        let state = book.get(ZONE).unwrap();
        assert_eq!((state.power, state.still_since), (None, Some(second(1))));
    }
    assert_eq!(close(&mut book, 5, 50, &busy).unwrap().window.duration, Duration::from_secs(4));
    assert_eq!(book.get(ZONE).unwrap().still_since, None);
}

#[test]
fn an_idle_tick_does_not_end_a_stall() {
    let mut book = ZoneTracker::default();
    close(&mut book, 0, 0, &demand(&[(JOB, 900)]));
    close(&mut book, 1, 10, &demand(&[(JOB, 900)]));
    assert!(close(&mut book, 2, 10, &demand(&[(JOB, 900)])).is_none());
    assert!(close(&mut book, 3, 10, &demand(&[])).is_none(), "it still stands still");
    assert_eq!(book.get(ZONE).unwrap().still_since, Some(second(1)));
    let closed = close(&mut book, 4, 50, &demand(&[(NEIGHBOUR, 100)])).unwrap();
    assert_eq!(closed.window.duration, Duration::from_secs(3));
    assert!(closed.owed.unwrap().busy(ZONE.scope) >= CpuTime(1_000_000_000), "who ran before it pays too");
}

#[test]
fn a_counter_that_never_moved_is_not_0_watts() {
    let mut book = ZoneTracker::default();
    let busy = demand(&[(JOB, 900)]);
    for at in 0..5 {
        close(&mut book, at, 0, &busy);
        assert_eq!(book.get(ZONE).unwrap().power, None);
    }
}

#[test]
fn the_power_of_a_window_with_a_reset_is_not_known() {
    let mut book = ZoneTracker::default();
    let busy = demand(&[(JOB, 900)]);
    close(&mut book, 0, 0, &busy);
    book.owe(ZONE, &busy);
    book.count(&[(ZONE, CounterEvent::Reset)], second(2));
    let closed = close(&mut book, 2, 7_000_000, &busy).unwrap();
    assert!(!closed.is_sound, "it is a lower bound");
    assert_eq!((closed.window.energy, book.get(ZONE).unwrap().power), (MicroJoules(7_000_000), None));
    let closed = close(&mut book, 3, 17_000_000, &busy).unwrap();
    assert!(closed.is_sound);
    assert_eq!(book.get(ZONE).unwrap().power, Some(Watts(10.0)));
}

#[test]
fn of_too_many_claimants_what_is_owed_is_nobodys() {
    let mut book = ZoneTracker::default();
    close(&mut book, 0, 0, &demand(&[]));
    let jobs = 2 * MOST_CLAIMS as u32;
    for job in 0..jobs {
        book.owe(ZONE, &demand(&[(WorkloadId(1000 + job), 1)]));
    }
    let owed = close(&mut book, 1, 1, &demand(&[])).unwrap().owed.unwrap();
    assert!(owed.claims() <= MOST_CLAIMS);
    assert_eq!(owed.busy(ZONE.scope), CpuTime(u64::from(jobs) * 1_000_000), "no time is lost");
}

#[test]
fn a_tick_is_sound_unless_something_happened_to_its_counter() {
    let mut book = ZoneTracker::default();
    let idle = demand(&[]);
    close(&mut book, 0, 0, &idle);
    let mut tick = 0;
    let mut is_sound = |book: &mut ZoneTracker| {
        tick += 1;
        close(book, tick, tick, &idle).map(|closed| closed.is_sound)
    };
    assert_eq!(is_sound(&mut book), Some(true));
    for event in [CounterEvent::Reset, CounterEvent::Wrap] {
        book.count(&[(ZONE, event)], second(0));
        assert_eq!([is_sound(&mut book), is_sound(&mut book)], [Some(false), Some(true)], "{event:?}");
    }
    book.owe(ZONE, &Demand::default());
    assert_eq!([is_sound(&mut book), is_sound(&mut book)], [Some(false), Some(true)], "a missed reading");
    book.disturb();
    let after_sleep = [is_sound(&mut book), is_sound(&mut book), is_sound(&mut book)];
    assert_eq!(after_sleep, [None, Some(false), Some(true)], "the first reading after sleep is a baseline");
}

#[test]
fn dies_are_those_of_one_package_that_count_packages() {
    let mut book = ZoneTracker::default();
    let die = |package, die, domain| Zone { scope: Scope::Die { package, die }, domain };
    for zone in [
        die(0, 0, Domain::Package),
        die(0, 1, Domain::Package),
        die(0, 1, Domain::Dram),
        die(1, 0, Domain::Package),
        Zone { scope: Scope::Package(2), domain: Domain::Package },
    ] {
        book.baseline(second(0), &ZoneReading { zone, ..reading(0) }, SOURCE);
    }
    assert_eq!([book.dies(0), book.dies(1), book.dies(2)], [2, 1, 0]);
}

#[test]
fn skew_counts_at_both_ends() {
    let mut book = ZoneTracker::default();
    let nothing = demand(&[]);
    let moment = |at, cpu_at| Moment {
        at: MonoTime(at),
        cpu_at: MonoTime(cpu_at),
        demand: &nothing,
        tick: Duration::ZERO,
        idle: None,
    };
    book.close(&reading(0), SOURCE, moment(0, 3));
    let closed = book.close(&reading(1), SOURCE, moment(105, 100)).unwrap();
    assert_eq!(closed.skew, Duration::from_nanos(8));
}

/// Fault of a counter in the ticks 10 to 13; it counts again from 14.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Trouble {
    /// It stands still from the middle of tick 9 on.
    Stall,
    Unreadable,
}

/// 20 W idle and 12 W a busy CPU; a neighbour on two CPUs all the time, and a job on one CPU for a second or two within the trouble.
fn charged(trouble: Trouble, job: &[u64]) -> (f64, f64, f64) {
    let idle = Some(Watts(20.0));
    let mut book = ZoneTracker::default();
    let (mut spent, mut shown) = (0_u64, 0_u64);
    let (mut by_job, mut by_neighbour, mut by_idle) = (0, 0, 0);
    for tick in 0..20 {
        let works = u64::from(job.contains(&tick));
        let ran = demand(&[(NEIGHBOUR, 2000), (JOB, 1000 * works)]);
        let power = 20 + 12 * (2 + works);
        let half = spent + power * 500_000;
        spent += power * 1_000_000;
        let is_troubled = (10..14).contains(&tick);
        match trouble {
            Trouble::Stall if tick == 9 => shown = half,
            _ if is_troubled => {}
            _ => shown = spent,
        }
        if is_troubled && trouble == Trouble::Unreadable {
            book.owe(ZONE, &ran);
            continue;
        }
        let at = second(tick + 1);
        let moment = Moment { at, cpu_at: at, demand: &ran, tick: Duration::from_secs(1), idle };
        let Some(closed) = book.close(&reading(shown), SOURCE, moment) else { continue };
        let demand = closed.owed.as_ref().unwrap_or(&ran);
        let weights = Weights::by_time(demand, ZONE.scope, SharedCoreWeight::EQUAL);
        for charge in attribute(closed.window, &weights, idle, IdlePolicy::Own, &Reservations::default()) {
            match charge.claimant.workload {
                JOB => by_job += charge.energy.0,
                NEIGHBOUR => by_neighbour += charge.energy.0,
                _ => by_idle += charge.energy.0,
            }
        }
    }
    let joules = |energy: u64| MicroJoules(energy).joules();
    (joules(by_job), joules(by_neighbour), joules(by_idle))
}

#[test]
fn each_job_is_within_5_percent_of_its_truth_whatever_the_counter_did() {
    let within = |what: &str, got: f64, truth: f64| {
        assert!((got - truth).abs() <= 0.05 * truth, "{what}: {got} J of {truth} J");
    };
    for trouble in [Trouble::Stall, Trouble::Unreadable] {
        for job in [[11].as_slice(), &[10], &[13], &[14], &[10, 11, 12, 13]] {
            let (by_job, by_neighbour, by_idle) = charged(trouble, job);
            let what = format!("{trouble:?}, job in {job:?}");
            within(&what, by_job, 12.0 * job.len() as f64);
            // The first tick is the baseline.
            within(&format!("{what}, neighbour"), by_neighbour, 24.0 * 19.0);
            within(&format!("{what}, idle"), by_idle, 20.0 * 19.0);
        }
    }
}
