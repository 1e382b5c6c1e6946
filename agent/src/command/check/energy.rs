//! Checks the sources of energy: whether each can be opened, whether its counters move, and which parts of the host they do not cover.

use std::collections::BTreeMap;

use agent_core::energy::estimate::{Estimate, VcpuPower};
use agent_core::energy::processor::Processor;
use agent_core::model::energy::{EnergySourceKind, Zone};
use agent_core::model::finding::{Finding, FindingCode};
use agent_core::units::MicroJoules;

use super::movement::{Standstill, watch};
use super::{Line, Report, State};
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::host::HostRoots;
use crate::pipeline;
use crate::source::energy::{EnergyHardware, EnergyMeter};
use agent_core::cpu::topology::CpuTopology;

impl Report {
    /// Checks all sources; returns the counters of the one that the agent would use.
    pub(super) fn check_energy(
        &mut self,
        config: &Config,
        roots: &HostRoots,
        topology: &CpuTopology,
    ) -> Vec<Zone> {
        let mut used_zones = Vec::new();
        let hardware = pipeline::energy_hardware(config);
        for kind in EnergySourceKind::ALL.into_iter().filter(|kind| kind.is_measured()) {
            let may_be_used = config.energy.source.allows(kind);
            match hardware.open(kind, &SystemClock) {
                Ok(meter) => {
                    let zones = meter.zones();
                    if self.check_meter(meter, may_be_used, roots, topology) {
                        used_zones = zones;
                    }
                }
                Err(error) if may_be_used && self.energy_source.is_none() => {
                    self.add_error("energy", kind.name(), &error);
                }
                Err(error) => self.add("energy", kind.name(), State::Absent, error.chain(), ""),
            }
        }
        self.excuse_unneeded();
        self.check_model(config, hardware.processor());
        used_zones
    }

    /// Says which watts the model takes, and why.
    fn check_model(&mut self, config: &Config, processor: Processor) {
        let model = EnergySourceKind::Model;
        let used = self.energy_source.is_none() && config.energy.source.allows(model);
        let estimate = Estimate::choose(config.energy.estimate(), processor);
        let VcpuPower { idle, busy } = estimate.power;
        let (idle, busy) = (idle.power.plain(), busy.power.plain());
        let why = estimate.explanation();
        let detail =
            format!("an estimate from CPU use: {idle} to {busy} W per virtual CPU; not measured; {why}");
        self.add("energy", model.name(), if used { State::Used } else { State::Ok }, detail, "");
        if used {
            self.energy_source = Some(model.name());
            if estimate.is_unknown() {
                let detail = "the flat watts may be wrong by a factor of two or more for this processor";
                self.add("energy", model.name(), State::Note, detail, SET_THE_PROCESSOR);
            }
        }
    }

    /// Sources that cannot be opened are no problem where another one measures everything.
    fn excuse_unneeded(&mut self) {
        let Some(used) = self.energy_source.filter(|used| !self.has_problem(used)) else { return };
        let unneeded = |line: &&mut Line| line.subject == "energy" && line.source != used;
        for line in self.lines.iter_mut().filter(unneeded).filter(|line| line.state == State::Problem) {
            line.state = State::Absent;
        }
    }

    /// Checks a meter; returns whether the agent would use it.
    fn check_meter(
        &mut self,
        mut meter: EnergyMeter,
        may_be_used: bool,
        roots: &HostRoots,
        topology: &CpuTopology,
    ) -> bool {
        let name = meter.kind().name();
        let movement = watch(&mut meter, roots);
        let unreadable = meter.unreadable();
        let names = |zones: &mut dyn Iterator<Item = Zone>| {
            zones.map(|zone| zone.to_string()).collect::<Vec<_>>().join(", ")
        };
        let readable = names(&mut meter.zones().into_iter().filter(|zone| !unreadable.contains(zone)));
        let is_believed = movement.stands_still.is_none();
        let used = self.energy_source.is_none() && may_be_used && is_believed;
        let state = match (used, is_believed) {
            (true, _) => State::Used,
            (false, true) => State::Ok,
            (false, false) => State::Problem,
        };
        self.add("energy", name, state, readable, "");
        if used {
            self.energy_source = Some(name);
            self.check_key(meter.counts_cores(), topology);
        }
        for note in meter.notes() {
            self.add("energy", name, State::Note, note, "");
        }
        for (zone, error) in &movement.last.failures {
            let code = FindingCode::of_unreadable(*zone);
            self.add_finding(name, State::Problem, code, &zone.to_string(), &error.chain());
        }
        self.add_stillness(name, movement.stands_still);
        if movement.is_unknown {
            let detail = "cannot tell whether these counters move: no CPU was busy during the reading";
            self.add("energy", name, State::Note, detail, "");
        }
        for zone in movement.still {
            let code = FindingCode::CounterStandsStill;
            self.add_finding(name, State::Problem, code, &zone.to_string(), "");
        }
        for (leader, mirrors) in mirrored(&meter) {
            let code = FindingCode::CountersMirrorOneAnother;
            let mirrors = names(&mut mirrors.into_iter());
            self.add_finding(name, State::Problem, code, &leader.to_string(), &mirrors);
        }
        for package in meter.uncounted(topology.places()) {
            let socket = format!("socket {package}");
            self.add_finding(name, State::Problem, FindingCode::SocketWithoutCounter, &socket, "");
        }
        for (zone, step) in meter.corrected() {
            let code = FindingCode::DramUnitCorrected;
            self.add_finding(name, State::Note, code, &zone.to_string(), &step.0.to_string());
        }
        used
    }

    /// Says by which key energy above idle would be split.
    fn check_key(&mut self, counts_cores: bool, topology: &CpuTopology) {
        let detail = match (counts_cores, self.cpu_source) {
            (false, Some("bpf")) if topology.has_siblings() => {
                "key smt: energy above idle is split by busy CPU time; a second in which the other thread of the \
                 core is busy too counts less (attribution.shared_core_weight)"
            }
            (false, _) => "key time: energy above idle is split by busy CPU time",
            (true, Some("bpf")) => {
                "key core-energy: energy above idle is split by the energy of each core, and within a core by \
                 busy CPU time"
            }
            (true, _) => {
                "key time: each core has an energy counter, but only the eBPF programs know the CPU time of \
                 single cores"
            }
        };
        self.add("energy", "key", State::Ok, detail, "");
    }

    fn add_stillness(&mut self, name: &'static str, still: Option<Standstill>) {
        let code = FindingCode::CountersStandStill;
        let why = match still {
            None => return,
            Some(Standstill::WhileBusy) => return self.add_finding(name, State::Problem, code, name, ""),
            Some(Standstill::AtNothing) => "they are 0, so they have never counted",
            Some(Standstill::Same) => "the counters of the package and of its parts show the same value",
        };
        let fix = Finding::new(code, name, "", SystemClock.wall()).fix;
        let detail = format!("the energy counters of {name} do not move: {why}");
        self.add("energy", name, State::Problem, detail, &fix);
    }

    fn add_finding(&mut self, source: &str, state: State, code: FindingCode, subject: &str, detail: &str) {
        let finding = Finding::new(code, subject, detail, SystemClock.wall());
        self.add("energy", source, state, finding.sentence, &finding.fix);
    }
}

const SET_THE_PROCESSOR: &str = "set energy.model_cpu to the row of a similar processor (the table is in docs/ACCURACY.md), or \
    energy.model_idle_watts and energy.model_busy_watts to measured ones";

/// Mirrored counters, by the first of them; also counters that show the same energy and have not moved.
fn mirrored(meter: &EnergyMeter) -> BTreeMap<Zone, Vec<Zone>> {
    let has_counted: Vec<Zone> = meter
        .positions()
        .into_iter()
        .filter(|(_, position)| *position > MicroJoules::ZERO)
        .map(|(zone, _)| zone)
        .collect();
    let suspects = meter.suspects().into_iter().filter(|(zone, _)| has_counted.contains(zone));
    let mut groups = meter.mirrored_packages();
    for (mirror, leader) in suspects {
        groups.entry(leader).or_default().push(mirror);
    }
    groups
}
