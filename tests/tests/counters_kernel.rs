//! Tests counters that fail for a while on a simulated host: all claimants that ran meanwhile are charged for it. Needs root.
//!
//! Run: alone (the true joules are those of everything that runs on this host).

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::process::Child;
use std::time::Duration;

use tests::agent::binary;
use tests::command::{eventually, pause};
use tests::exposition::{Exposition, assert_closed};
use tests::simulator::{Machine, Trouble};
use tests::stage::Stage;

const PARENT: &str = "ffwatt-test-counters";

/// A workload that runs all the time, and jobs of a second: across the beginning of the fault, inside it, and across its end.
const WORKLOADS: [(&str, &str); 4] =
    [("steady", "while :; do :; done"), ("before", ""), ("inside", ""), ("after", "")];

/// A job.
const SECOND: &str = "exec timeout 1 sh -c 'while :; do :; done'";

/// Pause between the jobs.
const PAUSE: Duration = Duration::from_millis(500);

/// On a busy host counters are read some time after the time stamp of a tick.
const READ_LATE: f64 = 0.03;

fn stage(machine: Machine, interval: &str) -> Stage {
    let flags = [&format!("--interval={interval}")];
    Stage::set(machine, &binary().unwrap(), PARENT, &WORKLOADS, &flags.map(String::as_str)).unwrap()
}

/// Figures of the agent at a tick.
#[derive(Debug)]
struct Account {
    at: f64,
    host: f64,
    workloads: BTreeMap<String, f64>,
}

fn account(scrape: &Exposition) -> Account {
    let of = |name: &str| {
        let labels = [("workload", &*format!("/{PARENT}/{name}")), ("domain", "package")];
        (name.to_owned(), scrape.sum("ffwatt_workload_energy_joules_total", &labels).unwrap_or(0.0))
    };
    Account {
        at: scrape.sum("ffwatt_last_tick_timestamp_seconds", &[]).unwrap(),
        host: scrape.sum("ffwatt_host_energy_joules_total", &[("domain", "package")]).unwrap(),
        workloads: WORKLOADS.iter().map(|(name, _)| of(name)).collect(),
    }
}

fn job(stage: &Stage, name: &str) -> Child {
    stage.command(name, SECOND).unwrap().spawn().unwrap()
}

/// Compares the agent's charges between two ticks with the truth.
fn compare(stage: &Stage, first: &Account, last: &Account, trouble: Trouble) {
    // The simulator records the truth a step after the tick.
    let truth = |at: f64| eventually("the truth", Duration::from_secs(5), || stage.simulator.at(at)).unwrap();
    let (from, to) = (truth(first.at), truth(last.at));
    let (host, true_host) = (last.host - first.host, to.host - from.host);
    let mut all = format!("{trouble:?}: host {host:.2} J of {true_host:.2} J");
    let (from, to) = (stage.simulator.by_name(&from), stage.simulator.by_name(&to));
    let mut wrong = Vec::new();
    for (name, energy) in &last.workloads {
        let (energy, truth) = (energy - first.workloads[name], to[name] - from[name]);
        let off = (energy / truth - 1.0) * 100.0;
        all = format!("{all}; {name}: {energy:.3} J of {truth:.3} J, off by {off:.2} %");
        assert!(truth > 0.5, "{name} has not run");
        if (energy / truth - 1.0).abs() > 0.05 {
            wrong.push(name);
        }
    }
    assert!((host / true_host - 1.0).abs() < READ_LATE, "{all}");
    assert!(wrong.is_empty(), "{wrong:?} by more than 5 %: {all}");
}

/// Jobs around and inside a fault of four seconds.
fn endure(machine: Machine, trouble: Trouble, interval: &str) {
    let stage = stage(machine, interval);
    let first = account(&stage.agent.wait_ticks(3).unwrap());
    let mut before = job(&stage, "before");
    pause(PAUSE);
    stage.simulator.set_trouble(trouble);
    before.wait().unwrap();
    pause(PAUSE);
    assert_closed(&stage.agent.scrape().unwrap());
    job(&stage, "inside").wait().unwrap();
    pause(PAUSE);
    let mut after = job(&stage, "after");
    pause(PAUSE);
    stage.simulator.set_trouble(Trouble::None);
    after.wait().unwrap();
    let scrape = stage.agent.wait_ticks(4).unwrap();
    assert_closed(&scrape);
    compare(&stage, &first, &account(&scrape), trouble);
    assert_eq!(scrape.sum("ffwatt_energy_resets_total", &[]), Some(0.0), "{}", stage.agent.log());
}

#[test]
fn a_counter_that_stands_still_for_some_ticks_is_paid_by_everybody_who_ran() {
    endure(Machine::LINEAR, Trouble::Stall, "1s");
    endure(Machine::LINEAR, Trouble::Stall, "300ms");
}

#[test]
fn a_counter_that_cannot_be_read_for_some_ticks_is_paid_by_everybody_who_ran() {
    endure(Machine::LINEAR, Trouble::Unreadable, "1s");
}

#[test]
fn zones_that_go_and_come_back_are_paid_by_everybody_who_ran() {
    endure(Machine::LINEAR, Trouble::AllVanished, "1s");
    endure(Machine::TWO_SOCKETS, Trouble::LastVanished, "1s");
    endure(Machine::TWO_SOCKETS, Trouble::AllVanished, "300ms");
}

#[test]
fn garbage_for_some_ticks_is_paid_by_everybody_who_ran() {
    endure(Machine::LINEAR, Trouble::Garbage, "1s");
    endure(Machine::TWO_SOCKETS, Trouble::Garbage, "300ms");
}

#[test]
fn a_reset_loses_what_was_counted_in_its_own_tick_before_it_and_no_more() {
    let stage = stage(Machine::LINEAR, "1s");
    let first = account(&stage.agent.wait_ticks(3).unwrap());
    let mut lost_from = Vec::new();
    for name in ["before", "inside"] {
        stage.agent.wait_ticks(1).unwrap();
        let tick = account(&stage.agent.scrape().unwrap()).at;
        pause(Duration::from_millis(300));
        stage.simulator.set_trouble(Trouble::Reset);
        let reset = eventually("the reset", Duration::from_secs(5), || stage.simulator.take_reset()).unwrap();
        lost_from.push((tick, reset));
        job(&stage, name).wait().unwrap();
        stage.agent.wait_ticks(3).unwrap();
    }
    let scrape = stage.agent.wait_ticks(2).unwrap();
    assert_closed(&scrape);
    let last = account(&scrape);
    let truth =
        |at: f64| eventually("the truth", Duration::from_secs(5), || stage.simulator.at(at)).unwrap().host;
    let lost: f64 = lost_from.iter().map(|(tick, reset)| truth(*reset) - truth(*tick)).sum();
    let (host, all) = (last.host - first.host, truth(last.at) - truth(first.at));
    println!("two resets: {host:.2} J of {all:.2} J, {lost:.2} J were not to be known");
    assert!(host <= all * (1.0 + READ_LATE), "nothing is invented: {host} J of {all} J");
    assert!(
        host >= (all - lost) * (1.0 - READ_LATE),
        "{host} J of {all} J, of which {lost} J were not to be known"
    );
    assert_eq!(scrape.sum("ffwatt_energy_resets_total", &[]), Some(2.0));
    let finding = [("code", "counter_reset"), ("subject", "package-0")];
    assert_eq!(scrape.sum("ffwatt_finding", &finding), Some(1.0));
    assert!(stage.agent.log().contains("was reset"), "{}", stage.agent.log());
}

#[test]
fn workloads_on_cores_of_their_own_have_the_energy_of_their_cores() {
    on_cores_of_their_own(Machine::PER_CORE);
}

#[test]
fn workloads_have_the_energy_that_the_registers_of_their_cores_count() {
    on_cores_of_their_own(Machine::PER_CORE_BY_REGISTERS);
}

/// Runs jobs on cores with unlike prices.
fn on_cores_of_their_own(machine: Machine) {
    let stage = stage(machine, "1s");
    let first = account(&stage.agent.wait_ticks(3).unwrap());
    // By CPU time, the workload of the cheap core would be charged for a fifth of the others' energy.
    for mut job in ["before", "inside", "after"].map(|name| job(&stage, name)) {
        job.wait().unwrap();
    }
    let scrape = stage.agent.wait_ticks(2).unwrap();
    assert_closed(&scrape);
    compare(&stage, &first, &account(&scrape), Trouble::None);
    let key = [("domain", "package"), ("key", "core-energy")];
    assert_eq!(scrape.sum("ffwatt_attribution_key_info", &key), Some(1.0), "{}", stage.agent.log());
}
