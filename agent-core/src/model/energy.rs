//! Zones, domains and readings of energy counters: the types of stage 1 for energy.

use std::fmt;

use crate::model::cpu::CoreId;
use crate::units::MicroJoules;

/// The part of the host that an energy counter covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// One processor package (socket).
    Package(u32),
    /// One die of a package that has several and counts them separately.
    Die {
        /// The package the die belongs to.
        package: u32,
        /// The die's number within its package.
        die: u32,
    },
    /// The whole platform (`psys`).
    Platform,
}

/// As the `package` label: `0`, `0-die-1`, `platform`.
impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Package(package) => write!(f, "{package}"),
            Self::Die { package, die } => write!(f, "{package}-die-{die}"),
            Self::Platform => f.write_str("platform"),
        }
    }
}

/// A RAPL domain: the hardware within its scope that a counter covers.
///
/// `Core` and `Uncore` are parts of `Package`, and all of them are parts of `Psys`: these are never added to one another.
/// `Dram` is not a part of `Package`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Domain {
    /// The whole package.
    Package,
    /// All cores of the package (PP0).
    Core,
    /// Graphics and other uncore units (PP1).
    Uncore,
    /// The memory attached to the package.
    Dram,
    /// The whole platform.
    Psys,
}

impl Domain {
    /// As the `domain` label.
    pub fn name(self) -> &'static str {
        match self {
            Self::Package => "package",
            Self::Core => "core",
            Self::Uncore => "uncore",
            Self::Dram => "dram",
            Self::Psys => "psys",
        }
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One energy counter of the host: a domain within a scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Zone {
    /// The scope.
    pub scope: Scope,
    /// The domain within the scope.
    pub domain: Domain,
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.scope {
            Scope::Platform => write!(f, "{}", self.domain),
            scope => write!(f, "{}-{scope}", self.domain),
        }
    }
}

/// Sources of energy, best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EnergySourceKind {
    /// The kernel's `power` performance-monitoring unit: 64 bits, wraps handled by the kernel.
    Perf,
    /// `/sys/class/powercap`.
    Powercap,
    /// The model-specific registers themselves.
    Msr,
    /// Energy sensors of `/sys/class/hwmon`.
    Hwmon,
    /// An estimate from CPU utilisation. Never mixed with measured energy.
    Model,
}

impl EnergySourceKind {
    /// All sources, best first.
    pub const ALL: [Self; 5] = [Self::Perf, Self::Powercap, Self::Msr, Self::Hwmon, Self::Model];

    /// As the `source` label and the configuration value.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Perf => "perf",
            Self::Powercap => "powercap",
            Self::Msr => "msr",
            Self::Hwmon => "hwmon",
            Self::Model => "model",
        }
    }

    /// The source of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Whether hardware counted the energy.
    pub fn is_measured(self) -> bool {
        self != Self::Model
    }
}

impl fmt::Display for EnergySourceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A reading of one zone's counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ZoneReading {
    /// The zone.
    pub zone: Zone,
    /// Energy since the source was opened: 64 bits, never goes down, wraps and resets are already corrected.
    pub total: MicroJoules,
    /// Size of the counter's step, for the stated uncertainty.
    pub quantum: MicroJoules,
}

/// A reading of the energy counter of one core, where the processor counts each core.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CoreReading {
    /// Scope of the zone that sums its cores.
    pub scope: Scope,
    /// The core.
    pub core: CoreId,
    /// `None` where the counter could not be read, or its energy is not known yet.
    pub count: Option<CoreCount>,
}

/// The count of a core's energy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CoreCount {
    /// Energy since the source was opened.
    pub total: MicroJoules,
    /// Number of resets of the counter. The energy between two counts with different numbers is unknown.
    pub resets: u32,
}

/// A discontinuity of a counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CounterEvent {
    /// The counter wrapped; no energy was lost.
    Wrap,
    /// The counter was set back or jumped beyond what the hardware can draw: the window's energy is unknown, and a new
    /// baseline was taken.
    Reset,
}
