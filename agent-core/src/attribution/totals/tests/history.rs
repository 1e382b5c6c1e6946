//! Tests the counters over random histories, as a Prometheus sees them that scrapes some of the ticks.

use std::collections::{BTreeMap, HashMap, HashSet};

use proptest::prelude::*;

use super::groups::{GroupTick, GroupWatch, group_tick};
use super::*;
use crate::attribution::siblings::SharedCoreWeight;
use crate::attribution::{IdlePolicy, ZoneWindow, attribute, demand::Demand, weights::Weights};
use crate::model::cpu::CpuPlace;
use crate::model::reservation::{Reservation, Reservations};
use crate::units::Watts;

/// An event of a workload between two ticks.
#[derive(Clone, Copy, Debug)]
enum Event {
    Expect,
    Open,
    End,
    /// The workload gets the other one of two names, so that names return.
    Rename,
}

#[derive(Clone, Debug)]
struct Tick {
    events: Vec<(u32, Event)>,
    /// Workload, transcode (0 is none), package, CPU time.
    uses: Vec<(u32, u32, u32, u64)>,
    /// Package, domain, energy.
    energies: Vec<(u32, usize, u64)>,
    /// Workloads that are charged for earlier CPU time.
    owing: Vec<u32>,
    groups: GroupTick,
    is_scraped: bool,
}

pub(super) const WORKLOADS: u32 = 8;
const DOMAINS: [Domain; 5] = [Domain::Package, Domain::Core, Domain::Uncore, Domain::Dram, Domain::Psys];

fn tick() -> impl Strategy<Value = Tick> {
    let event = prop::sample::select(vec![Event::Expect, Event::Open, Event::End, Event::Rename]);
    (
        prop::collection::vec((0..WORKLOADS, event), 0..5),
        prop::collection::vec((0..WORKLOADS, 0..3u32, 0..2u32, 0..2_000_000_000u64), 0..8),
        prop::collection::vec((0..2u32, 0..DOMAINS.len(), 0..100_000_000u64), 0..6),
        prop::collection::vec(0..WORKLOADS, 0..2),
        group_tick(),
        any::<bool>(),
    )
        .prop_map(|(events, uses, energies, owing, groups, is_scraped)| Tick {
            events,
            uses,
            energies,
            owing,
            groups,
            is_scraped,
        })
}

/// A counter as Prometheus keeps it: by its labels, for each zone.
type Label = (WorkloadId, bool, usize);

/// A sample of a counter: its time, its value, and the time at which it was 0.
#[derive(Clone, Copy, Debug)]
struct Sample {
    at: usize,
    value: u64,
    created: f64,
}

/// `increase()` without extrapolation between two scrapes: a counter that falls has begun anew. `by_created` also counts the value of
/// the first sample, where the counter was 0 within the time.
fn increase(samples: &[Sample], from: usize, to: usize, by_created: bool) -> u64 {
    let mut sum = 0;
    let mut before: Option<Sample> = None;
    for sample in samples.iter().filter(|sample| sample.at <= to) {
        let last = before.replace(*sample);
        if sample.at < from {
            continue;
        }
        // A sample before `from` is outside the time; the creation time tells whether the counter has begun since.
        let is_new = last.is_none_or(|last| sample.created > 1000.0 + last.at as f64);
        let zero = by_created && is_new && sample.created >= 1000.0 + from as f64;
        let last = last.filter(|last| last.at >= from && !zero).map(|last| last.value);
        sum += match last {
            Some(last) if sample.value >= last => sample.value - last,
            Some(_) => sample.value,
            None if zero => sample.value,
            None => 0,
        };
    }
    sum
}

/// State of the test beside the totals.
#[derive(Default)]
struct Watch {
    names: HashMap<WorkloadId, bool>,
    scrapes: BTreeMap<Label, Vec<Sample>>,
    hosts: Vec<(usize, Vec<u64>)>,
    before: HashMap<(WorkloadId, bool), (u64, f64)>,
    /// Workloads that were charged into `(other)` and are not closed.
    beyond: HashSet<WorkloadId>,
    cpu: u64,
    transcodes: u64,
    transcode_cpu: u64,
    groups: GroupWatch,
}

fn happen(totals: &mut Totals, watch: &mut Watch, event: (u32, Event), now: MonoTime) {
    let id = WorkloadId(100 + event.0);
    match event.1 {
        Event::Expect => totals.expect_workload(id, Some(now)),
        Event::Open => totals.open_workload(id, None),
        Event::End => {
            totals.end_workload(id, now);
            totals.end_transcode(TranscodeId(event.0 * 10 + 1), now);
        }
        Event::Rename => {
            let name = watch.names.entry(id).or_default();
            *name = !*name;
            totals.relabel_workload(id);
            totals.relabel_transcode(TranscodeId(event.0 * 10 + 1));
        }
    }
}

fn charge(
    totals: &mut Totals,
    watch: &mut Watch,
    tick: &Tick,
    policy: IdlePolicy,
    idle: Option<f64>,
) -> Result<(), TestCaseError> {
    let mut demand = Demand::default();
    for (workload, transcode, package, busy) in &tick.uses {
        let transcode = (*transcode > 0).then_some(TranscodeId(workload * 10 + transcode));
        let claimant = Claimant { workload: WorkloadId(100 + workload), transcode };
        demand.add(claimant, CpuPlace::on_die(*package, 0), CpuTime(*busy));
        watch.cpu += busy;
        watch.transcode_cpu += transcode.map_or(0, |_| *busy);
    }
    totals.begin_window(&demand.totals());
    let mut owed = demand;
    for workload in &tick.owing {
        let claimant = Claimant {
            workload: WorkloadId(100 + workload),
            transcode: Some(TranscodeId(workload * 10 + 1)),
        };
        owed.add(claimant, CpuPlace::on_die(0, 0), CpuTime(1_000_000_000));
    }
    let living = (0..WORKLOADS).map(|id| (WorkloadId(100 + id), Reservation::default())).collect();
    let reservations = Reservations { cpus: 8, workloads: living };
    for (package, domain, energy) in &tick.energies {
        let domain = DOMAINS[*domain];
        let scope = if domain == Domain::Psys { Scope::Platform } else { Scope::Package(*package) };
        let zone = Zone { scope, domain };
        let window = ZoneWindow { zone, energy: MicroJoules(*energy), duration: Duration::from_secs(1) };
        let weights = Weights::by_time(&owed, scope, SharedCoreWeight::EQUAL);
        let charges = attribute(window, &weights, idle.map(Watts), policy, &reservations);
        let sum: MicroJoules = charges.iter().map(|charge| charge.energy).sum();
        prop_assert_eq!(sum, window.energy);
        let of_transcodes = charges.iter().filter(|charge| charge.claimant.transcode.is_some());
        watch.transcodes += of_transcodes.map(|charge| charge.energy.0).sum::<u64>();
        for charge in &charges {
            watch.groups.charged(*charge);
        }
        let charges: Vec<_> = charges.into_iter().map(|charge| (charge, MicroJoules(1))).collect();
        totals.charge(zone, window.energy, &charges);
    }
    Ok(())
}

/// Each charge is in exactly one place, no counter falls, and no workload moves between `(other)` and its own series.
fn check(
    totals: &Totals,
    watch: &mut Watch,
    tick: &Tick,
    limit: usize,
    closed: &[WorkloadId],
) -> Result<(), TestCaseError> {
    prop_assert!(totals.residual().iter().all(|left| *left == 0), "{:?}", totals.residual());
    let shown: Vec<_> = totals
        .workloads()
        .map(|(id, entry)| (id, entry.account.since(&entry.earlier), entry.created))
        .collect();
    for (zone, host) in totals.host().iter().enumerate() {
        let of = |account: &Account| account.zones.get(zone).map_or(0, |charges| charges.energy().0);
        let series: u64 = shown.iter().map(|(_, account, _)| of(account)).sum();
        prop_assert_eq!(series + of(totals.ended().0), host.0);
    }
    let cpu: u64 = shown.iter().map(|(_, account, _)| account.cpu.0).sum();
    prop_assert_eq!(cpu + totals.ended().0.cpu.0, watch.cpu);
    let transcodes = totals.transcodes().map(|(_, entry)| entry.account.since(&entry.earlier).into_owned());
    let (ended, other) = (totals.ended().1.clone(), totals.other_transcodes().account.clone());
    let transcodes: Vec<Account> = transcodes.chain([ended, other]).collect();
    prop_assert_eq!(transcodes.iter().map(energy).sum::<u64>(), watch.transcodes);
    prop_assert_eq!(transcodes.iter().map(|account| account.cpu.0).sum::<u64>(), watch.transcode_cpu);
    watch.groups.check(totals, &transcodes, totals.limits.classes)?;
    prop_assert!(shown.iter().filter(|(id, ..)| id.pseudo().is_none()).count() <= limit);
    prop_assert!(totals.transcodes().count() <= limit);

    let before = std::mem::take(&mut watch.before);
    for (id, account, created) in &shown {
        let name = watch.names.get(id).copied().unwrap_or_default();
        let value = energy(account);
        if let Some((last, began)) = before.get(&(*id, name)) {
            prop_assert!(
                *began < created.0 || (*began, *last) <= (created.0, value),
                "{id:?} fell to {value}"
            );
        }
        watch.before.insert((*id, name), (value, created.0));
        prop_assert!(!watch.beyond.contains(id), "{id:?} was in (other), and lives");
    }
    let used = tick.uses.iter().map(|(workload, ..)| WorkloadId(100 + workload));
    watch.beyond.extend(used.filter(|id| !shown.iter().any(|(one, ..)| one == id)));
    for id in closed {
        watch.beyond.remove(id);
        // A workload without series, or with series that have disappeared.
        prop_assert!(!shown.iter().any(|(one, ..)| one == id));
    }
    Ok(())
}

fn scrape(totals: &Totals, watch: &mut Watch, at: usize) {
    watch.hosts.push((at, totals.host().iter().map(|energy| energy.0).collect()));
    for (id, entry) in totals.workloads() {
        let name = watch.names.get(&id).copied().unwrap_or_default();
        let account = entry.account.since(&entry.earlier);
        for zone in 0..totals.zones().len() {
            let value = account.zones.get(zone).map_or(0, |charges| charges.energy().0);
            let sample = Sample { at, value, created: entry.created.0 };
            watch.scrapes.entry((id, name, zone)).or_default().push(sample);
        }
    }
}

/// Between any two scrapes, the increase is at most the host's.
fn compare(watch: &Watch) -> Result<(), TestCaseError> {
    for (from, first) in &watch.hosts {
        for (to, last) in watch.hosts.iter().filter(|(to, _)| to > from) {
            for (zone, last) in last.iter().enumerate() {
                let spent = last - first.get(zone).copied().unwrap_or(0);
                for by_created in [false, true] {
                    let series = watch.scrapes.iter().filter(|((_, _, one), _)| *one == zone);
                    let sum: u64 = series.map(|(_, samples)| increase(samples, *from, *to, by_created)).sum();
                    prop_assert!(sum <= spent, "{sum} of {spent} from {from} to {to}, created: {by_created}");
                }
            }
        }
    }
    Ok(())
}

proptest! {
    /// The rule of the whole stage: every joule is in exactly one series, once.
    #[test]
    fn every_joule_is_in_one_series_once(
        limit in 0..5usize,
        classes in 0..4usize,
        keep in 0..4u64,
        policy in prop::sample::select(&IdlePolicy::ALL),
        idle in prop::option::of(0.0..50.0f64),
        ticks in prop::collection::vec(tick(), 1..if cfg!(miri) { 5 } else { 25 }),
    ) {
        let limits = TotalsLimits { keep_ended: Duration::from_secs(keep), shown: limit, classes };
        let mut totals = Totals::new(limits, moment(0));
        let mut watch = Watch::default();
        for (number, tick) in ticks.iter().enumerate() {
            let between = MonoTime(moment(number as u64).mono.0 + 500_000_000);
            tick.events.iter().for_each(|event| happen(&mut totals, &mut watch, *event, between));
            watch.groups.happen(&mut totals, &tick.groups, classes);
            charge(&mut totals, &mut watch, tick, policy, idle)?;
            watch.groups.post(&mut totals, &tick.groups);
            let (closed, closed_transcodes) = publish(&mut totals, number as u64 + 1);
            watch.groups.closed(&closed_transcodes);
            check(&totals, &mut watch, tick, limit, &closed)?;
            if tick.is_scraped {
                scrape(&totals, &mut watch, number + 1);
            }
        }
        compare(&watch)?;
    }
}
