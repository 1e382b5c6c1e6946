//! Table of the energy registers of Intel and AMD processors.
//!
//! Addresses: `arch/x86/include/asm/msr-index.h`; Intel SDM vol. 4, table "MSRs supported by …"; AMD PPR for family 17h model
//! 01h (54945), section MSRs.

use agent_core::model::energy::Domain;

/// Registers of one vendor.
#[derive(Debug)]
pub(super) struct Layout {
    /// Register of the general energy unit.
    pub(super) unit: u64,
    /// Registers of a package or die.
    pub(super) package: &'static [(Domain, u64)],
    /// Register of a core.
    pub(super) core: Option<u64>,
}

/// Intel.
pub(super) const INTEL: Layout = Layout {
    unit: 0x606, // MSR_RAPL_POWER_UNIT
    package: &[
        (Domain::Package, 0x611), // MSR_PKG_ENERGY_STATUS
        (Domain::Core, 0x639),    // MSR_PP0_ENERGY_STATUS
        (Domain::Uncore, 0x641),  // MSR_PP1_ENERGY_STATUS
        (Domain::Dram, 0x619),    // MSR_DRAM_ENERGY_STATUS
        (Domain::Psys, 0x64D),    // MSR_PLATFORM_ENERGY_STATUS
    ],
    core: None,
};

/// AMD and Hygon.
pub(super) const AMD: Layout = Layout {
    unit: 0xC001_0299,                          // MSR_AMD_RAPL_POWER_UNIT
    package: &[(Domain::Package, 0xC001_029B)], // MSR_AMD_PKG_ENERGY_STATUS
    core: Some(0xC001_029A),                    // MSR_AMD_CORE_ENERGY_STATUS
};

/// The bits that count: `RAPL_MSR_MASK`, `arch/x86/events/rapl.c`.
pub(super) const MASK: u64 = 0xFFFF_FFFF;

/// Number of counts after which a register wraps.
pub(super) const MODULUS: u128 = MASK as u128 + 1;
