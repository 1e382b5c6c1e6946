//! Puts transcodes into their classes and workloads into their namespaces, and counts the output of classes.

use agent_core::attribution::totals::{Totals, TranscodeCount};
use agent_core::model::finding::FindingCode;
use agent_core::model::snapshot::TranscodeSnapshot;
use agent_core::model::transcode::TranscodeId;

use super::findings::FindingTracker;
use super::identity::Identities;

/// Puts every claimant into its group. Runs before a tick is charged, so that the tick's charges are in the present group.
pub(super) fn assign(identities: &Identities, totals: &mut Totals) {
    for (id, transcode) in identities.transcodes() {
        totals.classify(id, transcode.identity.class_labels(&identities.identity(transcode.workload)));
    }
    for (id, identity) in identities.living() {
        if let Some(names) = &identity.details.kubernetes {
            totals.put_in_namespace(id, &names.namespace);
        }
    }
}

/// Adds the output of a tick, and the transcodes that have ended, to the classes. Output that earlier runs of the agent observed is in
/// their counters.
pub(super) fn count(
    identities: &Identities,
    shown: &[(TranscodeId, TranscodeSnapshot)],
    totals: &mut Totals,
) {
    // Those without series of their own have no known output.
    for (id, transcode) in identities.transcodes() {
        let has_ended = transcode.ended.is_some();
        totals.count_output(id, TranscodeCount { has_ended, ..TranscodeCount::default() });
    }
    for (id, transcode) in shown {
        let (seen, earlier) = (&transcode.seen, &transcode.observation.earlier.seen);
        let count = TranscodeCount {
            frames: seen.frames.map(|frames| frames.saturating_sub(earlier.frames.unwrap_or(0))),
            length: seen.length.map(|length| length.saturating_sub(earlier.length.unwrap_or_default())),
            has_ended: transcode.ended.is_some(),
        };
        totals.count_output(*id, count);
    }
}

/// Reports that groups have no totals of their own.
pub(super) fn report(limit: u32, totals: &Totals, findings: &mut FindingTracker) {
    let (classes, namespaces) = totals.is_beyond_class_limit();
    for (is_beyond, subject) in [(classes, "classes"), (namespaces, "namespaces")] {
        if is_beyond {
            findings.report(FindingCode::ClassLimitReached, subject, &limit.to_string());
        }
    }
}
