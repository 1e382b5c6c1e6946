//! Reads CPU time, memory, descriptors and threads of the agent's own process.

use agent_core::model::health::ProcessUse;
use agent_core::units::{Bytes, CpuTime};
use procfs::process::{LimitValue, Process};

/// Figures of the agent's own process. From the real `/proc`, whatever the roots, because it is about this process, not about the host.
pub(crate) fn read() -> Option<ProcessUse> {
    let process = Process::myself().ok()?;
    let stat = process.stat().ok()?;
    let max_files = match process.limits().ok()?.max_open_files.soft_limit {
        LimitValue::Value(limit) => Some(limit),
        LimitValue::Unlimited => None,
    };
    let booted = procfs::boot_time_secs().unwrap_or(0) as f64;
    Some(ProcessUse {
        pid: std::process::id(),
        cpu: CpuTime::from_clock_ticks(stat.utime + stat.stime),
        resident: Bytes(stat.rss * procfs::page_size()),
        virtual_memory: Bytes(stat.vsize),
        open_files: process.fd_count().ok()? as u64,
        max_files,
        threads: u64::try_from(stat.num_threads).unwrap_or(0),
        started: booted + CpuTime::from_clock_ticks(stat.starttime).seconds(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_uses_something() {
        let used = read().unwrap();
        assert!(used.resident > Bytes(0) && used.open_files > 2 && used.threads >= 1);
        assert!(used.started > 1_600_000_000.0, "{}", used.started);
    }
}
