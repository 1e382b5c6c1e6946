//! Reads the counters of an energy source: one type for perf, powercap and MSR.

use std::collections::{BTreeMap, BTreeSet};
use std::thread;
use std::time::Duration;

use agent_core::energy::counter::{EnergyCounter, Observed};
use agent_core::energy::mirror::{Comparison, MirrorWatch, Position, Standing, Verdict};
use agent_core::model::cpu::{CoreId, CpuPlace};
use agent_core::model::energy::{CounterEvent, Domain, EnergySourceKind, Scope, Zone, ZoneReading};
use agent_core::time::MonoTime;
use agent_core::units::MicroJoules;

use super::EnergyReading;
use super::reader::{Counters, Reader};
use crate::clock::Clock;
use crate::source::SourceError;

mod cores;
#[cfg(test)]
mod tests;

use cores::CoreParts;

/// Comparisons of possibly mirrored counters in a reading, until one is decisive.
const COMPARISONS: u32 = 3;

/// Registers are refreshed about every millisecond: a comparison that differs is repeated after this.
const REFRESH: Duration = Duration::from_millis(2);

/// A counter that gives a raw count.
pub(super) trait RawCounter: Send {
    /// The present count; `None` when all CPUs on which it could be read are off line, so that nothing is counted.
    fn read(&mut self) -> Result<Option<u64>, SourceError>;
}

/// A zone's counter, or one of several that are summed.
pub(super) struct Part {
    pub(super) raw: Box<dyn RawCounter>,
    pub(super) counter: EnergyCounter,
    /// The core that it counts alone.
    pub(super) core: Option<CoreId>,
}

/// A zone: the sum of its parts, of which there is one except where every core counts for itself.
pub(super) struct ZoneMeter {
    pub(super) zone: Zone,
    /// Step of a part.
    pub(super) quantum: MicroJoules,
    pub(super) parts: Vec<Part>,
}

/// Adds a counter to its zone, as its only part or as another one.
pub(super) fn add_part(zones: &mut Vec<ZoneMeter>, zone: Zone, quantum: MicroJoules, part: Part) {
    match zones.iter_mut().find(|known| known.zone == zone) {
        Some(known) => known.parts.push(part),
        None => zones.push(ZoneMeter { zone, quantum, parts: vec![part] }),
    }
}

/// An open hardware meter that has given at least one reading.
pub(crate) struct EnergyMeter {
    kind: EnergySourceKind,
    zones: Vec<OpenZone>,
    reader: Reader,
    mirrors: MirrorWatch,
    notes: Vec<String>,
    corrected: Vec<(Zone, MicroJoules)>,
}

/// A zone whose counters the reader thread may hold.
struct OpenZone {
    zone: Zone,
    quantum: MicroJoules,
    raw: Counters,
    /// Totals of its counters.
    counters: Vec<EnergyCounter>,
    cores: CoreParts,
    /// Whether its last reading failed.
    is_failing: bool,
    /// Total at the last reading, and the last reported total.
    last: MicroJoules,
    told: MicroJoules,
}

impl From<ZoneMeter> for OpenZone {
    fn from(zone: ZoneMeter) -> Self {
        let cores: Vec<_> = zone.parts.iter().map(|part| part.core).collect();
        let (raw, counters) = zone.parts.into_iter().map(|part| (part.raw, part.counter)).unzip();
        let (zone, quantum, cores) = (zone.zone, zone.quantum, CoreParts::new(&cores));
        let (last, told) = (MicroJoules::ZERO, MicroJoules::ZERO);
        Self { zone, quantum, raw: Counters::Here(raw), counters, cores, is_failing: false, last, told }
    }
}

impl EnergyMeter {
    /// Reads every zone once, to test it. Fails with the first zone's error when none works; a zone that fails beside
    /// others that work is kept, and may work later. Leaves no thread behind, because later readings must have the rights of that time.
    pub(super) fn start(
        kind: EnergySourceKind,
        mut zones: Vec<ZoneMeter>,
        notes: Vec<String>,
        clock: &dyn Clock,
    ) -> Result<Self, SourceError> {
        zones.sort_by_key(|zone| zone.zone);
        let zones = zones.into_iter().map(OpenZone::from).collect();
        let (reader, mirrors, corrected) = (Reader::default(), MirrorWatch::new(kind), Vec::new());
        let mut meter = Self { kind, zones, reader, mirrors, notes, corrected };
        let mut reading = meter.read(clock);
        meter.stop_reader();
        if reading.zones.is_empty() && reading.withheld.is_empty() {
            let nothing = || SourceError::unavailable(format!("no {kind} energy counter was found"), "");
            return Err(reading.failures.drain(..).next().map_or_else(nothing, |(_, error)| error));
        }
        // Energy between this and the caller's first reading is not charged.
        meter.rebaseline();
        Ok(meter)
    }

    /// Sets the counters whose unit the kernel has wrong, with the right one.
    pub(super) fn with_corrected(mut self, corrected: Vec<(Zone, MicroJoules)>) -> Self {
        self.corrected = corrected;
        self
    }

    /// Counters whose unit the kernel has wrong, with the energy of a step.
    pub(crate) fn corrected(&self) -> &[(Zone, MicroJoules)] {
        &self.corrected
    }

    /// Kind of the source.
    pub(crate) fn kind(&self) -> EnergySourceKind {
        self.kind
    }

    /// Zones of the meter, ascending.
    pub(crate) fn zones(&self) -> Vec<Zone> {
        self.zones.iter().map(|zone| zone.zone).collect()
    }

    /// Reads every counter. A failing counter does not hide the others; its energy meanwhile is in its next reading.
    pub(crate) fn read(&mut self, clock: &dyn Clock) -> EnergyReading {
        let mut reading = EnergyReading::default();
        let mut known = Vec::with_capacity(self.zones.len());
        let mut positions = Vec::new();
        for zone in &mut self.zones {
            let answer = zone.read(&mut self.reader, clock, &mut reading.events);
            zone.is_failing = answer.is_err();
            reading.cores.extend(zone.cores.readings(zone.zone.scope, &zone.counters));
            match answer {
                Ok((at, is_known)) => {
                    let total = zone.total();
                    reading.has_moved |= total > std::mem::replace(&mut zone.last, total);
                    known.push((at, is_known, ZoneReading { zone: zone.zone, total, quantum: zone.quantum }));
                    positions.extend(zone.position(at).filter(|_| is_known));
                }
                Err(error) => reading.failures.push((zone.zone, error)),
            }
        }
        self.find_mirrors(&positions, clock, &mut reading.events);
        for (at, is_known, zone) in known {
            let Some(open) = self.zones.iter_mut().find(|open| open.zone == zone.zone) else { continue };
            let is_held_back = match self.mirrors.standing(zone.zone) {
                Standing::MirrorOf(_) => continue,
                Standing::Own => !is_known,
                Standing::Suspected => !is_known || zone.total > open.told,
            };
            if is_held_back {
                reading.withheld.push(zone);
            } else {
                open.told = zone.total;
                reading.zones.push((at, zone));
            }
        }
        reading
    }

    /// Whether single cores have counters.
    pub(crate) fn counts_cores(&self) -> bool {
        self.zones.iter().any(|zone| !zone.cores.is_empty())
    }

    /// Counters whose last reading failed.
    pub(crate) fn unreadable(&self) -> Vec<Zone> {
        self.zones.iter().filter(|zone| zone.is_failing).map(|zone| zone.zone).collect()
    }

    /// Packages whose counters may mirror another: they show the same energy, and have not moved often enough to decide.
    pub(crate) fn suspects(&self) -> Vec<(Zone, Zone)> {
        self.mirrors.suspects()
    }

    /// Positions of the counters that have been read, since the hardware began to count.
    pub(crate) fn positions(&self) -> Vec<(Zone, MicroJoules)> {
        let of = |zone: &OpenZone| {
            let counts: Option<Vec<_>> = zone.counters.iter().map(EnergyCounter::position).collect();
            Some((zone.zone, counts?.into_iter().sum()))
        };
        self.zones.iter().filter_map(of).collect()
    }

    /// Results about mirrors are dropped at a reset: the guest may be on another machine.
    fn find_mirrors(
        &mut self,
        positions: &[Position],
        clock: &dyn Clock,
        events: &mut Vec<(Zone, CounterEvent)>,
    ) {
        let has_reset =
            |events: &[(Zone, CounterEvent)]| events.iter().any(|(_, event)| *event == CounterEvent::Reset);
        if has_reset(events) {
            self.mirrors = MirrorWatch::new(self.kind);
        }
        self.mirrors.observe(positions);
        let known = events.len();
        self.compare_mirrors(clock, events);
        if has_reset(&events[known..]) {
            self.mirrors = MirrorWatch::new(self.kind);
            self.mirrors.observe(positions);
        }
    }

    /// Reads possibly mirrored counters, each between two readings of the other.
    #[expect(
        clippy::disallowed_methods,
        reason = "a counter has a new value after a millisecond; only suspected pairs wait"
    )]
    fn compare_mirrors(&mut self, clock: &dyn Clock, events: &mut Vec<(Zone, CounterEvent)>) {
        for (leader, follower) in self.mirrors.pairs() {
            for _ in 0..COMPARISONS {
                let mut read = |zone| self.position(zone, clock, events);
                let (Some(before), Some(between), Some(after)) = (read(leader), read(follower), read(leader))
                else {
                    break;
                };
                match self.mirrors.compare(Comparison { before, follower: between, after }) {
                    Verdict::Agrees => break,
                    Verdict::Vague => {}
                    Verdict::Differs => thread::sleep(REFRESH),
                }
            }
        }
    }

    /// Reads one counter; `None` where its energy is unknown.
    fn position(
        &mut self,
        zone: Zone,
        clock: &dyn Clock,
        events: &mut Vec<(Zone, CounterEvent)>,
    ) -> Option<Position> {
        let open = self.zones.iter_mut().find(|open| open.zone == zone)?;
        let (at, is_known) = open.read(&mut self.reader, clock, events).ok()?;
        open.position(at).filter(|_| is_known)
    }

    /// Counters that show the energy of another, with the one that is read in their place.
    pub(crate) fn mirrors(&self) -> BTreeMap<Zone, Zone> {
        let of = |zone: Zone| match self.mirrors.standing(zone) {
            Standing::MirrorOf(leader) => Some((zone, leader)),
            Standing::Own | Standing::Suspected => None,
        };
        self.zones.iter().filter_map(|zone| of(zone.zone)).collect()
    }

    /// Whether the meter reads this counter as a counter of its own.
    pub(crate) fn reads(&self, zone: Zone) -> bool {
        let is_here = self.zones.iter().any(|open| open.zone == zone);
        is_here && !matches!(self.mirrors.standing(zone), Standing::MirrorOf(_))
    }

    /// Packages by the package whose energy they show.
    pub(crate) fn mirrored_packages(&self) -> BTreeMap<Zone, Vec<Zone>> {
        let mut groups: BTreeMap<Zone, Vec<Zone>> = BTreeMap::new();
        for (mirror, leader) in self.mirrors() {
            if mirror.domain == Domain::Package {
                groups.entry(leader).or_default().push(mirror);
            }
        }
        groups
    }

    /// Sockets with one of these CPUs that no package counter covers; none where packages have no counters at all.
    pub(crate) fn uncounted(&self, places: impl IntoIterator<Item = CpuPlace>) -> BTreeSet<u32> {
        let packages = self.zones.iter().map(|open| open.zone).filter(|zone| zone.domain == Domain::Package);
        let scopes: Vec<Scope> = packages.map(|zone| zone.scope).collect();
        let is_covered =
            |place: &CpuPlace| scopes.is_empty() || scopes.iter().any(|scope| place.is_in(*scope));
        places.into_iter().filter(|place| !is_covered(place)).map(|place| place.package).collect()
    }

    /// Adopts from a later meter of the same source what this one lacks: new zones, and other ways to
    /// counters that can no longer be read. Returns the new zones.
    pub(crate) fn adopt(&mut self, later: Self) -> Vec<Zone> {
        let mut come = Vec::new();
        for zone in later.zones {
            match self.zones.iter_mut().find(|known| known.zone == zone.zone) {
                None => {
                    come.push(zone.zone);
                    self.zones.push(zone);
                }
                Some(known) => {
                    // The counter's total stays: the next reading shows whether the new counter continues it.
                    let is_same = known.counters.len() == zone.counters.len() && known.cores.are(&zone.cores);
                    if known.is_failing && !zone.is_failing && is_same {
                        known.raw = zone.raw;
                    }
                }
            }
        }
        self.zones.sort_by_key(|zone| zone.zone);
        (self.notes, self.corrected) = (later.notes, later.corrected);
        come
    }

    /// Drops positions after a suspend or a restore: the next reading is a new baseline.
    pub(crate) fn rebaseline(&mut self) {
        for counter in self.zones.iter_mut().flat_map(|zone| &mut zone.counters) {
            counter.rebaseline();
        }
        self.mirrors = MirrorWatch::new(self.kind);
    }

    /// Ends the reader thread until the next reading, which must have the rights of that time.
    pub(crate) fn stop_reader(&mut self) {
        self.reader.stop_reader();
    }

    /// Longest time between readings without a missed wrap: a quarter of the shortest wrap time at the
    /// plausible power. `None`: the counters do not wrap.
    pub(crate) fn longest_gap(&self) -> Option<Duration> {
        let counters = self.zones.iter().flat_map(|zone| &zone.counters);
        counters.filter_map(EnergyCounter::wrap_time).min().map(|shortest| shortest / 4)
    }

    /// Notes about counters that were left out while opening, one line each, for `check` and the log.
    pub(crate) fn notes(&self) -> &[String] {
        &self.notes
    }
}

impl OpenZone {
    /// Reads all counters, even after one has failed, so that those that answer keep their position in the range. Returns the time of the
    /// reading, and whether the total is of that time.
    fn read(
        &mut self,
        reader: &mut Reader,
        clock: &dyn Clock,
        events: &mut Vec<(Zone, CounterEvent)>,
    ) -> Result<(MonoTime, bool), SourceError> {
        self.cores.begin_reading();
        let begun = clock.now();
        let counts = reader.read(self.zone, &mut self.raw)?;
        let ended = clock.now();
        let (mut failure, mut answers, mut is_known) = (None, 0, true);
        for (part, (counter, count)) in self.counters.iter_mut().zip(counts).enumerate() {
            match count {
                Ok(Some(count)) => {
                    answers += 1;
                    let observed = counter.observe(count, ended);
                    self.cores.answered(part, observed);
                    match observed {
                        Observed::Counted => {}
                        Observed::Wrapped => events.push((self.zone, CounterEvent::Wrap)),
                        Observed::Reset => events.push((self.zone, CounterEvent::Reset)),
                        Observed::Doubtful => is_known = false,
                    }
                }
                Ok(None) => {}
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        if let Some(error) = failure {
            return Err(error);
        }
        if answers == 0 {
            let doing = format!("read the {} counter: its CPUs are offline", self.zone);
            return Err(SourceError::transient(doing, std::io::ErrorKind::NotFound.into()));
        }
        // The middle of the duration is closer to the true time than either end.
        Ok((begun.plus(ended.since(begun) / 2), is_known))
    }

    fn total(&self) -> MicroJoules {
        self.counters.iter().map(EnergyCounter::total).sum()
    }

    /// Position of the zone, if it has one counter.
    fn position(&self, at: MonoTime) -> Option<Position> {
        let [counter] = self.counters.as_slice() else { return None };
        let raw = counter.position()?;
        Some(Position { zone: self.zone, at, raw, total: counter.total(), quantum: self.quantum })
    }
}
