//! Tests encodes in containers: in the host's network, and in a network of their own.

use std::fs::File;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use tests::agent::Agent;
use tests::command::{Owned, eventually, output};
use tests::engine::Engine;
use tests::exposition::Exposition;
use tests::ffmpeg::LIVE_SOURCE;
use tests::image;
use tests::namespace::Namespace;

use super::{FRAMES, LIVE, PER_FRAME, agent, key, of};

#[test]
fn one_in_a_container_posts_by_the_hosts_network_and_by_its_name() {
    let engine = Engine::start_private().unwrap();
    image::make(&engine, "encoder:1").unwrap();
    let agent = Agent::start_with_docker(engine.socket(), &[]).unwrap();
    agent.wait_for_docker().unwrap();
    let start = |name: &str, id: &str| {
        let url = format!("http://127.0.0.1:{}/progress/{id}", agent.ports.main);
        let run = ["run", "--detach", "--network=host", "--name", name, "encoder:1", "ffmpeg"];
        engine.run(&[&run[..], &LIVE_SOURCE, &["-t", "300", "-progress", &url], &LIVE].concat()).unwrap();
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
    let mut command = network.namespace.command("ffmpeg");
    command.args(LIVE_SOURCE).args(["-t", "300", "-progress", &url]).args(LIVE);
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
    let mut relay = network.namespace.command("curl");
    relay.args(["--silent", "--no-buffer", "--request", "POST", "--upload-file", "-", &url]);
    let (fifo_of_curl, fifo_of_ffmpeg) = (fifo.clone(), fifo.display().to_string());
    let mut encode = network.namespace.command("ffmpeg");
    encode.args(LIVE_SOURCE).args(["-y", "-t", "300", "-progress", &fifo_of_ffmpeg]).args(LIVE);
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
    namespace: Namespace,
    folder: tempfile::TempDir,
}

impl Bridge {
    const HOST: &str = "10.213.77.1";
    const INSIDE: &str = "10.213.77.2";
    const LINK: &str = "ffwatt-test0";

    fn start() -> Self {
        let namespace = Namespace::start(&[]).unwrap();
        let process = namespace.process().to_string();
        let ip = |arguments: &[&str]| output(Command::new("ip").args(arguments)).unwrap();
        ip(&["link", "add", Self::LINK, "type", "veth", "peer", "name", "eth0", "netns", &process]);
        ip(&["address", "add", &format!("{}/30", Self::HOST), "dev", Self::LINK]);
        ip(&["link", "set", Self::LINK, "up"]);
        let inside = format!("{}/30", Self::INSIDE);
        output(namespace.command("ip").args(["address", "add", &inside, "dev", "eth0"])).unwrap();
        output(namespace.command("ip").args(["link", "set", "eth0", "up"])).unwrap();
        Self { namespace, folder: tempfile::tempdir().unwrap() }
    }
}
