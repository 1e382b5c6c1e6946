//! The laboratory: demo, accuracy, cost, endurance, other kernels, Kubernetes. `cargo xtask` builds it and hands tasks to it.

#![forbid(unsafe_code)]

mod accuracy;
mod bench;
mod demo;
mod kube;
mod page;
mod soak;
mod suite;
mod vm;

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::{ArgMatches, Command};
use xtask::process::say;

fn main() -> ExitCode {
    let grammar = Command::new("cargo xtask").subcommand_required(true).subcommands(xtask::lab::commands());
    match run(&grammar.get_matches()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("xtask: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(matches: &ArgMatches) -> anyhow::Result<()> {
    match matches.subcommand() {
        Some(("demo", matches)) => {
            let seconds = *matches.get_one::<u64>("seconds").context("--seconds has a default")?;
            demo::run(&demo::Options { debug: matches.get_flag("debug"), seconds })
        }
        Some(("vm", matches)) => {
            let series: Vec<String> = matches.get_many("kernel").into_iter().flatten().cloned().collect();
            vm::run(&series, matches.get_flag("quick"))
        }
        Some(("kube", matches)) => {
            let series = matches.get_one::<String>("runtime").context("--runtime has a default")?;
            kube::run(kube::Options { series, debug: matches.get_flag("debug") })
        }
        Some(("soak", matches)) => {
            let minutes = *matches.get_one::<u64>("minutes").context("--minutes has a default")?;
            soak::run(soak::Options {
                length: Duration::from_mins(minutes),
                debug: matches.get_flag("debug"),
                write: minutes >= 10,
            })
        }
        Some(("accuracy", matches)) => {
            let seconds = *matches.get_one::<u64>("seconds").context("--seconds has a default")?;
            if matches.get_flag("model") {
                return accuracy::model();
            }
            if matches.get_flag("bench") {
                return accuracy::benches(matches.get_flag("debug"));
            }
            let only = matches.get_many::<String>("only").into_iter().flatten();
            accuracy::measure(seconds, &only.map(String::as_str).collect::<Vec<_>>())
        }
        Some(("bench", matches)) => bench::measure(matches.get_one::<String>("only").map(String::as_str)),
        _ => anyhow::bail!("no such task"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_is_measured_is_on_the_command_line() {
        assert_eq!(accuracy::measured().collect::<Vec<_>>(), xtask::lab::MEASURED);
    }
}
