//! Tells the eBPF programs which two CPUs (hardware threads) are one core.

use agent_core::cpu::topology::CpuTopology;
use aya::maps::{Array, MapData};

use crate::source::SourceError;
use crate::source::cpu::bpf::map_error;

/// Pairs of CPUs that share a core, as the programs know them.
pub(super) struct Siblings {
    map: Array<MapData, u32>,
    are_counted: bool,
}

impl Siblings {
    /// Without pairs yet. `are_counted`: whether the programs were loaded for a host with such cores.
    pub(super) fn new(map: Array<MapData, u32>, are_counted: bool) -> Self {
        Self { map, are_counted }
    }

    /// Writes all pairs: at the start, and when a CPU has come on line. Each CPU reads them at its next flush.
    pub(super) fn write(&mut self, topology: &CpuTopology) -> Result<(), SourceError> {
        if !self.are_counted {
            return Ok(());
        }
        for cpu in 0..self.map.len() {
            let sibling = topology.sibling(cpu as usize).and_then(|sibling| u32::try_from(sibling + 1).ok());
            let written = self.map.set(cpu, sibling.unwrap_or(0), 0);
            written.map_err(|error| map_error("write the map of sibling CPUs", error))?;
        }
        Ok(())
    }

    /// Whether time on shared cores is counted. Cores whose second CPU was off line at the start make no difference.
    pub(super) fn are_counted(&self) -> bool {
        self.are_counted
    }
}
