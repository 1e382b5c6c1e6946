//! Tests progress and joules per frame of running encodes: real ffmpegs post, some of them in a container. Needs root.
//!
//! Run: alone (one test starts an engine of its own).

#![allow(
    clippy::unwrap_used,
    clippy::float_cmp,
    reason = "a test may panic, and means equal when it says equal"
)]

mod networks;
mod posts;

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tests::agent::Agent;
use tests::command::{Owned, eventually, output};
use tests::exposition::Exposition;

const FRAMES: &str = "ffwatt_transcode_frames_total";
const ENERGY: &str = "ffwatt_transcode_energy_joules_total";
const PER_FRAME: &str = "ffwatt_transcode_joules_per_frame";

/// No buffering: the posted frames are the encoded ones.
const LIVE: [&str; 9] = ["-c:v", "libx264", "-preset", "veryfast", "-tune", "zerolatency", "-f", "null", "-"];

fn agent(flags: &[&str]) -> Agent {
    let own = [
        "--energy.source=model",
        "--containers.docker-socket=",
        "--containers.podman-socket=",
        "--interval=500ms",
    ];
    Agent::start(&[&own[..], flags].concat()).unwrap()
}

/// A live encode of this many seconds that posts to this path.
fn encode(agent: &Agent, path: &str, size: &str, seconds: u32) -> Owned {
    let url = format!("http://127.0.0.1:{}{path}", agent.ports.main);
    let (source, length) = (format!("testsrc2=size={size}:rate=30"), seconds.to_string());
    let mut command = Command::new("ffmpeg");
    command
        .args(["-nostdin", "-v", "error", "-progress", &url, "-re", "-f", "lavfi"])
        .args(["-i", &source, "-t", &length])
        .args(LIVE)
        .stdin(Stdio::null());
    Owned(command.spawn().unwrap())
}

/// The key of the transcode that this process is.
fn key(scrape: &Exposition, child: &Child) -> Option<String> {
    let prefix = format!("{}-", child.id());
    let mut all = scrape.find(ENERGY, &[]).map(|sample| sample.label("transcode").to_owned());
    all.find(|key| key.starts_with(&prefix))
}

fn of(scrape: &Exposition, metric: &str, key: &str) -> Option<f64> {
    scrape.sum(metric, &[("transcode", key)])
}

/// Frames and energy of a transcode's row, once it has ended.
fn row(agent: &Agent, key: &str) -> (f64, f64) {
    let database = agent.state_dir().join("ledger.db");
    let script = "import sqlite3, sys\n\
                  row = sqlite3.connect(sys.argv[1]).execute('SELECT frames, energy FROM transcode WHERE key = ?', [sys.argv[2]]).fetchone()\n\
                  print(row[0] or 0, row[1]) if row else None";
    eventually("the row is written", Duration::from_secs(30), || {
        let mut command = Command::new(std::env::var_os("FFWATT_PYTHON").unwrap_or("python3".into()));
        let text = output(command.args(["-c", script]).arg(&database).arg(key)).ok()?;
        let (frames, energy) = text.trim().split_once(' ')?;
        Some((frames.parse().ok()?, energy.parse::<f64>().ok()? / 1e6))
    })
    .unwrap()
}

#[test]
fn joules_a_frame_while_it_runs_are_those_of_its_row() {
    let agent = agent(&[]);
    // Large enough that a process's own cost, at its end, is small.
    let mut child = encode(&agent, "/progress/any", "1280x720", 20);
    let mut live = None;
    let status = eventually("the encode ends", Duration::from_secs(90), || {
        let scrape = agent.scrape().ok()?;
        if let Some(key) = key(&scrape, &child.0)
            && of(&scrape, "ffwatt_transcode_running", &key) == Some(1.0)
            && let (Some(figure), Some(frames)) = (of(&scrape, PER_FRAME, &key), of(&scrape, FRAMES, &key))
        {
            assert!(
                of(&scrape, "ffwatt_transcode_joules_per_output_second", &key)
                    .is_some_and(|figure| figure > 0.0)
            );
            let speed = of(&scrape, "ffwatt_transcode_speed_ratio", &key);
            live = Some((key, figure, frames, speed));
        }
        child.0.try_wait().unwrap()
    })
    .unwrap();
    assert!(status.success());
    let (key, figure, frames, speed) = live.unwrap();
    assert!(frames > 500.0, "the last that was seen live is of its last seconds: {frames}");
    assert!(speed.is_some_and(|speed| (0.5..1.5).contains(&speed)), "{speed:?}");
    let last = agent
        .until("all of it is told", |scrape| {
            (of(scrape, "ffwatt_transcode_running", &key) == Some(0.0)
                && of(scrape, FRAMES, &key) == Some(600.0))
            .then(|| scrape.clone())
        })
        .unwrap();
    for metric in ["ffwatt_transcode_dropped_frames_total", "ffwatt_transcode_duplicated_frames_total"] {
        assert_eq!(of(&last, metric, &key), Some(0.0), "{metric}");
    }
    agent.wait_ticks(4).unwrap();
    let (frames, energy) = row(&agent, &key);
    assert_eq!(frames, 600.0, "every frame is in the ledger");
    let finally = energy / frames;
    let error = (figure - finally).abs() / finally;
    assert!(error < 0.01, "live {figure} J, finally {finally} J a frame: {:.2} % apart", error * 100.0);
}

#[test]
fn who_does_not_post_has_no_frames_and_who_stops_is_stalled() {
    let agent = agent(&[]);
    let mut silent = Command::new("ffmpeg");
    silent.args(["-nostdin", "-v", "error", "-re", "-f", "lavfi", "-i", "testsrc2=size=160x120:rate=30"]);
    let silent = Owned(silent.args(LIVE).stdin(Stdio::null()).spawn().unwrap());
    let posting = encode(&agent, "/progress", "320x240", 600);
    let (key_of_silent, key_of_posting) = agent
        .until("both are there, and one has frames", |scrape| {
            let keys = (key(scrape, &silent.0)?, key(scrape, &posting.0)?);
            of(scrape, FRAMES, &keys.1).filter(|frames| *frames > 0.0).map(|_| keys)
        })
        .unwrap();
    let keeps_up = |scrape: &Exposition| of(scrape, "ffwatt_transcode_stalled", &key_of_posting) == Some(0.0);
    let scrape = agent.until("it keeps up", |scrape| keeps_up(scrape).then(|| scrape.clone())).unwrap();
    for metric in [FRAMES, PER_FRAME, "ffwatt_transcode_speed_ratio", "ffwatt_transcode_stalled"] {
        assert_eq!(of(&scrape, metric, &key_of_silent), None, "{metric} of who does not post");
    }
    assert_eq!(scrape.sum("ffwatt_progress_posts", &[("state", "matched")]), Some(1.0));
    let pid = rustix::process::Pid::from_raw(i32::try_from(posting.0.id()).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::STOP).unwrap();
    agent
        .until("it is stalled", |scrape| {
            (of(scrape, "ffwatt_transcode_stalled", &key_of_posting) == Some(1.0)
                && of(scrape, "ffwatt_transcode_speed_ratio", &key_of_posting) == Some(0.0))
            .then_some(())
        })
        .unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::CONT).unwrap();
    agent.until("it goes on", |scrape| keeps_up(scrape).then_some(())).unwrap();
}
