//! Compares the labels of series at each tick, and opens new series where labels have changed.
//!
//! Labels change when a name is learned late, a container is renamed, or a wrapper becomes the encoder.

use std::collections::HashMap;
use std::sync::Arc;

use agent_core::attribution::totals::Totals;
use agent_core::model::transcode::{Encode, TranscodeId};
use agent_core::model::workload::{Identity, WorkloadId, WorkloadKind};

use crate::pipeline::identity::Identities;

/// Labels in the last snapshot.
#[derive(Debug, Default)]
pub(super) struct SeriesLabels {
    workloads: HashMap<WorkloadId, Identity>,
    transcodes: HashMap<TranscodeId, (Identity, Arc<Encode>)>,
}

impl SeriesLabels {
    /// Begins new series where labels have changed since the last snapshot. Runs before a tick is charged, so that the tick's charges are
    /// in the new series.
    pub(super) fn compare(&self, identities: &Identities, totals: &mut Totals) {
        for (id, before) in &self.workloads {
            if workload(before) != workload(&identities.identity(*id)) {
                totals.relabel_workload(*id);
            }
        }
        for (id, (identity, encode)) in &self.transcodes {
            let now = of_transcode(*id, identities);
            if now.is_some_and(|now| transcode(identity, encode) != transcode(&now.0, &now.1)) {
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

fn of_transcode(id: TranscodeId, identities: &Identities) -> Option<(Identity, Arc<Encode>)> {
    let transcode = identities.transcode(id)?;
    Some((identities.identity(transcode.workload), Arc::clone(&transcode.identity.encode)))
}

/// Labels of a workload's counters.
fn workload(identity: &Identity) -> (&str, &str, WorkloadKind) {
    (&identity.name, &identity.id, identity.kind)
}

/// Labels of a transcode's counters, besides its key.
fn transcode<'a>(workload: &'a Identity, encode: &'a Encode) -> [Option<&'a str>; 5] {
    [
        Some(&workload.name),
        workload.details.scenario(),
        encode.codec.as_deref(),
        encode.preset.as_deref(),
        encode.resolution.as_deref(),
    ]
}
