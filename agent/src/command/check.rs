//! `ffwatt check`: reports what works on this host, why a source does not, and what helps.
//!
//! Every source is really opened, as `run` would; nothing is left behind.

mod access;
mod pinned;
mod privileges;
mod energy;
mod idle;
mod movement;
pub(in crate::command) mod ready;
mod results;
pub(in crate::command) mod running;

use std::fmt::Write;
use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

use agent_core::metrics::catalog::Listener;
use agent_core::model::cpu::Hierarchy;
use agent_core::model::health::Reason;
use anyhow::Context;
use serde::Serialize;

use crate::clock::SystemClock;
use crate::config::{Config, CpuChoice};
use crate::host::{self, HostRoots};
use crate::pipeline::bpf_options;
use crate::source::cgroup_tree::CgroupTree;
use crate::source::cpu::CpuMeter;
use crate::source::cpu::bpf::BpfMeter;
use crate::source::identity::cri;
use crate::source::identity::docker;
use crate::source::identity::kubelet::{self, Counted, LogFolders};
use crate::source::identity::process_numbers::ProcessNumbers;
use crate::source::{SourceError, cgroup_namespace};
use agent_core::cpu::topology::CpuTopology;

pub(crate) use ready::{reachable, ready};
pub(crate) use running::{Running, find as find_running};

/// Time limit for an engine's answer.
const ENGINE_PATIENCE: Duration = Duration::from_secs(5);

/// State of one line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum State {
    /// It works.
    Ok,
    /// It works and would be used.
    Used,
    /// A note about the source above.
    Note,
    /// The host does not have it, and the agent does not need it.
    Absent,
    /// It could work and does not.
    Problem,
    /// Without it the agent cannot run.
    Fatal,
}

impl State {
    fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Used => "used",
            Self::Note => "note",
            Self::Absent => "absent",
            Self::Problem => "PROBLEM",
            Self::Fatal => "FATAL",
        }
    }
}

/// One line of the report.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Line {
    /// Subject: `agent`, `source`, `finding` of an agent that runs here; `cpu`, `energy`, `names`, `ports`, `state`, `results`, `rights`.
    pub subject: &'static str,
    /// The source.
    pub source: String,
    /// State of the source.
    pub state: State,
    /// Reason or further detail.
    pub detail: String,
    /// Command or setting that helps; empty when there is none or none is needed.
    pub fix: String,
}

/// The whole report.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Report {
    /// Lines of all sources.
    pub lines: Vec<Line>,
    /// The CPU source that the agent would use.
    pub cpu_source: Option<&'static str>,
    /// The energy source that the agent would use.
    pub energy_source: Option<&'static str>,
    /// Whether an agent runs here already: then the sources are those of the agent.
    pub is_running: bool,
}

/// Conclusion of the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Verdict {
    /// Everything the host has is used.
    Ready,
    /// The agent would run, but a source that could work does not.
    Limited,
    /// The agent would not run.
    CannotRun,
}

/// Checks everything.
pub(crate) fn report(config: &Config) -> anyhow::Result<Report> {
    let roots = config.roots();
    let mut report = Report { lines: Vec::new(), cpu_source: None, energy_source: None, is_running: false };
    if report.check_running(config) {
        report.check_access(config);
        report.check_results(config);
        return Ok(report);
    }
    match host::read_topology(&roots) {
        Ok(topology) => {
            report.check_cpu(config, &roots, &topology);
            let zones = report.check_energy(config, &roots, &topology);
            report.check_idle(config, &zones);
        }
        Err(error) => report.add("cpu", "topology", State::Fatal, format!("{error}"), "set --path.sysfs"),
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start a runtime")?;
    for (kind, socket) in config.containers.engines() {
        let probe = async { Ok(format!("engine {} at {}", docker::probe(socket).await?, socket.display())) };
        runtime.block_on(report.check_engine(kind.name(), probe));
    }
    report.check_kubelet(&config.kubelet_logs());
    if let Some(socket) = config.containers.runtime() {
        runtime.block_on(report.check_engine(cri::SOURCE, cri::probe(socket)));
    }
    report.check_ports(config);
    report.check_access(config);
    report.check_state_dir(config);
    report.check_results(config);
    report.check_privileges(config);
    Ok(report)
}

impl Report {
    fn add(
        &mut self,
        subject: &'static str,
        source: &str,
        state: State,
        detail: impl Into<String>,
        fix: &str,
    ) {
        let line =
            Line { subject, source: source.to_owned(), state, detail: detail.into(), fix: fix.to_owned() };
        self.lines.push(line);
    }

    fn add_error(&mut self, subject: &'static str, source: &str, error: &SourceError) {
        // A missing source without a fix is no problem.
        let is_absent = matches!(error, SourceError::Unavailable { hint, .. } if hint.is_empty());
        let state = if is_absent { State::Absent } else { State::Problem };
        self.add(subject, source, state, error.chain(), error.hint());
    }

    fn check_cpu(&mut self, config: &Config, roots: &HostRoots, topology: &CpuTopology) {
        if config.cpu.source != CpuChoice::Cgroupfs {
            let options = bpf_options(config, roots);
            match BpfMeter::load(roots, topology, &options, &SystemClock) {
                Ok(mut meter) => {
                    let kernel = roots.kernel_release().unwrap_or_default();
                    let detail =
                        format!("eBPF programs load and attach on Linux {kernel}, {} CPUs", topology.count());
                    self.add("cpu", "bpf", State::Used, detail, "");
                    if let Some(problem) = ProcessNumbers::find(roots, meter.own_process()).problem() {
                        self.add_error("cpu", "processes", &problem);
                    }
                    if let Some(problem) = meter.take_problem() {
                        self.add_error("cpu", "cgroup_v1", &problem);
                    }
                    self.cpu_source = Some("bpf");
                }
                Err(error) => self.add_error("cpu", "bpf", &error),
            }
        }
        let wanted = config.cpu.source != CpuChoice::Bpf;
        match CgroupTree::find(roots) {
            Ok(tree) => {
                let version = |(hierarchy, root): (Hierarchy, &Path)| match hierarchy {
                    Hierarchy::Unified => format!("cgroup v2 at {}", root.display()),
                    Hierarchy::Legacy => format!("cgroup v1 at {}", root.display()),
                };
                let versions: Vec<String> = tree.hierarchies().map(version).collect();
                let used = self.cpu_source.is_none() && wanted;
                let state = if used { State::Used } else { State::Ok };
                self.add("cpu", "cgroupfs", state, versions.join(", "), "");
                if let Some(problem) = tree.problem() {
                    self.add_error("cpu", "cgroups", &problem);
                } else if tree.is_namespaced() {
                    self.add("cpu", "cgroups", State::Note, cgroup_namespace::NOTE, cgroup_namespace::FIX);
                }
                if used {
                    self.cpu_source = Some("cgroupfs");
                }
            }
            Err(error) => self.add_error("cpu", "cgroupfs", &error),
        }
        if self.cpu_source.is_none() {
            self.add("cpu", "all", State::Fatal, "no source of CPU time works", "see the lines above");
        }
    }

    /// Adds the line of an engine or runtime. The probe returns its version and socket.
    async fn check_engine(
        &mut self,
        name: &'static str,
        probe: impl Future<Output = Result<String, SourceError>>,
    ) {
        match tokio::time::timeout(ENGINE_PATIENCE, probe).await {
            Ok(Ok(version)) => self.add("names", name, State::Used, version, ""),
            Ok(Err(error @ SourceError::Unavailable { .. })) => {
                self.add("names", name, State::Absent, error.chain(), error.hint());
            }
            Ok(Err(error)) => {
                let fix = match error.reason() {
                    Reason::Permission => {
                        "add the agent's user to the socket's group (this can be equivalent to root); \
                         docs/DEPLOY.md, Names of containers, describes alternatives"
                    }
                    _ => "start the engine, or read its log",
                };
                self.add("names", name, State::Problem, error.chain(), fix);
            }
            Err(_) => {
                self.add("names", name, State::Problem, "it does not answer", "read its log");
            }
        }
    }

    fn check_kubelet(&mut self, folders: &LogFolders) {
        if !folders.are_used() {
            self.add("names", kubelet::SOURCE, State::Absent, "turned off", "");
            return;
        }
        match kubelet::probe(folders) {
            Ok(Counted { pods, containers }) => {
                let detail =
                    format!("names of {pods} pods and {containers} containers, by the kubelet's log folders");
                self.add("names", kubelet::SOURCE, State::Used, detail, "");
            }
            Err(error @ SourceError::Unavailable { .. }) => {
                self.add("names", kubelet::SOURCE, State::Absent, error.chain(), error.hint());
            }
            Err(error) => {
                let fix = match error.reason() {
                    Reason::Permission => "give the agent's user the right to list the folder",
                    _ => "look at the folder",
                };
                self.add("names", kubelet::SOURCE, State::Problem, error.chain(), fix);
            }
        }
    }

    fn check_ports(&mut self, config: &Config) {
        for listener in Listener::ALL {
            let port = config.listen.port_of(listener);
            let Some(address) = config.address(port) else {
                self.add("ports", listener.name(), State::Absent, "turned off", "");
                continue;
            };
            match TcpListener::bind(address) {
                Ok(_) => self.add("ports", listener.name(), State::Ok, format!("{address} is free"), ""),
                Err(cause) => {
                    let error = crate::server::ListenError { address, listener, cause };
                    let fix = format!("{}; or ffwatt already runs", error.hint());
                    self.add(
                        "ports",
                        listener.name(),
                        State::Fatal,
                        format!("{error}: {}", error.cause),
                        &fix,
                    );
                }
            }
        }
    }

    fn check_state_dir(&mut self, config: &Config) {
        let folders = config.state_dirs();
        if let Some(folder) = folders.iter().find(|folder| crate::pipeline::could_be_written(folder)) {
            self.add("state", "folder", State::Ok, folder.display().to_string(), "");
        } else {
            let tried: Vec<String> = folders.iter().map(|folder| folder.display().to_string()).collect();
            let detail = format!("no state folder is writable: {}", tried.join(", "));
            let fix = if crate::privileges::is_elevated().unwrap_or(true) {
                "sudo install -d -g ffwatt -m 2770 /var/lib/ffwatt"
            } else {
                "choose one with --state-dir"
            };
            self.add("state", "folder", State::Problem, detail, fix);
        }
    }

    /// Conclusion of the report.
    pub(crate) fn verdict(&self) -> Verdict {
        let has = |state| self.lines.iter().any(|line| line.state == state);
        if has(State::Fatal) {
            Verdict::CannotRun
        } else if self.is_running && !has(State::Problem) {
            Verdict::Ready
        } else if has(State::Problem) || matches!(self.energy_source, None | Some("model")) {
            Verdict::Limited
        } else {
            Verdict::Ready
        }
    }

    /// The report as a table.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        let mut subject = "";
        for line in &self.lines {
            let shown = if line.subject == subject { "" } else { line.subject };
            subject = line.subject;
            let _ = writeln!(text, "{shown:<8}{:<10}{:<9}{}", line.source, line.state.word(), line.detail);
            if !line.fix.is_empty() {
                let _ = writeln!(text, "{:<27}fix: {}", "", line.fix);
            }
        }
        let _ = writeln!(text, "\n{}", self.conclusion());
        text
    }

    fn has_problem(&self, source: &str) -> bool {
        self.lines.iter().any(|line| line.source == source && line.state == State::Problem)
    }

    /// The conclusion in one sentence.
    fn conclusion(&self) -> String {
        let cpu = match self.cpu_source {
            Some("bpf") => "CPU time is exact (eBPF)",
            Some(_) => "CPU time is polled (cgroupfs)",
            None => "CPU time is not known",
        };
        let energy = match self.energy_source {
            Some("model") => "energy is ESTIMATED from CPU use".to_owned(),
            Some(source) if self.has_problem(source) => {
                format!("energy is measured in part ({source}); see the problems above")
            }
            Some(source) => format!("energy is measured ({source})"),
            None => "energy is unknown".to_owned(),
        };
        let verdict = match self.verdict() {
            Verdict::Ready if self.is_running => "runs",
            Verdict::Limited if self.is_running => "runs, with limits",
            Verdict::Ready => "ready",
            Verdict::Limited => "ready, with limits",
            Verdict::CannotRun => "cannot run",
        };
        format!("{verdict}: {cpu}; {energy}.")
    }

    /// The report as JSON.
    pub(crate) fn json(&self) -> anyhow::Result<String> {
        #[derive(Serialize)]
        struct Document<'a> {
            verdict: Verdict,
            #[serde(flatten)]
            report: &'a Report,
        }
        let document = Document { verdict: self.verdict(), report: self };
        Ok(serde_json::to_string_pretty(&document).context("cannot write the report as JSON")? + "\n")
    }
}
