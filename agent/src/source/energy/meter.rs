//! What do a meter's counters say now? The part that all hardware meters share.

use std::time::Duration;

use super::counter::EnergyCounter;
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
    zones: Vec<ZoneMeter>,
    notes: Vec<String>,
}

impl HardwareMeter {
    /// Reads every zone once, to see that it works. Fails with the first zone's error when none does; a zone that fails beside
    /// others that work is kept, and may come back.
    pub(super) fn start(
        kind: EnergySourceKind,
        mut zones: Vec<ZoneMeter>,
        notes: Vec<String>,
        clock: &dyn Clock,
    ) -> Result<Box<dyn EnergyMeter>, SourceError> {
        zones.sort_by_key(|zone| zone.zone);
        let mut meter = Self { kind, zones, notes };
        let mut reading = meter.read(clock);
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
            match zone.read(clock, &mut reading) {
                Ok((at, total)) => {
                    reading.zones.push((at, ZoneReading { zone: zone.zone, total, quantum: zone.quantum }));
                }
                Err(error) => reading.failures.push((zone.zone, error)),
            }
        }
        reading
    }

    fn rebaseline(&mut self) {
        for part in self.parts_mut() {
            part.counter.rebaseline();
        }
    }

    fn longest_gap(&self) -> Option<Duration> {
        let parts = self.zones.iter().flat_map(|zone| &zone.parts);
        parts.filter_map(|part| part.counter.wrap_time()).min().map(|shortest| shortest / 4)
    }

    fn notes(&self) -> &[String] {
        &self.notes
    }
}

impl HardwareMeter {
    fn parts_mut(&mut self) -> impl Iterator<Item = &mut Part> {
        self.zones.iter_mut().flat_map(|zone| &mut zone.parts)
    }
}

impl ZoneMeter {
    /// Reads all parts, even after one has failed: those that answer keep their place in their range.
    fn read(
        &mut self,
        clock: &dyn Clock,
        reading: &mut EnergyReading,
    ) -> Result<(MonoTime, MicroJoules), SourceError> {
        let begun = clock.now();
        let mut ended = begun;
        let mut failure = None;
        let mut answers = 0;
        for part in &mut self.parts {
            match part.raw.read() {
                Ok(Some(count)) => {
                    ended = clock.now();
                    answers += 1;
                    if let Some(event) = part.counter.observe(count, ended) {
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
        let total = self.parts.iter().map(|part| part.counter.total()).sum();
        // The middle of the time it took is nearer to the truth than either end.
        Ok((begun.plus(ended.since(begun) / 2), total))
    }
}
