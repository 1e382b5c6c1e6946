//! Stage 2: splits the energy of one window among claimants. Readings of the window in, charges out.
//!
//! Pure and total: no IO, no clock, nothing that fails. For every zone (a RAPL domain in a package, a die or the platform)
//! and every window, in whole microjoules:
//!
//! 1. the idle part is what the zone draws when no task runs, at most all of its energy;
//! 2. the dynamic part is the rest, split over all consumers by their busy CPU time in the zone's own place, or where each core is counted,
//!    by the energy of the cores and by busy time within a core ([`cores`]); that of an integrated GPU by the time of its engines
//!    ([`engines`]);
//! 3. the idle part goes where the policy says;
//! 4. energy that no claimant can be charged with is `unattributed`, never a surcharge on the claimants that ran.
//!
//! **Invariant:** the charges of a zone sum to its energy, exactly. Tested by property test and watched while running
//! ([`totals::Totals::residual`]).

pub mod cores;
pub mod demand;
pub mod engines;
pub mod idle;
pub mod siblings;
pub mod stall;
pub mod totals;
pub mod uncertainty;
pub mod weights;

#[cfg(test)]
mod tests;

use std::time::Duration;

use crate::apportion::apportion;
use crate::attribution::demand::Claimant;
use crate::attribution::weights::Weights;
use crate::model::energy::Zone;
use crate::model::reservation::{Reservation, Reservations};
use crate::model::workload::Pseudo;
use crate::units::{MicroJoules, Watts};

/// Energy of one zone in a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ZoneWindow {
    /// The counter.
    pub zone: Zone,
    /// Energy counted in the window.
    pub energy: MicroJoules,
    /// Length of the window.
    pub duration: Duration,
}

/// Claimants that are charged with idle energy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IdlePolicy {
    /// No workload: idle energy is shown as the pseudo-workload `idle`.
    #[default]
    Own,
    /// The workloads that run, by busy time.
    Proportional,
    /// All living workloads, in equal parts.
    Even,
    /// All living workloads, by their reservations: see [`Reservations`].
    Reservation,
}

impl IdlePolicy {
    /// All policies, for messages.
    pub const ALL: [Self; 4] = [Self::Own, Self::Proportional, Self::Even, Self::Reservation];

    /// Configuration value and `idle_policy` label.
    pub fn name(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Proportional => "proportional",
            Self::Even => "even",
            Self::Reservation => "reservation",
        }
    }
}

/// The part of a zone's energy that a charge is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Share {
    /// Energy of running tasks.
    Dynamic,
    /// Energy that the host draws without running tasks.
    Idle,
}

impl Share {
    /// The `share` label.
    pub fn name(self) -> &'static str {
        match self {
            Self::Dynamic => "dynamic",
            Self::Idle => "idle",
        }
    }
}

/// Energy attributed to one claimant in one window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Charge {
    /// The claimant that is charged.
    pub claimant: Claimant,
    /// Dynamic or idle part.
    pub share: Share,
    /// Energy of the charge.
    pub energy: MicroJoules,
}

/// Splits the energy of one zone by the weights of the claimants that ran in its scope. `idle_power` is the zone's power without running
/// tasks, `None` while it is unknown.
pub fn attribute(
    window: ZoneWindow,
    running: &Weights,
    idle_power: Option<Watts>,
    policy: IdlePolicy,
    reservations: &Reservations,
) -> Vec<Charge> {
    let idle = idle_power.map_or(MicroJoules::ZERO, |power| power.during(window.duration)).min(window.energy);
    let dynamic = window.energy - idle;
    let mut charges = split(dynamic, running.by_key(), Share::Dynamic, Pseudo::Unattributed);
    charges.extend(match policy {
        IdlePolicy::Own => split(idle, &[], Share::Idle, Pseudo::Idle),
        IdlePolicy::Proportional => split(idle, running.time(), Share::Idle, Pseudo::Idle),
        IdlePolicy::Even => {
            let alike: Vec<_> =
                reservations.workloads.keys().map(|id| (Claimant::workload(*id), 1)).collect();
            split(idle, &alike, Share::Idle, Pseudo::Idle)
        }
        IdlePolicy::Reservation => split(idle, &reservation_weights(reservations), Share::Idle, Pseudo::Idle),
    });
    charges
}

/// Splits `energy` by weight; all of it goes to `otherwise` when no claimant has a weight.
fn split(energy: MicroJoules, weights: &[(Claimant, u64)], share: Share, otherwise: Pseudo) -> Vec<Charge> {
    if energy == MicroJoules::ZERO {
        return Vec::new();
    }
    let plain: Vec<u64> = weights.iter().map(|(_, weight)| *weight).collect();
    match apportion(energy.0, &plain) {
        Some(parts) => weights
            .iter()
            .zip(parts)
            .filter(|(_, part)| *part > 0)
            .map(|((claimant, _), part)| Charge { claimant: *claimant, share, energy: MicroJoules(part) })
            .collect(),
        None => vec![Charge { claimant: Claimant::workload(otherwise.id()), share, energy }],
    }
}

/// Reservations as weights in millionths of the host, so that quotas and weights share one scale.
fn reservation_weights(reservations: &Reservations) -> Vec<(Claimant, u64)> {
    const MACHINE: f64 = 1e6;
    let cpus = f64::from(reservations.cpus.max(1));
    let quota = |reservation: &Reservation| reservation.quota.map_or(0.0, |quota| quota.0 / cpus);
    let held: f64 = reservations.workloads.values().map(quota).sum();
    let scale = if held > 1.0 { 1.0 / held } else { 1.0 };
    let free = (1.0 - held * scale).max(0.0);
    let weights: f64 =
        reservations.workloads.values().filter(|r| r.quota.is_none()).map(|r| f64::from(r.weight)).sum();
    let mut parts: Vec<(Claimant, u64)> = reservations
        .workloads
        .iter()
        .map(|(id, reservation)| {
            let part = match reservation.quota {
                Some(_) => quota(reservation) * scale,
                None => free * f64::from(reservation.weight) / weights,
            };
            (Claimant::workload(*id), (part * MACHINE).round() as u64)
        })
        .collect();
    if weights == 0.0 {
        // No workload is without a quota to share the rest: it stays idle energy of the host.
        parts.push((Claimant::workload(Pseudo::Idle.id()), (free * MACHINE).round() as u64));
    }
    parts
}
