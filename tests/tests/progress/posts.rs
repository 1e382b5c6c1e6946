//! Tests posts by hand: which are refused, in which words, and which user may post for an encode.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tests::agent::Agent;
use tests::command::{Owned, eventually, output};
use tests::http::request;

use super::{FRAMES, LIVE, agent, key, of};

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
