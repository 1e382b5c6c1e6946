//! Joins result files with energy on a second thread, so that no tick and no scrape waits for a file.
//!
//! It follows the pipeline's snapshots to know the past, looks at the results folder now and then, and hands what it finds to
//! the pipeline, which shows it with the next snapshot.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::Duration;

use agent_core::join::cost::Tariff;
use agent_core::join::figures::{self, Found, Prices};
use agent_core::join::history::History;
use agent_core::join::matching;
use agent_core::join::pricing::Rate;
use agent_core::model::cpu::ProcessId;
use agent_core::model::energy::EnergySourceKind;
use agent_core::model::joined::{BudgetFigures, Comparisons, EnergyBasis, Joined};
use agent_core::model::prices::OwnPrices;
use agent_core::model::scenario::{Quality, Run, Scenario};
use agent_core::model::snapshot::{SharedSnapshot, Snapshot};
use agent_core::model::transcode::Output;
use agent_core::units::{Grams, Money};
use tokio::sync::watch;

use crate::clock::{Clock, SystemClock};
use crate::config::{self, Config};
use crate::pipeline::bookkeeping::Bookkeeper;
use crate::pipeline::wait::{Mailbox, Message};
use crate::quality::Watcher;
use crate::source::results::{self, Folder, FolderWatch, Seen};
use crate::source::{SourceError, chain};

/// How often the last snapshot is taken in. Ticks that are shorter are one tick of the past together.
const FOLLOW: Duration = Duration::from_millis(500);

/// How far back the past is known tick by tick.
const PAST: Duration = Duration::from_mins(15);

/// The thread's state.
#[derive(Debug)]
pub struct Joiner {
    folder: Folder,
    watch: Option<FolderWatch>,
    rescan: Duration,
    budget: config::Budget,
    prices: Prices,
    history: History,
    run: Run,
    is_readable: Option<bool>,
    /// What was found out about scenarios, by what was asked.
    found: HashMap<Question, Found>,
    bookkeeper: Bookkeeper,
    budgets: Vec<BudgetFigures>,
    watcher: Option<Watcher>,
    outputs: BTreeMap<Arc<str>, Output>,
    comparisons: Comparisons,
    /// Scores of transcodes, by the scenario that their container is labelled with.
    labelled: HashMap<String, Quality>,
    snapshots: watch::Receiver<Option<SharedSnapshot>>,
    publisher: watch::Sender<Arc<Joined>>,
}

/// What decides whose joules a scenario's are, and which: another question has another answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Question {
    run: String,
    name: String,
    window: Option<(u64, u64)>,
    container: Option<String>,
    transcode: Option<String>,
}

impl Question {
    fn of(run: &str, scenario: &Scenario) -> Self {
        Self {
            run: run.to_owned(),
            name: scenario.name.clone(),
            window: scenario.window.map(|(from, to)| (from.0.to_bits(), to.0.to_bits())),
            container: scenario.container.clone(),
            transcode: scenario.transcode.clone(),
        }
    }
}

/// Prices, budgets and the results folder are others now.
#[derive(Debug)]
pub struct Change {
    /// Where they stand.
    pub config: Config,
    /// What the prices come to.
    pub prices: Prices,
}

/// Why there is no joiner.
#[derive(Debug, thiserror::Error)]
pub enum PriceError {
    /// The price file cannot be used.
    #[error("price.file")]
    File(#[source] SourceError),
    /// A currency cannot be understood.
    #[error("price.also: {0:?} is no currency with a rate such as \"EUR=0.92\"")]
    Rate(String),
    /// The region has no prices.
    #[error("price.region: {region:?} is in neither the table of regions nor price.file; set price.per_kwh")]
    Region {
        /// The region.
        region: String,
    },
}

/// The prices that the configuration comes to.
pub fn prices(config: &Config) -> Result<Prices, PriceError> {
    let price = &config.price;
    let own = match &price.file {
        Some(path) => results::read_prices(path).map_err(PriceError::File)?,
        None => OwnPrices::default(),
    };
    let per_kwh = price.per_kwh.filter(|amount| *amount > 0.0).map(Money);
    if per_kwh.is_none() && !own.knows(&price.region) {
        return Err(PriceError::Region { region: price.region.clone() });
    }
    let also = price.also.iter().map(|text| Rate::parse(text).ok_or_else(|| PriceError::Rate(text.clone())));
    Ok(Prices {
        tariff: Tariff::new(
            per_kwh.unwrap_or_else(|| own.kilowatt_hour(&price.region)),
            Money(price.per_cpu_hour),
            Money(price.per_gpu_hour),
            price.per_core_second.map(Money),
            price.per_joule.map(Money),
        ),
        currency: price.currency.as_str().into(),
        also: also.collect::<Result<_, _>>()?,
        carbon: Grams(own.grams(&price.region).0),
        viewers: price.viewers,
    })
}

impl Joiner {
    /// A joiner that has looked at the results folder once, so that the first snapshot has what is there.
    pub fn open(
        config: &Config,
        prices: Prices,
        mailbox: Mailbox,
        snapshots: watch::Receiver<Option<SharedSnapshot>>,
        publisher: watch::Sender<Arc<Joined>>,
    ) -> Self {
        let mut joiner = Self {
            folder: Folder::new(config.results_dir()),
            watch: None,
            rescan: config.results.rescan.0,
            budget: config.budget.clone(),
            prices,
            history: History::new(PAST),
            run: Run::default(),
            is_readable: None,
            found: HashMap::new(),
            bookkeeper: Bookkeeper::open(config),
            budgets: Vec::new(),
            watcher: watcher(&config.quality, mailbox),
            outputs: BTreeMap::new(),
            comparisons: Comparisons::default(),
            labelled: HashMap::new(),
            snapshots,
            publisher,
        };
        joiner.rescan();
        joiner.publish(EnergyBasis::Modelled);
        joiner
    }

    /// Runs until nobody is left to tell it of changes.
    pub fn run(mut self, changes: &Receiver<Change>) {
        let clock = SystemClock;
        let mut looked = clock.now();
        loop {
            let until_look = self.rescan.saturating_sub(clock.now().since(looked));
            let is_written = self.wait(until_look.min(FOLLOW));
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
            let is_due = is_written || has_changed || clock.now().since(looked) >= self.rescan;
            if is_due {
                looked = clock.now();
            }
            let is_new = is_due && self.rescan();
            let basis = self.follow();
            if is_new || has_changed || basis.is_some() {
                self.publish(basis.unwrap_or(EnergyBasis::Modelled));
            }
        }
    }

    /// Waits, but no longer than until somebody writes into the results folder: then it is `true`.
    fn wait(&mut self, longest: Duration) -> bool {
        if self.watch.is_none() {
            // A folder that somebody has just made may have files already.
            self.watch = FolderWatch::open(self.folder.path()).ok();
            if self.watch.is_some() {
                return true;
            }
        }
        match self.watch.as_ref().map(|watch| watch.wait(longest)) {
            Some(Ok(seen)) => {
                if seen == Seen::Gone {
                    self.watch = None;
                }
                seen != Seen::Nothing
            }
            other => {
                if let Some(Err(error)) = other {
                    tracing::debug!("{} cannot be watched: {error}", self.folder.path().display());
                    self.watch = None;
                }
                std::thread::sleep(longest);
                false
            }
        }
    }

    fn change(&mut self, change: Change) {
        let Change { config, prices } = change;
        self.folder = Folder::new(config.results_dir());
        self.watch = None;
        self.rescan = config.results.rescan.0;
        self.budget = config.budget.clone();
        self.prices = prices;
        self.is_readable = None;
        self.bookkeeper.hurry();
    }

    /// Takes in the last snapshot; where its energy comes from, when there is a new one.
    fn follow(&mut self) -> Option<EnergyBasis> {
        let snapshot = self.snapshots.borrow_and_update().clone()?;
        let is_measured = snapshot.method.energy_source.is_some_and(EnergySourceKind::is_measured);
        let basis = if is_measured { EnergyBasis::Measured } else { EnergyBasis::Modelled };
        let is_new = self.history.push(&snapshot).is_some();
        self.score(&snapshot);
        if is_new {
            self.bookkeeper.write(&snapshot, &self.history, basis);
            if let Some(budgets) = self.bookkeeper.budgets(snapshot.wall, &self.budget, &self.prices) {
                self.budgets = budgets;
            }
        }
        Some(basis)
    }

    /// Has what has finished compared with its source, and takes in what was.
    fn score(&mut self, snapshot: &Snapshot) {
        let Some(watcher) = &mut self.watcher else { return };
        watcher.follow(&snapshot.transcodes);
        for (job, result) in watcher.scored() {
            match result {
                Ok(output) => {
                    self.comparisons.done += 1;
                    self.bookkeeper.score(&job.key, job.started, &output);
                    self.outputs.insert(job.key, output);
                    self.labelled.extend(job.scenario.map(|scenario| (scenario, output.quality)));
                }
                Err(error) => {
                    self.comparisons.failed += 1;
                    tracing::warn!("transcode {} is not scored: {}", job.key, chain(&error));
                }
            }
        }
        let is_shown = |key: &Arc<str>| snapshot.transcodes.iter().any(|one| one.identity.key == *key);
        self.outputs.retain(|key, _| is_shown(key));
        // A result file may come some time after its encodes.
        let is_labelled = |name: &str| {
            snapshot.transcodes.iter().any(|one| one.workload.details.scenario() == Some(name))
                || self.run.scenarios.iter().any(|scenario| scenario.name == name)
        };
        self.labelled.retain(|name, _| is_labelled(name));
    }

    /// Looks whether there is a new result file; the last one that could be read stays until then.
    fn rescan(&mut self) -> bool {
        let read = self.folder.changed().and_then(|file| match file {
            Some(file) => results::parse(&file.path, &file.bytes).map(Some),
            None => Ok(None),
        });
        let was_readable = self.is_readable;
        match read {
            Ok(Some((run, findings))) => {
                for finding in findings {
                    tracing::warn!("{finding}");
                }
                tracing::info!(run = run.id, scenarios = run.scenarios.len(), "result file read");
                self.run = run;
                self.is_readable = Some(true);
                true
            }
            Ok(None) => {
                // Nothing has changed; a broken file is still broken.
                self.is_readable.get_or_insert(true);
                was_readable != self.is_readable
            }
            // A folder that nobody has made yet has no results in it.
            Err(SourceError::Unavailable { .. }) => {
                self.is_readable.get_or_insert(true);
                was_readable != self.is_readable
            }
            Err(error) => {
                if was_readable != Some(false) {
                    tracing::warn!("{}: the last results stay", error.chain());
                }
                self.is_readable = Some(false);
                was_readable != Some(false)
            }
        }
    }

    fn publish(&mut self, basis: EnergyBasis) {
        for scenario in &mut self.run.scenarios {
            // What the file says goes first.
            if let (None, Some(quality)) = (scenario.quality.psnr, self.labelled.get(&scenario.name)) {
                scenario.quality = *quality;
            }
        }
        let mut found = HashMap::new();
        let mut energies = Vec::new();
        for scenario in &self.run.scenarios {
            // The past of what is over does not change, but is forgotten tick by tick.
            let question = Question::of(&self.run.id, scenario);
            let before = self.found.get(&question);
            let energy = match before {
                Some(before) => self.improved(*before, scenario, basis),
                None => self.find(scenario, basis),
            };
            if energy.is_attributed() {
                if before != Some(&energy) {
                    self.bookkeeper.remember(&self.run.id, scenario, &energy);
                }
                found.insert(question, energy);
            }
            energies.push(energy);
        }
        self.found = found;
        let scenarios = figures::figures(&self.run, &energies, &self.prices);
        let joined = Joined {
            is_readable: self.is_readable,
            scenarios,
            budgets: self.budgets.clone(),
            outputs: self.outputs.clone(),
            comparisons: self.comparisons,
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

    /// By what is remembered tick by tick, else by what is written down.
    fn find(&self, scenario: &Scenario, basis: EnergyBasis) -> Found {
        let recent = figures::find(scenario, &self.history, basis);
        if recent.is_attributed() || self.remembers(scenario) || scenario.window.is_none() {
            return recent;
        }
        self.bookkeeper.find(&self.run.id, scenario).unwrap_or(recent)
    }

    /// What was found before, unless a better rule finds somebody by now: the name or the label of a container may become known late.
    fn improved(&self, before: Found, scenario: &Scenario, basis: EnergyBasis) -> Found {
        let Some(rule) = before.energy.map(|energy| energy.matched) else { return before };
        if before.is_best_for(scenario) || !self.remembers(scenario) {
            return before;
        }
        let is_better =
            matching::find(scenario, &self.history.candidates()).is_some_and(|(now, _)| now < rule);
        if !is_better {
            return before;
        }
        let now = figures::find(scenario, &self.history, basis);
        if now.is_attributed() { now.or_better(before) } else { before }
    }

    /// Whether a scenario's window begins within what is remembered tick by tick.
    fn remembers(&self, scenario: &Scenario) -> bool {
        let begins = self.history.begins();
        scenario.window.zip(begins).is_some_and(|((from, _), begins)| begins.0 <= from.0)
    }
}

fn watcher(config: &config::Quality, mailbox: Mailbox) -> Option<Watcher> {
    let started = move |process| {
        mailbox.tell(Message::Child(ProcessId(process)));
    };
    Watcher::start(config, started)
        .inspect_err(|error| tracing::warn!("finished transcodes are not scored: no thread for it: {error}"))
        .ok()
        .flatten()
}
