//! Figures that README and METHOD quote from the measured tables of ACCURACY and PERFORMANCE.
//!
//! `cargo xtask docs` writes them where they stand, and `cargo xtask tidy` refuses others.

mod table;

use std::fs;
use std::path::Path;

use anyhow::Context;

use table::{cell, cells, column, percent, section};

/// The pages with the tables.
struct Measured {
    accuracy: String,
    performance: String,
}

/// A figure in a sentence: the page, the words before and after it, and where it comes from.
type Quote = (&'static str, &'static str, &'static str, fn(&Measured) -> anyhow::Result<String>);

const README: &str = "README.md";
const METHOD: &str = "docs/METHOD.md";

/// Machines whose power is linear in busy CPUs.
const LINEAR: [&str; 4] = ["linear", "two sockets", "two dies", "per-core"];

/// Machines whose power is not proportional to CPU time.
const OTHERS: [&str; 3] = ["rough", "smt", "concave"];

const QUOTES: [Quote; 18] = [
    (README, "energy above idle is at most ", " in windows of 1 s", |of| largest_median(of, &LINEAR)),
    (README, "the median error in such windows is up to ", ". Each tool", |of| largest_median(of, &OTHERS)),
    (README, "* **Short jobs:** ", " jobs of 50 ms", |of| short_job(of, "named")),
    (README, "had their own name, with ", " of the CPU time", |of| short_job(of, "captured")),
    (README, "* **Cost of the agent:** ", " per task switch", |of| switches(of, "agent")),
    (README, "(a program that stores a timestamp: ", ")", |of| switches(of, "timestamp")),
    (README, "and a tick of 1 s: ", " of one core", |of| {
        cell(section(&of.performance, "## Number of cgroups")?, "cgroups", "100", "CPU, tick 1 s")
    }),
    (README, "after 20 minutes, ", " of memory", |of| {
        cell(section(&of.performance, "## Memory")?, "cgroups", "100", "resident")
    }),
    (README, "ffwatt was within ", " of each workload's", |of| peer(of, "ffwatt")),
    (README, "includes idle power, was within ", " of the truth by its own", |of| {
        peer(of, "Scaphandre, by its own definition")
    }),
    (README, "was off by ", " in ffwatt", |of| host(of, "ffwatt ")),
    (README, "in ffwatt, by ", " in Scaphandre", |of| host(of, "Scaphandre ")),
    (README, "in Scaphandre, and by ", " in node_exporter", |of| host(of, "node_exporter ")),
    (METHOD, "median error of each workload is at most ", " in windows", |of| {
        largest_median(of, &["per-core"])
    }),
    (METHOD, "the median errors are at most ", " in windows", |of| largest_median(of, &["igpu"])),
    (METHOD, "core half of the time gets ", " on *smt*", |of| {
        let bias = biases(of, "smt")?.into_iter().fold(0.0, |worst: f64, bias| worst.min(bias));
        anyhow::ensure!(bias < 0.0, "no workload of smt gets too little");
        Ok(format!("{:.2} % too little", -bias))
    }),
    (METHOD, "biases are ", " in windows", |of| {
        let all = biases(of, "concave")?;
        let [low, high] =
            [all.iter().copied().fold(f64::MAX, f64::min), all.iter().copied().fold(f64::MIN, f64::max)];
        Ok(format!("from {low:+.1} to {high:+.1} %").replace('-', "−"))
    }),
    (METHOD, "BD-energy of two presets of x264 is within ", " of the true one", |of| {
        let errors = column(section(&of.accuracy, "## Benches")?, "bench", "error")?;
        Ok(format!("{:.2} %", worst(&errors)?))
    }),
];

/// Writes the figures of the tables where they are quoted.
pub(crate) fn write(root: &Path) -> anyhow::Result<()> {
    let measured = measured(root)?;
    for page in [README, METHOD] {
        let path = root.join(page);
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        fs::write(&path, quoted(page, &text, &measured)?)
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

/// Adds a finding for each page with another figure than its table.
pub(crate) fn check(root: &Path, findings: &mut Vec<String>) -> anyhow::Result<()> {
    let measured = measured(root)?;
    for page in [README, METHOD] {
        let text = fs::read_to_string(root.join(page)).with_context(|| format!("cannot read {page}"))?;
        if quoted(page, &text, &measured)? != text {
            findings.push(format!("{page}: quotes other figures than the tables: run `cargo xtask docs`"));
        }
    }
    Ok(())
}

fn measured(root: &Path) -> anyhow::Result<Measured> {
    let read =
        |page: &str| fs::read_to_string(root.join(page)).with_context(|| format!("cannot read {page}"));
    Ok(Measured { accuracy: read("docs/ACCURACY.md")?, performance: read("docs/PERFORMANCE.md")? })
}

/// The page with the figures of the tables.
fn quoted(page: &str, text: &str, measured: &Measured) -> anyhow::Result<String> {
    let mut text = text.to_owned();
    for (_, before, after, figure) in QUOTES.iter().filter(|(on, ..)| *on == page) {
        let words = || format!("{page} does not say \"{before}…{after}\" once");
        anyhow::ensure!(text.matches(before).count() == 1, words());
        let from = text.find(before).with_context(words)? + before.len();
        let to = from + text[from..].find(after).with_context(words)?;
        text.replace_range(from..to, &figure(measured).with_context(words)?);
    }
    Ok(text)
}

/// The largest median of any workload, in windows of 1 s.
fn largest_median(of: &Measured, machines: &[&str]) -> anyhow::Result<String> {
    let mut medians = Vec::new();
    for machine in machines {
        medians.extend(in_seconds(of, machine, "median")?);
    }
    Ok(format!("{:.2} %", worst(&medians)?))
}

fn biases(of: &Measured, machine: &str) -> anyhow::Result<Vec<f64>> {
    in_seconds(of, machine, "bias")?.iter().map(|bias| percent(bias)).collect()
}

/// A column of the windows of 1 s.
fn in_seconds(of: &Measured, machine: &str, title: &str) -> anyhow::Result<Vec<String>> {
    let of_machine = section(&of.accuracy, &format!("### {machine} power, tick of 1s"))?;
    let (titles, rows) = cells(of_machine, "workload")?;
    let place =
        |title: &str| titles.iter().position(|known| *known == title).with_context(|| format!("no {title}"));
    let (window, wanted) = (place("window")?, place(title)?);
    Ok(rows.into_iter().filter(|row| row[window] == "1 s").map(|row| row[wanted].to_owned()).collect())
}

fn short_job(of: &Measured, title: &str) -> anyhow::Result<String> {
    cell(section(&of.accuracy, "## Short jobs")?, "length", "0.05 s", title)
}

/// Run times of a program: from the least to the most of all loads.
fn switches(of: &Measured, title: &str) -> anyhow::Result<String> {
    let all = column(section(&of.performance, "## Context switches")?, "load", title)?;
    let nanoseconds = |text: &String| text.trim_end_matches(" ns").parse::<u32>().context("no nanoseconds");
    let all = all.iter().map(nanoseconds).collect::<anyhow::Result<Vec<u32>>>()?;
    let (least, most) = all.iter().min().zip(all.iter().max()).context("no load")?;
    Ok(format!("{least} to {most} ns"))
}

/// The largest error of a tool on the same counters.
fn peer(of: &Measured, title: &str) -> anyhow::Result<String> {
    let errors = column(section(&of.accuracy, "## Other tools on the same counters")?, "workload", title)?;
    Ok(format!("{:.2} %", worst(&errors)?))
}

/// Error of the host's energy by a tool: the first percentage after its name in the sentence of all tools.
fn host(of: &Measured, tool: &str) -> anyhow::Result<String> {
    let section = section(&of.accuracy, "## Other tools on the same counters")?;
    let sentence =
        section.split_once("Errors of the host's energy: ").context("no errors of the host's energy")?.1;
    let of_tool = sentence.split_once(tool).with_context(|| format!("no error of {tool}"))?.1;
    let text = of_tool.split(" %").next().and_then(|text| text.split(' ').next_back()).context("no error")?;
    Ok(format!("{:.2} %", percent(text)?.abs()))
}

/// The largest of some percentages, without its sign.
fn worst(percentages: &[String]) -> anyhow::Result<f64> {
    let all = percentages.iter().map(|text| percent(text)).collect::<anyhow::Result<Vec<f64>>>()?;
    all.into_iter().map(f64::abs).max_by(f64::total_cmp).context("no figure")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pages() -> Measured {
        let accuracy = "# Accuracy\n\n### smt power, tick of 1s\n\n| workload | window | median | bias |\n|---|---|---|---|\n\
             | a | 1 s | 2.21 % | -2.25 % |\n| b | 1 s | 0.48 % | +0.42 % |\n| a | 10 s | 9.00 % | -9.00 % |\n\n\
             ## Other tools on the same counters\n\nErrors of the host's energy: ffwatt -0.01 %, node_exporter 1.5.0 +0.02 %, \
             Scaphandre 1.0.0 –.\n";
        let performance = "# Performance\n\n## Context switches\n\n| load | agent |\n|---|---|\n| x | 90 ns |\n| y | 107 ns |\n| z | 88 ns |\n";
        Measured { accuracy: accuracy.to_owned(), performance: performance.to_owned() }
    }

    #[test]
    fn figures_are_those_of_the_tables() {
        let pages = pages();
        assert_eq!(largest_median(&pages, &["smt"]).unwrap(), "2.21 %");
        assert_eq!(switches(&pages, "agent").unwrap(), "88 to 107 ns");
        assert_eq!(
            [host(&pages, "ffwatt ").unwrap(), host(&pages, "node_exporter ").unwrap()],
            ["0.01 %", "0.02 %"]
        );
        assert!(host(&pages, "Scaphandre ").is_err(), "it is not known");
        assert!(largest_median(&pages, &["smt", "concave"]).is_err(), "a machine is missing");
    }

    #[test]
    fn words_that_are_gone_or_twice_are_an_error() {
        for text in
            ["nothing", "* **Short jobs:** 1 of 2 jobs of 50 ms. * **Short jobs:** 1 of 2 jobs of 50 ms."]
        {
            assert!(quoted(README, text, &pages()).is_err(), "{text}");
        }
    }
}
