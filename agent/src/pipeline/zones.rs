//! Where does each energy counter stand, and what does it owe?
//!
//! A counter that cannot be read at a tick gives the energy of several ticks at once later. Whoever ran meanwhile owes for it, so
//! their demand is kept until then.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::attribution::ZoneWindow;
use crate::attribution::demand::Demand;
use crate::clock::MonoTime;
use crate::model::energy::{CounterEvent, Domain, Scope, Zone, ZoneReading};
use crate::units::{MicroJoules, Watts};

/// The figures of one counter.
#[derive(Clone, Debug, Default)]
pub(super) struct ZoneState {
    /// Last total and when it was read; `None` before the first reading.
    last: Option<(MonoTime, MicroJoules)>,
    /// What ran since then, where a tick went by without a reading.
    owed: Demand,
    /// Distance of the last reading from the CPU reading beside it.
    skew: Duration,
    /// What was counted since the last reading may not be all that was drawn.
    is_disturbed: bool,
    pub(super) power: Option<Watts>,
    pub(super) wraps: u64,
    pub(super) resets: u64,
}

/// All counters.
#[derive(Debug, Default)]
pub(super) struct ZoneBook {
    zones: BTreeMap<Zone, ZoneState>,
    last_read: Option<MonoTime>,
}

/// A closed window of one counter.
#[derive(Debug)]
pub(super) struct Closed {
    pub(super) window: ZoneWindow,
    /// Distances between energy and CPU reading at both ends.
    pub(super) skew: Duration,
    /// What ran before this tick and has not been charged for yet.
    pub(super) owed: Demand,
    /// Whether energy and duration are those of one undisturbed tick.
    pub(super) is_sound: bool,
}

impl ZoneBook {
    /// One counter.
    pub(super) fn get(&self, zone: Zone) -> Option<&ZoneState> {
        self.zones.get(&zone)
    }

    /// When counters were last read at all.
    pub(super) fn last_read(&self) -> Option<MonoTime> {
        self.last_read
    }

    /// Notes what happened to counters besides counting.
    pub(super) fn count(&mut self, events: &[(Zone, CounterEvent)]) {
        for (zone, event) in events {
            let state = self.zones.entry(*zone).or_default();
            // A reset shortly before the end of the range looks like a wrap.
            state.is_disturbed = true;
            match event {
                CounterEvent::Wrap => state.wraps += 1,
                CounterEvent::Reset => {
                    tracing::warn!(%zone, "the energy counter was reset or jumped: the energy of this tick is not known");
                    state.resets += 1;
                }
            }
        }
    }

    /// The machine slept, and counters begin anew.
    pub(super) fn disturb(&mut self) {
        self.zones.values_mut().for_each(|state| state.is_disturbed = true);
    }

    /// Dies of a package that have counters of their own.
    pub(super) fn dies(&self, package: u32) -> usize {
        let is_die = |zone: &&Zone| {
            zone.domain == Domain::Package
                && matches!(zone.scope, Scope::Die { package: of, .. } if of == package)
        };
        self.zones.keys().filter(is_die).count()
    }

    /// Counters were read, if only to keep up with them.
    pub(super) fn was_read(&mut self, at: MonoTime) {
        self.last_read = Some(at);
    }

    /// The baseline of the first window.
    pub(super) fn baseline(&mut self, at: MonoTime, reading: &ZoneReading) {
        self.zones.entry(reading.zone).or_default().last.get_or_insert((at, reading.total));
    }

    /// A counter could not be read: what ran owes for it later.
    pub(super) fn owe(&mut self, zone: Zone, demand: &Demand) {
        let state = self.zones.entry(zone).or_default();
        state.power = None;
        state.is_disturbed = true;
        if state.last.is_some() {
            state.owed.extend(demand);
        }
    }

    /// A counter was read at `at`, beside a CPU reading at `cpu_at`; `None` when this is its first reading.
    pub(super) fn close(&mut self, at: MonoTime, cpu_at: MonoTime, reading: &ZoneReading) -> Option<Closed> {
        let state = self.zones.entry(reading.zone).or_default();
        let skew_now = at.since(cpu_at).max(cpu_at.since(at));
        let skew = std::mem::replace(&mut state.skew, skew_now) + skew_now;
        let is_sound = !std::mem::take(&mut state.is_disturbed);
        let (before, total) = state.last.replace((at, reading.total))?;
        let energy = reading.total.saturating_sub(total);
        let duration = at.since(before);
        state.power = energy.over(duration);
        let owed = std::mem::take(&mut state.owed);
        Some(Closed { window: ZoneWindow { zone: reading.zone, energy, duration }, skew, owed, is_sound })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attribution::demand::Claimant;
    use crate::host::CpuPlace;
    use crate::model::workload::WorkloadId;
    use crate::units::CpuTime;

    const ZONE: Zone = Zone { scope: Scope::Package(0), domain: Domain::Package };

    fn reading(microjoules: u64) -> ZoneReading {
        ZoneReading { zone: ZONE, total: MicroJoules(microjoules), quantum: MicroJoules(61) }
    }

    fn second(number: u64) -> MonoTime {
        MonoTime(number * 1_000_000_000)
    }

    #[test]
    fn a_missed_reading_is_made_up_for_with_what_ran_meanwhile() {
        let mut book = ZoneBook::default();
        assert!(book.close(second(0), second(0), &reading(0)).is_none(), "the first reading is a baseline");
        let mut demand = Demand::default();
        demand.add(Claimant::workload(WorkloadId(9)), CpuPlace { package: 0, die: 0 }, CpuTime(5));
        book.owe(ZONE, &demand);
        let closed = book.close(second(2), second(2), &reading(20_000_000)).unwrap();
        assert_eq!(closed.window.energy, MicroJoules(20_000_000));
        assert_eq!(closed.window.duration, Duration::from_secs(2));
        assert_eq!(closed.owed, demand);
        assert_eq!(book.get(ZONE).unwrap().power, Some(Watts(10.0)));
    }

    #[test]
    fn what_ran_before_the_first_reading_owes_nothing() {
        let mut book = ZoneBook::default();
        let mut demand = Demand::default();
        demand.add(Claimant::workload(WorkloadId(9)), CpuPlace { package: 0, die: 0 }, CpuTime(5));
        book.owe(ZONE, &demand);
        book.close(second(1), second(1), &reading(0));
        assert!(book.close(second(2), second(2), &reading(1)).unwrap().owed.is_empty());
    }

    #[test]
    fn skew_counts_at_both_ends() {
        let mut book = ZoneBook::default();
        book.close(MonoTime(0), MonoTime(3), &reading(0));
        let closed = book.close(MonoTime(105), MonoTime(100), &reading(1)).unwrap();
        assert_eq!(closed.skew, Duration::from_nanos(8));
    }

    #[test]
    fn a_tick_is_sound_unless_something_happened_to_its_counter() {
        let mut book = ZoneBook::default();
        book.close(second(0), second(0), &reading(0));
        let mut tick = 0;
        let mut is_sound = |book: &mut ZoneBook| {
            tick += 1;
            book.close(second(tick), second(tick), &reading(tick)).unwrap().is_sound
        };
        assert!(is_sound(&mut book));
        for event in [CounterEvent::Reset, CounterEvent::Wrap] {
            book.count(&[(ZONE, event)]);
            assert_eq!([is_sound(&mut book), is_sound(&mut book)], [false, true], "{event:?}");
        }
        book.owe(ZONE, &Demand::default());
        assert_eq!([is_sound(&mut book), is_sound(&mut book)], [false, true], "a missed reading");
        book.disturb();
        assert_eq!([is_sound(&mut book), is_sound(&mut book)], [false, true], "sleep");
    }

    #[test]
    fn dies_are_those_of_one_package_that_count_packages() {
        let mut book = ZoneBook::default();
        let die = |package, die, domain| Zone { scope: Scope::Die { package, die }, domain };
        for zone in [
            die(0, 0, Domain::Package),
            die(0, 1, Domain::Package),
            die(0, 1, Domain::Dram),
            die(1, 0, Domain::Package),
            Zone { scope: Scope::Package(2), domain: Domain::Package },
        ] {
            book.baseline(second(0), &ZoneReading { zone, ..reading(0) });
        }
        assert_eq!([book.dies(0), book.dies(1), book.dies(2)], [2, 1, 0]);
    }
}
