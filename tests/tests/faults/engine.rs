//! Tests a container engine that hangs, or answers nonsense.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tests::agent::Agent;
use tests::exposition::Exposition;
use tests::host::{CGROUPS, Host};

use crate::{BEGIN, STEP, STEP_JOULES, agent, assert_no_residual, errors, is_up, package_energy};

/// A socket on which every connection gets this answer. Counts connections.
fn serve(socket: &Path, answer: impl Fn(UnixStream) + Send + Sync + 'static) -> Arc<AtomicUsize> {
    let listener = UnixListener::bind(socket).unwrap();
    let (asked, answer) = (Arc::new(AtomicUsize::new(0)), Arc::new(answer));
    let count = Arc::clone(&asked);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (stream, answer) = (stream.unwrap(), Arc::clone(&answer));
            count.fetch_add(1, Ordering::Relaxed);
            std::thread::spawn(move || answer(stream));
        }
    });
    asked
}

/// A step of the host while the engine is in this state: all but the name is known.
fn live_on(host: &mut Host, agent: &Agent) -> Exposition {
    agent
        .between_ticks(|| {
            host.step(&[(CGROUPS[0], 400)]).unwrap();
            host.set_energy("intel-rapl:0", BEGIN + STEP).unwrap();
        })
        .unwrap();
    let scrape = agent.wait_ticks(2).unwrap();
    assert_eq!(package_energy(&scrape), STEP_JOULES);
    let id = [("id", "4f1c0a7be95d"), ("workload", "4f1c0a7be95d")];
    assert_eq!(scrape.sum("ffwatt_workload_cpu_seconds_total", &id), Some(0.4), "by its id");
    assert_no_residual(&scrape);
    scrape
}

#[test]
fn an_engine_that_answers_nonsense_costs_only_the_names() {
    let http = |body: &str| {
        format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    let nonsense = [
        String::new(),
        "\u{0}\u{1}\u{2} not http at all\r\n\r\n".repeat(100),
        "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 4\r\n\r\nboom".to_owned(),
        "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999\r\n\r\n{".to_owned(),
        http("{\"ApiVersion\": 7}"),
        http("[[[[[[[[["),
        http("null"),
        http("[{\"Id\": {}, \"Names\": \"x\"}]"),
    ];
    for answer in nonsense {
        let mut host = Host::client().unwrap();
        let socket = host.path("engine.sock");
        let said = answer.clone();
        let asked = serve(&socket, move |mut stream| {
            // The agent may have closed the connection.
            let _ = stream.read(&mut [0; 4096]).and_then(|_| stream.write_all(said.as_bytes()));
        });
        let agent = agent(
            &host,
            &["--energy.source=powercap", &format!("--containers.docker-socket={}", socket.display())],
        );
        agent.until("it is known not to work", |scrape| is_up(scrape, "docker").filter(|up| !up)).unwrap();
        live_on(&mut host, &agent);
        assert!(asked.load(Ordering::Relaxed) > 0);
        let (status, log) = agent.stop().unwrap();
        assert!(status.success() && !log.contains("panic"), "{answer:?}: {log}");
    }
}

#[test]
fn an_engine_that_never_answers_is_given_up_and_costs_only_the_names() {
    let mut host = Host::client().unwrap();
    let socket = host.path("engine.sock");
    serve(&socket, |mut stream| {
        // Reads until the agent closes the connection, without an answer.
        while stream.read(&mut [0; 4096]).is_ok_and(|length| length > 0) {}
    });
    let agent = agent(
        &host,
        &["--energy.source=powercap", &format!("--containers.docker-socket={}", socket.display())],
    );
    live_on(&mut host, &agent);
    let after = agent
        .until("it is given up", |scrape| is_up(scrape, "docker").filter(|up| !up).map(|_| scrape.clone()))
        .unwrap();
    assert!(errors(&after, "docker", "timeout") > 0.0, "{}", agent.log());
    assert_no_residual(&agent.wait_ticks(2).unwrap());
    assert!(agent.stop().unwrap().0.success(), "it ends although it is waiting for the engine");
}
