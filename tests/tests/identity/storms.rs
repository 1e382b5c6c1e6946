//! Tests bursts of cgroups: the agent's memory is bounded, and what ended while events were lost is known to have ended.

use std::fs;
use std::path::Path;

use rustix::process::Signal;
use tests::cgroup::Cgroup;
use tests::command::Owned;
use tests::exposition::{Exposition, assert_closed};
use tests::length::short_or_long;

use super::{CPU, agent, copy, cpu_of, kept, spawn, transcodes};

/// Makes and removes cgroups at full speed, as a user with one delegated cgroup may.
fn storm(folder: &Path, count: usize) {
    let long = "d".repeat(230);
    for number in 0..count {
        let path = folder.join(format!("{long}{number}"));
        fs::create_dir(&path).unwrap();
        fs::remove_dir(&path).unwrap();
    }
}

#[test]
fn a_storm_of_cgroups_takes_no_memory_and_nothing_from_others() {
    let agent = agent(&[]);
    let delegated = Cgroup::make("ffwatt-test/delegated").unwrap();
    let busy = Cgroup::make("ffwatt-test/beside").unwrap();
    let before = agent.wait_ticks(1).unwrap();
    let mut worker = Owned(busy.command("sh").args(["-c", "while :; do :; done"]).spawn().unwrap());
    // As many as in ten seconds, or a minute, on a machine that does 11,000 a second.
    let rounds = short_or_long(10, 60);
    let mut most = 0.0_f64;
    let mut kernel = Vec::new();
    for round in 0..rounds {
        storm(delegated.folder(), 11_000);
        // A job that starts and ends during the storm.
        let job = Cgroup::make(&format!("ffwatt-test/short-{round}")).unwrap();
        let burn = "i=0; while [ $i -lt 60000 ]; do i=$((i+1)); done";
        job.command("sh").args(["-c", burn]).spawn().unwrap().wait().unwrap();
        kernel.push((job.path.clone(), job.cpu_stat().unwrap().as_secs_f64()));
        job.remove().unwrap();
        let scrape = agent.scrape().unwrap();
        assert_closed(&scrape);
        most = most.max(scrape.sum("process_resident_memory_bytes", &[]).unwrap() / 1e6);
        for (what, limit) in [("cgroup", 20_000.0), ("workload", 4000.0), ("history", 2000.0)] {
            assert!(kept(&scrape, what) < limit, "{} of {what} are kept", kept(&scrape, what));
        }
    }
    worker.0.kill().unwrap();
    worker.0.wait().unwrap();
    let after = agent.wait_ticks(3).unwrap();
    assert_closed(&after);
    println!(
        "{} cgroups: {most:.1} MB at most, {} events lost, {} entries given up",
        rounds * 11_000,
        after.sum("ffwatt_lost_events_total", &[]).unwrap(),
        after.sum("ffwatt_evicted_total", &[]).unwrap()
    );
    assert!(most <= 60.0, "{most} MB resident");
    assert!(kept(&after, "workload") < kept(&before, "workload") + f64::from(rounds) + 100.0);
    let (seconds, ours) = (busy.cpu_stat().unwrap().as_secs_f64(), cpu_of(&after, &busy.path));
    assert!((ours / seconds - 1.0).abs() < 0.01, "beside it: kernel {seconds}, ffwatt {ours}");
    let names: f64 = kernel.iter().filter_map(|(path, _)| after.sum(CPU, &[("workload", path)])).sum();
    let numbers = after.all(CPU).filter(|sample| sample.label("workload").starts_with("cgroup "));
    let known = names + numbers.map(|sample| sample.value).sum::<f64>();
    let all: f64 = kernel.iter().map(|(_, seconds)| seconds).sum();
    assert!((known / all - 1.0).abs() < 0.05, "jobs in the midst of it: kernel {all}, ffwatt {known}");
}

/// Ends everything in a cgroup that is removed; the agent sleeps meanwhile, and its ring buffer is too small for the events.
#[test]
fn after_lost_events_what_ended_is_ended() {
    let folder = tempfile::tempdir().unwrap();
    let encoder = copy("/bin/sleep", folder.path(), "enc-lost");
    let agent = agent(&["--cpu.tracked=enc-lost", "--interval=500ms", "--attribution.keep-ended=10s"]);
    let mut ends = spawn(&encoder, &["1000"]);
    let mut stays = Owned(spawn(&encoder, &["1000"]));
    let removed = Cgroup::make("ffwatt-test/removed-unseen").unwrap();
    removed.command("true").spawn().unwrap().wait().unwrap();
    agent
        .until("both are known", |scrape| {
            let known = transcodes(scrape, "enc-lost").len() == 2;
            (known && scrape.sum(CPU, &[("workload", &removed.path)]).is_some()).then_some(())
        })
        .unwrap();
    agent.signal(Signal::STOP).unwrap();
    let flood = Cgroup::make("ffwatt-test/flood").unwrap();
    storm(flood.folder(), 8000);
    ends.kill().unwrap();
    ends.wait().unwrap();
    removed.remove().unwrap();
    let mut late = Owned(spawn(&encoder, &["1000"]));
    for number in 0..20 {
        let job = Cgroup::make(&format!("ffwatt-test/unseen-{number}")).unwrap();
        let burn = "i=0; while [ $i -lt 5000 ]; do i=$((i+1)); done";
        job.command("sh").args(["-c", burn]).spawn().unwrap().wait().unwrap();
        job.remove().unwrap();
    }
    agent.signal(Signal::CONT).unwrap();
    agent
        .until("the loss is counted", |scrape| {
            (scrape.sum("ffwatt_lost_events_total", &[])? > 0.0).then_some(())
        })
        .unwrap();
    let running = |scrape: &Exposition| {
        transcodes(scrape, "enc-lost").iter().filter(|(_, runs)| *runs).map(|(key, _)| key.clone()).collect()
    };
    let numbers = [stays.0.id(), late.0.id()];
    // Ten ticks are the five seconds.
    let after = agent.wait_ticks(10).unwrap();
    let mut keys: Vec<String> = running(&after);
    keys.retain(|key| !numbers.iter().any(|number| key.starts_with(&format!("{number}-"))));
    assert_eq!((keys, running(&after).len()), (Vec::<String>::new(), 2), "who runs");
    agent
        .until("ghosts and what was removed are gone", |scrape| {
            let is_ghost = |name: &str| name.starts_with("cgroup ") || name.contains("-unseen");
            let mut names = scrape.all(CPU).map(|sample| sample.label("workload").to_owned());
            (!names.any(|name| is_ghost(&name))).then_some(())
        })
        .unwrap();
    assert_closed(&agent.scrape().unwrap());
    for encoder in [&mut stays, &mut late] {
        encoder.0.kill().unwrap();
        encoder.0.wait().unwrap();
    }
    agent.until("both have ended", |scrape| running(scrape).is_empty().then_some(())).unwrap();
}
