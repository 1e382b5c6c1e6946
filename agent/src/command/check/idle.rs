//! Checks whether idle power is known to the next agent: configured, calibrated or learned before.

use agent_core::model::energy::{Domain, Zone};

use super::{Report, State};
use crate::config::Config;
use crate::pipeline;

impl Report {
    /// Checks idle power. `zones`: the counters of the source that the agent would use.
    pub(super) fn check_idle(&mut self, config: &Config, zones: &[Zone]) {
        if zones.is_empty() {
            return;
        }
        if let Some(watts) = config.attribution.idle_watts {
            self.add("energy", "idle", State::Ok, format!("{watts} W per package, as configured"), "");
            return;
        }
        let known = pipeline::known_idle(config, zones);
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
                "the idle power of {} is not known yet: the agent learns it when the host is quiet for \
                 10 s, and estimates it on a host that is never quiet",
                unknown.join(", ")
            );
            self.add("energy", "idle", State::Note, detail, "run ffwatt calibrate while the host is quiet");
        }
    }
}
