//! `ffwatt report`: ranks scenarios of a result file, or adds up transcodes of the ledger.
//!
//! For a run: its result file, joined with the agent's ledger, whether the agent runs or not. For the history: the
//! ledger's transcodes, in groups and over time. A running agent on another host answers by its API. Measures of
//! efficiency are ranked each by itself; they have different units.

mod agent;
mod compare;
mod csv;
mod curves;
mod html;
mod list;
mod options;
mod parquet;
mod runs;
mod settings;
mod since;
mod text;
mod trends;

pub(crate) use agent::run_of_agent;
pub(crate) use csv::print;
pub(crate) use options::{Options, command, options};
pub(crate) use runs::{FiguredRun, figures_of_run};

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use agent_core::comparison::curves::{Curve, curves};
use agent_core::comparison::setting::{self, Setting};
use agent_core::join::figures::Prices;
use agent_core::model::joined::ScenarioFigures;
use agent_core::time::WallTime;
use agent_core::units::MicroJoules;
use jiff::tz::TimeZone;

use crate::clock::{Clock, SystemClock};
use crate::command::address::AgentAddress;
use crate::command::top::ClientError;
use crate::config::Config;
use crate::files;
use crate::ledger::{Group, Ledger, LedgerError};
use crate::source::SourceError;

use options::{Curves, Form};
use runs::{folders, named_run};
use settings::Order;

/// The reason why there is no report.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReportError {
    /// The result file cannot be used.
    #[error(transparent)]
    Results(#[from] SourceError),
    /// There is no result file.
    #[error("no result file (test_results_*.json) in {folder}: run `ffwatt bench`, or name a file", folder = folder.display())]
    NoResults {
        /// The searched folder.
        folder: PathBuf,
    },
    /// No run of the folders is new enough.
    #[error("no run in {folder} has begun since then: `ffwatt report --list` shows the runs", folder = folder.display())]
    NoneSince {
        /// The first folder.
        folder: PathBuf,
    },
    /// Several files are named for a report of one.
    #[error("a report of several result files needs --settings; --compare compares two")]
    Several,
    /// A time is given for the one run of an agent.
    #[error("--since with --url needs --by: an agent has the scenarios of its newest run")]
    OneRun,
    /// The agent gives no answer.
    #[error(transparent)]
    Agent(#[from] ClientError),
    /// The agent has no run.
    #[error(
        "the agent at {url} has no results: run `ffwatt bench` on its host, or add up its transcodes with --by"
    )]
    NoAgentResults {
        /// Its address, without a password.
        url: String,
    },
    /// The ledger cannot be used.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// A named scenario is not in the file, or in no curve.
    #[error("{option}: {run} has no {what} {name:?}; it has {known}")]
    NoScenario {
        /// The option that names it.
        option: &'static str,
        /// A scenario, or one that is in a curve.
        what: &'static str,
        /// The file.
        run: String,
        /// The requested scenario.
        name: String,
        /// The existing scenarios.
        known: String,
    },
    /// No scenario can be in a curve.
    #[error(
        "{option}: {run} has no scenario with energy, frames and a VMAF of its whole source: encode your clips with \
         `ffwatt bench --input`"
    )]
    NoCurves {
        /// The option that needs them.
        option: &'static str,
        /// The file.
        run: String,
    },
    /// A file cannot be written.
    #[error("{option} {path}", path = path.display())]
    File {
        /// The option that names it.
        option: &'static str,
        /// Its path.
        path: PathBuf,
        /// The error.
        #[source]
        cause: std::io::Error,
    },
    /// The rows cannot be written as Parquet.
    #[error("the report cannot be written as Parquet")]
    Parquet(#[from] ::parquet::errors::ParquetError),
    /// Standard output cannot be written to.
    #[error("cannot write the report")]
    Output(#[from] std::io::Error),
}

/// Writes the report.
pub(crate) fn run(
    options: &Options,
    config: &Config,
    prices: &Prices,
    out: &mut dyn Write,
) -> Result<(), ReportError> {
    if let Some(path) = &options.parquet {
        let mut json = Vec::new();
        let as_json = Options { parquet: None, form: Form::Json, ..options.clone() };
        run(&as_json, config, prices, &mut json)?;
        let rows: Vec<parquet::Row> = serde_json::from_slice(&json).map_err(std::io::Error::from)?;
        write_file("--parquet", path, &parquet::document(&rows)?)?;
        if path.is_file() {
            writeln!(out, "{} rows are in {}", rows.len(), path.display())?;
        }
        return Ok(());
    }
    if options.is_list {
        return list::write(&folders(config), options.since, options.form, out);
    }
    if options.is_trends {
        let ledger = Ledger::open_first_for_reading(&config.state_dirs())?;
        let (now, zone) = (SystemClock.wall(), TimeZone::system());
        let wanted = trends::Wanted { since: options.since, by: options.by, now, zone };
        return trends::write(&ledger, &wanted, (options.form, prices), out);
    }
    if let Some(address) = &options.agent {
        return report_agent(address, options, (config, prices), out);
    }
    if let Some(by) = options.by {
        let ledger = Ledger::open_first_for_reading(&config.state_dirs())?;
        let groups = ledger.groups(options.since.unwrap_or(WallTime(0.0)), WallTime(f64::MAX), by)?;
        return report_groups(&groups, ledger.running_total()?, (options.form, prices), out);
    }
    if let Some((one, other)) = &options.compare
        && let Some([before, after]) = two_runs([one, other], config, prices)?
    {
        return Ok(compare::write([&before, &after], options.form, out)?);
    }
    if let (Some(order), None) = (options.settings, &options.html) {
        return report_settings(order, options, (config, prices), out);
    }
    let file = match &options.files[..] {
        [] => None,
        [file] => Some(file.as_path()),
        _ => return Err(ReportError::Several),
    };
    report_run(&figures_of_run(file, config, prices)?, options, prices, out)
}

/// Writes the file that an option names. A file is replaced as a whole; a device, a pipe or a link stays and is written to.
fn write_file(option: &'static str, path: &Path, bytes: &[u8]) -> Result<(), ReportError> {
    let is_other = fs::symlink_metadata(path).is_ok_and(|known| !known.is_file());
    let written = if is_other {
        fs::write(path, bytes)
    } else {
        files::replace(path, bytes, None).map_err(std::io::Error::from)
    };
    written.map_err(|cause| ReportError::File { option, path: path.to_path_buf(), cause })
}

/// One run, of a file or of an agent.
fn report_run(
    figured: &FiguredRun,
    options: &Options,
    prices: &Prices,
    out: &mut dyn Write,
) -> Result<(), ReportError> {
    let (run, figures) = (&figured.id, &figured.figures[..]);
    if let Some(path) = &options.html {
        write_file("--html", path, as_html(figured, options, prices)?.as_bytes())?;
        if path.is_file() {
            writeln!(out, "{run} is in {}: open it in a browser", path.display())?;
        }
        return Ok(());
    }
    if let Some((one, other)) = &options.compare {
        let find = |name: &str| {
            let found = figures.iter().find(|figures| figures.names.scenario == name);
            found.ok_or_else(|| no_scenario("--compare", "scenario", run, name, figures))
        };
        return Ok(text::comparison(find(one)?, find(other)?, out)?);
    }
    if let Some(wanted) = &options.curves {
        return report_curves(run, figures, wanted, options.form, out);
    }
    match options.form {
        Form::Text => text::run(run, figures, out)?,
        Form::Csv => csv::run(figures, out)?,
        Form::Json => csv::run_as_json(figures, out)?,
    }
    Ok(())
}

/// Scenarios or transcodes of a running agent.
fn report_agent(
    address: &AgentAddress,
    options: &Options,
    (config, prices): (&Config, &Prices),
    out: &mut dyn Write,
) -> Result<(), ReportError> {
    if let Some(by) = options.by {
        let (_, answer) = agent::ask(address)?;
        let since = options.since.unwrap_or(WallTime(0.0));
        let (groups, running) = agent::groups(&answer, since, by);
        let prices = agent::prices(&answer, config, prices);
        return report_groups(&groups, running, (options.form, &prices), out);
    }
    if options.since.is_some() {
        return Err(ReportError::OneRun);
    }
    let (run, prices) = run_of_agent(address, config, prices)?;
    if let (Some(order), None) = (options.settings, &options.html) {
        let settings = setting::settings(&run.figures);
        return write_settings(&run.id, &settings, (order, options.form), &prices, out);
    }
    report_run(&run, options, &prices, out)
}

fn report_groups(
    groups: &[Group],
    running: (u64, MicroJoules),
    (form, prices): (Form, &Prices),
    out: &mut dyn Write,
) -> Result<(), ReportError> {
    match form {
        Form::Text => {
            text::groups(groups, prices, out)?;
            text::scores(groups, out)?;
            text::notes(groups, running, out)?;
        }
        Form::Csv => csv::groups(groups, out)?,
        Form::Json => csv::groups_as_json(groups, out)?,
    }
    Ok(())
}

/// Both names as runs; `None` when they are no runs, but scenarios.
fn two_runs(
    names: [&String; 2],
    config: &Config,
    prices: &Prices,
) -> Result<Option<[FiguredRun; 2]>, ReportError> {
    let [one, other] = names.map(|name| named_run(Path::new(name), config));
    let is_run = |path: &Path| path.extension().is_some_and(|suffix| suffix == "json") && path.is_file();
    if !is_run(&one) && !is_run(&other) {
        return Ok(None);
    }
    let read = |path: &Path| figures_of_run(Some(path), config, prices);
    Ok(Some([read(&one)?, read(&other)?]))
}

/// Settings of one run or of several, in one table.
fn report_settings(
    order: Order,
    options: &Options,
    (config, prices): (&Config, &Prices),
    out: &mut dyn Write,
) -> Result<(), ReportError> {
    let paths = match options.since {
        Some(since) => list::since(&folders(config), since)?,
        None => options.files.clone(),
    };
    let runs = if paths.is_empty() {
        vec![figures_of_run(None, config, prices)?]
    } else {
        paths.iter().map(|path| figures_of_run(Some(path), config, prices)).collect::<Result<_, _>>()?
    };
    let settings: Vec<Setting<'_>> = runs.iter().flat_map(|run| setting::settings(&run.figures)).collect();
    let names: Vec<&str> = runs.iter().map(|run| run.id.as_str()).collect();
    write_settings(&names.join(", "), &settings, (order, options.form), prices, out)
}

fn write_settings(
    run: &str,
    settings: &[Setting<'_>],
    form: (Order, Form),
    prices: &Prices,
    out: &mut dyn Write,
) -> Result<(), ReportError> {
    if settings.is_empty() {
        return Err(ReportError::NoCurves { option: "--settings", run: run.to_owned() });
    }
    Ok(settings::write(run, settings, form, prices, out)?)
}

fn report_curves(
    run: &str,
    all: &[ScenarioFigures],
    wanted: &Curves,
    form: Form,
    out: &mut dyn Write,
) -> Result<(), ReportError> {
    let curves = curves(all);
    let anchor = anchor(run, &curves, wanted)?;
    let in_curves = || curves.iter().flat_map(Curve::scenarios);
    if form == Form::Json {
        return Ok(curves::as_json(&curves, anchor, out)?);
    }
    let is_encode =
        |figures: &&ScenarioFigures| !figures.names.is_baseline && figures.names.encoder != setting::READING;
    let encodes = all.iter().filter(is_encode).count();
    Ok(curves::as_text(run, &curves, anchor, encodes - in_curves().count(), out)?)
}

/// The curve to compare with.
fn anchor<'b, 'a>(run: &str, curves: &'b [Curve<'a>], wanted: &Curves) -> Result<&'b Curve<'a>, ReportError> {
    let first =
        curves.first().ok_or_else(|| ReportError::NoCurves { option: "--curves", run: run.to_owned() })?;
    let Some(name) = &wanted.anchor else { return Ok(first) };
    let has_it = |curve: &&Curve<'_>| curve.scenarios().any(|figures| figures.names.scenario == *name);
    let in_curves = || curves.iter().flat_map(Curve::scenarios);
    let found = curves.iter().find(has_it);
    found.ok_or_else(|| no_scenario("--anchor", "curve with the scenario", run, name, in_curves()))
}

/// The report as a document. Without curves and settings it has the scenarios.
fn as_html(run: &FiguredRun, options: &Options, prices: &Prices) -> Result<String, ReportError> {
    let (curves, settings) = (curves(&run.figures), setting::settings(&run.figures));
    let anchor = match &options.curves {
        Some(wanted) => Some(anchor(&run.id, &curves, wanted)?),
        None => curves.first(),
    };
    let rows = settings::rows(&settings, options.settings.unwrap_or(Order::File), prices);
    Ok(html::document(&html::Report { run, curves: &curves, anchor, rows: &rows, prices }))
}

fn no_scenario<'a>(
    option: &'static str,
    what: &'static str,
    run: &str,
    name: &str,
    known: impl IntoIterator<Item = &'a ScenarioFigures>,
) -> ReportError {
    let known: Vec<&str> = known.into_iter().map(|figures| figures.names.scenario.as_str()).collect();
    ReportError::NoScenario {
        option,
        what,
        run: run.to_owned(),
        name: name.to_owned(),
        known: known.join(", "),
    }
}

#[cfg(test)]
mod tests;
