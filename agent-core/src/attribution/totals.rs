//! Running totals of the host, of every workload and of every transcode, as counters show them.
//!
//! A charge is added to its claimant's series of that tick, and nothing ever moves between series of one family:
//! the series of a workload that has ended disappear, and their totals are added to the ended account, which is another family;
//! a workload beyond the limit is in `(other)` from its first charge until it ends.
//!
//! Classes of transcodes and namespaces of workloads are further families: each charge is also in the group of its claimant, and groups
//! do not end.
//!
//! **Invariant:** for every zone, Σ series + ended = host, to the microjoule ([`Totals::residual`] is 0), and no series goes down
//! while it is shown. Σ classes = Σ transcode series + ended transcodes.

mod accounts;
mod classes;
mod groups;

use std::time::Duration;

use accounts::Accounts;
use classes::Classes;
use groups::Groups;

use crate::attribution::demand::Claimant;
use crate::attribution::{Charge, Share};
use crate::gpu::engine::EngineTimes;
use crate::model::account::Account;
use crate::model::energy::{Domain, Zone};
use crate::model::group::GroupSnapshot;
use crate::model::transcode::TranscodeId;
use crate::model::workload::{Pseudo, WorkloadId};
use crate::time::{Moment, MonoTime};
use crate::units::{CpuTime, MicroJoules};

pub use accounts::Entry;
pub use classes::TranscodeCount;

/// Limits of the shown series, in time and number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TotalsLimits {
    /// Time for which series stay after the end of their claimant; two scrapes at least.
    pub keep_ended: Duration,
    /// Most workloads, and most transcodes, with series of their own; pseudo-workloads are not counted.
    pub shown: usize,
    /// Most classes of transcodes, and most namespaces, with totals of their own.
    pub classes: usize,
}

/// All accounts, and the host's totals, to which they sum.
#[derive(Clone, Debug)]
pub struct Totals {
    limits: TotalsLimits,
    zones: Vec<Zone>,
    host: Vec<MicroJoules>,
    workloads: Accounts<WorkloadId>,
    transcodes: Accounts<TranscodeId>,
    classes: Classes,
    namespaces: Groups<WorkloadId, 1>,
    /// Times of the last two publications of the totals.
    window: Moment,
    previous: MonoTime,
    created: Moment,
}

impl Totals {
    /// Empty totals. The pseudo-workloads have series from the start.
    pub fn new(limits: TotalsLimits, now: Moment) -> Self {
        let permanent: Vec<WorkloadId> =
            Pseudo::ALL.into_iter().filter(|pseudo| *pseudo != Pseudo::Other).map(Pseudo::id).collect();
        Self {
            limits,
            zones: Vec::new(),
            host: Vec::new(),
            workloads: Accounts::new(limits.shown, &permanent, now),
            transcodes: Accounts::new(limits.shown, &[], now),
            classes: Classes::new(limits.classes, now.wall),
            namespaces: Groups::new(limits.classes, now.wall),
            window: now,
            previous: now.mono,
            created: now,
        }
    }

    /// The time at which the host's and the ended totals were 0.
    pub fn created(&self) -> Moment {
        self.created
    }

    /// Zones seen so far; accounts are indexed by position here.
    pub fn zones(&self) -> &[Zone] {
        &self.zones
    }

    /// The host's total of each zone.
    pub fn host(&self) -> &[MicroJoules] {
        &self.host
    }

    /// Accounts of workloads that have series, `(other)` included.
    pub fn workloads(&self) -> impl Iterator<Item = (WorkloadId, &Entry)> {
        self.workloads.shown().chain([(Pseudo::Other.id(), &self.workloads.other)])
    }

    /// Accounts of transcodes that have series of their own.
    pub fn transcodes(&self) -> impl Iterator<Item = (TranscodeId, &Entry)> {
        self.transcodes.shown()
    }

    /// The account of the transcodes beyond the limit.
    pub fn other_transcodes(&self) -> &Entry {
        &self.transcodes.other
    }

    /// Sums of the workload series and of the transcode series that have disappeared.
    pub fn ended(&self) -> (&Account, &Account) {
        (&self.workloads.ended, &self.transcodes.ended)
    }

    /// Numbers of workloads and transcodes that share `(other)` now.
    pub fn beyond_limit(&self) -> (usize, usize) {
        (self.workloads.beyond(), self.transcodes.beyond())
    }

    /// Index of a zone. A new zone is added.
    pub fn zone_index(&mut self, zone: Zone) -> usize {
        if let Some(index) = self.zones.iter().position(|known| *known == zone) {
            return index;
        }
        self.zones.push(zone);
        self.host.push(MicroJoules::ZERO);
        self.zones.len() - 1
    }

    /// Whether a zone counts towards the total energy of a claimant: zones that count never contain one another.
    ///
    /// Package and DRAM where there is a package; else the platform; else every zone.
    pub fn counts(&self, zone: Zone) -> bool {
        let has = |domain| self.zones.iter().any(|zone| zone.domain == domain);
        match zone.domain {
            Domain::Package => true,
            Domain::Dram => has(Domain::Package) || !has(Domain::Psys),
            Domain::Psys => !has(Domain::Package),
            Domain::Core | Domain::Uncore => !has(Domain::Package) && !has(Domain::Psys),
        }
    }

    /// Energy of an account, over the zones that count towards a total.
    pub fn energy_of(&self, account: &Account) -> MicroJoules {
        account.energy(|zone| self.zones.get(zone).is_some_and(|zone| self.counts(*zone)))
    }

    /// Begins a window in which these claimants used CPU time: opens missing accounts, and adds the time.
    pub fn begin_window(&mut self, used: &[(Claimant, CpuTime)]) {
        self.workloads.begin_window();
        self.transcodes.begin_window();
        self.classes.begin_window();
        self.namespaces.begin_window();
        for (claimant, busy) in used {
            let enter = |account: &mut Account| {
                account.cpu += *busy;
                account.window_cpu += *busy;
            };
            self.workloads.open_for_charge(claimant.workload, self.window);
            self.workloads.charge(claimant.workload, enter);
            self.namespaces.charge(claimant.workload, enter);
            if let Some(transcode) = claimant.transcode {
                self.transcodes.open_for_charge(transcode, self.window);
                self.transcodes.charge(transcode, enter);
                self.classes.charge(transcode, enter);
            }
        }
    }

    /// Adds GPU time of the window that has begun: opens missing accounts.
    pub fn add_engine_time(&mut self, used: &[(Claimant, EngineTimes)]) {
        for (claimant, times) in used {
            let enter = |account: &mut Account| account.engines += *times;
            self.workloads.open_for_charge(claimant.workload, self.window);
            self.workloads.charge(claimant.workload, enter);
            if let Some(transcode) = claimant.transcode {
                self.transcodes.open_for_charge(transcode, self.window);
                self.transcodes.charge(transcode, enter);
            }
        }
    }

    /// Notes a workload that exists, and that is not shown before it is charged. `began` is the time of its start, where an event has
    /// reported it. A workload that ends without a charge leaves no account.
    pub fn expect_workload(&mut self, id: WorkloadId, began: Option<MonoTime>) {
        self.workloads.expect(id, began);
    }

    /// Opens a workload's account at 0, so that it is shown before its first charge. The account of an ended workload continues while it is
    /// shown.
    pub fn open_workload(&mut self, id: WorkloadId, began: Option<MonoTime>) {
        self.workloads.open(id, began, self.window);
    }

    /// As [`Self::open_workload`], for a transcode.
    pub fn open_transcode(&mut self, id: TranscodeId) {
        self.transcodes.open(id, None, self.window);
    }

    /// Marks a workload as ended.
    pub fn end_workload(&mut self, id: WorkloadId, at: MonoTime) {
        self.workloads.end(id, at);
    }

    /// Ends the series of a workload whose charges another workload bears from now on. Without series of its own, it has none to end.
    pub fn withdraw_workload(&mut self, id: WorkloadId, at: MonoTime) {
        self.workloads.withdraw(id, at);
    }

    /// Closes the account of a workload without charges. `false` when it has charges.
    pub fn close_unused_workload(&mut self, id: WorkloadId) -> bool {
        let is_unused = self.workloads.close_unused(id);
        if is_unused {
            self.namespaces.forget(id);
        }
        is_unused
    }

    /// As [`Self::close_unused_workload`], for a transcode.
    pub fn close_unused_transcode(&mut self, id: TranscodeId) -> bool {
        let is_unused = self.transcodes.close_unused(id);
        if is_unused {
            self.classes.forget(id);
        }
        is_unused
    }

    /// Puts a transcode into the class with these values of [`crate::model::group::CLASS_LABELS`]: later charges and output are of this
    /// class. A class begins at 0 with its first transcode.
    pub fn classify(&mut self, id: TranscodeId, labels: [&str; 5]) {
        self.classes.assign(id, labels, self.window.wall);
    }

    /// Adds a transcode's output since the last call to its class. Its end counts once.
    pub fn count_output(&mut self, id: TranscodeId, now: TranscodeCount) {
        self.classes.count(id, now);
    }

    /// Puts a workload into a namespace: later charges are of this namespace.
    pub fn put_in_namespace(&mut self, id: WorkloadId, namespace: &str) {
        self.namespaces.assign(id, [namespace], self.window.wall);
    }

    /// Totals of the classes of transcodes, in the order in which they began; those beyond the limit together.
    pub fn classes(&self) -> impl Iterator<Item = &GroupSnapshot<5>> {
        self.classes.all()
    }

    /// Totals of the namespaces, in the order in which they began; those beyond the limit together.
    pub fn namespaces(&self) -> impl Iterator<Item = &GroupSnapshot<1>> {
        self.namespaces.all()
    }

    /// Whether there were more classes, and more namespaces, than have totals of their own.
    pub fn is_beyond_class_limit(&self) -> (bool, bool) {
        (self.classes.has_more(), self.namespaces.has_more())
    }

    /// Numbers of kept workloads and transcodes: at most the limit with series of their own, and the living ones beyond it.
    pub fn kept(&self) -> (usize, usize) {
        (self.workloads.len(), self.transcodes.len())
    }

    /// Marks a transcode as ended.
    pub fn end_transcode(&mut self, id: TranscodeId, at: MonoTime) {
        self.transcodes.end(id, at);
    }

    /// Begins new series for a workload whose labels have changed since the last window: the series with the former labels end, and their
    /// totals are added to the ended account; the new series begin at 0.
    pub fn relabel_workload(&mut self, id: WorkloadId) {
        self.workloads.relabel(id, self.window);
    }

    /// As [`Self::relabel_workload`], for a transcode.
    pub fn relabel_transcode(&mut self, id: TranscodeId) {
        self.transcodes.relabel(id, self.window);
    }

    /// Adds the energy of a zone, and the charges that [`crate::attribution::attribute`] made of it with the bound on the error of
    /// each. A claimant without an open account has ended, and its series have disappeared: its charge is added to the ended account.
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
            self.namespaces.charge(charge.claimant.workload, enter);
            if let Some(transcode) = charge.claimant.transcode {
                self.transcodes.charge(transcode, enter);
                self.classes.charge(transcode, enter);
            }
        }
    }

    /// Ends a window: closes the accounts of claimants that ended long enough ago. Returns their ids, never used ones included.
    pub fn end_window(&mut self, now: MonoTime) -> (Vec<WorkloadId>, Vec<TranscodeId>) {
        // All CPU time of a claimant that ended before the last but one publication has been read since.
        let (keep, settled) = (self.limits.keep_ended, self.previous);
        let closed = self.workloads.close(now, keep, settled);
        let closed_transcodes = self.transcodes.close(now, keep, settled);
        self.namespaces.closed(&closed, |id| self.workloads.knows(id));
        self.classes.closed(&closed_transcodes, |id| self.transcodes.knows(id));
        (closed, closed_transcodes)
    }

    /// Notes that the totals have been published: series that begin later were 0 at this time, and no later scrape shows
    /// series that disappeared before.
    pub fn published(&mut self, now: Moment) {
        self.previous = std::mem::replace(&mut self.window, now).mono;
    }

    /// Host minus the sum of all accounts, per zone: 0, or an account is wrong.
    pub fn residual(&self) -> Vec<i128> {
        let mut residual: Vec<i128> = self.host.iter().map(|energy| i128::from(energy.0)).collect();
        for account in self.workloads.all() {
            for (left, charges) in residual.iter_mut().zip(&account.zones) {
                *left -= i128::from(charges.energy().0);
            }
        }
        residual
    }
}

#[cfg(test)]
mod tests;
