//! Tests the totals of classes and namespaces: by examples, and the truth about them in random histories.

use std::collections::{BTreeMap, HashMap};

use proptest::prelude::*;

use super::history::WORKLOADS;
use super::*;
use crate::model::group::OTHER_GROUP;

/// Changes of groups between two ticks, and the output of a tick.
#[derive(Clone, Debug)]
pub(super) struct GroupTick {
    /// Workload, transcode, class.
    classes: Vec<(u32, u32, u32)>,
    /// Workload, namespace.
    namespaces: Vec<(u32, u32)>,
    /// Workload, transcode, frames so far, whether it has ended.
    output: Vec<(u32, u32, Option<u64>, bool)>,
}

pub(super) fn group_tick() -> impl Strategy<Value = GroupTick> {
    let frames = prop::option::of(prop_oneof![4 => 0..1000_u64, 1 => Just(u64::MAX)]);
    (
        prop::collection::vec((0..WORKLOADS, 1..3u32, 0..4u32), 0..4),
        prop::collection::vec((0..WORKLOADS, 0..3u32), 0..3),
        prop::collection::vec((0..WORKLOADS, 1..3u32, frames, any::<bool>()), 0..4),
    )
        .prop_map(|(classes, namespaces, output)| GroupTick { classes, namespaces, output })
}

/// The truth about the groups.
#[derive(Default)]
pub(super) struct GroupWatch {
    classes: HashMap<TranscodeId, String>,
    namespaces: HashMap<WorkloadId, String>,
    /// Energy, frames and jobs of each class.
    of_classes: BTreeMap<String, (u64, u64, u64)>,
    of_namespaces: BTreeMap<String, u64>,
    /// Frames of each transcode that count, and whether it counts as a job.
    counted: HashMap<TranscodeId, (u64, bool)>,
}

/// The name of a group, when there are these and only so many have totals of their own.
fn named<T>(known: &mut BTreeMap<String, T>, name: String, limit: usize) -> String
where
    T: Default,
{
    let own = known.keys().filter(|name| *name != OTHER_GROUP).count();
    let name = if known.contains_key(&name) || own < limit { name } else { OTHER_GROUP.to_owned() };
    known.entry(name.clone()).or_default();
    name
}

fn class_labels(name: &str) -> [&str; 5] {
    ["", "", name, "", ""]
}

impl GroupWatch {
    /// Changes the groups of claimants.
    pub(super) fn happen(&mut self, totals: &mut Totals, tick: &GroupTick, limit: usize) {
        for (workload, transcode, class) in &tick.classes {
            let (id, name) = (TranscodeId(workload * 10 + transcode), format!("class {class}"));
            totals.classify(id, class_labels(&name));
            let name = named(&mut self.of_classes, name, limit);
            self.classes.insert(id, name);
        }
        for (workload, namespace) in &tick.namespaces {
            let (id, name) = (WorkloadId(100 + workload), format!("namespace {namespace}"));
            totals.put_in_namespace(id, &name);
            let name = named(&mut self.of_namespaces, name, limit);
            self.namespaces.insert(id, name);
        }
    }

    /// Notes a charge.
    pub(super) fn charged(&mut self, charge: Charge) {
        if let Some(id) = charge.claimant.transcode {
            self.class_of(id).0 += charge.energy.0;
        }
        if let Some(name) = self.namespaces.get(&charge.claimant.workload) {
            *self.of_namespaces.entry(name.clone()).or_default() += charge.energy.0;
        }
    }

    fn class_of(&mut self, id: TranscodeId) -> &mut (u64, u64, u64) {
        let name = self.classes.get(&id).map_or(OTHER_GROUP, String::as_str);
        self.of_classes.entry(name.to_owned()).or_default()
    }

    /// Posts the output of a tick.
    pub(super) fn post(&mut self, totals: &mut Totals, tick: &GroupTick) {
        for (workload, transcode, frames, has_ended) in &tick.output {
            let id = TranscodeId(workload * 10 + transcode);
            totals.count_output(id, TranscodeCount { frames: *frames, length: None, has_ended: *has_ended });
            let (counted, is_job) = self.counted.get(&id).copied().unwrap_or_default();
            let now = frames.unwrap_or(0).max(counted);
            let class = self.class_of(id);
            class.1 = class.1.saturating_add(now - counted);
            class.2 += u64::from(*has_ended && !is_job);
            self.counted.insert(id, (now, is_job || *has_ended));
        }
    }

    /// Notes transcodes whose accounts have been closed: under their ids others may come.
    pub(super) fn closed(&mut self, ids: &[TranscodeId]) {
        for id in ids {
            self.counted.remove(id);
        }
    }

    /// Each group has its charges and its output, the classes together have the charges of all transcodes, and the limit holds.
    pub(super) fn check(
        &self,
        totals: &Totals,
        transcodes: &[Account],
        limit: usize,
    ) -> Result<(), TestCaseError> {
        let classes: Vec<_> = totals.classes().collect();
        let is_own = |label: &str| label != OTHER_GROUP;
        prop_assert!(classes.iter().filter(|class| is_own(&class.labels[2])).count() <= limit);
        prop_assert!(totals.namespaces().filter(|one| is_own(&one.labels[0])).count() <= limit);
        for class in &classes {
            let shown = (energy(&class.totals.account), class.totals.output.frames, class.totals.jobs);
            let expected = self.of_classes.get(&*class.labels[2]).copied().unwrap_or_default();
            prop_assert_eq!(shown, expected, "{:?}", class.labels);
        }
        for namespace in totals.namespaces() {
            let expected = self.of_namespaces.get(&*namespace.labels[0]).copied().unwrap_or_default();
            prop_assert_eq!(energy(&namespace.totals.account), expected, "{:?}", namespace.labels);
        }
        // Before the first class there is none to show.
        if !classes.is_empty() {
            for zone in 0..totals.zones().len() {
                let of = |account: &Account| account.zones.get(zone).copied().unwrap_or_default();
                let sum: u64 = classes.iter().map(|class| of(&class.totals.account).energy().0).sum();
                prop_assert_eq!(sum, transcodes.iter().map(|one| of(one).energy().0).sum::<u64>());
            }
            let sum: u64 = classes.iter().map(|class| class.totals.account.cpu.0).sum();
            prop_assert_eq!(sum, transcodes.iter().map(|account| account.cpu.0).sum::<u64>());
        }
        Ok(())
    }
}

const FIRST: TranscodeId = TranscodeId(1);
const SECOND: TranscodeId = TranscodeId(2);

/// Frames, jobs and time of begin of each class, by its third label.
fn classes(totals: &Totals) -> Vec<(String, u64, u64, f64)> {
    let shown = totals.classes().map(|class| {
        let GroupSnapshot { labels, totals, created } = class;
        (labels[2].to_string(), totals.output.frames, totals.jobs, created.0)
    });
    shown.collect()
}

fn frames(frames: u64, has_ended: bool) -> TranscodeCount {
    TranscodeCount { frames: Some(frames), length: None, has_ended }
}

#[test]
fn a_class_begins_at_0_with_its_first_transcode_and_never_ends() {
    let mut totals = totals(10);
    assert!(classes(&totals).is_empty());
    totals.classify(FIRST, class_labels("libx264"));
    window(&mut totals, 1, &[]);
    let other = (OTHER_GROUP.to_owned(), 0, 0, 1000.0);
    assert_eq!(classes(&totals), [("libx264".to_owned(), 0, 0, 1000.0), other.clone()]);
    totals.count_output(FIRST, frames(50, false));
    totals.count_output(FIRST, frames(70, true));
    totals.count_output(FIRST, frames(70, true));
    totals.end_transcode(FIRST, moment(2).mono);
    window(&mut totals, 500, &[]);
    totals.classify(SECOND, class_labels("libx264"));
    totals.count_output(SECOND, frames(5, false));
    assert_eq!(classes(&totals), [("libx264".to_owned(), 75, 1, 1000.0), other]);
}

#[test]
fn another_class_gets_later_amounts_only() {
    let mut totals = totals(10);
    totals.classify(FIRST, class_labels("wrapper"));
    totals.count_output(FIRST, frames(50, false));
    totals.classify(FIRST, class_labels("libx264"));
    totals.count_output(FIRST, frames(60, false));
    totals.count_output(FIRST, TranscodeCount::default());
    totals.count_output(FIRST, frames(55, true));
    let shown: Vec<_> =
        classes(&totals).into_iter().map(|(name, frames, jobs, _)| (name, frames, jobs)).collect();
    let expected = [("wrapper", 50, 0), ("libx264", 10, 1), (OTHER_GROUP, 0, 0)];
    assert_eq!(shown, expected.map(|(name, frames, jobs)| (name.to_owned(), frames, jobs)));
}
