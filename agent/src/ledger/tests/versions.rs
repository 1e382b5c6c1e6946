//! Tests ledgers of other versions, and damaged ones.

use super::*;

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
fn a_ledger_without_models_is_read_as_it_is_and_then_gets_them() {
    let folder = tempfile::tempdir().unwrap();
    let old = Connection::open(folder.path().join(FILE)).unwrap();
    for migration in &schema::MIGRATIONS[..3] {
        old.execute_batch(migration).unwrap();
    }
    old.execute_batch(
        "INSERT INTO transcode (key, started, ended, workload, scenario, codec, preset, resolution, energy, cpu, vmaf)
         VALUES ('7-1', 5.0, 7.0, 'w', '', 'libx264', '', '', 42, 7, 90.0),
                ('8-1', 5.0, 6.0, 'w', '', 'libx264', '', '', 42, 7, 80.0); PRAGMA user_version = 3;",
    )
    .unwrap();
    drop(old);
    let by_codec = |ledger: &Ledger| ledger.groups(WallTime(0.0), NOW, Grouping::Codec).unwrap();
    let score = |model, transcodes, mean| GroupScore { model, transcodes, mean };
    let reader = Ledger::open_for_reading(folder.path()).unwrap();
    assert_eq!((reader.version, reader.running().unwrap()), (3, Vec::new()));
    let rows = reader.transcodes(WallTime(0.0), NOW, 10).unwrap();
    assert_eq!((rows[0].quality.vmaf, rows[0].quality.vmaf_model), (Some(Vmaf(90.0)), None));
    assert_eq!(by_codec(&reader)[0].scored, [score(None, 2, 85.0)]);
    drop(reader);
    let mut ledger = open(folder.path());
    let quality =
        Quality { vmaf: Some(Vmaf(95.0)), vmaf_model: Some(VmafModel::StandardNeg), ..Quality::default() };
    ledger.score("8-1", WallTime(5.0), &Output { quality, ..Output::default() }).unwrap();
    let rows = ledger.transcodes(WallTime(0.0), NOW, 10).unwrap();
    let models: Vec<_> = rows.iter().map(|row| (row.key.as_str(), row.quality.vmaf_model)).collect();
    assert_eq!(models, [("7-1", None), ("8-1", Some(VmafModel::StandardNeg))]);
    let scored = [score(None, 1, 90.0), score(Some(VmafModel::StandardNeg), 1, 95.0)];
    assert_eq!(by_codec(&ledger)[0].scored, scored, "scores of two models have no common mean");
}

#[test]
fn a_ledger_of_0_1_is_read_as_it_is_and_its_open_bucket_goes_over_whole() {
    let folder = tempfile::tempdir().unwrap();
    let old = Connection::open(folder.path().join(FILE)).unwrap();
    old.execute_batch(include_str!("../../../../tests/ledgers/version-2/ledger.sql")).unwrap();
    drop(old);
    let start = WallTime(1_795_861_170.0);
    let host = |ledger: &Ledger| ledger.host_since(WallTime(0.0)).unwrap().0.energy;
    let reader = Ledger::open_for_reading(folder.path()).unwrap();
    assert_eq!((reader.version, host(&reader)), (2, MicroJoules(96_000_000)));
    assert_eq!(reader.past(start, start).unwrap().ticks[0].charges[&Subject::Host].energy.0, 77_668_415);
    assert_eq!(reader.transcodes(WallTime(0.0), NOW, 10).unwrap().len(), 2);
    assert_eq!((reader.running().unwrap(), reader.running_total().unwrap().0), (Vec::new(), 0));
    drop(reader);
    let mut ledger = open(folder.path());
    let charge = Charge { energy: MicroJoules(5), cpu: CpuTime(0) };
    let tick = Tick {
        from: WallTime(start.0 + 1.0),
        to: WallTime(start.0 + 2.0),
        charges: HashMap::from([(Subject::Host, charge)]),
        containers: CpuTime(0),
        engine: None,
    };
    let mut buckets = Buckets::default();
    buckets.add(&tick, EnergyBasis::Measured);
    ledger.record(&mut buckets, &HashMap::new(), &[]).unwrap();
    assert_eq!(host(&ledger), MicroJoules(96_000_005));
    assert_eq!(ledger.past(start, start).unwrap().ticks[0].charges[&Subject::Host].energy.0, 77_668_420);
    ledger.prune(WallTime(start.0 + 10.0), Duration::ZERO, u64::MAX).unwrap();
    assert_eq!(host(&ledger), MicroJoules(0), "the older rows age as well");
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
