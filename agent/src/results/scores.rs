//! Requests scores of finished transcodes, and keeps the scores while they may be needed.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use agent_core::model::joined::Comparisons;
use agent_core::model::scenario::{Quality, Run};
use agent_core::model::snapshot::Snapshot;
use agent_core::model::transcode::Output;

use super::bookkeeping::Bookkeeper;
use crate::quality::Watcher;
use crate::source::chain;

/// Scores, and what makes them.
#[derive(Debug, Default)]
pub(super) struct Scores {
    watcher: Option<Watcher>,
    outputs: BTreeMap<Arc<str>, Output>,
    comparisons: Comparisons,
    /// Scores of transcodes, by the scenario that their container is labelled with.
    labelled: HashMap<String, Quality>,
}

impl Scores {
    /// Without a watcher nothing is scored.
    pub(super) fn new(watcher: Option<Watcher>) -> Self {
        Self { watcher, ..Self::default() }
    }

    /// Of the transcodes that are shown, by key.
    pub(super) fn outputs(&self) -> &BTreeMap<Arc<str>, Output> {
        &self.outputs
    }

    /// How many comparisons there were.
    pub(super) fn comparisons(&self) -> Comparisons {
        self.comparisons
    }

    /// Has what has finished compared with its source, and takes in what was.
    pub(super) fn follow(&mut self, snapshot: &Snapshot, run: &Run, bookkeeper: &mut Bookkeeper) {
        let Some(watcher) = &mut self.watcher else { return };
        watcher.follow(&snapshot.transcodes);
        for (job, result) in watcher.scored() {
            match result {
                Ok(output) => {
                    self.comparisons.done += 1;
                    bookkeeper.score(&job.key, job.started, &output);
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
                || run.scenarios.iter().any(|scenario| scenario.name == name)
        };
        self.labelled.retain(|name, _| is_labelled(name));
    }

    /// Enters the scores of scenarios whose file has none: what the file says goes first.
    pub(super) fn enter(&self, run: &mut Run) {
        for scenario in &mut run.scenarios {
            if let (None, Some(quality)) = (scenario.quality.psnr, self.labelled.get(&scenario.name)) {
                scenario.quality = *quality;
            }
        }
    }
}
