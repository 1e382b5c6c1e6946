//! Who asked for CPU time, and where?

use std::collections::HashMap;

use crate::host::CpuPlace;
use crate::model::energy::Scope;
use crate::model::transcode::TranscodeId;
use crate::model::workload::WorkloadId;
use crate::units::{CpuTime, Ratio};

/// Who can be charged: a workload, and of it one transcode or the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Claimant {
    /// The workload.
    pub workload: WorkloadId,
    /// One transcode of it; `None` for whatever else runs in it.
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

    /// Adds time that passed, busy or not, summed over CPUs.
    pub fn add_capacity(&mut self, place: CpuPlace, elapsed: CpuTime) {
        *self.capacity.entry(place).or_default() += elapsed;
    }

    /// Adds a later window: what a zone owes for when it could not be read.
    pub fn extend(&mut self, later: &Self) {
        for ((claimant, place), busy) in &later.busy {
            self.add(*claimant, *place, *busy);
        }
        for (place, elapsed) in &later.capacity {
            self.add_capacity(*place, *elapsed);
        }
    }

    /// Whether there is nothing in it.
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

    /// Busy share of a scope's CPUs; `None` when no time passed.
    pub fn utilisation(&self, scope: Scope) -> Option<Ratio> {
        let within = |place: &CpuPlace| place.is_in(scope);
        let busy: CpuTime =
            self.busy.iter().filter(|((_, place), _)| within(place)).map(|(_, busy)| *busy).sum();
        let capacity: CpuTime =
            self.capacity.iter().filter(|(place, _)| within(place)).map(|(_, elapsed)| *elapsed).sum();
        busy.share_of(capacity)
    }
}
