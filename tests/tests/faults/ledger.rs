//! Tests a ledger that cannot be written, or is damaged.

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::Path;

use rustix::process::Signal;
use tests::agent::Agent;
use tests::disk::Disk;
use tests::exposition::Exposition;
use tests::host::{CGROUPS, Host};

use crate::past::Past;
use crate::{BEGIN, STEP, STEP_JOULES, agent, assert_no_residual, energy_of, package_energy};

fn on(host: &Host, folder: &Path) -> Agent {
    let folder = format!("--state-dir={}", folder.display());
    agent(host, &["--energy.source=powercap", "--results.rescan=100ms", &folder])
}

fn is_kept(scrape: &Exposition) -> Option<bool> {
    scrape.sum("ffwatt_ledger_up", &[]).map(|up| up > 0.0)
}

#[track_caller]
fn until_kept(agent: &Agent, expected: bool) -> Exposition {
    let ask = |scrape: &Exposition| (is_kept(scrape) == Some(expected)).then(|| scrape.clone());
    agent.until("the ledger is as expected", ask).unwrap()
}

/// Waits until all energy is written.
#[track_caller]
fn until_written(agent: &Agent, folder: &Path, microjoules: u64) {
    let ask = |_: &Exposition| (Past::open(folder).host() == microjoules).then_some(());
    agent.until("it is all written", ask).unwrap();
    Past::open(folder).assert_sound();
}

#[test]
fn a_disk_that_fills_up_costs_nothing_that_is_not_written_when_there_is_room_again() {
    let (mut host, disk) = (Host::client().unwrap(), Disk::mount("512k").unwrap());
    let agent = on(&host, disk.path());
    host.set_energy("intel-rapl:0", BEGIN + STEP).unwrap();
    assert_eq!(is_kept(&agent.wait_ticks(2).unwrap()), Some(true));
    until_written(&agent, disk.path(), STEP);

    disk.fill("filler").unwrap();
    for number in 2..5 {
        agent
            .between_ticks(|| {
                host.step(&[(CGROUPS[1], 100)]).unwrap();
                host.set_energy("intel-rapl:0", BEGIN + number * STEP).unwrap();
            })
            .unwrap();
        agent.wait_ticks(1).unwrap();
    }
    until_kept(&agent, false);
    let during = agent.wait_ticks(2).unwrap();
    assert_eq!(package_energy(&during), 4.0 * STEP_JOULES, "the present does not care");
    assert_no_residual(&during);
    assert!(agent.log().contains("ledger.db") && agent.log().contains("tried again"), "{}", agent.log());

    fs::remove_file(disk.path().join("filler")).unwrap();
    until_kept(&agent, true);
    until_written(&agent, disk.path(), 4 * STEP);
    assert_no_residual(&agent.wait_ticks(1).unwrap());
    assert!(agent.stop().unwrap().0.success());
}

#[test]
fn an_agent_that_starts_on_a_full_disk_keeps_what_it_counts_until_there_is_room() {
    let (host, disk) = (Host::client().unwrap(), Disk::mount("512k").unwrap());
    disk.fill("filler").unwrap();
    let agent = on(&host, disk.path());
    host.set_energy("intel-rapl:0", BEGIN + STEP).unwrap();
    let during = agent.wait_ticks(2).unwrap();
    assert_eq!((is_kept(&during), package_energy(&during)), (Some(false), STEP_JOULES));
    assert_no_residual(&during);
    fs::remove_file(disk.path().join("filler")).unwrap();
    until_kept(&agent, true);
    until_written(&agent, disk.path(), STEP);
}

#[test]
fn an_agent_that_may_not_write_its_state_says_so_and_runs() {
    let (host, disk) = (Host::client().unwrap(), Disk::mount("512k").unwrap());
    disk.make_read_only().unwrap();
    let agent = on(&host, disk.path());
    host.set_energy("intel-rapl:0", BEGIN + STEP).unwrap();
    let scrape = agent.wait_ticks(2).unwrap();
    assert_eq!((is_kept(&scrape), package_energy(&scrape)), (Some(false), STEP_JOULES));
    assert_no_residual(&scrape);
    assert!(agent.log().contains("--state-dir"), "{}", agent.log());
}

#[test]
fn a_ledger_that_is_damaged_in_its_middle_is_set_aside_and_begun_anew() {
    let (host, folder) = (Host::client().unwrap(), tempfile::tempdir().unwrap());
    let before = on(&host, folder.path());
    host.set_energy("intel-rapl:0", BEGIN + STEP).unwrap();
    before.wait_ticks(2).unwrap();
    until_written(&before, folder.path(), STEP);
    before.stop().unwrap();
    // All but the first page: the file looks like a ledger until it is used.
    let file = fs::OpenOptions::new().write(true).open(folder.path().join("ledger.db")).unwrap();
    let length = usize::try_from(file.metadata().unwrap().len()).unwrap();
    file.write_all_at(&vec![0xa5; length - 4096], 4096).unwrap();
    let during = on(&host, folder.path());
    host.set_energy("intel-rapl:0", BEGIN + 2 * STEP).unwrap();
    assert_no_residual(&during.wait_ticks(2).unwrap());
    until_kept(&during, true);
    until_written(&during, folder.path(), STEP);
    assert!(during.log().contains("ledger.db.damaged-"), "{}", during.log());
    during.stop().unwrap();
    let after = on(&host, folder.path());
    until_written(&after, folder.path(), STEP);
}

#[test]
fn a_state_folder_that_is_removed_is_made_again() {
    let (host, root) = (Host::client().unwrap(), tempfile::tempdir().unwrap());
    let folder = root.path().join("state");
    let agent = on(&host, &folder);
    host.set_energy("intel-rapl:0", BEGIN + STEP).unwrap();
    agent.wait_ticks(2).unwrap();
    until_written(&agent, &folder, STEP);
    fs::remove_dir_all(&folder).unwrap();
    agent.until("it is there again", |_| folder.join("ledger.db").exists().then_some(())).unwrap();
    host.set_energy("intel-rapl:0", BEGIN + 2 * STEP).unwrap();
    let after = agent.wait_ticks(2).unwrap();
    assert_eq!(package_energy(&after), 2.0 * STEP_JOULES);
    assert_no_residual(&after);
    // The bucket that was being filled is written whole; older ones were removed with the folder.
    agent.until("the new energy is written", |_| (Past::open(&folder).host() >= STEP).then_some(())).unwrap();
    Past::open(&folder).assert_sound();
}

#[test]
fn two_agents_do_not_write_one_ledger_and_the_second_takes_over() {
    let (host, folder) = (Host::client().unwrap(), tempfile::tempdir().unwrap());
    let first = on(&host, folder.path());
    let second = on(&host, folder.path());
    host.set_energy("intel-rapl:0", BEGIN + STEP).unwrap();
    for agent in [&first, &second] {
        let scrape = agent.wait_ticks(2).unwrap();
        assert_eq!(package_energy(&scrape), STEP_JOULES, "both see it");
        assert_no_residual(&scrape);
    }
    until_written(&first, folder.path(), STEP);
    assert_eq!(is_kept(&second.scrape().unwrap()), Some(false));
    assert!(second.log().contains("another ffwatt"), "{}", second.log());
    first.stop_by(Signal::KILL).unwrap();
    until_kept(&second, true);
    host.set_energy("intel-rapl:0", BEGIN + 2 * STEP).unwrap();
    second.wait_ticks(2).unwrap();
    second
        .until("the new energy is written", |_| (Past::open(folder.path()).host() > STEP).then_some(()))
        .unwrap();
    Past::open(folder.path()).assert_sound();
}

#[test]
fn what_has_ended_or_is_beyond_the_limit_is_not_written_twice() {
    let (mut host, folder) = (Host::client().unwrap(), tempfile::tempdir().unwrap());
    let state = format!("--state-dir={}", folder.path().display());
    let flags = [
        "--energy.source=powercap",
        "--results.rescan=100ms",
        "--attribution.keep-ended=10s",
        "--attribution.max-workloads=2",
        &state,
    ];
    let agent = agent(&host, &flags);
    let mut total = 0;
    for round in 0..3 {
        total += STEP;
        agent
            .between_ticks(|| {
                host.step(&[(CGROUPS[0], 400), (CGROUPS[1], 100 * (round + 1)), (CGROUPS[2], 300)]).unwrap();
                host.set_energy("intel-rapl:0", BEGIN + total).unwrap();
            })
            .unwrap();
        agent.wait_ticks(2).unwrap();
    }
    let other = energy_of(&agent.scrape().unwrap(), "(other)");
    assert!(other > 0.0);
    for cgroup in &CGROUPS[..3] {
        fs::remove_dir_all(host.path(&format!("cgroup/{cgroup}"))).unwrap();
    }
    let ended = agent.until("series have disappeared", |scrape| {
        let ended = scrape.sum("ffwatt_ended_energy_joules_total", &[("domain", "package")])?;
        (ended > 1.0
            && scrape.find("ffwatt_workload_energy_joules_total", &[("kind", "docker")]).next().is_none())
        .then_some(ended)
    });
    let scrape = agent.scrape().unwrap();
    assert_no_residual(&scrape);
    assert_eq!(energy_of(&scrape, "(other)"), other, "what shared a series stays in it");
    assert!(ended.unwrap() + other <= package_energy(&scrape) + 1e-6);
    until_written(&agent, folder.path(), total);
}
