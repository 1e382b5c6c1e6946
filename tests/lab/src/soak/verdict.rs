//! Samples the agent's figures over time, and compares them with their limits.

use std::collections::HashSet;
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, ensure};
use tests::exposition::Exposition;

use super::churn::Counts;
use super::prober::Answers;

/// Rows of the table.
const ROWS: usize = 12;

/// Growth of memory from the second quarter to the last that is noise: allocators keep memory for later use.
const MEMORY_GROWTH: f64 = 1.1;
const MEMORY_NOISE: f64 = 3e6;

/// Below this length memory is not judged: tables grow until as many workloads end as begin.
const MEMORY_SETTLES: Duration = Duration::from_mins(5);

/// Descriptors and threads that vary with connections.
const FEW: f64 = 3.0;

/// The longest that a scrape may take.
const LONGEST_SCRAPE: Duration = Duration::from_secs(1);

/// Counters that have to stay at 0.
const LOSSES: [&str; 5] = [
    "ffwatt_lost_events_total",
    "ffwatt_lost_charges_total",
    "ffwatt_lost_records_total",
    "ffwatt_bpf_reattached_total",
    "ffwatt_energy_resets_total",
];

/// Figures at one time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample {
    at: Duration,
    memory: f64,
    files: f64,
    threads: f64,
    workloads: usize,
    fault: &'static str,
}

impl Sample {
    pub(super) fn of(scrape: &Exposition, at: Duration, fault: &'static str) -> anyhow::Result<Self> {
        let figure = |name: &str| scrape.sum(name, &[]).with_context(|| format!("no {name}"));
        Ok(Self {
            at,
            memory: figure("process_resident_memory_bytes")?,
            files: figure("process_open_fds")?,
            threads: figure("process_threads")?,
            workloads: scrape.all("ffwatt_workload_cpu_seconds_total").count(),
            fault,
        })
    }
}

/// Samples and results of a soak.
#[derive(Debug, Default)]
pub(super) struct Verdict {
    samples: Vec<Sample>,
    losses: Vec<(&'static str, f64)>,
    missed: f64,
    transcodes: HashSet<String>,
    counts: Counts,
    answers: Answers,
}

impl Verdict {
    pub(super) fn take(&mut self, scrape: &Exposition, sample: Sample) {
        self.samples.push(sample);
        self.see(scrape);
    }

    /// Transcodes stay visible for some rounds after their end.
    fn see(&mut self, scrape: &Exposition) {
        let ours =
            scrape.all("ffwatt_transcode_info").filter(|info| info.label("workload").starts_with("soak-"));
        self.transcodes.extend(ours.map(|info| info.label("transcode").to_owned()));
    }

    pub(super) fn finish(&mut self, last: &Exposition, counts: Counts, answers: Answers) {
        self.see(last);
        let figure = |name: &str| last.sum(name, &[]).unwrap_or(0.0);
        self.losses = LOSSES.iter().map(|name| (*name, figure(name))).collect();
        self.missed = figure("ffwatt_missed_ticks_total");
        self.counts = counts;
        self.answers = answers;
    }

    /// Median of a figure over the second quarter, and over the last.
    fn early_and_late(&self, figure: impl Fn(&Sample) -> f64) -> (f64, f64) {
        let quarter = (self.samples.len() / 4).max(1);
        let median = |samples: &[Sample]| {
            let mut values: Vec<f64> = samples.iter().map(&figure).collect();
            values.sort_by(f64::total_cmp);
            values.get(values.len() / 2).copied().unwrap_or(0.0)
        };
        let begin = quarter.min(self.samples.len().saturating_sub(1));
        let early = &self.samples[begin..(begin + quarter).min(self.samples.len())];
        (median(early), median(&self.samples[self.samples.len().saturating_sub(quarter)..]))
    }

    /// The table and the conclusion.
    pub(super) fn text(&self) -> String {
        let mut text = String::from(
            "| after | resident | descriptors | threads | workloads shown | fault |\n|---|---|---|---|---|---|\n",
        );
        let step = self.samples.len().div_ceil(ROWS).max(1);
        for sample in self.samples.iter().step_by(step) {
            // Writing into a string cannot fail.
            let _ = writeln!(
                text,
                "| {} s | {:.1} MB | {} | {} | {} | {} |",
                sample.at.as_secs(),
                sample.memory / 1e6,
                sample.files,
                sample.threads,
                sample.workloads,
                sample.fault
            );
        }
        let Counts { rounds, encodes, jobs, cgroups, stops } = self.counts;
        let length = self.samples.last().map_or(0, |sample| sample.at.as_secs());
        let (early, late) = self.early_and_late(|sample| sample.memory);
        let losses: Vec<String> =
            self.losses.iter().map(|(name, count)| format!("`{name}` {count}")).collect();
        let _ = writeln!(
            text,
            "\n{length} s: {rounds} faults, {encodes} encodes ({} observed as transcodes), {jobs} jobs in containers, {cgroups} cgroups made and removed. The residual was \
             0 µJ in each checked scrape. Scrapes of all ports: {} answered, {} not answered, the slowest in {} ms. Median of resident memory: {:.1} MB in the second quarter, {:.1} MB in the last. {}. {} ticks were missed; the agent was stopped {stops} times.",
            self.transcodes.len(),
            self.answers.answers,
            self.answers.refusals,
            self.answers.slowest.as_millis(),
            early / 1e6,
            late / 1e6,
            losses.join(", "),
            self.missed,
        );
        text
    }

    /// An error unless all figures are within their limits.
    pub(super) fn judge(&self) -> anyhow::Result<()> {
        let (early, late) = self.early_and_late(|sample| sample.memory);
        let is_long = self.samples.last().is_some_and(|last| last.at >= MEMORY_SETTLES);
        ensure!(
            !is_long || late <= early * MEMORY_GROWTH + MEMORY_NOISE,
            "memory has grown from {early} to {late} bytes"
        );
        let (early, late) = self.early_and_late(|sample| sample.files);
        ensure!(late <= early + FEW, "descriptors have grown from {early} to {late}");
        let (early, late) = self.early_and_late(|sample| sample.threads);
        ensure!(late <= early + FEW, "threads have grown from {early} to {late}");
        let Answers { answers, refusals, slowest } = self.answers;
        ensure!(
            answers > 0 && refusals == 0,
            "{refusals} of {} scrapes were not answered",
            answers + refusals
        );
        ensure!(slowest <= LONGEST_SCRAPE, "a scrape took {slowest:?}");
        for (name, count) in &self.losses {
            ensure!(*count == 0.0, "{name} is {count}");
        }
        ensure!(
            self.missed == 0.0 || self.counts.stops > 0,
            "{} ticks were missed for no reason",
            self.missed
        );
        Ok(())
    }
}

/// The table is between these lines.
const BEGIN: &str = "<!-- written by `cargo xtask soak` -->";
const END: &str = "<!-- end -->";

/// Writes the text into its page.
pub(super) fn write(root: &Path, text: &str) -> anyhow::Result<()> {
    let path = root.join("docs/RELIABILITY.md");
    let page = fs::read_to_string(&path).context("cannot read docs/RELIABILITY.md")?;
    let (head, rest) = page.split_once(BEGIN).context("docs/RELIABILITY.md has no place for the table")?;
    let (_, tail) = rest.split_once(END).context("docs/RELIABILITY.md has no end of the table")?;
    fs::write(&path, format!("{head}{BEGIN}\n\n{text}\n{END}{tail}"))
        .context("cannot write docs/RELIABILITY.md")
}
