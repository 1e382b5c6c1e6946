//! Starts and stops the tracking of processes in the CPU meter, and logs failures.

use agent_core::model::cpu::ProcessId;

use crate::source::cpu::CpuMeter;

/// Starts to track a process. Returns whether it is tracked from now on.
pub(super) fn track(process: ProcessId, cpu: &mut dyn CpuMeter) -> bool {
    let tracked = cpu.track(process);
    if let Err(error) = &tracked {
        tracing::warn!(
            process = process.0,
            "cannot track an encoder; its energy stays with its workload: {}",
            error.chain()
        );
    }
    tracked.is_ok()
}

pub(super) fn stop_tracking(process: ProcessId, cpu: &mut dyn CpuMeter) {
    if let Err(error) = cpu.untrack(process) {
        tracing::warn!(process = process.0, "cannot stop tracking a process: {}", error.chain());
    }
}
