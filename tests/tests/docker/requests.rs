//! Tests that the agent only asks the engine, by a recording proxy.

use tests::agent::Agent;
use tests::engine::Engine;

use super::{BURN, engine, is_up, name_of, start};

/// A proxy between the agent and the engine that records the first line of every request.
fn listen_in(engine: &Engine, socket: &std::path::Path) -> std::sync::Arc<std::sync::Mutex<Vec<String>>> {
    use std::io::{Read, Write};
    use std::os::unix::net::{UnixListener, UnixStream};
    let heard = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let (listener, engine) = (UnixListener::bind(socket).unwrap(), engine.socket().to_path_buf());
    let all = std::sync::Arc::clone(&heard);
    // Ends with the test's process.
    std::thread::spawn(move || {
        for client in listener.incoming() {
            // A stopped engine closes connections.
            let (Ok(client), Ok(engine)) = (client, UnixStream::connect(&engine)) else { continue };
            let (mut from, mut to) = (client.try_clone().unwrap(), engine.try_clone().unwrap());
            let all = std::sync::Arc::clone(&all);
            std::thread::spawn(move || {
                let mut bytes = vec![0; 65536];
                while let Ok(length @ 1..) = from.read(&mut bytes) {
                    let text = String::from_utf8_lossy(&bytes[..length]).into_owned();
                    // The agent's requests have no body: each part that is read begins with a request line.
                    all.lock().unwrap().push(text.lines().next().unwrap_or_default().to_owned());
                    if to.write_all(&bytes[..length]).is_err() {
                        break;
                    }
                }
                let _ = to.shutdown(std::net::Shutdown::Write);
            });
            std::thread::spawn(move || {
                let _ = std::io::copy(&mut { engine }, &mut { &client });
                let _ = client.shutdown(std::net::Shutdown::Both);
            });
        }
    });
    heard
}

#[test]
fn the_engine_is_only_ever_asked_and_never_told() {
    let mut engine = engine();
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("between.sock");
    let heard = listen_in(&engine, &socket);
    let agent = Agent::start_with_docker(&socket, &[]).unwrap();
    let is_known = |up: bool| {
        agent
            .until("the engine's state is known", |scrape| is_up(scrape).filter(|is_up| *is_up == up))
            .unwrap();
    };
    is_known(true);
    let id = start(&engine, &["--name", "one"], &["sh", "-c", &format!("{BURN}; sleep 600")]);
    agent.until("it is named", |scrape| name_of(scrape, &id).filter(|name| name == "one")).unwrap();
    engine.run(&["rename", "one", "two"]).unwrap();
    agent.until("it is renamed", |scrape| name_of(scrape, &id).filter(|name| name == "two")).unwrap();
    engine.run(&["rm", "--force", "two"]).unwrap();
    agent.wait_ticks(2).unwrap();
    let check = tests::agent::command()
        .unwrap()
        .env_clear()
        .args(["check", "--containers.podman-socket="])
        .arg(format!("--containers.docker-socket={}", socket.display()))
        .arg(format!("--listen.port={}", agent.ports.main + 1))
        .output()
        .unwrap();
    assert!(String::from_utf8_lossy(&check.stdout).contains("docker    used"));
    engine.stop_daemon().unwrap();
    is_known(false);
    let heard = heard.lock().unwrap().clone();
    println!("{} requests: {heard:#?}", heard.len());
    assert!(heard.iter().any(|line| line.contains("/containers/json")), "{heard:?}");
    assert!(heard.iter().any(|line| line.contains("/events")), "{heard:?}");
    for line in &heard {
        let is_reading = line.starts_with("GET /") && line.ends_with(" HTTP/1.1");
        assert!(is_reading, "{line}");
    }
}
