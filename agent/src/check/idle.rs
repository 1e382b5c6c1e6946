//! Checks whether idle power is known to the next agent: configured, calibrated or learned before.

use super::{Report, State};
use crate::clock::SystemClock;
use crate::config::Config;
use crate::host::{CpuTopology, HostRoots};
use crate::model::energy::{Domain, EnergySourceKind};
use crate::pipeline;
use crate::source::energy::{self, EnergyOptions};
use crate::units::Watts;

impl Report {
    pub(super) fn check_idle(&mut self, config: &Config, roots: &HostRoots, topology: &CpuTopology) {
        let kinds = [EnergySourceKind::Perf, EnergySourceKind::Powercap, EnergySourceKind::Msr];
        let used = kinds.into_iter().find(|kind| Some(kind.name()) == self.energy_source);
        let Some(kind) = used else { return };
        if let Some(watts) = config.attribution.idle_watts {
            self.add("energy", "idle", State::Ok, format!("{watts} W a package, as configured"), "");
            return;
        }
        let options = EnergyOptions { plausible_power: config.energy.plausible_watts.map(Watts) };
        let Ok(meter) = energy::open(kind, roots, topology, &options, &SystemClock) else { return };
        let zones = meter.zones();
        let known = pipeline::known_idle(config, &zones);
        let unknown: Vec<String> = zones
            .iter()
            .filter(|zone| zone.domain == Domain::Package && known.iter().all(|(of, _)| of != *zone))
            .map(ToString::to_string)
            .collect();
        if !known.is_empty() {
            let shown: Vec<String> = known
                .iter()
                .map(|(zone, idle)| format!("{zone} {} ({})", idle.power, idle.origin.name()))
                .collect();
            self.add("energy", "idle", State::Ok, shown.join(", "), "");
        }
        if !unknown.is_empty() {
            let detail = format!(
                "the idle power of {} is not known yet: the agent learns it while the host is quiet for 10 s, and estimates it \
                 on a host that never is",
                unknown.join(", ")
            );
            self.add("energy", "idle", State::Note, detail, "run ffwatt calibrate while the host is quiet");
        }
    }
}
