//! Reads the busy time of the host's CPUs from `/proc/stat`.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;

use agent_core::model::cpu::PlaceWindow;
use agent_core::time::MonoTime;
use agent_core::units::CpuTime;

use crate::host::{self, HostRoots};
use crate::source::SourceError;
use agent_core::cpu::topology::CpuTopology;

/// The host's CPUs as of the last poll.
pub(super) struct HostClock {
    file: PathBuf,
    roots: HostRoots,
    topology: CpuTopology,
    /// Idle ticks by CPU number.
    idle: HashMap<usize, u64>,
    at: Option<MonoTime>,
}

impl HostClock {
    pub(super) fn new(roots: &HostRoots, topology: &CpuTopology) -> Self {
        let (file, roots, topology) = (roots.proc.join("stat"), roots.clone(), topology.clone());
        Self { file, roots, topology, idle: HashMap::new(), at: None }
    }

    /// CPU time of each place since the last call; nothing at the first.
    pub(super) fn read(&mut self, at: MonoTime) -> Result<Vec<PlaceWindow>, SourceError> {
        let doing = || format!("read {}", self.file.display());
        let text = fs::read_to_string(&self.file).map_err(|cause| SourceError::transient(doing(), cause))?;
        let now: HashMap<usize, u64> = text.lines().filter_map(idle_ticks).collect();
        if now.is_empty() {
            return Err(SourceError::broken(format!("{} has no line for any CPU", self.file.display())));
        }
        // The place of a CPU is known once it is on line.
        for cpu in now.keys() {
            if !self.topology.has_place(*cpu)
                && let Some(place) = host::cpu_place(&self.roots, *cpu)
            {
                self.topology.enter(*cpu, place);
            }
        }
        let elapsed = self.at.map_or(CpuTime::ZERO, |before| CpuTime::from(at.since(before)));
        let places = self.topology.places().into_iter();
        let mut windows: Vec<PlaceWindow> = places
            .map(|place| PlaceWindow { place, cpus: 0, elapsed: CpuTime::ZERO, idle: CpuTime::ZERO })
            .collect();
        for (cpu, idle) in &now {
            let place = self.topology.place(*cpu).without_core();
            let Some(window) = windows.iter_mut().find(|window| window.place == place) else { continue };
            window.cpus += 1;
            // Idle ticks may go back a little (proc_stat(5)), and one tick may be longer than the window.
            let ticks = idle.saturating_sub(self.idle.get(cpu).copied().unwrap_or(*idle));
            window.elapsed += elapsed;
            window.idle += CpuTime::from_clock_ticks(ticks).min(elapsed);
        }
        self.idle = now;
        self.at = Some(at);
        Ok(windows)
    }
}

/// CPU number and ticks in idle and in iowait, of a line like `cpu0 user nice system idle iowait …`.
fn idle_ticks(line: &str) -> Option<(usize, u64)> {
    let (cpu, rest) = line.strip_prefix("cpu")?.split_once(' ')?;
    let mut fields = rest.split_ascii_whitespace().skip(3).map(str::parse::<u64>);
    let idle = fields.next()?.ok()?;
    let iowait = fields.next().and_then(Result::ok).unwrap_or(0);
    Some((cpu.parse().ok()?, idle.saturating_add(iowait)))
}
