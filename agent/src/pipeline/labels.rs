//! Compares the labels of series at each tick, and opens new series where labels have changed.
//!
//! Labels change when a name is learned late, a container is renamed, or a wrapper becomes the encoder.

use std::collections::HashMap;

use agent_core::attribution::totals::Totals;
use agent_core::model::transcode::{TranscodeId, TranscodeIdentity};
use agent_core::model::workload::{Identity, WorkloadId};

use crate::pipeline::identity::Identities;

/// Labels in the last snapshot.
#[derive(Debug, Default)]
pub(super) struct SeriesLabels {
    workloads: HashMap<WorkloadId, Identity>,
    transcodes: HashMap<TranscodeId, (TranscodeIdentity, Identity)>,
}

impl SeriesLabels {
    /// Begins new series where labels have changed since the last snapshot. Runs before a tick is charged, so that the tick's charges are
    /// in the new series.
    pub(super) fn compare(&self, identities: &Identities, totals: &mut Totals) {
        for (id, before) in &self.workloads {
            if before.labels() != identities.identity(*id).labels() {
                totals.relabel_workload(*id);
            }
        }
        for (id, (before, workload)) in &self.transcodes {
            let now = of_transcode(*id, identities);
            if now.is_some_and(|(now, its)| before.labels(workload) != now.labels(&its)) {
                totals.relabel_transcode(*id);
            }
        }
    }

    /// Takes the labels of the snapshot that is about to be published.
    pub(super) fn take(&mut self, identities: &Identities, totals: &Totals) {
        self.workloads = totals.workloads().map(|(id, _)| (id, identities.identity(id))).collect();
        let labels = |(id, _)| Some((id, of_transcode(id, identities)?));
        self.transcodes = totals.transcodes().filter_map(labels).collect();
    }
}

fn of_transcode(id: TranscodeId, identities: &Identities) -> Option<(TranscodeIdentity, Identity)> {
    let transcode = identities.transcode(id)?;
    Some((transcode.identity.clone(), identities.identity(transcode.workload)))
}
