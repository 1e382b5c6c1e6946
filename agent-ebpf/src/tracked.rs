//! Tracks encoder processes, which are charged separately from the rest of their cgroup.

use agent_common::{TRACKED_PAGE, tracking};

use crate::maps::TRACKED;

/// Whether a process is charged separately. An ended one still is, until user space has read its last CPU time.
#[inline(always)]
pub(crate) fn is_tracked(tgid: u32) -> bool {
    state(tgid) != tracking::OFF
}

/// State of a process, one of [`tracking`].
#[inline(always)]
pub(crate) fn state(tgid: u32) -> u8 {
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

/// Tracks a process that user space has found. It may have ended meanwhile.
#[inline(always)]
pub(crate) fn track(tgid: u32) {
    if state(tgid) != tracking::ENDED {
        set_state(tgid, tracking::ON);
    }
}
