//! Detects mirrored counters: a hypervisor may show each socket of a guest the same physical register.
//!
//! Pure. If both counters are one register, a counter that is read between two readings of the other cannot be less than the first of them
//! nor more than the second; and a register that is not refreshed meanwhile leaves one possible value. Two sockets, even under the same
//! load, differ by more within seconds. So counters that stand at the same energy are *suspected*, and their energy is held back, until
//! such *comparisons* have agreed at several energies (*mirrors*), or have not (two counters).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::model::energy::{Domain, EnergySourceKind, Zone};
use crate::time::MonoTime;
use crate::units::{MicroJoules, Watts};

#[cfg(test)]
mod tests;

/// Number of energies at which comparisons have to agree.
const CONFIRMED: u32 = 2;

/// Number of comparisons in a row that have to disagree: a simulated register may be written between two readings.
const PARTED: u32 = 2;

/// The interval of a comparison is at most this fraction (1/n) of the energy since the last one that counted.
const PRECISE: i64 = 1000;

/// Tolerated difference between two readings of one register: hypervisors take some microseconds.
const TOLERANCE: MicroJoules = MicroJoules(2000);

/// Few packages draw more: bounds the difference between two readings of one register.
const MOST: Watts = Watts(300.0);

/// Longest time between two readings of a suspected counter.
const READING: Duration = Duration::from_micros(100);

/// Events of perf count from the time at which they were opened, one after the other.
const OPENING: Duration = Duration::from_millis(3);

/// A reading of a counter.
#[derive(Clone, Copy, Debug)]
pub struct Position {
    /// The counter.
    pub zone: Zone,
    /// Time of the reading.
    pub at: MonoTime,
    /// Raw count, as energy.
    pub raw: MicroJoules,
    /// Energy since the first reading.
    pub total: MicroJoules,
    /// Smallest step of the counter.
    pub quantum: MicroJoules,
}

/// Result for a zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The zone has a counter of its own.
    Own,
    /// The zone may mirror another, or be mirrored: not decided yet.
    Suspected,
    /// The zone shows the energy of this one.
    MirrorOf(Zone),
}

/// Readings of a follower, and of its leader before and after.
#[derive(Clone, Copy, Debug)]
pub struct Comparison {
    /// Reading of the leader, before.
    pub before: Position,
    /// Reading of the follower.
    pub follower: Position,
    /// Reading of the leader, after.
    pub after: Position,
}

/// Result of a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The two may be one counter.
    Agrees,
    /// The leader has moved too far between its readings to decide.
    Vague,
    /// The two are not one counter; or not this time.
    Differs,
}

/// A counter that stood at the energy of another.
#[derive(Clone, Debug)]
struct Track {
    leader: Zone,
    /// Bounds of the follower's energy minus the leader's, by the comparisons so far: least and most. `None` before the
    /// first.
    ahead: Option<(i64, i64)>,
    /// The leader's total at the last comparison that counted.
    last: MicroJoules,
    agreed: u32,
    differed: u32,
}

/// Detects mirrors among all counters of a meter.
#[derive(Debug)]
pub struct MirrorWatch {
    /// Largest distance of two readings of one register.
    near: MicroJoules,
    tracks: BTreeMap<Zone, Track>,
    /// Pairs that are two counters.
    parted: BTreeSet<(Zone, Zone)>,
}

impl MirrorWatch {
    /// A watch for the counters of this kind of source.
    pub fn new(kind: EnergySourceKind) -> Self {
        let apart = if kind == EnergySourceKind::Perf { OPENING } else { READING };
        Self { near: MOST.during(apart), tracks: BTreeMap::new(), parted: BTreeSet::new() }
    }

    /// Adds one reading of the counters, ascending by zone: suspects counters that stand at the energy of another.
    pub fn observe(&mut self, positions: &[Position]) {
        let packages = || positions.iter().filter(|position| position.zone.domain == Domain::Package);
        for follower in packages() {
            if !self.tracks.contains_key(&follower.zone)
                && let Some(leader) = packages().find(|leader| self.may_lead(leader, follower))
            {
                let (leader, last) = (leader.zone, MicroJoules::ZERO);
                let track = Track { leader, ahead: None, last, agreed: 0, differed: 0 };
                self.tracks.insert(follower.zone, track);
            }
        }
    }

    fn may_lead(&self, leader: &Position, follower: &Position) -> bool {
        let between = leader.at.since(follower.at).max(follower.at.since(leader.at));
        let near = self.near + MOST.during(between) + TOLERANCE + follower.quantum;
        leader.zone < follower.zone
            && !self.tracks.contains_key(&leader.zone)
            && !self.parted.contains(&(leader.zone, follower.zone))
            && apart(leader.raw, follower.raw) <= near
    }

    /// Leaders and followers that are to be compared.
    pub fn pairs(&self) -> Vec<(Zone, Zone)> {
        self.tracks.iter().map(|(follower, track)| (track.leader, *follower)).collect()
    }

    /// Adds a comparison.
    pub fn compare(&mut self, comparison: Comparison) -> Verdict {
        let Comparison { before, follower, after } = comparison;
        let Some(track) = self.tracks.get_mut(&follower.zone) else { return Verdict::Vague };
        let tolerance = signed(TOLERANCE + follower.quantum);
        let ahead = |of: fn(&Position) -> MicroJoules| {
            let by = |leader: &Position| signed(of(&follower)) - signed(of(leader));
            (by(&after) - tolerance, by(&before) + tolerance)
        };
        let Some(known) = track.ahead else {
            let (least, most) = ahead(|position| position.raw);
            if least > signed(self.near) || most < -signed(self.near) {
                self.tracks.remove(&follower.zone);
            } else {
                (track.ahead, track.last) = (Some(ahead(|position| position.total)), after.total);
            }
            return Verdict::Agrees;
        };
        let (least, most) = ahead(|position| position.total);
        let left = (least.max(known.0), most.min(known.1));
        if left.0 > left.1 {
            track.differed += 1;
            if track.differed >= PARTED {
                self.parted.insert((track.leader, follower.zone));
                self.tracks.remove(&follower.zone);
            }
            return Verdict::Differs;
        }
        track.differed = 0;
        let moved = after.total.saturating_sub(track.last);
        if (most - least).saturating_mul(PRECISE) <= signed(moved) {
            (track.ahead, track.last) = (Some(left), after.total);
            track.agreed += 1;
        } else if before.total < after.total {
            return Verdict::Vague;
        }
        Verdict::Agrees
    }

    /// Counters that are suspected to show the energy of another, with that other.
    pub fn suspects(&self) -> Vec<(Zone, Zone)> {
        let open = self.tracks.iter().filter(|(_, track)| track.agreed < CONFIRMED);
        open.map(|(follower, track)| (*follower, track.leader)).collect()
    }

    /// The current result for a zone. The cores and the memory of a socket have the result of its package.
    pub fn standing(&self, zone: Zone) -> Standing {
        let package = Zone { domain: Domain::Package, ..zone };
        if let Some(track) = self.tracks.get(&package) {
            return if track.agreed >= CONFIRMED {
                Standing::MirrorOf(Zone { domain: zone.domain, ..self.leader_of(track) })
            } else {
                Standing::Suspected
            };
        }
        let leads = |track: &Track| track.agreed < CONFIRMED && self.leader_of(track) == package;
        if self.tracks.values().any(leads) { Standing::Suspected } else { Standing::Own }
    }

    /// The leader of a track. It may have been found to mirror another after the track began: then that one leads. Ends, because a
    /// leader is always less than its follower.
    fn leader_of(&self, track: &Track) -> Zone {
        let mut leader = track.leader;
        while let Some(further) = self.tracks.get(&leader).filter(|track| track.agreed >= CONFIRMED) {
            leader = further.leader;
        }
        leader
    }
}

fn apart(one: MicroJoules, other: MicroJoules) -> MicroJoules {
    one.saturating_sub(other).max(other.saturating_sub(one))
}

fn signed(energy: MicroJoules) -> i64 {
    i64::try_from(energy.0).unwrap_or(i64::MAX)
}
