//! Reads CPU time and memory of the container engine's own process.
//!
//! By `/proc`, as the process named `dockerd`: read once in each tick, searched for only while it is not known.

use agent_core::model::cpu::ProcessId;
use agent_core::model::snapshot::EngineUse;
use agent_core::time::MonoTime;
use agent_core::units::{Bytes, CpuTime};
use procfs::process::Stat;

use crate::host::HostRoots;
use crate::source::identity::processes;

const NAME: &str = "dockerd";

/// Watches the engine's process.
#[derive(Debug, Default)]
pub(crate) struct EngineWatch {
    process: Option<(ProcessId, u64)>,
    last: Option<(MonoTime, u64)>,
}

impl EngineWatch {
    /// Whether the process existed at the last reading.
    pub(crate) fn is_known(&self) -> bool {
        self.process.is_some()
    }

    /// Usage since the last call; `None` when no engine runs.
    pub(crate) fn read(&mut self, roots: &HostRoots, at: MonoTime) -> Option<EngineUse> {
        let known = self
            .process
            .and_then(|(id, started)| processes::stat(roots, id).filter(|stat| stat.starttime == started));
        let stat = if let Some(stat) = known {
            stat
        } else {
            self.last = None;
            self.process = None;
            let (id, stat) = find(roots)?;
            self.process = Some((id, stat.starttime));
            stat
        };
        let ticks = stat.utime + stat.stime;
        let cpus = self.last.and_then(|(before, then)| {
            let used = CpuTime::from_clock_ticks(ticks.saturating_sub(then));
            used.share_of(CpuTime::from(at.since(before)))
        });
        self.last = Some((at, ticks));
        let page = rustix::param::page_size() as u64;
        Some(EngineUse { cpus, resident: Bytes(stat.rss * page) })
    }
}

fn find(roots: &HostRoots) -> Option<(ProcessId, Stat)> {
    let found = processes::named(roots, |comm| comm == NAME).into_iter().next()?;
    Some((found.id, processes::stat(roots, found.id)?))
}
