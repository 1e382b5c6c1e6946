//! Converts between the kernel's clock and the agent's own.

use agent_core::time::MonoTime;

/// Offset of the kernel's clock to the agent's own, in nanoseconds: in a time namespace (`time_namespaces(7)`) they
/// differ.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct KernelClockOffset(i64);

impl KernelClockOffset {
    /// A smaller difference is read latency, not a time-namespace offset.
    const SAME: u64 = 1_000_000_000;

    /// The offset, from a reading of one clock right after the other.
    pub(super) fn between(kernel: MonoTime, own: MonoTime) -> Self {
        let ahead = kernel.0.wrapping_sub(own.0).cast_signed();
        Self(if ahead.unsigned_abs() < Self::SAME { 0 } else { ahead })
    }

    pub(super) fn kernel(self, own: MonoTime) -> MonoTime {
        MonoTime(own.0.saturating_add_signed(self.0))
    }

    pub(super) fn own(self, kernel: MonoTime) -> MonoTime {
        MonoTime(kernel.0.saturating_add_signed(self.0.saturating_neg()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_that_differ_are_told_apart_from_looks_that_take_a_moment() {
        let at = MonoTime(10_000_000_000);
        assert_eq!(KernelClockOffset::between(at, MonoTime(at.0 + 5_000_000)).kernel(at), at);
        let behind = KernelClockOffset::between(at, MonoTime(at.0 + 7_200_000_000_000));
        assert_eq!(behind.kernel(MonoTime(7_210_000_000_000)), at);
        assert_eq!(behind.own(at), MonoTime(7_210_000_000_000));
        assert_eq!(behind.kernel(at), MonoTime(0), "before the machine began there is no time");
    }
}
