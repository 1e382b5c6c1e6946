//! Sections of the configuration, and the defaults of their values.

use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use agent_core::attribution::siblings::SharedCoreWeight;
use agent_core::energy::estimate::EstimateOptions;
use agent_core::metrics::ZoneNames;
use agent_core::metrics::catalog::Listener;
use agent_core::model::workload::WorkloadKind;
use agent_core::units::{Ratio, Watts};
use serde::{Deserialize, Serialize};

use crate::config::values::{
    CpuChoice, EnergyChoice, HumanDuration, IdleChoice, LogFormat, LogLevel, ModelCpu, ProgressSenders,
    Restriction,
};
use crate::host::HostRoots;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Listen {
    pub address: IpAddr,
    pub host_names: Vec<String>,
    pub port: u16,
    pub rapl_port: u16,
    pub docker_port: u16,
    pub results_port: u16,
    pub qoe_port: u16,
    pub cost_port: u16,
}

/// Access to the listeners.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Web {
    pub config_file: Option<PathBuf>,
}

/// Restrictions of the agent itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sandbox {
    pub off: Vec<Restriction>,
}

/// Progress posts of encoders.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Progress {
    pub accept_from: ProgressSenders,
}

/// Result files of encodes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Results {
    pub rescan: HumanDuration,
}

/// Scores of encodes by comparison with their sources.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Quality {
    pub ffmpeg: String,
    pub timeout: HumanDuration,
    pub max_cpus: u32,
}

/// Prices.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
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

/// Budgets.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Budget {
    pub cost_per_day: Option<f64>,
    pub cost_per_month: Option<f64>,
    pub kwh_per_day: Option<f64>,
    pub kwh_per_month: Option<f64>,
}

/// Limits of the ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LedgerLimits {
    pub max_age: HumanDuration,
    pub max_megabytes: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Paths {
    pub procfs: PathBuf,
    pub sysfs: PathBuf,
    pub devfs: PathBuf,
    pub cgroupfs: Option<PathBuf>,
    pub podlogs: PathBuf,
    pub containerlogs: PathBuf,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Cpu {
    pub source: CpuChoice,
    pub tracked: Vec<String>,
    pub max_consumers: u32,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Energy {
    pub source: EnergyChoice,
    pub plausible_watts: Option<f64>,
    pub model_cpu: ModelCpu,
    pub model_threads_per_vcpu: u32,
    pub model_idle_watts: Option<f64>,
    pub model_busy_watts: Option<f64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Attribution {
    pub idle_policy: IdleChoice,
    pub idle_watts: Option<f64>,
    pub shared_core_weight: f64,
    pub keep_ended: HumanDuration,
    pub max_workloads: u32,
    pub max_classes: u32,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Containers {
    pub docker_socket: PathBuf,
    pub podman_socket: PathBuf,
    pub cri_socket: PathBuf,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Compat {
    pub zones: ZoneNames,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    pub level: LogLevel,
    pub format: LogFormat,
}

impl Default for Listen {
    fn default() -> Self {
        Self {
            address: Ipv4Addr::LOCALHOST.into(),
            host_names: Vec::new(),
            port: Listener::Main.default_port(),
            rapl_port: Listener::Rapl.default_port(),
            docker_port: Listener::Docker.default_port(),
            results_port: Listener::Results.default_port(),
            qoe_port: Listener::Qoe.default_port(),
            cost_port: Listener::Cost.default_port(),
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

impl Containers {
    /// The engines that are asked, with their sockets.
    pub fn engines(&self) -> impl Iterator<Item = (WorkloadKind, &Path)> {
        let sockets = WorkloadKind::ENGINES.into_iter().filter_map(|kind| Some((kind, self.socket(kind)?)));
        sockets.filter(|(_, socket)| *socket != Path::new(""))
    }

    /// The container runtime that is asked, where one is.
    pub fn runtime(&self) -> Option<&Path> {
        Some(self.cri_socket.as_path()).filter(|socket| *socket != Path::new(""))
    }

    fn socket(&self, kind: WorkloadKind) -> Option<&Path> {
        match kind {
            WorkloadKind::Docker => Some(&self.docker_socket),
            WorkloadKind::Podman => Some(&self.podman_socket),
            _ => None,
        }
    }
}

impl Default for Results {
    fn default() -> Self {
        Self { rescan: HumanDuration(Duration::from_millis(500)) }
    }
}

impl Default for Quality {
    fn default() -> Self {
        // Five minutes is upstream's limit.
        Self { ffmpeg: "ffmpeg".to_owned(), timeout: HumanDuration(Duration::from_mins(5)), max_cpus: 1 }
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
        Self { max_age: HumanDuration(Duration::from_hours(90 * 24)), max_megabytes: 1024 }
    }
}

impl Default for Paths {
    fn default() -> Self {
        let roots = HostRoots::default();
        Self {
            procfs: roots.proc,
            sysfs: roots.sys,
            devfs: roots.dev,
            cgroupfs: None,
            podlogs: PathBuf::from("/var/log/pods"),
            containerlogs: PathBuf::from("/var/log/containers"),
        }
    }
}

impl Default for Cpu {
    fn default() -> Self {
        Self { source: CpuChoice::Auto, tracked: Vec::new(), max_consumers: 16_384 }
    }
}

impl Default for Energy {
    fn default() -> Self {
        Self {
            source: EnergyChoice::Auto,
            plausible_watts: None,
            model_cpu: ModelCpu::default(),
            model_threads_per_vcpu: 1,
            model_idle_watts: None,
            model_busy_watts: None,
        }
    }
}

impl Energy {
    /// Options of the estimate.
    pub(crate) fn estimate(&self) -> EstimateOptions {
        EstimateOptions {
            processor: self.model_cpu.0,
            threads_per_vcpu: self.model_threads_per_vcpu,
            idle: self.model_idle_watts.map(Watts),
            busy: self.model_busy_watts.map(Watts),
        }
    }
}

impl Default for Attribution {
    fn default() -> Self {
        Self {
            idle_policy: IdleChoice::Own,
            idle_watts: None,
            shared_core_weight: SharedCoreWeight::MEASURED.ratio().0,
            keep_ended: HumanDuration(Duration::from_mins(2)),
            max_workloads: 1000,
            max_classes: 200,
        }
    }
}

impl Attribution {
    /// The weight of time on a core that two CPUs share; `None` for a weight out of its range.
    pub(crate) fn shared_core(&self) -> Option<SharedCoreWeight> {
        SharedCoreWeight::new(Ratio(self.shared_core_weight))
    }
}

impl Default for Containers {
    fn default() -> Self {
        Self {
            docker_socket: PathBuf::from("/var/run/docker.sock"),
            podman_socket: PathBuf::from("/run/podman/podman.sock"),
            cri_socket: PathBuf::new(),
        }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self { level: LogLevel::Info, format: LogFormat::Text }
    }
}
