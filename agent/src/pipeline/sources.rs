//! Opens the sources of CPU time and energy, and keeps their health.

use std::collections::{BTreeMap, HashSet};

use agent_core::model::health::SourceHealth;
use agent_core::units::Watts;

use crate::clock::Clock;
use crate::config::{Config, CpuChoice};
use crate::host::{self, HostRoots};
use crate::source::SourceError;
use crate::source::cpu::CpuMeter;
use crate::source::cpu::bpf::{self, BpfMeter};
use crate::source::cpu::cgroupfs::CgroupfsMeter;
use crate::source::energy::{EnergyOptions, HostEnergy};
use crate::source::gpu::integrated_gpu;
use agent_core::cpu::topology::CpuTopology;

/// The reason why the agent cannot run at all.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    /// There are no CPU times to split energy by.
    #[error("no source of CPU times works: {problems}")]
    NoCpu {
        /// Every source that was tried, with its problem.
        problems: String,
        /// Command or setting that helps.
        hint: String,
    },
    /// The host's CPUs cannot be listed.
    #[error("the host's CPUs are not known")]
    NoTopology {
        /// The error, with the folder.
        #[source]
        cause: std::io::Error,
    },
}

impl OpenError {
    /// Command or setting that helps; empty when there is none.
    pub(crate) fn hint(&self) -> &str {
        match self {
            Self::NoCpu { hint, .. } => hint,
            Self::NoTopology { .. } => "set the folder of the host's sysfs with --path.sysfs",
        }
    }
}

pub(super) fn topology(roots: &HostRoots) -> Result<CpuTopology, OpenError> {
    host::read_topology(roots).map_err(|cause| OpenError::NoTopology { cause })
}

/// The energy counters of the host, at the configured paths.
pub(crate) fn energy_hardware(config: &Config) -> HostEnergy {
    let options = EnergyOptions { plausible_power: config.energy.plausible_watts.map(Watts) };
    HostEnergy::new(config.roots(), options)
}

/// Options of the eBPF programs, as configured, for this host.
pub(crate) fn bpf_options(config: &Config, roots: &HostRoots) -> bpf::Options {
    let device_major = integrated_gpu(roots).and_then(|gpu| gpu.major);
    bpf::Options {
        tracked: config.cpu.tracked.clone(),
        max_consumers: config.cpu.max_consumers,
        device_major,
    }
}

/// Opens eBPF where it is available, else polling; or the meter that the configuration names.
pub(super) fn open_cpu(
    config: &Config,
    roots: &HostRoots,
    topology: &CpuTopology,
    clock: &dyn Clock,
    health: &mut HealthTracker,
) -> Result<Box<dyn CpuMeter>, OpenError> {
    let mut problems = Vec::new();
    let mut hint = String::new();
    if config.cpu.source != CpuChoice::Cgroupfs {
        let options = bpf_options(config, roots);
        match BpfMeter::load(roots, topology, &options, clock) {
            Ok(meter) => {
                health.works("bpf");
                return Ok(Box::new(meter));
            }
            Err(error) => {
                problems.push(format!("bpf: {}", error.chain()));
                error.hint().clone_into(&mut hint);
                health.failed("bpf", &error);
            }
        }
    }
    if config.cpu.source != CpuChoice::Bpf {
        match CgroupfsMeter::open(roots, topology, &config.cpu.tracked, clock) {
            Ok(meter) => {
                health.works("cgroupfs");
                return Ok(Box::new(meter));
            }
            Err(error) => {
                problems.push(format!("cgroupfs: {}", error.chain()));
                health.failed("cgroupfs", &error);
            }
        }
    }
    Err(OpenError::NoCpu { problems: problems.join("; "), hint })
}

/// Health of all sources that were tried.
#[derive(Debug, Default)]
pub(super) struct HealthTracker {
    sources: BTreeMap<&'static str, SourceHealth>,
    /// Errors that were logged: each is logged once, not at every tick.
    said: HashSet<(&'static str, String)>,
}

impl HealthTracker {
    /// Marks a source, if it was tried at all, as needed: no other source replaces it.
    pub(super) fn demand(&mut self, name: &'static str) {
        if let Some(source) = self.sources.get_mut(name) {
            source.is_needed = true;
        }
    }

    /// Notes that a source works.
    pub(super) fn works(&mut self, name: &'static str) {
        let source = self.sources.entry(name).or_default();
        source.is_needed = true;
        if source.up {
            return;
        }
        if !source.problem.is_empty() {
            tracing::info!(source = name, "works again");
            self.said.retain(|(said, _)| *said != name);
        }
        source.up = true;
        source.problem.clear();
        source.hint.clear();
    }

    /// Notes that a source has failed.
    pub(super) fn failed(&mut self, name: &'static str, error: &SourceError) {
        let source = self.sources.entry(name).or_default();
        source.up = false;
        source.is_needed |= !matches!(error, SourceError::Unavailable { .. });
        source.problem = error.chain();
        error.hint().clone_into(&mut source.hint);
        self.note(name, error);
    }

    /// Drops a source that is no longer used.
    pub(super) fn retire(&mut self, name: &'static str) {
        self.sources.remove(name);
    }

    /// Notes an error of a part of a source; the source itself still works.
    pub(super) fn note(&mut self, name: &'static str, error: &SourceError) {
        *self.sources.entry(name).or_default().errors.entry(error.reason()).or_default() += 1;
        let problem = error.chain();
        if self.said.insert((name, problem.clone())) {
            match (error, error.hint()) {
                (SourceError::Unavailable { .. }, "") => tracing::info!(source = name, "{problem}"),
                (SourceError::Unavailable { .. }, hint) => tracing::info!(source = name, hint, "{problem}"),
                _ => tracing::warn!(source = name, "{problem}"),
            }
        }
    }

    /// Health of all sources.
    pub(super) fn all(&self) -> &BTreeMap<&'static str, SourceHealth> {
        &self.sources
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use agent_core::model::health::SourceState;

    #[test]
    fn a_source_that_is_not_there_is_down_only_where_it_is_needed() {
        let mut health = HealthTracker::default();
        let missing = SourceError::unavailable("no such driver", "load it");
        let state = |health: &HealthTracker, name| health.all()[name].state();
        health.failed("perf", &missing);
        assert_eq!(state(&health, "perf"), SourceState::Absent, "another stands in for it");
        health.works("powercap");
        health.failed("powercap", &missing);
        assert_eq!(state(&health, "powercap"), SourceState::Down, "it was in use");
        health.failed("msr", &missing);
        health.demand("msr");
        assert_eq!(state(&health, "msr"), SourceState::Down, "the configuration names it");
        health.failed("docker", &SourceError::broken("answers nonsense"));
        assert_eq!(state(&health, "docker"), SourceState::Down, "it is there, and does not work");
        health.works("docker");
        assert_eq!(state(&health, "docker"), SourceState::Up);
        health.demand("podman");
        assert!(!health.all().contains_key("podman"), "it was never asked");
    }
}
