//! Splits the energy of an integrated GPU, and of the package that contains it, by the time of GPU engines.
//!
//! RAPL counts an integrated GPU in the domain `uncore` (PP1, "a specific device in the uncore": Intel SDM vol. 3B, "RAPL Domains and
//! Platform Specificity"), and its energy is a part of the package's. CPU time says nothing about it: a transcode by QSV
//! uses some hundredths of a CPU. So `uncore` is split by engine time, and a package as the sum of two parts: the energy of its GPU, by
//! engine time, and the rest, by the key of its CPUs. Both parts are exact, so their sum is.
//!
//! The counters of both zones are read one after the other and may stand still apart, so the energy and the engine time of the GPU are kept
//! until the package's next window closes.

use std::collections::BTreeMap;

use crate::attribution::ZoneWindow;
use crate::attribution::demand::Claimant;
use crate::gpu::engine::EngineTimes;
use crate::units::{MicroJoules, Watts};

#[cfg(test)]
mod tests;

/// Engine time of each claimant, of one window or of several in a row.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EngineDemand(BTreeMap<Claimant, u64>);

impl EngineDemand {
    /// Adds the engine time of a claimant.
    pub fn add(&mut self, claimant: Claimant, times: &EngineTimes) {
        self.add_weight(claimant, times.weight());
    }

    /// Adds a later window.
    pub fn extend(&mut self, later: &Self) {
        for (claimant, weight) in &later.0 {
            self.add_weight(*claimant, *weight);
        }
    }

    fn add_weight(&mut self, claimant: Claimant, weight: u64) {
        if weight > 0 {
            let sum = self.0.entry(claimant).or_default();
            *sum = sum.saturating_add(weight);
        }
    }

    /// Weights of the claimants, in a stable order.
    pub(super) fn weights(&self) -> Vec<(Claimant, u64)> {
        self.0.iter().map(|(claimant, weight)| (*claimant, *weight)).collect()
    }
}

/// Energy and engine time of an integrated GPU that its package's next window contains.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GpuPart {
    /// Energy of the zone `uncore`.
    pub energy: MicroJoules,
    /// Engine time in the windows of that energy.
    pub engines: EngineDemand,
}

/// The account of one integrated GPU: engine time without energy yet, and energy without a window of the package yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GpuAccount {
    unpaid: EngineDemand,
    part: GpuPart,
    /// Whether the energy of the last tick is still to come.
    is_open: bool,
    /// Whether energy that is still to come is of a window of the package that is closed already.
    is_torn: bool,
}

impl GpuAccount {
    /// Adds the engine time of a tick.
    pub fn add(&mut self, engines: &EngineDemand) {
        self.unpaid.extend(engines);
        self.is_open = true;
    }

    /// Adds a window of `uncore`. Returns its engine time.
    pub fn close_gpu(&mut self, energy: MicroJoules) -> EngineDemand {
        let engines = std::mem::take(&mut self.unpaid);
        self.is_open = false;
        if !self.is_torn {
            self.part.energy += energy;
            self.part.engines.extend(&engines);
        }
        engines
    }

    /// The GPU's part in a window of the package; `None` while it is not known.
    pub fn close_package(&mut self) -> Option<GpuPart> {
        let part = std::mem::take(&mut self.part);
        let is_known = !self.is_open && !self.is_torn;
        self.is_torn = self.is_open;
        is_known.then_some(part)
    }
}

/// A part of a zone's window, and its power without running tasks.
pub type PartWindow = (ZoneWindow, Option<Watts>);

/// Divides a window of a package into its integrated GPU and the rest. The two readings are not of the same instant, so the GPU may seem to
/// draw more than all: it has all then.
pub fn divide((package, idle): PartWindow, gpu: MicroJoules, gpu_idle: Option<Watts>) -> [PartWindow; 2] {
    let energy = gpu.min(package.energy);
    let rest = idle.map(|idle| Watts((idle.0 - gpu_idle.unwrap_or(Watts(0.0)).0).max(0.0)));
    [
        (ZoneWindow { energy, ..package }, gpu_idle),
        (ZoneWindow { energy: package.energy - energy, ..package }, rest),
    ]
}
