//! Results of the benchmark `SPECpower_ssj2008`: power of whole servers, idle and at full load, by processor.
//!
//! The figures and their source are in `specpower.csv`. The load is Java business code on all hardware threads, so both threads of each
//! core are busy, and power is measured at the wall: power supplies, fans, memory and disks included
//! (<https://www.spec.org/power_ssj2008/>). Makers choose and tune the servers that they publish.

use crate::units::Watts;

/// Name of the source, as the `source` label.
pub const SOURCE: &str = "SPECpower_ssj2008";

const TABLE: &str = include_str!("specpower.csv");

/// One measured system.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ServerResult {
    /// Name of the generation of its processors.
    pub generation: &'static str,
    /// Name of its processors.
    pub processor: &'static str,
    /// Hardware threads of all processors.
    threads: u32,
    idle: Watts,
    busy: Watts,
}

impl ServerResult {
    /// Power of the idle system, by hardware thread.
    pub fn idle(&self) -> Watts {
        Watts(self.idle.0 / f64::from(self.threads))
    }

    /// Power of the system at full load, by hardware thread.
    pub fn busy(&self) -> Watts {
        Watts(self.busy.0 / f64::from(self.threads))
    }

    fn parse(line: &'static str) -> Option<Self> {
        let mut fields = line.split(',').skip(1);
        let (generation, processor) = (fields.next()?, fields.next()?);
        let threads = fields.next()?.parse().ok()?;
        let mut watts = || Some(Watts(fields.next()?.parse().ok()?));
        Some(Self { generation, processor, threads, idle: watts()?, busy: watts()? })
    }
}

/// All results.
pub fn results() -> impl Iterator<Item = ServerResult> {
    // A test reads every line of the table.
    lines().filter_map(ServerResult::parse)
}

fn lines() -> impl Iterator<Item = &'static str> {
    TABLE.lines().filter(|line| !line.starts_with('#')).skip(1)
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;
    use crate::energy::generation;

    #[test]
    fn every_line_is_a_result_of_a_known_generation() {
        for line in lines() {
            let result = ServerResult::parse(line).unwrap_or_else(|| panic!("{line}"));
            assert!(generation::named(result.generation).is_some(), "{line}");
            assert!(result.threads > 0 && result.idle.0 > 0.0 && result.idle < result.busy, "{line}");
        }
        assert_eq!(lines().count(), results().count());
        let numbers: Vec<u32> =
            lines().map(|line| line.split(',').next().unwrap().parse().unwrap()).collect();
        assert!(numbers.is_sorted_by(|one, next| one < next), "each result once");
    }

    /// The thread counts of systems with one processor have a large common divisor, the threads of the processor: a wrong count has not.
    #[test]
    fn systems_have_whole_processors_of_one_generation() {
        let mut of: BTreeMap<&str, Vec<ServerResult>> = BTreeMap::new();
        for result in results() {
            of.entry(result.processor).or_default().push(result);
        }
        for (processor, systems) in of {
            let generations: BTreeSet<_> = systems.iter().map(|system| system.generation).collect();
            assert_eq!(generations.len(), 1, "{processor}");
            let least = systems.iter().map(|system| system.threads).min().unwrap();
            let common = systems.iter().fold(0, |common, system| divisor(common, system.threads));
            assert!(least <= 4 * common, "{processor}: {systems:?}");
        }
    }

    /// The greatest common divisor.
    fn divisor(one: u32, other: u32) -> u32 {
        if other == 0 { one } else { divisor(other, one % other) }
    }
}
