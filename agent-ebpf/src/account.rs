//! Who is charged for the time since this CPU's last switch?
//!
//! The warm path — the same consumer again, or idle in between — is one timestamp and one per-CPU array entry. The hash
//! is touched only when the consumer changes, looked up and changed in place.
//!
//! **Invariant:** on every CPU, at every instant,
//! `accounted_to - started_at = idle + lost + pending + Σ CPU_TIME[·][cpu].total`.

use agent_common::{
    CLASS_KERNEL_THREAD, CLASS_TASK, ConsumerKey, CpuClock, CpuTime, ROOT_CGROUP, UNKNOWN_OFFSET,
};
use aya_ebpf::bindings::BPF_NOEXIST;
use aya_ebpf::helpers::{
    bpf_get_current_cgroup_id, bpf_get_current_pid_tgid, bpf_get_current_task, bpf_ktime_get_ns,
    bpf_probe_read_kernel,
};

use crate::maps::{CPU_CLOCK, CPU_TIME, task_flags_offset};
use crate::tracked;

/// `PF_KTHREAD` of `include/linux/sched.h`, unchanged since 2.6.
const PF_KTHREAD: u32 = 0x0020_0000;

/// Charges the time since the last switch or flush of this CPU to the task that is running on it.
///
/// Both callers have preemption off, and an inter-processor interrupt cannot enter `sched_switch` (it runs with
/// interrupts off), so nothing else touches this CPU's entries meanwhile.
#[inline(always)]
pub(crate) fn charge_current() -> Option<&'static mut CpuClock> {
    let clock = CPU_CLOCK.get_ptr_mut(0)?;
    // SAFETY: the verifier has checked the pointer; exclusive as argued above.
    let clock = unsafe { &mut *clock };
    // SAFETY: the helper has no preconditions.
    let now = unsafe { bpf_ktime_get_ns() };
    let since = clock.accounted_to;
    clock.accounted_to = now;
    if since == 0 {
        clock.started_at = now;
        return Some(clock);
    }
    let elapsed = now - since;
    let pid_tgid = bpf_get_current_pid_tgid();
    if pid_tgid == 0 {
        clock.idle += elapsed;
        return Some(clock);
    }
    let key = consumer((pid_tgid >> 32) as u32);
    if key != clock.key {
        spill(clock);
        clock.key = key;
    }
    clock.pending += elapsed;
    Some(clock)
}

#[inline(always)]
fn consumer(tgid: u32) -> ConsumerKey {
    // SAFETY: the helper has no preconditions.
    let cgroup = unsafe { bpf_get_current_cgroup_id() };
    let tracked = if tracked::is_tracked(tgid) { tgid } else { 0 };
    let class = if cgroup == ROOT_CGROUP && is_kernel_thread() { CLASS_KERNEL_THREAD } else { CLASS_TASK };
    ConsumerKey { cgroup, tracked, class }
}

#[inline(always)]
fn is_kernel_thread() -> bool {
    let offset = task_flags_offset();
    if offset == UNKNOWN_OFFSET {
        return false;
    }
    // SAFETY: the helper has no preconditions; a bad address makes the read fail, not fault.
    let flags = unsafe { bpf_probe_read_kernel((bpf_get_current_task() + u64::from(offset)) as *const u32) };
    matches!(flags, Ok(flags) if flags & PF_KTHREAD != 0)
}

/// Moves the pending time into the accounting map.
#[inline(always)]
pub(crate) fn spill(clock: &mut CpuClock) {
    let pending = clock.pending;
    if pending == 0 {
        return;
    }
    clock.pending = 0;
    if add(&clock.key, pending, clock.epoch) {
        return;
    }
    let first = CpuTime { total: pending, at_flush: 0, epoch: clock.epoch };
    // A second CPU may insert the same key between the look-up and here: then it exists, and its entry is ours to add to.
    if CPU_TIME.insert(&clock.key, &first, u64::from(BPF_NOEXIST)).is_ok()
        || add(&clock.key, pending, clock.epoch)
    {
        return;
    }
    clock.lost += pending;
    clock.lost_count += 1;
}

#[inline(always)]
fn add(key: &ConsumerKey, nanoseconds: u64, epoch: u64) -> bool {
    let Some(entry) = CPU_TIME.get_ptr_mut(key) else { return false };
    // SAFETY: the verifier has checked the pointer; this CPU's value is touched only by this CPU, see `charge_current`.
    let entry = unsafe { &mut *entry };
    if entry.epoch != epoch {
        entry.at_flush = entry.total;
        entry.epoch = epoch;
    }
    entry.total += nanoseconds;
    true
}
