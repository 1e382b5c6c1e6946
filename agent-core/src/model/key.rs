//! Keys by which energy above idle is split over claimants, and reasons why a window is not split by the key of its zone.

/// A key: what the share of a claimant in a zone's energy is proportional to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum SplitKey {
    /// Busy CPU time.
    #[default]
    Time,
    /// Busy CPU time, of which a second on a core whose other thread was busy too weighs less.
    SharedCores,
    /// Energy of the cores on which it ran, and busy CPU time within each core.
    CoreEnergy,
    /// Busy time of GPU engines.
    EngineTime,
}

impl SplitKey {
    /// As the `key` label.
    pub fn name(self) -> &'static str {
        match self {
            Self::Time => "time",
            Self::SharedCores => "smt",
            Self::CoreEnergy => "core-energy",
            Self::EngineTime => "engine-time",
        }
    }
}

/// The reason why a window is split by CPU time although the energy of each core, or the time of GPU engines, is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FallbackReason {
    /// A busy core has no counter, or it is not known which core was busy.
    CoreNotCounted,
    /// The counter of a busy core could not be read at both ends of the window, or was reset in it.
    CoreUnreadable,
    /// The counter of a busy core shows no energy above idle.
    CoreStandsStill,
    /// No core was busy enough to have a price.
    CoresAtRest,
    /// The counter of the zone stood still, and CPU time of the tick before is part of the window.
    CounterStalled,
    /// The energy of the integrated GPU in the window is not known.
    GpuEnergyUnknown,
}

impl FallbackReason {
    /// All reasons.
    pub const ALL: [Self; 6] = [
        Self::CoreNotCounted,
        Self::CoreUnreadable,
        Self::CoreStandsStill,
        Self::CoresAtRest,
        Self::CounterStalled,
        Self::GpuEnergyUnknown,
    ];

    /// As the `reason` label.
    pub fn name(self) -> &'static str {
        match self {
            Self::CoreNotCounted => "core_not_counted",
            Self::CoreUnreadable => "core_unreadable",
            Self::CoreStandsStill => "core_stands_still",
            Self::CoresAtRest => "cores_at_rest",
            Self::CounterStalled => "counter_stalled",
            Self::GpuEnergyUnknown => "gpu_energy_unknown",
        }
    }
}
