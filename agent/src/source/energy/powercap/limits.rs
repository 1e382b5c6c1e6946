//! Reads the range of a zone's counter, and the highest power of the zone.

use std::fs;
use std::ops::RangeInclusive;
use std::path::Path;
use std::str::FromStr;

use agent_core::units::{MicroJoules, Watts};

/// Limits in a zone folder.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Limits {
    /// `max_energy_range_uj`: the last value before the wrap.
    pub(super) range: Option<MicroJoules>,
    /// Highest sustained power.
    pub(super) power: Option<Watts>,
}

impl Limits {
    /// Reads the limits; an unreadable limit is unknown. Whether a limit is in force (`enabled`) does not matter: limits locked by
    /// the firmware read as not enabled (`get_domain_enable()`, `drivers/powercap/intel_rapl_common.c`).
    pub(super) fn read(folder: &Path) -> Self {
        Self {
            range: read(&folder.join("max_energy_range_uj")).map(MicroJoules),
            power: sustained_power(folder),
        }
    }
}

/// The limit named `long_term`, or the design power the hardware states for it, whichever is more: the limit may be lowered and
/// raised at run time.
fn sustained_power(folder: &Path) -> Option<Watts> {
    let constraint = |number: u32, file: &str| folder.join(format!("constraint_{number}_{file}"));
    let long_term = (0..MAX_CONSTRAINTS).find(|number| {
        read::<String>(&constraint(*number, "name")).is_some_and(|name| name == "long_term")
    })?;
    ["power_limit_uw", "max_power_uw"]
        .into_iter()
        .filter_map(|file| read::<u64>(&constraint(long_term, file)))
        .filter(|microwatts| (1..=MOST_MICROWATTS).contains(microwatts))
        .max()
        .map(|microwatts| Watts(microwatts as f64 / 1e6))
}

/// `MAX_CONSTRAINTS_PER_ZONE`, `include/linux/powercap.h`.
const MAX_CONSTRAINTS: u32 = 10;

/// 100 kW: no hardware has such a limit. Unset registers read as such.
const MOST_MICROWATTS: u64 = 100_000_000_000;

fn read<T: FromStr>(path: &Path) -> Option<T> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// Range and step of a zone's counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Range {
    /// Microjoules after which the counter wraps.
    pub(super) modulus: Option<u128>,
    /// One count of the register behind the counter.
    pub(super) quantum: MicroJoules,
}

/// The last value of the 32-bit registers: `ENERGY_STATUS_MASK`, `drivers/powercap/intel_rapl_common.c`.
const LAST_COUNT: u128 = u32::MAX as u128;

/// Microjoules of a count: from the finest unit to the platform register's joule on Sapphire Rapids.
const COUNTS: RangeInclusive<u128> = 1..=1_000_000;

impl Range {
    /// From `max_energy_range_uj`, which is (2³² − 1) counts: the register has one value more, so the energy after which it
    /// wraps is one count more. Where that would make a count of less than a microjoule or more than a joule, the
    /// counter is no such register, and it is one microjoule more.
    pub(super) fn new(range: Option<MicroJoules>) -> Self {
        let Some(last) = range.map(|range| u128::from(range.0)).filter(|last| *last > 0) else {
            return Self { modulus: None, quantum: MicroJoules(1) };
        };
        let count = (last + LAST_COUNT / 2) / LAST_COUNT;
        let count = if COUNTS.contains(&count) { count } else { 1 };
        Self { modulus: Some(last + count), quantum: MicroJoules(count as u64) }
    }
}
