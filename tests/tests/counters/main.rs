//! Tests energy counters that appear late, disappear, stand still, mirror one another or cannot be read.
//!
//! A figure is right, or it is missing with a finding that gives the reason and the fix.
//!
//! Run: together.

#![allow(
    clippy::unwrap_used,
    clippy::float_cmp,
    reason = "a test may panic, and means equal when it says equal"
)]

mod check;
mod coming;
mod doubtful;

use serde_json::Value;
use tests::agent::Agent;
use tests::exposition::{Exposition, assert_no_residual};
use tests::host::{CLIENT_RANGE, Host, PowercapZone};

/// A zone of the powercap interface.
const fn zone(folder: &'static str, name: &'static str, energy: u64) -> PowercapZone {
    PowercapZone { folder, name, energy, range: CLIENT_RANGE }
}

/// An agent on a fixture host, after its first whole tick.
fn agent(host: &Host, more: &[&str]) -> Agent {
    let flags = host.flags();
    let flags = flags.iter().map(String::as_str).chain(["--interval=300ms"]).chain(more.iter().copied());
    let agent = Agent::start(&flags.collect::<Vec<_>>()).unwrap();
    agent.wait_ticks(1).unwrap();
    agent
}

fn has_finding(scrape: &Exposition, code: &str, subject: &str) -> bool {
    scrape.sum("ffwatt_finding", &[("code", code), ("subject", subject)]) == Some(1.0)
}

/// Energy of a package by where it came from.
fn energy(scrape: &Exposition, package: &str, source: &str) -> Option<f64> {
    let labels = [("package", package), ("domain", "package"), ("source", source)];
    scrape.sum("ffwatt_host_energy_joules_total", &labels)
}

fn snapshot(agent: &Agent) -> Value {
    let answer = agent.get(agent.ports.main, "/api/v1/snapshot").unwrap();
    serde_json::from_str(&answer.text()).unwrap()
}

/// The finding of the API with this code.
fn finding(snapshot: &Value, code: &str) -> Value {
    let findings = snapshot["findings"].as_array().unwrap();
    findings.iter().find(|finding| finding["finding"] == code).cloned().unwrap_or_default()
}
