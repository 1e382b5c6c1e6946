//! Checks the results folder, the prices and the ledger, and names refused values of the newest result file.

use std::path::Path;

use agent_core::results::Problems;

use super::{Report, State};
use crate::config::Config;
use crate::ledger::{Ledger, LedgerError};
use crate::source::SourceError;
use crate::source::results::{self, Folder};

/// Most refused values of a result file that have a line.
const MAX_REFUSED: usize = 20;

impl Report {
    pub(super) fn check_results(&mut self, config: &Config) {
        let mut folder = Folder::new(config.results_dir());
        let shown = folder.path().display().to_string();
        let read = folder.changed().and_then(|file| match file {
            Some(file) => Ok(Some((results::parse(&file.path, &file.bytes)?, file.path))),
            None => Ok(None),
        });
        match read {
            Ok(Some(((run, review), path))) => {
                let detail = format!("{}, {} scenarios", path.display(), run.scenarios.len());
                self.add("results", "folder", State::Used, detail, "");
                self.add_refused_values(&path, &review.problems);
            }
            Ok(None) => {
                self.add("results", "folder", State::Ok, format!("no result file in {shown} yet"), "");
            }
            Err(error @ SourceError::Unavailable { .. }) => {
                self.add("results", "folder", State::Absent, error.chain(), error.hint());
            }
            Err(error) => {
                let fix = format!(
                    "write the file again; ffwatt results check {} shows what is read from it",
                    folder.newest_path().display()
                );
                self.add("results", "folder", State::Problem, error.chain(), &fix);
            }
        }
        match crate::results::prices(config) {
            Ok(prices) => {
                let (per_kwh, carbon) = (prices.tariff.joule.0 * 3.6e6, prices.carbon.0);
                let detail = format!("{per_kwh:.4} {}/kWh and {carbon} g CO2e/kWh", prices.currency);
                self.add("results", "prices", State::Ok, detail, "");
            }
            Err(error) => {
                self.add("results", "prices", State::Fatal, crate::error::chain(&error), "correct the key");
            }
        }
        let opened = config.state_dirs().into_iter().map(|folder| Ledger::open_for_reading(&folder));
        let mut tried = opened.map(|opened| opened.and_then(|ledger| ledger.bytes()));
        match tried.next() {
            Some(Ok(bytes)) => self.add("results", "ledger", State::Ok, format!("{} kB", bytes / 1024), ""),
            None | Some(Err(LedgerError::Missing { .. })) => {
                self.add("results", "ledger", State::Ok, "not created yet", "");
            }
            Some(Err(error)) => {
                let fix = "without the ledger, no history survives a restart";
                self.add("results", "ledger", State::Problem, crate::error::chain(&error), fix);
            }
        }
    }

    /// One line for each value that is left out, up to a screen full.
    fn add_refused_values(&mut self, path: &Path, problems: &Problems) {
        let fix = format!("ffwatt results check {}", path.display());
        for problem in problems.kept().iter().take(MAX_REFUSED) {
            self.add("results", "value", State::Note, problem.to_string(), "");
        }
        if let Some(more @ 1..) = problems.total().checked_sub(MAX_REFUSED) {
            self.add("results", "value", State::Note, format!("{more} more values are refused"), &fix);
        }
    }
}
