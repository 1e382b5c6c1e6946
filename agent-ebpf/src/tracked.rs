//! Tracks encoder processes, which are charged separately from the rest of their cgroup.

use agent_common::{TRACKED_PAGE, stop_signal, tracking};

use crate::maps::TRACKED;

/// Whether a process is charged separately. An ended one still is, until user space has read its last CPU time.
#[inline(always)]
pub(crate) fn is_tracked(tgid: u32) -> bool {
    byte(tgid) != tracking::OFF
}

/// State of a process, one of [`tracking`].
#[inline(always)]
pub(crate) fn state(tgid: u32) -> u8 {
    tracking::state(byte(tgid))
}

/// State and signal of a process.
#[inline(always)]
pub(crate) fn byte(tgid: u32) -> u8 {
    match TRACKED.get(tgid / TRACKED_PAGE) {
        Some(page) => page[(tgid % TRACKED_PAGE) as usize],
        None => tracking::OFF,
    }
}

#[inline(always)]
pub(crate) fn set_state(tgid: u32, state: u8) {
    if let Some(page) = TRACKED.get_ptr_mut(tgid / TRACKED_PAGE) {
        // SAFETY: the verifier has checked the pointer, and the index is below the page's length.
        unsafe { page.cast::<u8>().add((tgid % TRACKED_PAGE) as usize).write(state) };
    }
}

/// Tracks a process that user space has found. It may have ended meanwhile, or may have been sent a signal before.
#[inline(always)]
pub(crate) fn track(tgid: u32) {
    if byte(tgid) == tracking::OFF {
        set_state(tgid, tracking::on(stop_signal::NOT_KNOWN));
    }
}

/// Notes a signal that was sent to a process. A process that ends at the same moment may stay on until user space stops tracking it.
#[inline(always)]
pub(crate) fn note_signal(tgid: u32, signal: u8) {
    if state(tgid) == tracking::ON {
        set_state(tgid, tracking::on(signal));
    }
}
