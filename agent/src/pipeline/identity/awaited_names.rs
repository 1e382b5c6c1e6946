//! Awaits the names of containers in which an encode begins before the kubelet has made their links.
//!
//! An encode is charged to its container at once, so a tick before the answer would show the container under its id. A tick that is due
//! meanwhile comes later, by [`LONGEST`] at most.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use agent_core::time::MonoTime;

/// Longest delay of a tick. An answer takes a few system calls.
const LONGEST: Duration = Duration::from_millis(50);

/// Uids of pods without an answer.
#[derive(Debug, Default)]
pub(super) struct AwaitedNames(BTreeSet<Arc<str>>);

impl AwaitedNames {
    /// Notes a question.
    pub(super) fn asked(&mut self, uid: Arc<str>) {
        self.0.insert(uid);
    }

    /// Notes an answer.
    pub(super) fn answered(&mut self, uid: &str) {
        self.0.remove(uid);
    }

    /// Notes a tick: it waits for no answer again.
    pub(super) fn ticked(&mut self) {
        self.0.clear();
    }

    /// The time of the tick that is due at `due`.
    pub(super) fn time_of_tick(&self, due: MonoTime) -> MonoTime {
        if self.0.is_empty() { due } else { due.plus(LONGEST) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tick_waits_for_every_answer_and_only_once() {
        let due = MonoTime(7);
        let mut awaited = AwaitedNames::default();
        assert_eq!(awaited.time_of_tick(due), due);
        awaited.asked("a".into());
        awaited.asked("b".into());
        awaited.answered("a");
        assert_eq!(awaited.time_of_tick(due), due.plus(LONGEST));
        awaited.answered("b");
        assert_eq!(awaited.time_of_tick(due), due);
        awaited.asked("a".into());
        awaited.ticked();
        assert_eq!(awaited.time_of_tick(due), due);
    }
}
