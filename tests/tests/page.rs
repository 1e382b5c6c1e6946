//! Tests the live page of a real agent in Debian's Chromium; the scenes are in tests/page.mjs. Needs root.
//!
//! Run: alone (each test starts a browser, and one an engine). Pictures stay in `target/page`.

#![allow(
    clippy::unwrap_used,
    clippy::float_cmp,
    reason = "a test may panic, and means equal when it says equal"
)]

use std::fs;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use tests::agent::{Agent, binary};
use tests::command::{Ends, Owned, eventually, output, pause};
use tests::engine::Engine;
use tests::host::Host;
use tests::{browser, ffmpeg, http, image, motion};

fn play(scene: &str, port: u16, act: impl FnMut(&str)) {
    browser::play("page.mjs", scene, port, act).unwrap();
}

fn flags(host: &Host) -> Vec<String> {
    host.flags()
}

/// A live encode in a container, which posts its progress.
fn encode(engine: &Engine, agent: &Agent, name: &str, options: &[&str], how: &[&str]) {
    let url = format!("http://127.0.0.1:{}/progress/{name}", agent.ports.main);
    let run = ["run", "--detach", "--network=host", "--name", name];
    let what = ["encoder:1", "ffmpeg", "-nostdin", "-y", "-v", "error", "-progress", &url];
    engine.run(&[&run[..], options, &what, how].concat()).unwrap();
}

fn agent(engine: &Engine, flags: &[&str]) -> Agent {
    let socket = engine.socket().to_str().unwrap().to_owned();
    let own = ["--energy.source=model", "--containers.docker-socket", &socket, "--containers.podman-socket="];
    let agent = Agent::start(&[&own[..], flags].concat()).unwrap();
    agent.wait_for_docker().unwrap();
    agent
}

const SOURCE: [&str; 5] = ["-re", "-f", "lavfi", "-i", "testsrc2=size=640x360:rate=30"];

#[test]
fn real_encodes_are_shown_as_the_metrics_have_them() {
    let engine = Engine::start_private().unwrap();
    image::make(&engine, "encoder:1").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let quality = format!("--quality.ffmpeg={}", ffmpeg::with_vmaf().unwrap());
    let results = format!("--results-dir={}", path("results"));
    let agent = agent(&engine, &[&results, &quality]);
    // A run of scenarios, compared with each other.
    let scenario = |name: &str, encoder: &str, preset: &str, bitrate: &str| {
        serde_json::json!({"type": "single", "name": name, "encoder": encoder, "preset": preset, "bitrate": bitrate,
            "resolution": "640x360", "fps": 30, "duration": 4})
    };
    let batch = serde_json::json!([
        scenario("x264 veryfast 300k", "libx264", "veryfast", "300k"),
        scenario("x264 slow 300k", "libx264", "slow", "300k"),
        scenario("x264 fast 900k", "libx264", "fast", "900k"),
        scenario("x265 fast 300k", "libx265", "fast", "300k"),
    ]);
    fs::write(path("batch.json"), batch.to_string()).unwrap();
    let state = format!("--state-dir={}", path("state"));
    let bench = [
        "bench",
        "--no-agent",
        "batch",
        "--file",
        &path("batch.json"),
        "--quality",
        &results,
        &quality,
        &state,
    ];
    output(tests::agent::command().unwrap().args(bench)).unwrap();
    // Live encodes, and one that has finished and has scores.
    let live = |name: &str, how: &[&str]| encode(&engine, &agent, name, &[], &[&SOURCE[..], how].concat());
    live("live-h264", &["-c:v", "libx264", "-preset", "veryfast", "-f", "null", "-"]);
    live("live-hevc", &["-c:v", "libx265", "-preset", "ultrafast", "-f", "null", "-"]);
    let ladder = ["-filter_complex", "[0:v]split=2[a][b];[b]scale=320x180[c]", "-map", "[a]", "-map", "[c]"];
    live(
        "live-ladder",
        &[&ladder[..], &["-c:v", "libx264", "-preset", "superfast", "-f", "null", "-"]].concat(),
    );
    let source = "testsrc2=size=640x360:rate=25:duration=8";
    ffmpeg::run(&["-f", "lavfi", "-i", source, "-c:v", "ffv1", &path("film.mkv")]).unwrap();
    let mount = format!("{0}:{0}", folder.path().display());
    let labels = [("reference", "film.mkv"), ("output", "film.mp4")];
    let labels = labels.map(|(label, file)| format!("ffwatt.{label}={}", path(file)));
    let options = ["--volume", &mount, "--label", &labels[0], "--label", &labels[1]];
    let how = ["-i", &path("film.mkv"), "-c:v", "libx264", "-b:v", "400k", &path("film.mp4")];
    encode(&engine, &agent, "vod-film", &options, &how);
    play("real", agent.ports.main, |_| {});
    if std::env::var_os("FFWATT_MOTION").is_some() {
        let extra = ["live-av1", "live-mobile"];
        motion::record(agent.ports.main, |asked| match asked {
            "begin" => {
                live(extra[0], &["-c:v", "libsvtav1", "-preset", "10", "-f", "null", "-"]);
                live(extra[1], &["-c:v", "libx264", "-preset", "medium", "-s", "426x240", "-f", "null", "-"]);
            }
            "end" => {
                engine.run(&["stop", "--time=1", extra[0]]).unwrap();
            }
            other => panic!("the scene asks for {other:?}"),
        })
        .unwrap();
    }
}

#[test]
fn three_hundred_containers_can_be_sorted_and_filtered() {
    let mut host = Host::client().unwrap();
    let cgroups: Vec<String> = (0..300_u64)
        .map(|number| {
            // Ids look random, and so do their prefixes.
            let beginning = (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            format!("system.slice/docker-{beginning:016x}{:048x}.scope", 0)
        })
        .collect();
    let use_cpu = |host: &Host, each: usize| {
        for (number, cgroup) in cgroups.iter().enumerate() {
            let text = format!("usage_usec {}\n", number * each);
            host.write(&format!("cgroup/{cgroup}/cpu.stat"), &text).unwrap();
        }
    };
    use_cpu(&host, 0);
    let flags = flags(&host);
    let agent = Agent::start(&flags.iter().map(String::as_str).collect::<Vec<_>>()).unwrap();
    agent.wait_ticks(1).unwrap();
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        // The power of counters that stand still is unknown.
        scope.spawn(|| {
            for round in 1_u64.. {
                use_cpu(&host, 100 * round as usize);
                host.step(&[]).unwrap();
                host.set_energy("intel-rapl:0", 50_000_000 + 5_000_000 * round).unwrap();
                if is_over.load(Ordering::Relaxed) {
                    return;
                }
                pause(Duration::from_millis(100));
            }
        });
        let _ends = Ends(&is_over);
        agent.wait_ticks(3).unwrap();
        play("many", agent.ports.main, |_| {});
    });
}

#[test]
fn a_name_full_of_markup_is_text() {
    let host = Host::client().unwrap();
    let use_cpu = |microseconds: u64| {
        let path = "cgroup/<img src=x onerror=window.hacked=1>&quot;<b>/cpu.stat";
        host.write(path, &format!("usage_usec {microseconds}\n")).unwrap();
    };
    use_cpu(0);
    let flags = flags(&host);
    let agent = Agent::start(&flags.iter().map(String::as_str).collect::<Vec<_>>()).unwrap();
    agent.wait_ticks(1).unwrap();
    use_cpu(500_000);
    agent.wait_ticks(2).unwrap();
    play("text", agent.ports.main, |_| {});
}

#[test]
fn a_lost_connection_is_said_and_comes_back() {
    let host = Host::client().unwrap();
    let flags = flags(&host);
    let first = Agent::start(&flags.iter().map(String::as_str).collect::<Vec<_>>()).unwrap();
    let port = first.ports.main;
    let again = format!("--listen.port={port}");
    let (mut first, mut second) = (Some(first), None);
    play("lost", port, |asked| match asked {
        "end" => drop(first.take().map(|agent| agent.stop().unwrap())),
        "begin" => {
            let flags: Vec<&str> = flags.iter().map(String::as_str).chain([&*again]).collect();
            second = Some(Agent::spawn(&binary().unwrap(), &flags, &[]).unwrap());
            let is_ready = || http::get(port, "/ready").is_ok_and(|answer| answer.status == 200);
            eventually("it is back", Duration::from_secs(30), || is_ready().then_some(())).unwrap();
        }
        other => panic!("the scene asks for {other:?}"),
    });
}

/// The kernel may block a thread that reads a file: here a pipe without a writer.
#[test]
fn an_agent_whose_figures_have_stopped_is_shown_as_stale() {
    let host = Host::client().unwrap();
    let container = "cgroup/system.slice/docker-7.scope/cpu.stat";
    host.write(container, "usage_usec 0\n").unwrap();
    let flags = flags(&host);
    let agent = Agent::start(&flags.iter().map(String::as_str).collect::<Vec<_>>()).unwrap();
    agent.wait_ticks(2).unwrap();
    play("stale", agent.ports.main, |asked| {
        assert_eq!(asked, "stop");
        let pipe = host.path(container);
        fs::remove_file(&pipe).unwrap();
        output(Command::new("mkfifo").arg(&pipe)).unwrap();
    });
}

#[test]
fn encodes_that_fall_behind_have_one_notice() {
    let agent = Agent::start(&[
        "--energy.source=model",
        "--containers.docker-socket=",
        "--containers.podman-socket=",
    ]);
    let agent = agent.unwrap();
    let live = |name: &str, rate: &str| {
        let url = format!("http://127.0.0.1:{}/progress/{name}", agent.ports.main);
        let mut encode = Command::new("ffmpeg");
        encode.args(["-nostdin", "-v", "error", "-progress", &url, "-readrate", rate, "-f", "lavfi"]);
        encode.args(["-i", "testsrc2=size=128x72:rate=25", "-c:v", "mpeg4", "-f", "null", "-"]);
        Owned(encode.stdin(Stdio::null()).spawn().unwrap())
    };
    let _encodes = [live("slow", "0.5"), live("slower", "0.4"), live("steady", "1")];
    play("behind", agent.ports.main, |_| {});
}
