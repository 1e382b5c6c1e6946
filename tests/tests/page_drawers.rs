//! Tests the rows, the drawers and the address of the live page in Debian's Chromium; the scenes are in `tests/page_drawers.mjs`.
//!
//! The real binary on a fixture host with forty encoders; some of them post progress.
//!
//! Run: alone (each test starts a browser). Pictures stay in `target/page`.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use tests::agent::Agent;
use tests::browser;
use tests::command::{Ends, eventually, pause};
use tests::host::{CGROUPS, Host};

/// Process numbers of the encoders that run, and of those that end before the scene.
const RUNNING: std::ops::Range<u32> = 5000..5024;
const FINISHED: std::ops::Range<u32> = 6000..6016;

/// The encoder that posts progress; the others post nothing.
const POSTS: u32 = 5007;

/// Rounds after which the encoders of [`FINISHED`] end: several ticks.
const LAST_ROUND: u64 = 20;

/// Time since the host's start, on which the processes of the fixture host begin.
fn uptime() -> Duration {
    let text = fs::read_to_string("/proc/uptime").unwrap();
    Duration::from_secs_f64(text.split(' ').next().unwrap().parse().unwrap())
}

/// A round of all encoders, which began at `birth`.
fn work(host: &mut Host, birth: Duration, round: u64) {
    let mut milliseconds = [0; 2];
    let finished = if round > LAST_ROUND { 0..0 } else { FINISHED };
    for pid in RUNNING.chain(finished) {
        let place = pid as usize % 2;
        // Different figures for each.
        let each = 4 + u64::from(pid % 100) / 4;
        milliseconds[place] += each;
        let used = Duration::from_millis(each * round);
        host.encoder(pid, CGROUPS[place], birth, used).unwrap();
    }
    host.step(&[(CGROUPS[0], milliseconds[0]), (CGROUPS[1], milliseconds[1])]).unwrap();
    host.set_energy("intel-rapl:0", 50_000_000 + 4_000_000 * round).unwrap();
}

/// Posts progress over one connection, until the flag is set.
fn post(port: u16, is_over: &AtomicBool) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let head =
        format!("POST /progress/{POSTS} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 10000000\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    for block in 1_u64.. {
        if is_over.load(Ordering::Relaxed) {
            return;
        }
        let (frames, microseconds) = (15 * block, 500_000 * block);
        let text = format!(
            "frame={frames}\nfps=30.0\nbitrate=1200.5kbits/s\nout_time_us={microseconds}\ndup_frames=0\ndrop_frames=3\nspeed=1.01x\n\
             progress=continue\n"
        );
        // The agent may have ended.
        if stream.write_all(text.as_bytes()).is_err() {
            return;
        }
        pause(Duration::from_millis(500));
    }
}

/// Plays a scene beside forty encoders, of which sixteen have finished.
fn play(scene: &str) {
    let mut host = Host::client().unwrap();
    let fixed = ["--energy.source=powercap", "--attribution.keep-ended=1h"].map(str::to_owned);
    let flags = [host.flags(), fixed.to_vec()].concat();
    let agent = Agent::start(&flags.iter().map(String::as_str).collect::<Vec<_>>()).unwrap();
    agent.wait_ticks(1).unwrap();
    let birth = uptime();
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let _ends = Ends(&is_over);
        scope.spawn(|| {
            for round in 1_u64.. {
                work(&mut host, birth, round);
                if round == LAST_ROUND {
                    FINISHED.for_each(|pid| host.end_encoder(pid).unwrap());
                }
                if is_over.load(Ordering::Relaxed) {
                    return;
                }
                pause(Duration::from_millis(200));
            }
        });
        let count = |is_running: &str| {
            let path = format!("/api/v1/transcodes?per_page=1&running={is_running}");
            let answer = tests::http::get(agent.ports.main, &path).unwrap().text();
            serde_json::from_str::<serde_json::Value>(&answer).unwrap()["total"].as_u64()
        };
        let expected =
            (Some(u64::from(RUNNING.end - RUNNING.start)), Some(u64::from(FINISHED.end - FINISHED.start)));
        eventually("all encoders are known", Duration::from_mins(1), || {
            ((count("true"), count("false")) == expected).then_some(())
        })
        .unwrap();
        scope.spawn(|| post(agent.ports.main, &is_over));
        browser::play("page_drawers.mjs", scene, agent.ports.main, |_| {}).unwrap();
    });
}

#[test]
fn a_table_shows_its_first_rows_and_folds_finished_encodes() {
    play("rows");
}

#[test]
fn the_address_keeps_the_view() {
    play("address");
}

#[test]
fn a_drawer_has_every_figure_of_an_encode_or_a_workload() {
    play("drawers");
}

#[test]
fn the_host_has_its_history_and_one_cost_and_the_documentation_is_rendered() {
    play("host");
}

#[test]
fn a_time_without_figures_is_a_gap_in_the_charts() {
    play("gaps");
}

#[test]
fn a_colour_depends_on_the_name_and_a_table_has_one_scale() {
    play("colours");
}

#[test]
fn a_phone_shows_cards_and_scrolls_down_only() {
    play("cards");
}
