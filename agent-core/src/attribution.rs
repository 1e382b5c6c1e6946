//! Stage 2: splits the energy of one window among claimants. Readings of the window in, charges out.
//!
//! Pure and total: no IO, no clock, nothing that fails. For every zone (a RAPL domain in a package, a die or the platform)
//! and every window, in whole microjoules:
//!
//! 1. the idle part is what the zone draws when no task runs, at most all of its energy;
//! 2. the dynamic part is the rest, split over all consumers by their busy CPU time in the zone's own place;
//! 3. the idle part goes where the policy says;
//! 4. energy that no claimant can be charged with is `unattributed`, never a surcharge on the claimants that ran.
//!
//! **Invariant:** the charges of a zone sum to its energy, exactly. Tested by property test and watched while running
//! ([`totals::Totals::residual`]).

pub mod demand;
pub mod idle;
pub mod stall;
pub mod totals;
pub mod uncertainty;

#[cfg(test)]
mod tests;

use std::time::Duration;

use crate::apportion::apportion;
use crate::attribution::demand::{Claimant, Demand};
use crate::model::energy::Zone;
use crate::model::reservation::{Reservation, Reservations};
use crate::model::workload::Pseudo;
use crate::units::{MicroJoules, Watts};

/// What one zone spent in a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ZoneWindow {
    /// Which counter.
    pub zone: Zone,
    /// How much.
    pub energy: MicroJoules,
    /// Over how long.
    pub duration: Duration,
}

/// Who pays for what the machine draws when nobody runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IdlePolicy {
    /// Nobody: it is shown as the pseudo-workload `idle`.
    #[default]
    Own,
    /// Whoever runs, by busy time.
    Proportional,
    /// Every living workload the same.
    Even,
    /// Every living workload by what is reserved for it: see [`Reservations`].
    Reservation,
}

impl IdlePolicy {
    /// All policies, for messages.
    pub const ALL: [Self; 4] = [Self::Own, Self::Proportional, Self::Even, Self::Reservation];

    /// As the configuration value and the `idle_policy` label.
    pub fn name(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Proportional => "proportional",
            Self::Even => "even",
            Self::Reservation => "reservation",
        }
    }
}

/// Which part of a zone's energy a charge is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Share {
    /// For running.
    Dynamic,
    /// For the machine being there.
    Idle,
}

impl Share {
    /// As the `share` label.
    pub fn name(self) -> &'static str {
        match self {
            Self::Dynamic => "dynamic",
            Self::Idle => "idle",
        }
    }
}

/// One line of the bill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Charge {
    /// Who pays.
    pub claimant: Claimant,
    /// For what.
    pub share: Share,
    /// How much.
    pub energy: MicroJoules,
}

/// Splits the energy of one zone. `idle_power` is what the zone draws when nobody runs, `None` while that is not known.
pub fn attribute(
    window: ZoneWindow,
    demand: &Demand,
    idle_power: Option<Watts>,
    policy: IdlePolicy,
    reservations: &Reservations,
) -> Vec<Charge> {
    let idle = idle_power.map_or(MicroJoules::ZERO, |power| power.during(window.duration)).min(window.energy);
    let dynamic = window.energy - idle;
    let running = demand.within(window.zone.scope);
    let mut charges = split(dynamic, &running, Share::Dynamic, Pseudo::Unattributed);
    charges.extend(match policy {
        IdlePolicy::Own => split(idle, &[], Share::Idle, Pseudo::Idle),
        IdlePolicy::Proportional => split(idle, &running, Share::Idle, Pseudo::Idle),
        IdlePolicy::Even => {
            let alike: Vec<_> =
                reservations.workloads.keys().map(|id| (Claimant::workload(*id), 1)).collect();
            split(idle, &alike, Share::Idle, Pseudo::Idle)
        }
        IdlePolicy::Reservation => split(idle, &reservation_weights(reservations), Share::Idle, Pseudo::Idle),
    });
    charges
}

/// Splits `energy` by weight; all of it goes to `otherwise` when nobody has any.
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

/// Reservations as weights in millionths of the machine, so that quotas and weights share one scale.
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
        // Nobody shares what the quotas leave: it stays the machine's own.
        parts.push((Claimant::workload(Pseudo::Idle.id()), (free * MACHINE).round() as u64));
    }
    parts
}
