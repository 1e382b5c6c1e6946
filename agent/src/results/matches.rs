//! Finds the energy of each scenario, and remembers it.

use std::collections::HashMap;

use agent_core::join::figures::{self, Found};
use agent_core::join::history::History;
use agent_core::join::matching;
use agent_core::model::joined::EnergyBasis;
use agent_core::model::scenario::{Run, Scenario};

use super::bookkeeping::Bookkeeper;

/// Fields that decide the match of a scenario: with other fields the match is computed again.
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

/// Energy found for scenarios, by the fields that decided it.
#[derive(Debug, Default)]
pub(super) struct Matches(HashMap<Question, Found>);

/// Sources of a scenario's energy.
#[derive(Clone, Copy)]
pub(super) struct Past<'a> {
    /// The recent history, tick by tick.
    pub(super) history: &'a History,
    /// Source of the last tick's energy.
    pub(super) basis: EnergyBasis,
}

impl Matches {
    /// Energy of each scenario of a run. Results are stored, because charges of ended windows do not change, but
    /// the history drops them tick by tick.
    pub(super) fn update(&mut self, run: &Run, past: Past<'_>, bookkeeper: &mut Bookkeeper) -> Vec<Found> {
        let mut found = HashMap::new();
        let mut all = Vec::new();
        for scenario in &run.scenarios {
            let question = Question::of(&run.id, scenario);
            let before = self.0.get(&question);
            let now = match before {
                Some(before) => past.improved(*before, scenario),
                None => past.find(&run.id, scenario, bookkeeper),
            };
            if now.is_attributed() {
                if before != Some(&now) {
                    bookkeeper.remember(&run.id, scenario, &now);
                }
                found.insert(question, now);
            }
            all.push(now);
        }
        self.0 = found;
        all
    }
}

impl Past<'_> {
    /// By the history in memory, else by the ledger.
    fn find(self, run: &str, scenario: &Scenario, bookkeeper: &Bookkeeper) -> Found {
        let recent = figures::find(scenario, self.history, self.basis);
        if recent.is_attributed() || self.remembers(scenario) || scenario.window.is_none() {
            return recent;
        }
        bookkeeper.find(run, scenario).unwrap_or(recent)
    }

    /// The former result, unless a better rule matches by now: the name or the label of a container may become known late.
    fn improved(self, before: Found, scenario: &Scenario) -> Found {
        let Some(rule) = before.energy.map(|energy| energy.matched) else { return before };
        if before.is_best_for(scenario) || !self.remembers(scenario) {
            return before;
        }
        let is_better =
            matching::find(scenario, &self.history.candidates()).is_some_and(|(now, _)| now < rule);
        if !is_better {
            return before;
        }
        let now = figures::find(scenario, self.history, self.basis);
        if now.is_attributed() { now.or_better(before) } else { before }
    }

    /// Whether a scenario's window begins within the history in memory.
    fn remembers(self, scenario: &Scenario) -> bool {
        let begins = self.history.begins();
        scenario.window.zip(begins).is_some_and(|((from, _), begins)| begins.0 <= from.0)
    }
}
