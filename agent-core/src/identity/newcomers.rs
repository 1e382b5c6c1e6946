//! Keeps new cgroups until they use CPU time, so that a cgroup that is removed unused leaves nothing behind.
//!
//! No IO. A newcomer is admitted to the directory when it has used CPU time, or still exists at a tick. A newcomer that was removed stays
//! for some ticks, because its CPU time may arrive later and needs its path.

use std::collections::BTreeMap;

use crate::model::cpu::CgroupId;
use crate::time::MonoTime;

/// Most newcomers: about 10 MB of the longest paths. Beyond, the one that was removed first is dropped, else the one that was made first; a
/// walk finds that again if it ever uses CPU time. Tests fill it: Miri would take an hour for the usual number.
const ROOM: usize = if cfg!(miri) { 256 } else { 16_384 };

/// Number of removed newcomers after which their CPU time is looked up.
const CROWD: usize = if cfg!(miri) { 64 } else { 1024 };

/// Ticks without CPU time after which a removed newcomer has certainly used none.
const SILENT_TICKS: u32 = 2;

/// A cgroup that has used no CPU time so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Newcomer {
    /// Path in the hierarchy.
    pub path: Box<str>,
    /// The time at which it was made, if that was observed.
    pub made: Option<MonoTime>,
    /// The time at which it was removed.
    pub removed: Option<MonoTime>,
    silent: u32,
}

impl Newcomer {
    /// A newcomer that exists.
    pub fn new(path: &str, made: Option<MonoTime>) -> Self {
        Self { path: path.into(), made, removed: None, silent: 0 }
    }
}

/// All newcomers by id. The kernel numbers cgroups in the order in which they are made, so the first is the oldest.
#[derive(Debug, Default)]
pub struct Newcomers {
    there: BTreeMap<CgroupId, Newcomer>,
    removed: BTreeMap<CgroupId, Newcomer>,
    evicted: u64,
}

impl Newcomers {
    /// Adds a cgroup that exists.
    pub fn made(&mut self, id: CgroupId, newcomer: Newcomer) {
        self.removed.remove(&id);
        self.there.insert(id, newcomer);
        if self.len() > ROOM {
            self.evicted += 1;
            if self.removed.pop_first().is_none() {
                self.there.pop_first();
            }
        }
    }

    /// Marks a cgroup as removed. `false` when it is no newcomer.
    pub fn removed(&mut self, id: CgroupId, at: MonoTime) -> bool {
        let Some(newcomer) = self.there.remove(&id) else { return self.removed.contains_key(&id) };
        self.removed.insert(id, Newcomer { removed: Some(at), ..newcomer });
        true
    }

    /// Takes out a newcomer that has used CPU time.
    pub fn take(&mut self, id: CgroupId) -> Option<Newcomer> {
        self.there.remove(&id).or_else(|| self.removed.remove(&id))
    }

    /// Takes out the oldest newcomer that still exists.
    pub fn take_first(&mut self) -> Option<(CgroupId, Newcomer)> {
        self.there.pop_first()
    }

    /// The older half of the removed newcomers, when they are more than the limit.
    pub fn crowd(&self) -> Option<Vec<CgroupId>> {
        (self.removed.len() > CROWD).then(|| self.removed.keys().copied().take(CROWD / 2).collect())
    }

    /// Drops a removed newcomer that has used no CPU time.
    pub fn forget(&mut self, id: CgroupId) {
        self.removed.remove(&id);
    }

    /// Ends a tick, after newcomers with CPU time were taken out: drops removed ones that have used none for long enough.
    pub fn tick(&mut self) {
        self.removed.retain(|_, newcomer| {
            newcomer.silent += 1;
            newcomer.silent < SILENT_TICKS
        });
    }

    /// The newcomer with this path.
    pub fn find(&self, path: &str) -> Option<CgroupId> {
        let mut all = self.there.iter().chain(&self.removed);
        all.find(|(_, newcomer)| *newcomer.path == *path).map(|(id, _)| *id)
    }

    /// The path of a newcomer.
    pub fn path(&self, id: CgroupId) -> Option<&str> {
        self.there.get(&id).or_else(|| self.removed.get(&id)).map(|newcomer| &*newcomer.path)
    }

    /// Whether the cgroup is a newcomer.
    pub fn contains(&self, id: CgroupId) -> bool {
        self.there.contains_key(&id) || self.removed.contains_key(&id)
    }

    /// Newcomers that exist, as far as is known.
    pub fn living(&self) -> impl Iterator<Item = (CgroupId, &str)> {
        self.there.iter().map(|(id, newcomer)| (*id, &*newcomer.path))
    }

    /// Number of newcomers, removed ones included.
    pub fn len(&self) -> usize {
        self.there.len() + self.removed.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether one more newcomer would displace another.
    pub fn is_full(&self) -> bool {
        self.len() >= ROOM
    }

    /// Number of newcomers that were dropped because there were too many.
    pub fn evicted(&self) -> u64 {
        self.evicted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn newcomer() -> Newcomer {
        Newcomer::new("/job", Some(MonoTime(1)))
    }

    #[test]
    fn one_that_is_removed_unused_is_forgotten_after_two_ticks() {
        let mut newcomers = Newcomers::default();
        newcomers.made(CgroupId(5), newcomer());
        newcomers.made(CgroupId(6), newcomer());
        assert!(newcomers.removed(CgroupId(5), MonoTime(2)));
        assert!(!newcomers.removed(CgroupId(7), MonoTime(2)), "never seen");
        newcomers.tick();
        assert!(newcomers.contains(CgroupId(5)), "its CPU time may still come");
        newcomers.tick();
        assert!(!newcomers.contains(CgroupId(5)) && newcomers.contains(CgroupId(6)));
        assert_eq!(newcomers.evicted(), 0);
    }

    #[test]
    fn a_crowd_is_the_older_half_of_the_removed() {
        let mut newcomers = Newcomers::default();
        for id in 0..=CROWD as u64 {
            assert_eq!(newcomers.crowd(), None);
            newcomers.made(CgroupId(id), newcomer());
            newcomers.removed(CgroupId(id), MonoTime(2));
        }
        let crowd = newcomers.crowd().unwrap();
        assert_eq!(crowd, (0..CROWD as u64 / 2).map(CgroupId).collect::<Vec<_>>());
    }

    #[test]
    fn there_are_never_more_than_there_is_room_for_and_the_removed_go_first() {
        let mut newcomers = Newcomers::default();
        for id in 0..ROOM as u64 {
            newcomers.made(CgroupId(id), newcomer());
        }
        newcomers.removed(CgroupId(3), MonoTime(2));
        newcomers.made(CgroupId(ROOM as u64), newcomer());
        newcomers.made(CgroupId(ROOM as u64 + 1), newcomer());
        assert_eq!((newcomers.len(), newcomers.evicted()), (ROOM, 2));
        let gone: Vec<u64> = (0..ROOM as u64 + 2).filter(|id| !newcomers.contains(CgroupId(*id))).collect();
        assert_eq!(gone, [0, 3], "the removed one, then the oldest");
    }
}
