//! Tests readers of the ledger: `ffwatt report` without write access, and that neither it nor `check` leaves a file behind.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::Duration;

use rustix::process::Signal;
use tests::agent::binary;
use tests::host::{CGROUPS, Host};
use tests::nobody::{self, Capabilities};

use crate::{agent, database, json, report, restore};

/// A copy of the binary where an ordinary user can start it.
fn for_everybody() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir_in("/tmp").unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let copy = folder.path().join("ffwatt");
    fs::copy(binary().unwrap(), &copy).unwrap();
    (folder, copy)
}

fn report_as_nobody(binary: &Path, state: &Path) -> Output {
    let mut command = nobody::command(binary, Capabilities::Ordinary);
    command.args(["report", "--by", "workload", "--json", &format!("--state-dir={}", state.display())]);
    command.output().unwrap()
}

/// Content of a folder: name, inode, length, and time of change.
fn listing(folder: &Path) -> BTreeMap<String, (u64, u64, i64, i64)> {
    let entries = fs::read_dir(folder).unwrap().flatten().map(|entry| {
        let data = entry.metadata().unwrap();
        let name = entry.file_name().to_string_lossy().into_owned();
        (name, (data.ino(), data.len(), data.mtime(), data.mtime_nsec()))
    });
    let own = fs::metadata(folder).unwrap();
    entries.chain([(".".to_owned(), (own.ino(), 0, own.mtime(), own.mtime_nsec()))]).collect()
}

fn joules(all: &serde_json::Value) -> f64 {
    all.as_array().unwrap().iter().map(|group| group["energy_joules"].as_f64().unwrap()).sum()
}

#[test]
fn a_report_needs_no_write_access_and_leaves_nothing_whatever_the_agent_does() {
    let (_folder, binary) = for_everybody();
    let root = tempfile::tempdir_in("/tmp").unwrap();
    fs::set_permissions(root.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let (mut host, state) = (Host::client().unwrap(), root.path().join("state"));
    let first = agent(&host, &state, &[]);
    let birth = crate::uptime();
    host.encoder(4242, CGROUPS[0], birth, Duration::ZERO).unwrap();
    first.wait_ticks(2).unwrap();
    first
        .between_ticks(|| {
            host.step(&[(CGROUPS[0], 100)]).unwrap();
            host.encoder(4242, CGROUPS[0], birth, Duration::from_millis(100)).unwrap();
            host.set_energy("intel-rapl:0", 6_000_000).unwrap();
        })
        .unwrap();
    first.wait_ticks(2).unwrap();
    host.end_encoder(4242).unwrap();
    first
        .until("its row is written", |_| {
            let count = "SELECT count(*) FROM transcode WHERE energy = 5000000 AND state = 'ended'";
            database(&state).query_row(count, (), |row| row.get(0)).ok().filter(|count: &u64| *count == 1)
        })
        .unwrap();
    let both = |what: &str| {
        for output in [report(&state, &["--by", "workload", "--json"]), report_as_nobody(&binary, &state)] {
            assert_eq!(joules(&json(&output)), 5.0, "{what}");
        }
    };
    both("while the agent runs");
    first.stop_by(Signal::KILL).unwrap();
    let before = listing(&state);
    assert!(before.contains_key("ledger.db-wal"), "{before:?}");
    both("after kill -9");
    assert_eq!(listing(&state), before, "after kill -9");
    agent(&host, &state, &[]).stop().unwrap();
    let before = listing(&state);
    assert!(!before.contains_key("ledger.db-wal"), "{before:?}");
    both("after a clean end");
    assert_eq!(listing(&state), before, "after a clean end");
}

#[test]
fn a_ledger_of_0_1_is_read_by_somebody_without_write_access() {
    let (_folder, binary) = for_everybody();
    let state = tempfile::tempdir_in("/tmp").unwrap();
    fs::set_permissions(state.path(), fs::Permissions::from_mode(0o755)).unwrap();
    restore(state.path());
    let before = listing(state.path());
    let all = json(&report_as_nobody(&binary, state.path()));
    assert!((joules(&all) - 63.111_107).abs() < 1e-9, "{all}");
    let by_root = joules(&json(&report(state.path(), &["--by", "codec", "--json"])));
    assert!((by_root - joules(&all)).abs() < 1e-9, "{by_root}");
    assert_eq!(listing(state.path()), before);
}

#[test]
fn check_makes_no_folder_and_no_file() {
    let (host, root) = (Host::client().unwrap(), tempfile::tempdir().unwrap());
    let check = |state: &Path| -> String {
        let mut command = tests::agent::command().unwrap();
        command.arg("check").args(host.flags()).arg(format!("--state-dir={}", state.display()));
        let output = command.env_clear().output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let deep = root.path().join("not/yet/there");
    let said = check(&deep);
    assert!(said.contains("not/yet/there"), "{said}");
    assert_eq!(fs::read_dir(root.path()).unwrap().count(), 0, "{said}");
    restore(root.path());
    let before = listing(root.path());
    check(root.path());
    assert_eq!(listing(root.path()), before);
}
