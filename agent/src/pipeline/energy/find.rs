//! Reports what is missing, estimated or doubtful in a tick's energy.

use std::time::Duration;

use super::source::Active;
use crate::clock::MonoTime;
use crate::model::cpu::CpuWindow;
use crate::model::energy::{Domain, Zone};
use crate::model::finding::FindingCode;
use crate::pipeline::Pipeline;

/// A counter that stands still for less is late, not stuck.
const STANDS_STILL: Duration = Duration::from_secs(5);

/// How long a reset is told of.
const RESET_IS_NEWS: Duration = Duration::from_mins(10);

impl Pipeline {
    /// Reports all findings of the energy side.
    pub(in crate::pipeline) fn find_about_energy(&mut self, window: &CpuWindow) {
        let now = self.clock.now();
        match &self.energy.active {
            Active::None => {
                self.findings.report(FindingCode::NoEnergy, "host", "the configured source does not work");
            }
            Active::Model => {
                let why = if self.energy.is_forced() {
                    "it is configured"
                } else if self.energy.candidates.is_empty() {
                    "nothing counts it on this host"
                } else {
                    "the energy counters give nothing"
                };
                self.findings.report(FindingCode::EnergyIsEstimated, "host", why);
            }
            Active::Meter(meter) if self.energy.is_silent(now) => {
                self.findings.report(FindingCode::CountersStandStill, meter.kind().name(), "");
            }
            Active::Meter(_) => {
                self.find_counters(now);
                self.find_uncounted_sockets(window);
            }
        }
        self.find_candidates(now);
        for (zone, failure) in &self.energy.failures {
            let is_package = zone.domain == Domain::Package;
            let code =
                if is_package { FindingCode::PackageUnreadable } else { FindingCode::CounterUnreadable };
            self.findings.report(code, &zone.to_string(), failure);
        }
    }

    /// Counters that are there and do not move are why energy is estimated, or not known.
    fn find_candidates(&mut self, now: MonoTime) {
        if matches!(self.energy.active, Active::Meter(_)) {
            return;
        }
        let waited = |since: MonoTime| now.since(since) >= STANDS_STILL;
        for candidate in self.energy.candidates.iter().filter(|candidate| waited(candidate.since)) {
            let name = candidate.meter.kind().name();
            if candidate.meter.unreadable().len() == candidate.meter.zones().len() {
                self.findings.report(FindingCode::CounterUnreadable, name, "none of its counters answers");
            } else {
                self.findings.report(FindingCode::CountersStandStill, name, "");
            }
        }
    }

    fn find_counters(&mut self, now: MonoTime) {
        for (zone, state) in self.zones.iter() {
            let name = zone.to_string();
            if state.still_since.is_some_and(|since| now.since(since) >= STANDS_STILL) {
                self.findings.report(FindingCode::CounterStandsStill, &name, "");
            }
            if state.last_reset.is_some_and(|at| now.since(at) < RESET_IS_NEWS) {
                let times = if state.resets == 1 { "once" } else { "several times" };
                self.findings.report(FindingCode::CounterReset, &name, times);
            }
        }
        let mut mirrored = self.energy.mirrored();
        mirrored.retain(|(zone, _)| zone.domain == Domain::Package);
        let mut leaders: Vec<Zone> = mirrored.iter().map(|(_, leader)| *leader).collect();
        leaders.sort_unstable();
        leaders.dedup();
        for leader in leaders {
            let followers = mirrored.iter().filter(|(_, of)| *of == leader);
            let names: Vec<String> = followers.map(|(zone, _)| zone.to_string()).collect();
            let code = FindingCode::CountersMirrorOneAnother;
            self.findings.report(code, &leader.to_string(), &names.join(", "));
        }
        if let Active::Meter(meter) = &self.energy.active {
            for (zone, step) in meter.corrected() {
                let step = step.0.to_string();
                self.findings.report(FindingCode::DramUnitCorrected, &zone.to_string(), &step);
            }
        }
    }

    /// Sockets whose CPUs run and whose energy nothing counts.
    fn find_uncounted_sockets(&mut self, window: &CpuWindow) {
        let Some(scopes) = self.energy.counted_scopes() else { return };
        for place in window.places.iter().filter(|place| place.cpus > 0) {
            if !scopes.iter().any(|scope| place.place.is_in(*scope)) {
                let socket = format!("socket {}", place.place.package);
                self.findings.report(FindingCode::SocketWithoutCounter, &socket, "");
            }
        }
    }

    /// Whether some socket has CPUs and no counter.
    pub(super) fn has_uncounted_sockets(&self, window: &CpuWindow) -> bool {
        self.energy.counted_scopes().is_some_and(|scopes| {
            let mut running = window.places.iter().filter(|place| place.cpus > 0);
            running.any(|place| !scopes.iter().any(|scope| place.place.is_in(*scope)))
        })
    }
}
