//! eBPF programs of ffwatt: they count CPU time and report cgroups and processes that start and end.
//!
//! User space makes every decision.

#![no_std]
#![no_main]

mod account;
mod lifecycle;
mod maps;
mod open_files;
mod siblings;
mod tracked;

use agent_common::{event_kind, order, tracking};
use aya_ebpf::helpers::bpf_get_current_pid_tgid;
use aya_ebpf::macros::{btf_tracepoint, raw_tracepoint};
use aya_ebpf::programs::{BtfTracePointContext, RawTracePointContext};

/// Charges the task that is leaving the CPU: `(bool preempt, struct task_struct *prev, struct task_struct *next)`.
#[btf_tracepoint(function = "sched_switch")]
fn switch(context: BtfTracePointContext) {
    account::switched(context.arg(1), context.arg(2));
}

/// The same on a kernel without type information.
#[raw_tracepoint(tracepoint = "sched_switch")]
fn untyped_switch(_context: RawTracePointContext) {
    account::switched_by_helpers();
}

/// Closes the window on this CPU. Never attached: run on each CPU by `BPF_PROG_TEST_RUN`.
#[raw_tracepoint]
fn flush(_context: RawTracePointContext) {
    account::flush();
}

/// Executes an [`order`] of user space. Never attached.
#[raw_tracepoint]
fn control(context: RawTracePointContext) {
    let tgid = context.arg::<u64>(1) as u32;
    match context.arg::<u64>(0) {
        order::TRACK => tracked::track(tgid),
        order::UNTRACK => tracked::set_state(tgid, tracking::OFF),
        order::WHO_AM_I => {
            if let Some(answer) = maps::ANSWER.get_ptr_mut(0) {
                // SAFETY: the verifier has checked the pointer; user space gives one order at a time.
                unsafe { *answer = (bpf_get_current_pid_tgid() >> 32) as u32 };
            }
        }
        _ => {}
    }
}

/// A cgroup was made.
#[raw_tracepoint(tracepoint = "cgroup_mkdir")]
fn cgroup_mkdir(context: RawTracePointContext) {
    lifecycle::cgroup_event(&context, event_kind::CGROUP_MADE);
}

/// A cgroup was removed.
#[raw_tracepoint(tracepoint = "cgroup_rmdir")]
fn cgroup_rmdir(context: RawTracePointContext) {
    lifecycle::cgroup_event(&context, event_kind::CGROUP_REMOVED);
}

/// A process started a program.
#[raw_tracepoint(tracepoint = "sched_process_exec")]
fn process_exec(_context: RawTracePointContext) {
    lifecycle::exec_event();
}

/// A thread ended.
#[raw_tracepoint(tracepoint = "sched_process_exit")]
fn process_exit(context: RawTracePointContext) {
    lifecycle::exit_event(&context);
}

/// A signal was sent.
#[raw_tracepoint(tracepoint = "signal_generate")]
fn signal(context: RawTracePointContext) {
    lifecycle::signal_event(&context);
}

/// Lists the open files of the GPU's devices. Runs on request, once for each open file of the host; aya has no attribute for iterators.
#[unsafe(no_mangle)]
#[unsafe(link_section = "iter/task_file")]
extern "C" fn device_files(context: *const open_files::TaskFile) -> i32 {
    // SAFETY: the kernel calls it.
    unsafe { open_files::list_file(context) };
    0
}

/// Some helpers (`bpf_probe_read_kernel` among them) are for GPL-compatible programs only.
#[unsafe(no_mangle)]
#[unsafe(link_section = "license")]
pub static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

/// Cannot be reached: the verifier refuses a program that could.
#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
