//! Measures the error of each workload's energy in a window.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use tests::agent::Agent;
use tests::command::{eventually, now, pause};
use tests::exposition::Exposition;
use tests::simulator::{Machine, Simulator, Trouble, Truth};

use super::{PARENT, Stage, WORKLOADS, names, stage};

/// Below this power a relative error is meaningless: a quarter of a watt.
const LEAST_WATTS: f64 = 0.25;

/// Time until all workloads run and the counter is known.
const WARM_UP: Duration = Duration::from_secs(3);

/// Result of one run.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) rows: Vec<Row>,
    /// Relative error of the host's energy over the whole run.
    pub(super) host: f64,
    /// The largest residual of any scrape, in microjoules.
    pub(super) residual: i128,
}

/// One workload, at one length of window.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) workload: &'static str,
    pub(super) length: f64,
    /// Relative errors, smallest first.
    pub(super) errors: Vec<f64>,
    /// Their mean with its sign: the error that stays in longer windows.
    pub(super) bias: f64,
    /// Number of windows whose error was within the stated uncertainty.
    pub(super) covered: usize,
}

/// Figures of the agent at a tick.
#[derive(Debug)]
pub(super) struct Reading {
    pub(super) at: f64,
    pub(super) host: f64,
    pub(super) energy: BTreeMap<&'static str, f64>,
    uncertainty: BTreeMap<&'static str, f64>,
}

pub(super) fn read(scrape: &Exposition) -> Option<Reading> {
    let of = |metric: &str| -> BTreeMap<&'static str, f64> {
        let value = |name: &'static str| {
            let path = format!("/{PARENT}/{name}");
            Some((name, scrape.sum(metric, &[("workload", &path), ("domain", "package")])?))
        };
        WORKLOADS.iter().filter_map(|(name, _)| value(name)).collect()
    };
    Some(Reading {
        at: scrape.sum("ffwatt_last_tick_timestamp_seconds", &[])?,
        host: scrape.sum("ffwatt_host_energy_joules_total", &[("domain", "package")])?,
        energy: of("ffwatt_workload_energy_joules_total"),
        uncertainty: of("ffwatt_workload_energy_uncertainty_joules_total"),
    })
}

/// Reads every tick for a while; returns also the largest residual.
fn follow(agent: &Agent, length: Duration) -> anyhow::Result<(Vec<Reading>, i128)> {
    let (begin, mut readings, mut residual) = (now(), Vec::<Reading>::new(), 0);
    while begin.elapsed() < length {
        let scrape = agent.scrape()?;
        residual = scrape.residuals().values().copied().fold(residual, |most, left| most.max(left.abs()));
        let reading = read(&scrape).context("a scrape without energy")?;
        if readings.last().is_none_or(|last| reading.at > last.at) {
            readings.push(reading);
        }
        pause(Duration::from_millis(30));
    }
    Ok((readings, residual))
}

/// Measures all workloads at once.
pub(super) fn measure(
    machine: Machine,
    binary: &Path,
    interval: &str,
    lengths: &[f64],
    time: Duration,
) -> anyhow::Result<Found> {
    let stage = stage(machine, binary, &names(machine), &[&format!("--interval={interval}")])?;
    pause(WARM_UP);
    let (readings, residual) = follow(&stage.agent, time)?;
    let mut found = Found { residual, ..Found::default() };
    if let (Some(first), Some(last)) = (readings.first(), readings.last()) {
        let (from, to) = truths(&stage.simulator, first, last)?;
        found.host = (last.host - first.host) / (to.host - from.host) - 1.0;
    }
    for length in lengths {
        for name in names(machine) {
            found.rows.push(row(&stage.simulator, &readings, name, *length)?);
        }
    }
    Ok(found)
}

pub(super) fn truths(
    simulator: &Simulator,
    first: &Reading,
    last: &Reading,
) -> anyhow::Result<(Truth, Truth)> {
    let at = |time: f64| simulator.at(time).context("a tick outside the simulated time");
    Ok((at(first.at)?, at(last.at)?))
}

fn row(
    simulator: &Simulator,
    readings: &[Reading],
    workload: &'static str,
    length: f64,
) -> anyhow::Result<Row> {
    let mut row = Row { workload, length, errors: Vec::new(), bias: 0.0, covered: 0 };
    let mut begin = 0;
    for (end, last) in readings.iter().enumerate() {
        let first = &readings[begin];
        // A tick's length has some jitter.
        if last.at - first.at < length * 0.95 {
            continue;
        }
        begin = end;
        let (from, to) = truths(simulator, first, last)?;
        let truth = simulator.by_name(&to)[workload] - simulator.by_name(&from)[workload];
        let of = |readings: fn(&Reading) -> &BTreeMap<&'static str, f64>| {
            Some(readings(last).get(workload)? - readings(first).get(workload)?)
        };
        let (Some(energy), Some(uncertainty)) = (of(|one| &one.energy), of(|one| &one.uncertainty)) else {
            continue;
        };
        if truth < LEAST_WATTS * length {
            continue;
        }
        row.errors.push((energy - truth).abs() / truth);
        row.bias += (energy - truth) / truth;
        row.covered += usize::from((energy - truth).abs() <= uncertainty);
    }
    row.bias /= (row.errors.len() as f64).max(1.0);
    row.errors.sort_by(f64::total_cmp);
    Ok(row)
}

/// A counter with a fault.
#[derive(Debug)]
pub(super) struct Counter {
    /// The fault.
    pub(super) what: &'static str,
    /// Number of times that the agent has noted it.
    pub(super) seen: f64,
    /// The agent's joules less the true ones.
    pub(super) difference: f64,
    /// The true joules.
    pub(super) total: f64,
}

/// A counter that wraps every second or two, and one with each fault for a while.
pub(super) fn counters(machine: Machine, binary: &Path) -> anyhow::Result<Vec<Counter>> {
    let around = Machine { range: 50_000_000, ..machine };
    let troubles = [
        ("wraps", "ffwatt_energy_wraps_total", Trouble::None, around, "1s"),
        ("is reset", "ffwatt_energy_resets_total", Trouble::Reset, machine, "100ms"),
        ("stands still for 3 s", "ffwatt_energy_resets_total", Trouble::Stall, machine, "1s"),
        ("cannot be read for 3 s", "ffwatt_source_errors_total", Trouble::Unreadable, machine, "1s"),
    ];
    troubles
        .into_iter()
        .map(|(what, metric, trouble, machine, interval)| {
            let interval = format!("--interval={interval}");
            let flags = [interval.as_str(), "--energy.plausible-watts=100"];
            let stage = stage(machine, binary, &["steady"], &flags)?;
            counter(&stage, what, metric, trouble)
        })
        .collect()
}

fn counter(stage: &Stage, what: &'static str, metric: &str, trouble: Trouble) -> anyhow::Result<Counter> {
    pause(Duration::from_secs(2));
    let scrape = |what: &str| -> anyhow::Result<(Reading, f64)> {
        eventually(what, Duration::from_secs(5), || {
            let scrape = stage.agent.scrape().ok()?;
            Some((read(&scrape)?, scrape.sum(metric, &[]).unwrap_or(0.0)))
        })
    };
    let (first, before) = scrape("a first reading")?;
    pause(Duration::from_secs(4));
    stage.simulator.set_trouble(trouble);
    pause(Duration::from_secs(3));
    stage.simulator.set_trouble(Trouble::None);
    pause(Duration::from_secs(4));
    let (last, after) = scrape("a last reading")?;
    let (from, to) = truths(&stage.simulator, &first, &last)?;
    let total = to.host - from.host;
    Ok(Counter { what, seen: after - before, difference: last.host - first.host - total, total })
}
