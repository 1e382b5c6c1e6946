//! Which processes are told apart inside their cgroup?

use agent_common::TRACKED_PAGE;

use crate::maps::TRACKED;

#[inline(always)]
pub(crate) fn is_tracked(tgid: u32) -> bool {
    match TRACKED.get(tgid / TRACKED_PAGE) {
        Some(page) => page[(tgid % TRACKED_PAGE) as usize] != 0,
        None => false,
    }
}

#[inline(always)]
pub(crate) fn set_tracked(tgid: u32, tracked: bool) {
    if let Some(page) = TRACKED.get_ptr_mut(tgid / TRACKED_PAGE) {
        // SAFETY: the verifier has checked the pointer, and the index is below the page's length.
        unsafe { page.cast::<u8>().add((tgid % TRACKED_PAGE) as usize).write(u8::from(tracked)) };
    }
}
