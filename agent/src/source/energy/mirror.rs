//! Tells counters that are one counter shown several times: a hypervisor may give each socket of a guest the same physical register.
//!
//! Pure. Two sockets' counters do not stand at the same energy but by chance, and then they part within a tick. Counters that are met
//! together are *suspected*: their energy is held back until they have parted, or have moved together often enough to be *mirrors*.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::clock::MonoTime;
use crate::model::energy::{Domain, Zone};
use crate::units::{MicroJoules, Watts};

#[cfg(test)]
mod tests;

/// So many times two counters have to move together.
const CONFIRMED: u32 = 4;

/// So many times in a row they have to differ to be two: a reading may fall between two refreshes of the registers.
const PARTED: u32 = 2;

/// Counters that differ by more than one part in so many of what they counted are two at once: no refresh is that late.
const FAR: u64 = 5;

/// Few packages draw more: how far apart one counter may look at first, read twice.
const MOST: Watts = Watts(300.0);

/// Counters that have counted less stand near each other by chance: all began at nothing, with the machine or with a perf event.
const LEAST: MicroJoules = MicroJoules(1_000_000_000);

/// Registers are refreshed about every millisecond.
const REFRESH: Duration = Duration::from_millis(2);

/// A counter as read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Position {
    pub(super) zone: Zone,
    pub(super) at: MonoTime,
    /// Where the counter stands.
    pub(super) raw: MicroJoules,
    /// What it has counted since it was first read.
    pub(super) total: MicroJoules,
    pub(super) quantum: MicroJoules,
}

/// What is known of a zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It counts for itself.
    Own,
    /// It may be another's mirror, or be mirrored: not known yet.
    Suspected,
    /// It shows the energy of this one.
    MirrorOf(Zone),
}

/// A counter that was met where another stood.
#[derive(Clone, Copy, Debug)]
struct Track {
    leader: Position,
    follower: Position,
    moved: u32,
    differed: u32,
    /// Totals when both had last moved.
    last: (MicroJoules, MicroJoules),
}

/// Follows all counters of a meter.
#[derive(Debug, Default)]
pub(super) struct MirrorWatch {
    tracks: BTreeMap<Zone, Track>,
}

impl MirrorWatch {
    /// Takes in one reading of the counters, ascending by zone.
    pub(super) fn observe(&mut self, positions: &[Position]) {
        for position in positions.iter().filter(|position| position.zone.domain == Domain::Package) {
            if self.tracks.contains_key(&position.zone) {
                self.follow(*position, positions);
            } else {
                self.begin(*position, positions);
            }
        }
    }

    fn begin(&mut self, follower: Position, positions: &[Position]) {
        let is_leader = |other: &&Position| {
            other.zone.domain == Domain::Package
                && other.zone < follower.zone
                && !self.tracks.contains_key(&other.zone)
        };
        let most = |other: &Position| MOST.during(gap(follower, *other) + REFRESH);
        let is_near =
            |other: &&Position| apart(other.raw, follower.raw) <= most(other) + twice(follower.quantum);
        if follower.raw < LEAST {
            return;
        }
        if let Some(leader) = positions.iter().filter(is_leader).find(is_near) {
            let last = (leader.total, follower.total);
            let track = Track { leader: *leader, follower, moved: 0, differed: 0, last };
            self.tracks.insert(follower.zone, track);
        }
    }

    fn follow(&mut self, now: Position, positions: &[Position]) {
        let Some(track) = self.tracks.get_mut(&now.zone) else { return };
        let Some(leader) = positions.iter().find(|other| other.zone == track.leader.zone) else { return };
        let by_leader = leader.total.saturating_sub(track.leader.total);
        let by_follower = now.total.saturating_sub(track.follower.total);
        let power = by_leader.over(leader.at.since(track.leader.at)).unwrap_or(MOST);
        // Twice the mean, for power changes; and for the first readings as well as for these.
        let allowed = twice(power.during(gap(now, *leader) + gap(track.follower, track.leader) + REFRESH));
        if apart(by_leader, by_follower) > allowed + twice(twice(now.quantum)) {
            track.differed += 1;
            let is_far = apart(by_leader, by_follower).0.saturating_mul(FAR) > by_leader.max(by_follower).0;
            if is_far || track.differed >= PARTED {
                self.tracks.remove(&now.zone);
            }
            return;
        }
        track.differed = 0;
        if leader.total > track.last.0 && now.total > track.last.1 {
            track.last = (leader.total, now.total);
            track.moved += 1;
        }
    }

    /// What is known of a zone by now. The cores and the memory of a socket are what its package is.
    pub(super) fn standing(&self, zone: Zone) -> Standing {
        let package = Zone { domain: Domain::Package, ..zone };
        if let Some(track) = self.tracks.get(&package) {
            return if track.moved >= CONFIRMED {
                Standing::MirrorOf(Zone { domain: zone.domain, ..track.leader.zone })
            } else {
                Standing::Suspected
            };
        }
        let leads = |track: &Track| track.leader.zone == package && track.moved < CONFIRMED;
        if self.tracks.values().any(leads) { Standing::Suspected } else { Standing::Own }
    }
}

fn gap(one: Position, other: Position) -> Duration {
    one.at.since(other.at).max(other.at.since(one.at))
}

fn apart(one: MicroJoules, other: MicroJoules) -> MicroJoules {
    one.saturating_sub(other).max(other.saturating_sub(one))
}

fn twice(energy: MicroJoules) -> MicroJoules {
    energy + energy
}
