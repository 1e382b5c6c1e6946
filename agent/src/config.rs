//! The configuration of the agent: defaults ← file ← environment ← flags.
//!
//! Plain data, read once. Nothing below `pipeline` and `server` sees it whole, and nothing
//! but this module reads the environment. [`keys::KEYS`] is the one table behind the file, the environment names, the flags,
//! `--help` and the documentation.

mod file_problem;
pub(crate) mod keys;
mod layers;
mod restricted;
mod sections;
mod values;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use agent_core::energy::estimate::VcpuPower;
use rustix::fs::{Access, access};
use serde::{Deserialize, Serialize};

use crate::host::HostRoots;
use crate::source::identity::kubelet::LogFolders;

pub(crate) use layers::{ConfigError, FILE_VARIABLE, Layers};
pub use layers::{parse, print};
pub(crate) use sections::{
    Attribution, Budget, Compat, Containers, Cpu, Energy, LedgerLimits, Listen, Log, Paths, Price, Progress,
    Quality, Results, Sandbox, Web,
};
#[cfg(test)]
pub(crate) use values::IdleChoice;
pub(crate) use values::{
    CpuChoice, EnergyChoice, HumanDuration, LogFormat, LogLevel, ProgressSenders, Restriction,
};

/// The whole configuration. The documentation of each key is in [`keys::KEYS`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "documented where users read it: keys::KEYS")]
pub struct Config {
    pub interval: HumanDuration,
    pub state_dir: Option<PathBuf>,
    pub results_dir: Option<PathBuf>,
    /// The user's own state folder, from the environment.
    #[serde(skip)]
    user_state_dir: Option<PathBuf>,
    pub listen: Listen,
    pub web: Web,
    pub sandbox: Sandbox,
    pub path: Paths,
    pub cpu: Cpu,
    pub energy: Energy,
    pub attribution: Attribution,
    pub containers: Containers,
    pub progress: Progress,
    pub results: Results,
    pub quality: Quality,
    pub price: Price,
    pub budget: Budget,
    pub ledger: LedgerLimits,
    pub compat: Compat,
    pub log: Log,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            interval: HumanDuration(Duration::from_secs(1)),
            state_dir: None,
            results_dir: None,
            user_state_dir: None,
            listen: Listen::default(),
            web: Web::default(),
            sandbox: Sandbox::default(),
            path: Paths::default(),
            cpu: Cpu::default(),
            energy: Energy::default(),
            attribution: Attribution::default(),
            containers: Containers::default(),
            progress: Progress::default(),
            results: Results::default(),
            quality: Quality::default(),
            price: Price::default(),
            budget: Budget::default(),
            ledger: LedgerLimits::default(),
            compat: Compat::default(),
            log: Log::default(),
        }
    }
}

/// Whether files may be made in a folder, or the folder itself where it does not exist.
fn may_write(folder: &Path) -> bool {
    let existing = folder.ancestors().find(|folder| folder.exists());
    existing.is_some_and(|folder| access(folder, Access::WRITE_OK | Access::EXEC_OK).is_ok())
}

/// `/var/lib/<name>`, by the file hierarchy standard.
const STATE_DIR: &str = "/var/lib/ffwatt";

impl Config {
    /// Roots of the host's files.
    pub fn roots(&self) -> HostRoots {
        HostRoots {
            proc: self.path.procfs.clone(),
            sys: self.path.sysfs.clone(),
            dev: self.path.devfs.clone(),
            cgroup: self.path.cgroupfs.clone().unwrap_or_else(|| self.path.sysfs.join("fs/cgroup")),
        }
    }

    /// The kubelet's log folders.
    pub(crate) fn kubelet_logs(&self) -> LogFolders {
        LogFolders { pods: self.path.podlogs.clone(), containers: self.path.containerlogs.clone() }
    }

    /// Folders for the agent's state: the first writable one is used.
    pub fn state_dirs(&self) -> Vec<PathBuf> {
        match &self.state_dir {
            Some(folder) => vec![folder.clone()],
            None => std::iter::once(PathBuf::from(STATE_DIR)).chain(self.user_state_dir.clone()).collect(),
        }
    }

    /// The folder of result files: as configured, else in the state folder. Without root that is the user's own folder: the
    /// agent and `ffwatt bench` use the same.
    pub fn results_dir(&self) -> PathBuf {
        let beside_state = || {
            let folders = self.state_dirs();
            let usable = folders.iter().find(|folder| may_write(folder)).or(folders.first());
            usable.cloned().unwrap_or_default().join("results")
        };
        self.results_dir.clone().unwrap_or_else(beside_state)
    }

    /// A listener's address; `None` when its port is 0, which turns it off.
    pub fn address(&self, port: u16) -> Option<SocketAddr> {
        (port != 0).then(|| SocketAddr::new(self.listen.address, port))
    }

    /// Checks values that the types do not check.
    fn check(&self) -> Result<(), (&'static str, String)> {
        let (shortest, longest) = (Duration::from_millis(100), Duration::from_mins(1));
        if !(shortest..=longest).contains(&self.interval.0) {
            return Err(("interval", format!("{} is outside 100ms to 60s", self.interval)));
        }
        if self.attribution.keep_ended.0 < Duration::from_secs(10) {
            return Err((
                "attribution.keep_ended",
                "must be 10s or more, or scrapers miss the last value of an ended workload".into(),
            ));
        }
        if self.cpu.max_consumers == 0 || self.cpu.max_consumers > 1 << 20 {
            return Err(("cpu.max_consumers", format!("{} is outside 1 to 1048576", self.cpu.max_consumers)));
        }
        if self.cpu.tracked.len() > 64 {
            return Err(("cpu.tracked", "64 names at most".into()));
        }
        if let Some(at) = self.cpu.tracked.iter().position(|name| name.is_empty() || name.contains('/')) {
            let problem =
                format!("entry {} is not a program name (the last part of its path, not empty)", at + 1);
            return Err(("cpu.tracked", problem));
        }
        for (key, watts) in [
            ("energy.plausible_watts", self.energy.plausible_watts),
            ("energy.model_idle_watts", self.energy.model_idle_watts),
            ("energy.model_busy_watts", self.energy.model_busy_watts),
            ("attribution.idle_watts", self.attribution.idle_watts),
        ] {
            if watts.is_some_and(|watts| !watts.is_finite() || watts < 0.0) {
                return Err((key, "must be a number of watts, 0 or more".into()));
            }
        }
        for (key, amount) in [
            ("price.per_kwh", self.price.per_kwh),
            ("price.per_cpu_hour", Some(self.price.per_cpu_hour)),
            ("price.per_gpu_hour", Some(self.price.per_gpu_hour)),
            ("price.per_core_second", self.price.per_core_second),
            ("price.per_joule", self.price.per_joule),
            ("budget.cost_per_day", self.budget.cost_per_day),
            ("budget.cost_per_month", self.budget.cost_per_month),
            ("budget.kwh_per_day", self.budget.kwh_per_day),
            ("budget.kwh_per_month", self.budget.kwh_per_month),
        ] {
            if amount.is_some_and(|amount| !amount.is_finite() || amount < 0.0) {
                return Err((key, "must be a number, 0 or more".into()));
            }
        }
        if self.quality.ffmpeg.is_empty() {
            return Err(("quality.ffmpeg", "must not be empty".into()));
        }
        if self.results.rescan.0 < Duration::from_millis(100) {
            return Err(("results.rescan", "must be 100ms or more".into()));
        }
        if !(1..=2).contains(&self.energy.model_threads_per_vcpu) {
            return Err(("energy.model_threads_per_vcpu", "must be 1 or 2".into()));
        }
        if self.attribution.shared_core().is_none() {
            return Err(("attribution.shared_core_weight", "must be a number from 0.5 to 1".into()));
        }
        let VcpuPower { idle, busy } = self.energy.estimate().by_hand();
        if busy.power < idle.power {
            let problem = format!("must be model_idle_watts or more ({} W)", idle.power.plain());
            return Err(("energy.model_busy_watts", problem));
        }
        let ports = [
            ("listen.port", self.listen.port),
            ("listen.rapl_port", self.listen.rapl_port),
            ("listen.docker_port", self.listen.docker_port),
            ("listen.results_port", self.listen.results_port),
            ("listen.qoe_port", self.listen.qoe_port),
            ("listen.cost_port", self.listen.cost_port),
        ];
        for (index, (key, port)) in ports.iter().enumerate() {
            if let Some((other, _)) = ports[..index].iter().find(|(_, taken)| port == taken && *port != 0) {
                return Err((key, format!("port {port} is already the port of {other}")));
            }
        }
        if self.listen.port == 0 {
            return Err(("listen.port", "the main listener cannot be turned off".into()));
        }
        Ok(())
    }
}
