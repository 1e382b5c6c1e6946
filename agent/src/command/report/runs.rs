//! Finds the runs of a report, and reads them with their energy from the ledger.

use std::path::{Path, PathBuf};

use agent_core::join::figures::{self, Found, Prices};
use agent_core::join::history::History;
use agent_core::model::joined::{EnergyBasis, ScenarioFigures};
use agent_core::model::scenario::Conditions;

use crate::command::report::ReportError;
use crate::config::Config;
use crate::ledger::Ledger;
use crate::source::SourceError;
use crate::source::results::{self, Folder};

/// Folders of results: the own one first, then that of an agent with other rights.
pub(super) fn folders(config: &Config) -> Vec<PathBuf> {
    let others = config.state_dirs().into_iter().map(|folder| folder.join("results"));
    let others = others.filter(|_| config.results_dir.is_none());
    std::iter::once(config.results_dir()).chain(others).collect()
}

/// The path of a file, or that of a run in the folders of results.
pub(super) fn named_run(named: &Path, config: &Config) -> PathBuf {
    let is_name = !named.exists() && named.components().count() == 1;
    let in_folders = folders(config).into_iter().map(|folder| folder.join(named).with_extension("json"));
    in_folders.filter(|_| is_name).find(|path| path.is_file()).unwrap_or_else(|| named.to_path_buf())
}

/// The named file, else the newest.
pub(super) fn read(file: Option<&Path>, config: &Config) -> Result<(PathBuf, Vec<u8>), ReportError> {
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
    Ok(FiguredRun { figures: figures::figures(&run, &found, prices), conditions: run.conditions, id: run.id })
}
