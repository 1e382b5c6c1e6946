//! Scripted energy counters for tests: they count, wrap, fail, stand still, appear and disappear.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use agent_core::energy::counter::EnergyCounter;
use agent_core::energy::processor::Processor;
use agent_core::energy::unit::EnergyUnit;
use agent_core::model::cpu::CoreId;
use agent_core::model::energy::{EnergySourceKind, Zone};
use agent_core::units::{MicroJoules, Watts};

use super::meter::{Part, RawCounter, add_part};
use super::{EnergyHardware, EnergyMeter};
use crate::clock::Clock;
use crate::source::SourceError;

/// Highest plausible power of these counters.
const BOUND: Watts = Watts(2000.0);

/// A counter in microjoules.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ScriptedCounter {
    /// The shown count.
    pub(crate) raw: u64,
    /// The count after which it wraps.
    pub(crate) range: u64,
    /// Whether it can be read.
    pub(crate) is_readable: bool,
    /// Whether the host has the counter.
    pub(crate) is_there: bool,
    /// Whether the shown count stands still.
    pub(crate) is_frozen: bool,
    /// Energy that was counted and not shown yet.
    behind: u64,
}

/// A counter of a zone, or of one of its cores.
type Key = (Zone, Option<CoreId>);

/// Counters of a simulated host, all of one source, that a test controls.
#[derive(Clone, Debug, Default)]
pub(crate) struct ScriptedHardware(Arc<Mutex<BTreeMap<Key, ScriptedCounter>>>);

impl ScriptedHardware {
    /// Adds a counter that shows `raw`.
    pub(crate) fn add(&self, zone: Zone, raw: u64, range: u64) {
        self.add_counter((zone, None), raw, range);
    }

    /// Adds the counter of a core, which is a part of a zone.
    pub(crate) fn add_core(&self, zone: Zone, core: u32, raw: u64, range: u64) {
        self.add_counter((zone, Some(CoreId(core))), raw, range);
    }

    fn add_counter(&self, key: Key, raw: u64, range: u64) {
        let (is_readable, is_there, is_frozen, behind) = (true, true, false, 0);
        let counter = ScriptedCounter { raw, range, is_readable, is_there, is_frozen, behind };
        self.all(|counters| counters.insert(key, counter));
    }

    /// Changes a counter.
    pub(crate) fn change(&self, zone: Zone, change: impl FnOnce(&mut ScriptedCounter)) {
        self.all(|counters| change(counters.get_mut(&(zone, None)).unwrap()));
    }

    /// Changes the counter of a core.
    pub(crate) fn change_core(&self, zone: Zone, core: u32, change: impl FnOnce(&mut ScriptedCounter)) {
        self.all(|counters| change(counters.get_mut(&(zone, Some(CoreId(core)))).unwrap()));
    }

    /// Adds drawn energy to a counter.
    pub(crate) fn draw(&self, zone: Zone, energy: MicroJoules) {
        self.change(zone, |counter| counter.draw(energy));
    }

    /// Adds drawn energy to the counter of a core.
    pub(crate) fn draw_core(&self, zone: Zone, core: u32, energy: MicroJoules) {
        self.change_core(zone, core, |counter| counter.draw(energy));
    }

    fn all<T>(&self, ask: impl FnOnce(&mut BTreeMap<Key, ScriptedCounter>) -> T) -> T {
        ask(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl ScriptedCounter {
    fn draw(&mut self, energy: MicroJoules) {
        self.behind += energy.0;
        if !self.is_frozen {
            self.raw = (self.raw + std::mem::take(&mut self.behind)) % self.range;
        }
    }
}

struct Handle {
    hardware: ScriptedHardware,
    key: Key,
}

impl RawCounter for Handle {
    fn read(&mut self) -> Result<Option<u64>, SourceError> {
        let counter = self.hardware.all(|counters| counters[&self.key]);
        let problem = match counter {
            // The CPUs of the core are off line.
            ScriptedCounter { is_there: false, .. } if self.key.1.is_some() => return Ok(None),
            ScriptedCounter { is_there: false, .. } => io::ErrorKind::NotFound,
            ScriptedCounter { is_readable: false, .. } => io::ErrorKind::PermissionDenied,
            _ => return Ok(Some(counter.raw)),
        };
        Err(SourceError::transient(format!("read {}", self.key.0), problem.into()))
    }
}

impl EnergyHardware for ScriptedHardware {
    fn presence(&self) -> Vec<String> {
        let is_there =
            |((zone, _), counter): (&Key, &ScriptedCounter)| counter.is_there.then(|| zone.to_string());
        self.all(|counters| counters.iter().filter_map(is_there).collect())
    }

    fn open(&self, kind: EnergySourceKind, clock: &dyn Clock) -> Result<EnergyMeter, SourceError> {
        if kind != EnergySourceKind::Powercap {
            return Err(SourceError::unavailable(format!("this host has no {kind}"), "use another host"));
        }
        let there = self.all(|counters| counters.clone());
        let mut zones = Vec::new();
        for (key, counter) in there.into_iter().filter(|(_, counter)| counter.is_there) {
            let raw = Box::new(Handle { hardware: self.clone(), key });
            let modulus = Some(u128::from(counter.range));
            let counter = EnergyCounter::new(EnergyUnit::MICROJOULE, modulus, BOUND);
            add_part(&mut zones, key.0, MicroJoules(1), Part { raw, counter, core: key.1 });
        }
        EnergyMeter::start(kind, zones, Vec::new(), clock)
    }

    fn processor(&self) -> Processor {
        Processor::default()
    }

    fn moves(&self, _: &mut EnergyMeter, _: &dyn Clock) -> bool {
        self.all(|counters| counters.is_empty() || counters.values().any(|counter| !counter.is_frozen))
    }
}
