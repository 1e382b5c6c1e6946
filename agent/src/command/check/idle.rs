//! Checks whether idle power is known to the next agent (configured, calibrated or learned before), and whether a GPU is in the package.

use agent_core::model::energy::{Domain, Zone};

use super::{Report, State};
use crate::config::Config;
use crate::pipeline;
use crate::source::gpu;

impl Report {
    /// Checks idle power. `zones`: the counters of the source that the agent would use.
    pub(super) fn check_idle(&mut self, config: &Config, zones: &[Zone]) {
        if zones.is_empty() {
            return;
        }
        self.check_integrated_gpu(config, zones);
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

    /// Says how the energy of an integrated GPU is charged, where a counter shows it.
    fn check_integrated_gpu(&mut self, config: &Config, zones: &[Zone]) {
        if zones.iter().all(|zone| zone.domain != Domain::Uncore) {
            return;
        }
        let by_time = "the package includes the integrated GPU (uncore), whose energy is charged by CPU time: encodes by QSV or VAAPI \
                       get too little of it, other workloads too much";
        let (state, detail, help) = match gpu::integrated_gpu(&config.roots()) {
            None => (
                State::Note,
                format!("{by_time}; no driver shows who uses the GPU"),
                "compare such encodes only by the energy of the host, without other load".to_owned(),
            ),
            Some(_) => match gpu::may_read() {
                Ok(()) => {
                    let detail =
                        "the energy of the integrated GPU (uncore) is charged by the time of its engines";
                    (State::Ok, detail.to_owned(), String::new())
                }
                Err(error) => (State::Note, format!("{by_time}: {error}"), error.hint().to_owned()),
            },
        };
        self.add("energy", "gpu", state, detail, &help);
    }
}
