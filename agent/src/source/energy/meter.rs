//! What do a meter's counters say now? The part that all hardware meters share.

use std::time::Duration;

use super::counter::EnergyCounter;
use super::reader::{Counters, Reader};
use super::{EnergyMeter, EnergyReading};
use crate::clock::{Clock, MonoTime};
use crate::model::energy::{EnergySourceKind, Zone, ZoneReading};
use crate::source::SourceError;
use crate::units::MicroJoules;

#[cfg(test)]
mod tests;

/// Something that gives a raw count.
pub(super) trait RawCounter: Send {
    /// The count now; `None` when all CPUs on which it could be read are off line, so that nothing is being counted.
    fn read(&mut self) -> Result<Option<u64>, SourceError>;
}

/// A zone's counter, or one of those that make it up.
pub(super) struct Part {
    pub(super) raw: Box<dyn RawCounter>,
    pub(super) counter: EnergyCounter,
}

/// A zone: the sum of its parts, of which there is one except where every core counts for itself.
pub(super) struct ZoneMeter {
    pub(super) zone: Zone,
    /// Size of a part's step.
    pub(super) quantum: MicroJoules,
    pub(super) parts: Vec<Part>,
}

/// A meter over zones of any source.
pub(super) struct HardwareMeter {
    kind: EnergySourceKind,
    zones: Vec<OpenZone>,
    reader: Reader,
    notes: Vec<String>,
}

/// A zone whose counters are read by somebody else.
struct OpenZone {
    zone: Zone,
    quantum: MicroJoules,
    raw: Counters,
    /// What each of them comes to.
    counters: Vec<EnergyCounter>,
}

impl From<ZoneMeter> for OpenZone {
    fn from(zone: ZoneMeter) -> Self {
        let (raw, counters) = zone.parts.into_iter().map(|part| (part.raw, part.counter)).unzip();
        Self { zone: zone.zone, quantum: zone.quantum, raw: Counters::Here(raw), counters }
    }
}

impl HardwareMeter {
    /// Reads every zone once, to see that it works. Fails with the first zone's error when none does; a zone that fails beside
    /// others that work is kept, and may come back. Leaves no thread behind: what reads later is to have the rights of then.
    pub(super) fn start(
        kind: EnergySourceKind,
        mut zones: Vec<ZoneMeter>,
        notes: Vec<String>,
        clock: &dyn Clock,
    ) -> Result<Box<dyn EnergyMeter>, SourceError> {
        zones.sort_by_key(|zone| zone.zone);
        let zones = zones.into_iter().map(OpenZone::from).collect();
        let mut meter = Self { kind, zones, reader: Reader::default(), notes };
        let mut reading = meter.read(clock);
        meter.rest();
        if reading.zones.is_empty() {
            let nothing = || SourceError::unavailable(format!("no {kind} energy counter was found"), "");
            return Err(reading.failures.drain(..).next().map_or_else(nothing, |(_, error)| error));
        }
        // What was counted between this and the first reading the caller sees belongs to nobody.
        meter.rebaseline();
        Ok(Box::new(meter))
    }
}

impl EnergyMeter for HardwareMeter {
    fn kind(&self) -> EnergySourceKind {
        self.kind
    }

    fn zones(&self) -> Vec<Zone> {
        self.zones.iter().map(|zone| zone.zone).collect()
    }

    fn read(&mut self, clock: &dyn Clock) -> EnergyReading {
        let mut reading = EnergyReading::default();
        for zone in &mut self.zones {
            match zone.read(&mut self.reader, clock, &mut reading) {
                Ok((at, total)) => {
                    reading.zones.push((at, ZoneReading { zone: zone.zone, total, quantum: zone.quantum }));
                }
                Err(error) => reading.failures.push((zone.zone, error)),
            }
        }
        reading
    }

    fn rebaseline(&mut self) {
        for counter in self.zones.iter_mut().flat_map(|zone| &mut zone.counters) {
            counter.rebaseline();
        }
    }

    fn rest(&mut self) {
        self.reader.rest();
    }

    fn longest_gap(&self) -> Option<Duration> {
        let counters = self.zones.iter().flat_map(|zone| &zone.counters);
        counters.filter_map(EnergyCounter::wrap_time).min().map(|shortest| shortest / 4)
    }

    fn notes(&self) -> &[String] {
        &self.notes
    }
}

impl OpenZone {
    /// Reads all counters, even after one has failed: those that answer keep their place in their range.
    fn read(
        &mut self,
        reader: &mut Reader,
        clock: &dyn Clock,
        reading: &mut EnergyReading,
    ) -> Result<(MonoTime, MicroJoules), SourceError> {
        let begun = clock.now();
        let counts = reader.read(self.zone, &mut self.raw)?;
        let ended = clock.now();
        let mut failure = None;
        let mut answers = 0;
        for (counter, count) in self.counters.iter_mut().zip(counts) {
            match count {
                Ok(Some(count)) => {
                    answers += 1;
                    if let Some(event) = counter.observe(count, ended) {
                        reading.events.push((self.zone, event));
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
            let doing = format!("read the {} counter: its CPUs are off line", self.zone);
            return Err(SourceError::transient(doing, std::io::ErrorKind::NotFound.into()));
        }
        let total = self.counters.iter().map(EnergyCounter::total).sum();
        // The middle of the time it took is nearer to the truth than either end.
        Ok((begun.plus(ended.since(begun) / 2), total))
    }
}
