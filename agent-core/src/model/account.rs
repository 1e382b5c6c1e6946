//! Accounts: the energy, CPU time and GPU time charged to one claimant so far.

use std::borrow::Cow;

use crate::gpu::engine::EngineTimes;
use crate::units::{CpuTime, MicroJoules};

/// Charges of one zone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ZoneCharges {
    /// Energy of running tasks.
    pub dynamic: MicroJoules,
    /// Energy that the host draws without running tasks.
    pub idle: MicroJoules,
    /// Sum of the bounds on the error of each window's charge.
    pub uncertainty: MicroJoules,
}

impl ZoneCharges {
    /// Both shares.
    pub fn energy(&self) -> MicroJoules {
        self.dynamic + self.idle
    }
}

/// Running totals of one workload or transcode, and the figures of the last window.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// CPU time.
    pub cpu: CpuTime,
    /// Charges, indexed like the snapshot's zones; may be shorter.
    pub zones: Vec<ZoneCharges>,
    /// Time of GPU engines.
    pub engines: EngineTimes,
    /// CPU time of the last window.
    pub window_cpu: CpuTime,
    /// Energy of the last window, over the zones that count towards a total.
    pub window_energy: MicroJoules,
}

impl Account {
    /// The charges of a zone, for changes.
    pub fn zone(&mut self, zone: usize) -> &mut ZoneCharges {
        if self.zones.len() <= zone {
            self.zones.resize(zone + 1, ZoneCharges::default());
        }
        &mut self.zones[zone]
    }

    /// Begins a window: sets the figures of the last window to 0.
    pub fn begin_window(&mut self) {
        (self.window_cpu, self.window_energy) = (CpuTime::ZERO, MicroJoules::ZERO);
    }

    /// Charges since this account was as `earlier`; the window's figures are this account's.
    pub fn since(&self, earlier: &Self) -> Cow<'_, Self> {
        if *earlier == Self::default() {
            return Cow::Borrowed(self);
        }
        let mut since = self.clone();
        since.cpu = since.cpu.saturating_sub(earlier.cpu);
        since.engines = since.engines.since(&earlier.engines);
        for (charges, before) in since.zones.iter_mut().zip(&earlier.zones) {
            charges.dynamic = charges.dynamic.saturating_sub(before.dynamic);
            charges.idle = charges.idle.saturating_sub(before.idle);
            charges.uncertainty = charges.uncertainty.saturating_sub(before.uncertainty);
        }
        Cow::Owned(since)
    }

    /// Whether the account has no charges.
    pub fn is_zero(&self) -> bool {
        let is_zero = |zone: &ZoneCharges| *zone == ZoneCharges::default();
        self.cpu == CpuTime::ZERO && self.engines.is_zero() && self.zones.iter().all(is_zero)
    }

    /// Adds everything in `other`.
    pub(crate) fn absorb(&mut self, other: &Self) {
        self.cpu += other.cpu;
        self.engines += other.engines;
        self.window_cpu += other.window_cpu;
        self.window_energy += other.window_energy;
        for (index, charges) in other.zones.iter().enumerate() {
            let mine = self.zone(index);
            mine.dynamic += charges.dynamic;
            mine.idle += charges.idle;
            mine.uncertainty += charges.uncertainty;
        }
    }

    /// Energy over the zones for which `counts` is true.
    pub fn energy(&self, counts: impl Fn(usize) -> bool) -> MicroJoules {
        let zones = self.zones.iter().enumerate();
        zones.filter(|(index, _)| counts(*index)).map(|(_, charges)| charges.energy()).sum()
    }
}
