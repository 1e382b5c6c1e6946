//! Tests the ledger's format: files of release 0.1, ids beyond 22 bits, rows that the database refuses, the size of the WAL.

use std::path::Path;

use tests::host::{CGROUPS, Host};

use crate::{agent, database, json, of_release, report, restore};

const STEP: u64 = 5_000_000;

/// The reports of 0.1 and of this version say the same: every key of the old one is in the new one with the same value.
#[track_caller]
fn assert_reported(state: &Path) {
    let results = state.join("test_results_1.json");
    for (file, arguments) in [
        ("by-codec.json", vec!["--by", "codec", "--json"]),
        ("by-workload.json", vec!["--by", "workload", "--json"]),
        ("run.json", vec![results.to_str().unwrap(), "--json"]),
    ] {
        let before: serde_json::Value = serde_json::from_str(&of_release(file)).unwrap();
        let now = json(&report(state, &arguments));
        let (before, now) = (before.as_array().unwrap(), now.as_array().unwrap());
        assert_eq!(before.len(), now.len(), "{file}");
        for (before, now) in before.iter().zip(now) {
            for (key, value) in before.as_object().unwrap() {
                match (value.as_f64(), now[key].as_f64()) {
                    (Some(before), Some(now)) => assert!((now - before).abs() < 1e-9, "{file}: {key}: {now}"),
                    _ => assert_eq!(&now[key], value, "{file}: {key}"),
                }
            }
        }
    }
}

#[test]
fn a_ledger_of_0_1_is_reported_as_it_is_and_the_same_after_its_migration() {
    let (host, state) = (Host::client().unwrap(), tempfile::tempdir().unwrap());
    restore(state.path());
    assert_reported(state.path());
    let version =
        || -> i64 { database(state.path()).query_row("PRAGMA user_version", (), |row| row.get(0)).unwrap() };
    assert_eq!(version(), 2, "a report migrates nothing");
    let agent = agent(&host, state.path(), &[]);
    agent.until("it is migrated", |_| (version() > 2).then_some(())).unwrap();
    assert_reported(state.path());
    agent.stop().unwrap();
    assert_reported(state.path());
    // The scenario is found in the old buckets too, where nothing was stored about it.
    database(state.path()).execute("DELETE FROM scenario", ()).unwrap();
    let results = state.path().join("test_results_1.json");
    let all = json(&report(state.path(), &[results.to_str().unwrap(), "--json"]));
    let joules = all[0]["energy_joules"].as_f64().unwrap();
    // Two buckets have charges of it; of the first, energy flows evenly, the window has a part.
    let expected = 17.259_650
        + 4.073_686 * (1_795_861_170.0 - 1_795_861_167.210_725_5) / (1_795_861_170.0 - 1_795_861_165.661_541);
    assert!((joules - expected).abs() < 1e-5, "by buckets of ten seconds: {joules} J of {expected}");
}

#[test]
fn the_ledger_goes_on_after_two_to_the_22_subjects() {
    let (mut host, state) = (Host::client().unwrap(), tempfile::tempdir().unwrap());
    agent(&host, state.path(), &[]).stop().unwrap();
    let last = "INSERT INTO subject (id, kind, name, short_id, scenario, last)
                VALUES (4194303, 'transcode', 'x-1', '', '', unixepoch() / 10 * 10)";
    database(state.path()).execute(last, ()).unwrap();
    let agent = agent(&host, state.path(), &[]);
    for number in 1..=3 {
        agent
            .between_ticks(|| {
                host.step(&[(CGROUPS[0], 100), (CGROUPS[2], 100)]).unwrap();
                host.set_energy("intel-rapl:0", 1_000_000 + number * STEP).unwrap();
            })
            .unwrap();
        agent.wait_ticks(2).unwrap();
    }
    agent
        .until("what was charged to subjects beyond is written", |scrape| {
            let sum =
                "SELECT coalesce(sum(energy), 0) FROM charge JOIN subject ON subject.id = charge.subject
                       WHERE kind = 'host'";
            let written: u64 = database(state.path()).query_row(sum, (), |row| row.get(0)).ok()?;
            (written == 3 * STEP && scrape.sum("ffwatt_ledger_up", &[]) == Some(1.0)).then_some(())
        })
        .unwrap();
    let beyond: u64 = database(state.path())
        .query_row("SELECT count(*) FROM subject WHERE id > 4194303", (), |row| row.get(0))
        .unwrap();
    assert!(beyond >= 1, "a workload that was not known before has an id beyond");
}

#[test]
fn a_row_that_the_database_refuses_costs_that_row_only() {
    let (mut host, state) = (Host::client().unwrap(), tempfile::tempdir().unwrap());
    agent(&host, state.path(), &[]).stop().unwrap();
    database(state.path())
        .execute_batch(
            "CREATE TRIGGER refuse BEFORE INSERT ON subject WHEN NEW.name = 'nginx.service'
             BEGIN SELECT RAISE(ABORT, 'refused'); END;
             CREATE TRIGGER refuse_too BEFORE INSERT ON transcode WHEN NEW.workload = 'nginx.service'
             BEGIN SELECT RAISE(ABORT, 'refused'); END;",
        )
        .unwrap();
    let agent = agent(&host, state.path(), &[]);
    let birth = crate::uptime();
    for (process, cgroup) in [(4242, CGROUPS[0]), (4343, CGROUPS[1])] {
        host.encoder(process, cgroup, birth, std::time::Duration::ZERO).unwrap();
    }
    agent.wait_ticks(2).unwrap();
    agent
        .between_ticks(|| {
            host.step(&[(CGROUPS[0], 100), (CGROUPS[1], 300)]).unwrap();
            for (process, cgroup) in [(4242, CGROUPS[0]), (4343, CGROUPS[1])] {
                host.encoder(process, cgroup, birth, std::time::Duration::from_millis(100)).unwrap();
            }
            host.set_energy("intel-rapl:0", 1_000_000 + STEP).unwrap();
        })
        .unwrap();
    agent.wait_ticks(2).unwrap();
    for process in [4242, 4343] {
        host.end_encoder(process).unwrap();
    }
    agent
        .until("the good rows are written and the bad ones counted", |scrape| {
            let of = |kind: &str| -> Option<u64> {
                let sum =
                    "SELECT coalesce(sum(energy), 0) FROM charge JOIN subject ON subject.id = charge.subject
                           WHERE kind = ?1 AND name != 'system'";
                database(state.path()).query_row(sum, [kind], |row| row.get(0)).ok()
            };
            let ended = "SELECT count(*) FROM transcode WHERE state = 'ended'";
            let ended: u64 = database(state.path()).query_row(ended, (), |row| row.get(0)).ok()?;
            let lost = |record| scrape.sum("ffwatt_lost_records_total", &[("record", record)]);
            (of("host") == Some(STEP)
                && of("workload") == Some(STEP / 4)
                && ended == 1
                && lost("charge") == Some(1.0)
                && lost("transcode") == Some(1.0)
                && scrape.sum("ffwatt_ledger_up", &[]) == Some(1.0))
            .then_some(())
        })
        .unwrap();
    assert!(agent.log().contains("nginx.service"), "{}", agent.log());
}

#[test]
fn the_size_of_the_write_ahead_log_is_told() {
    let (host, state) = (Host::client().unwrap(), tempfile::tempdir().unwrap());
    let agent = agent(&host, state.path(), &[]);
    agent
        .until("the metric is the file's size", |scrape| {
            let told = scrape.sum("ffwatt_ledger_wal_bytes", &[])?;
            let file = std::fs::metadata(state.path().join("ledger.db-wal")).ok()?.len();
            (told > 0.0 && told == file as f64).then_some(())
        })
        .unwrap();
}
