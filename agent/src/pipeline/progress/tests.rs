//! Tests of speed, stalls, and the energy at the time of the last progress block.

use std::sync::Arc;

use agent_core::model::account::ZoneCharges;
use agent_core::model::cpu::ProcessId;
use agent_core::model::transcode::{Encode, TranscodeIdentity};
use agent_core::model::workload::Pseudo;
use agent_core::model::written::WrittenPaths;
use agent_core::time::WallTime;

use super::*;

const START: MonoTime = MonoTime(1_000_000_000_000);

fn at(seconds: f64) -> MonoTime {
    START.plus(Duration::from_secs_f64(seconds))
}

fn transcode(is_live: bool) -> Transcode {
    let encode = Arc::new(Encode { is_live, ..Encode::default() });
    Transcode {
        identity: TranscodeIdentity { key: "7-1000".into(), encode, written: WrittenPaths::default() },
        workload: Pseudo::System.id(),
        process: ProcessId(7),
        local: Some(ProcessId(7)),
        start_time: None,
        started: WallTime(1000.0),
        noticed: START,
        ended: None,
        exit: None,
        consumers: Vec::new(),
        observation: agent_core::model::transcode::Observation::default(),
    }
}

fn block(frames: u64, output_seconds: f64) -> Block {
    let output_time = Some(Duration::from_secs_f64(output_seconds));
    Block { frames: Some(frames), output_time, speed: Some(0.5), ..Block::default() }
}

/// An account of this many joules, one of them in the last window.
fn account(joules: u64) -> Account {
    let charges = ZoneCharges { dynamic: MicroJoules(joules * 1_000_000), ..ZoneCharges::default() };
    Account { zones: vec![charges], window_energy: MicroJoules(1_000_000), ..Account::default() }
}

/// Posts twice a second from `from` to `to` at this speed; returns the resulting progress.
fn run(live: &mut Live, transcode: &Transcode, (from, to): (f64, f64), out: impl Fn(f64) -> f64) -> Progress {
    let mut now = from;
    while now <= to {
        live.hear(0, block((out(now) * 30.0) as u64, out(now)), at(now));
        now += 0.5;
    }
    settle(live, transcode, to)
}

fn settle(live: &mut Live, transcode: &Transcode, now: f64) -> Progress {
    let account = account(10);
    live.settle(transcode, &account, account.energy(|_| true), (at(now - 1.0), at(now)));
    live.shown.clone().unwrap()
}

#[test]
fn energy_is_that_of_the_moment_of_the_last_word() {
    let mut live = Live::new(0, START);
    live.hear(0, block(100, 3.0), at(4.75));
    let shown = settle(&mut live, &transcode(false), 5.0);
    assert_eq!(shown.energy, MicroJoules(9_750_000), "a quarter of the last second's joule came later");
    let shown = settle(&mut live, &transcode(false), 6.0);
    assert_eq!(shown.energy, MicroJoules(9_750_000), "and with no new word it stays");
    let ended = Transcode { ended: Some(WallTime(1006.0)), ..transcode(false) };
    assert_eq!(settle(&mut live, &ended, 7.0).energy, MicroJoules(10_000_000), "at the end all of it");
}

#[test]
fn speed_is_that_of_the_last_ten_seconds() {
    let mut live = Live::new(0, START);
    // The encoder buffers two seconds: there is no output at first, and then it keeps up.
    let early = run(&mut live, &transcode(true), (0.5, 2.5), |now| (now - 2.0).max(0.0));
    assert_eq!((early.speed, early.is_stalled), (None, Some(false)));
    let steady = run(&mut live, &transcode(true), (3.0, 30.0), |now| now - 2.0);
    assert!((steady.speed.unwrap().0 - 1.0).abs() < 1e-9);
    assert_eq!(steady.is_stalled, Some(false));
    let slow = run(&mut live, &transcode(true), (30.5, 45.0), |now| 28.0 + (now - 30.0) / 2.0);
    assert!((slow.speed.unwrap().0 - 0.5).abs() < 1e-9, "what was before is over: {:?}", slow.speed);
    assert_eq!(slow.is_stalled, Some(true));
    assert_eq!(settle(&mut live, &transcode(false), 45.5).is_stalled, None, "a file waits");
}

#[test]
fn who_says_nothing_any_more_stands_still() {
    let mut live = Live::new(0, START);
    run(&mut live, &transcode(true), (0.5, 20.0), |now| now);
    let shown = settle(&mut live, &transcode(true), 24.0);
    assert_eq!((shown.is_stalled, shown.silent), (Some(false), Duration::from_secs(4)));
    let shown = settle(&mut live, &transcode(true), 26.0);
    assert_eq!((shown.speed, shown.is_stalled), (Some(Ratio(0.0)), Some(true)));
}

#[test]
fn at_the_end_speed_is_that_of_the_whole_run() {
    let mut live = Live::new(0, START);
    run(&mut live, &transcode(true), (0.5, 20.0), |now| now);
    live.hear(0, Block { is_end: true, ..block(600, 20.0) }, at(20.1));
    let shown = settle(&mut live, &transcode(true), 21.0);
    assert_eq!((shown.speed, shown.is_stalled), (Some(Ratio(0.5)), None));
}
