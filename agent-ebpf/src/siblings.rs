//! Time in which both CPUs (hardware threads) of a core were busy: simultaneous multithreading.
//!
//! Each CPU publishes its busy time as one word, which the other CPU of its core reads at its own switches. While a CPU is busy, the word
//! is the time since when it would have been busy without a break: its busy time at any moment follows from the word and the clock. So
//! a CPU that stays busy has nothing to publish.
//!
//! All words are by `CLOCK_MONOTONIC`. The scheduler's clocks of two CPUs differ by what interrupts took on each; a CPU that serves
//! interrupts is busy for its sibling.

use agent_common::CpuClock;
use aya_ebpf::helpers::bpf_get_smp_processor_id;

use crate::maps::{PUBLISHED, SIBLINGS, has_siblings};

/// Marks the word of a busy CPU. Nanoseconds reach this bit after 292 years.
const BUSY: u64 = 1 << 63;

/// Busy nanoseconds by a word at a time of `CLOCK_MONOTONIC`.
#[inline(always)]
fn busy_until(word: u64, mono: u64) -> u64 {
    if word & BUSY == 0 { word } else { mono.saturating_sub(word & !BUSY) }
}

/// Of the last `elapsed` nanoseconds on this CPU up to `now`, those in which its sibling was busy.
#[inline(always)]
pub(crate) fn overlap(clock: &mut CpuClock, now: u64, elapsed: u64) -> u64 {
    if !has_siblings() || clock.sibling == 0 {
        return 0;
    }
    let Some(published) = PUBLISHED.get_ptr(clock.sibling - 1) else { return 0 };
    // SAFETY: the verifier has checked the pointer; a word of 64 bits is written and read whole.
    let word = unsafe { (&raw const (*published).word).read_volatile() };
    let busy = busy_until(word, now.wrapping_add(clock.ahead));
    let shared = busy.saturating_sub(clock.sibling_busy);
    clock.sibling_busy = busy;
    if shared < elapsed { shared } else { elapsed }
}

/// Publishes whether this CPU is busy from `mono` on, a time of `CLOCK_MONOTONIC`.
#[inline(always)]
pub(crate) fn publish(clock: &CpuClock, mono: u64, is_busy: bool) {
    if !has_siblings() || clock.sibling == 0 {
        return;
    }
    let Some(published) = PUBLISHED.get_ptr_mut(clock.cpu) else { return };
    // SAFETY: as above; no other CPU writes to this entry.
    let word = unsafe { (*published).word };
    if (word & BUSY != 0) == is_busy {
        return;
    }
    let busy = busy_until(word, mono);
    let word = if is_busy { BUSY | mono.saturating_sub(busy) } else { busy };
    // SAFETY: as above.
    unsafe { (&raw mut (*published).word).write_volatile(word) };
}

/// Takes over what user space has written about this CPU's core.
#[inline(always)]
pub(crate) fn refresh(clock: &mut CpuClock) {
    if !has_siblings() {
        return;
    }
    // SAFETY: the helper has no preconditions.
    clock.cpu = unsafe { bpf_get_smp_processor_id() };
    // SAFETY: the verifier has checked the pointer.
    clock.sibling = SIBLINGS.get_ptr(clock.cpu).map_or(0, |sibling| unsafe { *sibling });
}
