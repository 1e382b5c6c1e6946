//! Checks privileges: which capability is missing for which source, and which restrictions this kernel has.

use std::os::unix::fs::MetadataExt;

use agent_core::model::cpu::CpuSourceKind;
use agent_core::model::energy::EnergySourceKind;
use rustix::thread::{CapabilitySet, capabilities};

use super::{Report, State};
use crate::config::{Config, CpuChoice};
use crate::privileges::{self, Outcome, Plan, names};
use crate::source::GRANT;

impl Report {
    pub(super) fn check_privileges(&mut self, config: &Config) {
        self.check_binary();
        let held = capabilities(None).map_or(CapabilitySet::empty(), |sets| sets.permitted);
        let has_bpf = self.cpu_source == Some("bpf");
        let is_measured = self.energy_source.is_some_and(|source| source != "model");
        let program = "loading the eBPF program and reading its accounts";
        let counters = "the energy counters of powercap, which only root may read";
        let wants_bpf = config.cpu.source != CpuChoice::Cgroupfs;
        let wanted = [
            (wants_bpf, CapabilitySet::BPF, program, has_bpf),
            (wants_bpf, CapabilitySet::PERFMON, program, has_bpf),
            (true, CapabilitySet::DAC_READ_SEARCH, counters, is_measured),
        ];
        for (_, capability, purpose, works) in wanted.into_iter().filter(|(wanted, ..)| *wanted) {
            let instead = match capability {
                CapabilitySet::DAC_READ_SEARCH => CapabilitySet::DAC_OVERRIDE,
                _ => CapabilitySet::SYS_ADMIN,
            };
            let name = names(capability);
            let (state, detail) = match (held.contains(capability), held.contains(instead), works) {
                (true, _, _) => (State::Ok, format!("{name}: held, for {purpose}")),
                (_, true, _) => (State::Ok, format!("{name}: not held, but replaced by {}", names(instead))),
                (_, _, true) => (State::Ok, format!("{name}: not held, and not needed: {purpose} works")),
                // A host without such counters does not need it; the lines on energy show them.
                _ if capability == CapabilitySet::DAC_READ_SEARCH => {
                    (State::Note, format!("{name}: not held; its purpose is {purpose}"))
                }
                _ => (State::Problem, format!("{name} is missing for {purpose}")),
            };
            let fix = if matches!(state, State::Problem | State::Note) { GRANT } else { "" };
            self.add("rights", "caps", state, detail, fix);
        }
        self.check_restrictions(config);
    }

    /// All users who may execute a binary with file capabilities can use them.
    fn check_binary(&mut self) {
        if !privileges::is_elevated().unwrap_or(true) {
            return;
        }
        let binary = std::env::current_exe().and_then(|path| Ok((path.metadata()?.mode(), path)));
        match binary {
            Ok((mode, path)) if mode & 0o001 != 0 => {
                let path = path.display();
                let detail = format!(
                    "{path} has file capabilities and mode {:04o}: every user of this host can read the \
                     energy counters with it",
                    mode & 0o7777
                );
                self.add("rights", "binary", State::Problem, detail, GRANT);
            }
            _ => {
                let detail = "file capabilities: options that name files, programs or sockets are \
                    refused, and the environment is ignored";
                self.add("rights", "binary", State::Note, detail, "");
            }
        }
    }

    /// Tries the restrictions on a separate thread: they hold for that thread only, and end with it.
    fn check_restrictions(&mut self, config: &Config) {
        let cpu = if self.cpu_source == Some("bpf") { CpuSourceKind::Bpf } else { CpuSourceKind::Cgroupfs };
        let energy = self.energy_source.and_then(EnergySourceKind::named).filter(|kind| kind.is_measured());
        let plan = Plan::new(config, cpu, energy);
        let tried = std::thread::scope(|scope| scope.spawn(|| privileges::give_up(&plan)).join());
        for (restriction, outcome) in tried.unwrap_or_default() {
            let (state, detail) = match outcome {
                Outcome::Done(detail) => (State::Used, detail),
                Outcome::Partly(detail) | Outcome::Off(detail) => (State::Absent, detail),
                Outcome::Failed(detail) => (State::Problem, detail),
            };
            let fix = if state == State::Problem { "--sandbox.off disables this restriction" } else { "" };
            self.add("rights", restriction.short(), state, detail, fix);
        }
    }
}
