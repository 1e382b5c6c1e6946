//! Tests progress and joules per frame of running encodes: real ffmpegs post, one of them in a container. Needs root.
//!
//! Run: alone (one test starts an engine of its own).

#![allow(
    clippy::unwrap_used,
    clippy::float_cmp,
    reason = "a test may panic, and means equal when it says equal"
)]

use std::fs::File;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tests::agent::Agent;
use tests::command::{Owned, eventually, output};
use tests::engine::Engine;
use tests::exposition::Exposition;
use tests::http::request;
use tests::image;

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

/// Sends a post by hand; returns the answer.
fn post(port: u16, path: &str, body: &[u8]) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    write!(
        stream,
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 1000000\r\n\r\n"
    )
    .unwrap();
    // Repeatedly, until there is an answer: it may be refused before all of it is sent.
    let mut answer = Vec::new();
    stream.set_nonblocking(false).unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    eventually("an answer", Duration::from_secs(20), || {
        let _ = stream.write_all(body);
        let mut buffer = [0; 4096];
        match stream.read(&mut buffer) {
            Ok(0) => return Some(()),
            Ok(length) => answer.extend_from_slice(&buffer[..length]),
            Err(_) => {}
        }
        answer.windows(4).any(|window| window == b"\r\n\r\n").then_some(())
    })
    .unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn what_is_no_progress_or_nobodys_is_refused_in_words() {
    let agent = agent(&[]);
    let block = b"frame=1\nprogress=continue\n";
    let unknown = post(agent.ports.main, "/progress/nobody", block);
    assert!(unknown.starts_with("HTTP/1.1 404") && unknown.contains("no running transcode"), "{unknown}");
    let long = post(agent.ports.main, "/progress/nobody", &[b'x'; 2000]);
    assert!(long.starts_with("HTTP/1.1 400") && long.contains("no output of ffmpeg"), "{long}");
    let id = "x".repeat(300);
    assert!(post(agent.ports.main, &format!("/progress/{id}"), block).starts_with("HTTP/1.1 414"));
    // Each line is written before its answer.
    let log = agent.log();
    for (answer, reason, way_out) in [
        (&unknown, "no running transcode", "post from the encoder itself"),
        (&long, "a line has more than 512 bytes", "post what ffmpeg -progress URL writes"),
    ] {
        assert!(answer.contains(reason) && answer.contains(way_out), "{answer}");
        let is_told = |line: &str| {
            line.contains("a progress post from 127.0.0.1") && line.contains(reason) && line.contains(way_out)
        };
        assert!(log.lines().any(is_told), "{log}");
    }
    assert!(log.contains("has more than 256 bytes") && !log.contains(&id), "the id may be a secret: {log}");
    agent
        .until("they are counted", |scrape| {
            scrape.sum("ffwatt_progress_refused_total", &[]).filter(|count| *count >= 1.0)
        })
        .unwrap();
    // The other listeners have no such path.
    assert!(post(agent.ports.rapl, "/progress/nobody", block).starts_with("HTTP/1.1 404"));
}

/// Not root, and not each other.
const USER: u32 = 64_001;
const STRANGER: u32 = 64_002;

/// A live encode of `USER` that posts nothing.
fn silent_encode() -> Owned {
    let mut command = Command::new("ffmpeg");
    command
        .args(["-nostdin", "-v", "error", "-re", "-f", "lavfi", "-i", "testsrc2=size=160x120:rate=5"])
        .args(LIVE)
        .stdin(Stdio::null())
        .uid(USER);
    Owned(command.spawn().unwrap())
}

/// A block of this many frames.
fn block(frames: u32) -> String {
    format!("frame={frames}\nprogress=continue\n")
}

/// A whole post for a process by this user; returns the status.
fn post_as(user: u32, port: u16, process: u32, frames: u32) -> String {
    let mut curl = Command::new("curl");
    curl.args([
        "--silent",
        "--output",
        "/dev/null",
        "--write-out",
        "%{http_code}",
        "--data-binary",
        &block(frames),
    ])
    .arg(format!("http://127.0.0.1:{port}/progress/{process}"))
    .uid(user);
    output(&mut curl).unwrap()
}

/// The frames of a process's transcode.
fn frames(agent: &Agent, child: &Child) -> Option<f64> {
    let scrape = agent.scrape().unwrap();
    of(&scrape, FRAMES, &key(&scrape, child)?)
}

fn await_frames(agent: &Agent, child: &Child, count: f64) {
    let is_there = || (frames(agent, child) == Some(count)).then_some(());
    eventually(&format!("{count} frames"), Duration::from_secs(30), is_there).unwrap();
}

#[test]
fn an_encode_is_spoken_for_by_its_own_user_and_by_one_connection() {
    let agent = agent(&[]);
    let port = agent.ports.main;
    let encode = silent_encode();
    let process = encode.0.id();
    agent.until("the encode is known", |scrape| key(scrape, &encode.0)).unwrap();
    assert_eq!(post_as(STRANGER, port, process, 1), "404", "another user's process number");
    let path = format!("/progress/{process}");
    for header in [
        ("Origin", "https://evil.example"),
        ("Sec-Fetch-Site", "cross-site"),
        ("Sec-Fetch-Site", "same-site"),
    ] {
        let answer = request(port, "POST", &path, &[header, ("Content-Length", "0")]).unwrap();
        assert!(answer.status == 403 && answer.text().contains("another origin"), "{}", answer.text());
    }
    assert_eq!(frames(&agent, &encode.0), None);
    // The user's own program may post, and keeps the transcode as long as it is connected.
    let url = format!("http://127.0.0.1:{port}{path}");
    let mut relay = Command::new("curl");
    relay.args(["--silent", "--no-buffer", "--request", "POST", "--upload-file", "-", &url]).uid(USER);
    let mut relay = Owned(relay.stdin(Stdio::piped()).spawn().unwrap());
    relay.0.stdin.as_mut().unwrap().write_all(block(2).as_bytes()).unwrap();
    await_frames(&agent, &encode.0, 2.0);
    assert_eq!(post_as(USER, port, process, 3), "409", "it is taken");
    assert_eq!(post_as(STRANGER, port, process, 4), "404");
    relay.0.stdin.as_mut().unwrap().write_all(block(5).as_bytes()).unwrap();
    await_frames(&agent, &encode.0, 5.0);
    drop(relay);
    // Root may post for all users.
    assert_eq!(post_as(0, port, process, 6), "204");
    await_frames(&agent, &encode.0, 6.0);
}

#[test]
fn silent_posts_shut_nobody_out() {
    let agent = agent(&[]);
    let encode = silent_encode();
    agent.until("the encode is known", |scrape| key(scrape, &encode.0)).unwrap();
    // As many as may wait at once, and then as many again.
    let silent = |number: u32| {
        let mut stream = TcpStream::connect(("127.0.0.1", agent.ports.main)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        write!(
            stream,
            "POST /progress/nobody{number} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        .unwrap();
        stream
    };
    let held: Vec<TcpStream> = (0..400).map(silent).collect();
    assert_eq!(post_as(USER, agent.ports.main, encode.0.id(), 7), "204");
    await_frames(&agent, &encode.0, 7.0);
    for mut stream in held {
        let mut answer = [0; 12];
        stream.read_exact(&mut answer).unwrap();
        let answer = String::from_utf8_lossy(&answer);
        // Unknown, or displaced by later connections.
        assert!(["HTTP/1.1 404", "HTTP/1.1 503"].contains(&&*answer), "{answer}");
    }
}

#[test]
fn one_in_a_container_posts_by_the_hosts_network_and_by_its_name() {
    let engine = Engine::start_private().unwrap();
    image::make(&engine, "encoder:1").unwrap();
    let socket = engine.socket().to_str().unwrap().to_owned();
    let agent = Agent::start(&[
        "--cpu.source=bpf",
        "--energy.source=model",
        "--containers.docker-socket",
        &socket,
        "--containers.podman-socket=",
    ])
    .unwrap();
    agent
        .until("the engine is known", |scrape| {
            scrape.sum("ffwatt_source_up", &[("source", "docker")]).filter(|up| *up == 1.0)
        })
        .unwrap();
    let start = |name: &str, id: &str| {
        let url = format!("http://127.0.0.1:{}/progress/{id}", agent.ports.main);
        let run = [
            "run",
            "--detach",
            "--network=host",
            "--name",
            name,
            "encoder:1",
            "ffmpeg",
            "-nostdin",
            "-v",
            "error",
        ];
        let what =
            ["-progress", &url, "-re", "-f", "lavfi", "-i", "testsrc2=size=320x240:rate=30", "-t", "300"];
        engine.run(&[&run[..], &what, &LIVE].concat()).unwrap();
    };
    start("live-1", "live-1");
    start("live-2", "anything");
    for name in ["live-1", "live-2"] {
        let per_frame = |scrape: &Exposition| {
            let labels = [("workload", name)];
            scrape.sum(FRAMES, &labels).filter(|frames| *frames > 30.0)?;
            scrape.sum(PER_FRAME, &labels)
        };
        assert!(agent.until("it has joules a frame", per_frame).unwrap() > 0.0);
    }
}

#[test]
fn a_container_with_a_network_of_its_own_is_known_by_its_socket_and_its_address() {
    // A network namespace with an address that only it has, as a container's bridge makes it.
    let network = Bridge::start();
    let agent = agent(&["--listen.address=0.0.0.0"]);
    let url = format!("http://{}:{}/progress/x", Bridge::HOST, agent.ports.main);
    let mut command = network.command("ffmpeg");
    command
        .args(["-nostdin", "-v", "error", "-progress", &url, "-re", "-f", "lavfi"])
        .args(["-i", "testsrc2=size=320x240:rate=30", "-t", "300"])
        .args(LIVE);
    let child = Owned(command.spawn().unwrap());
    let by_socket = |scrape: &Exposition| {
        let key = key(scrape, &child.0)?;
        of(scrape, FRAMES, &key).filter(|frames| *frames > 30.0).map(|_| key)
    };
    agent.until("it has frames", by_socket).unwrap();
    drop(child);
    // Another process in the namespace relays: the post is for the container's only encoder.
    let fifo = network.folder.path().join("relay");
    output(Command::new("mkfifo").arg(&fifo)).unwrap();
    let mut relay = network.command("curl");
    relay.args(["--silent", "--no-buffer", "--request", "POST", "--upload-file", "-", &url]);
    let (fifo_of_curl, fifo_of_ffmpeg) = (fifo.clone(), fifo.display().to_string());
    let mut encode = network.command("ffmpeg");
    encode
        .args(["-nostdin", "-y", "-v", "error", "-progress", &fifo_of_ffmpeg, "-re", "-f", "lavfi"])
        .args(["-i", "testsrc2=size=320x240:rate=30", "-t", "300"])
        .args(LIVE);
    let encode = Owned(encode.spawn().unwrap());
    let _relay = Owned(relay.stdin(File::open(fifo_of_curl).unwrap()).spawn().unwrap());
    let by_address = |scrape: &Exposition| {
        let key = key(scrape, &encode.0)?;
        of(scrape, FRAMES, &key).filter(|frames| *frames > 30.0)
    };
    agent.until("it has frames too", by_address).unwrap();
    // From an address of the host without a namespace the agent takes it for another host, by the address alone.
    let mut stream = TcpStream::connect((Bridge::HOST, agent.ports.main)).unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    write!(stream, "POST /progress/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n")
        .unwrap();
    let answer = eventually("an answer", Duration::from_secs(20), || {
        let _ = stream.write_all(b"frame=1\nprogress=continue\n");
        let mut buffer = [0; 1024];
        stream.read(&mut buffer).ok().map(|length| String::from_utf8_lossy(&buffer[..length]).into_owned())
    })
    .unwrap();
    assert!(answer.starts_with("HTTP/1.1 403") && answer.contains("progress.accept_from"), "{answer}");
}

/// A network namespace that is connected to the host's, like a container's.
struct Bridge {
    holder: Owned,
    folder: tempfile::TempDir,
}

impl Bridge {
    const HOST: &str = "10.213.77.1";
    const INSIDE: &str = "10.213.77.2";
    const LINK: &str = "ffwatt-test0";

    fn start() -> Self {
        let script = "ip link set lo up && echo ready && exec sleep 3600";
        let mut command = Command::new("unshare");
        let child = command.args(["--net", "sh", "-c", script]).stdout(Stdio::piped()).spawn().unwrap();
        let mut holder = Owned(child);
        let mut line = [0; 6];
        holder.0.stdout.as_mut().unwrap().read_exact(&mut line).unwrap();
        let pid = holder.0.id().to_string();
        let ip = |arguments: &[&str]| output(Command::new("ip").args(arguments)).unwrap();
        ip(&["link", "add", Self::LINK, "type", "veth", "peer", "name", "eth0", "netns", &pid]);
        ip(&["address", "add", &format!("{}/30", Self::HOST), "dev", Self::LINK]);
        ip(&["link", "set", Self::LINK, "up"]);
        let bridge = Self { holder, folder: tempfile::tempdir().unwrap() };
        let inside = format!("{}/30", Self::INSIDE);
        output(bridge.command("ip").args(["address", "add", &inside, "dev", "eth0"])).unwrap();
        output(bridge.command("ip").args(["link", "set", "eth0", "up"])).unwrap();
        bridge
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command
            .args(["--target", &self.holder.0.id().to_string(), "--net", "--"])
            .arg(program)
            .stdin(Stdio::null());
        command
    }
}
