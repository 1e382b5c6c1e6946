//! Tracks the counters of single cores among the parts of a zone.

use agent_core::energy::counter::{EnergyCounter, Observed};
use agent_core::model::cpu::CoreId;
use agent_core::model::energy::{CoreCount, CoreReading, Scope};

/// The core of each part of a zone; none where a part is not a core.
#[derive(Debug, Default)]
pub(super) struct CoreParts(Vec<CorePart>);

#[derive(Debug)]
struct CorePart {
    core: CoreId,
    /// Whether the total of the counter is that of the last reading.
    is_current: bool,
    resets: u32,
}

impl CoreParts {
    /// From the cores of all parts, in their order.
    pub(super) fn new(cores: &[Option<CoreId>]) -> Self {
        let part = |core: &Option<CoreId>| Some(CorePart { core: (*core)?, is_current: false, resets: 0 });
        Self(cores.iter().map(part).collect::<Option<_>>().unwrap_or_default())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether the parts of another zone are the same cores in the same order.
    pub(super) fn are(&self, others: &Self) -> bool {
        self.0.iter().map(|part| part.core).eq(others.0.iter().map(|part| part.core))
    }

    /// Begins a reading, in which no part has answered yet.
    pub(super) fn begin_reading(&mut self) {
        for part in &mut self.0 {
            part.is_current = false;
        }
    }

    /// Notes the answer of a part.
    pub(super) fn answered(&mut self, part: usize, observed: Observed) {
        if let Some(part) = self.0.get_mut(part) {
            part.is_current = observed != Observed::Doubtful;
            part.resets += u32::from(observed == Observed::Reset);
        }
    }

    /// Readings of all cores, with the totals of their counters.
    pub(super) fn readings(
        &self,
        scope: Scope,
        counters: &[EnergyCounter],
    ) -> impl Iterator<Item = CoreReading> {
        self.0.iter().zip(counters).map(move |(part, counter)| {
            let count = CoreCount { total: counter.total(), resets: part.resets };
            CoreReading { scope, core: part.core, count: part.is_current.then_some(count) }
        })
    }
}
