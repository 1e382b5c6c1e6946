//! A simulated host with the agent on it: real processes in real cgroups, whose true energy is known.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::Context;

use crate::agent::Agent;
use crate::cgroup::{self, Cgroup};
use crate::command::Owned;
use crate::simulator::{Machine, Part, Simulator, cpus_of, part_of};

/// The host, all of it below one cgroup.
#[derive(Debug)]
pub struct Stage {
    /// Its counters, and the truth.
    pub simulator: Simulator,
    /// The agent.
    pub agent: Agent,
    parts: usize,
    workloads: Vec<(String, Cgroup)>,
    _running: Vec<Owned>,
    _own: [Cgroup; 2],
}

impl Stage {
    /// Starts workloads by name, with the scripts of their shells; an empty script makes only a cgroup, for [`Self::command`].
    pub fn set(
        machine: Machine,
        binary: &Path,
        parent: &str,
        workloads: &[(&str, &str)],
        flags: &[&str],
    ) -> anyhow::Result<Self> {
        let own = ["agent", "simulator"].map(|name| Cgroup::make(&format!("{parent}/{name}")));
        let [agents, simulators] = own;
        let (agents, simulators) = (agents?, simulators?);
        // Measuring draws power too: this process is part of the host.
        fs::write(simulators.folder().join("cgroup.procs"), std::process::id().to_string())
            .context("cannot enter a cgroup")?;
        let parts = machine.parts.len();
        let (mut made, mut running) = (Vec::new(), Vec::new());
        for (index, (name, script)) in workloads.iter().enumerate() {
            let cgroup = Cgroup::make(&format!("{parent}/{name}"))?;
            if !script.is_empty() {
                let mut command = on_part(&cgroup, index, parts, script);
                running.push(Owned(command.spawn().context("cannot start a workload")?));
            }
            made.push(((*name).to_owned(), cgroup));
        }
        let names: Vec<&str> = workloads.iter().map(|(name, _)| *name).collect();
        let simulator = Simulator::start(machine, parent, &names)?;
        let sysfs = format!("--path.sysfs={}", simulator.path().display());
        let idle = machine.idle / machine.packages() as f64;
        let idle = machine.is_idle_told.then(|| format!("--attribution.idle-watts={idle}"));
        let source = format!("--energy.source={}", machine.source());
        let devices = simulator.devices().map(|folder| format!("--path.devfs={}", folder.display()));
        // Only the threads of one machine share a core; on this host, any of the real CPUs may.
        let plain = (machine.part != Part::Thread).then_some("--attribution.shared-core-weight=1");
        let fixed = [
            sysfs.as_str(),
            "--path.cgroupfs=/sys/fs/cgroup",
            "--cpu.source=bpf",
            &source,
            "--containers.docker-socket=",
            "--containers.podman-socket=",
        ];
        let fixed: Vec<&str> =
            fixed.into_iter().chain(idle.as_deref()).chain(devices.as_deref()).chain(plain).collect();
        let program = simulator.program(binary)?;
        let mut agent = Agent::spawn(&program, &[&fixed, flags].concat(), &[])?;
        agent.wait_ready()?;
        fs::write(agents.folder().join("cgroup.procs"), agent.pid().to_string())
            .context("cannot put the agent into a cgroup")?;
        let own = [agents, simulators];
        Ok(Self { simulator, agent, parts, workloads: made, _running: running, _own: own })
    }

    /// A shell in the cgroup of a workload, on its CPUs.
    pub fn command(&self, name: &str, script: &str) -> anyhow::Result<Command> {
        let index = self.workloads.iter().position(|(known, _)| known == name);
        let index = index.with_context(|| format!("no workload {name}"))?;
        Ok(on_part(&self.workloads[index].1, index, self.parts, script))
    }
}

fn on_part(cgroup: &Cgroup, index: usize, parts: usize, script: &str) -> Command {
    let mut command = cgroup.command("taskset");
    command.args(["--cpu-list", &cpus_of(part_of(index, parts), parts)]);
    command.args(["sh", "-c", script]).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

impl Drop for Stage {
    fn drop(&mut self) {
        // The process leaves the cgroup, which could not be removed otherwise.
        let procs = cgroup::root().map(|root| root.join("cgroup.procs"));
        let _ = procs.map(|procs| fs::write(procs, std::process::id().to_string()));
    }
}
