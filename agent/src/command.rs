//! The commands of `ffwatt`: rights → command line → configuration → logging → action.
//!
//! Exit codes: 0 done, 1 could not run, 2 wrong usage or configuration, 3 (`check`) works with limits.

mod address;
pub(crate) mod advise;
pub(crate) mod bench;
pub(crate) mod calibrate;
pub(crate) mod check;
pub(crate) mod cli;
pub(crate) mod report;
pub(crate) mod results_check;
pub(crate) mod run;
pub(crate) mod top;

use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};
use tracing::level_filters::LevelFilter;

use crate::config::{self, Config, Layers, LogFormat, LogLevel};
use crate::privileges;
use crate::quality::{self, QualityError};
use crate::results;
use bench::Ending;
use cli::Action;

const EXIT_FAILED: u8 = 1;
const EXIT_USAGE: u8 = 2;
const EXIT_LIMITED: u8 = 3;
/// The shell's exit code for SIGINT.
const EXIT_STOPPED: u8 = 130;

/// Runs the command of the command line; returns the exit code.
pub fn main() -> ExitCode {
    let is_elevated = match privileges::start() {
        Ok(is_elevated) => is_elevated,
        Err(error) => {
            complain(&format!("{:#}", anyhow::Error::new(error)));
            return EXIT_FAILED.into();
        }
    };
    let matches = match cli::command().try_get_matches() {
        Ok(matches) => matches,
        Err(error) => {
            // Help and version are "errors" too, and go to standard output.
            let _ = error.print();
            return if error.use_stderr() { EXIT_USAGE.into() } else { ExitCode::SUCCESS };
        }
    };
    let mut invocation = cli::parse(&matches, std::env::vars_os().collect());
    if is_elevated {
        invocation.layers = match limit_to_caller(invocation.layers, invocation.action.needs_rights()) {
            Ok(layers) => layers,
            Err((error, code)) => {
                complain(&format!("{error:#}"));
                return code.into();
            }
        };
    }
    for name in invocation.layers.unknown_variables() {
        let name = name.to_string_lossy();
        complain(&format!(
            "warning: unknown environment variable {name}; `ffwatt config` lists the known variables"
        ));
    }
    let config = match invocation.layers.resolve() {
        Ok(config) => config,
        Err(error) => {
            complain(&format!("{:#}", anyhow::Error::new(error)));
            return EXIT_USAGE.into();
        }
    };
    match act(invocation.action, &config, &invocation.layers) {
        Ok(code) => code,
        Err(error) => {
            complain(&format!("{error:#}"));
            EXIT_FAILED.into()
        }
    }
}

/// Limits a process with more rights than its caller: it either gives them up, or takes nothing from its caller that could misuse them.
fn limit_to_caller(layers: Layers, needs_rights: bool) -> Result<Layers, (anyhow::Error, u8)> {
    if !needs_rights {
        privileges::act_as_caller().map_err(|error| (error.into(), EXIT_FAILED))?;
        return Ok(layers);
    }
    let ignored: Vec<_> = layers.known_variables().map(|name| name.to_string_lossy().into_owned()).collect();
    if !ignored.is_empty() {
        complain(&format!(
            "warning: this ffwatt has file capabilities and ignores its caller's environment ({}); use flags or {}",
            ignored.join(", "),
            cli::DEFAULT_FILE
        ));
    }
    privileges::shed_environment(&layers.environment).map_err(|error| (error.into(), EXIT_FAILED))?;
    layers.restricted(cli::DEFAULT_FILE.as_ref()).map_err(|error| (error.into(), EXIT_USAGE))
}

fn act(action: Action, config: &Config, layers: &Layers) -> anyhow::Result<ExitCode> {
    match action {
        Action::Run => {
            start_log(config);
            run::run(config, || layers.resolve()).map(|()| ExitCode::SUCCESS)
        }
        Action::Check { ready: true, .. } => Ok(match check::ready(config) {
            Ok(()) => ExitCode::SUCCESS,
            Err(problem) => {
                complain(&problem);
                EXIT_FAILED.into()
            }
        }),
        Action::Check { json, .. } => {
            let report = check::report(config)?;
            let text = if json { report.json()? } else { report.text() };
            print(&text)?;
            Ok(match report.verdict() {
                check::Verdict::Ready => ExitCode::SUCCESS,
                check::Verdict::Limited => EXIT_LIMITED.into(),
                check::Verdict::CannotRun => EXIT_FAILED.into(),
            })
        }
        Action::Calibrate(options) => {
            calibrate::run(&options, config, &mut std::io::stdout())?;
            Ok(ExitCode::SUCCESS)
        }
        Action::Bench(options) => {
            let options = match *options {
                Ok(options) => options,
                Err(error) => return Ok(wrong_usage(&format!("{:#}", anyhow::Error::new(error)))),
            };
            start_log(config);
            Ok(match bench::run(&options, (config, layers), &stop_by_signal()?, &mut std::io::stdout())? {
                Ending::Done => ExitCode::SUCCESS,
                Ending::Failed => EXIT_FAILED.into(),
                Ending::Stopped => EXIT_STOPPED.into(),
            })
        }
        Action::Quality(options) => {
            let options = match options {
                Ok(options) => options,
                Err(problem) => return Ok(wrong_usage(&problem)),
            };
            start_log(config);
            let mut text = Vec::new();
            let all_well = match quality::run(&options, config, &*stop_by_signal()?, &mut text) {
                Err(QualityError::Stopped) => return Ok(EXIT_STOPPED.into()),
                result => result?,
            };
            print(&String::from_utf8_lossy(&text))?;
            Ok(if all_well { ExitCode::SUCCESS } else { EXIT_FAILED.into() })
        }
        Action::Report(options) => {
            start_log(config);
            let mut text = Vec::new();
            report::run(&options, config, &results::prices(config)?, &mut text)?;
            print(&String::from_utf8_lossy(&text))?;
            Ok(ExitCode::SUCCESS)
        }
        Action::Advise(options) => {
            let options = match options {
                Ok(options) => options,
                Err(problem) => return Ok(wrong_usage(&problem)),
            };
            start_log(config);
            let mut text = Vec::new();
            advise::run(&options, config, &results::prices(config)?, &mut text)?;
            print(&String::from_utf8_lossy(&text))?;
            Ok(ExitCode::SUCCESS)
        }
        Action::ResultsCheck(files) => {
            let (text, all_read) = results_check::run(&files);
            print(&text)?;
            Ok(if all_read { ExitCode::SUCCESS } else { EXIT_FAILED.into() })
        }
        Action::Top(options) => {
            let mut text = Vec::new();
            match top::run(&options, config, &mut text) {
                Err(error) if error.is_usage() => {
                    complain(&error.to_string());
                    return Ok(EXIT_USAGE.into());
                }
                result => result?,
            }
            print(&String::from_utf8_lossy(&text))?;
            Ok(ExitCode::SUCCESS)
        }
        Action::Config { default } => {
            let config = if default { &Config::default() } else { config };
            if let Err(error) = run::validate(config) {
                complain(&format!("{error:#}"));
                return Ok(EXIT_USAGE.into());
            }
            print(&config::print(config))?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

/// A flag that becomes true with SIGINT or SIGTERM.
fn stop_by_signal() -> anyhow::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&stop);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.context("cannot start the runtime")?;
    let entered = runtime.enter();
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    drop(entered);
    std::thread::spawn(move || {
        runtime.block_on(async {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        });
        told.store(true, Ordering::Relaxed);
    });
    Ok(stop)
}

/// Prints to standard output, which may be a pipe that closes early.
fn print(text: &str) -> anyhow::Result<()> {
    match std::io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        result => result.context("cannot write to standard output"),
    }
}

fn wrong_usage(problem: &str) -> ExitCode {
    complain(problem);
    EXIT_USAGE.into()
}

fn complain(message: &str) {
    // Without standard error the message cannot be shown.
    let _ = writeln!(std::io::stderr(), "ffwatt: {message}");
}

fn start_log(config: &Config) {
    let level = match config.log.level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    let builder = tracing_subscriber::fmt().with_max_level(level).with_writer(std::io::stderr);
    match config.log.format {
        LogFormat::Text => builder.with_target(false).with_ansi(std::io::stderr().is_terminal()).init(),
        LogFormat::Json => builder.json().init(),
    }
}
