//! The lowest cost of a program at `sched_switch`: two programs that do next to nothing, for comparison by `cargo xtask bench`.
//!
//! No part of the agent.

#![no_std]
#![no_main]

use aya_ebpf::helpers::bpf_ktime_get_ns;
use aya_ebpf::macros::{map, raw_tracepoint};
use aya_ebpf::maps::PerCpuArray;
use aya_ebpf::programs::RawTracePointContext;

#[map]
static LAST: PerCpuArray<u64> = PerCpuArray::with_max_entries(1, 0);

/// The cost of a call alone.
#[raw_tracepoint(tracepoint = "sched_switch")]
fn empty(_context: RawTracePointContext) {}

/// The cost of a call and one timestamp.
#[raw_tracepoint(tracepoint = "sched_switch")]
fn timestamp(_context: RawTracePointContext) {
    if let Some(last) = LAST.get_ptr_mut(0) {
        // SAFETY: the verifier has checked the pointer, the entry is this CPU's own, and the helper has no preconditions.
        unsafe { *last = bpf_ktime_get_ns() };
    }
}

/// As in the real programs.
#[unsafe(no_mangle)]
#[unsafe(link_section = "license")]
pub static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

/// Cannot be reached: the verifier refuses a program that could.
#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
