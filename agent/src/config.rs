//! What was the agent asked to do?
//!
//! Plain data, read once: defaults ← file ← environment ← flags. Nothing below `pipeline` and `server` sees it whole, and nothing
//! but this module reads the environment. [`keys::KEYS`] is the one table behind the file, the environment names, the flags,
//! `--help` and the documentation.

pub mod keys;
mod layers;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::attribution::IdlePolicy;
use crate::exposition::ZoneNames;
use crate::host::HostRoots;

pub use layers::{ConfigError, FILE_VARIABLE, Layers, print};

/// The whole configuration. The documentation of each key is in [`keys::KEYS`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "documented where users read it: keys::KEYS")]
pub struct Config {
    pub interval: Span,
    pub state_dir: Option<PathBuf>,
    /// The user's own state folder, from the environment.
    #[serde(skip)]
    user_state_dir: Option<PathBuf>,
    pub listen: Listen,
    pub path: Paths,
    pub cpu: Cpu,
    pub energy: Energy,
    pub attribution: Attribution,
    pub containers: Containers,
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

/// Which CPU meter to use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CpuChoice {
    /// eBPF, else cgroupfs.
    #[default]
    Auto,
    /// eBPF only.
    Bpf,
    /// cgroupfs only.
    Cgroupfs,
}

/// Which energy source to use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EnergyChoice {
    /// The first that works: perf, powercap, msr, model.
    #[default]
    Auto,
    /// The `power` PMU only.
    Perf,
    /// powercap only.
    Powercap,
    /// Model-specific registers only.
    Msr,
    /// The model, even where there are meters.
    Model,
}

/// [`IdlePolicy`] as written in the configuration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "see IdlePolicy")]
pub enum IdleChoice {
    #[default]
    Own,
    Proportional,
    Even,
    Reservation,
}

impl From<IdleChoice> for IdlePolicy {
    fn from(choice: IdleChoice) -> Self {
        match choice {
            IdleChoice::Own => Self::Own,
            IdleChoice::Proportional => Self::Proportional,
            IdleChoice::Even => Self::Even,
            IdleChoice::Reservation => Self::Reservation,
        }
    }
}

/// How much to log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the usual levels")]
pub enum LogLevel {
    Error,
    Warn,
    #[default]
    Info,
    Debug,
    Trace,
}

/// How to log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// A length of time, written `100ms`, `1s`, `2m`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub Duration);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        humantime::format_duration(self.0).fmt(f)
    }
}

impl Serialize for Span {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        humantime::parse_duration(&text).map(Self).map_err(|error| {
            serde::de::Error::custom(format!("{text:?} is no length of time such as \"1s\": {error}"))
        })
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            interval: Span(Duration::from_secs(1)),
            state_dir: None,
            user_state_dir: None,
            listen: Listen::default(),
            path: Paths::default(),
            cpu: Cpu::default(),
            energy: Energy::default(),
            attribution: Attribution::default(),
            containers: Containers::default(),
            compat: Compat::default(),
            log: Log::default(),
        }
    }
}

impl Default for Listen {
    fn default() -> Self {
        Self { address: Ipv4Addr::LOCALHOST.into(), port: 9510, rapl_port: 9500, docker_port: 9501 }
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
        if self.energy.model_busy_watts < self.energy.model_idle_watts {
            return Err(("energy.model_busy_watts", "must not be below model_idle_watts".into()));
        }
        let ports = [
            ("listen.port", self.listen.port),
            ("listen.rapl_port", self.listen.rapl_port),
            ("listen.docker_port", self.listen.docker_port),
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
