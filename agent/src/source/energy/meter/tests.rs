//! Tests that the failure of one counter does not affect the others.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use agent_core::energy::unit::EnergyUnit;
use agent_core::model::energy::{CounterEvent, Domain, Scope};
use agent_core::units::Watts;

use super::*;
use crate::clock::manual::TestClock;

/// A counter with scripted answers, one for each reading.
struct Script(VecDeque<Answer>);

#[derive(Clone, Copy)]
enum Answer {
    Count(u64),
    Offline,
    Fails,
}
use Answer::{Count, Fails, Offline};

impl RawCounter for Script {
    fn read(&mut self) -> Result<Option<u64>, SourceError> {
        match self.0.pop_front().expect("the script is long enough") {
            Count(count) => Ok(Some(count)),
            Offline => Ok(None),
            Fails => Err(SourceError::transient("read it", io::ErrorKind::TimedOut.into())),
        }
    }
}

fn part(answers: &[Answer]) -> Part {
    // A megajoule, at 1 kW.
    let counter = EnergyCounter::new(EnergyUnit::MICROJOULE, Some(1_000_000_000_000), Watts(1000.0));
    Part { raw: Box::new(Script(answers.iter().copied().collect())), counter, core: None }
}

fn zone(domain: Domain, parts: Vec<Part>) -> ZoneMeter {
    let zone = Zone { scope: Scope::Package(0), domain };
    ZoneMeter { zone, quantum: MicroJoules(1), parts }
}

fn totals(reading: &EnergyReading) -> Vec<(Domain, u64)> {
    reading.zones.iter().map(|(_, zone)| (zone.zone.domain, zone.total.0)).collect()
}

fn start(zones: Vec<ZoneMeter>, clock: &TestClock) -> Result<EnergyMeter, SourceError> {
    EnergyMeter::start(EnergySourceKind::Powercap, zones, vec![], clock)
}

#[test]
fn a_failure_hides_no_other_counter_and_loses_no_energy() {
    let clock = TestClock::default();
    let package = zone(Domain::Package, vec![part(&[Count(0), Count(10), Fails, Count(40)])]);
    let dram = zone(Domain::Dram, vec![part(&[Count(0), Count(1), Count(2), Count(3)])]);
    let mut meter = start(vec![dram, package], &clock).unwrap();
    assert_eq!(totals(&meter.read(&clock)), [(Domain::Package, 0), (Domain::Dram, 0)]);
    clock.advance(Duration::from_secs(1));
    let reading = meter.read(&clock);
    assert_eq!(totals(&reading), [(Domain::Dram, 1)]);
    assert_eq!(reading.failures.len(), 1);
    assert_eq!(reading.failures[0].0.domain, Domain::Package);
    clock.advance(Duration::from_secs(1));
    assert_eq!(totals(&meter.read(&clock)), [(Domain::Package, 30), (Domain::Dram, 2)]);
}

#[test]
fn cores_are_summed_and_sleeping_ones_left_out() {
    let clock = TestClock::default();
    let awake = part(&[Count(5), Count(5), Count(105), Count(205), Offline]);
    let sleeping = part(&[Count(7), Count(7), Offline, Count(8), Offline]);
    let mut meter = start(vec![zone(Domain::Core, vec![awake, sleeping])], &clock).unwrap();
    for expected in [0, 100, 201] {
        assert_eq!(totals(&meter.read(&clock)), [(Domain::Core, expected)]);
    }
    let reading = meter.read(&clock);
    assert_eq!(reading.failures.len(), 1, "a zone with no core on line cannot be read");
    assert!(reading.zones.is_empty());
}

#[test]
fn a_meter_that_never_answered_does_not_start() {
    let clock = TestClock::default();
    let failing = zone(Domain::Package, vec![part(&[Fails])]);
    let error = start(vec![failing], &clock).err().unwrap();
    assert_eq!(error.chain(), "cannot read it: timed out");
    assert_eq!(start(vec![], &clock).err().unwrap().chain(), "no powercap energy counter was found");
}

#[test]
fn a_meter_starts_when_some_zone_answers() {
    let clock = TestClock::default();
    let failing = zone(Domain::Package, vec![part(&[Fails])]);
    let working = zone(Domain::Dram, vec![part(&[Count(1)])]);
    assert_eq!(start(vec![failing, working], &clock).unwrap().zones().len(), 2);
}

#[test]
fn wraps_and_resets_are_told_by_zone() {
    let clock = TestClock::default();
    let end = 1_000_000_000_000;
    let package = part(&[Count(end - 5), Count(end - 5), Count(5), Count(end / 2), Count(end / 2 + 9)]);
    let mut meter = start(vec![zone(Domain::Package, vec![package])], &clock).unwrap();
    meter.read(&clock);
    let mut seen = Vec::new();
    for _ in 0..3 {
        clock.advance(Duration::from_secs(1));
        seen.extend(meter.read(&clock).events.into_iter().map(|(_, event)| event));
    }
    assert_eq!(seen, [CounterEvent::Wrap, CounterEvent::Reset]);
}

#[test]
fn counters_are_read_four_times_a_wrap() {
    let clock = TestClock::default();
    let meter = start(vec![zone(Domain::Package, vec![part(&[Count(1)])])], &clock).unwrap();
    assert_eq!(meter.longest_gap(), Some(Duration::from_secs(250)));
}

#[test]
fn a_rebaseline_forgets_the_time_asleep() {
    let clock = TestClock::default();
    let package = part(&[Count(0), Count(0), Count(50), Count(7), Count(10)]);
    let mut meter = start(vec![zone(Domain::Package, vec![package])], &clock).unwrap();
    meter.read(&clock);
    assert_eq!(totals(&meter.read(&clock)), [(Domain::Package, 50)]);
    meter.rebaseline();
    let reading = meter.read(&clock);
    assert_eq!((totals(&reading), reading.events), (vec![(Domain::Package, 50)], vec![]));
    assert_eq!(totals(&meter.read(&clock)), [(Domain::Package, 53)]);
}

#[test]
fn what_comes_later_is_taken_over_and_what_cannot_be_read_gets_another_way() {
    let clock = TestClock::default();
    let package = zone(Domain::Package, vec![part(&[Count(0), Count(10), Fails, Count(70)])]);
    let mut meter = start(vec![package], &clock).unwrap();
    meter.read(&clock);
    clock.advance(Duration::from_secs(1));
    assert_eq!(meter.read(&clock).failures.len(), 1);
    let again = zone(Domain::Package, vec![part(&[Count(60), Count(61), Count(90)])]);
    let memory = zone(Domain::Dram, vec![part(&[Count(5), Count(7), Count(8)])]);
    let come = meter.adopt(start(vec![again, memory], &clock).unwrap());
    assert_eq!(come, [Zone { scope: Scope::Package(0), domain: Domain::Dram }]);
    assert_eq!(totals(&meter.read(&clock)), [(Domain::Package, 51), (Domain::Dram, 0)]);
    assert_eq!(totals(&meter.read(&clock)), [(Domain::Package, 80), (Domain::Dram, 1)]);
}

/// A register that several counters show.
struct Register(Arc<AtomicU64>);

impl RawCounter for Register {
    fn read(&mut self) -> Result<Option<u64>, SourceError> {
        Ok(Some(self.0.load(Ordering::Relaxed)))
    }
}

/// Packages that show these registers, and the number of zones that each of some ticks gives and holds back. At each tick the registers
/// have advanced by this.
fn follow(
    registers: &[&Arc<AtomicU64>],
    advance: &[(&Arc<AtomicU64>, u64)],
) -> (EnergyMeter, Vec<(usize, usize)>) {
    let clock = TestClock::default();
    let of_package = |(package, register): (usize, &&Arc<AtomicU64>)| {
        let counter = EnergyCounter::new(EnergyUnit::MICROJOULE, None, Watts(1000.0));
        let part = Part { raw: Box::new(Register(Arc::clone(register))), counter, core: None };
        let scope = Scope::Package(package as u32);
        ZoneMeter { zone: Zone { scope, domain: Domain::Package }, ..zone(Domain::Package, vec![part]) }
    };
    let mut meter = start(registers.iter().enumerate().map(of_package).collect(), &clock).unwrap();
    let mut known = Vec::new();
    for _ in 0..7 {
        let reading = meter.read(&clock);
        known.push((reading.zones.len(), reading.withheld.len()));
        clock.advance(Duration::from_secs(1));
        for (register, step) in advance {
            register.fetch_add(*step, Ordering::Relaxed);
        }
    }
    (meter, known)
}

#[test]
fn a_register_shown_twice_is_read_once() {
    for begin in [0, 500, 21_000_000_000] {
        let register = Arc::new(AtomicU64::new(begin));
        let (meter, known) = follow(&[&register, &register], &[(&register, 60_000_000)]);
        assert_eq!(known, [(2, 0), (0, 2), (1, 0), (1, 0), (1, 0), (1, 0), (1, 0)], "from {begin}");
        assert_eq!(meter.mirrors().len(), 1);
    }
}

#[test]
fn two_registers_that_begin_together_are_two_at_the_first_tick() {
    for begin in [0, 21_000_000_000] {
        let registers = [0, 1].map(|_| Arc::new(AtomicU64::new(begin)));
        let [one, other] = &registers;
        let (meter, known) = follow(&[one, other], &[(one, 60_000_000), (other, 60_050_000)]);
        assert_eq!(known, [(2, 0); 7], "from {begin}");
        assert_eq!(meter.mirrors().len(), 0);
    }
}

#[test]
fn a_core_that_fails_or_is_reset_hides_no_other_core() {
    let clock = TestClock::default();
    let core = |number: u32, answers: &[Answer]| Part { core: Some(CoreId(number)), ..part(answers) };
    let zone = zone(
        Domain::Core,
        vec![
            core(0, &[Count(0), Count(0), Fails, Count(50_000_000)]),
            core(8, &[Count(900), Count(900), Count(40_000_900), Count(80_000_900)]),
            core(9, &[Count(70_000_000), Count(70_000_000), Count(1_000_000), Count(2_000_000)]),
        ],
    );
    let mut meter = start(vec![zone], &clock).unwrap();
    let mut read = || {
        clock.advance(Duration::from_secs(1));
        let counts = meter
            .read(&clock)
            .cores
            .into_iter()
            .map(|core| (core.core.0, core.count.map(|count| (count.total.0, count.resets))));
        counts.collect::<Vec<_>>()
    };
    assert_eq!(read(), [(0, Some((0, 0))), (8, Some((0, 0))), (9, Some((0, 0)))]);
    assert_eq!(read(), [(0, None), (8, Some((40_000_000, 0))), (9, None)], "doubtful");
    assert_eq!(read(), [(0, Some((50_000_000, 0))), (8, Some((80_000_000, 0))), (9, Some((2_000_000, 1)))]);
}
