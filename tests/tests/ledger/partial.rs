//! Tests transcodes that an agent does not observe from start to end: older than the agent, or running while it is restarted.

use std::time::Duration;

use rustix::process::Signal;
use tests::agent::Agent;
use tests::command::pause;
use tests::host::{CGROUPS, Host};

use crate::{agent, database, json, now, report, transcode, uptime};

const JOULE: u64 = 1_000_000;

/// Half a second of CPU time of the encoder alone, and 5 J.
fn work(host: &mut Host, agent: &Agent, birth: Duration, steps: u64) {
    let used = Duration::from_millis(500 * steps);
    agent.between_ticks(|| encode(host, birth, 500, used, JOULE + 5 * JOULE * steps)).unwrap();
    agent.wait_ticks(2).unwrap();
}

/// CPU time of the encoder alone in milliseconds, its total, and the counter's new value.
fn encode(host: &mut Host, birth: Duration, milliseconds: u64, used: Duration, counter: u64) {
    host.step(&[(CGROUPS[0], milliseconds)]).unwrap();
    host.encoder(4242, CGROUPS[0], birth, used).unwrap();
    host.set_energy("intel-rapl:0", counter).unwrap();
}

#[test]
fn a_transcode_older_than_the_agent_is_marked_and_has_no_mean_over_time_it_was_not_seen() {
    let (mut host, state) = (Host::client().unwrap(), tempfile::tempdir().unwrap());
    let _idling = host.idling().unwrap();
    let birth = uptime().saturating_sub(Duration::from_secs(30));
    host.encoder(4242, CGROUPS[0], birth, Duration::from_secs(20)).unwrap();
    let before = now();
    let agent = agent(&host, state.path(), &[]);
    let used = Duration::from_millis(20_500);
    agent.between_ticks(|| encode(&mut host, birth, 500, used, 6 * JOULE)).unwrap();
    agent.wait_ticks(2).unwrap();
    // It posts 900 frames of which 300 were encoded while it was observed; the energy of the first 600 is unknown.
    post(&agent, 600);
    agent.until("the first word", |_| transcode(&agent, 4242)?["frames"].as_u64()).unwrap();
    agent.wait_ticks(1).unwrap();
    let used = Duration::from_millis(21_100);
    agent.between_ticks(|| encode(&mut host, birth, 600, used, 12 * JOULE)).unwrap();
    agent.wait_ticks(2).unwrap();
    post(&agent, 900);
    agent
        .until("900 frames", |_| transcode(&agent, 4242)?["frames"].as_u64().filter(|frames| *frames == 900))
        .unwrap();
    agent.wait_ticks(1).unwrap();
    let one = transcode(&agent, 4242).unwrap();
    let from = one["observed_from_unix_seconds"].as_f64().unwrap();
    assert!(before <= from && from <= now(), "{one}");
    let missing = one["unobserved_seconds"].as_f64().unwrap();
    let started = one["started_unix_seconds"].as_f64().unwrap();
    assert!((missing - (from - started)).abs() < 0.01 && missing >= 30.0, "{one}");
    assert_eq!(one["energy_joules"], 11.0, "{one}");
    let per_frame = one["joules_per_frame"].as_f64().unwrap();
    assert!((per_frame - 6.0 / 300.0).abs() < 1e-9, "the frames that were seen, for what they took: {one}");
    for mean in ["cost_per_output_hour", "joules_per_vmaf_point"] {
        assert!(one[mean].is_null(), "{mean}: {one}");
    }
    let scrape = agent.scrape().unwrap();
    assert_eq!(scrape.sum("ffwatt_transcode_unobserved_seconds", &[]), Some(missing));
    host.end_encoder(4242).unwrap();
    agent
        .until("its row is written", |_| {
            let row = "SELECT energy, observed_from, unobserved, seen_frames, seen_energy FROM transcode WHERE state = 'ended'";
            let read = |row: &rusqlite::Row<'_>| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?))
            };
            let row: (u64, f64, f64, u64, u64) = database(state.path()).query_row(row, (), read).ok()?;
            assert_eq!((row.0, row.3, row.4), (11 * JOULE, 300, 6 * JOULE));
            ((row.1 - from).abs() < 1e-6 && (row.2 - missing).abs() < 1e-6).then_some(())
        })
        .unwrap();
    let text = String::from_utf8(report(state.path(), &["--by", "workload"]).stdout).unwrap();
    assert!(text.contains("did not observe 1 of 1 transcodes"), "{text}");
    let all = json(&report(state.path(), &["--by", "workload", "--json"]));
    assert_eq!(all[0]["partly_observed_transcodes"], 1, "{all}");
    let seconds = all[0]["seconds"].as_f64().unwrap();
    let observed = all[0]["observed_seconds"].as_f64().unwrap();
    assert!((seconds - observed - missing).abs() < 0.01, "{all}");
}

/// Posts one block of progress and closes.
fn post(agent: &Agent, frames: u64) {
    use std::io::{Read, Write};
    let body = format!("frame={frames}\nout_time_us={}\nprogress=continue\n", frames * 40_000);
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", agent.ports.main)).unwrap();
    let length = body.len();
    write!(
        stream,
        "POST /progress/4242 HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .unwrap();
    let mut answer = [0; 256];
    // The frames show whether the post was accepted.
    let _ = stream.read(&mut answer);
}

/// An encoder that runs while one agent ends, for a time without any, and while the next one starts.
fn outlives(signal: Signal) {
    let (mut host, state) = (Host::client().unwrap(), tempfile::tempdir().unwrap());
    let _idling = host.idling().unwrap();
    let first = agent(&host, state.path(), &[]);
    let birth = uptime();
    host.encoder(4242, CGROUPS[0], birth, Duration::ZERO).unwrap();
    first.wait_ticks(2).unwrap();
    work(&mut host, &first, birth, 1);
    work(&mut host, &first, birth, 2);
    let before = transcode(&first, 4242).unwrap();
    assert_eq!((&before["energy_joules"], &before["cpu_seconds"]), (&10.0.into(), &1.0.into()));
    first
        .until("it is in the ledger while it runs", |_| {
            let row = "SELECT energy FROM transcode WHERE state = 'running'";
            database(state.path())
                .query_row(row, (), |row| row.get(0))
                .ok()
                .filter(|energy: &u64| *energy == 10 * JOULE)
        })
        .unwrap();
    first.stop_by(signal).unwrap();
    let gone = now();
    // No agent observes this second and these 7 J.
    encode(&mut host, birth, 500, Duration::from_millis(1500), 18 * JOULE);
    pause(Duration::from_secs(1));
    let second = agent(&host, state.path(), &[]);
    let back = now();
    let used = Duration::from_secs(2);
    second.between_ticks(|| encode(&mut host, birth, 500, used, 23 * JOULE)).unwrap();
    second.wait_ticks(2).unwrap();
    let after = transcode(&second, 4242).unwrap();
    for same in ["transcode", "started_unix_seconds"] {
        assert_eq!(before[same], after[same], "{same}");
    }
    assert_eq!(after["energy_joules"], 15.0, "{after}");
    assert_eq!(after["cpu_seconds"], 1.5, "{after}");
    let missing = after["unobserved_seconds"].as_f64().unwrap();
    assert!(missing >= 1.0 && missing <= back - gone + 3.0, "{after}");
    assert!(after["observed_from_unix_seconds"].is_null(), "its start was observed: {after}");
    let scrape = second.scrape().unwrap();
    let key = after["transcode"].as_str().unwrap();
    let energy = scrape.sum("ffwatt_transcode_energy_joules_total", &[("transcode", key)]);
    assert_eq!(energy, Some(5.0), "counters are of this process of the agent");
    host.end_encoder(4242).unwrap();
    second
        .until("one row, whole but for the gap", |_| {
            let rows = "SELECT count(*), sum(energy), sum(cpu), max(unobserved) FROM transcode WHERE state = 'ended'";
            let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?));
            let row: (u64, u64, u64, f64) = database(state.path()).query_row(rows, (), read).ok()?;
            (row.0 == 1 && row.1 == 15 * JOULE && row.2 == 1_500_000_000 && row.3 >= 1.0).then_some(())
        })
        .unwrap();
    let all = json(&report(state.path(), &["--by", "codec", "--json"]));
    assert_eq!((&all[0]["transcodes"], &all[0]["energy_joules"]), (&1.into(), &15.0.into()), "{all}");
}

#[test]
fn a_transcode_outlives_an_agent_that_is_terminated() {
    outlives(Signal::TERM);
}

#[test]
fn a_transcode_outlives_an_agent_that_is_killed() {
    outlives(Signal::KILL);
}

#[test]
fn a_transcode_that_ended_without_an_agent_is_closed_with_what_is_known_and_said() {
    let (mut host, state) = (Host::client().unwrap(), tempfile::tempdir().unwrap());
    let _idling = host.idling().unwrap();
    let first = agent(&host, state.path(), &[]);
    let birth = uptime();
    host.encoder(4242, CGROUPS[0], birth, Duration::ZERO).unwrap();
    first.wait_ticks(2).unwrap();
    work(&mut host, &first, birth, 1);
    first.wait_ticks(3).unwrap();
    first.stop_by(Signal::KILL).unwrap();
    let running = String::from_utf8(report(state.path(), &["--by", "codec"]).stdout).unwrap();
    assert!(running.contains("running"), "{running}");
    // Its number is another encoder's by the time the next agent starts.
    host.encoder(4242, CGROUPS[1], birth + Duration::from_secs(1), Duration::ZERO).unwrap();
    let second = agent(&host, state.path(), &[]);
    second
        .until("it is closed, and the other is another", |_| {
            let states = "SELECT group_concat(state) FROM (SELECT state FROM transcode ORDER BY state)";
            let states: String = database(state.path()).query_row(states, (), |row| row.get(0)).ok()?;
            (states == "lost,running").then_some(())
        })
        .unwrap();
    assert!(transcode(&second, 4242).unwrap()["energy_joules"].is_null(), "no counter has moved yet");
    let all = json(&report(state.path(), &["--by", "codec", "--json"]));
    assert_eq!((&all[0]["transcodes"], &all[0]["energy_joules"]), (&1.into(), &5.0.into()), "{all}");
    assert_eq!(all[0]["partly_observed_transcodes"], 1, "{all}");
}
