//! Accounts of one kind of claimant (workloads or transcodes): the series of each charge, and begin and end of each series.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

use crate::model::account::Account;
use crate::time::{Moment, MonoTime, WallTime};

/// An account that has series of its own.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Entry {
    /// All charges since the account was opened.
    pub account: Account,
    /// The part of `account` that was charged under former labels. It is in the ended account, and not in the present series.
    pub earlier: Account,
    /// The time at which the present series were at 0.
    pub created: WallTime,
    /// Start of the claimant, where an event has reported it.
    pub began: Option<MonoTime>,
    /// End of the claimant.
    pub ended: Option<MonoTime>,
}

/// Start and end of a claimant that has no series of its own.
#[derive(Clone, Copy, Debug, Default)]
struct Life {
    began: Option<MonoTime>,
    ended: Option<MonoTime>,
}

/// Accounts by id. An id is in one of `shown`, `beyond` and `expected`, or in none of them.
#[derive(Clone, Debug)]
pub(super) struct Accounts<Id> {
    /// Claimants with series of their own.
    shown: HashMap<Id, Entry>,
    /// Claimants that share `other`, from their first charge until they end.
    beyond: HashMap<Id, Life>,
    /// Claimants that have not been charged yet.
    expected: HashMap<Id, Life>,
    /// Most claimants with series of their own, and those of `shown` that do not count.
    limit: usize,
    permanent: usize,
    /// Sum of the series that have disappeared.
    pub(super) ended: Account,
    /// Charges of the claimants in `beyond`.
    pub(super) other: Entry,
}

impl<Id: Copy + Eq + Hash> Accounts<Id> {
    /// `permanent` are the claimants with accounts from the start, which never end.
    pub(super) fn new(limit: usize, permanent: &[Id], now: Moment) -> Self {
        let entry = Entry { created: now.wall, ..Entry::default() };
        Self {
            shown: permanent.iter().map(|id| (*id, entry.clone())).collect(),
            beyond: HashMap::new(),
            expected: HashMap::new(),
            limit,
            permanent: permanent.len(),
            ended: Account::default(),
            other: entry,
        }
    }

    pub(super) fn shown(&self) -> impl Iterator<Item = (Id, &Entry)> {
        self.shown.iter().map(|(id, entry)| (*id, entry))
    }

    /// Number of claimants that share `other`.
    pub(super) fn beyond(&self) -> usize {
        self.beyond.len()
    }

    /// Whether a claimant has an account, or is expected to get one.
    pub(super) fn knows(&self, id: Id) -> bool {
        self.shown.contains_key(&id) || self.beyond.contains_key(&id) || self.expected.contains_key(&id)
    }

    /// Number of accounts and lives that are kept.
    pub(super) fn len(&self) -> usize {
        self.shown.len() + self.beyond.len() + self.expected.len()
    }

    /// Begins a window: sets the charges of the last window to 0.
    pub(super) fn begin_window(&mut self) {
        for entry in self.shown.values_mut().chain([&mut self.other]) {
            entry.account.begin_window();
        }
    }

    /// Notes that a claimant exists. Its account is opened at its first charge.
    pub(super) fn expect(&mut self, id: Id, began: Option<MonoTime>) {
        if !self.reopen(id, began) {
            self.expected.insert(id, Life { began, ended: None });
        }
    }

    /// Opens an account with every counter at 0, unless there is one. The first `limit` claimants have series of their own.
    pub(super) fn open(&mut self, id: Id, began: Option<MonoTime>, now: Moment) {
        if self.reopen(id, began) {
            return;
        }
        let life = self.expected.remove(&id).unwrap_or_default();
        self.place(id, Life { began: began.or(life.began), ended: None }, now);
    }

    /// Opens an account for a claimant that is about to be charged. A claimant that has ended stays ended.
    pub(super) fn open_for_charge(&mut self, id: Id, now: Moment) {
        if !self.shown.contains_key(&id) && !self.beyond.contains_key(&id) {
            let life = self.expected.remove(&id).unwrap_or_default();
            self.place(id, life, now);
        }
    }

    /// Continues the account of a claimant that exists again.
    fn reopen(&mut self, id: Id, began: Option<MonoTime>) -> bool {
        let lives = [
            self.shown.get_mut(&id).map(|entry| (&mut entry.began, &mut entry.ended)),
            self.beyond.get_mut(&id).map(|life| (&mut life.began, &mut life.ended)),
        ];
        let mut is_open = false;
        for (known, ended) in lives.into_iter().flatten() {
            is_open = true;
            if ended.take().is_some() {
                *known = began;
            }
        }
        is_open
    }

    fn place(&mut self, id: Id, life: Life, now: Moment) {
        if self.shown.len() - self.permanent >= self.limit {
            self.beyond.insert(id, life);
            return;
        }
        let Life { began, ended } = life;
        let created = now.wall_of(began.map_or(now.mono, |began| began.max(now.mono)));
        let entry = Entry { created, began, ended, ..Entry::default() };
        self.shown.insert(id, entry);
    }

    /// Adds a charge to the claimant's series. A claimant without an account has ended, and its series have
    /// disappeared: the charge is added to the ended account.
    pub(super) fn charge(&mut self, id: Id, enter: impl Fn(&mut Account)) {
        if let Some(entry) = self.shown.get_mut(&id) {
            enter(&mut entry.account);
        } else if self.beyond.contains_key(&id) {
            enter(&mut self.other.account);
        } else {
            enter(&mut self.ended);
        }
    }

    pub(super) fn end(&mut self, id: Id, at: MonoTime) {
        let lives = self.beyond.get_mut(&id).into_iter().chain(self.expected.get_mut(&id));
        let ends = lives.map(|life| &mut life.ended);
        for ended in ends.chain(self.shown.get_mut(&id).map(|entry| &mut entry.ended)) {
            ended.get_or_insert(at);
        }
    }

    /// Ends the series of a claimant that exists.
    pub(super) fn withdraw(&mut self, id: Id, at: MonoTime) {
        if let Some(entry) = self.shown.get_mut(&id) {
            entry.ended.get_or_insert(at);
        }
    }

    /// Ends the series of a claimant whose labels have changed, and begins others at 0.
    pub(super) fn relabel(&mut self, id: Id, now: Moment) {
        if let Some(entry) = self.shown.get_mut(&id) {
            self.ended.absorb(&entry.account.since(&entry.earlier));
            entry.earlier = entry.account.clone();
            entry.created = now.wall;
        }
    }

    /// Closes accounts of claimants that have ended: those with series after `keep`, others when no charge can follow, which is
    /// so when they ended before `settled`. Returns their ids.
    pub(super) fn close(&mut self, now: MonoTime, keep: Duration, settled: MonoTime) -> Vec<Id> {
        let mut closed = Vec::new();
        let is_over = |entry: &Entry| entry.ended.is_some_and(|ended| now.since(ended) >= keep);
        for (id, entry) in self.shown.extract_if(|_, entry| is_over(entry)) {
            self.ended.absorb(&entry.account.since(&entry.earlier));
            closed.push(id);
        }
        for lives in [&mut self.beyond, &mut self.expected] {
            let is_over = |life: &Life| life.ended.is_some_and(|ended| ended < settled);
            closed.extend(lives.extract_if(|_, life| is_over(life)).map(|(id, _)| id));
        }
        closed
    }

    /// Closes the account of a claimant without charges. `false` when it has charges.
    pub(super) fn close_unused(&mut self, id: Id) -> bool {
        let is_unused =
            !self.beyond.contains_key(&id) && self.shown.get(&id).is_none_or(|entry| entry.account.is_zero());
        if is_unused {
            self.shown.remove(&id);
            self.expected.remove(&id);
        }
        is_unused
    }

    /// All accounts that can contain a charge.
    pub(super) fn all(&self) -> impl Iterator<Item = std::borrow::Cow<'_, Account>> {
        let entries = self.shown.values().chain([&self.other]);
        let series = entries.map(|entry| entry.account.since(&entry.earlier));
        series.chain([std::borrow::Cow::Borrowed(&self.ended)])
    }
}
