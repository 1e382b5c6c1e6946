//! Generations of processors: the table by vendor, family, model and stepping, and the power of a hardware thread of each.

use std::ops::RangeInclusive;

use super::processor::{Processor, Vendor};
use super::specpower;
use super::spread::PowerSpread;

#[cfg(test)]
mod tests;

/// Processors of one design, with a power of their own.
#[derive(Debug, PartialEq, Eq)]
pub struct Generation {
    /// Name in the configuration and in the table of results.
    pub name: &'static str,
    /// Name for readers.
    pub title: &'static str,
    vendor: Vendor,
    family: u32,
    model: u32,
    steppings: RangeInclusive<u32>,
}

/// Power of a hardware thread of one generation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ThreadPower {
    /// On an idle system.
    pub idle: PowerSpread,
    /// On a system at full load.
    pub busy: PowerSpread,
}

impl Generation {
    /// The generation of a processor; `None` where the table does not have it.
    pub fn of(processor: Processor) -> Option<&'static Self> {
        ALL.iter().find(|row| {
            (row.vendor, row.family, row.model) == (processor.vendor, processor.family, processor.model)
                && row.steppings.contains(&processor.stepping)
        })
    }

    /// Power of a hardware thread, from the results of this generation.
    pub fn thread_power(&self) -> Option<ThreadPower> {
        let results = || specpower::results().filter(|result| result.generation == self.name);
        let idle = PowerSpread::of(results().map(|result| result.idle()))?;
        let busy = PowerSpread::of(results().map(|result| result.busy()))?;
        Some(ThreadPower { idle, busy })
    }

    /// Vendor, family, model and, where they matter, steppings.
    pub fn identity(&self) -> String {
        let vendor = if self.vendor == Vendor::Amd { "AMD" } else { "Intel" };
        let all = format!("{vendor} {}/{}", self.family, self.model);
        match (*self.steppings.start(), *self.steppings.end()) {
            (0, u32::MAX) => all,
            (0, last) => format!("{all}, stepping 0 to {last}"),
            (first, u32::MAX) => format!("{all}, stepping {first} and later"),
            (first, last) => format!("{all}, stepping {first} to {last}"),
        }
    }
}

/// The generation of this name.
pub fn named(name: &str) -> Option<&'static Generation> {
    ALL.iter().find(|row| row.name == name)
}

const fn intel(name: &'static str, title: &'static str, model: u32) -> Generation {
    intel_stepping(name, title, model, 0..=u32::MAX)
}

const fn intel_stepping(
    name: &'static str,
    title: &'static str,
    model: u32,
    steppings: RangeInclusive<u32>,
) -> Generation {
    Generation { name, title, vendor: Vendor::Intel, family: 6, model, steppings }
}

const fn amd(name: &'static str, title: &'static str, family: u32, model: u32) -> Generation {
    Generation { name, title, vendor: Vendor::Amd, family, model, steppings: 0..=u32::MAX }
}

/// All generations with results. Intel's models, and the steppings that tell generations of one model apart, are those of
/// `arch/x86/include/asm/intel-family.h`; AMD's families and models are those of its processor programming references (PPR).
pub static ALL: [Generation; 27] = [
    intel("haswell-ep", "Intel Haswell-EP", 0x3F),
    intel("broadwell-ep", "Intel Broadwell-EP", 0x4F),
    intel_stepping("skylake-sp", "Intel Skylake-SP", 0x55, 0..=4),
    intel_stepping("cascade-lake", "Intel Cascade Lake", 0x55, 5..=9),
    intel_stepping("cooper-lake", "Intel Cooper Lake", 0x55, 10..=u32::MAX),
    intel("ice-lake-sp", "Intel Ice Lake-SP", 0x6A),
    intel("ice-lake-d", "Intel Ice Lake-D", 0x6C),
    intel("sapphire-rapids", "Intel Sapphire Rapids", 0x8F),
    intel("emerald-rapids", "Intel Emerald Rapids", 0xCF),
    intel("granite-rapids", "Intel Granite Rapids", 0xAD),
    intel("sierra-forest", "Intel Sierra Forest", 0xAF),
    intel("haswell", "Intel Haswell", 0x3C),
    intel("skylake", "Intel Skylake", 0x5E),
    intel_stepping("kaby-lake", "Intel Kaby Lake", 0x9E, 0..=9),
    intel_stepping("coffee-lake", "Intel Coffee Lake", 0x9E, 10..=u32::MAX),
    intel("rocket-lake", "Intel Rocket Lake", 0xA7),
    intel("raptor-lake", "Intel Raptor Lake", 0xB7),
    intel("arrow-lake-h", "Intel Arrow Lake-H", 0xC5),
    amd("zen1", "AMD Zen (EPYC 7001)", 0x17, 0x01),
    amd("zen2", "AMD Zen 2 (EPYC 7002)", 0x17, 0x31),
    amd("zen3", "AMD Zen 3 (EPYC 7003)", 0x19, 0x01),
    amd("zen4", "AMD Zen 4 (EPYC 9004)", 0x19, 0x11),
    amd("zen4c", "AMD Zen 4c (EPYC 97x4, 8004)", 0x19, 0xA0),
    amd("zen4-desktop", "AMD Zen 4 (EPYC 4004)", 0x19, 0x61),
    amd("zen5", "AMD Zen 5 (EPYC 9005)", 0x1A, 0x02),
    amd("zen5c", "AMD Zen 5c (EPYC 9005)", 0x1A, 0x11),
    amd("zen5-desktop", "AMD Zen 5 (EPYC 4005)", 0x1A, 0x44),
];
