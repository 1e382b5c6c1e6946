//! Charges CPU time since a CPU's last switch to the task that leaves the CPU.
//!
//! A switch is read in one of two ways. With the kernel's type information (BTF), the program sees the tasks themselves, and
//! takes the time of the scheduler's own clock, from where the scheduler has just written it. It calls no helper, and
//! its charges equal those of the kernel's own accounts (`cpu.stat`). Without BTF, it uses helpers and `CLOCK_MONOTONIC`.
//!
//! The warm path — the same consumer again, or idle in between — touches one per-CPU array entry. The hash is touched only when the
//! consumer changes, looked up and changed in place.
//!
//! **Invariant:** on every CPU, at every instant,
//! `accounted_to - started_at = idle + lost + pending.all + Σ CPU_TIME[·][cpu].total.all`.

use agent_common::{BusyTime, CLASS_TASK, ConsumerKey, CpuClock, CpuTime, ROOT_CGROUP, class_of};
use aya_ebpf::bindings::BPF_NOEXIST;
use aya_ebpf::helpers::{
    bpf_get_current_cgroup_id, bpf_get_current_pid_tgid, bpf_get_current_task, bpf_ktime_get_ns,
};

use crate::maps::{CPU_CLOCK, CPU_TIME, has_siblings, hierarchies, offset};
use crate::{lifecycle, siblings, tracked};

/// Two clocks whose difference changes by more nanoseconds than this in a tick do not keep step. Between the scheduler's reading
/// of its clock and this program's are microseconds.
const OUT_OF_STEP: u64 = 100_000;

/// This CPU's clock. All callers have preemption off, and an inter-processor interrupt cannot enter `sched_switch` (it runs with
/// interrupts off), so nothing else touches this CPU's entries meanwhile.
#[inline(always)]
fn clock() -> Option<&'static mut CpuClock> {
    let clock = CPU_CLOCK.get_ptr_mut(0)?;
    // SAFETY: the verifier has checked the pointer; exclusive as argued above.
    Some(unsafe { &mut *clock })
}

#[inline(always)]
fn monotonic() -> u64 {
    // SAFETY: the helper has no preconditions.
    unsafe { bpf_ktime_get_ns() }
}

/// Charges the time up to `now`; `who` is called only when there is any, and returns `None` when the CPU was idle.
#[inline(always)]
fn charge(clock: &mut CpuClock, now: u64, who: impl FnOnce() -> Option<ConsumerKey>) {
    let since = clock.accounted_to;
    if since == 0 {
        clock.started_at = now;
        clock.accounted_to = now;
        return;
    }
    if now <= since {
        return;
    }
    clock.accounted_to = now;
    let elapsed = now - since;
    let shared = siblings::overlap(clock, now, elapsed);
    let Some(key) = who() else {
        clock.idle += elapsed;
        return;
    };
    if !is_same(&key, &clock.key) {
        spill(clock);
        clock.key = key;
    }
    clock.pending.all += elapsed;
    clock.pending.shared += shared;
}

/// A switch by the kernel's types: charges the task that leaves the CPU.
///
/// The scheduler writes its clock to `se.exec_start` of the task that it puts onto the CPU, and of the one that it has just charged; the
/// idle task has none, but then the other has. So the later of the two is the time of this switch.
#[inline(always)]
pub(crate) fn switched(previous: *const u8, next: *const u8) {
    let Some(clock) = clock() else { return };
    let was_asleep = clock.is_asleep();
    clock.switches += 1;
    let exec_start = offset!(task_exec_start);
    let one: u64 = member(previous, exec_start);
    let other: u64 = member(next, exec_start);
    let now = if one > other { one } else { other };
    if clock.aligned_in <= clock.epoch {
        align(clock, now);
    }
    let (since, idle) = (clock.accounted_to, clock.idle);
    charge(clock, now, || {
        let pid: i32 = member(previous, offset!(task_pid));
        // A CPU that the flush has found idle is idle until this switch.
        if pid == 0 || was_asleep {
            return None;
        }
        let set: *const u8 = member(previous, offset!(task_cgroups));
        let id = |cgroup: *const u8| -> u64 {
            let node: *const u8 = member(cgroup, offset!(cgroup_kn));
            member(node, offset!(kernfs_id))
        };
        let unified = if is_unified() { id(member(set, offset!(set_cgroup))) } else { ROOT_CGROUP };
        let legacy = if is_legacy() {
            let css: *const u8 = member(set, offset!(set_legacy));
            unless_root(id(member(css, offset!(css_cgroup))))
        } else {
            0
        };
        let class = || class_of(member(previous, offset!(task_flags)), member(previous, offset!(task_comm)));
        consumer(member(previous, offset!(task_tgid)), unified, legacy, class)
    });
    // Where no core has two CPUs, the verifier removes this.
    if has_siblings() {
        if clock.idle != idle {
            // The switch to idle may have been hidden: then the sibling still takes this CPU for busy.
            siblings::publish(clock, since.wrapping_add(clock.ahead), false);
        }
        siblings::publish(clock, now.wrapping_add(clock.ahead), keeps_busy(next));
    }
}

/// Whether a task keeps its CPU busy: not the idle task, and none that replaces it.
#[inline(always)]
fn keeps_busy(task: *const u8) -> bool {
    let pid: i32 = member(task, offset!(task_pid));
    pid != 0 && class_of(member(task, offset!(task_flags)), member(task, offset!(task_comm))).is_some()
}

/// Whether tasks are charged by cgroup v2, alone or beside v1. A constant to the verifier, as is [`is_legacy`].
#[inline(always)]
fn is_unified() -> bool {
    hierarchies().unified == 1
}

/// Whether tasks are charged by a hierarchy of cgroup v1, alone or beside v2.
#[inline(always)]
fn is_legacy() -> bool {
    hierarchies().legacy != 0
}

#[inline(always)]
fn unless_root(legacy: u64) -> u64 {
    if legacy == ROOT_CGROUP { 0 } else { legacy }
}

/// Where no hierarchy of cgroup v1 is followed, its part of the key is the same for all.
#[inline(always)]
fn is_same(one: &ConsumerKey, other: &ConsumerKey) -> bool {
    one.cgroup == other.cgroup
        && one.tracked == other.tracked
        && one.class == other.class
        && (!is_legacy() || one.legacy == other.legacy)
}

/// Once after each flush: computes the offset of `CLOCK_MONOTONIC`, which the next flush uses, to the scheduler's clock.
#[inline(always)]
fn align(clock: &mut CpuClock, now: u64) {
    let ahead = monotonic().wrapping_sub(now);
    if clock.aligned_in == 0 && clock.accounted_to != 0 {
        // Begun by a flush, by its clock.
        clock.accounted_to = clock.accounted_to.wrapping_sub(ahead);
        clock.started_at = clock.started_at.wrapping_sub(ahead);
    }
    let moved = ahead.wrapping_sub(clock.ahead).cast_signed().unsigned_abs();
    clock.in_step = u64::from(moved < OUT_OF_STEP);
    clock.ahead = ahead;
    clock.aligned_in = clock.epoch + 1;
}

/// Reads a member of a kernel object whose type the verifier knows; a bad address reads as 0.
#[inline(always)]
fn member<T: Copy>(object: *const u8, offset: u32) -> T {
    // SAFETY: the verifier checks that there is a member at this place of the object; the kernel handles the fault of a bad address.
    unsafe { object.add(offset as usize).cast::<T>().read() }
}

/// A switch without types: charges the task that is current, which at this tracepoint is still the one that leaves.
#[inline(always)]
pub(crate) fn switched_by_helpers() {
    let Some(clock) = clock() else { return };
    let was_asleep = clock.is_asleep();
    clock.switches += 1;
    charge(clock, monotonic(), || if was_asleep { None } else { current() });
}

/// Charges the task that is running, and marks the instant: everything before it belongs to the window that ends.
///
/// The scheduler's clock cannot be read from here. `CLOCK_MONOTONIC` replaces it where the two keep step. They do not where the scheduler's
/// clock stands still while interrupts are served (`CONFIG_IRQ_TIME_ACCOUNTING`) or another machine runs, and a charge too far ahead would
/// be missing from the next task: then the task is charged as far as the scheduler itself has charged it, at its last tick, and the
/// rest belongs to the next window. Idle time is estimated, because an idle CPU has no ticks, but not charged.
#[inline(always)]
pub(crate) fn flush() {
    let Some(clock) = clock() else { return };
    let mono = monotonic();
    let who = current();
    let is_idle = who.is_none();
    // Switches are read without types, or there was none yet: then all times are of one clock, and `ahead` is 0.
    let is_untyped = clock.aligned_in == 0;
    siblings::refresh(clock);
    if !is_untyped {
        siblings::publish(clock, mono, !is_idle);
    }
    let told = mono.wrapping_sub(clock.ahead);
    let asleep = if is_idle && !is_untyped {
        told.saturating_sub(clock.accounted_to)
    } else {
        let is_known = is_untyped || (clock.in_step == 1 && clock.aligned_in > clock.epoch);
        charge(clock, if is_known { told } else { charged_to() }, || who);
        0
    };
    spill(clock);
    clock.epoch += 1;
    clock.flushed_mono = mono;
    clock.flushed_elapsed = clock.accounted_to.wrapping_sub(clock.started_at) + asleep;
    clock.flushed_idle = clock.idle + asleep;
    clock.flushed_lost = clock.lost;
    clock.flushed_in_idle = u64::from(is_idle);
    clock.switches = 0;
}

/// Time up to which the scheduler has charged the current task, by its own clock. 0 when that cannot be read: then nothing is charged now,
/// and all of it at the next switch.
#[inline(always)]
fn charged_to() -> u64 {
    read_current(offset!(task_exec_start)).unwrap_or(0)
}

/// Reads a member of the current task; see [`lifecycle::read`].
#[inline(always)]
fn read_current<T>(offset: u32) -> Option<T> {
    // SAFETY: the helper has no preconditions.
    lifecycle::read(unsafe { bpf_get_current_task() } as *const u8, offset)
}

/// The current task as a consumer; `None` for the idle task and for one that keeps the CPU idle.
#[inline(always)]
fn current() -> Option<ConsumerKey> {
    let pid_tgid = bpf_get_current_pid_tgid();
    if pid_tgid == 0 {
        return None;
    }
    let (unified, legacy) = current_cgroups();
    consumer((pid_tgid >> 32) as u32, unified, legacy, current_class)
}

/// The current task's cgroups in cgroup v2 and in the followed hierarchy of cgroup v1, for [`ConsumerKey`].
#[inline(always)]
pub(crate) fn current_cgroups() -> (u64, u64) {
    // SAFETY: the helper has no preconditions.
    let unified = if is_unified() { unsafe { bpf_get_current_cgroup_id() } } else { ROOT_CGROUP };
    let legacy = if is_legacy() { current_legacy().unwrap_or(0) } else { 0 };
    (unified, unless_root(legacy))
}

#[inline(always)]
fn current_legacy() -> Option<u64> {
    let set: u64 = read_current(offset!(task_cgroups))?;
    let css: u64 = lifecycle::read(set as *const u8, offset!(set_legacy))?;
    let cgroup: u64 = lifecycle::read(css as *const u8, offset!(css_cgroup))?;
    let node: u64 = lifecycle::read(cgroup as *const u8, offset!(cgroup_kn))?;
    lifecycle::read(node as *const u8, offset!(kernfs_id))
}

/// The consumer of these ids. `class` is called only in the root cgroup, which kernel threads never leave.
#[inline(always)]
fn consumer(tgid: u32, cgroup: u64, legacy: u64, class: impl FnOnce() -> Option<u32>) -> Option<ConsumerKey> {
    let class = if cgroup == ROOT_CGROUP { class()? } else { CLASS_TASK };
    let tracked = if tracked::is_tracked(tgid) { tgid } else { 0 };
    Some(ConsumerKey { cgroup, legacy, tracked, class })
}

/// Class of the current task. Without BTF kernel threads are not distinguished from processes.
#[inline(always)]
fn current_class() -> Option<u32> {
    let flags = read_current(offset!(task_flags)).unwrap_or(0);
    class_of(flags, read_current(offset!(task_comm)).unwrap_or(0))
}

/// Moves the pending time into the accounting map.
#[inline(always)]
fn spill(clock: &mut CpuClock) {
    let pending = clock.pending;
    if pending.all == 0 {
        return;
    }
    clock.pending = BusyTime { all: 0, shared: 0 };
    if add(&clock.key, pending, clock.epoch) {
        return;
    }
    let first = CpuTime { total: pending, at_flush: BusyTime { all: 0, shared: 0 }, epoch: clock.epoch };
    // Another CPU may insert the same key between the look-up and here: then the entry exists, and this CPU adds to it.
    if CPU_TIME.insert(&clock.key, &first, u64::from(BPF_NOEXIST)).is_ok()
        || add(&clock.key, pending, clock.epoch)
    {
        return;
    }
    clock.lost += pending.all;
    clock.lost_count += 1;
}

#[inline(always)]
fn add(key: &ConsumerKey, time: BusyTime, epoch: u64) -> bool {
    let Some(entry) = CPU_TIME.get_ptr_mut(key) else { return false };
    // SAFETY: the verifier has checked the pointer; this CPU's value is touched only by this CPU, see `clock`.
    let entry = unsafe { &mut *entry };
    if entry.epoch != epoch {
        entry.at_flush = entry.total;
        entry.epoch = epoch;
    }
    entry.total.all += time.all;
    entry.total.shared += time.shared;
    true
}
