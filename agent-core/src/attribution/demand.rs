//! CPU time of each claimant in each place: the weights by which a zone's dynamic energy is split.

use std::collections::{BTreeMap, HashMap};

use crate::attribution::siblings::SharedCoreWeight;
use crate::model::cpu::{BusyTime, CpuPlace};
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

/// CPU time of a place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PlaceTime {
    /// Elapsed time, busy or not, summed over CPUs.
    pub elapsed: CpuTime,
    /// Busy time of all claimants.
    pub busy: BusyTime,
}

/// Busy CPU time by claimant and place, of one window or of several in a row.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Demand {
    /// The places of each claimant, ascending.
    claims: HashMap<Claimant, Vec<(CpuPlace, BusyTime)>>,
    places: BTreeMap<CpuPlace, PlaceTime>,
}

impl Demand {
    /// Adds busy time.
    pub fn add(&mut self, claimant: Claimant, place: CpuPlace, busy: impl Into<BusyTime>) {
        let busy = busy.into();
        self.places.entry(place).or_default().busy += busy;
        let claims = self.claims.entry(claimant).or_default();
        match claims.binary_search_by_key(&place, |(place, _)| *place) {
            Ok(index) => claims[index].1 += busy,
            Err(index) => claims.insert(index, (place, busy)),
        }
    }

    /// Adds elapsed time, busy or not, summed over CPUs.
    pub fn add_capacity(&mut self, place: CpuPlace, elapsed: CpuTime) {
        self.places.entry(place).or_default().elapsed += elapsed;
    }

    /// Adds a later window: demand that a zone's energy has to pay for after a failed reading.
    pub fn extend(&mut self, later: &Self) {
        self.extend_with(later, Some);
    }

    /// Adds a part of another window, 0 to 1 of it.
    pub fn extend_by(&mut self, other: &Self, part: Ratio) {
        let scaled = |time: CpuTime| CpuTime((time.0 as f64 * part.0.clamp(0.0, 1.0)).round() as u64);
        for (claimant, place, busy) in other.entries() {
            let busy = BusyTime { all: scaled(busy.all), shared: scaled(busy.shared) };
            self.add(claimant, place, busy);
        }
        for (place, time) in &other.places {
            self.add_capacity(*place, scaled(time.elapsed));
        }
    }

    /// Adds the part of another demand that is within a scope.
    pub fn extend_within(&mut self, other: &Self, scope: Scope) {
        self.extend_with(other, |place| place.is_in(scope).then_some(place));
    }

    /// The same demand, with the CPUs of some scopes moved to others, because the counters of these scopes are one.
    #[must_use]
    pub fn moved(&self, moves: &[(Scope, Scope)]) -> Self {
        let mut moved = Self::default();
        moved.extend_with(self, |place| {
            Some(match moves.iter().find(|(from, _)| place.is_in(*from)) {
                Some((_, Scope::Package(package))) => CpuPlace::on_die(*package, 0),
                Some((_, Scope::Die { package, die })) => CpuPlace::on_die(*package, *die),
                Some((_, Scope::Platform)) | None => place,
            })
        });
        moved
    }

    /// Adds all of another demand to the places that `target` returns; a place without a target is left out.
    fn extend_with(&mut self, other: &Self, target: impl Fn(CpuPlace) -> Option<CpuPlace>) {
        for (claimant, place, busy) in other.entries() {
            if let Some(place) = target(place) {
                self.add(claimant, place, busy);
            }
        }
        for (place, time) in &other.places {
            if let Some(place) = target(*place) {
                self.add_capacity(place, time.elapsed);
            }
        }
    }

    fn entries(&self) -> impl Iterator<Item = (Claimant, CpuPlace, BusyTime)> {
        self.claims
            .iter()
            .flat_map(|(claimant, claims)| claims.iter().map(|(place, busy)| (*claimant, *place, *busy)))
    }

    /// Number of entries, by claimant and place.
    pub fn claims(&self) -> usize {
        self.claims.values().map(Vec::len).sum()
    }

    /// Adds up the cores of each die.
    pub fn merge_cores(&mut self) {
        let mut merged = Self::default();
        merged.extend_with(self, |place| Some(place.without_core()));
        *self = merged;
    }

    /// Moves all of it to `unattributed`.
    pub fn disown(&mut self) {
        let nobody = Claimant::workload(Pseudo::Unattributed.id());
        let busy = |(place, time): (&CpuPlace, &PlaceTime)| (*place, time.busy);
        let claims = self.places.iter().map(busy).filter(|(_, busy)| busy.all > CpuTime::ZERO).collect();
        self.claims = HashMap::from([(nobody, claims)]);
    }

    /// The places of a scope, ascending.
    pub fn places(&self, scope: Scope) -> impl Iterator<Item = (CpuPlace, PlaceTime)> {
        let places = self.places.iter().map(|(place, time)| (*place, *time));
        places.filter(move |(place, _)| place.is_in(scope))
    }

    /// Busy time within a scope.
    pub fn busy(&self, scope: Scope) -> CpuTime {
        self.places(scope).map(|(_, time)| time.busy.all).sum()
    }

    /// Whether it has no entries.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// A figure of each claimant that ran within a scope, from the claimant's places there; in a stable order.
    pub(super) fn by_claimant<T>(
        &self,
        scope: Scope,
        figure: impl Fn(&mut dyn Iterator<Item = (CpuPlace, BusyTime)>) -> T,
    ) -> Vec<(Claimant, T)> {
        let mut figures = Vec::with_capacity(self.claims.len());
        for (claimant, claims) in &self.claims {
            let mut within = claims.iter().copied().filter(|(place, _)| place.is_in(scope)).peekable();
            if within.peek().is_some() {
                figures.push((*claimant, figure(&mut within)));
            }
        }
        figures.sort_unstable_by_key(|(claimant, _)| *claimant);
        figures
    }

    /// Busy nanoseconds of every claimant within a scope, in a stable order.
    pub(super) fn within(&self, scope: Scope) -> Vec<(Claimant, u64)> {
        self.by_claimant(scope, |places| places.map(|(_, busy)| busy.all.0).sum())
    }

    /// As [`Self::within`], with less weight for time on shared cores.
    pub(super) fn within_by(&self, scope: Scope, weight: SharedCoreWeight) -> Vec<(Claimant, u64)> {
        self.by_claimant(scope, |places| weight.of(places.map(|(_, busy)| busy).sum()).0)
    }

    /// CPU time of each claimant over all places, in a stable order.
    pub fn totals(&self) -> Vec<(Claimant, CpuTime)> {
        self.within(Scope::Platform).into_iter().map(|(claimant, busy)| (claimant, CpuTime(busy))).collect()
    }

    /// Busy share of a scope's CPUs; `None` when no time has elapsed.
    pub fn utilisation(&self, scope: Scope) -> Option<Ratio> {
        let capacity: CpuTime = self.places(scope).map(|(_, time)| time.elapsed).sum();
        self.busy(scope).share_of(capacity)
    }
}
