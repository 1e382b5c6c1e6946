//! Reports life-cycle events: cgroups that are made and removed, tracked processes that start a program and end, and the signals that
//! end them.

use agent_common::{
    COMM_LEN, EventHeader, KernelOffsets, UNKNOWN_OFFSET, event_kind, is_named_ffmpeg, loss, stop_signal,
    tracking,
};
use aya_ebpf::bindings::{BPF_RB_AVAIL_DATA, BPF_RB_FORCE_WAKEUP, BPF_RB_NO_WAKEUP, bpf_pidns_info};
use aya_ebpf::helpers::generated::bpf_get_ns_current_pid_tgid;
use aya_ebpf::helpers::{
    bpf_get_current_comm, bpf_get_current_pid_tgid, bpf_ktime_get_ns, bpf_probe_read_kernel,
    bpf_probe_read_kernel_str_bytes,
};
use aya_ebpf::programs::RawTracePointContext;

use crate::account::current_cgroups;
use crate::maps::{EVENTS, LOSSES, SCRATCH, TRACKED_NAMES, hierarchies, offsets, pid_namespace};
use crate::tracked::{byte, note_signal, set_state, state};

/// Bytes in the ring buffer above which a cgroup's event wakes the agent. Otherwise cgroups that are made at full speed would
/// wake it for each event.
const WAKE_AT: u64 = 128 * 1024;

/// `cgroup_mkdir(struct cgroup *, const char *path)` and `cgroup_rmdir`, same arguments.
#[inline(always)]
pub(crate) fn cgroup_event(context: &RawTracePointContext, kind: u32) {
    let cgroup: *const u8 = context.arg(0);
    let path: *const u8 = context.arg(1);
    let offsets = offsets();
    let Some(hierarchy) = hierarchy(cgroup, &offsets) else { return };
    let followed = hierarchies();
    let is_unified = hierarchy == 0;
    // Tasks are charged by the ids of the followed hierarchies only.
    let is_followed = if is_unified { followed.unified == 1 } else { hierarchy == followed.legacy };
    if !is_followed {
        return;
    }
    let Some(event) = SCRATCH.get_ptr_mut(0) else { return };
    // SAFETY: the verifier has checked the pointer; see `SCRATCH` for why there is no other user of it now.
    let event = unsafe { &mut *event };
    event.header = header(kind);
    let id = cgroup_id(cgroup, &offsets);
    if is_unified {
        event.header.cgroup = id;
    } else {
        event.header.legacy = id;
    }
    let is_known = id != 0;
    // A removed cgroup is identified by its id.
    let length = if is_known && kind == event_kind::CGROUP_REMOVED {
        0
    } else {
        // SAFETY: a bad address makes the read fail, not fault.
        match unsafe { bpf_probe_read_kernel_str_bytes(path, &mut event.path) } {
            Ok(read) => read.len(),
            Err(_) => 0,
        }
    };
    // The mask is for the verifier; a path is always shorter than PATH_LEN, because its last byte is the zero.
    let size = size_of::<EventHeader>() + (length & (agent_common::PATH_LEN - 1));
    // SAFETY: `size` is at most the size of `CgroupEvent`, which starts at `event`.
    let bytes = unsafe { core::slice::from_raw_parts(core::ptr::from_ref(event).cast::<u8>(), size) };
    // Without an id the agent reads the directory, which may be removed soon.
    let can_wait = is_known && EVENTS.query(u64::from(BPF_RB_AVAIL_DATA)) < WAKE_AT;
    let wake = if can_wait { BPF_RB_NO_WAKEUP } else { BPF_RB_FORCE_WAKEUP };
    if EVENTS.output::<[u8]>(bytes, u64::from(wake)).is_err() {
        count_loss();
    }
}

/// `sched_process_exec`: the task already carries its new name.
///
/// A tracked process stays tracked, whatever program it becomes: a wrapper and the encoder that replaces it are one transcode.
#[inline(always)]
pub(crate) fn exec_event() {
    let Ok(name) = bpf_get_current_comm() else { return };
    let tgid = (bpf_get_current_pid_tgid() >> 32) as u32;
    let before = state(tgid);
    let was_tracked = before == tracking::ON;
    if !was_tracked {
        let name = zero_padded(name);
        // SAFETY: the map is only read, and its values never change after load.
        let wanted = is_named_ffmpeg(&name) || unsafe { TRACKED_NAMES.get(name) }.is_some();
        if !wanted {
            // The number of an ended process is used again.
            if before == tracking::ENDED {
                set_state(tgid, tracking::OFF);
            }
            return;
        }
        set_state(tgid, tracking::ON);
    }
    let mut header = process_header(event_kind::EXEC, tgid);
    header.local_tgid = local_tgid();
    header.was_tracked = u32::from(was_tracked);
    emit(header);
}

/// `sched_process_exit(struct task_struct *)`, once a thread.
///
/// The process stays tracked: the exiting thread still uses CPU time (freeing its memory above all) that belongs to the transcode.
/// User space stops tracking it when it closes the transcode's account.
#[inline(always)]
pub(crate) fn exit_event(context: &RawTracePointContext) {
    let pid_tgid = bpf_get_current_pid_tgid();
    let tgid = (pid_tgid >> 32) as u32;
    let byte = byte(tgid);
    if tracking::state(byte) != tracking::ON {
        return;
    }
    let task: *const u8 = context.arg(0);
    let offsets = offsets();
    let group_is_dead = match live_threads(task, &offsets) {
        Some(live) => live == 0,
        None => pid_tgid as u32 == tgid,
    };
    if !group_is_dead {
        return;
    }
    set_state(tgid, tracking::ENDED);
    let mut header = process_header(event_kind::EXIT, tgid);
    if let Some(status) = read::<u32>(task, offsets.task_exit_code) {
        header.status = status;
        header.has_status = 1;
    }
    header.stop_signal = u16::from(tracking::signal(byte));
    emit(header);
}

/// `TRACE_SIGNAL_IGNORED` and `TRACE_SIGNAL_OVERFLOW_FAIL` of `include/trace/events/signal.h`: the process does not get the signal.
const NOT_DELIVERED: [u64; 2] = [1, 3];

/// `signal_generate(int sig, struct kernel_siginfo *, struct task_struct *, int group, int result)`.
#[inline(always)]
pub(crate) fn signal_event(context: &RawTracePointContext) {
    let signal = context.arg::<u64>(0) as u32;
    let result = u64::from(context.arg::<u64>(4) as u32);
    if !stop_signal::is_one(u64::from(signal)) || result == NOT_DELIVERED[0] || result == NOT_DELIVERED[1] {
        return;
    }
    let signal = signal as u8;
    let task: *const u8 = context.arg(2);
    let Some(tgid) = read::<u32>(task, offsets().task_tgid) else { return };
    // The kernel kills when memory is short, and all processes of a PID namespace that ends.
    if signal == stop_signal::KILL && is_sent_by_kernel(context.arg::<u64>(1)) {
        return;
    }
    note_signal(tgid, signal);
}

/// Whether the kernel itself sends a signal: `SEND_SIG_PRIV`, or a `si_code` above 0 (`SI_FROMUSER`).
#[inline(always)]
fn is_sent_by_kernel(info: u64) -> bool {
    const SEND_SIG_NOINFO: u64 = 0;
    const SEND_SIG_PRIV: u64 = 1;
    /// Offset of `si_code`, a part of the ABI (`include/uapi/asm-generic/siginfo.h`).
    const CODE: u32 = 8;
    match info {
        SEND_SIG_NOINFO => false,
        SEND_SIG_PRIV => true,
        _ => read::<i32>(info as *const u8, CODE).is_none_or(|code| code > 0),
    }
}

/// The current process's number in the agent's own PID namespace; 0 when it is not in it.
#[inline(always)]
fn local_tgid() -> u32 {
    let namespace = pid_namespace();
    let mut numbers = bpf_pidns_info { pid: 0, tgid: 0 };
    let size = size_of::<bpf_pidns_info>() as u32;
    // SAFETY: the helper writes `size` bytes, which are those of `numbers`.
    let result =
        unsafe { bpf_get_ns_current_pid_tgid(namespace.device, namespace.inode, &raw mut numbers, size) };
    if result == 0 { numbers.tgid } else { 0 }
}

#[inline(always)]
fn header(kind: u32) -> EventHeader {
    // SAFETY: the helper has no preconditions.
    let at = unsafe { bpf_ktime_get_ns() };
    EventHeader {
        at,
        cgroup: 0,
        legacy: 0,
        kind,
        tgid: 0,
        status: 0,
        has_status: 0,
        stop_signal: 0,
        local_tgid: 0,
        was_tracked: 0,
    }
}

#[inline(always)]
fn process_header(kind: u32, tgid: u32) -> EventHeader {
    let (cgroup, legacy) = current_cgroups();
    EventHeader { tgid, cgroup, legacy, ..header(kind) }
}

/// Sends an event. Events of processes wake the agent at once: a command line can be read only while the process exists.
#[inline(always)]
fn emit(header: EventHeader) {
    match EVENTS.reserve::<EventHeader>(0) {
        Some(mut entry) => {
            entry.write(header);
            entry.submit(u64::from(BPF_RB_FORCE_WAKEUP));
        }
        None => count_loss(),
    }
}

#[inline(always)]
fn count_loss() {
    if let Some(lost) = LOSSES.get_ptr_mut(loss::EVENTS) {
        // SAFETY: the verifier has checked the pointer; the counter is this CPU's own.
        unsafe { *lost += 1 };
    }
}

/// Fills the name with zeros: not every kernel zeroes the bytes after the terminating zero, but the map's keys have zeros there.
#[inline(always)]
fn zero_padded(name: [u8; COMM_LEN]) -> [u8; COMM_LEN] {
    let mut padded = [0; COMM_LEN];
    let mut ended = false;
    let mut index = 0;
    while index < COMM_LEN {
        ended |= name[index] == 0;
        if !ended {
            padded[index] = name[index];
        }
        index += 1;
    }
    padded
}

/// The hierarchy's number; 0 is the default hierarchy, cgroup v2. Without BTF every hierarchy counts as 0, and user space checks the path.
#[inline(always)]
fn hierarchy(cgroup: *const u8, offsets: &KernelOffsets) -> Option<u32> {
    if offsets.cgroup_root == UNKNOWN_OFFSET || offsets.root_hierarchy == UNKNOWN_OFFSET {
        return Some(0);
    }
    let root = read::<u64>(cgroup, offsets.cgroup_root)?;
    read::<u32>(root as *const u8, offsets.root_hierarchy)
}

#[inline(always)]
fn cgroup_id(cgroup: *const u8, offsets: &KernelOffsets) -> u64 {
    let Some(node) = read::<u64>(cgroup, offsets.cgroup_kn) else { return 0 };
    read::<u64>(node as *const u8, offsets.kernfs_id).unwrap_or(0)
}

#[inline(always)]
fn live_threads(task: *const u8, offsets: &KernelOffsets) -> Option<u32> {
    let signal = read::<u64>(task, offsets.task_signal)?;
    read::<u32>(signal as *const u8, offsets.signal_live)
}

/// Reads a member of a kernel object; `None` when its offset is unknown or the read fails.
#[inline(always)]
pub(crate) fn read<T>(object: *const u8, offset: u32) -> Option<T> {
    if offset == UNKNOWN_OFFSET {
        return None;
    }
    // SAFETY: a bad address makes the read fail, not fault.
    unsafe { bpf_probe_read_kernel(object.wrapping_add(offset as usize).cast::<T>()) }.ok()
}
