//! Formats the results as tables.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use anyhow::Context;
use serde_json::{Map, Value, json};

use super::jobs::Captured;
use super::never_idle::{self, Known};
use super::peers::Compared;
use super::windows::{Counter, Found};
use crate::page;
use xtask::process::{day_and_machine, say};

/// docs/ACCURACY.md, section by section, and the same as JSON.
#[derive(Debug)]
pub(super) struct Report {
    head: String,
    sections: Vec<String>,
    json: Map<String, Value>,
}

impl Report {
    pub(super) fn new(seconds: u64) -> anyhow::Result<Self> {
        let mut head = String::from(
            "# Accuracy\n\n\
             Written by `cargo xtask accuracy`; `--only` renews some sections. The host is simulated: real processes run in real cgroups, and an energy counter advances \
             every millisecond by a power model of the CPU time that the kernel accounts to them. The counter has steps of 61 µJ, and an idle power \
             of 12 W. The true energy of each workload is therefore known. The agent is the release build. The agent, the simulator and the \
             scrapers are part of the simulated host.\n\n\
             The truth has errors of its own. It is a cgroup's `cpu.stat` as a part of all CPUs' `cpuacct.usage_percpu`, sampled every \
             millisecond. The kernel adds the CPU time of a running task only at a scheduler tick (4 ms at 250 Hz). So the truth of a window of \
             100 ms is not better than that; in a window of 1 s it may be wrong by a few percent for a workload that runs for some tens of \
             milliseconds, as the encodes do (9 W × 0.04 s).\n\n",
        );
        writeln!(head, "{}, {seconds} s a run.\n", day_and_machine()?)?;
        head.push_str("## Error by workload\n\nError of the energy above idle in each window, relative to the truth. `bias`: the mean error with its sign. `covered`: windows with an error within the uncertainty that the agent states. Windows in which a workload drew less than 0.25 W are left out.\n\n");
        Ok(Self { head, sections: Vec::new(), json: Map::new() })
    }

    pub(super) fn windows(&mut self, title: &str, words: &str, interval: &str, found: &Found) {
        let rows: Vec<Value> = found
            .rows
            .iter()
            .map(|row| {
                json!({ "workload": row.workload, "window_seconds": row.length, "errors": row.errors, "bias": row.bias, "covered": row.covered })
            })
            .collect();
        let found_json = json!({ "rows": rows, "host_error": found.host, "residual_microjoules": found.residual.to_string() });
        self.json.insert(format!("{title}, tick of {interval}"), found_json);
        let percent = |value: f64| format!("{:.2} %", value * 100.0);
        let mut table = format!(
            "### {title} power, tick of {interval}\n\n{words}.\n\n\
             | workload | window | windows | median | p95 | max | bias | covered |\n|---|---|---|---|---|---|---|---|\n"
        );
        for row in &found.rows {
            let count = row.errors.len();
            if count == 0 {
                continue;
            }
            let at = |part: f64| row.errors[((count - 1) as f64 * part).round() as usize];
            table.extend([format!(
                "| {} | {} s | {count} | {} | {} | {} | {:+.2} % | {} |\n",
                row.workload,
                row.length,
                percent(at(0.5)),
                percent(at(0.95)),
                percent(at(1.0)),
                row.bias * 100.0,
                percent(row.covered as f64 / count as f64),
            )]);
        }
        let covered: usize = found.rows.iter().map(|row| row.covered).sum();
        let windows: usize = found.rows.iter().map(|row| row.errors.len()).sum();
        table.extend([format!(
            "\nOf all these windows {} are covered. Host, over the whole run: {:+.3} %. Largest residual of any scrape: {} µJ.\n\n",
            percent(covered as f64 / windows as f64),
            found.host * 100.0,
            found.residual
        )]);
        self.add(&table);
    }

    /// Adds a section.
    pub(super) fn add(&mut self, table: &str) {
        say(table);
        self.sections.push(table.to_owned());
    }

    pub(super) fn peers(&mut self, all: &Compared) {
        let workloads: Vec<Value> = all
            .workloads
            .iter()
            .map(|one| {
                json!({ "workload": one.workload, "true_joules_above_idle": one.truth, "ffwatt_error": one.ffwatt,
                    "scaphandre_error": one.scaphandre, "scaphandre_error_by_its_definition": one.scaphandre_as_defined })
            })
            .collect();
        let peers = json!({ "seconds": all.seconds, "host_error": all.host, "node_exporter_host_error": all.node_exporter,
            "scaphandre_host_error": all.scaphandre_host, "workloads": workloads });
        self.json.insert("peers".to_owned(), peers);
        let percent = |error: Option<f64>| {
            error.map_or_else(|| "–".to_owned(), |error| format!("{:+.2} %", error * 100.0))
        };
        let mut table = format!(
            "## Other tools on the same counters\n\nOne run of `linear`, {:.0} s. Errors of the host's energy: ffwatt {}, node_exporter {} {}, \
             Scaphandre {} {}.\n\nScaphandre divides the power of the whole host, idle power included, among processes by their part of the CPU \
             time of all CPUs. The last column compares it with the truth by that definition.\n\n\
             | workload | true energy above idle | ffwatt | Scaphandre | Scaphandre, by its own definition |\n|---|---|---|---|---|\n",
            all.seconds,
            percent(Some(all.host)),
            all.versions[0],
            percent(Some(all.node_exporter)),
            all.versions[1],
            percent(all.scaphandre_host),
        );
        for one in &all.workloads {
            table.extend([format!(
                "| {} | {:.1} J | {} | {} | {} |\n",
                one.workload,
                one.truth,
                percent(Some(one.ffwatt)),
                percent(one.scaphandre),
                percent(one.scaphandre_as_defined),
            )]);
        }
        table.push('\n');
        self.add(&table);
    }

    pub(super) fn never_idle(&mut self, truth: f64, all: &[Known]) {
        let rows: Vec<Value> = all
            .iter()
            .map(|one| json!({ "minutes": one.minutes, "watts_and_standard_error": one.idle }))
            .collect();
        self.json.insert(never_idle::TITLE.to_owned(), json!({ "true_watts": truth, "rows": rows }));
        let mut table = format!(
            "## Idle power of a host that is never quiet\n\n`linear`, but the agent does not know the idle power, which is {truth} W. One CPU is always busy, the \
             other one for 3 or 5 s between pauses of 2 or 4 s. The agent estimates the idle power by regression.\n\n\
             | after | idle power | standard error | error |\n|---|---|---|---|\n",
        );
        for Known { minutes, idle } in all {
            table.push_str(&idle.map_or_else(
                || format!("| {minutes} min | unknown | – | – |\n"),
                |(watts, error)| {
                    let off = (watts / truth - 1.0) * 100.0;
                    format!("| {minutes} min | {watts:.2} W | {error:.2} W | {off:+.1} % |\n")
                },
            ));
        }
        table.push('\n');
        self.add(&table);
    }

    pub(super) fn jobs(&mut self, all: &[Captured]) {
        let jobs: Vec<Value> = all
            .iter()
            .map(|one| json!({ "seconds": one.length, "jobs": one.jobs, "captured": one.cpu, "named": one.named }))
            .collect();
        self.json.insert("jobs".to_owned(), Value::Array(jobs));
        let mut table = String::from(
            "## Short jobs\n\nEach job is busy for this length, in a cgroup of its own that exists as long as the job, beside an encode. Tick of 1 s. `captured`: CPU time under the names of the jobs, relative to the kernel's `cpu.stat`.\n\n\
             | length | jobs | captured | named |\n|---|---|---|---|\n",
        );
        for one in all {
            table.extend([format!(
                "| {} s | {} | {:.2} % | {} of {} |\n",
                one.length,
                one.jobs,
                one.cpu * 100.0,
                one.named,
                one.jobs
            )]);
        }
        table.push('\n');
        self.add(&table);
    }

    pub(super) fn counters(&mut self, all: &[Counter]) {
        let counters: Vec<Value> = all
            .iter()
            .map(|one| json!({ "what": one.what, "seen": one.seen, "true_joules": one.total, "difference_joules": one.difference }))
            .collect();
        self.json.insert("counters".to_owned(), Value::Array(counters));
        let mut table = String::from(
            "## Faults of counters\n\nThe first counter has a range of 50 J, and wraps every two seconds. Each of the others has a fault in the \
             middle of the run. The energy between the last reading and a reset is unknown; the agent counts the new position of the counter. For the counter \
             that stands still, the second column has the resets that the agent saw, of which there should be none.\n\n\
             | the counter | times seen by the agent | true energy | error |\n|---|---|---|---|\n",
        );
        for one in all {
            table.extend([format!(
                "| {} | {} | {:.1} J | {:+.3} J |\n",
                one.what, one.seen, one.total, one.difference
            )]);
        }
        self.add(&table);
    }

    /// Renews these sections of the page.
    pub(super) fn renew(&self, root: &Path) -> anyhow::Result<()> {
        let path = root.join(super::PAGE);
        self.sections.iter().try_for_each(|section| page::renew(&path, &page::dated(section)?))
    }

    pub(super) fn finish(&self, root: &Path) -> anyhow::Result<()> {
        let json = root.join("target/accuracy.json");
        fs::write(&json, serde_json::to_vec_pretty(&self.json)?)
            .with_context(|| format!("cannot write {}", json.display()))?;
        let path = root.join(super::PAGE);
        let parts: Vec<&str> =
            std::iter::once(&self.head).chain(&self.sections).map(|part| part.trim()).collect();
        fs::write(&path, parts.join("\n\n") + "\n")
            .with_context(|| format!("cannot write {}", path.display()))?;
        say(&format!("written: {}, {}", path.display(), json.display()));
        Ok(())
    }
}
