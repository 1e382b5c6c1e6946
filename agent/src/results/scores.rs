//! Requests scores of finished transcodes, and keeps the scores while they may be needed.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use agent_core::model::joined::Comparisons;
use agent_core::model::scenario::{Quality, Run};
use agent_core::model::snapshot::Snapshot;
use agent_core::model::transcode::Output;

use super::bookkeeping::Bookkeeper;
use crate::error::chain;
use crate::quality::Watcher;

/// Scores of transcodes, and the watcher that computes them.
#[derive(Debug, Default)]
pub(super) struct Scores {
    watcher: Option<Watcher>,
    outputs: BTreeMap<Arc<str>, Output>,
    comparisons: Comparisons,
    /// Scores of transcodes, by the scenario that their container is labelled with.
    labelled: HashMap<String, Quality>,
}

impl Scores {
    /// Without a watcher no transcode is scored.
    pub(super) fn new(watcher: Option<Watcher>) -> Self {
        Self { watcher, ..Self::default() }
    }

    /// Output of the shown transcodes, by key.
    pub(super) fn outputs(&self) -> &BTreeMap<Arc<str>, Output> {
        &self.outputs
    }

    /// Numbers of comparisons.
    pub(super) fn comparisons(&self) -> Comparisons {
        self.comparisons
    }

    /// Starts comparisons of finished transcodes with their sources, and takes finished ones.
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
        // A result file may be written some time after its encodes.
        let is_labelled = |name: &str| {
            snapshot.transcodes.iter().any(|one| one.workload.details.scenario() == Some(name))
                || run.scenarios.iter().any(|scenario| scenario.name == name)
        };
        self.labelled.retain(|name, _| is_labelled(name));
    }

    /// Sets the scores of scenarios whose file has none: the file's own take precedence.
    pub(super) fn enter(&self, run: &mut Run) {
        for scenario in &mut run.scenarios {
            if let (None, Some(quality)) = (scenario.quality.psnr, self.labelled.get(&scenario.name)) {
                scenario.quality = *quality;
            }
        }
    }
}
