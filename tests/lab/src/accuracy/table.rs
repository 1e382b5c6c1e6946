//! Formats the results as tables.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use anyhow::Context;
use serde_json::{Map, Value, json};

use super::jobs::Captured;
use super::peers::Compared;
use super::windows::{Counter, Found};
use xtask::process::{day_and_machine, say};

/// docs/ACCURACY.md, section by section, and the same as JSON.
#[derive(Debug)]
pub(super) struct Report {
    text: String,
    json: Map<String, Value>,
}

impl Report {
    pub(super) fn new(seconds: u64) -> anyhow::Result<Self> {
        let mut text = String::from(
            "# Accuracy\n\n\
             Written by `cargo xtask accuracy`. A simulated host: real processes in real cgroups, an energy counter that advances \
             every millisecond by a power model over the kernel's own accounting of their CPU time, in steps of 61 µJ, above an idle power of 12 W. So \
             the true joules of each workload are known. The agent is the release build; the agent, the simulator and whoever \
             scrapes are part of the machine. The truth is a cgroup's `cpu.stat` of all CPUs' `cpuacct.usage_percpu`, sampled every \
             millisecond: a task that runs is in it only up to the scheduler's last tick (4 ms at 250 Hz), so in 100 ms \
             it is itself no better than that, and in 1 s, of a workload that runs for some tens of milliseconds, as the encodes \
             here do (9 W × 0.04 s), it may be off by a few percent.\n\n",
        );
        writeln!(text, "{}, {seconds} s a run.\n", day_and_machine()?)?;
        text.push_str("## Error by workload\n\nOf each window's energy above idle, relative to the truth. `bias`: the mean error with its sign. `covered`: windows whose error was within the uncertainty that the agent states. Windows in which a workload drew less than 0.25 W are left out.\n\n");
        Ok(Self { text, json: Map::new() })
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

    fn add(&mut self, table: &str) {
        say(table);
        self.text.push_str(table);
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
            "## Others on the same counters\n\nIn one run, `linear`, {:.0} s. The host's energy: ffwatt {}, node_exporter {}, \
             Scaphandre {}.\n\nScaphandre gives the whole host's power, idle or not, to processes by their use of all CPUs; so its figures are \
             held against the truth by that definition as well.\n\n\
             | workload | true, above idle | ffwatt | Scaphandre | Scaphandre, by its own definition |\n|---|---|---|---|---|\n",
            all.seconds,
            percent(Some(all.host)),
            percent(Some(all.node_exporter)),
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

    pub(super) fn jobs(&mut self, all: &[Captured]) {
        let jobs: Vec<Value> = all
            .iter()
            .map(|one| json!({ "seconds": one.length, "jobs": one.jobs, "captured": one.cpu, "named": one.named }))
            .collect();
        self.json.insert("jobs".to_owned(), Value::Array(jobs));
        let mut table = String::from(
            "## Short jobs\n\nBusy for so long, in a cgroup made for each and removed after it, beside an encode; tick of 1 s. `captured`: CPU time under the jobs' own names, of the kernel's `cpu.stat`.\n\n\
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
            "## Counters in trouble\n\nOne with a range of 50 J that goes around every two seconds, and others to which something \
             happens in the middle of the run. What is drawn in the tick in which a counter is set back is not known, and not made up.\n\n\
             | the counter | seen by the agent | true energy | ffwatt's less the truth |\n|---|---|---|---|\n",
        );
        for one in all {
            table.extend([format!(
                "| {} | {} | {:.1} J | {:+.3} J |\n",
                one.what, one.seen, one.total, one.difference
            )]);
        }
        self.add(&table);
    }

    pub(super) fn finish(&self, root: &Path) -> anyhow::Result<()> {
        let json = root.join("target/accuracy.json");
        fs::write(&json, serde_json::to_vec_pretty(&self.json)?)
            .with_context(|| format!("cannot write {}", json.display()))?;
        let path = root.join("docs/ACCURACY.md");
        let text = format!("{}\n", self.text.trim_end());
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        say(&format!("written: {}, {}", path.display(), json.display()));
        Ok(())
    }
}
