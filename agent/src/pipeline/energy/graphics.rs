//! Tracks integrated GPUs that work, by the power of the `uncore` domain, and reports that their energy is charged by CPU time.

use std::collections::BTreeMap;
use std::time::Duration;

use agent_core::attribution::ZoneWindow;
use agent_core::attribution::idle::graphics;
use agent_core::model::energy::{Domain, Scope, Zone};
use agent_core::model::finding::FindingCode;
use agent_core::time::MonoTime;
use agent_core::units::Watts;

use crate::pipeline::findings::FindingTracker;

/// Time for which the finding holds after the last busy window: encodes follow one another with pauses.
const SHOWN: Duration = Duration::from_mins(1);

/// Integrated GPUs that were busy, with the time of their last window and the power in the last busy one.
#[derive(Debug, Default)]
pub(super) struct GraphicsTracker(BTreeMap<Scope, (MonoTime, Watts)>);

impl GraphicsTracker {
    /// Notes the windows of a tick.
    pub(super) fn observe(&mut self, windows: impl Iterator<Item = ZoneWindow>, now: MonoTime) {
        for window in windows {
            if let Some(power) = window.energy.over(window.duration)
                && graphics::is_busy(window.zone, power)
            {
                self.0.insert(window.zone.scope, (now, power));
            }
        }
        self.0.retain(|_, (at, _)| now.since(*at) <= SHOWN);
    }

    /// Whether a GPU that is busy in the tick of this time draws energy of a zone.
    pub(super) fn affects(&self, zone: Zone, now: MonoTime) -> bool {
        self.0.iter().any(|(scope, (at, _))| *at == now && graphics::is_affected(zone, *scope))
    }

    /// Reports the GPUs that are busy now, or were lately.
    pub(super) fn report(&self, now: MonoTime, findings: &mut FindingTracker) {
        for (scope, (at, power)) in &self.0 {
            if now.since(*at) <= SHOWN {
                let package = Zone { scope: *scope, domain: Domain::Package };
                findings.report(
                    FindingCode::IntegratedGpuByCpuTime,
                    &package.to_string(),
                    &power.to_string(),
                );
            }
        }
    }
}
