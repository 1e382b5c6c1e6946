//! Totals of groups of claimants by their labels. A group never ends, so that a scraper sees charges of claimants that it never saw.
//!
//! A claimant has one group at a time. Its charges are its group's of that tick; a later group gets only later charges. The first groups
//! have totals of their own, further ones share one.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::sync::Arc;

use crate::model::account::Account;
use crate::model::group::{GroupSnapshot, GroupTotals, OTHER_GROUP};
use crate::time::WallTime;

/// Number of claimants without an account that keep their group: energy that a counter gives late may be charged to them.
const ROOM_CLOSED: usize = if cfg!(miri) { 64 } else { 4096 };

/// A group with totals of its own, or the one of all others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Own(usize),
    Other,
}

#[derive(Clone, Debug)]
pub(super) struct Groups<Id, const N: usize> {
    /// In the order in which they began: scrapers cache the order of series.
    own: Vec<GroupSnapshot<N>>,
    by_labels: HashMap<[Arc<str>; N], usize>,
    other: GroupSnapshot<N>,
    /// The group of each claimant.
    places: HashMap<Id, Place>,
    /// Claimants whose accounts have been closed, the first one first.
    closed: VecDeque<Id>,
    /// Most groups with totals of their own.
    limit: usize,
    has_more: bool,
}

impl<Id: Copy + Eq + Hash, const N: usize> Groups<Id, N> {
    pub(super) fn new(limit: usize, now: WallTime) -> Self {
        let labels = std::array::from_fn(|_| OTHER_GROUP.into());
        Self {
            own: Vec::new(),
            by_labels: HashMap::new(),
            other: GroupSnapshot { labels, totals: GroupTotals::default(), created: now },
            places: HashMap::new(),
            closed: VecDeque::new(),
            limit,
            has_more: false,
        }
    }

    /// Puts a claimant into the group with these labels. A new group begins at 0 at this time.
    pub(super) fn assign(&mut self, id: Id, labels: [&str; N], now: WallTime) {
        let is_its = |index: usize| self.own[index].labels.iter().zip(labels).all(|(own, its)| **own == *its);
        if matches!(self.places.get(&id), Some(Place::Own(index)) if is_its(*index)) {
            return;
        }
        let labels: [Arc<str>; N] = labels.map(Into::into);
        let place = if let Some(index) = self.by_labels.get(&labels) {
            Place::Own(*index)
        } else if self.own.len() < self.limit {
            self.by_labels.insert(labels.clone(), self.own.len());
            self.own.push(GroupSnapshot { labels, totals: GroupTotals::default(), created: now });
            Place::Own(self.own.len() - 1)
        } else {
            self.has_more = true;
            Place::Other
        };
        self.places.insert(id, place);
    }

    /// The group of a claimant.
    pub(super) fn place(&self, id: Id) -> Option<Place> {
        self.places.get(&id).copied()
    }

    /// Totals of a group.
    pub(super) fn totals(&mut self, place: Place) -> &mut GroupTotals {
        match place {
            Place::Own(index) => &mut self.own[index].totals,
            Place::Other => &mut self.other.totals,
        }
    }

    /// Begins a window: sets the charges of the last window to 0.
    pub(super) fn begin_window(&mut self) {
        let groups = self.own.iter_mut().chain([&mut self.other]);
        groups.for_each(|group| group.totals.account.begin_window());
    }

    /// Adds a charge to the claimant's group. A claimant that has none is in no group.
    pub(super) fn charge(&mut self, id: Id, enter: impl Fn(&mut Account)) {
        if let Some(place) = self.place(id) {
            enter(&mut self.totals(place).account);
        }
    }

    /// Notes claimants whose accounts have been closed. The groups of the last ones stay known; `is_open` are those that exist again.
    pub(super) fn closed(&mut self, ids: &[Id], is_open: impl Fn(Id) -> bool) {
        self.closed.extend(ids.iter().filter(|id| self.places.contains_key(id)));
        while self.closed.len() > ROOM_CLOSED {
            let first = self.closed.pop_front().filter(|id| !is_open(*id));
            first.and_then(|id| self.places.remove(&id));
        }
    }

    /// Drops a claimant that was never charged.
    pub(super) fn forget(&mut self, id: Id) {
        self.places.remove(&id);
    }

    /// All groups, and the one of all others last, once there is any.
    pub(super) fn all(&self) -> impl Iterator<Item = &GroupSnapshot<N>> {
        let has_any = !self.own.is_empty() || self.has_more;
        self.own.iter().chain(has_any.then_some(&self.other))
    }

    /// Whether there were more groups than have totals of their own.
    pub(super) fn has_more(&self) -> bool {
        self.has_more
    }
}
