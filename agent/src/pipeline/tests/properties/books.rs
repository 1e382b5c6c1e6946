//! Checks each snapshot against the ones before it.

use std::borrow::Cow;
use std::collections::{BTreeSet, VecDeque};

use agent_core::model::account::{Account, ZoneCharges};
use agent_core::model::workload::WorkloadKind;

use super::super::*;

/// Longest time without a finding: a counter is late, not stuck, for five seconds, and the ticks before and after add five seconds
/// at most each.
pub(super) const UNSAID: Duration = Duration::from_secs(15);

/// Figures of all snapshots so far.
#[derive(Default)]
pub(super) struct Books {
    pub(super) last: Option<SharedSnapshot>,
    /// Whether a counter may have begun again: earlier demand owes nothing then.
    pub(super) has_lost: bool,
    /// By zone: the claimants that ran on its socket in each tick since the last reading, that tick included.
    ran: BTreeMap<Zone, VecDeque<BTreeSet<String>>>,
    /// By zone: time for which its power has been missing without a finding.
    unsaid: BTreeMap<Zone, Duration>,
}

/// A key of a workload that renaming does not change.
pub(super) fn key(workload: &WorkloadSnapshot) -> String {
    let identity = &workload.identity;
    identity
        .details
        .cgroup
        .as_deref()
        .map_or_else(|| format!("{:?} {}", identity.kind, identity.name), str::to_owned)
}

impl Books {
    /// Checks a snapshot; `told` are the cgroups that ran in its tick, with their sockets.
    pub(super) fn enter(&mut self, now: &SharedSnapshot, length: Duration, told: &[(CgroupId, usize)]) {
        sums_close(now);
        classes_close(now);
        if let Some(before) = self.last.clone() {
            no_total_goes_down(&before, now);
            self.nobody_pays_who_did_not_run(&before, now, told);
        }
        self.what_is_missing_is_said(now, length);
        self.last = Some(now.clone());
    }

    pub(super) fn nobody_pays_who_did_not_run(
        &mut self,
        before: &Snapshot,
        now: &Snapshot,
        told: &[(CgroupId, usize)],
    ) {
        let accounts: BTreeMap<String, &WorkloadSnapshot> =
            before.workloads.iter().map(|one| (key(one), one)).collect();
        for (index, of) in now.zones.iter().enumerate() {
            let on_socket = told.iter().filter(|(_, socket)| of.zone.scope == Scope::Package(*socket as u32));
            let ran: BTreeSet<String> = on_socket.map(|(cgroup, _)| container_path(cgroup.0)).collect();
            let since = self.ran.entry(of.zone).or_default();
            since.push_back(ran.clone());
            let total = before.zones.get(index).map_or(MicroJoules::ZERO, |of| of.total);
            if of.total == total && (of.power.is_none() || total == MicroJoules::ZERO) {
                continue;
            }
            // A counter that has not moved yet was not measured: nobody owes for that time.
            let has_not_moved = total == MicroJoules::ZERO;
            for one in &now.workloads {
                let dynamic = |one: &WorkloadSnapshot| {
                    one.account.zones.get(index).map_or(MicroJoules::ZERO, |charges| charges.dynamic)
                };
                let paid = accounts.get(&key(one)).map_or(MicroJoules::ZERO, |before| dynamic(before));
                let may_pay = match one.identity.kind {
                    // The workloads without series of their own.
                    WorkloadKind::Pseudo if *one.identity.name == *Pseudo::Other.name() => true,
                    // Where no task ran, power above the idle power is unattributed.
                    WorkloadKind::Pseudo if *one.identity.name == *Pseudo::Unattributed.name() => {
                        ran.is_empty()
                            && (self.has_lost
                                || has_not_moved
                                || since.iter().skip(1).all(BTreeSet::is_empty))
                    }
                    _ => since.iter().any(|ran| ran.contains(&key(one))),
                };
                assert!(
                    dynamic(one) == paid || may_pay,
                    "tick {}: {} pays for {} and did not run: {since:?}",
                    now.tick,
                    key(one),
                    of.zone
                );
            }
            *since = VecDeque::from([ran]);
        }
    }

    pub(super) fn what_is_missing_is_said(&mut self, now: &Snapshot, length: Duration) {
        let is_down = now.sources.values().any(|source| source.is_needed && !source.up);
        for of in now.zones.iter().filter(|of| of.counts && of.is_followed) {
            let is_said =
                is_down || now.findings.iter().any(|finding| finding.subject == of.zone.to_string());
            let unsaid = self.unsaid.entry(of.zone).or_default();
            *unsaid = if of.power.is_some() || is_said { Duration::ZERO } else { *unsaid + length };
            let findings: Vec<_> = now.findings.iter().map(|one| (one.code, &one.subject)).collect();
            assert!(*unsaid <= UNSAID, "tick {}: no power of {}: {findings:?}", now.tick, of.zone);
        }
    }
}

pub(in crate::pipeline::tests) fn sums_close(now: &Snapshot) {
    for (index, of) in now.zones.iter().enumerate() {
        // Charges under former labels are in the ended account.
        let earlier = |one: &WorkloadSnapshot| one.series.earlier.zones.get(index).map(ZoneCharges::energy);
        let shown: MicroJoules = now
            .workloads
            .iter()
            .map(|one| energy_of(one, index).saturating_sub(earlier(one).unwrap_or(MicroJoules::ZERO)))
            .sum();
        let ended = now.ended.workloads.zones.get(index).map_or(MicroJoules::ZERO, ZoneCharges::energy);
        assert_eq!(shown + ended, of.total, "tick {}: {}", now.tick, of.zone);
        let by_source: MicroJoules = of.by_source.iter().map(|(_, energy)| *energy).sum();
        assert_eq!(by_source, of.total, "tick {}: {} by source", now.tick, of.zone);
        assert_eq!(of.residual, 0);
    }
}

/// The classes have the charges of all transcodes, ended ones included, in each zone.
fn classes_close(now: &Snapshot) {
    if now.classes.is_empty() {
        assert!(now.transcodes.is_empty(), "each transcode has a class");
        return;
    }
    let shown = now.transcodes.iter().map(|one| one.account.since(&one.series.earlier));
    let all: Vec<_> =
        shown.chain([&now.other_transcodes, &now.ended.transcodes].map(Cow::Borrowed)).collect();
    for (index, of) in now.zones.iter().enumerate() {
        let energy = |account: &Account| account.zones.get(index).map_or(0, |charges| charges.energy().0);
        let classes: u64 = now.classes.iter().map(|class| energy(&class.totals.account)).sum();
        assert_eq!(classes, all.iter().map(|one| energy(one)).sum::<u64>(), "tick {}: {}", now.tick, of.zone);
    }
    let classes: u64 = now.classes.iter().map(|class| class.totals.account.cpu.0).sum();
    assert_eq!(classes, all.iter().map(|one| one.cpu.0).sum::<u64>(), "tick {}", now.tick);
}

/// No counter of a class goes down, and none disappears.
fn no_class_goes_down(before: &Snapshot, now: &Snapshot) {
    for before in &before.classes {
        let later = now.classes.iter().find(|class| class.labels == before.labels);
        let (before, later) = (&before.totals, &later.expect("a class stays").totals);
        assert!(before.jobs <= later.jobs && before.output.frames <= later.output.frames);
        assert!(before.account.cpu <= later.account.cpu && before.output.length <= later.output.length);
        for (index, charges) in before.account.zones.iter().enumerate() {
            let later = later.account.zones[index];
            assert!(charges.dynamic <= later.dynamic && charges.idle <= later.idle, "{before:?} {later:?}");
        }
    }
}

pub(in crate::pipeline::tests) fn no_total_goes_down(before: &Snapshot, now: &Snapshot) {
    no_class_goes_down(before, now);
    for (before, now) in before.zones.iter().zip(&now.zones) {
        assert!(before.zone == now.zone && before.total <= now.total, "{before:?} {now:?}");
        for (source, energy) in &before.by_source {
            let is_kept = now.by_source.iter().any(|(same, later)| source == same && energy <= later);
            assert!(is_kept || *energy == MicroJoules::ZERO, "{before:?} {now:?}");
        }
    }
    let accounts = [
        (&before.ended.workloads, &now.ended.workloads),
        (&before.ended.transcodes, &now.ended.transcodes),
        (&before.other_transcodes, &now.other_transcodes),
    ];
    let later: BTreeMap<String, &WorkloadSnapshot> =
        now.workloads.iter().map(|one| (key(one), one)).collect();
    let workloads =
        before.workloads.iter().filter_map(|one| Some((&one.account, &later.get(&key(one))?.account)));
    let transcodes = before.transcodes.iter().filter_map(|one| {
        let same = now.transcodes.iter().find(|same| same.identity.key == one.identity.key)?;
        Some((&one.account, &same.account))
    });
    for (before, now) in accounts.into_iter().chain(workloads).chain(transcodes) {
        assert!(before.cpu <= now.cpu, "{before:?} {now:?}");
        for (index, charges) in before.zones.iter().enumerate() {
            let later = now.zones.get(index).copied().unwrap_or_default();
            assert!(charges.dynamic <= later.dynamic && charges.idle <= later.idle, "{before:?} {now:?}");
        }
    }
}
