//! Places of CPUs: package, die and core of each.

use crate::model::cpu::CpuPlace;

/// `CONFIG_NR_CPUS` is at most 8192 on x86-64 and arm64.
pub const MAX_CPUS: usize = 8192;

/// Package, die and core of each CPU.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CpuTopology {
    /// Indexed by CPU number; `None` for a number that no CPU has, or one that is off line.
    cpus: Vec<Option<CpuPlace>>,
}

/// Places in the order of the CPU numbers.
impl FromIterator<Option<CpuPlace>> for CpuTopology {
    fn from_iter<I: IntoIterator<Item = Option<CpuPlace>>>(places: I) -> Self {
        Self { cpus: places.into_iter().take(MAX_CPUS).collect() }
    }
}

impl CpuTopology {
    /// Sets the place of a CPU that had none.
    pub fn enter(&mut self, cpu: usize, place: CpuPlace) {
        if cpu >= MAX_CPUS {
            return;
        }
        if self.cpus.len() <= cpu {
            self.cpus.resize(cpu + 1, None);
        }
        self.cpus[cpu] = Some(place);
    }

    /// Whether the place of a CPU is known.
    pub fn has_place(&self, cpu: usize) -> bool {
        self.cpus.get(cpu).is_some_and(Option::is_some)
    }

    /// The place of a CPU; package 0 while it is unknown.
    pub fn place(&self, cpu: usize) -> CpuPlace {
        self.cpus.get(cpu).copied().flatten().unwrap_or(CpuPlace::on_die(0, 0))
    }

    /// The other CPU (hardware thread) of a CPU's core; `None` where the core is unknown, or has one CPU or more than two.
    pub fn sibling(&self, cpu: usize) -> Option<usize> {
        let place = self.cpus.get(cpu).copied().flatten().filter(|place| place.core.is_some())?;
        let mut others =
            self.cpus().filter(|(other, of)| *of == place && *other != cpu).map(|(other, _)| other);
        others.next().filter(|_| others.next().is_none())
    }

    /// Whether there is a core that two CPUs share.
    pub fn has_siblings(&self) -> bool {
        self.cpus().any(|(cpu, _)| self.sibling(cpu).is_some())
    }

    /// CPU numbers with their places, ascending.
    pub fn cpus(&self) -> impl Iterator<Item = (usize, CpuPlace)> + '_ {
        self.cpus.iter().enumerate().filter_map(|(number, place)| Some((number, (*place)?)))
    }

    /// Number of CPUs with a place.
    pub fn count(&self) -> usize {
        self.cpus.iter().flatten().count()
    }

    /// Distinct dies, ascending.
    pub fn places(&self) -> Vec<CpuPlace> {
        distinct(self.cpus.iter().flatten().map(|place| place.without_core()))
    }

    /// Distinct cores, ascending; a die for all its CPUs whose core is unknown.
    pub fn core_places(&self) -> Vec<CpuPlace> {
        distinct(self.cpus.iter().flatten().copied())
    }

    /// The number of packages.
    pub fn packages(&self) -> Vec<u32> {
        let mut packages: Vec<u32> = self.places().iter().map(|place| place.package).collect();
        packages.dedup();
        packages
    }
}

fn distinct(places: impl Iterator<Item = CpuPlace>) -> Vec<CpuPlace> {
    let mut places: Vec<CpuPlace> = places.collect();
    places.sort_unstable();
    places.dedup();
    places
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::cpu::CoreId;

    #[test]
    fn a_sibling_is_the_only_other_cpu_of_a_core() {
        let on = |package, core: Option<u32>| {
            Some(CpuPlace { core: core.map(CoreId), ..CpuPlace::on_die(package, 0) })
        };
        // Two cores of two CPUs, one of one, one of three, two CPUs without a known core, and one that is off line.
        let cores = [Some(0), Some(1), Some(0), Some(1), Some(4), Some(5), Some(5), Some(5), None, None];
        let topology: CpuTopology = cores.into_iter().map(|core| on(0, core)).chain([None]).collect();
        let siblings: Vec<_> = (0..12).map(|cpu| topology.sibling(cpu)).collect();
        let none = [None; 8];
        assert_eq!(siblings, [&[Some(2), Some(3), Some(0), Some(1)][..], &none].concat());
    }
}
