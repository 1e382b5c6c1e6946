//! Totals of classes of transcodes: energy, CPU time, frames, playing time and number of the transcodes with the same labels.

use std::collections::HashMap;
use std::time::Duration;

use super::groups::{Groups, Place};
use crate::model::account::Account;
use crate::model::group::{CLASS_LABELS, GroupOutput, GroupSnapshot};
use crate::model::transcode::TranscodeId;
use crate::time::WallTime;

const LABELS: usize = CLASS_LABELS.len();

/// Output of one transcode so far, while this run of the agent observed it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TranscodeCount {
    /// Encoded frames; `None` where they are unknown.
    pub frames: Option<u64>,
    /// Playing time; `None` where it is unknown.
    pub length: Option<Duration>,
    /// Whether the transcode has ended.
    pub has_ended: bool,
}

/// All classes, and the part of each transcode's output that is in one.
#[derive(Clone, Debug)]
pub(super) struct Classes {
    groups: Groups<TranscodeId, LABELS>,
    counted: HashMap<TranscodeId, Counted>,
}

/// The part of a transcode's output that is in a class.
#[derive(Clone, Copy, Debug, Default)]
struct Counted {
    output: GroupOutput,
    is_job: bool,
}

impl Classes {
    pub(super) fn new(limit: usize, now: WallTime) -> Self {
        Self { groups: Groups::new(limit, now), counted: HashMap::new() }
    }

    /// Puts a transcode into the class with these labels: later amounts are of this class.
    pub(super) fn assign(&mut self, id: TranscodeId, labels: [&str; LABELS], now: WallTime) {
        self.groups.assign(id, labels, now);
    }

    pub(super) fn begin_window(&mut self) {
        self.groups.begin_window();
    }

    /// Adds a charge to the transcode's class. A transcode of unknown class is in the class of all others.
    pub(super) fn charge(&mut self, id: TranscodeId, enter: impl Fn(&mut Account)) {
        let place = self.groups.place(id).unwrap_or(Place::Other);
        enter(&mut self.groups.totals(place).account);
    }

    /// Adds the output since the last call to the transcode's class. Output that is said to be less than before was counted already.
    pub(super) fn count(&mut self, id: TranscodeId, now: TranscodeCount) {
        let place = self.groups.place(id).unwrap_or(Place::Other);
        let counted = self.counted.entry(id).or_default();
        let totals = self.groups.totals(place);
        let before = counted.output;
        let output = GroupOutput {
            frames: now.frames.unwrap_or(0).max(before.frames),
            length: now.length.unwrap_or_default().max(before.length),
        };
        // An encoder may post any number.
        totals.output.frames = totals.output.frames.saturating_add(output.frames - before.frames);
        totals.output.length =
            totals.output.length.saturating_add(output.length.saturating_sub(before.length));
        totals.jobs += u64::from(now.has_ended && !counted.is_job);
        *counted = Counted { output, is_job: counted.is_job || now.has_ended };
    }

    /// Notes transcodes whose accounts have been closed.
    pub(super) fn closed(&mut self, ids: &[TranscodeId], is_open: impl Fn(TranscodeId) -> bool) {
        for id in ids {
            self.counted.remove(id);
        }
        self.groups.closed(ids, is_open);
    }

    /// Drops a transcode that was never charged.
    pub(super) fn forget(&mut self, id: TranscodeId) {
        self.counted.remove(&id);
        self.groups.forget(id);
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &GroupSnapshot<LABELS>> {
        self.groups.all()
    }

    pub(super) fn has_more(&self) -> bool {
        self.groups.has_more()
    }
}
