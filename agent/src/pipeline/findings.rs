//! Tracks findings: since when each holds, and one log line when it appears and when it is gone.

use std::collections::BTreeMap;

use agent_core::model::finding::{Finding, FindingCode};
use agent_core::time::WallTime;

/// Findings that hold now.
#[derive(Debug, Default)]
pub(crate) struct FindingTracker {
    current: BTreeMap<(FindingCode, String), Finding>,
    /// Findings of the current tick.
    found: BTreeMap<(FindingCode, String), String>,
}

impl FindingTracker {
    /// Reports a finding of this tick. The detail goes into the sentence where the table has room for it.
    pub(crate) fn report(&mut self, code: FindingCode, subject: &str, detail: &str) {
        self.found.insert((code, subject.to_owned()), detail.to_owned());
    }

    /// As [`Self::report`], but another detail makes another finding: it is logged, and has a time of its own.
    pub(crate) fn report_by_detail(&mut self, code: FindingCode, subject: &str, detail: &str) {
        let key = (code, subject.to_owned());
        let has_changed = |known: &Finding| *known != Finding::new(code, subject, detail, known.since);
        if self.current.get(&key).is_some_and(has_changed) {
            self.current.remove(&key);
        }
        self.report(code, subject, detail);
    }

    /// Ends a tick: findings that were not reported in it no longer hold.
    pub(crate) fn settle(&mut self, wall: WallTime) {
        let found = std::mem::take(&mut self.found);
        for ((code, subject), _) in self.current.extract_if(.., |key, _| !found.contains_key(key)) {
            tracing::info!(code = code.name(), subject, "finding gone");
        }
        for (key, detail) in found {
            let known = self.current.get(&key).map(|known| known.since);
            let finding = Finding::new(key.0, &key.1, &detail, known.unwrap_or(wall));
            if known.is_none() {
                let fix = Some(finding.fix.as_str()).filter(|fix| !fix.is_empty());
                tracing::warn!(code = key.0.name(), fix, "{}", finding.sentence);
            }
            self.current.insert(key, finding);
        }
    }

    /// All findings that hold, by code and subject.
    pub(crate) fn current(&self) -> Vec<Finding> {
        self.current.values().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_keeps_its_time_and_goes_when_it_is_no_longer_reported() {
        let mut tracker = FindingTracker::default();
        for second in 1..=3 {
            tracker.report(FindingCode::CounterUnreadable, "core-0", &format!("attempt {second}"));
            tracker.settle(WallTime(f64::from(second)));
        }
        let current = tracker.current();
        assert_eq!((current.len(), current[0].since), (1, WallTime(1.0)));
        assert!(current[0].sentence.contains("attempt 3"), "{}", current[0].sentence);
        tracker.settle(WallTime(4.0));
        assert!(tracker.current().is_empty());
        tracker.report(FindingCode::CounterUnreadable, "core-0", "again");
        tracker.settle(WallTime(5.0));
        assert_eq!(tracker.current()[0].since, WallTime(5.0), "it is found anew");
    }

    #[test]
    fn another_detail_can_be_another_finding() {
        let mut tracker = FindingTracker::default();
        for (second, detail) in [(1, "no JSON"), (2, "no JSON"), (3, "no list"), (4, "no list")] {
            tracker.report_by_detail(FindingCode::ResultFileUnreadable, "a.json", detail);
            tracker.settle(WallTime(f64::from(second)));
        }
        assert_eq!(tracker.current()[0].since, WallTime(3.0));
    }
}
