//! How are the findings written down?

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::Context;

use super::jobs::Captured;
use super::windows::{Counter, Found};
use crate::process::{output, say};

/// docs/ACCURACY.md, as it grows.
#[derive(Debug)]
pub(super) struct Report {
    text: String,
}

impl Report {
    pub(super) fn new(seconds: u64) -> anyhow::Result<Self> {
        let said = |program: &str, arguments: &[&str]| output(Command::new(program).args(arguments));
        let cpus = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
        let mut text = String::from(
            "# Accuracy\n\n\
             Written by `cargo xtask accuracy`. A simulated host: real processes in real cgroups, an energy counter that advances \
             every millisecond by a power model over the kernel's own accounting of their CPU time (12 W idle; `linear`: 9 W for each \
             busy CPU; `concave`: 18 W × use^0.6 for all CPUs), in steps of 61 µJ. So the true joules of each workload are known. The \
             agent is the release build; the agent, the simulator and whoever scrapes are part of the machine. The truth is a cgroup's `cpu.stat` of the whole machine's `cpuacct.usage`, sampled every millisecond: in 100 ms it is itself only as good as the scheduler's tick.\n\n",
        );
        let date = said("date", &["-u", "+%Y-%m-%d"])?;
        let kernel = said("uname", &["-r"])?;
        writeln!(
            text,
            "{}, Linux {}, {cpus} CPUs (virtual), {seconds} s a run.\n",
            date.trim(),
            kernel.trim()
        )?;
        text.push_str("## Error by workload\n\nOf each window's energy above idle, relative to the truth. `bias`: the mean error with its sign. `covered`: windows whose error was within the uncertainty that the agent states. Windows in which a workload drew less than 0.25 W are left out.\n\n");
        Ok(Self { text })
    }

    pub(super) fn windows(&mut self, title: &str, interval: &str, found: &Found) {
        let percent = |value: f64| format!("{:.2} %", value * 100.0);
        let mut table = format!(
            "### {title} power, tick of {interval}\n\n\
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
        let exporter = found
            .node_exporter
            .map_or_else(|| "not installed".to_owned(), |error| format!("{:+.3} %", error * 100.0));
        table.extend([format!(
            "\nHost, over the whole run: ffwatt {:+.3} %, node_exporter {exporter}. Largest residual of any scrape: {} µJ.\n\n",
            found.host * 100.0,
            found.residual
        )]);
        say(&table);
        self.text.push_str(&table);
    }

    pub(super) fn jobs(&mut self, all: &[Captured]) {
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
        say(&table);
        self.text.push_str(&table);
    }

    pub(super) fn counters(&mut self, wraps: &Counter, reset: &Counter) {
        let row = |name: &str, counter: &Counter| {
            format!(
                "| {name} | {} | {:.1} J | {:+.3} J |\n",
                counter.times, counter.total, counter.difference
            )
        };
        let table = format!(
            "## Counters\n\nA counter with a range of 50 J that goes around every two seconds, and one that is set back to 0 once (its tick's energy is not known, and not made up).\n\n\
             | what | times | true energy | ffwatt's less the truth |\n|---|---|---|---|\n{}{}\n",
            row("goes around", wraps),
            row("set back", reset)
        );
        say(&table);
        self.text.push_str(&table);
    }

    pub(super) fn finish(&self, root: &Path) -> anyhow::Result<()> {
        let path = root.join("docs/ACCURACY.md");
        let text = format!("{}\n", self.text.trim_end());
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        say(&format!("written: {}", path.display()));
        Ok(())
    }
}
