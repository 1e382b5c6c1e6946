//! Is what was written what is read, over restarts, splits and damage?

use std::collections::HashMap;

use super::*;
use crate::join::history::{Charge, Tick};
use crate::join::subject::Subject;
use crate::model::transcode::Output;
use crate::units::{Decibels, Vmaf};

const NOW: WallTime = WallTime(1_800_000_000.0);

fn subject(name: &str) -> Subject {
    Subject::Workload { name: name.into(), id: "1".into() }
}

fn tick(from: f64, to: f64, charges: &[(&str, u64)]) -> Tick {
    let charge = |(name, energy): &(&str, u64)| {
        (subject(name), Charge { energy: MicroJoules(*energy), cpu: CpuTime(energy * 100) })
    };
    Tick {
        from: WallTime(NOW.0 + from),
        to: WallTime(NOW.0 + to),
        charges: charges.iter().map(charge).collect(),
        containers: CpuTime(0),
        engine: None,
    }
}

fn open(folder: &Path) -> Ledger {
    let (ledger, finding) = Ledger::open(folder, NOW).unwrap();
    assert_eq!(finding, None);
    ledger
}

fn energy_of(ledger: &Ledger, name: &str) -> u64 {
    let past = ledger.past(WallTime(NOW.0 - 100.0), WallTime(NOW.0 + 1000.0)).unwrap();
    past.ticks.iter().filter_map(|tick| tick.charges.get(&subject(name))).map(|charge| charge.energy.0).sum()
}

fn row(key: &str, energy: u64) -> TranscodeRow {
    TranscodeRow {
        key: key.into(),
        started: NOW,
        ended: WallTime(NOW.0 + 10.0),
        codec: "libx264".into(),
        energy: MicroJoules(energy),
        exit: Some(0),
        basis: Some(EnergyBasis::Modelled),
        ..TranscodeRow::default()
    }
}

#[test]
fn ticks_are_split_at_buckets_and_add_up() {
    let folder = tempfile::tempdir().unwrap();
    let mut ledger = open(folder.path());
    let mut buckets = Buckets::default();
    for tick in [tick(0.0, 4.0, &[("a", 1001), ("b", 7)]), tick(4.0, 31.0, &[("a", 10_000)])] {
        buckets.add(&tick, EnergyBasis::Measured);
        ledger.record(&mut buckets, &HashMap::new(), &[]).unwrap();
    }
    assert_eq!((energy_of(&ledger, "a"), energy_of(&ledger, "b")), (11_001, 7));
    let past = ledger.past(NOW, WallTime(NOW.0 + 30.0)).unwrap();
    assert_eq!(past.ticks.len(), 4);
    assert_eq!((past.ticks[3].from.0, past.ticks[3].to.0), (NOW.0 + 30.0, NOW.0 + 31.0));
    assert_eq!(past.basis, Some(EnergyBasis::Measured));
}

#[test]
fn writing_again_counts_nothing_twice() {
    let folder = tempfile::tempdir().unwrap();
    let mut ledger = open(folder.path());
    let mut buckets = Buckets::default();
    buckets.add(&tick(0.0, 1.0, &[("a", 5)]), EnergyBasis::Modelled);
    for _ in 0..3 {
        ledger.record(&mut buckets, &HashMap::new(), &[row("7-1", 9), row("7-1", 10)]).unwrap();
    }
    assert_eq!(energy_of(&ledger, "a"), 5);
    let rows = ledger.transcodes(WallTime(0.0), WallTime(f64::MAX), 10).unwrap();
    assert_eq!(rows, [row("7-1", 10)], "the last word counts");
}

#[test]
fn a_score_that_comes_later_stays_when_the_row_is_written_again() {
    let folder = tempfile::tempdir().unwrap();
    let mut ledger = open(folder.path());
    let quality =
        Quality { vmaf: Some(Vmaf(93.5)), psnr: Some(Decibels(f64::INFINITY)), ..Quality::default() };
    let output = Output { frames: Some(250), quality, ..Output::default() };
    ledger.score("7-1", NOW, &output).unwrap();
    let rows = |ledger: &Ledger| ledger.transcodes(WallTime(0.0), WallTime(f64::MAX), 10).unwrap();
    assert_eq!(rows(&ledger), [], "there is nothing to score yet");
    ledger.record(&mut Buckets::default(), &HashMap::new(), &[row("7-1", 9)]).unwrap();
    ledger.score("7-1", NOW, &output).unwrap();
    ledger.record(&mut Buckets::default(), &HashMap::new(), &[row("7-1", 10)]).unwrap();
    assert_eq!(rows(&ledger), [TranscodeRow { frames: Some(250), quality, ..row("7-1", 10) }]);
}

#[test]
fn a_ledger_of_the_first_version_is_brought_up_to_date_with_what_is_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let old = Connection::open(folder.path().join(FILE)).unwrap();
    old.execute_batch(schema::MIGRATIONS[0]).unwrap();
    old.execute_batch(
        "INSERT INTO transcode VALUES ('7-1', 5.0, 6.0, 'w', '', 'libx264', '', '', 0, 42, 7, 1); PRAGMA user_version = 1;",
    )
    .unwrap();
    drop(old);
    let rows = open(folder.path()).transcodes(WallTime(0.0), NOW, 10).unwrap();
    assert_eq!((rows[0].energy.0, rows[0].frames, rows[0].quality), (42, None, Quality::default()));
}

#[test]
fn an_agent_that_is_started_again_goes_on_with_the_bucket() {
    let folder = tempfile::tempdir().unwrap();
    let mut buckets = Buckets::default();
    buckets.add(&tick(0.0, 2.0, &[("a", 100)]), EnergyBasis::Modelled);
    open(folder.path()).record(&mut buckets, &HashMap::new(), &[]).unwrap();
    let mut ledger = open(folder.path());
    let mut buckets = Buckets::default();
    buckets.add(&tick(3.0, 4.0, &[("a", 11)]), EnergyBasis::Modelled);
    ledger.record(&mut buckets, &HashMap::new(), &[]).unwrap();
    assert_eq!(energy_of(&ledger, "a"), 111);
}

#[test]
fn a_clock_that_is_set_back_adds_to_what_is_written_and_takes_nothing_away() {
    let folder = tempfile::tempdir().unwrap();
    let mut ledger = open(folder.path());
    let mut buckets = Buckets::default();
    for (from, energy) in [(0.0, 1), (10.0, 20), (20.0, 300), (5.0, 4000), (6.0, 50_000), (15.0, 600_000)] {
        buckets.add(&tick(from, from + 1.0, &[("a", energy)]), EnergyBasis::Measured);
        ledger.record(&mut buckets, &HashMap::new(), &[]).unwrap();
    }
    assert_eq!(energy_of(&ledger, "a"), 654_321);
    let past = ledger.past(NOW, WallTime(NOW.0 + 9.0)).unwrap();
    assert_eq!((past.ticks[0].from.0, past.ticks[0].to.0), (NOW.0, NOW.0 + 7.0));
}

#[test]
fn what_a_disk_refuses_waits_and_is_bounded_and_counted() {
    let mut buckets = Buckets::default();
    let names: Vec<String> = (0..1000).map(|number| number.to_string()).collect();
    let charges: Vec<(&str, u64)> = names.iter().map(|name| (name.as_str(), 1)).collect();
    for number in 0..80 {
        let from = f64::from(number) * 10.0;
        buckets.add(&tick(from, from + 10.0, &charges), EnergyBasis::Modelled);
    }
    // Each tick ends at the very beginning of the next bucket, which has nothing of it.
    assert_eq!((buckets.waiting(), buckets.lost()), (50, 30));
    let folder = tempfile::tempdir().unwrap();
    let mut ledger = open(folder.path());
    ledger.record(&mut buckets, &HashMap::new(), &[]).unwrap();
    assert_eq!(buckets.waiting(), 0);
    assert_eq!(energy_of(&ledger, "7"), 50);
}

#[test]
fn a_ledger_has_one_writer() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = open(folder.path());
    assert!(ledger.is_in_place());
    let error = Ledger::open(folder.path(), NOW).unwrap_err();
    assert!(error.to_string().contains("--state-dir"), "{error}");
    assert!(Ledger::open_for_reading(folder.path()).is_ok());
    fs::remove_file(folder.path().join(FILE)).unwrap();
    assert!(!ledger.is_in_place());
    drop(ledger);
    open(folder.path());
}

#[test]
fn a_newer_ledger_is_left_alone_and_a_damaged_one_moved_aside() {
    let folder = tempfile::tempdir().unwrap();
    open(folder.path()).connection.pragma_update(None, "user_version", 99).unwrap();
    let error = Ledger::open(folder.path(), NOW).unwrap_err().to_string();
    assert!(error.contains("version 99") && error.contains("ledger.db"), "{error}");
    let damaged = tempfile::tempdir().unwrap();
    fs::write(damaged.path().join(FILE), "this is no database, however long it may be".repeat(50)).unwrap();
    let (ledger, finding) = Ledger::open(damaged.path(), NOW).unwrap();
    assert!(finding.unwrap().contains("ledger.db.damaged-1800000000"));
    assert!(ledger.transcodes(WallTime(0.0), NOW, 1).unwrap().is_empty());
    let nowhere = Ledger::open_for_reading(Path::new("/no/such/folder")).unwrap_err().to_string();
    assert!(nowhere.contains("run the agent"), "{nowhere}");
}

#[test]
fn groups_and_the_host() {
    let folder = tempfile::tempdir().unwrap();
    let mut ledger = open(folder.path());
    let rows = [row("1-1", 5), row("2-1", 6), TranscodeRow { codec: "libx265".into(), ..row("3-1", 100) }];
    let mut host = tick(0.0, 1.0, &[]);
    host.charges.insert(Subject::Host, Charge { energy: MicroJoules(50), cpu: CpuTime(1000) });
    let mut buckets = Buckets::default();
    buckets.add(&host, EnergyBasis::Modelled);
    ledger.record(&mut buckets, &HashMap::new(), &rows).unwrap();
    let groups = ledger.groups(WallTime(0.0), WallTime(f64::MAX), Grouping::Codec).unwrap();
    let short: Vec<_> =
        groups.iter().map(|group| (group.name.as_str(), group.transcodes, group.energy.0)).collect();
    assert_eq!(short, [("libx265", 1, 100), ("libx264", 2, 11)]);
    assert_eq!(
        ledger.host_since(NOW).unwrap(),
        (Charge { energy: MicroJoules(50), cpu: CpuTime(1000) }, 1.0)
    );
}

#[test]
fn a_day_of_a_hundred_busy_workloads_is_small_and_the_old_goes_first() {
    let folder = tempfile::tempdir().unwrap();
    let mut ledger = open(folder.path());
    let names: Vec<String> = (0..100).map(|number| format!("ffrtmp/job-{number}")).collect();
    let mut buckets = Buckets::default();
    // Figures as large as a busy workload's: 20 W on two cores for ten seconds.
    let charges: Vec<(&str, u64)> = names.iter().map(|name| (name.as_str(), 200_000_000)).collect();
    for bucket in 0..864 {
        let from = f64::from(bucket) * 10.0;
        buckets.add(&tick(from, from + 10.0, &charges), EnergyBasis::Measured);
        if bucket % 100 == 99 {
            ledger.record(&mut buckets, &HashMap::new(), &[]).unwrap();
        }
    }
    ledger.record(&mut buckets, &HashMap::new(), &[]).unwrap();
    let a_tenth = ledger.bytes().unwrap();
    assert!(a_tenth * 10 <= 20_000_000, "{} bytes a day", a_tenth * 10);
    let oldest = |ledger: &Ledger| ledger.past(NOW, WallTime(NOW.0 + 8640.0)).unwrap().ticks[0].from.0;
    ledger.prune(NOW, Duration::from_hours(1), 1000).unwrap();
    assert!((oldest(&ledger) - NOW.0 - 3600.0).abs() < 1.0, "an hour at a time");
    ledger.prune(WallTime(NOW.0 + 7200.0 + 3600.0), Duration::from_hours(1), u64::MAX).unwrap();
    assert!((oldest(&ledger) - NOW.0 - 7200.0).abs() < 1.0, "by age");
}
