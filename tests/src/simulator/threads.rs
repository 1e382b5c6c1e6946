//! Two threads of a core: how long each was busy alone, and how long beside the other.

use super::machine::BESIDE;

/// The kernel's account of a busy CPU advances at its timer interrupts, 100 times a second or more often.
const TIMER_PERIOD: f64 = 0.01;

/// Time of each thread that has no counterpart on the other yet, in seconds.
#[derive(Debug, Default)]
pub(super) struct Threads([f64; 2]);

/// Time of a thread that is settled.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Settled {
    /// Seconds.
    pub(super) busy: f64,
    /// Seconds alone that draw as much.
    pub(super) weighed: f64,
}

impl Threads {
    /// Adds the seconds of a step. Time without a counterpart within a [`TIMER_PERIOD`] was alone.
    pub(super) fn settle(&mut self, spent: &[f64]) -> [Settled; 2] {
        for (open, spent) in self.0.iter_mut().zip(spent) {
            *open += spent;
        }
        let both = self.0[0].min(self.0[1]);
        let mut settled = [Settled::default(); 2];
        for (open, settled) in self.0.iter_mut().zip(&mut settled) {
            let alone = (*open - both - TIMER_PERIOD).max(0.0);
            *open -= both + alone;
            *settled = Settled { busy: alone + both, weighed: alone + BESIDE * both };
        }
        settled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_busy_part_of_a_thread_beside_a_full_one_is_shared() {
        let mut threads = Threads::default();
        let mut sums = [Settled::default(); 2];
        // The second runs for 50 of 100 ms; both are accounted for every 4 ms only.
        for millisecond in 0..100_000_u32 {
            let is_due = |offset: u32| (millisecond + offset).is_multiple_of(4);
            let runs = millisecond % 100 < 50;
            let spent = [if is_due(0) { 0.004 } else { 0.0 }, if is_due(2) && runs { 0.004 } else { 0.0 }];
            for (sum, settled) in sums.iter_mut().zip(threads.settle(&spent)) {
                sum.busy += settled.busy;
                sum.weighed += settled.weighed;
            }
        }
        let beside = sums[1].busy;
        // 50 ms have twelve periods of 4 ms, or thirteen.
        assert!((sums[0].busy - 100.0).abs() < 0.02 && (47.9..52.1).contains(&beside), "{sums:?}");
        assert!((sums[1].weighed - BESIDE * beside).abs() < 0.02, "{sums:?}");
        assert!((sums[0].weighed - (sums[0].busy - beside + BESIDE * beside)).abs() < 0.02, "{sums:?}");
    }
}
