//! Keeps the charges of each tick for a while, and sums them over a window.
//!
//! The ticks at the two ends of a window count in part: within a tick energy flows evenly over the time for which its subject existed.
//! Totals only grow, so the charges of a missed snapshot are in the next one.
//!
//! Ticks that are some minutes old are merged: otherwise a thousand busy workloads would fill the memory with them.

mod charges;
mod past_tick;
mod known;

use std::cmp::Ordering;
use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use charges::{charges, totals};
use known::Known;
use past_tick::{Numbers, PastTick};

use crate::join::subject::{Candidate, Subject};
use crate::model::health::Kept;
use crate::model::snapshot::Snapshot;
use crate::time::{MonoTime, WallTime};
use crate::units::{CpuTime, MicroJoules, Ratio};

pub use charges::Charge;

/// Seconds by which the wall clock may differ from elapsed time without having been set: snapshots are not taken at
/// the very end of their ticks.
const CLOCK_STEP: f64 = 1.0;

/// Time for which each tick is kept separately.
const RECENT: Duration = Duration::from_mins(2);

/// Length of merged ticks: as long as a bucket of the ledger.
const COARSE: Duration = Duration::from_secs(10);

/// Most charges of separate ticks, about 2 MB: a thousand workloads that are busy in each tick fill two minutes.
const MOST_CHARGES: usize = 130_000;

/// Most ended subjects: about 10 MB of names. A history of a quarter of an hour reaches it with eleven jobs a second.
const MOST_GONE: usize = 10_000;

/// Charges of subjects in a window.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct WindowCharge {
    /// Sum of the charges.
    pub charge: Charge,
    /// Known part of the window.
    pub covered: Duration,
}

/// The charges of one tick; subjects without a charge are left out.
#[derive(Clone, Debug, PartialEq)]
pub struct Tick {
    /// End of the last tick.
    pub from: WallTime,
    /// End of this tick.
    pub to: WallTime,
    /// Charges by subject.
    pub charges: HashMap<Subject, Charge>,
    /// CPU time of all containers together.
    pub containers: CpuTime,
    /// CPU use of the engine, of one CPU.
    pub engine: Option<Ratio>,
}

/// Charges of subjects in one tick, or in several merged ones.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// Length of the tick.
    pub length: Duration,
    /// Sum of the charges.
    pub charge: Charge,
    /// CPU time of all containers together.
    pub containers: CpuTime,
    /// CPU use of the engine, of one CPU.
    pub engine: Option<Ratio>,
}

/// The ticks of the last quarter of an hour.
#[derive(Debug)]
pub struct History {
    span: Duration,
    ticks: VecDeque<PastTick>,
    numbers: Numbers,
    /// The last tick, unmerged.
    latest: Option<Tick>,
    /// Number of ticks, from the oldest on, that are no longer merged with the following ones.
    settled: usize,
    totals: HashMap<Subject, Charge>,
    containers: CpuTime,
    last: Option<(WallTime, MonoTime)>,
    /// Whether each tick is later than the one before it: false after the wall clock was set back.
    is_sorted: bool,
    known: Known,
    /// Number of subjects that were dropped because too many had ended.
    evicted: u64,
}

impl History {
    /// A history of this length.
    pub fn new(span: Duration) -> Self {
        Self {
            span,
            ticks: VecDeque::new(),
            numbers: Numbers::default(),
            latest: None,
            settled: 0,
            totals: HashMap::new(),
            containers: CpuTime(0),
            last: None,
            is_sorted: true,
            known: Known::default(),
            evicted: 0,
        }
    }

    /// A history of known ticks, from another source.
    pub fn of(ticks: &[Tick], candidates: Vec<Candidate>) -> Self {
        let mut history = Self::new(Duration::MAX);
        let seen = ticks.last().map_or(WallTime(0.0), |tick| tick.to);
        history.is_sorted = ticks.is_sorted_by(|one, other| one.to.0 <= other.from.0);
        history.ticks = ticks.iter().map(|tick| PastTick::new(tick, &mut history.numbers)).collect();
        history.known = Known::of(candidates, seen);
        history
    }

    /// Adds a snapshot; returns its charges. `None` when no time has elapsed.
    ///
    /// Totals begin at 0 when the agent does: those of the first snapshot cover all its ticks so far, those of a subject
    /// that appears later cover the tick in which it appears.
    pub fn push(&mut self, snapshot: &Snapshot) -> Option<&Tick> {
        let totals = totals(snapshot);
        self.known.see(snapshot);
        let in_containers =
            snapshot.workloads.iter().filter(|workload| workload.identity.kind.is_container());
        let containers = in_containers.map(|workload| workload.account.cpu).sum();
        let containers_before = std::mem::replace(&mut self.containers, containers);
        let from = self.begin(snapshot);
        let before = std::mem::replace(&mut self.totals, totals);
        if from.0 >= snapshot.wall.0 {
            return None;
        }
        let charges = charges(&before, &self.totals);
        self.known.charge(charges.keys());
        let excess = self.known.forget(snapshot.wall, self.span, MOST_GONE);
        self.evicted += excess.len() as u64;
        if !excess.is_empty() {
            let excess = excess.iter().filter_map(|subject| self.numbers.get(subject)).collect();
            self.ticks.iter_mut().for_each(|tick| tick.remove(&excess));
        }
        let containers = containers.saturating_sub(containers_before);
        let engine = snapshot.engine.and_then(|engine| engine.cpus);
        let tick = Tick { from, to: snapshot.wall, charges, containers, engine };
        self.ticks.push_back(PastTick::new(&tick, &mut self.numbers));
        while self.ticks.front().is_some_and(|tick| between(tick.to, snapshot.wall) > self.span) {
            self.ticks.pop_front();
            self.settled = self.settled.saturating_sub(1);
        }
        self.settle(snapshot.wall);
        self.numbers.forget(self.known.len(), self.ticks.iter());
        Some(self.latest.insert(tick))
    }

    /// Merges old ticks.
    fn settle(&mut self, now: WallTime) {
        let recent = self.ticks.iter().skip(self.settled);
        let mut charges: usize = recent.map(PastTick::len).sum();
        let is_old = |old: &PastTick, charges| between(old.to, now) > RECENT || charges > MOST_CHARGES;
        while let Some(old) = self.ticks.get(self.settled).filter(|old| is_old(old, charges)) {
            charges -= old.len();
            let (from, to) = (old.from, old.to);
            let before = self.settled.checked_sub(1).and_then(|before| self.ticks.get(before));
            if before.is_some_and(|before| before.to == from && between(before.from, to) <= COARSE)
                && let Some(old) = self.ticks.remove(self.settled)
                && let Some(before) = self.ticks.get_mut(self.settled - 1)
            {
                before.extend(&old);
            } else {
                self.settled += 1;
            }
        }
    }

    /// The begin of the tick that a snapshot ends, on the wall clock as it is now.
    ///
    /// Ticks follow each other without a gap, unless the clock was set or the host has slept: that makes a tick
    /// neither longer nor shorter.
    fn begin(&mut self, snapshot: &Snapshot) -> WallTime {
        let Some((last, at)) = self.last.replace((snapshot.wall, snapshot.at)) else {
            return WallTime(snapshot.wall.0 - snapshot.window.as_secs_f64() * snapshot.tick as f64);
        };
        let (passed, shown) = (snapshot.at.since(at).as_secs_f64(), snapshot.wall.0 - last.0);
        if shown > 0.0 && (shown - passed).abs() < CLOCK_STEP {
            return last;
        }
        let from = WallTime(snapshot.wall.0 - passed);
        self.is_sorted &= from.0 >= last.0;
        from
    }

    /// Number of kept subjects.
    pub fn kept(&self) -> Kept {
        Kept { entries: self.known.candidates().count() as u64, evicted: Some(self.evicted) }
    }

    /// All subjects of the history.
    pub fn candidates(&self) -> impl Iterator<Item = &Candidate> + Clone {
        self.known.candidates()
    }

    /// Begin of the known time.
    pub fn begins(&self) -> Option<WallTime> {
        self.ticks.front().map(|tick| tick.from)
    }

    /// The last tick.
    pub fn last(&self) -> Option<&Tick> {
        self.latest.as_ref()
    }

    /// End of the last tick.
    pub fn ends(&self) -> Option<WallTime> {
        self.ticks.back().map(|tick| tick.to)
    }

    /// Sum of the charges of subjects in a window.
    pub fn over(&self, subjects: &[Subject], from: WallTime, to: WallTime) -> WindowCharge {
        let mut spent = WindowCharge::default();
        // An empty or reversed window has no charges.
        if from.0.partial_cmp(&to.0) != Some(Ordering::Less) {
            return spent;
        }
        let numbers: Vec<_> = subjects.iter().map(|subject| self.numbers.get(subject)).collect();
        for tick in self.touching(from, to) {
            let overlap = between(later(from, tick.from), earlier(to, tick.to));
            if overlap.is_zero() {
                continue;
            }
            spent.covered += overlap;
            for (subject, number) in subjects.iter().zip(&numbers) {
                let charge = tick.charge(*number);
                if charge != Charge::default() {
                    spent.charge += scaled(charge, self.part_of(subject, tick, from, to));
                }
            }
        }
        spent
    }

    /// The part of a tick's charge that is in a window. Energy flows evenly while its subject exists: of a transcode that began
    /// in the middle of a tick, together with the window, all of the tick's charge is in it.
    fn part_of(&self, subject: &Subject, tick: &PastTick, from: WallTime, to: WallTime) -> f64 {
        let life = self.known.life(subject);
        let there = life.map(|(began, ended)| (later(began, tick.from), earlier(ended, tick.to)));
        // CPU time that was counted after the subject's end is spread over the whole tick.
        let (began, ended) = there.filter(|(began, ended)| began.0 < ended.0).unwrap_or((tick.from, tick.to));
        between(later(from, began), earlier(to, ended)).as_secs_f64() / between(began, ended).as_secs_f64()
    }

    /// The ticks that may overlap a window.
    fn touching(&self, from: WallTime, to: WallTime) -> impl Iterator<Item = &PastTick> {
        let first = if self.is_sorted { self.ticks.partition_point(|tick| tick.to.0 <= from.0) } else { 0 };
        let is_over = move |tick: &&PastTick| self.is_sorted && tick.from.0 >= to.0;
        self.ticks.range(first..).take_while(move |tick| !is_over(tick))
    }

    /// Sum of the charges of subjects in each tick that is entirely within a window.
    pub fn within(&self, subjects: &[Subject], from: WallTime, to: WallTime) -> Vec<Step> {
        let numbers: Vec<_> = subjects.iter().map(|subject| self.numbers.get(subject)).collect();
        let step = |tick: &PastTick| {
            let mut charge = Charge::default();
            for number in &numbers {
                charge += tick.charge(*number);
            }
            let (containers, engine) = (tick.containers, tick.engine);
            Step { length: between(tick.from, tick.to), charge, containers, engine }
        };
        self.touching(from, to).filter(|tick| from.0 <= tick.from.0 && tick.to.0 <= to.0).map(step).collect()
    }
}

/// A part of a charge, to the nearest unit.
fn scaled(charge: Charge, part: f64) -> Charge {
    if part >= 1.0 {
        return charge;
    }
    Charge {
        energy: MicroJoules((charge.energy.0 as f64 * part).round() as u64),
        cpu: CpuTime((charge.cpu.0 as f64 * part).round() as u64),
    }
}

fn earlier(one: WallTime, other: WallTime) -> WallTime {
    if one.0 < other.0 { one } else { other }
}

fn later(one: WallTime, other: WallTime) -> WallTime {
    if one.0 > other.0 { one } else { other }
}

/// The time from one moment to the other; zero when they are reversed or no numbers.
fn between(from: WallTime, to: WallTime) -> Duration {
    Duration::try_from_secs_f64(to.0 - from.0).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transcode() -> Subject {
        Subject::Transcode("7-1".into())
    }

    /// Ticks of a second from `from` on, with these energies in microjoules.
    fn ticks(from: f64, energies: &[u64]) -> Vec<Tick> {
        let tick = |(index, energy): (usize, &u64)| {
            let charge = Charge { energy: MicroJoules(*energy), cpu: CpuTime(energy * 10) };
            let from = from + index as f64;
            Tick {
                from: WallTime(from),
                to: WallTime(from + 1.0),
                charges: HashMap::from([(transcode(), charge)]),
                containers: CpuTime(0),
                engine: None,
            }
        };
        energies.iter().enumerate().map(tick).collect()
    }

    #[test]
    fn both_ends_of_a_window_count_in_part() {
        let history = History::of(&ticks(100.0, &[1000, 2000, 4000]), Vec::new());
        let over = |from, to| history.over(&[transcode()], WallTime(from), WallTime(to));
        assert_eq!(over(100.0, 103.0).charge, Charge { energy: MicroJoules(7000), cpu: CpuTime(70_000) });
        assert_eq!(over(100.5, 102.25).charge.energy, MicroJoules(500 + 2000 + 1000));
        assert_eq!(over(101.25, 101.5).charge.energy, MicroJoules(500));
        assert_eq!(over(101.25, 101.5).covered, Duration::from_millis(250));
        assert_eq!(over(98.0, 100.5).covered, Duration::from_millis(500));
        assert_eq!(over(110.0, 120.0), WindowCharge::default());
        assert_eq!(over(103.0, 100.0), WindowCharge::default());
        assert_eq!(over(f64::NAN, 101.0), WindowCharge::default());
    }

    #[test]
    fn who_was_there_for_a_part_of_a_tick_was_charged_in_that_part() {
        let life = Some((WallTime(100.4), WallTime(102.5)));
        let candidate = Candidate { subject: transcode(), scenario: None, life };
        let history = History::of(&ticks(100.0, &[600, 1000, 500, 7]), vec![candidate]);
        let over = |from, to| history.over(&[transcode()], WallTime(from), WallTime(to)).charge.energy.0;
        assert_eq!(over(100.4, 102.5), 2100, "all of it, and nothing for the time before");
        assert_eq!(over(100.0, 104.0), 2107, "and what came after its end");
        assert_eq!(over(100.7, 102.25), 300 + 1000 + 250);
        assert_eq!(over(100.0, 100.4), 0);
    }

    #[test]
    fn old_ticks_are_put_together_and_nothing_of_them_is_lost() {
        let energies: Vec<u64> = (0..600).collect();
        let mut history = History::of(&ticks(0.0, &energies), Vec::new());
        history.settle(WallTime(600.0));
        let all = history.over(&[transcode()], WallTime(0.0), WallTime(600.0));
        assert_eq!(all.charge.energy.0, energies.iter().sum::<u64>());
        assert_eq!(all.covered, Duration::from_mins(10));
        assert_eq!(history.ticks.len(), 48 + 121, "479 s by tens, 121 s by ones");
        let old = history.over(&[transcode()], WallTime(100.0), WallTime(110.0));
        assert_eq!(old.charge.energy.0, (100..110).sum::<u64>());
        let recent = history.over(&[transcode()], WallTime(595.0), WallTime(596.0));
        assert_eq!(recent.charge.energy.0, 595);
    }

    #[test]
    fn nobody_and_several() {
        let history = History::of(&ticks(0.0, &[5]), Vec::new());
        let (from, to) = (WallTime(0.0), WallTime(1.0));
        assert_eq!(history.over(&[Subject::Host], from, to).charge, Charge::default());
        assert_eq!(history.over(&[transcode(), transcode()], from, to).charge.energy, MicroJoules(10));
        assert_eq!((history.begins(), history.ends()), (Some(from), Some(to)));
    }
}
