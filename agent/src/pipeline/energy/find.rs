//! Reports findings about a tick's energy: missing, estimated or doubtful figures.

use std::time::Duration;

use agent_core::model::cpu::CpuWindow;
use agent_core::model::finding::FindingCode;
use agent_core::time::MonoTime;

use super::EnergyAccounting;
use super::source::Active;
use crate::pipeline::findings::FindingTracker;

/// A counter that stands still for a shorter time is late, not stuck.
const STANDS_STILL: Duration = Duration::from_secs(5);

/// Time for which the finding of a reset is shown.
const RESET_IS_NEWS: Duration = Duration::from_mins(10);

impl EnergyAccounting {
    /// Reports findings about sources and counters.
    pub(super) fn find_about_energy(&self, window: &CpuWindow, now: MonoTime, findings: &mut FindingTracker) {
        match &self.source.active {
            Active::None => {
                findings.report(FindingCode::NoEnergy, "host", "the configured source does not work");
            }
            Active::Model => {
                let why = if self.source.is_forced() {
                    "the configuration selects the model"
                } else if self.source.candidates.is_empty() {
                    "this host has no energy counter"
                } else {
                    "the energy counters do not work"
                };
                let detail = format!("{why}; {}", self.source.model.estimate().summary());
                findings.report(FindingCode::EnergyIsEstimated, "host", &detail);
            }
            Active::Meter(meter) if self.source.is_silent(now) => {
                findings.report(FindingCode::CountersStandStill, meter.kind().name(), "");
            }
            Active::Meter(_) => {
                self.find_counters(now, findings);
                for package in self.source.uncounted(window) {
                    let socket = format!("socket {package}");
                    findings.report(FindingCode::SocketWithoutCounter, &socket, "");
                }
            }
        }
        self.find_candidates(now, findings);
        for (zone, failure) in &self.source.failures {
            findings.report(FindingCode::of_unreadable(*zone), &zone.to_string(), failure);
        }
    }

    /// Counters that exist and do not move are the reason why energy is estimated, or unknown.
    fn find_candidates(&self, now: MonoTime, findings: &mut FindingTracker) {
        if matches!(self.source.active, Active::Meter(_)) {
            return;
        }
        let waited = |since: MonoTime| now.since(since) >= STANDS_STILL;
        for candidate in self.source.candidates.iter().filter(|candidate| waited(candidate.since)) {
            let name = candidate.meter.kind().name();
            if candidate.meter.unreadable().len() == candidate.meter.zones().len() {
                findings.report(FindingCode::CounterUnreadable, name, "none of its counters answers");
            } else {
                findings.report(FindingCode::CountersStandStill, name, "");
            }
        }
    }

    fn find_counters(&self, now: MonoTime, findings: &mut FindingTracker) {
        for (zone, state) in self.zones.iter() {
            let name = zone.to_string();
            if state.still_since.is_some_and(|since| now.since(since) >= STANDS_STILL) {
                findings.report(FindingCode::CounterStandsStill, &name, "");
            }
            if state.held_back_since.is_some_and(|since| now.since(since) >= STANDS_STILL) {
                findings.report(FindingCode::CounterHeldBack, &name, "");
            }
            if state.last_reset.is_some_and(|at| now.since(at) < RESET_IS_NEWS) {
                let times = if state.resets == 1 { "once" } else { "several times" };
                findings.report(FindingCode::CounterReset, &name, times);
            }
        }
        if let Active::Meter(meter) = &self.source.active {
            for (leader, mirrors) in meter.mirrored_packages() {
                let mirrors: Vec<String> = mirrors.iter().map(ToString::to_string).collect();
                let code = FindingCode::CountersMirrorOneAnother;
                findings.report(code, &leader.to_string(), &mirrors.join(", "));
            }
            for (zone, step) in meter.corrected() {
                let step = step.0.to_string();
                findings.report(FindingCode::DramUnitCorrected, &zone.to_string(), &step);
            }
        }
    }
}
