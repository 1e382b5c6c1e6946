//! What has everybody been charged so far?
//!
//! Running totals of the host, of every workload and of every transcode. Totals never go down and sums never drop: whoever
//! leaves is folded into an account that stays — `(ended)` some time after its end, `(other)` when there are more workloads
//! than may be shown.
//!
//! **Invariant:** for every zone, Σ accounts = host, to the microjoule ([`Totals::residual`] is 0).

use std::cmp::Reverse;
use std::collections::HashMap;
use std::time::Duration;

use crate::attribution::demand::Claimant;
use crate::attribution::{Charge, Share};
use crate::clock::MonoTime;
use crate::model::account::Account;
use crate::model::energy::{Domain, Zone};
use crate::model::transcode::TranscodeId;
use crate::model::workload::{Pseudo, WorkloadId};
use crate::units::{CpuTime, MicroJoules};

/// Most ended accounts of a kind that stay by themselves for as long as they should: the one that ended first is folded first.
const MOST_ENDED: usize = 4096;

/// How long and how much is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TotalsLimits {
    /// How long an account stays by itself after its end; two scrapes at least.
    pub keep_ended: Duration,
    /// Most accounts of workloads, and most of transcodes, shown by themselves; pseudo-workloads not counted.
    pub shown: usize,
}

/// An account in the books.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Entry {
    /// The totals.
    pub account: Account,
    /// When its owner began, where somebody saw it.
    pub began: Option<MonoTime>,
    /// When its owner ended.
    pub ended: Option<MonoTime>,
    /// CPU time it ever used: decides who is shown. Unlike the account it survives folding, so that two workloads of a size do
    /// not change places at every window.
    rank: CpuTime,
}

impl Entry {
    /// A new account in place of this one, from 0.
    fn afresh(&self) -> Self {
        Self { account: Account::default(), ..*self }
    }
}

/// Everybody's accounts, and the host's totals that they add up to.
#[derive(Clone, Debug)]
pub struct Totals {
    limits: TotalsLimits,
    zones: Vec<Zone>,
    host: Vec<MicroJoules>,
    workloads: Accounts<WorkloadId>,
    transcodes: Accounts<TranscodeId>,
}

impl Totals {
    /// Nobody charged yet. The pseudo-workloads are there from the start.
    pub fn new(limits: TotalsLimits) -> Self {
        let mut workloads = Accounts::default();
        for pseudo in Pseudo::ALL {
            workloads.shown.insert(pseudo.id(), Entry::default());
        }
        Self { limits, zones: Vec::new(), host: Vec::new(), workloads, transcodes: Accounts::default() }
    }

    /// Zones seen so far; accounts are indexed by position here.
    pub fn zones(&self) -> &[Zone] {
        &self.zones
    }

    /// The host's total of each zone.
    pub fn host(&self) -> &[MicroJoules] {
        &self.host
    }

    /// Accounts of workloads shown by themselves, the folding ones included.
    pub fn workloads(&self) -> impl Iterator<Item = (WorkloadId, &Entry)> {
        self.workloads.shown.iter().map(|(id, entry)| (*id, entry))
    }

    /// Accounts of transcodes shown by themselves.
    pub fn transcodes(&self) -> impl Iterator<Item = (TranscodeId, &Entry)> {
        self.transcodes.shown.iter().map(|(id, entry)| (*id, entry))
    }

    /// Transcodes folded because they ended, and because there were too many.
    pub fn folded_transcodes(&self) -> (&Account, &Account) {
        (&self.transcodes.ended, &self.transcodes.other)
    }

    /// How many workloads and transcodes now share an `(other)` account.
    pub fn folded(&self) -> (usize, usize) {
        (self.workloads.folded.len(), self.transcodes.folded.len())
    }

    /// Index of a zone, which is entered into the books if it is new.
    pub fn zone_index(&mut self, zone: Zone) -> usize {
        if let Some(index) = self.zones.iter().position(|known| *known == zone) {
            return index;
        }
        self.zones.push(zone);
        self.host.push(MicroJoules::ZERO);
        self.zones.len() - 1
    }

    /// Whether a zone counts towards "the energy" of something: zones that count never contain one another.
    ///
    /// Package and DRAM where there is a package; else the platform; else whatever there is.
    pub fn counts(&self, zone: Zone) -> bool {
        let has = |domain| self.zones.iter().any(|zone| zone.domain == domain);
        match zone.domain {
            Domain::Package => true,
            Domain::Dram => has(Domain::Package) || !has(Domain::Psys),
            Domain::Psys => !has(Domain::Package),
            Domain::Core | Domain::Uncore => !has(Domain::Package) && !has(Domain::Psys),
        }
    }

    /// Begins a window in which these used CPU time: decides who is shown by itself, and enters the time.
    ///
    /// Whoever is folded and has grown past the smallest shown changes places with it before anything is charged, so what it
    /// uses now is already its own.
    pub fn begin_window(&mut self, used: &[(Claimant, CpuTime)]) {
        self.workloads.begin_window();
        self.transcodes.begin_window();
        for (claimant, busy) in used {
            self.workloads.rank(claimant.workload, *busy);
            if let Some(transcode) = claimant.transcode {
                self.transcodes.rank(transcode, *busy);
            }
        }
        self.fold_surplus();
        for (claimant, busy) in used {
            let enter = |account: &mut Account| {
                account.cpu += *busy;
                account.window_cpu += *busy;
            };
            self.workloads.charge(claimant.workload, enter);
            if let Some(transcode) = claimant.transcode {
                self.transcodes.charge(transcode, enter);
            }
        }
    }

    /// Opens an account, with 0 on every side, if there is none; re-opens one that had ended. `began` is when its owner was
    /// seen to begin.
    pub fn open_workload(&mut self, id: WorkloadId, began: Option<MonoTime>) {
        self.workloads.open(id, began);
    }

    /// As [`Self::open_workload`], for a transcode.
    pub fn open_transcode(&mut self, id: TranscodeId) {
        self.transcodes.open(id, None);
    }

    /// Marks a workload as ended.
    pub fn end_workload(&mut self, id: WorkloadId, at: MonoTime) {
        self.workloads.end(id, at);
    }

    /// Closes the account of a workload that has never been charged anything. `false` when it has been.
    pub fn close_unused_workload(&mut self, id: WorkloadId) -> bool {
        self.workloads.close_unused(id)
    }

    /// How many accounts of workloads and of transcodes were folded before their time because too many had ended.
    pub fn evicted(&self) -> (u64, u64) {
        (self.workloads.evicted, self.transcodes.evicted)
    }

    /// How many accounts of workloads and of transcodes there are, folded ones included.
    pub fn kept(&self) -> (usize, usize) {
        (self.workloads.len(), self.transcodes.len())
    }

    /// Marks a transcode as ended.
    pub fn end_transcode(&mut self, id: TranscodeId, at: MonoTime) {
        self.transcodes.end(id, at);
    }

    /// Enters the energy of a zone, and the charges that [`crate::attribution::attribute`] made of it with the bound on the
    /// error of each.
    pub fn charge(&mut self, zone: Zone, energy: MicroJoules, charges: &[(Charge, MicroJoules)]) {
        let index = self.zone_index(zone);
        let counts = self.counts(zone);
        self.host[index] += energy;
        for (charge, uncertainty) in charges {
            let enter = |account: &mut Account| {
                let entry = account.zone(index);
                match charge.share {
                    Share::Dynamic => entry.dynamic += charge.energy,
                    Share::Idle => entry.idle += charge.energy,
                }
                entry.uncertainty += *uncertainty;
                if counts {
                    account.window_energy += charge.energy;
                }
            };
            self.workloads.charge(charge.claimant.workload, enter);
            if let Some(transcode) = charge.claimant.transcode {
                self.transcodes.charge(transcode, enter);
            }
        }
    }

    fn fold_surplus(&mut self) {
        self.workloads.fold_surplus(self.limits.shown, |id| id.pseudo().is_none());
        self.transcodes.fold_surplus(self.limits.shown, |_| true);
    }

    /// Ends a window: folds what ended long enough ago. Returns the ids whose books are closed.
    pub fn end_window(&mut self, now: MonoTime) -> (Vec<WorkloadId>, Vec<TranscodeId>) {
        let closed = self.workloads.fold_ended(now, self.limits.keep_ended);
        let closed_transcodes = self.transcodes.fold_ended(now, self.limits.keep_ended);
        self.fold_surplus();
        // Workloads fold into accounts that are workloads themselves.
        for (pseudo, folded) in
            [(Pseudo::Ended, &mut self.workloads.ended), (Pseudo::Other, &mut self.workloads.other)]
        {
            let entry = self.workloads.shown.entry(pseudo.id()).or_default();
            entry.account.absorb(&std::mem::take(folded));
        }
        (closed, closed_transcodes)
    }

    /// Host minus the sum of all accounts, per zone: 0, or the books are wrong.
    pub fn residual(&self) -> Vec<i128> {
        let mut residual: Vec<i128> = self.host.iter().map(|energy| i128::from(energy.0)).collect();
        let shown = self.workloads.shown.values().map(|entry| &entry.account);
        let accounts = shown.chain([&self.workloads.ended, &self.workloads.other]);
        for account in accounts {
            for (left, charges) in residual.iter_mut().zip(&account.zones) {
                *left -= i128::from(charges.energy().0);
            }
        }
        residual
    }
}

/// The accounts of one kind of thing.
#[derive(Clone, Debug)]
struct Accounts<Id> {
    /// Shown by themselves.
    shown: HashMap<Id, Entry>,
    /// Charged to `other` since they were folded. They keep their rank, so that one that grows can come back.
    folded: HashMap<Id, Entry>,
    /// Sum of what ended and was folded.
    ended: Account,
    /// Sum of what was too much to show.
    other: Account,
    /// How many were folded before their time.
    evicted: u64,
}

impl<Id> Default for Accounts<Id> {
    fn default() -> Self {
        Self {
            shown: HashMap::new(),
            folded: HashMap::new(),
            ended: Account::default(),
            other: Account::default(),
            evicted: 0,
        }
    }
}

impl<Id: Copy + Ord + std::hash::Hash> Accounts<Id> {
    fn begin_window(&mut self) {
        let entries = self.shown.values_mut().chain(self.folded.values_mut());
        for account in entries.map(|entry| &mut entry.account).chain([&mut self.ended, &mut self.other]) {
            account.window_cpu = CpuTime::ZERO;
            account.window_energy = MicroJoules::ZERO;
        }
    }

    fn open(&mut self, id: Id, began: Option<MonoTime>) {
        let entry = match self.folded.get_mut(&id) {
            Some(entry) => entry,
            None => self.shown.entry(id).or_insert_with(|| Entry { began, ..Entry::default() }),
        };
        if entry.ended.take().is_some() {
            entry.began = began;
        }
    }

    fn end(&mut self, id: Id, at: MonoTime) {
        for entry in self.shown.get_mut(&id).into_iter().chain(self.folded.get_mut(&id)) {
            entry.ended.get_or_insert(at);
        }
    }

    fn len(&self) -> usize {
        self.shown.len() + self.folded.len()
    }

    fn close_unused(&mut self, id: Id) -> bool {
        let is_unused = self.shown.get(&id).is_none_or(|entry| entry.account.is_zero())
            && self.folded.get(&id).is_none_or(|entry| entry.rank == CpuTime::ZERO);
        if is_unused {
            self.shown.remove(&id);
            self.folded.remove(&id);
        }
        is_unused
    }

    /// When the last of those ended that are in excess of [`MOST_ENDED`].
    fn excess(&self) -> Option<MonoTime> {
        let entries = self.shown.values().chain(self.folded.values());
        let mut ended: Vec<MonoTime> = entries.filter_map(|entry| entry.ended).collect();
        let excess = ended.len().checked_sub(MOST_ENDED + 1)?;
        Some(*ended.select_nth_unstable(excess).1)
    }

    fn rank(&mut self, id: Id, busy: CpuTime) {
        let entry = match self.folded.get_mut(&id) {
            Some(entry) => entry,
            None => self.shown.entry(id).or_default(),
        };
        entry.rank += busy;
    }

    fn charge(&mut self, id: Id, enter: impl Fn(&mut Account)) {
        if self.folded.contains_key(&id) {
            enter(&mut self.other);
        } else {
            enter(&mut self.shown.entry(id).or_default().account);
        }
    }

    fn fold_ended(&mut self, now: MonoTime, keep: Duration) -> Vec<Id> {
        let is_over = |entry: &Entry| entry.ended.is_some_and(|ended| now.since(ended) >= keep);
        let mut closed = self.fold(is_over);
        if let Some(last) = self.excess() {
            let excess = self.fold(|entry| entry.ended.is_some_and(|ended| ended <= last));
            self.evicted += excess.len() as u64;
            closed.extend(excess);
        }
        closed
    }

    fn fold(&mut self, is_over: impl Fn(&Entry) -> bool) -> Vec<Id> {
        let mut closed = Vec::new();
        for (id, entry) in self.shown.extract_if(|_, entry| is_over(entry)) {
            self.ended.absorb(&entry.account);
            closed.push(id);
        }
        // What a folded one used is in `other` and stays there.
        closed.extend(self.folded.extract_if(|_, entry| is_over(entry)).map(|(id, _)| id));
        closed
    }

    /// Shows the largest `limit` of those that may be folded; of equals, those that were there first.
    fn fold_surplus(&mut self, limit: usize, may_fold: impl Fn(Id) -> bool) {
        let mut candidates: Vec<_> =
            self.shown.iter().filter(|(id, _)| may_fold(**id)).map(|(id, entry)| (entry.rank, *id)).collect();
        if candidates.len() <= limit && self.folded.is_empty() {
            return;
        }
        candidates.extend(self.folded.iter().map(|(id, entry)| (entry.rank, *id)));
        candidates.sort_unstable_by_key(|(rank, id)| (Reverse(*rank), *id));
        for (place, (_, id)) in candidates.into_iter().enumerate() {
            if place >= limit {
                if let Some(entry) = self.shown.remove(&id) {
                    self.other.absorb(&entry.account);
                    self.folded.insert(id, entry.afresh());
                }
            } else if let Some(entry) = self.folded.remove(&id) {
                // What it used while folded stays in `other`: a total that has been shown never goes down.
                self.shown.insert(id, entry);
            }
        }
    }
}
