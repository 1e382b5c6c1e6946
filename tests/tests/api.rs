//! Tests that the JSON API shows the figures of the metrics, and answers as docs/API.md says.
//!
//! Run: together.

#![allow(
    clippy::unwrap_used,
    clippy::float_cmp,
    reason = "a test may panic, and means equal when it says equal"
)]

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;
use tests::agent::Agent;
use tests::command::eventually;
use tests::host::{CGROUPS, Host};
use tests::http;

/// A host in which only the test changes anything, so that its figures can be compared.
fn agent(host: &Host, interval: &str) -> Agent {
    let flags = host.flags();
    let flags: Vec<&str> = flags.iter().map(String::as_str).chain([interval]).collect();
    Agent::start(&flags).unwrap()
}

fn json(agent: &Agent, path: &str) -> Value {
    let answer = agent.get(agent.ports.main, path).unwrap();
    assert_eq!(answer.header("content-type"), Some("application/json"), "{path}");
    serde_json::from_slice(&answer.body).unwrap()
}

fn error(agent: &Agent, path: &str) -> (u16, String) {
    let answer = http::get(agent.ports.main, path).unwrap();
    let body: Value = serde_json::from_slice(&answer.body).unwrap();
    (answer.status, body["error"].as_str().unwrap().to_owned())
}

#[test]
fn figures_of_a_tick_are_those_of_its_metrics() {
    let mut host = Host::client().unwrap();
    let agent = agent(&host, "--interval=2s");
    agent.wait_ticks(1).unwrap();
    agent
        .between_ticks(|| {
            host.set_energy("intel-rapl:0", 13_000_000).unwrap();
            host.step(&[(CGROUPS[0], 700), (CGROUPS[1], 100)]).unwrap();
        })
        .unwrap();
    agent.wait_ticks(2).unwrap();
    let (scrape, answer) = eventually("both are of one tick", Duration::from_secs(30), || {
        let before = agent.ticks().ok()?;
        let answer = json(&agent, "/api/v1/snapshot?include=workloads,transcodes,scenarios");
        let scrape = agent.scrape().ok()?;
        let ticks = scrape.sum("ffwatt_tick_duration_seconds_count", &[])?;
        (ticks == before as f64 && answer["tick"].as_u64() == Some(before)).then_some((scrape, answer))
    })
    .unwrap();
    assert_eq!(answer["api_version"], 1);
    assert_eq!(answer["method"]["energy_source"], "powercap");
    assert_eq!(answer["method"]["is_estimated"], false);
    let domains = |workload: &str, id: &str| -> f64 {
        ["package", "dram"]
            .iter()
            .filter_map(|domain| {
                let labels = [("workload", workload), ("id", id), ("domain", domain)];
                scrape.sum("ffwatt_workload_energy_joules_total", &labels)
            })
            .sum()
    };
    let workloads = answer["workloads"].as_array().unwrap();
    assert!(workloads.len() > 5);
    let mut charged = 0;
    for workload in workloads {
        let (name, id) = (workload["workload"].as_str().unwrap(), workload["id"].as_str().unwrap());
        let energy = workload["energy_joules"].as_f64().unwrap();
        assert!((energy - domains(name, id)).abs() < 1e-6, "{workload}");
        let cpu = scrape.sum("ffwatt_workload_cpu_seconds_total", &[("workload", name), ("id", id)]);
        assert!(
            cpu.is_none_or(|cpu| (cpu - workload["cpu_seconds"].as_f64().unwrap()).abs() < 1e-9),
            "{workload}"
        );
        charged += usize::from(energy > 0.0);
    }
    assert!(charged >= 2, "some have been charged");
    assert_eq!(answer["transcodes"], serde_json::json!([]));
    let sources = answer["sources"].as_array().unwrap();
    assert!(
        sources.iter().any(|source| source["source"] == "powercap" && source["is_up"] == true),
        "{sources:?}"
    );
}

#[test]
fn lists_are_paged_sorted_and_filtered_and_say_what_they_cannot() {
    let mut host = Host::client().unwrap();
    let agent = agent(&host, "--interval=500ms");
    agent.wait_ticks(1).unwrap();
    host.step(&[(CGROUPS[0], 700), (CGROUPS[1], 100)]).unwrap();
    agent.wait_ticks(2).unwrap();
    let all = json(&agent, "/api/v1/workloads?sort=-cpu_seconds");
    let total = all["total"].as_u64().unwrap();
    let seconds: Vec<f64> =
        all["items"].as_array().unwrap().iter().map(|item| item["cpu_seconds"].as_f64().unwrap()).collect();
    assert!(seconds.is_sorted_by(|one, other| one >= other), "{seconds:?}");
    let second = json(&agent, "/api/v1/workloads?per_page=2&page=2");
    assert_eq!((second["total"].as_u64(), second["items"].as_array().unwrap().len()), (Some(total), 2));
    let idle = json(&agent, "/api/v1/workloads?q=IDLE");
    assert_eq!(idle["items"][0]["workload"], "idle");
    assert_eq!(json(&agent, "/api/v1/transcodes")["total"], 0);
    assert_eq!(json(&agent, "/api/v1/scenarios")["total"], 0);
    for (path, word) in [
        ("/api/v1/workloads?sort=colour", "power_watts"),
        ("/api/v1/workloads?page=0", "first page is 1"),
        ("/api/v1/workloads?per_page=100000", "1 to 1000"),
        ("/api/v1/workloads?colour=red", "colour"),
        ("/api/v1/snapshot?include=all", "workloads"),
        ("/api/v1/series?range=soon", "soon"),
        ("/api/v1/history?range=1y", "the ranges are 24h and 30d"),
        ("/api/v1/history/transcodes", "scenario=NAME or workload=NAME"),
    ] {
        let (status, text) = error(&agent, path);
        assert!(status == 400 && text.contains(word), "{path}: {status} {text}");
    }
    let (status, text) = error(&agent, "/api/v2/snapshot");
    assert!(status == 404 && text.contains("/api/v1/snapshot"), "{status} {text}");
    assert_eq!(
        http::get(agent.ports.rapl, "/api/v1/snapshot").unwrap().status,
        404,
        "the main listener only"
    );
}

#[test]
fn series_and_events_follow_the_ticks() {
    let mut host = Host::client().unwrap();
    let agent = agent(&host, "--interval=500ms");
    let mut stream = TcpStream::connect(("127.0.0.1", agent.ports.main)).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    write!(stream, "GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    assert!(lines.by_ref().any(|line| line.eq_ignore_ascii_case("content-type: text/event-stream")));
    let mut ticks = lines.filter_map(|line| {
        let data: Value = serde_json::from_str(line.strip_prefix("data: ")?).unwrap();
        data["tick"].as_u64()
    });
    let first = ticks.next().unwrap();
    host.set_energy("intel-rapl:0", 13_000_000).unwrap();
    host.step(&[(CGROUPS[0], 700)]).unwrap();
    let later: Vec<u64> = ticks.by_ref().take(5).collect();
    assert!(later[0] > first && later.is_sorted(), "{first}, then {later:?}");
    let series = eventually("a series of some steps", Duration::from_secs(30), || {
        let series = json(&agent, "/api/v1/series?range=1m");
        (series["times_unix_seconds"].as_array()?.len() >= 3).then_some(series)
    })
    .unwrap();
    let times = series["times_unix_seconds"].as_array().unwrap().len();
    let parts = series["series"].as_array().unwrap();
    assert_eq!(parts.len(), 5);
    assert!(parts.iter().all(|part| part["power_watts"].as_array().unwrap().len() == times));
    let joules: f64 =
        parts.iter().flat_map(|part| part["power_watts"].as_array().unwrap()).filter_map(Value::as_f64).sum();
    assert!(joules > 5.0, "what was drawn is there: {joules}");
    let one = json(&agent, "/api/v1/series?workload=idle&range=30&steps=2");
    assert_eq!(one["series"][0]["workload"], "idle");
    assert!(one["series"][0]["power_watts"].as_array().unwrap().len() <= 2);
    assert_eq!(json(&agent, "/api/v1/series?workload=nobody")["series"], serde_json::json!([]));
    // Readers of events do not keep the agent from ending.
    let (status, log) = agent.stop().unwrap();
    assert!(status.success() && !log.contains("were not complete"), "{log}");
}
