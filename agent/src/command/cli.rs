//! Reads the command line.
//!
//! The flags of the configuration come from [`KEYS`]; what they set is resolved in [`crate::config`].

mod help;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Command};

use crate::command::advise;
use crate::command::bench;
use crate::command::calibrate::{self, CalibrateOptions};
use crate::command::report;
use crate::command::results_check;
use crate::command::top;
use crate::config::keys::KEYS;
use crate::config::{FILE_VARIABLE, Layers};
use crate::quality;

/// The command to run.
#[derive(Debug)]
pub(crate) enum Action {
    /// Run the agent.
    Run,
    /// Check every source.
    Check {
        /// As JSON.
        json: bool,
        /// Only check whether the agent that runs here has figures.
        ready: bool,
    },
    /// Measure idle power.
    Calibrate(CalibrateOptions),
    /// Run scenarios.
    Bench(Box<Result<bench::Options, bench::BatchError>>),
    /// Compare encodes with their sources.
    Quality(Result<quality::Options, String>),
    /// Rank a run, or add up transcodes of the ledger.
    Report(report::Options),
    /// Find the cheapest setting that is good enough.
    Advise(Result<advise::Options, String>),
    /// Show what is read from result files.
    ResultsCheck(Vec<PathBuf>),
    /// Show a running agent's figures.
    Top(top::Options),
    /// Print the configuration.
    Config {
        /// The defaults, whatever the configuration.
        default: bool,
    },
}

impl Action {
    /// Whether it reads counters or loads programs, which needs capabilities. All other commands run with the caller's own rights.
    pub(crate) fn needs_rights(&self) -> bool {
        matches!(self, Self::Run | Self::Check { ready: false, .. } | Self::Calibrate(_))
    }
}

/// The parsed command line.
#[derive(Debug)]
pub(crate) struct Invocation {
    /// The command to run.
    pub action: Action,
    /// Layers of the configuration.
    pub layers: Layers,
}

/// Path of the configuration file when none is named.
pub(crate) const DEFAULT_FILE: &str = "/etc/ffwatt/ffwatt.toml";

/// Syntax of the command line.
pub fn command() -> Command {
    let run = Command::new("run").about("Run the agent (the default)").after_long_help(help::RUN);
    let check = Command::new("check")
        .about("Check each source: its state, the reason, and what helps")
        .after_long_help(help::CHECK)
        .arg(Arg::new("json").long("json").action(ArgAction::SetTrue).help("Print JSON"))
        .arg(
            Arg::new("ready")
                .long("ready")
                .action(ArgAction::SetTrue)
                .conflicts_with("json")
                .help("Only ask the running agent whether it has figures (for health checks)"),
        );
    let config = Command::new("config")
        .about("Print the configuration in use, as a commented file")
        .after_long_help(help::CONFIG)
        .arg(Arg::new("default").long("default").action(ArgAction::SetTrue).help("Print the defaults"));
    let bench = bench::command()
        .after_long_help(help::BENCH)
        .mut_subcommands(|command| command.after_long_help(help::BENCH));
    let results = results_check::command()
        .after_long_help(help::RESULTS)
        .mut_subcommands(|command| command.after_long_help(help::RESULTS));
    let subcommands: [(Command, &[&str]); 10] = [
        (run, help::OF_RUN),
        (check, help::OF_RUN),
        (calibrate::command().after_long_help(help::CALIBRATE), &["state_dir", "energy.source"]),
        (bench, &[]),
        (quality::command().after_long_help(help::QUALITY), &["quality.ffmpeg", "quality.timeout"]),
        (report::command().after_long_help(help::REPORT), &["state_dir", "results_dir"]),
        (advise::command().after_long_help(help::ADVISE), &["state_dir", "results_dir"]),
        (results, &[]),
        (top::command().after_long_help(help::TOP), &["listen.port"]),
        (config, &[]),
    ];
    let command = Command::new("ffwatt")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Energy of each ffmpeg container and transcode, in joules")
        .after_long_help(help::AFTER_LONG)
        // A wrapper can append flags to the given ones: the last one counts.
        .args_override_self(true)
        .max_term_width(100);
    subcommands.into_iter().fold(help::with_keys(command, help::COMMON), |command, (subcommand, keys)| {
        command.subcommand(help::with_keys(subcommand, keys))
    })
}

/// Reads the command line; `environment` is this process's.
pub(crate) fn parse(matches: &ArgMatches, environment: BTreeMap<OsString, OsString>) -> Invocation {
    let (action, matches) = match matches.subcommand() {
        Some(("check", matches)) => {
            (Action::Check { json: matches.get_flag("json"), ready: matches.get_flag("ready") }, matches)
        }
        Some(("calibrate", matches)) => (Action::Calibrate(calibrate::options(matches)), matches),
        Some(("bench", matches)) => (Action::Bench(Box::new(bench::options(matches))), matches),
        Some(("quality", matches)) => (Action::Quality(quality::options(matches)), matches),
        Some(("report", matches)) => (Action::Report(report::options(matches)), matches),
        Some(("advise", matches)) => (Action::Advise(advise::options(matches)), matches),
        Some(("results", matches)) => (Action::ResultsCheck(results_check::files(matches)), matches),
        Some(("top", matches)) => (Action::Top(top::options(matches)), matches),
        Some(("config", matches)) => (Action::Config { default: matches.get_flag("default") }, matches),
        Some((_, matches)) => (Action::Run, matches),
        None => (Action::Run, matches),
    };
    let named = matches.get_one::<String>("config").map(PathBuf::from);
    let from_environment = || environment.get(&OsString::from(FILE_VARIABLE)).filter(|path| !path.is_empty());
    let file = named
        .or_else(|| from_environment().map(PathBuf::from))
        .or_else(|| Some(PathBuf::from(DEFAULT_FILE)).filter(|path| path.exists()));
    let flags = KEYS
        .iter()
        .filter_map(|key| Some((key.path, matches.get_one::<String>(key.path)?.clone())))
        .collect();
    Invocation { action, layers: Layers { file, environment, flags, is_restricted: false } }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(arguments: &[&str]) -> Invocation {
        let arguments = std::iter::once("ffwatt").chain(arguments.iter().copied());
        parse(&command().try_get_matches_from(arguments).unwrap(), BTreeMap::new())
    }

    #[test]
    fn the_grammar_is_consistent() {
        command().debug_assert();
    }

    #[test]
    fn flags_before_and_after_the_subcommand() {
        for arguments in [&["--interval", "2s", "run"][..], &["run", "--interval", "2s"], &["--interval=2s"]]
        {
            let invocation = parsed(arguments);
            assert!(matches!(invocation.action, Action::Run));
            assert_eq!(invocation.layers.flags["interval"], "2s");
        }
        assert!(matches!(parsed(&["check", "--json"]).action, Action::Check { json: true, ready: false }));
        assert_eq!(parsed(&["--config", "x.toml"]).layers.file, Some("x.toml".into()));
    }

    /// An agent with more rights than its caller checks the given keys. So that nothing else evades the check, `run`, `check` and
    /// `calibrate` have no other options that name anything.
    #[test]
    fn what_needs_rights_has_keys_for_options() {
        let command = command();
        let others = ["config", "json", "ready", "length", "forget", "help", "version"];
        for name in ["run", "check", "calibrate"] {
            assert!(parsed(&[name]).action.needs_rights());
            let subcommand = command.find_subcommand(name).unwrap();
            for option in command.get_arguments().chain(subcommand.get_arguments()) {
                let id = option.get_id().as_str();
                let is_key = KEYS.iter().any(|key| key.path == id);
                assert!(
                    is_key || others.contains(&id),
                    "{name} {id}: may a caller with fewer rights choose it?"
                );
            }
            assert_eq!(subcommand.get_subcommands().count(), 0);
        }
        for arguments in [
            &["check", "--ready"][..],
            &["config"],
            &["report"],
            &["advise", "--vmaf-min", "93"],
            &["results", "check", "a"],
            &["top"],
            &["bench"],
            &["quality", "a", "b"],
        ] {
            assert!(!parsed(arguments).action.needs_rights(), "{arguments:?}");
        }
    }

    #[test]
    fn an_unknown_flag_is_an_error() {
        assert!(command().try_get_matches_from(["ffwatt", "--listen.prot", "1"]).is_err());
    }
}
