//! Tracks integrated GPUs: busy ones, by the power of the `uncore` domain, and the engine time by which their energy is split.

use std::collections::BTreeMap;
use std::time::Duration;

use agent_core::attribution::ZoneWindow;
use agent_core::attribution::engines::{EngineDemand, GpuAccount, GpuPart};
use agent_core::attribution::idle::graphics;
use agent_core::model::energy::{Domain, Scope, Zone};
use agent_core::model::finding::FindingCode;
use agent_core::time::MonoTime;
use agent_core::units::Watts;

use crate::pipeline::findings::FindingTracker;

/// Time for which the finding holds after the last busy window: encodes follow one another with pauses.
const SHOWN: Duration = Duration::from_mins(1);

/// The key of a window as far as the integrated GPU is concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum GpuSplit {
    /// No engine time is known, or the window has no energy of a GPU.
    None,
    /// The energy of the GPU in the window is not known.
    Unknown,
    /// All of its energy is the GPU's.
    Whole(EngineDemand),
    /// A part of it is.
    Part(GpuPart),
}

/// Integrated GPUs.
#[derive(Debug, Default)]
pub(super) struct GraphicsTracker {
    /// Those that were busy, with the time of their last window and the power in the last busy one.
    busy: BTreeMap<Scope, (MonoTime, Watts)>,
    /// Those with known engine time.
    accounts: BTreeMap<Scope, GpuAccount>,
}

impl GraphicsTracker {
    /// Adds the engine time of a tick. Without it, CPU time is the key. A host has one integrated GPU, so every `uncore` is its.
    pub(super) fn add_engine_time(&mut self, engines: Option<&EngineDemand>, zones: &[Zone]) {
        let Some(engines) = engines else {
            self.accounts.clear();
            return;
        };
        for zone in zones.iter().filter(|zone| zone.domain == Domain::Uncore) {
            self.accounts.entry(zone.scope).or_default().add(engines);
        }
    }

    /// The split of a window. Windows of `uncore` come before those of packages.
    pub(super) fn split(&mut self, window: ZoneWindow) -> GpuSplit {
        let Some(account) = self.accounts.get_mut(&window.zone.scope) else { return GpuSplit::None };
        match window.zone.domain {
            Domain::Uncore => GpuSplit::Whole(account.close_gpu(window.energy)),
            Domain::Package => account.close_package().map_or(GpuSplit::Unknown, GpuSplit::Part),
            Domain::Core | Domain::Dram | Domain::Psys => GpuSplit::None,
        }
    }

    /// Notes the windows of a tick.
    pub(super) fn observe(&mut self, windows: impl Iterator<Item = ZoneWindow>, now: MonoTime) {
        for window in windows {
            if let Some(power) = window.energy.over(window.duration)
                && graphics::is_busy(window.zone, power)
            {
                self.busy.insert(window.zone.scope, (now, power));
            }
        }
        self.busy.retain(|_, (at, _)| now.since(*at) <= SHOWN);
    }

    /// Whether a GPU that is busy in the tick of this time draws energy of a zone.
    pub(super) fn affects(&self, zone: Zone, now: MonoTime) -> bool {
        self.busy.iter().any(|(scope, (at, _))| *at == now && graphics::is_affected(zone, *scope))
    }

    /// Reports the GPUs without known engine time that are busy now, or were lately.
    pub(super) fn report(&self, now: MonoTime, findings: &mut FindingTracker) {
        for (scope, (at, power)) in &self.busy {
            if now.since(*at) <= SHOWN && !self.accounts.contains_key(scope) {
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
