//! Tests floods, slow clients, oversized requests and odd paths on the real listeners, and hostile names.
//!
//! Run: together.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tests::agent::Agent;
use tests::command::{eventually, pause};
use tests::exposition::Exposition;
use tests::host::Host;
use tests::http::{get, request};

/// More connections than a listener accepts.
const FLOOD: usize = 10_000;

/// Most connections of the main listener, by docs/RELIABILITY.md.
const MOST: usize = 512;

fn agent(host: &Host, more: &[&str]) -> Agent {
    let flags = host.flags();
    let flags: Vec<&str> =
        flags.iter().map(String::as_str).chain(["--interval=200ms"]).chain(more.iter().copied()).collect();
    Agent::start(&flags).unwrap()
}

/// This process is ten thousand clients.
fn raise_own_limit(files: u64) {
    let limits = getrlimit(Resource::Nofile);
    if limits.current.is_some_and(|current| current < files) {
        let maximum = limits.maximum.map(|maximum| maximum.max(files));
        setrlimit(Resource::Nofile, Rlimit { current: Some(files), maximum }).unwrap();
    }
}

fn open_files(agent: &Agent) -> usize {
    fs::read_dir(format!("/proc/{}/fd", agent.pid())).unwrap().count()
}

fn connect(port: u16) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
    stream
}

#[test]
fn ten_thousand_slow_clients_take_no_scrape_and_no_more_files_than_there_are_seats() {
    raise_own_limit(2 * FLOOD as u64);
    let host = Host::client().unwrap();
    let agent = agent(&host, &[]);
    let port = agent.ports.main;
    let before = open_files(&agent);
    let mut held = Vec::with_capacity(FLOOD);
    for number in 0..FLOOD {
        let mut stream = connect(port);
        // One in two sends nothing at all; the other begins a request and never ends it. Its connection may be closed already.
        if number % 2 == 0 {
            let _ = stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nX-Slow: ");
        }
        held.push(stream);
        if number % 500 == 499 {
            let answer = get(port, "/metrics").unwrap();
            assert_eq!(answer.status, 200, "scraped beside {number} others");
            assert!(open_files(&agent) <= before + MOST + 16, "{} of {before}", open_files(&agent));
        }
    }
    for other in agent.ports.all() {
        assert_eq!(
            get(other, "/metrics").unwrap().status,
            200,
            "the other listeners have seats of their own"
        );
    }
    drop(held);
    eventually("the seats are free again", Duration::from_mins(1), || {
        (open_files(&agent) <= before + 8).then_some(())
    })
    .unwrap();
    let scrape = agent.wait_ticks(2).unwrap();
    assert!(scrape.residuals().values().all(|left| *left == 0));
}

#[test]
fn a_process_with_few_files_keeps_fewer_connections_and_goes_on() {
    let host = Host::client().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("few");
    let binary = tests::agent::binary().unwrap();
    fs::write(&script, format!("#!/bin/sh\nulimit -n 400\nexec {} \"$@\"\n", binary.display())).unwrap();
    let mut permissions = fs::metadata(&script).unwrap().permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o755);
    fs::set_permissions(&script, permissions).unwrap();
    let flags = host.flags();
    let flags: Vec<&str> = flags.iter().map(String::as_str).chain(["--interval=200ms"]).collect();
    let mut agent = Agent::spawn(&script, &flags, &[]).unwrap();
    agent.wait_ready().unwrap();
    let held: Vec<Vec<TcpStream>> =
        agent.ports.all().iter().map(|port| (0..300).map(|_| connect(*port)).collect()).collect();
    let scrape = agent.wait_ticks(3).unwrap();
    assert!(open_files(&agent) < 400);
    assert!(scrape.residuals().values().all(|left| *left == 0));
    assert!(!agent.log().contains("ERROR"), "{}", agent.log());
    drop(held);
}

#[test]
fn a_header_that_does_not_end_is_not_waited_for() {
    let host = Host::client().unwrap();
    let agent = agent(&host, &[]);
    let mut silent = connect(agent.ports.main);
    let mut slow = connect(agent.ports.main);
    let mut drops = slow.try_clone().unwrap();
    // A byte a second is activity; that does not help.
    let dripping = std::thread::spawn(move || {
        while drops.write_all(b"a").is_ok() {
            pause(Duration::from_secs(1));
        }
    });
    for stream in [&mut silent, &mut slow] {
        let mut rest = Vec::new();
        match stream.read_to_end(&mut rest) {
            Ok(_) => {}
            Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset, "{error}"),
        }
        let rest = String::from_utf8_lossy(&rest).into_owned();
        assert!(rest.is_empty() || rest.starts_with("HTTP/1.1 4"), "{rest}");
    }
    dripping.join().unwrap();
    assert_eq!(get(agent.ports.main, "/metrics").unwrap().status, 200);
}

/// Sends bytes as they are; returns the status, or 0 when the connection was closed without an answer.
fn raw(port: u16, bytes: &[u8]) -> u16 {
    let mut stream = connect(port);
    // The request may be refused before it is complete.
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    let mut part = [0; 4096];
    while !answer.windows(4).any(|window| window == b"\r\n\r\n") {
        match stream.read(&mut part) {
            Ok(0) | Err(_) => break,
            Ok(length) => answer.extend_from_slice(&part[..length]),
        }
    }
    let text = String::from_utf8_lossy(&answer);
    text.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
}

#[test]
fn oversized_and_malformed_requests_are_refused_and_forgotten() {
    let host = Host::client().unwrap();
    let agent = agent(&host, &[]);
    let huge = "a".repeat(1 << 20);
    let many = "X-Many: x\r\n".repeat(10_000);
    for port in agent.ports.all() {
        for (what, request, expected) in [
            ("a header of a megabyte", format!("GET /metrics HTTP/1.1\r\nX: {huge}\r\n\r\n"), &[431, 0][..]),
            ("ten thousand headers", format!("GET /metrics HTTP/1.1\r\n{many}\r\n"), &[431, 0]),
            ("a path of a megabyte", format!("GET /{huge} HTTP/1.1\r\n\r\n"), &[414, 431, 0]),
            ("a query of 12 kB", format!("GET /metrics?{} HTTP/1.1\r\n\r\n", &huge[..12_000]), &[200]),
            ("no HTTP", "\0\x01\x02\r\n\r\n".to_owned(), &[400, 0]),
            (
                "TLS where there is none",
                "\x16\x03\x01\x02\0\x01\0\x01\u{fc}\x03\x03\r\n\r\n".to_owned(),
                &[400, 0],
            ),
            ("HTTP/2 by prior knowledge", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(), &[400, 505, 0]),
            ("HTTP/9.9", "GET /metrics HTTP/9.9\r\n\r\n".to_owned(), &[400, 505, 0]),
            (
                "two lengths",
                "GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab".to_owned(),
                &[400],
            ),
            ("a negative length", "GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n".to_owned(), &[400]),
            (
                "length and chunks",
                "GET / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
                    .to_owned(),
                &[200, 400],
            ),
            ("a header folded", "GET / HTTP/1.1\r\nX: a\r\n b\r\n\r\n".to_owned(), &[400]),
            ("a space before the colon", "GET / HTTP/1.1\r\nX : a\r\n\r\n".to_owned(), &[400]),
            ("a line break in the path", "GET /met\nrics HTTP/1.1\r\n\r\n".to_owned(), &[400]),
        ] {
            let status = raw(port, request.as_bytes());
            assert!(expected.contains(&status), "{what}: {status}");
        }
        // A body where none belongs is not read to its end.
        let body = format!("GET /metrics HTTP/1.1\r\nContent-Length: {}\r\n\r\n", u64::MAX / 2);
        assert_eq!(raw(port, body.as_bytes()), 200);
        let body = format!("POST /metrics HTTP/1.1\r\nContent-Length: {}\r\n\r\n{huge}", huge.len());
        assert!([405, 0].contains(&raw(port, body.as_bytes())));
    }
    let scrape = agent.wait_ticks(1).unwrap();
    let resident = scrape.sum("process_resident_memory_bytes", &[]).unwrap();
    assert!(resident < 256.0 * 1024.0 * 1024.0, "{resident}");
}

#[test]
fn no_path_leads_to_a_file() {
    let host = Host::client().unwrap();
    let agent = agent(&host, &[]);
    let paths = [
        "/../../../../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/..%2f..%2fetc%2fpasswd",
        "/metrics/../../etc/passwd",
        "/metrics%00",
        "/metrics/",
        "//metrics",
        "/./metrics",
        "/METRICS",
        "/metrics;a=b",
        "/metrics%2f..%2f",
        "/etc/passwd",
        "/.git/config",
        "/\\..\\etc",
        "/%",
        "/%ff%fe",
        "/debug/pprof/",
    ];
    for port in agent.ports.all() {
        for path in paths {
            let answer = request(port, "GET", path, &[]).unwrap();
            assert!([400, 404].contains(&answer.status), "{path}: {}", answer.status);
            let text = answer.text();
            assert!(!text.contains("root:") && !text.contains(path), "{path}: {text}");
        }
        for (target, expected) in
            [("http://elsewhere/nothing", &[403][..]), ("elsewhere:80", &[400, 403]), ("*", &[400, 404, 405])]
        {
            assert!(expected.contains(&request(port, "GET", target, &[]).unwrap().status), "{target}");
        }
        for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "\u{e9}"]
        {
            let status =
                raw(port, format!("{method} /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes());
            assert!([400, 404, 405].contains(&status), "{method}: {status}");
        }
    }
}

#[test]
fn ten_thousand_requests_on_one_connection_and_pipelined() {
    let host = Host::client().unwrap();
    let agent = agent(&host, &[]);
    let mut stream = connect(agent.ports.main);
    let mut writing = stream.try_clone().unwrap();
    let asking = std::thread::spawn(move || {
        for _ in 0..10_000 {
            writing.write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
        }
        writing.write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    });
    let mut answers = String::new();
    stream.read_to_string(&mut answers).unwrap();
    asking.join().unwrap();
    assert_eq!(answers.matches("HTTP/1.1 200").count(), 10_001);
    let scrape = Exposition::parse(&get(agent.ports.main, "/metrics").unwrap().text()).unwrap();
    assert!(scrape.residuals().values().all(|left| *left == 0));
}
