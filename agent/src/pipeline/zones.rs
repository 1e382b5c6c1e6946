//! Tracks each energy counter, and the demand that its energy has not yet paid for.
//!
//! A counter that cannot be read at a tick, or stands still, later gives the energy of several ticks at once.
//! That energy is charged to all claimants that ran meanwhile, so their demand is kept until then.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use agent_core::attribution::ZoneWindow;
use agent_core::attribution::cores::CoreReadings;
use agent_core::attribution::demand::Demand;
use agent_core::attribution::stall::{Span, shortfall};
use agent_core::model::energy::{
    CoreReading, CounterEvent, Domain, EnergySourceKind, Scope, Zone, ZoneReading,
};
use agent_core::time::MonoTime;
use agent_core::units::{MicroJoules, Watts};

use crate::source::energy::EnergyReading;

#[cfg(test)]
mod tests;

/// The begin of the open window of a counter.
#[derive(Clone, Debug)]
struct Begin {
    at: MonoTime,
    total: MicroJoules,
    /// Readings of single cores at that time.
    cores: Arc<CoreReadings>,
}

/// State of one counter.
#[derive(Clone, Debug, Default)]
pub(super) struct ZoneState {
    /// `None` before the first reading.
    last: Option<Begin>,
    /// Demand since then, where a tick had no reading.
    owed: Demand,
    /// Demand since the first reading, while no counter has ever moved: it pays for the estimate that takes their place.
    unmeasured: Option<(MonoTime, Demand)>,
    /// The last closed window, and the demand of its last tick.
    before: Option<(Span, Arc<Demand>, Duration)>,
    /// Whether it has counted since its first reading.
    has_moved: bool,
    /// Time since which it stands still.
    pub(super) still_since: Option<MonoTime>,
    /// Time since which its energy is held back.
    pub(super) held_back_since: Option<MonoTime>,
    /// Time between the last reading and the CPU reading of the same tick.
    skew: Duration,
    /// Mean power of the window that the last tick closed; `None` where it closed none, or its energy is unknown.
    pub(super) power: Option<Watts>,
    pub(super) wraps: u64,
    pub(super) resets: u64,
    pub(super) last_reset: Option<MonoTime>,
    /// Whether the energy of the open window is only partly known.
    is_incomplete: bool,
    /// Whether the energy since the last reading may be of more than one tick, or incomplete.
    is_disturbed: bool,
    /// Charged energy, by source.
    pub(super) by_source: BTreeMap<EnergySourceKind, MicroJoules>,
}

impl ZoneState {
    /// Adds demand of a tick without energy. Beyond the limit of claimants, the demand is unattributed.
    fn owe(&mut self, demand: &Demand) {
        self.is_disturbed = true;
        extend(&mut self.owed, demand);
    }

    /// Adds demand of a tick in which a counter has still not moved.
    fn wait(&mut self, since: MonoTime, demand: &Demand, others_move: bool) {
        self.is_disturbed = true;
        if others_move {
            self.unmeasured = None;
        } else {
            self.by_source.retain(|_, energy| *energy > MicroJoules::ZERO);
            extend(&mut self.unmeasured.get_or_insert_with(|| (since, Demand::default())).1, demand);
        }
    }
}

/// Adds demand that is paid later. Beyond the limit, cores are not distinguished, and if that is not enough, claimants.
fn extend(owed: &mut Demand, demand: &Demand) {
    owed.extend(demand);
    if owed.claims() > MOST_CLAIMS {
        owed.merge_cores();
    }
    if owed.claims() > MOST_CLAIMS {
        owed.disown();
    }
}

/// Claims that are kept while a counter gives no energy: about a megabyte.
const MOST_CLAIMS: usize = 20_000;

/// State of all counters.
#[derive(Debug, Default)]
pub(super) struct ZoneTracker {
    zones: BTreeMap<Zone, ZoneState>,
    /// The last reading of single cores, and the time of the last reading of any counter.
    cores: Arc<CoreReadings>,
    last_read: Option<MonoTime>,
}

/// A closed window of one counter.
#[derive(Debug)]
pub(super) struct Closed {
    pub(super) window: ZoneWindow,
    /// Times between energy and CPU reading, both ends of the window added.
    pub(super) skew: Duration,
    /// All demand of the window; `None` where the window is one tick and nothing is owed.
    pub(super) owed: Option<Demand>,
    /// Whether energy and duration are those of one undisturbed tick.
    pub(super) is_sound: bool,
    /// Readings of single cores at the begin and at the end of the window.
    pub(super) cores: [Arc<CoreReadings>; 2],
    /// Whether a part of the tick before the window belongs to it, because the counter stood still.
    pub(super) is_stretched: bool,
}

/// Circumstances of a reading.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment<'a> {
    /// Times of the counter's reading and of the CPU reading of the same tick.
    pub(super) at: MonoTime,
    pub(super) cpu_at: MonoTime,
    /// Demand of the tick.
    pub(super) demand: &'a Arc<Demand>,
    /// Length of the tick.
    pub(super) tick: Duration,
    /// Power of the zone without running tasks.
    pub(super) idle: Option<Watts>,
}

impl ZoneTracker {
    /// State of one counter.
    pub(super) fn get(&self, zone: Zone) -> Option<&ZoneState> {
        self.zones.get(&zone)
    }

    /// Whether a counter has ever been read, or estimated.
    pub(super) fn was_ever_read(&self, zone: Zone) -> bool {
        self.get(zone).is_some_and(|state| !state.by_source.is_empty())
    }

    /// All counters.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Zone, &ZoneState)> {
        self.zones.iter().map(|(zone, state)| (*zone, state))
    }

    /// Time of the last reading of any counter.
    pub(super) fn last_read(&self) -> Option<MonoTime> {
        self.last_read
    }

    /// Notes discontinuities of counters.
    pub(super) fn count(&mut self, events: &[(Zone, CounterEvent)], at: MonoTime) {
        for (zone, event) in events {
            let state = self.zones.entry(*zone).or_default();
            // A reset shortly before the end of the range looks like a wrap.
            state.is_disturbed = true;
            match event {
                CounterEvent::Wrap => state.wraps += 1,
                CounterEvent::Reset => {
                    tracing::warn!(
                        %zone,
                        "the energy counter was reset: the energy of the same tick before the reset is \
                         not known"
                    );
                    state.resets += 1;
                    state.last_reset = Some(at);
                    state.is_incomplete = true;
                }
            }
        }
    }

    /// Notes a reading without energy: counters that cannot be read or are held back owe for this tick. Notes discontinuities of others.
    pub(super) fn note(&mut self, reading: &EnergyReading, demand: &Demand, at: MonoTime) {
        self.count(&reading.events, at);
        for ZoneReading { zone, .. } in &reading.withheld {
            self.owe(*zone, demand);
            self.zones.entry(*zone).or_default().held_back_since.get_or_insert(at);
        }
        for (zone, _) in &reading.failures {
            self.owe(*zone, demand);
        }
    }

    /// After a suspend: counters may begin again.
    pub(super) fn disturb(&mut self) {
        for state in self.zones.values_mut() {
            (state.last, state.before, state.power) = (None, None, None);
            (state.owed, state.unmeasured, state.is_disturbed) = (Demand::default(), None, true);
        }
    }

    /// Number of dies of a package that have counters of their own.
    pub(super) fn dies(&self, package: u32) -> usize {
        let is_die = |zone: &&Zone| {
            zone.domain == Domain::Package
                && matches!(zone.scope, Scope::Die { package: of, .. } if of == package)
        };
        self.zones.keys().filter(is_die).count()
    }

    /// Notes that counters were read, even if only to detect wraps.
    pub(super) fn was_read(&mut self, at: MonoTime, cores: &[CoreReading]) {
        self.last_read = Some(at);
        self.cores = Arc::new(cores.iter().copied().collect());
    }

    /// The baseline of the first window.
    pub(super) fn baseline(&mut self, at: MonoTime, reading: &ZoneReading, source: EnergySourceKind) {
        let begin = self.begin(at, reading);
        let state = self.zones.entry(reading.zone).or_default();
        state.last.get_or_insert(begin);
        state.by_source.entry(source).or_default();
    }

    /// The baseline of a counter whose energy is held back for now.
    pub(super) fn await_first(&mut self, at: MonoTime, reading: &ZoneReading) {
        let begin = self.begin(at, reading);
        self.zones.entry(reading.zone).or_default().last.get_or_insert(begin);
    }

    fn begin(&self, at: MonoTime, reading: &ZoneReading) -> Begin {
        Begin { at, total: reading.total, cores: Arc::clone(&self.cores) }
    }

    /// Notes that the energy of a counter is unknown in this tick: its demand is charged later.
    pub(super) fn owe(&mut self, zone: Zone, demand: &Demand) {
        let state = self.zones.entry(zone).or_default();
        state.power = None;
        if state.last.is_some() {
            state.owe(demand);
        }
    }

    /// Closes the window of a counter that was read; `None` when this is its first reading, or it stands still.
    pub(super) fn close(
        &mut self,
        reading: &ZoneReading,
        source: EnergySourceKind,
        moment: Moment<'_>,
    ) -> Option<Closed> {
        let Moment { at, cpu_at, demand, tick, idle } = moment;
        let others_move = self.zones.values().any(|state| state.has_moved);
        let now = self.begin(at, reading);
        let state = self.zones.entry(reading.zone).or_default();
        state.by_source.entry(source).or_default();
        state.held_back_since = None;
        let skew_now = at.since(cpu_at).max(cpu_at.since(at));
        let skew = std::mem::replace(&mut state.skew, skew_now) + skew_now;
        let Some(begin) = state.last.clone() else {
            state.last = Some(now);
            return None;
        };
        let (before, cores) = (begin.at, [begin.cores, Arc::clone(&now.cores)]);
        let energy = now.total.saturating_sub(begin.total);
        let scope = reading.zone.scope;
        let was_still = state.still_since.is_some();
        state.power = None;
        // An idle CPU draws power too: an idle tick ends no stall.
        if energy == MicroJoules::ZERO && must_move(reading.zone) {
            state.still_since.get_or_insert(before);
            if state.has_moved {
                state.owe(demand);
            } else {
                // What never moved was never measured: its energy begins with its first step.
                state.last = Some(now);
                state.wait(before, demand, others_move);
            }
            return None;
        }
        (state.still_since, state.unmeasured) = (None, None);
        state.has_moved |= energy > MicroJoules::ZERO;
        state.last = Some(now);
        let mut duration = at.since(before);
        let is_sound = !std::mem::take(&mut state.is_disturbed);
        let is_complete = !std::mem::take(&mut state.is_incomplete);
        if is_complete {
            state.power = energy.over(duration);
        }
        let mut owed = std::mem::take(&mut state.owed);
        let busy = owed.busy(scope) + demand.busy(scope);
        let span = Span { energy, duration, busy };
        let last = state.before.replace((span, Arc::clone(demand), tick)).filter(|_| was_still);
        let mut is_stretched = false;
        let owed = if owed.is_empty() {
            None
        } else {
            owed.extend(demand);
            if let Some((before, last, length)) = last {
                let lacks = shortfall(before, span, idle, (last.busy(scope), length));
                owed.extend_by(&last, lacks.dynamic);
                duration += lacks.idle;
                is_stretched = lacks.dynamic.0 > 0.0 || lacks.idle > Duration::ZERO;
            }
            Some(owed)
        };
        let window = ZoneWindow { zone: reading.zone, energy, duration };
        Some(Closed { window, skew, owed, is_sound, cores, is_stretched })
    }

    /// Adds charged energy.
    pub(super) fn charged(&mut self, zone: Zone, source: EnergySourceKind, energy: MicroJoules) {
        *self.zones.entry(zone).or_default().by_source.entry(source).or_default() += energy;
    }

    /// Takes the demand that is owed for packages, or for the platform where no package has a counter, with the time since which; and
    /// drops the positions of counters: they are read no more, or from a new baseline.
    pub(super) fn end_source(&mut self) -> (Option<MonoTime>, Demand) {
        let (mut since, mut owed) = (None, Demand::default());
        self.cores = Arc::default();
        let is_read =
            |domain| self.zones.iter().any(|(zone, state)| zone.domain == domain && state.last.is_some());
        let whole = if is_read(Domain::Package) { Domain::Package } else { Domain::Psys };
        for (zone, state) in &mut self.zones {
            let last = state.last.take();
            let unpaid = std::mem::take(&mut state.owed);
            let (last, unpaid) = match state.unmeasured.take() {
                Some((first, unmeasured)) => (Some(first), unmeasured),
                None => (last.map(|begin| begin.at), unpaid),
            };
            if zone.domain == whole && !unpaid.is_empty() {
                owed.extend_within(&unpaid, zone.scope);
                since = since.max(last);
            }
            // A counter that never moved has measured nothing.
            state.by_source.retain(|_, energy| *energy > MicroJoules::ZERO);
            (state.before, state.power, state.still_since) = (None, None, None);
            state.held_back_since = None;
            (state.has_moved, state.is_incomplete) = (false, false);
        }
        (since, owed)
    }

    /// Moves owed demand of some scopes to others, whose counters they share.
    pub(super) fn move_owed(&mut self, moves: &[(Scope, Scope)]) {
        for state in self.zones.values_mut().filter(|state| !state.owed.is_empty()) {
            state.owed = state.owed.moved(moves);
        }
    }

    /// Drops the position of a counter, because it mirrors another.
    pub(super) fn forget(&mut self, zone: Zone) {
        if let Some(state) = self.zones.get_mut(&zone) {
            (state.last, state.power, state.still_since) = (None, None, None);
            (state.owed, state.unmeasured, state.held_back_since) = (Demand::default(), None, None);
            state.by_source.retain(|_, energy| *energy > MicroJoules::ZERO);
        }
    }
}

/// Whether a counter must move. Graphics may sleep.
fn must_move(zone: Zone) -> bool {
    zone.domain != Domain::Uncore
}
