//! Tests faults of files, disks, engines and processes: the real binary on fixture hosts.
//!
//! Each test checks the state before, during and after the fault, and that the sums are still exact.
//!
//! Tests that take long have a short form here; `FFWATT_LONG=1` selects the long one, as `cargo xtask soak` does.
//!
//! Run: together.

#![allow(
    clippy::unwrap_used,
    clippy::float_cmp,
    reason = "a test may panic, and means equal when it says equal"
)]

mod energy;
mod engine;
mod ledger;
mod past;
mod process;
mod results;
mod sources;

use tests::agent::Agent;
use tests::exposition::{Exposition, assert_no_residual};
use tests::host::Host;

const PACKAGE: [(&str, &str); 2] = [("package", "0"), ("domain", "package")];

/// A plausible step of a counter between two ticks, and the same in joules.
const STEP: u64 = 5_000_000;
const STEP_JOULES: f64 = 5.0;

/// First position of the package's counter of the fixture host.
const BEGIN: u64 = 1_000_000;

/// An agent on a fixture host, after its first whole tick.
fn agent(host: &Host, more: &[&str]) -> Agent {
    let agent = start(host, more);
    agent.wait_ticks(1).unwrap();
    agent
}

/// An agent on a fixture host, after its first tick.
fn start(host: &Host, more: &[&str]) -> Agent {
    let flags = host.flags();
    let flags = flags.iter().map(String::as_str).chain(["--interval=300ms"]).chain(more.iter().copied());
    Agent::start(&flags.collect::<Vec<_>>()).unwrap()
}

fn package_energy(scrape: &Exposition) -> f64 {
    scrape.sum("ffwatt_host_energy_joules_total", &PACKAGE).unwrap()
}

fn resets(scrape: &Exposition) -> Option<f64> {
    scrape.sum("ffwatt_energy_resets_total", &PACKAGE)
}

fn is_up(scrape: &Exposition, source: &str) -> Option<bool> {
    scrape.sum("ffwatt_source_up", &[("source", source)]).map(|up| up > 0.0)
}

fn errors(scrape: &Exposition, source: &str, reason: &str) -> f64 {
    scrape.sum("ffwatt_source_errors_total", &[("source", source), ("reason", reason)]).unwrap_or(0.0)
}

/// A workload's energy in the package.
fn energy_of(scrape: &Exposition, workload: &str) -> f64 {
    let labels = [("workload", workload), ("package", "0"), ("domain", "package")];
    scrape.sum("ffwatt_workload_energy_joules_total", &labels).unwrap_or(0.0)
}
