//! CPU time of each claimant in each place: the weights by which a zone's dynamic energy is split.

use std::collections::HashMap;

use crate::model::cpu::CpuPlace;
use crate::model::energy::Scope;
use crate::model::transcode::TranscodeId;
use crate::model::workload::{Pseudo, WorkloadId};
use crate::units::{CpuTime, Ratio};

/// A claimant: a workload, and of it one transcode or the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Claimant {
    /// The workload.
    pub workload: WorkloadId,
    /// One transcode of the workload; `None` for everything else that runs in it.
    pub transcode: Option<TranscodeId>,
}

impl Claimant {
    /// A workload apart from its transcodes.
    pub fn workload(workload: WorkloadId) -> Self {
        Self { workload, transcode: None }
    }
}

/// Busy CPU time by claimant and place, of one window or of several in a row.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Demand {
    busy: HashMap<(Claimant, CpuPlace), CpuTime>,
    capacity: HashMap<CpuPlace, CpuTime>,
}

impl Demand {
    /// Adds busy time.
    pub fn add(&mut self, claimant: Claimant, place: CpuPlace, busy: CpuTime) {
        *self.busy.entry((claimant, place)).or_default() += busy;
    }

    /// Adds elapsed time, busy or not, summed over CPUs.
    pub fn add_capacity(&mut self, place: CpuPlace, elapsed: CpuTime) {
        *self.capacity.entry(place).or_default() += elapsed;
    }

    /// Adds a later window: demand that a zone's energy has to pay for after a failed reading.
    pub fn extend(&mut self, later: &Self) {
        for ((claimant, place), busy) in &later.busy {
            self.add(*claimant, *place, *busy);
        }
        for (place, elapsed) in &later.capacity {
            self.add_capacity(*place, *elapsed);
        }
    }

    /// Adds a part of another window, 0 to 1 of it.
    pub fn extend_by(&mut self, other: &Self, part: Ratio) {
        let scaled = |time: &CpuTime| CpuTime((time.0 as f64 * part.0.clamp(0.0, 1.0)).round() as u64);
        for ((claimant, place), busy) in &other.busy {
            self.add(*claimant, *place, scaled(busy));
        }
        for (place, elapsed) in &other.capacity {
            self.add_capacity(*place, scaled(elapsed));
        }
    }

    /// The same demand, with the CPUs of some scopes moved to others, because the counters of these scopes are one.
    #[must_use]
    pub fn moved(&self, moves: &[(Scope, Scope)]) -> Self {
        let target = |place: CpuPlace| match moves.iter().find(|(from, _)| place.is_in(*from)) {
            Some((_, Scope::Package(package))) => CpuPlace { package: *package, die: 0 },
            Some((_, Scope::Die { package, die })) => CpuPlace { package: *package, die: *die },
            Some((_, Scope::Platform)) | None => place,
        };
        let mut moved = Self::default();
        for ((claimant, place), busy) in &self.busy {
            moved.add(*claimant, target(*place), *busy);
        }
        for (place, elapsed) in &self.capacity {
            moved.add_capacity(target(*place), *elapsed);
        }
        moved
    }

    /// Number of entries, by claimant and place.
    pub fn claims(&self) -> usize {
        self.busy.len()
    }

    /// Moves all of it to `unattributed`.
    pub fn disown(&mut self) {
        let nobody = Claimant::workload(Pseudo::Unattributed.id());
        for ((_, place), busy) in std::mem::take(&mut self.busy) {
            self.add(nobody, place, busy);
        }
    }

    /// Elapsed and busy time in each place of a scope.
    pub fn places(&self, scope: Scope) -> Vec<(CpuPlace, CpuTime, CpuTime)> {
        let mut places: Vec<_> = self.capacity.iter().filter(|(place, _)| place.is_in(scope)).collect();
        places.sort_unstable();
        let busy = |wanted: CpuPlace| {
            self.busy.iter().filter(|((_, place), _)| *place == wanted).map(|(_, busy)| *busy).sum()
        };
        places.into_iter().map(|(place, elapsed)| (*place, *elapsed, busy(*place))).collect()
    }

    /// Adds the part of another demand that is within a scope.
    pub fn extend_within(&mut self, other: &Self, scope: Scope) {
        for ((claimant, place), busy) in other.busy.iter().filter(|((_, place), _)| place.is_in(scope)) {
            self.add(*claimant, *place, *busy);
        }
        for (place, elapsed) in other.capacity.iter().filter(|(place, _)| place.is_in(scope)) {
            self.add_capacity(*place, *elapsed);
        }
    }

    /// Busy time within a scope.
    pub fn busy(&self, scope: Scope) -> CpuTime {
        self.busy.iter().filter(|((_, place), _)| place.is_in(scope)).map(|(_, busy)| *busy).sum()
    }

    /// Whether it has no entries.
    pub fn is_empty(&self) -> bool {
        self.busy.is_empty() && self.capacity.is_empty()
    }

    /// Busy nanoseconds of every claimant within a scope, in a stable order.
    pub fn within(&self, scope: Scope) -> Vec<(Claimant, u64)> {
        let mut sums: HashMap<Claimant, u64> = HashMap::with_capacity(self.busy.len());
        for ((claimant, place), busy) in &self.busy {
            if place.is_in(scope) {
                *sums.entry(*claimant).or_default() += busy.0;
            }
        }
        let mut sums: Vec<_> = sums.into_iter().collect();
        sums.sort_unstable_by_key(|(claimant, _)| *claimant);
        sums
    }

    /// CPU time of each claimant over all places, in a stable order.
    pub fn totals(&self) -> Vec<(Claimant, CpuTime)> {
        self.within(Scope::Platform).into_iter().map(|(claimant, busy)| (claimant, CpuTime(busy))).collect()
    }

    /// Busy share of a scope's CPUs; `None` when no time has elapsed.
    pub fn utilisation(&self, scope: Scope) -> Option<Ratio> {
        let capacity: CpuTime =
            self.capacity.iter().filter(|(place, _)| place.is_in(scope)).map(|(_, elapsed)| *elapsed).sum();
        self.busy(scope).share_of(capacity)
    }
}
