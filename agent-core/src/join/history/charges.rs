//! Charges of a tick: the difference between the totals of two snapshots.
//!
//! Totals only grow. A smaller total is that of a workload that has ended and exists again: its account began anew.

use std::collections::HashMap;
use std::ops::AddAssign;

use crate::join::subject::Subject;
use crate::model::snapshot::Snapshot;
use crate::model::workload::Pseudo;
use crate::units::{CpuTime, MicroJoules};

/// Energy and CPU time charged to one subject.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Charge {
    /// Energy in the domains that count towards a total.
    pub energy: MicroJoules,
    /// CPU time.
    pub cpu: CpuTime,
}

impl Charge {
    fn less(self, other: Self) -> Self {
        Self { energy: self.energy.saturating_sub(other.energy), cpu: self.cpu.saturating_sub(other.cpu) }
    }

    /// Growth since `before`.
    fn grown_since(self, before: Self) -> Self {
        let is_anew = self.energy < before.energy || self.cpu < before.cpu;
        if is_anew { self } else { self.less(before) }
    }
}

impl AddAssign for Charge {
    fn add_assign(&mut self, other: Self) {
        self.energy += other.energy;
        self.cpu += other.cpu;
    }
}

/// Growth of all totals since the previous ones.
pub(super) fn charges(
    before: &HashMap<Subject, Charge>,
    totals: &HashMap<Subject, Charge>,
) -> HashMap<Subject, Charge> {
    let mut charges = HashMap::new();
    let mut of_workloads = Charge::default();
    for (subject, total) in totals {
        let then = before.get(subject).or_else(|| renamed(subject, before, totals));
        let charge = total.grown_since(then.copied().unwrap_or_default());
        if charge != Charge::default() {
            if matches!(subject, Subject::Workload { .. }) {
                of_workloads += charge;
            }
            charges.insert(subject.clone(), charge);
        }
    }
    // A charge to a subject that is in neither snapshot, or a late one, belongs to no subject here.
    let host = charges.get(&Subject::Host).copied().unwrap_or_default();
    let shared = host.less(of_workloads);
    let other = totals.keys().find(|subject| is_of(subject, Pseudo::Other));
    if let (Some(other), true) = (other, shared != Charge::default()) {
        *charges.entry(other.clone()).or_default() += shared;
    }
    charges
}

/// The total of a workload under its former name: a container's name may become known late.
fn renamed<'a>(
    subject: &Subject,
    before: &'a HashMap<Subject, Charge>,
    totals: &HashMap<Subject, Charge>,
) -> Option<&'a Charge> {
    let Subject::Workload { id, .. } = subject else { return None };
    let is_same = |other: &Subject| matches!(other, Subject::Workload { id: known, .. } if known == id);
    let known = before.iter().find(|(other, _)| is_same(other) && !totals.contains_key(*other));
    known.filter(|_| !id.is_empty()).map(|(_, total)| total)
}

fn is_of(subject: &Subject, pseudo: Pseudo) -> bool {
    matches!(subject, Subject::Workload { name, id } if id.is_empty() && **name == *pseudo.name())
}

pub(super) fn totals(snapshot: &Snapshot) -> HashMap<Subject, Charge> {
    let mut totals = HashMap::new();
    let mut host = Charge::default();
    for workload in &snapshot.workloads {
        let charge = Charge { energy: snapshot.energy_of(&workload.account), cpu: workload.account.cpu };
        host.cpu += charge.cpu;
        let subject =
            Subject::Workload { name: workload.identity.name.clone(), id: workload.identity.id.clone() };
        // Two cgroups may be one workload for users: their charges add up.
        *totals.entry(subject).or_default() += charge;
    }
    for transcode in &snapshot.transcodes {
        let charge = Charge { energy: snapshot.energy_of(&transcode.account), cpu: transcode.account.cpu };
        *totals.entry(Subject::Transcode(transcode.identity.key.clone())).or_default() += charge;
    }
    host.cpu += snapshot.ended.workloads.cpu;
    host.energy = snapshot.zones.iter().filter(|zone| zone.counts).map(|zone| zone.total).sum();
    totals.insert(Subject::Host, host);
    totals
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A snapshot's totals in microjoules, by name and short id.
    fn books(host: u64, workloads: &[(&str, &str, u64)]) -> HashMap<Subject, Charge> {
        let charge = |energy| Charge { energy: MicroJoules(energy), cpu: CpuTime(energy) };
        let workload = |(name, id, energy): &(&str, &str, u64)| {
            (Subject::Workload { name: (*name).into(), id: (*id).into() }, charge(*energy))
        };
        let host = (Subject::Host, charge(host));
        workloads.iter().map(workload).chain([host]).collect()
    }

    #[test]
    fn a_workload_that_ends_is_no_new_charge_and_a_name_that_is_learned_is_no_new_workload() {
        let begin = books(100, &[("a", "1", 60), ("b", "2", 40), ("(other)", "", 0)]);
        // `a` has ended, with its last 5; `b` has got a name, and 7.
        let ended = books(112, &[("bee", "2", 47), ("(other)", "", 0)]);
        assert_eq!(charges(&begin, &ended), books(12, &[("bee", "2", 7), ("(other)", "", 5)]));
        let later = books(115, &[("bee", "2", 47), ("(other)", "", 3)]);
        assert_eq!(charges(&ended, &later), books(3, &[("(other)", "", 3)]));
    }

    #[test]
    fn an_account_that_began_anew_is_charged_from_its_beginning() {
        let (begin, anew) = (books(100, &[("a", "1", 100)]), books(103, &[("a", "1", 3)]));
        assert_eq!(charges(&begin, &anew), books(3, &[("a", "1", 3)]));
    }
}
