//! Keeps the subjects of the history: their names, scenarios and lifetimes.
//!
//! A host on which thousands of cgroups are created and removed must not fill its memory with their names. An ended subject is kept while
//! the history has charges of it, up to a bound.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use super::between;
use crate::join::subject::{Candidate, Subject};
use crate::model::snapshot::Snapshot;
use crate::time::WallTime;

/// All subjects.
#[derive(Debug, Default)]
pub(super) struct Known(HashMap<Subject, Entry>);

#[derive(Debug)]
struct Entry {
    candidate: Candidate,
    seen: WallTime,
    is_charged: bool,
}

impl Known {
    /// The subjects of known ticks, last seen at their end.
    pub(super) fn of(candidates: Vec<Candidate>, seen: WallTime) -> Self {
        let entry = |candidate| Entry { candidate, seen, is_charged: true };
        Self(candidates.into_iter().map(|candidate| (candidate.subject.clone(), entry(candidate))).collect())
    }

    pub(super) fn candidates(&self) -> impl Iterator<Item = &Candidate> + Clone {
        self.0.values().map(|entry| &entry.candidate)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Observed lifetime of a subject.
    pub(super) fn life(&self, subject: &Subject) -> Option<(WallTime, WallTime)> {
        self.0.get(subject)?.candidate.life
    }

    /// Notes the subjects of a snapshot.
    pub(super) fn see(&mut self, snapshot: &Snapshot) {
        for workload in &snapshot.workloads {
            let identity = &workload.identity;
            let subject = Subject::Workload { name: identity.name.clone(), id: identity.id.clone() };
            let scenario = identity.details.scenario().map(str::to_owned);
            let life = match workload.life {
                (None, None) => None,
                (began, ended) => Some((began.unwrap_or_default(), ended.unwrap_or(snapshot.wall))),
            };
            self.insert(Candidate { subject, scenario, life }, snapshot.wall);
        }
        for transcode in &snapshot.transcodes {
            let subject = Subject::Transcode(transcode.identity.key.clone());
            let ended = transcode.ended.unwrap_or(snapshot.wall);
            let scenario = transcode.workload.details.scenario().map(str::to_owned);
            let life = Some((transcode.started, ended));
            self.insert(Candidate { subject, scenario, life }, snapshot.wall);
        }
    }

    fn insert(&mut self, candidate: Candidate, seen: WallTime) {
        let is_charged = self.0.get(&candidate.subject).is_some_and(|entry| entry.is_charged);
        self.0.insert(candidate.subject.clone(), Entry { candidate, seen, is_charged });
    }

    /// Notes subjects that have been charged.
    pub(super) fn charge<'a>(&mut self, subjects: impl Iterator<Item = &'a Subject>) {
        for subject in subjects {
            if let Some(entry) = self.0.get_mut(subject) {
                entry.is_charged = true;
            }
        }
    }

    /// Drops ended subjects without a charge, or older than the span. Returns the subjects beyond the limit, those that ended
    /// first: a tenth more than necessary, so that this is rare.
    pub(super) fn forget(&mut self, now: WallTime, span: Duration, room: usize) -> HashSet<Subject> {
        self.0.retain(|_, entry| {
            entry.seen.0 >= now.0 || (entry.is_charged && between(entry.seen, now) <= span)
        });
        if self.0.len() <= room {
            return HashSet::new();
        }
        let mut gone: Vec<(&Subject, WallTime)> = Vec::new();
        gone.extend(
            self.0.iter().map(|(subject, entry)| (subject, entry.seen)).filter(|(_, seen)| seen.0 < now.0),
        );
        if gone.len() <= room {
            return HashSet::new();
        }
        gone.sort_by(|(_, one), (_, other)| one.0.total_cmp(&other.0));
        let excess = gone.len() - room + room / 10;
        let excess: HashSet<Subject> =
            gone.iter().take(excess).map(|(subject, _)| (*subject).clone()).collect();
        self.0.retain(|subject, _| !excess.contains(subject));
        excess
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(number: usize) -> Subject {
        Subject::Workload { name: format!("job-{number}").into(), id: number.to_string().into() }
    }

    /// Jobs that were seen one second after the other.
    fn jobs(count: usize, is_charged: bool) -> Known {
        let mut known = Known::default();
        for number in 0..count {
            known.insert(
                Candidate { subject: job(number), scenario: None, life: None },
                WallTime(number as f64),
            );
        }
        if is_charged {
            known.charge((0..count).map(job).collect::<Vec<_>>().iter());
        }
        known
    }

    #[test]
    fn who_goes_without_a_charge_is_forgotten_at_once() {
        let hour = Duration::from_hours(1);
        let (mut idle, mut busy) = (jobs(3, false), jobs(3, true));
        assert_eq!(
            [idle.forget(WallTime(2.0), hour, 5), busy.forget(WallTime(2.0), hour, 5)],
            [HashSet::new(), HashSet::new()]
        );
        assert_eq!(idle.candidates().map(|one| one.subject.clone()).collect::<Vec<_>>(), [job(2)]);
        assert_eq!(busy.candidates().count(), 3);
        busy.forget(WallTime(10.0), Duration::from_secs(9), 5);
        assert_eq!(busy.candidates().count(), 2, "the span is over for the first");
    }

    #[test]
    fn of_more_than_there_is_room_for_those_go_that_were_gone_first() {
        let mut known = jobs(25, true);
        let excess = known.forget(WallTime(100.0), Duration::from_hours(1), 20);
        assert_eq!(excess, (0..7).map(job).collect(), "five in excess, and a tenth of the room");
        assert_eq!(known.candidates().count(), 18);
    }
}
