//! Reads the host's processor, and knows the units and scopes of its energy counters.

use std::fs;

use agent_core::energy::processor::{Processor, Vendor};
use agent_core::energy::unit::EnergyUnit;
use agent_core::model::energy::Domain;

use crate::host::HostRoots;
use crate::source::SourceError;

#[cfg(test)]
mod tests;

/// The first processor of `cpuinfo`; all have the same energy counters. A file that cannot be read is an unknown processor.
pub(super) fn read(roots: &HostRoots) -> Processor {
    fs::read_to_string(roots.proc.join("cpuinfo"))
        .map_or_else(|_| Processor::default(), |text| Processor::parse(&text))
}

/// Energy counters of a processor.
pub(super) trait EnergyCounters {
    /// The energy of one count of a register, given the exponent of the processor's general unit (ESU).
    ///
    /// In general 2⁻ᴱˢᵁ J (Intel SDM vol. 3B, "RAPL Interfaces"; AMD PPR, `RAPL_PWR_UNIT`). The exceptions are the
    /// kernel's: `rapl_check_hw_unit()` in `arch/x86/events/rapl.c`, `rapl_get_domain_unit()` and `rapl_check_unit_atom()` in
    /// `drivers/powercap/intel_rapl_common.c`.
    fn unit(self, domain: Domain, exponent: u32) -> EnergyUnit;

    /// Whether package counters are per package even where a package has several dies
    /// (`rapl_msrs_are_pkg_scope()`, `drivers/powercap/intel_rapl_common.c`).
    fn counts_by_package(self) -> bool;

    /// Whether memory is counted in the general unit though it is a server: SDM vol. 4, `MSR_DRAM_ENERGY_STATUS` of the 4th and 5th
    /// generation of Xeon Scalable processors.
    fn counts_memory_in_general_units(self) -> bool;

    /// The error of missing counters, with this hint, except on a virtual machine.
    fn unavailable(self, what: &str, hint: &str) -> SourceError;
}

impl EnergyCounters for Processor {
    fn unit(self, domain: Domain, exponent: u32) -> EnergyUnit {
        match domain {
            Domain::Dram if is_intel(self, &SERVER_DRAM) => EnergyUnit::joules_over_two_to(16),
            Domain::Psys if is_intel(self, &JOULE_PSYS) => EnergyUnit::JOULE,
            _ if is_intel(self, &EARLY_ATOM) => EnergyUnit::microjoules_times_two_to(exponent),
            _ => EnergyUnit::joules_over_two_to(exponent),
        }
    }

    fn counts_by_package(self) -> bool {
        self.vendor == Vendor::Amd
    }

    fn counts_memory_in_general_units(self) -> bool {
        is_intel(self, &JOULE_PSYS)
    }

    fn unavailable(self, what: &str, hint: &str) -> SourceError {
        if self.is_virtual {
            SourceError::unavailable(format!("{what} (a virtual machine without passed-through RAPL)"), "")
        } else {
            SourceError::unavailable(what, hint)
        }
    }
}

fn is_intel(processor: Processor, models: &[u32]) -> bool {
    processor.vendor == Vendor::Intel && processor.family == 6 && models.contains(&processor.model)
}

/// Servers whose DRAM register counts 2⁻¹⁶ J (15.3 µJ) whatever the general unit is: `RAPL_UNIT_QUIRK_INTEL_HSW` of
/// `arch/x86/events/rapl.c`, after Intel 330784-001 (Xeon E5 v3 datasheet, volume 2). Model numbers:
/// `arch/x86/include/asm/intel-family.h`.
const SERVER_DRAM: [u32; 8] = [
    0x3F, // Haswell-EP
    0x4F, // Broadwell-EP
    0x56, // Broadwell-DE
    0x55, // Skylake-SP, Cascade Lake, Cooper Lake
    0x6A, // Ice Lake-SP
    0x6C, // Ice Lake-D
    0x57, // Xeon Phi, Knights Landing
    0x85, // Xeon Phi, Knights Mill
];

/// Servers whose platform register counts whole joules: `RAPL_UNIT_QUIRK_INTEL_SPR` of `arch/x86/events/rapl.c`; for
/// Granite Rapids `has_fixed_rapl_psys_unit` of `tools/power/x86/turbostat/turbostat.c`.
const JOULE_PSYS: [u32; 4] = [
    0x8F, // Sapphire Rapids
    0xCF, // Emerald Rapids
    0xAD, // Granite Rapids
    0xAE, // Granite Rapids-D
];

/// Processors whose general unit is 2ᴱˢᵁ µJ: `rapl_check_unit_atom()` of `drivers/powercap/intel_rapl_common.c`. Not those of
/// servers (0x4D).
const EARLY_ATOM: [u32; 4] = [
    0x37, // Silvermont
    0x4A, // Silvermont, phones
    0x4C, // Airmont
    0x5A, // Airmont, phones
];
