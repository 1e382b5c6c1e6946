//! Tests that every joule is in one series, once: a real Prometheus scrapes the agent while jobs run. Needs root and cgroups.
//!
//! `FFWATT_LONG=1` selects ten minutes of jobs of 40 s at ticks and scrapes of a second. The short form is the same on a clock that
//! is five times as fast.
//!
//! Run: alone (it measures the host).

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;

use serde_json::Value;
use tests::cgroup::Cgroup;
use tests::length::short_or_long;
use tests::namespace::Namespace;
use tests::scraped::Scraped;

const HOST: &str = r#"ffwatt_host_energy_joules_total{domain="package"}"#;
const WORKLOADS: &str = r#"ffwatt_workload_energy_joules_total{domain="package"}"#;
const ENDED: &str = r#"ffwatt_ended_energy_joules_total{domain="package"}"#;
const CREATED: &str = r#"ffwatt_workload_energy_joules_created{domain="package"}"#;

/// Number of jobs one after the other, and of cgroups that they use in turns: each has disappeared from the scrapes before it returns.
const JOBS: u32 = 15;
const CGROUPS: u32 = 3;

/// Length of a tick and a scrape, and of a job, in milliseconds.
fn lengths() -> (u64, u64) {
    short_or_long((200, 8000), (1000, 40_000))
}

/// One CPU kept busy by jobs that follow each other.
fn run_jobs(length: u64) {
    let busy = format!("exec timeout {} sh -c 'while :; do :; done'", length as f64 / 1000.0);
    for job in 0..JOBS {
        let cgroup = Cgroup::make(&format!("ffwatt-test-series/job-{}", job % CGROUPS)).unwrap();
        cgroup.command("sh").args(["-c", &busy]).status().unwrap();
        cgroup.remove().unwrap();
    }
}

/// Samples of a range by series: time in milliseconds, and value in millionths.
type Series = Vec<BTreeMap<u64, i64>>;

/// Labels other than the metric's name, as text.
fn labels(series: &Value) -> String {
    let mut labels = series["metric"].as_object().unwrap().clone();
    labels.remove("__name__");
    Value::Object(labels).to_string()
}

fn samples(series: &Value) -> BTreeMap<u64, i64> {
    let sample = |sample: &Value| {
        let millionths = sample[1].as_str().unwrap().parse::<f64>().unwrap() * 1e6;
        ((sample[0].as_f64().unwrap() * 1000.0).round() as u64, millionths.round() as i64)
    };
    series["values"].as_array().unwrap().iter().map(sample).collect()
}

/// Divides a series at scrapes in which it is missing.
fn lives(series: &BTreeMap<u64, i64>, scrapes: &[u64]) -> Series {
    let mut lives: Series = Vec::new();
    let mut was_there = false;
    for scrape in scrapes {
        match series.get(scrape) {
            Some(value) if was_there => drop(lives.last_mut().unwrap().insert(*scrape, *value)),
            Some(value) => lives.push(BTreeMap::from([(*scrape, *value)])),
            None => {}
        }
        was_there = series.contains_key(scrape);
    }
    lives
}

/// In each scrape, the shown and the ended energy sum to the host's.
fn assert_sums(scrapes: &[u64], host: &BTreeMap<u64, i64>, parts: &[&Series]) {
    for scrape in scrapes {
        let sum: i64 =
            parts.iter().flat_map(|part| part.iter()).filter_map(|series| series.get(scrape)).sum();
        assert_eq!(sum, host[scrape], "microjoules at {scrape}");
    }
}

/// Between the first and the last scrape, the host's energy is the growth of all workloads, plus their values at their first samples.
/// Returns both.
fn assert_growth(scrapes: &[u64], host: &BTreeMap<u64, i64>, workloads: &Series) -> (i64, i64) {
    let (first, last) = (scrapes[0], scrapes[scrapes.len() - 1]);
    let (mut grown, mut before) = (0, 0);
    for life in workloads.iter().flat_map(|series| lives(series, scrapes)) {
        assert!(life.values().is_sorted(), "a counter has fallen while it was there: {life:?}");
        let (begin, value) = life.first_key_value().unwrap();
        grown += life.last_key_value().unwrap().1 - value;
        before += if *begin > first { *value } else { 0 };
    }
    assert_eq!(
        grown + before,
        host[&last] - host[&first],
        "{grown} µJ, and {before} µJ before first samples"
    );
    (grown, before)
}

/// Every life of a series has the time at which it was 0: after the life before it, and before its first sample.
fn assert_created(
    scrapes: &[u64],
    workloads: &[Value],
    created: &BTreeMap<String, BTreeMap<u64, i64>>,
) -> usize {
    let mut returned = 0;
    for series in workloads {
        let created = &created[&labels(series)];
        let mut last = 0;
        for life in lives(&samples(series), scrapes) {
            let begin = *life.first_key_value().unwrap().0;
            let was_zero = (created[&begin] / 1000) as u64;
            assert!(last <= was_zero && was_zero <= begin, "{}: {last} {was_zero} {begin}", labels(series));
            assert!(life.keys().all(|scrape| created[scrape] == created[&begin]), "it stays the same");
            returned += usize::from(last > 0);
            last = *life.last_key_value().unwrap().0;
        }
    }
    returned
}

#[test]
fn workloads_never_grow_by_more_than_the_host() {
    let (tick, job) = lengths();
    let namespace = Namespace::start(&[]).unwrap();
    // A scrape at every tick.
    let stack = Scraped::start(&namespace, tick, &[&format!("--interval={tick}ms")]).unwrap();
    let now = || stack.prometheus.value("vector(time())").unwrap();
    let begin = now();
    run_jobs(job);
    // The last job's series exist until the end.
    let end = now();
    let span = format!("{}ms", ((end - begin) * 1000.0).floor());
    let query = |expression: &str| stack.prometheus.query(expression).unwrap();
    let range = |metric: &str| query(&format!("{metric}[{span}] @ {end}"));
    let increase =
        |metric: &str| stack.prometheus.value(&format!("sum(increase({metric}[{span}] @ {end}))")).unwrap();
    let ratio = increase(WORKLOADS) / increase(HOST);
    println!("sum(increase()) of workloads is {:.2} % of the host's", ratio * 100.0);

    let host = samples(&range(HOST)[0]);
    let scrapes: Vec<u64> = host.keys().copied().collect();
    let (workloads, ended) = (range(WORKLOADS), range(ENDED));
    let all: Series = workloads.iter().map(samples).collect();
    let gone: Series = ended.iter().map(samples).collect();
    assert!(gone.iter().flat_map(BTreeMap::values).any(|energy| *energy > 0), "jobs have disappeared");
    assert_sums(&scrapes, &host, &[&all, &gone]);
    let (grown, before) = assert_growth(&scrapes, &host, &all);
    let created = range(CREATED).iter().map(|series| (labels(series), samples(series))).collect();
    let returned = assert_created(&scrapes, &workloads, &created);
    assert_eq!(returned as u32, JOBS - CGROUPS, "jobs that came back under a name");

    println!(
        "{JOBS} jobs of {job} ms, {} scrapes: host {:.6} J, of which {:.6} J were there before the workloads' first samples",
        scrapes.len(),
        (grown + before) as f64 / 1e6,
        before as f64 / 1e6,
    );
    // Prometheus extends each series by up to half a scrape at both of its ends.
    assert!((0.97..=1.005).contains(&ratio), "{ratio}");
}
