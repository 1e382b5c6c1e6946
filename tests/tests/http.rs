//! Tests HTTP answers of a live agent on a fixture host, to every request that a scraper may send.
//!
//! Run: together.

#![allow(
    clippy::unwrap_used,
    clippy::float_cmp,
    reason = "a test may panic, and means equal when it says equal"
)]

use std::collections::BTreeSet;
use std::io::Read;
use std::process::{Command, Stdio};

use tests::agent::Agent;
use tests::exposition::Exposition;
use tests::host::Host;
use tests::http::{get, request};
use tests::referee;

fn agent(host: &Host) -> Agent {
    let flags = host.flags();
    let flags: Vec<&str> = flags.iter().map(String::as_str).chain(["--interval=200ms"]).collect();
    Agent::start(&flags).unwrap()
}

const OPENMETRICS: &str = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5";

#[test]
fn every_listener_answers_both_formats_to_the_satisfaction_of_the_referees() {
    let host = Host::two_socket().unwrap();
    let agent = agent(&host);
    for port in agent.ports.all() {
        let classic = get(port, "/metrics").unwrap();
        assert_eq!(classic.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
        Exposition::parse(&classic.text()).unwrap();
        referee::promtool(&classic.text()).unwrap();
        let open = request(port, "GET", "/metrics", &[("Accept", OPENMETRICS)]).unwrap();
        assert_eq!(
            open.header("content-type"),
            Some("application/openmetrics-text; version=1.0.0; charset=utf-8")
        );
        assert!(open.text().ends_with("# EOF\n"));
        referee::openmetrics(&open.text()).unwrap();
        let names = |text: &str| -> BTreeSet<String> {
            Exposition::parse(text).unwrap().names().into_iter().map(str::to_owned).collect()
        };
        let (one, mut other) = (names(&classic.text()), names(&open.text()));
        // Only OpenMetrics has the time at which a counter was 0.
        for created in other.extract_if(.., |name| name.ends_with("_created")) {
            assert!(one.contains(&created.replace("_created", "_total")), "{created} is of no counter");
        }
        assert_eq!(one, other, "the formats differ in form only");
    }
}

#[test]
fn no_family_is_served_twice() {
    let host = Host::client().unwrap();
    let agent = agent(&host);
    let mut seen = std::collections::HashSet::new();
    for port in agent.ports.all() {
        for name in agent.scrape_port(port).unwrap().names() {
            assert!(seen.insert(name.to_owned()), "{name} is served on two ports");
        }
    }
}

#[test]
fn paths_methods_and_query_strings() {
    let host = Host::client().unwrap();
    let agent = agent(&host);
    for port in agent.ports.all() {
        for path in ["/health", "/healthz"] {
            let answer = get(port, path).unwrap();
            assert_eq!((answer.status, answer.text().as_str()), (200, "OK\n"));
        }
        for path in ["/ready", "/-/ready", "/metrics?name[]=up", "/"] {
            assert_eq!(get(port, path).unwrap().status, 200, "{path}");
        }
        assert_eq!(get(port, "/nothing").unwrap().status, 404);
        assert_eq!(request(port, "POST", "/metrics", &[]).unwrap().status, 405);
        let head = request(port, "HEAD", "/metrics", &[]).unwrap();
        assert_eq!((head.status, head.body.len()), (200, 0));
    }
}

#[test]
fn gzip_when_asked_for() {
    let host = Host::client().unwrap();
    let agent = agent(&host);
    let plain = get(agent.ports.main, "/metrics").unwrap();
    assert_eq!(plain.header("content-encoding"), None);
    let packed = request(agent.ports.main, "GET", "/metrics", &[("Accept-Encoding", "gzip")]).unwrap();
    assert_eq!(packed.header("content-encoding"), Some("gzip"));
    assert!(packed.body.len() * 3 < plain.body.len(), "{} of {}", packed.body.len(), plain.body.len());
    let mut gunzip =
        Command::new("gzip").arg("-dc").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    std::io::Write::write_all(&mut gunzip.stdin.take().unwrap(), &packed.body).unwrap();
    let mut text = String::new();
    gunzip.stdout.take().unwrap().read_to_string(&mut text).unwrap();
    gunzip.wait().unwrap();
    assert!(Exposition::parse(&text).unwrap().names().contains("ffwatt_build_info"));
}

#[test]
fn many_scrapers_see_the_same_numbers_and_take_nothing_from_each_other() {
    let mut host = Host::client().unwrap();
    let flags = host.flags();
    let flags: Vec<&str> = flags.iter().map(String::as_str).chain(["--interval=2s"]).collect();
    let agent = Agent::start(&flags).unwrap();
    agent.wait_ticks(1).unwrap();
    agent
        .between_ticks(|| {
            host.set_energy("intel-rapl:0", 8_000_000).unwrap();
            host.step(&[("system.slice/nginx.service", 900)]).unwrap();
        })
        .unwrap();
    agent.wait_ticks(1).unwrap();
    let bodies: Vec<String> = (0..8).map(|_| get(agent.ports.rapl, "/metrics").unwrap().text()).collect();
    let energy: Vec<Option<f64>> = bodies
        .iter()
        .map(|body| {
            Exposition::parse(body).unwrap().sum("rapl_energy_joules_total", &[("zone", "package_0")])
        })
        .collect();
    assert!(energy.iter().all(|energy| *energy == Some(7.0)), "{energy:?}");
}

#[test]
fn the_page_says_what_it_is_and_that_nothing_is_measured() {
    let host = Host::without_energy().unwrap();
    let agent = agent(&host);
    let page = get(agent.ports.rapl, "/").unwrap();
    assert!(page.header("content-type").unwrap().starts_with("text/html"));
    let text = page.text();
    for words in ["ffwatt", "Energy is estimated", "powercap", "metrics"] {
        assert!(text.contains(words), "{words:?} is not on the page");
    }
}

#[test]
fn a_supervisor_is_told_of_the_first_tick_of_every_other_and_of_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let socket = std::os::unix::net::UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(std::time::Duration::from_secs(30))).unwrap();
    let heard = || {
        let mut bytes = [0; 256];
        let length = socket.recv(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes[..length]).trim().to_owned()
    };
    let host = Host::client().unwrap();
    let flags = host.flags();
    let flags: Vec<&str> = flags.iter().map(String::as_str).chain(["--interval=200ms"]).collect();
    let environment = [("NOTIFY_SOCKET", path.to_str().unwrap())];
    let agent = Agent::spawn(&tests::agent::binary().unwrap(), &flags, &environment).unwrap();
    assert_eq!(heard(), "READY=1");
    let ready = tests::http::get(agent.ports.main, "/ready").unwrap();
    assert_eq!(ready.status, 200, "it is ready when it says so");
    assert_eq!([heard(), heard()], ["WATCHDOG=1", "WATCHDOG=1"]);
    agent.stop().unwrap();
    let last = std::iter::repeat_with(heard).find(|said| said != "WATCHDOG=1");
    assert_eq!(last.as_deref(), Some("STOPPING=1"));
}

#[test]
fn a_health_check_asks_the_agent_that_runs() {
    let host = Host::client().unwrap();
    let flags = host.flags();
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let agent = Agent::start(&flags).unwrap();
    let check = |port: u16| {
        let mut command = tests::agent::command().unwrap();
        command.env_clear().args(["check", "--ready", &format!("--listen.port={port}")]).output().unwrap()
    };
    assert!(check(agent.ports.main).status.success());
    let nobody = check(agent.ports.rapl + 11_000);
    assert_eq!(nobody.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&nobody.stderr).contains("/ready"));
}
