//! The second thread: joins result files with energy, writes the ledger, has transcodes scored. No tick and no scrape waits for a file.
//!
//! It follows the pipeline's snapshots for the history, checks the results folder now and then, and hands its figures to
//! the pipeline, which shows them with the next snapshot.

mod bookkeeping;
mod files;
mod matches;
mod prices;
mod scores;

use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::Duration;

use agent_core::join::figures::{self, Prices};
use agent_core::join::history::History;
use agent_core::model::cpu::ProcessId;
use agent_core::model::energy::EnergySourceKind;
use agent_core::model::joined::{BudgetFigures, EnergyBasis, Joined};
use agent_core::model::snapshot::SharedSnapshot;
use bookkeeping::Bookkeeper;
use files::ResultFiles;
use matches::{Matches, Past};
use scores::Scores;
use tokio::sync::watch;

use crate::clock::Clock;
use crate::config::{self, Config};
use crate::pipeline::{Mailbox, Message};
use crate::quality::Watcher;

pub(crate) use bookkeeping::ledger_folder;
pub(crate) use prices::prices;

/// Interval in which the last snapshot is read. Shorter ticks are merged in the history.
const FOLLOW: Duration = Duration::from_millis(500);

/// Length of the history, tick by tick.
const PAST: Duration = Duration::from_mins(15);

/// Parts of the results thread.
pub(crate) struct Parts {
    /// The clock.
    pub clock: Box<dyn Clock>,
    /// Price of energy.
    pub prices: Prices,
    /// Messages to the pipeline.
    pub mailbox: Mailbox,
    /// The pipeline's snapshots.
    pub snapshots: watch::Receiver<Option<SharedSnapshot>>,
    /// Publisher of joined figures.
    pub publisher: watch::Sender<Arc<Joined>>,
}

/// State of the thread.
pub(crate) struct ResultsWorker {
    clock: Box<dyn Clock>,
    files: ResultFiles,
    rescan: Duration,
    matches: Matches,
    scores: Scores,
    history: History,
    bookkeeper: Bookkeeper,
    budget: config::Budget,
    budgets: Vec<BudgetFigures>,
    prices: Prices,
    snapshots: watch::Receiver<Option<SharedSnapshot>>,
    publisher: watch::Sender<Arc<Joined>>,
}

/// A change of prices, budgets and the results folder.
#[derive(Debug)]
pub(crate) struct Change {
    /// The new configuration.
    pub config: Config,
    /// The new prices.
    pub prices: Prices,
}

impl ResultsWorker {
    /// A worker that has checked the results folder once, so that the first snapshot has its run.
    pub(crate) fn new(config: &Config, parts: Parts) -> Self {
        let Parts { clock, prices, mailbox, snapshots, publisher } = parts;
        let bookkeeper = Bookkeeper::open(config, clock.wall());
        let mut worker = Self {
            clock,
            files: ResultFiles::new(config.results_dir()),
            rescan: config.results.rescan.0,
            matches: Matches::default(),
            scores: Scores::new(watcher(config, mailbox)),
            history: History::new(PAST),
            bookkeeper,
            budget: config.budget.clone(),
            budgets: Vec::new(),
            prices,
            snapshots,
            publisher,
        };
        worker.files.rescan(worker.clock.wall());
        worker.publish(EnergyBasis::Modelled);
        worker
    }

    /// Runs until the sender of changes is dropped.
    pub(crate) fn run(mut self, changes: &Receiver<Change>) {
        let mut looked = self.clock.now();
        loop {
            let until_look = self.rescan.saturating_sub(self.clock.now().since(looked));
            let is_written = self.files.wait(until_look.min(FOLLOW));
            let has_changed = match changes.try_recv() {
                Ok(change) => {
                    self.change(change);
                    true
                }
                Err(TryRecvError::Empty) => false,
                Err(TryRecvError::Disconnected) => {
                    // The last tick is written too.
                    self.follow();
                    break;
                }
            };
            let is_due = is_written || has_changed || self.clock.now().since(looked) >= self.rescan;
            if is_due {
                looked = self.clock.now();
            }
            self.step(is_due, has_changed);
        }
    }

    /// Follows the last snapshot, and checks the folder when that is due; publishes changes.
    fn step(&mut self, looks: bool, has_changed: bool) {
        let is_new = looks && self.files.rescan(self.clock.wall());
        let basis = self.follow();
        if is_new || has_changed || basis.is_some() {
            self.publish(basis.unwrap_or(EnergyBasis::Modelled));
        }
    }

    fn change(&mut self, change: Change) {
        let Change { config, prices } = change;
        self.files.change(config.results_dir());
        self.rescan = config.results.rescan.0;
        self.budget = config.budget.clone();
        self.prices = prices;
        self.bookkeeper.hurry();
    }

    /// Follows the last snapshot; returns its source of energy, when there is a new one.
    fn follow(&mut self) -> Option<EnergyBasis> {
        let snapshot = self.snapshots.borrow_and_update().clone()?;
        let is_measured = snapshot.method.energy_source.is_some_and(EnergySourceKind::is_measured);
        let basis = if is_measured { EnergyBasis::Measured } else { EnergyBasis::Modelled };
        let is_new = self.history.push(&snapshot).is_some();
        self.scores.follow(&snapshot, self.files.run(), &mut self.bookkeeper);
        if is_new {
            self.bookkeeper.write(&snapshot, &self.history, basis);
            if let Some(budgets) = self.bookkeeper.budgets(snapshot.wall, &self.budget, &self.prices) {
                self.budgets = budgets;
            }
        }
        Some(basis)
    }

    fn publish(&mut self, basis: EnergyBasis) {
        self.scores.enter(self.files.run_mut());
        let run = self.files.run();
        let energies = self.matches.update(run, Past { history: &self.history, basis }, &mut self.bookkeeper);
        let joined = Joined {
            is_readable: self.files.is_readable(),
            findings: self.files.findings(),
            conditions: run.conditions.clone(),
            scenarios: figures::figures(run, &energies, &self.prices),
            budgets: self.budgets.clone(),
            outputs: self.scores.outputs().clone(),
            comparisons: self.scores.comparisons(),
            ledger: self.bookkeeper.health(),
            history: self.history.kept(),
        };
        self.publisher.send_if_modified(|last| {
            let is_new = **last != joined;
            if is_new {
                *last = Arc::new(joined);
            }
            is_new
        });
    }
}

fn watcher(config: &Config, mailbox: Mailbox) -> Option<Watcher> {
    let started = move |process| {
        mailbox.tell(Message::Child(ProcessId(process)));
    };
    Watcher::start(&config.quality, config.roots(), started)
        .inspect_err(|error| tracing::warn!("finished transcodes are not scored: no thread for it: {error}"))
        .ok()
        .flatten()
}

#[cfg(test)]
mod tests;
