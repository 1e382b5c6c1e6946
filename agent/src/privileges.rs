//! Gives up privileges after the start: capabilities, new privileges by `exec`, file access (landlock) and system calls (seccomp).
//!
//! Opening counters, programs and ports takes privileges; reading them takes few. The thread that starts the agent gives up the rest, while
//! it is the only thread, so that all later threads and children start without: capabilities, new privileges by `exec`, writing
//! to folders other than the agent's (landlock), and system calls that the agent never makes (seccomp). Each is done as far as the kernel
//! supports it, each failure is reported, and `sandbox.off` turns it off.

mod calls;
mod capabilities;
mod elevated;
mod files;

use std::fmt;
use std::path::PathBuf;

use agent_core::model::cpu::CpuSourceKind;
use agent_core::model::energy::EnergySourceKind;
use rustix::process::geteuid;
use rustix::thread::{CapabilitySet, set_no_new_privs};

use crate::config::{Config, Restriction};

pub(crate) use capabilities::{names, needs};
pub(crate) use elevated::{act_as_caller, is_elevated, shed_environment, start};

/// What the agent goes on to do, so what it must be able to.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "five things that are so or not, each on its own")]
pub(crate) struct Plan {
    /// Where CPU times come from.
    pub cpu: CpuSourceKind,
    /// Where energy comes from.
    pub energy: Option<EnergySourceKind>,
    /// Whether it starts ffmpegs, to score transcodes.
    pub starts_programs: bool,
    /// Where it writes.
    pub writes: Vec<PathBuf>,
    /// Whether other processes are hidden from those who may not trace them.
    pub hidden_processes: bool,
    /// What must be able to be written to or connected to belongs to others.
    pub of_others: bool,
    /// Counters of powercap that only root may read are opened again when their driver comes back.
    pub locked_counters: bool,
    /// Perf needs more than `CAP_PERFMON` here.
    pub strict_perf: bool,
    /// What is not to be done.
    pub off: Vec<Restriction>,
}

impl Plan {
    /// For an agent with this configuration and these sources.
    pub(crate) fn new(config: &Config, cpu: CpuSourceKind, energy: Option<EnergySourceKind>) -> Self {
        let roots = config.roots();
        let mut writes = config.state_dirs();
        writes.push(std::env::temp_dir());
        writes.push(roots.dev.join("null"));
        writes.push(crate::host::HostRoots::default().dev.join("null"));
        let sockets = [&config.containers.docker_socket, &config.containers.podman_socket];
        let not_ours = config.state_dirs().iter().chain(sockets).any(capabilities::is_of_another);
        Self {
            cpu,
            energy,
            starts_programs: config.quality.max_cpus > 0,
            writes,
            hidden_processes: roots.hides_processes(),
            of_others: not_ours,
            locked_counters: energy == Some(EnergySourceKind::Powercap)
                && roots.has_own_sysfs()
                && !geteuid().is_root(),
            strict_perf: roots.perf_is_strict(),
            off: config.sandbox.off.clone(),
        }
    }

    fn wants(&self, restriction: Restriction) -> bool {
        !self.off.contains(&restriction)
    }
}

/// What came of one restriction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It holds; what exactly.
    Done(String),
    /// The kernel does not have it, or not all of it.
    Partly(String),
    /// It is turned off, by the configuration or by one it depends on.
    Off(String),
    /// It should have been possible.
    Failed(String),
}

impl fmt::Display for Outcome {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Done(text) | Self::Partly(text) | Self::Off(text) | Self::Failed(text)) = self;
        formatter.write_str(text)
    }
}

/// Gives up what `plan` does not need, for the calling thread and all that it starts. In this order: each step may need what a
/// later one takes away.
pub(crate) fn give_up(plan: &Plan) -> Vec<(Restriction, Outcome)> {
    let can_restrict = plan.wants(Restriction::NoNewPrivs);
    let depends = || Outcome::Off("off, for no_new_privs is off".to_owned());
    let steps: [(Restriction, &dyn Fn() -> Outcome); 4] = [
        (Restriction::Capabilities, &|| capabilities::drop_all_but(needed(plan))),
        (Restriction::NoNewPrivs, &|| match set_no_new_privs(true) {
            Ok(()) => Outcome::Done("no program it starts gets more".to_owned()),
            Err(error) => Outcome::Failed(format!("the kernel refuses: {error}")),
        }),
        (Restriction::Landlock, &|| if can_restrict { files::restrict(plan) } else { depends() }),
        (Restriction::Seccomp, &|| if can_restrict { calls::restrict(plan) } else { depends() }),
    ];
    steps
        .into_iter()
        .map(|(restriction, step)| {
            let wanted = plan.wants(restriction);
            (restriction, if wanted { step() } else { Outcome::Off("off by sandbox.off".to_owned()) })
        })
        .collect()
}

fn needed(plan: &Plan) -> CapabilitySet {
    needs(plan).iter().fold(CapabilitySet::empty(), |set, need| set | need.capability)
}

#[cfg(test)]
mod tests;
