//! Keeps the charges of past ticks small: subjects by number, in one sorted list per tick.
//!
//! A quarter of an hour of a thousand busy workloads is some 200,000 charges. By subject, in hash maps, they took 20 MB.

use std::collections::{HashMap, HashSet};

use super::{Charge, Tick, between};
use crate::clock::WallTime;
use crate::join::subject::Subject;
use crate::units::{CpuTime, Ratio};

/// The subjects' numbers. A number is given once.
#[derive(Debug, Default)]
pub(super) struct Numbers {
    by_subject: HashMap<Subject, u32>,
    next: u32,
}

impl Numbers {
    pub(super) fn get(&self, subject: &Subject) -> Option<u32> {
        self.by_subject.get(subject).copied()
    }

    fn give(&mut self, subject: &Subject) -> u32 {
        if let Some(number) = self.get(subject) {
            return number;
        }
        self.next += 1;
        self.by_subject.insert(subject.clone(), self.next);
        self.next
    }

    /// Forgets subjects that no kept tick has a charge of; only when they are the most of them, for it takes a look at all charges.
    pub(super) fn forget<'a>(&mut self, known: usize, ticks: impl Iterator<Item = &'a Kept>) {
        const SLACK: usize = 1000;
        if self.by_subject.len() <= 2 * known + SLACK {
            return;
        }
        let charged: HashSet<u32> =
            ticks.flat_map(|tick| tick.charges.iter().map(|(number, _)| *number)).collect();
        self.by_subject.retain(|_, number| charged.contains(number));
    }
}

/// One tick, or several that were put together.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) from: WallTime,
    pub(super) to: WallTime,
    /// Sorted by number.
    charges: Box<[(u32, Charge)]>,
    pub(super) containers: CpuTime,
    pub(super) engine: Option<Ratio>,
}

impl Kept {
    pub(super) fn new(tick: &Tick, numbers: &mut Numbers) -> Self {
        let mut charges: Box<[(u32, Charge)]> =
            tick.charges.iter().map(|(subject, charge)| (numbers.give(subject), *charge)).collect();
        charges.sort_unstable_by_key(|(number, _)| *number);
        Self { from: tick.from, to: tick.to, charges, containers: tick.containers, engine: tick.engine }
    }

    /// What a subject was charged; nothing where it has no number.
    pub(super) fn charge(&self, number: Option<u32>) -> Charge {
        let place =
            number.and_then(|number| self.charges.binary_search_by_key(&number, |(known, _)| *known).ok());
        place.and_then(|place| self.charges.get(place)).map(|(_, charge)| *charge).unwrap_or_default()
    }

    /// Drops the charges of these.
    pub(super) fn remove(&mut self, numbers: &HashSet<u32>) {
        if self.charges.iter().any(|(number, _)| numbers.contains(number)) {
            self.charges =
                self.charges.iter().copied().filter(|(number, _)| !numbers.contains(number)).collect();
        }
    }

    /// Takes in the tick that follows.
    pub(super) fn extend(&mut self, later: &Self) {
        let length = |tick: &Self| between(tick.from, tick.to).as_secs_f64();
        let (mine, others) = (length(self), length(later));
        let mean = |one: Ratio, other: Ratio| Ratio((one.0 * mine + other.0 * others) / (mine + others));
        self.engine = match (self.engine, later.engine) {
            (Some(one), Some(other)) => Some(mean(one, other)),
            (one, other) => one.or(other),
        };
        self.to = later.to;
        self.containers += later.containers;
        self.charges = merged(&self.charges, &later.charges);
    }
}

/// Two sorted lists in one; charges of one number are added up.
fn merged(one: &[(u32, Charge)], other: &[(u32, Charge)]) -> Box<[(u32, Charge)]> {
    let mut all: Vec<(u32, Charge)> = one.iter().chain(other).copied().collect();
    all.sort_by_key(|(number, _)| *number);
    all.dedup_by(|later, earlier| {
        let is_same = later.0 == earlier.0;
        if is_same {
            earlier.1 += later.1;
        }
        is_same
    });
    all.into_boxed_slice()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::MicroJoules;

    fn job(number: u32) -> Subject {
        Subject::Transcode(number.to_string().into())
    }

    fn tick(second: u32, jobs: &[u32], numbers: &mut Numbers) -> Kept {
        let charge = Charge { energy: MicroJoules(1 + u64::from(second)), cpu: CpuTime(1) };
        let (from, to) = (WallTime(f64::from(second)), WallTime(f64::from(second + 1)));
        let charges = jobs.iter().map(|number| (job(*number), charge)).collect();
        Kept::new(&Tick { from, to, charges, containers: CpuTime(0), engine: None }, numbers)
    }

    #[test]
    fn ticks_put_together_have_the_charges_of_both() {
        let mut numbers = Numbers::default();
        let mut first = tick(0, &[1, 2, 3], &mut numbers);
        first.extend(&tick(1, &[3, 4, 1], &mut numbers));
        let energy = |number| first.charge(numbers.get(&job(number))).energy.0;
        assert_eq!([1, 2, 3, 4, 5].map(energy), [3, 1, 3, 2, 0]);
        let gone: HashSet<u32> = numbers.get(&job(3)).into_iter().collect();
        first.remove(&gone);
        assert_eq!(first.charge(numbers.get(&job(3))), Charge::default());
        assert_eq!(first.charge(numbers.get(&job(1))).energy, MicroJoules(3));
    }

    #[test]
    fn subjects_without_a_charge_lose_their_numbers_when_they_are_the_most() {
        let mut numbers = Numbers::default();
        let many: Vec<u32> = (0..5000).collect();
        tick(0, &many, &mut numbers);
        let kept = [tick(1, &[1, 7], &mut numbers)];
        numbers.forget(5000, kept.iter());
        assert!(numbers.get(&job(3)).is_some(), "they may all be there still");
        numbers.forget(2, kept.iter());
        assert_eq!(numbers.get(&job(3)), None);
        assert!(numbers.get(&job(7)).is_some());
    }
}
