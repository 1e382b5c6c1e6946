//! Registers in which each core of an AMD processor, and its package, counts its energy.

use std::path::{Path, PathBuf};

use super::{begin_of, cpus};
use crate::registers::{AMD_CORE, AMD_PACKAGE, AMD_UNIT, Registers};

/// The energy unit is this negative power of two, in joules.
const UNIT_EXPONENT: u32 = 16;

/// The folder in place of `/dev`.
pub(super) fn devices(folder: &Path) -> PathBuf {
    folder.join("dev")
}

/// The registers of a package with some cores, each with as many CPUs as the others.
#[derive(Debug)]
pub(super) struct CoreRegisters(Registers);

impl CoreRegisters {
    pub(super) fn mount(folder: &Path, cores: usize) -> anyhow::Result<Self> {
        let made = Self(Registers::mount(&devices(folder))?);
        for cpu in 0..cpus() {
            made.0.set(cpu, AMD_UNIT, u64::from(UNIT_EXPONENT) << 8);
        }
        made.set(&vec![0.0; cores], 0.0);
        Ok(made)
    }

    /// Shows the energy since the beginning: joules of each core, and of the package.
    pub(super) fn set(&self, cores: &[f64], package: f64) {
        for cpu in 0..cpus() {
            let core = cpu * cores.len() / cpus();
            self.0.set(cpu, AMD_CORE, shown(begin_of(core) + cores[core]));
            self.0.set(cpu, AMD_PACKAGE, shown(begin_of(cores.len()) + package));
        }
    }
}

/// The registers have 32 bits.
fn shown(joules: f64) -> u64 {
    u64::from((joules * f64::from(1_u32 << UNIT_EXPONENT)) as u64 as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_register_wraps_after_32_bits() {
        assert_eq!(shown(1.0), 1 << 16);
        assert_eq!(shown(65_536.0 + 2.0), 2 << 16);
    }
}
