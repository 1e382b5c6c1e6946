//! `ffwatt report`: ranks scenarios of a result file, or adds up transcodes of the ledger.
//!
//! For a run: its result file, joined with the agent's ledger, whether the agent runs or not. For the history: the
//! ledger's transcodes, in groups. Measures of efficiency are ranked each by itself; they have different units.

mod csv;
mod curves;
mod html;
mod list;
mod options;
mod settings;
mod text;

pub(crate) use csv::print;
pub(crate) use options::{Options, command, options};

use std::io::Write;
use std::path::{Path, PathBuf};

use agent_core::comparison::curves::{Curve, curves};
use agent_core::comparison::setting;
use agent_core::join::figures::{self, Found, Prices};
use agent_core::join::history::History;
use agent_core::model::joined::{EnergyBasis, ScenarioFigures};
use agent_core::results::Conditions;
use agent_core::time::WallTime;

use crate::config::Config;
use crate::files::{self, ReplaceError};
use crate::ledger::{Ledger, LedgerError};
use crate::source::SourceError;
use crate::source::results::{self, Folder};

use options::{Curves, Form};
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
    /// The document cannot be written.
    #[error("--html")]
    Html(#[from] ReplaceError),
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
    if let Some(by) = options.by {
        let ledger = Ledger::open_first_for_reading(&config.state_dirs())?;
        let groups = ledger.groups(WallTime(0.0), WallTime(f64::MAX), by)?;
        match options.form {
            Form::Text => {
                text::groups(&groups, prices, out)?;
                text::scores(&groups, out)?;
                text::notes(&groups, ledger.running_total()?, out)?;
            }
            Form::Csv => csv::groups(&groups, out)?,
            Form::Json => csv::groups_as_json(&groups, out)?,
        }
        return Ok(());
    }
    if options.is_list {
        return list::write(&folders(config), options.form, out);
    }
    let figured = figures_of_run(options.file.as_deref(), config, prices)?;
    if let Some(path) = &options.html {
        let text = as_html(&figured, options, prices)?;
        files::replace(path, text.as_bytes(), None)?;
        return Ok(writeln!(out, "{} is in {}: open it in a browser", figured.id, path.display())?);
    }
    let FiguredRun { id: run, figures, .. } = figured;
    if let Some((one, other)) = &options.compare {
        let find = |name: &str| {
            let found = figures.iter().find(|figures| figures.names.scenario == name);
            found.ok_or_else(|| no_scenario("--compare", "scenario", &run, name, &figures))
        };
        return Ok(text::comparison(find(one)?, find(other)?, out)?);
    }
    if let Some(wanted) = &options.curves {
        return report_curves(&run, &figures, wanted, options.form, out);
    }
    if let Some(order) = options.settings {
        let settings = setting::settings(&figures);
        if settings.is_empty() {
            return Err(ReportError::NoCurves { option: "--settings", run });
        }
        return Ok(settings::write(&run, &settings, (order, options.form), prices, out)?);
    }
    match options.form {
        Form::Text => text::run(&run, &figures, out)?,
        Form::Csv => csv::run(&figures, out)?,
        Form::Json => csv::run_as_json(&figures, out)?,
    }
    Ok(())
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

/// Folders of results: the own one first, then that of an agent with other rights.
fn folders(config: &Config) -> Vec<PathBuf> {
    let others = config.state_dirs().into_iter().map(|folder| folder.join("results"));
    let others = others.filter(|_| config.results_dir.is_none());
    std::iter::once(config.results_dir()).chain(others).collect()
}

/// The path of a file, or that of a run in the folders of results.
fn named_run(named: &Path, config: &Config) -> PathBuf {
    let is_name = !named.exists() && named.components().count() == 1;
    let in_folders = folders(config).into_iter().map(|folder| folder.join(named).with_extension("json"));
    in_folders.filter(|_| is_name).find(|path| path.is_file()).unwrap_or_else(|| named.to_path_buf())
}

/// The named file, else the newest.
fn read(file: Option<&Path>, config: &Config) -> Result<(PathBuf, Vec<u8>), ReportError> {
    if let Some(named) = file {
        let path = named_run(named, config);
        let bytes = std::fs::read(&path)
            .map_err(|cause| SourceError::transient(format!("read {}", path.display()), cause))?;
        return Ok((path, bytes));
    }
    for folder in folders(config) {
        match Folder::new(folder).changed() {
            Ok(Some(file)) => return Ok((file.path, file.bytes)),
            Ok(None) | Err(SourceError::Unavailable { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(ReportError::NoResults { folder: config.results_dir() })
}

/// A run with the figures of its scenarios.
#[derive(Debug)]
pub(crate) struct FiguredRun {
    /// Its name.
    pub(crate) id: String,
    /// Its date, host and programs.
    pub(crate) conditions: Conditions,
    /// Figures of its scenarios, with their energy from the ledger where it has them.
    pub(crate) figures: Vec<ScenarioFigures>,
}

/// The named run, else the newest.
pub(crate) fn figures_of_run(
    file: Option<&Path>,
    config: &Config,
    prices: &Prices,
) -> Result<FiguredRun, ReportError> {
    // Without a ledger, the file's own energy counts.
    let ledger = Ledger::open_first_for_reading(&config.state_dirs()).ok();
    let (path, bytes) = read(file, config)?;
    let (run, review) = results::parse(&path, &bytes)?;
    for problem in review.problems.kept() {
        tracing::warn!("{}: {problem}", path.display());
    }
    let nothing = History::of(&[], Vec::new());
    let mut found = Vec::new();
    for scenario in &run.scenarios {
        let written = ledger.as_ref().map(|ledger| ledger.find(&run.id, scenario)).transpose()?.flatten();
        found.push(
            written.unwrap_or_else(|| -> Found { figures::find(scenario, &nothing, EnergyBasis::File) }),
        );
    }
    Ok(FiguredRun {
        conditions: results::conditions(&path, &bytes)?,
        figures: figures::figures(&run, &found, prices),
        id: run.id,
    })
}

#[cfg(test)]
mod tests;
