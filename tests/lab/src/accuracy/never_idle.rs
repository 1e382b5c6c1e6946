//! Measures how well the agent finds the idle power of a host that is never quiet.

use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use tests::command::pause;
use tests::simulator::Machine;
use tests::stage::Stage;

use super::PARENT;

/// The title of this machine, and what runs on it: half of two CPUs or all of them are busy, for 2 to 5 s.
pub(super) const TITLE: &str = "never-idle";
const WORKLOADS: [(&str, &str); 2] = [
    ("steady", "while :; do :; done"),
    (
        "waves",
        "while :; do timeout 3 sh -c 'while :; do :; done'; sleep 2; timeout 5 sh -c 'while :; do :; done'; sleep 4; done",
    ),
];

/// Minutes of the run, and of each row of the table.
const MINUTES: u32 = 10;
const STEP: u32 = 2;

/// What the agent knows after some minutes.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) minutes: u32,
    /// Idle power and its standard error in watts; `None` while they are unknown.
    pub(super) idle: Option<(f64, f64)>,
}

/// The agent's idle power over ten minutes.
pub(super) fn follow(binary: &Path) -> anyhow::Result<Vec<Known>> {
    let stage = Stage::set(Machine::UNKNOWN_IDLE, binary, PARENT, &WORKLOADS, &["--interval=1s"])?;
    let mut known = Vec::new();
    for minutes in (1..=MINUTES / STEP).map(|step| step * STEP) {
        pause(Duration::from_mins(u64::from(STEP)));
        let scrape = stage.agent.scrape()?;
        let labels = [("domain", "package"), ("origin", "regression")];
        let idle = scrape.sum("ffwatt_idle_power_watts", &labels);
        let error = scrape.sum("ffwatt_idle_power_standard_error_watts", &[("domain", "package")]);
        known.push(Known { minutes, idle: idle.zip(error) });
    }
    known.iter().find(|known| known.idle.is_some()).context("the agent has found no idle power")?;
    Ok(known)
}
