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
use std::path::{Path, PathBuf};

use agent_core::model::cpu::CpuSourceKind;
use agent_core::model::energy::EnergySourceKind;
use rustix::process::geteuid;
use rustix::thread::{CapabilitySet, set_no_new_privs};

use crate::config::{Config, Restriction};
use crate::source::gpu;

pub(crate) use capabilities::{names, needs};
pub(crate) use elevated::{act_as_caller, is_elevated, shed_environment, start};

/// Properties of a run that decide which rights it needs.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "six things that are so or not, each on its own")]
pub(crate) struct Plan {
    /// Source of CPU times.
    pub cpu: CpuSourceKind,
    /// Source of energy.
    pub energy: Option<EnergySourceKind>,
    /// Whether the agent starts ffmpegs, to score transcodes.
    pub starts_programs: bool,
    /// Folders to which it writes.
    pub writes: Vec<PathBuf>,
    /// Whether procfs hides processes from users who may not trace them.
    pub hidden_processes: bool,
    /// Whether the use of an integrated GPU can be read, which procfs shows only to those who may trace its users.
    pub reads_gpu: bool,
    /// Whether a path that the agent writes or connects to belongs to another user.
    pub of_others: bool,
    /// Whether counters of powercap that only root may read are opened again when their driver comes back.
    pub locked_counters: bool,
    /// Whether perf needs more than `CAP_PERFMON` here.
    pub strict_perf: bool,
    /// Restrictions that are turned off.
    pub off: Vec<Restriction>,
}

impl Plan {
    /// The plan of an agent with this configuration and these sources.
    pub(crate) fn new(config: &Config, cpu: CpuSourceKind, energy: Option<EnergySourceKind>) -> Self {
        let roots = config.roots();
        let mut writes = config.state_dirs();
        writes.push(std::env::temp_dir());
        writes.push(roots.dev.join("null"));
        writes.push(crate::host::HostRoots::default().dev.join("null"));
        let engines = config.containers.engines().map(|(_, socket)| socket);
        let sockets = engines.chain(config.containers.runtime()).map(Path::to_path_buf);
        let not_ours =
            config.state_dirs().into_iter().chain(sockets).any(|path| capabilities::is_of_another(&path));
        Self {
            cpu,
            energy,
            starts_programs: config.quality.max_cpus > 0,
            writes,
            hidden_processes: roots.hides_processes(),
            reads_gpu: energy.is_some_and(EnergySourceKind::is_measured)
                && gpu::integrated_gpu(&roots).is_some()
                && gpu::may_read().is_ok(),
            of_others: not_ours,
            locked_counters: matches!(energy, Some(EnergySourceKind::Powercap | EnergySourceKind::Hwmon))
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

/// Result of one restriction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It holds, with this content.
    Done(String),
    /// The kernel does not support it, or not all of it.
    Partly(String),
    /// It is turned off, by the configuration or by one on which it depends.
    Off(String),
    /// It failed unexpectedly.
    Failed(String),
}

impl fmt::Display for Outcome {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Done(text) | Self::Partly(text) | Self::Off(text) | Self::Failed(text)) = self;
        formatter.write_str(text)
    }
}

/// Gives up the rights that `plan` does not need, for the calling thread and all its children. The order matters: each step may need
/// rights that a later one takes away.
pub(crate) fn give_up(plan: &Plan) -> Vec<(Restriction, Outcome)> {
    let can_restrict = plan.wants(Restriction::NoNewPrivs);
    let depends = || Outcome::Off("off, because no_new_privs is off".to_owned());
    let steps: [(Restriction, &dyn Fn() -> Outcome); 4] = [
        (Restriction::Capabilities, &|| capabilities::drop_all_but(needed(plan))),
        (Restriction::NoNewPrivs, &|| match set_no_new_privs(true) {
            Ok(()) => Outcome::Done("started programs get no further rights".to_owned()),
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
#[expect(
    clippy::disallowed_methods,
    reason = "a restriction binds a process for good, so each test has its own"
)]
mod tests;
