//! Shows the figures of the energy counters in a snapshot.

use agent_core::attribution::totals::Totals;
use agent_core::model::cpu::CpuWindow;
use agent_core::model::energy::{EnergySourceKind, Zone};
use agent_core::model::key::FallbackReason;
use agent_core::model::snapshot::ZoneSnapshot;

use super::EnergyAccounting;

impl EnergyAccounting {
    /// Figures of all counters.
    pub(in crate::pipeline) fn zone_snapshots(
        &self,
        window: &CpuWindow,
        totals: &Totals,
    ) -> Vec<ZoneSnapshot> {
        let mirrored = self.source.mirrored();
        let zones = totals.zones().iter().zip(totals.host()).zip(totals.residual());
        zones
            .map(|((zone, total), residual)| {
                let state = self.zones.get(*zone);
                ZoneSnapshot {
                    zone: *zone,
                    total: *total,
                    by_source: state.map_or_else(Vec::new, |state| {
                        state.by_source.iter().map(|(source, energy)| (*source, *energy)).collect()
                    }),
                    power: state.and_then(|state| state.power),
                    idle_power: self.idle_power(*zone, window),
                    key: self.cores.key(*zone),
                    residual,
                    wraps: state.map_or(0, |state| state.wraps),
                    resets: state.map_or(0, |state| state.resets),
                    counts: totals.counts(*zone) && !mirrored.iter().any(|(mirror, _)| mirror == zone),
                    is_followed: self.gives(*zone),
                }
            })
            .collect()
    }

    /// Windows that CPU time has split although each core is counted.
    pub(in crate::pipeline) fn fallbacks(&self) -> Vec<(FallbackReason, u64)> {
        self.cores.fallbacks()
    }

    /// Whether the source in use gives the energy of a zone.
    fn gives(&self, zone: Zone) -> bool {
        let state = self.zones.get(zone);
        let is_estimated = state.is_some_and(|state| state.by_source.contains_key(&EnergySourceKind::Model));
        self.source.gives(zone, is_estimated)
    }

    /// Whether the energy of the host is known: every counter of its total has been read, or is estimated.
    pub(in crate::pipeline) fn has_energy(&self, totals: &Totals) -> bool {
        let is_counting = |zone: &&Zone| totals.counts(**zone) && self.gives(**zone);
        let mut counting = totals.zones().iter().filter(is_counting).peekable();
        counting.peek().is_some() && counting.all(|zone| self.zones.was_ever_read(*zone))
    }
}
