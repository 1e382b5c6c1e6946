//! What was the agent asked to do?
//!
//! Plain data, read once: defaults ← file ← environment ← flags. Nothing below `pipeline` and `server` sees it whole, and nothing
//! but this module reads the environment. [`keys::KEYS`] is the one table behind the file, the environment names, the flags,
//! `--help` and the documentation.

pub mod keys;
mod layers;
mod values;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::exposition::ZoneNames;
use crate::exposition::catalog::Listener;
use crate::host::HostRoots;

pub use layers::{ConfigError, FILE_VARIABLE, Layers, print};
pub use values::{CpuChoice, EnergyChoice, IdleChoice, LogFormat, LogLevel, Span};

/// The whole configuration. The documentation of each key is in [`keys::KEYS`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "documented where users read it: keys::KEYS")]
pub struct Config {
    pub interval: Span,
    pub state_dir: Option<PathBuf>,
    pub results_dir: Option<PathBuf>,
    /// The user's own state folder, from the environment.
    #[serde(skip)]
    user_state_dir: Option<PathBuf>,
    pub listen: Listen,
    pub path: Paths,
    pub cpu: Cpu,
    pub energy: Energy,
    pub attribution: Attribution,
    pub containers: Containers,
    pub results: Results,
    pub price: Price,
    pub budget: Budget,
    pub ledger: LedgerLimits,
    pub compat: Compat,
    pub log: Log,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "documented where users read it: keys::KEYS")]
pub struct Listen {
    pub address: IpAddr,
    pub port: u16,
    pub rapl_port: u16,
    pub docker_port: u16,
    pub results_port: u16,
    pub qoe_port: u16,
    pub cost_port: u16,
}

/// Result files of encodes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "documented where users read it: keys::KEYS")]
pub struct Results {
    pub rescan: Span,
}

/// What things cost.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "documented where users read it: keys::KEYS")]
pub struct Price {
    pub per_kwh: Option<f64>,
    pub per_cpu_hour: f64,
    pub per_gpu_hour: f64,
    pub per_core_second: Option<f64>,
    pub per_joule: Option<f64>,
    pub currency: String,
    pub also: Vec<String>,
    pub region: String,
    pub file: Option<PathBuf>,
    pub viewers: u32,
}

/// What may be spent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "documented where users read it: keys::KEYS")]
pub struct Budget {
    pub cost_per_day: Option<f64>,
    pub cost_per_month: Option<f64>,
    pub kwh_per_day: Option<f64>,
    pub kwh_per_month: Option<f64>,
}

/// What is kept of the past.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "documented where users read it: keys::KEYS")]
pub struct LedgerLimits {
    pub max_age: Span,
    pub max_megabytes: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "documented where users read it: keys::KEYS")]
pub struct Paths {
    pub procfs: PathBuf,
    pub sysfs: PathBuf,
    pub devfs: PathBuf,
    pub cgroupfs: Option<PathBuf>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "documented where users read it: keys::KEYS")]
pub struct Cpu {
    pub source: CpuChoice,
    pub tracked: Vec<String>,
    pub max_consumers: u32,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "documented where users read it: keys::KEYS")]
pub struct Energy {
    pub source: EnergyChoice,
    pub plausible_watts: Option<f64>,
    pub model_idle_watts: f64,
    pub model_busy_watts: f64,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "documented where users read it: keys::KEYS")]
pub struct Attribution {
    pub idle_policy: IdleChoice,
    pub idle_watts: Option<f64>,
    pub keep_ended: Span,
    pub max_workloads: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "documented where users read it: keys::KEYS")]
pub struct Containers {
    pub docker_socket: PathBuf,
    pub podman_socket: PathBuf,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "documented where users read it: keys::KEYS")]
pub struct Compat {
    pub zones: ZoneNames,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "documented where users read it: keys::KEYS")]
pub struct Log {
    pub level: LogLevel,
    pub format: LogFormat,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            interval: Span(Duration::from_secs(1)),
            state_dir: None,
            results_dir: None,
            user_state_dir: None,
            listen: Listen::default(),
            path: Paths::default(),
            cpu: Cpu::default(),
            energy: Energy::default(),
            attribution: Attribution::default(),
            containers: Containers::default(),
            results: Results::default(),
            price: Price::default(),
            budget: Budget::default(),
            ledger: LedgerLimits::default(),
            compat: Compat::default(),
            log: Log::default(),
        }
    }
}

impl Default for Listen {
    fn default() -> Self {
        Self {
            address: Ipv4Addr::LOCALHOST.into(),
            port: 9510,
            rapl_port: 9500,
            docker_port: 9501,
            results_port: 9502,
            qoe_port: 9503,
            cost_port: 9504,
        }
    }
}

impl Listen {
    /// The port of a listener; 0 when it is turned off.
    pub fn port_of(&self, listener: Listener) -> u16 {
        match listener {
            Listener::Rapl => self.rapl_port,
            Listener::Docker => self.docker_port,
            Listener::Results => self.results_port,
            Listener::Qoe => self.qoe_port,
            Listener::Cost => self.cost_port,
            Listener::Main => self.port,
        }
    }
}

impl Default for Results {
    fn default() -> Self {
        Self { rescan: Span(Duration::from_millis(500)) }
    }
}

impl Default for Price {
    fn default() -> Self {
        Self {
            per_kwh: None,
            per_cpu_hour: 0.5,
            per_gpu_hour: 0.0,
            per_core_second: None,
            per_joule: None,
            currency: "USD".to_owned(),
            also: Vec::new(),
            region: "default".to_owned(),
            file: None,
            viewers: 1,
        }
    }
}

impl Default for LedgerLimits {
    fn default() -> Self {
        Self { max_age: Span(Duration::from_hours(90 * 24)), max_megabytes: 1024 }
    }
}

impl Default for Paths {
    fn default() -> Self {
        let roots = HostRoots::default();
        Self { procfs: roots.proc, sysfs: roots.sys, devfs: roots.dev, cgroupfs: None }
    }
}

impl Default for Cpu {
    fn default() -> Self {
        let tracked = ["ffmpeg", "gst-launch-1.0"].map(str::to_owned).into();
        Self { source: CpuChoice::Auto, tracked, max_consumers: 16_384 }
    }
}

impl Default for Energy {
    fn default() -> Self {
        let model = crate::source::energy::model::Coefficients::default();
        Self {
            source: EnergyChoice::Auto,
            plausible_watts: None,
            model_idle_watts: model.idle.0,
            model_busy_watts: model.busy.0,
        }
    }
}

impl Default for Attribution {
    fn default() -> Self {
        Self {
            idle_policy: IdleChoice::Own,
            idle_watts: None,
            keep_ended: Span(Duration::from_mins(2)),
            max_workloads: 1000,
        }
    }
}

impl Default for Containers {
    fn default() -> Self {
        Self {
            docker_socket: PathBuf::from("/var/run/docker.sock"),
            podman_socket: PathBuf::from("/run/podman/podman.sock"),
        }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self { level: LogLevel::Info, format: LogFormat::Text }
    }
}

/// `/var/lib/<name>`, as the file hierarchy standard has it.
const STATE_DIR: &str = "/var/lib/ffwatt";

impl Config {
    /// Where the host's files are.
    pub fn roots(&self) -> HostRoots {
        HostRoots {
            proc: self.path.procfs.clone(),
            sys: self.path.sysfs.clone(),
            dev: self.path.devfs.clone(),
            cgroup: self.path.cgroupfs.clone().unwrap_or_else(|| self.path.sysfs.join("fs/cgroup")),
        }
    }

    /// Where to keep what must survive a restart: the first of these that can be written.
    pub fn state_dirs(&self) -> Vec<PathBuf> {
        match &self.state_dir {
            Some(folder) => vec![folder.clone()],
            None => std::iter::once(PathBuf::from(STATE_DIR)).chain(self.user_state_dir.clone()).collect(),
        }
    }

    /// Where result files are: as configured, else beside what survives a restart.
    pub fn results_dir(&self) -> PathBuf {
        let beside_state = || self.state_dirs().into_iter().next().unwrap_or_default().join("results");
        self.results_dir.clone().unwrap_or_else(beside_state)
    }

    /// A listener's address; `None` when its port is 0, which turns it off.
    pub fn address(&self, port: u16) -> Option<SocketAddr> {
        (port != 0).then(|| SocketAddr::new(self.listen.address, port))
    }

    /// What the types cannot say.
    fn check(&self) -> Result<(), (&'static str, String)> {
        let (shortest, longest) = (Duration::from_millis(100), Duration::from_mins(1));
        if !(shortest..=longest).contains(&self.interval.0) {
            return Err(("interval", format!("{} is outside 100ms to 60s", self.interval)));
        }
        if self.attribution.keep_ended.0 < Duration::from_secs(10) {
            return Err((
                "attribution.keep_ended",
                "under 10s no scraper would see how a workload ended".into(),
            ));
        }
        if self.cpu.max_consumers == 0 || self.cpu.max_consumers > 1 << 20 {
            return Err(("cpu.max_consumers", format!("{} is outside 1 to 1048576", self.cpu.max_consumers)));
        }
        if self.cpu.tracked.len() > 64 {
            return Err(("cpu.tracked", "64 names at most".into()));
        }
        if let Some(name) = self.cpu.tracked.iter().find(|name| name.is_empty() || name.contains('/')) {
            return Err((
                "cpu.tracked",
                format!("{name:?} is no program name (the last part of its path, not empty)"),
            ));
        }
        for (key, watts) in [
            ("energy.plausible_watts", self.energy.plausible_watts),
            ("energy.model_idle_watts", Some(self.energy.model_idle_watts)),
            ("energy.model_busy_watts", Some(self.energy.model_busy_watts)),
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
        if self.results.rescan.0 < Duration::from_millis(100) {
            return Err(("results.rescan", "must not be under 100ms".into()));
        }
        if self.energy.model_busy_watts < self.energy.model_idle_watts {
            return Err(("energy.model_busy_watts", "must not be below model_idle_watts".into()));
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
                return Err((key, format!("port {port} is {other}'s already")));
            }
        }
        if self.listen.port == 0 {
            return Err(("listen.port", "the main listener cannot be turned off".into()));
        }
        Ok(())
    }
}
