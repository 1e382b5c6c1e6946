//! Tests that reading returns what was written, over restarts, splits, refused rows and damage.

use std::collections::HashMap;

use agent_core::join::figures::Found;
use agent_core::join::history::{Charge, Tick};
use agent_core::join::subject::Subject;
use agent_core::model::cpu::ProcessId;
use agent_core::model::joined::{Matched, ScenarioEnergy};
use agent_core::model::scenario::Scenario;
use agent_core::model::transcode::Output;
use agent_core::model::vmaf_model::VmafModel;
use agent_core::units::{Decibels, Vmaf};

use super::*;

mod versions;

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
    let quality = Quality {
        vmaf: Some(Vmaf(93.5)),
        vmaf_model: Some(VmafModel::Uhd),
        psnr: Some(Decibels(f64::INFINITY)),
        ..Quality::default()
    };
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
fn a_bad_row_costs_that_row_only_and_is_counted_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut ledger = open(folder.path());
    let refuse = "CREATE TRIGGER refuse BEFORE INSERT ON subject WHEN NEW.name = 'bad' BEGIN SELECT RAISE(ABORT, 'no'); END;";
    ledger.connection.execute_batch(refuse).unwrap();
    let mut buckets = Buckets::default();
    let mut charges = 0;
    for second in 0..3 {
        buckets.add(
            &tick(f64::from(second), f64::from(second) + 1.0, &[("a", 5), ("bad", 7)]),
            EnergyBasis::Modelled,
        );
        let bad = TranscodeRow { started: WallTime(f64::NAN), ..row("8-1", 1) };
        let refused = ledger.record(&mut buckets, &HashMap::new(), &[bad, row("7-1", 9)]).unwrap();
        assert_eq!(refused.transcodes, [0]);
        assert!(refused.first.unwrap().contains("bad"));
        charges += refused.charges;
    }
    assert_eq!((energy_of(&ledger, "a"), energy_of(&ledger, "bad"), charges), (15, 0, 1));
    assert_eq!(ledger.transcodes(WallTime(0.0), WallTime(f64::MAX), 10).unwrap(), [row("7-1", 9)]);
}

#[test]
fn a_subject_stays_for_as_long_as_it_has_charges_though_the_clock_was_set_back() {
    let folder = tempfile::tempdir().unwrap();
    let mut ledger = open(folder.path());
    let mut buckets = Buckets::default();
    for (from, energy) in [(7200.0, 5), (0.0, 7)] {
        buckets.add(&tick(from, from + 1.0, &[("a", energy)]), EnergyBasis::Modelled);
        ledger.record(&mut buckets, &HashMap::new(), &[]).unwrap();
    }
    ledger.prune(WallTime(NOW.0 + 7200.0), Duration::from_hours(1), u64::MAX).unwrap();
    let past = ledger.past(WallTime(NOW.0 + 7200.0), WallTime(NOW.0 + 7200.0)).unwrap();
    assert_eq!(past.ticks[0].charges[&subject("a")].energy, MicroJoules(5));
}

#[test]
fn a_log_that_a_reader_holds_stops_the_writer_and_nothing_is_lost_until_the_reader_ends() {
    let folder = tempfile::tempdir().unwrap();
    let mut ledger = open(folder.path());
    let mut buckets = Buckets::default();
    let write = |ledger: &mut Ledger, buckets: &mut Buckets, second: u32| {
        let from = f64::from(second) * 10.0;
        buckets.add(&tick(from, from + 10.0, &[("a", 1), ("b", 2)]), EnergyBasis::Modelled);
        ledger.record(buckets, &HashMap::new(), &[]).unwrap();
    };
    write(&mut ledger, &mut buckets, 0);
    let reader = Connection::open(folder.path().join(FILE)).unwrap();
    reader.execute_batch("BEGIN; SELECT count(*) FROM known;").unwrap();
    let mut second = 1;
    while ledger.log_bytes() <= 1 << 20 {
        write(&mut ledger, &mut buckets, second);
        second += 1;
    }
    let held = ledger.bound_log(1 << 20).unwrap_err().to_string();
    assert!(held.contains("read transaction") && held.contains("ledger.db"), "{held}");
    reader.execute_batch("COMMIT").unwrap();
    ledger.bound_log(1 << 20).unwrap();
    assert_eq!(ledger.log_bytes(), 0);
    assert_eq!(energy_of(&ledger, "a"), 101.min(u64::from(second)), "as far as is read");
}

#[test]
fn what_runs_is_gone_on_with_and_what_does_not_is_closed() {
    let folder = tempfile::tempdir().unwrap();
    let mut ledger = open(folder.path());
    let process = |number| ProcessIdentity { process: ProcessId(number), birth: 77, boot: "b".into() };
    let running = |key: &str, number| TranscodeRow {
        state: State::Running,
        process: Some(process(number)),
        observed_from: Some(WallTime(NOW.0 - 5.0)),
        unobserved: Duration::from_secs(3),
        seen: SeenOutput {
            energy: MicroJoules(4),
            frames: Some(40),
            pixels: None,
            length: Some(Duration::from_secs(2)),
        },
        ..row(key, 9)
    };
    let rows = [running("1-1", 1), running("2-1", 2), running("3-1", 3)];
    ledger.record(&mut Buckets::default(), &HashMap::new(), &rows).unwrap();
    let earlier = ledger.running().unwrap();
    assert_eq!(earlier.len(), 3);
    let first = &earlier[0];
    assert_eq!((first.recorded, first.observation.earlier.energy), (WallTime(NOW.0 + 10.0), MicroJoules(9)));
    let resumed = first.resumed(WallTime(NOW.0 + 12.5));
    assert_eq!((resumed.missing, resumed.from), (Duration::from_millis(5500), Some(WallTime(NOW.0 - 5.0))));
    assert_eq!(resumed.earlier.seen, rows[0].seen);
    // The second runs under another key by now: another agent had written the row.
    let other = TranscodeRow { key: "2-2".into(), ..running("2-2", 2) };
    ledger.settle_running(&[rows[0].clone(), other.clone()]).unwrap();
    ledger.record(&mut Buckets::default(), &HashMap::new(), &[other]).unwrap();
    let mut states: Vec<(String, State)> = Vec::new();
    for row in ledger.transcodes(WallTime(0.0), WallTime(f64::MAX), 10).unwrap() {
        states.push((row.key, row.state));
    }
    states.sort_by(|one, other| one.0.cmp(&other.0));
    let expected = [("1-1", State::Running), ("2-2", State::Running), ("3-1", State::Lost)];
    assert_eq!(states, expected.map(|(key, state)| (key.to_owned(), state)));
    assert_eq!(ledger.running_total().unwrap(), (2, MicroJoules(18)));
    let groups = ledger.groups(WallTime(0.0), WallTime(f64::MAX), Grouping::Codec).unwrap();
    assert_eq!((groups[0].transcodes, groups[0].partly_observed), (1, 1));
    assert_eq!((groups[0].seconds, groups[0].observed_seconds), (10.0, 7.0));
}

#[test]
fn a_scenario_is_recalled_as_it_was_asked_and_the_better_rule_wins() {
    let folder = tempfile::tempdir().unwrap();
    let mut ledger = open(folder.path());
    let mut buckets = Buckets::default();
    let mut tick = tick(0.0, 10.0, &[("a", 100), ("b", 7)]);
    tick.charges.insert(Subject::Host, Charge { energy: MicroJoules(107), cpu: CpuTime(0) });
    buckets.add(&tick, EnergyBasis::Measured);
    ledger.record(&mut buckets, &HashMap::new(), &[]).unwrap();
    let window = Some((NOW, WallTime(NOW.0 + 10.0)));
    let plain = Scenario { name: "one".into(), window, ..Scenario::default() };
    let named = Scenario { container: Some("b".into()), ..plain.clone() };
    let by_overlap = ScenarioEnergy {
        energy: MicroJoules(55),
        cpu: None,
        mean: None,
        deviation: None,
        gpu: None,
        containers: None,
        engine: None,
        basis: EnergyBasis::Measured,
        matched: Matched::Overlap,
    };
    let found = |ledger: &Ledger, scenario: &Scenario| {
        let energy = ledger.find("run", scenario).unwrap().unwrap().energy.unwrap();
        (energy.matched, energy.energy.0)
    };
    let overlap = Found { energy: Some(by_overlap), host: None };
    ledger.remember("run", &plain, &overlap).unwrap();
    assert_eq!(found(&ledger, &plain), (Matched::Overlap, 55));
    assert_eq!(found(&ledger, &named), (Matched::Container, 7), "the file was corrected");
    // Stored by a worse rule, though it asks for the same: its container was not known yet.
    ledger.remember("run", &named, &overlap).unwrap();
    assert_eq!(found(&ledger, &named), (Matched::Container, 7));
    let energy = Some(ScenarioEnergy { matched: Matched::Container, ..by_overlap });
    ledger.remember("run", &named, &Found { energy, host: None }).unwrap();
    assert_eq!(found(&ledger, &named), (Matched::Container, 55), "finer than its buckets");
    // A release that did not store the requested names.
    ledger.connection.execute("UPDATE scenario SET container = NULL, transcode = NULL", ()).unwrap();
    assert_eq!(found(&ledger, &named), (Matched::Container, 55));
    assert_eq!(ledger.find("run", &plain).unwrap().unwrap().energy, None, "it was of a container, once");
}

/// A bucket does not say when in its ten seconds a workload drew its energy; its transcodes do.
#[test]
fn a_scenario_shorter_than_a_bucket_has_all_energy_of_its_transcode_or_none() {
    let folder = tempfile::tempdir().unwrap();
    let mut ledger = open(folder.path());
    let mut buckets = Buckets::default();
    let mut tick = tick(0.0, 10.0, &[("job", 1000), ("server", 1000)]);
    let charge = |energy| Charge { energy: MicroJoules(energy), cpu: CpuTime(0) };
    tick.charges.insert(Subject::Host, charge(2000));
    tick.charges.insert(Subject::Transcode("7-1".into()), charge(990));
    tick.charges.insert(Subject::Transcode("8-1".into()), charge(300));
    buckets.add(&tick, EnergyBasis::Measured);
    let life = |from, to| (WallTime(NOW.0 + from), WallTime(NOW.0 + to));
    let of = |key, workload: &str, (started, ended), energy| TranscodeRow {
        workload: workload.into(),
        started,
        ended,
        ..row(key, energy)
    };
    let rows = [of("7-1", "job", life(8.0, 9.0), 990), of("8-1", "server", life(2.0, 3.0), 300)];
    ledger.record(&mut buckets, &HashMap::new(), &rows).unwrap();
    let found = |container: &str, window| {
        let scenario = Scenario {
            name: "one".into(),
            container: Some(container.into()),
            window: Some(window),
            ..Scenario::default()
        };
        let energy = ledger.find("run", &scenario).unwrap().unwrap().energy;
        energy.map(|energy| (energy.matched, energy.energy.0))
    };
    assert_eq!(found("job", life(8.0, 9.0)), Some((Matched::Container, 1000)));
    assert_eq!(found("server", life(4.0, 6.0)), None, "most of it is no transcode");
    assert_eq!(found("server", life(0.0, 10.0)), Some((Matched::Container, 1000)));
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
    // Each tick ends at the very beginning of the next bucket, which contains nothing of it.
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
    // Keys of two columns, which never run out, take a tenth more than one number did.
    assert!(a_tenth * 10 <= 22_000_000, "{} bytes a day", a_tenth * 10);
    let oldest = |ledger: &Ledger| ledger.past(NOW, WallTime(NOW.0 + 8640.0)).unwrap().ticks[0].from.0;
    ledger.prune(NOW, Duration::from_hours(1), 1000).unwrap();
    assert!((oldest(&ledger) - NOW.0 - 3600.0).abs() < 1.0, "an hour at a time");
    ledger.prune(WallTime(NOW.0 + 7200.0 + 3600.0), Duration::from_hours(1), u64::MAX).unwrap();
    assert!((oldest(&ledger) - NOW.0 - 7200.0).abs() < 1.0, "by age");
}
