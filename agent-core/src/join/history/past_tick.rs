//! Stores the charges of past ticks compactly: subjects by number, in one sorted list per tick.
//!
//! A quarter of an hour of a thousand busy workloads is some 200,000 charges. In hash maps by subject they took 20 MB.

use std::collections::{HashMap, HashSet};

use super::{Charge, Tick, between};
use crate::join::subject::Subject;
use crate::time::WallTime;
use crate::units::{CpuTime, MicroJoules, Ratio};

/// The subjects' numbers. A number is never used again.
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

    /// Drops subjects without a charge in any kept tick; only when they are the majority, because it searches all charges.
    pub(super) fn forget<'a>(&mut self, known: usize, ticks: impl Iterator<Item = &'a PastTick>) {
        const SLACK: usize = 1000;
        if self.by_subject.len() <= 2 * known + SLACK {
            return;
        }
        let charged: HashSet<u32> =
            ticks.flat_map(|tick| tick.charges.iter().map(|entry| entry.number)).collect();
        self.by_subject.retain(|_, number| charged.contains(number));
    }
}

/// Charge of one subject, in 16 bytes.
#[derive(Clone, Copy, Debug)]
struct Entry {
    number: u32,
    energy: Short,
    cpu: Short,
}

impl Entry {
    fn new(number: u32, charge: Charge) -> Self {
        Self { number, energy: Short::new(charge.energy.0), cpu: Short::new(charge.cpu.0) }
    }

    fn charge(self) -> Charge {
        Charge { energy: MicroJoules(self.energy.get()), cpu: CpuTime(self.cpu.get()) }
    }
}

/// A number of 48 bits: 280 MJ, or 78 hours of CPU time, in the ten seconds of a merged tick.
#[derive(Clone, Copy, Debug)]
struct Short([u8; 6]);

impl Short {
    const MOST: u64 = (1 << 48) - 1;

    fn new(value: u64) -> Self {
        let mut short = [0; 6];
        short.copy_from_slice(&value.min(Self::MOST).to_le_bytes()[..6]);
        Self(short)
    }

    fn get(self) -> u64 {
        let mut whole = [0; 8];
        whole[..6].copy_from_slice(&self.0);
        u64::from_le_bytes(whole)
    }
}

/// One tick, or several merged ones.
#[derive(Debug)]
pub(super) struct PastTick {
    pub(super) from: WallTime,
    pub(super) to: WallTime,
    /// Sorted by number.
    charges: Box<[Entry]>,
    pub(super) containers: CpuTime,
    pub(super) engine: Option<Ratio>,
}

impl PastTick {
    pub(super) fn new(tick: &Tick, numbers: &mut Numbers) -> Self {
        let entry = |(subject, charge): (&Subject, &Charge)| Entry::new(numbers.give(subject), *charge);
        let mut charges: Box<[Entry]> = tick.charges.iter().map(entry).collect();
        charges.sort_unstable_by_key(|entry| entry.number);
        Self { from: tick.from, to: tick.to, charges, containers: tick.containers, engine: tick.engine }
    }

    /// Number of charged subjects.
    pub(super) fn len(&self) -> usize {
        self.charges.len()
    }

    /// Charge of a subject; zero for a subject without a number.
    pub(super) fn charge(&self, number: Option<u32>) -> Charge {
        let place = number
            .and_then(|number| self.charges.binary_search_by_key(&number, |entry| entry.number).ok())
            .and_then(|place| self.charges.get(place));
        place.map(|entry| entry.charge()).unwrap_or_default()
    }

    /// Drops the charges of these subjects.
    pub(super) fn remove(&mut self, numbers: &HashSet<u32>) {
        if self.charges.iter().any(|entry| numbers.contains(&entry.number)) {
            let left = self.charges.iter().copied().filter(|entry| !numbers.contains(&entry.number));
            self.charges = left.collect();
        }
    }

    /// Merges the following tick into this one.
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

/// Merges two sorted lists; charges of one number are added up.
fn merged(one: &[Entry], other: &[Entry]) -> Box<[Entry]> {
    let mut all: Vec<Entry> = one.iter().chain(other).copied().collect();
    all.sort_by_key(|entry| entry.number);
    all.dedup_by(|later, earlier| {
        let is_same = later.number == earlier.number;
        if is_same {
            let mut sum = earlier.charge();
            sum += later.charge();
            *earlier = Entry::new(earlier.number, sum);
        }
        is_same
    });
    all.into_boxed_slice()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(number: u32) -> Subject {
        Subject::Transcode(number.to_string().into())
    }

    fn tick(second: u32, jobs: &[u32], numbers: &mut Numbers) -> PastTick {
        let charge = Charge { energy: MicroJoules(1 + u64::from(second)), cpu: CpuTime(1) };
        let (from, to) = (WallTime(f64::from(second)), WallTime(f64::from(second + 1)));
        let charges = jobs.iter().map(|number| (job(*number), charge)).collect();
        PastTick::new(&Tick { from, to, charges, containers: CpuTime(0), engine: None }, numbers)
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
    fn a_charge_is_kept_to_the_microjoule() {
        assert_eq!(size_of::<Entry>(), 16);
        for value in [0, 1, 281_474_976_710_655] {
            let charge = Charge { energy: MicroJoules(value), cpu: CpuTime(value) };
            assert_eq!(Entry::new(7, charge).charge(), charge);
        }
        assert_eq!(Short::new(u64::MAX).get(), Short::MOST);
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
