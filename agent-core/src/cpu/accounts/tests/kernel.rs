//! A small simulated kernel: the accounting of the eBPF programs.

use super::*;

/// The eBPF program's accounting, on plain data. Each CPU has a clock of its own, the scheduler's, that may stand still.
#[derive(Clone, Default)]
pub(super) struct Kernel {
    pub(super) clocks: Vec<CpuClock>,
    pub(super) map: HashMap<ConsumerKey, Vec<Entry>>,
    pub(super) running: Vec<Option<ConsumerKey>>,
    /// Lag of each CPU's clock.
    pub(super) behind: Vec<u64>,
    /// Whether the clocks may be assumed to keep step.
    pub(super) keep_step: bool,
    pub(super) room: usize,
    /// Busy time of each CPU so far and, while it is busy, since when.
    pub(super) published: [(u64, Option<u64>); CPUS],
}

impl Kernel {
    /// The first two CPUs are one core.
    pub(super) fn new(room: usize) -> Self {
        let behind = vec![0; CPUS];
        let clock = |sibling| CpuClock { sibling, ..CpuClock::default() };
        Self {
            clocks: [2, 1, 0].map(clock).to_vec(),
            map: HashMap::new(),
            running: vec![None; CPUS],
            behind,
            keep_step: true,
            room,
            published: [(0, None); CPUS],
        }
    }

    /// As the program does it, but with a pair in place of one word.
    fn overlap(&mut self, cpu: usize, now: u64, elapsed: u64) -> u64 {
        let clock = &mut self.clocks[cpu];
        let Some(sibling) = clock.sibling.checked_sub(1) else { return 0 };
        let (busy, since) = self.published[sibling as usize];
        let busy = busy + since.map_or(0, |since| (now + clock.ahead).saturating_sub(since));
        let shared = busy.saturating_sub(clock.sibling_busy);
        clock.sibling_busy = busy;
        shared.min(elapsed)
    }

    fn publish(&mut self, cpu: usize, at: u64, is_busy: bool) {
        let (busy, since) = self.published[cpu];
        if since.is_some() != is_busy {
            let busy = busy + since.map_or(0, |since| at - since);
            self.published[cpu] = (busy, is_busy.then_some(at));
        }
    }

    fn charge(&mut self, cpu: usize, now: u64) {
        let clock = &mut self.clocks[cpu];
        let since = clock.accounted_to;
        if since == 0 {
            (clock.started_at, clock.accounted_to) = (now, now);
            return;
        }
        if now <= since {
            return;
        }
        clock.accounted_to = now;
        let elapsed = now - since;
        let shared = self.overlap(cpu, now, elapsed);
        match self.running[cpu] {
            None => self.clocks[cpu].idle += elapsed,
            Some(key) => {
                if key != self.clocks[cpu].key {
                    self.spill(cpu);
                    self.clocks[cpu].key = key;
                }
                self.clocks[cpu].pending.all += elapsed;
                self.clocks[cpu].pending.shared += shared;
            }
        }
    }

    pub(super) fn spill(&mut self, cpu: usize) {
        let clock = &mut self.clocks[cpu];
        let pending = std::mem::take(&mut clock.pending);
        if pending.all == 0 {
            return;
        }
        if !self.map.contains_key(&clock.key) && self.map.len() >= self.room {
            clock.lost += pending.all;
            return;
        }
        let entry = &mut self.map.entry(clock.key).or_insert_with(|| vec![Entry::default(); CPUS])[cpu];
        if entry.epoch != clock.epoch {
            entry.at_flush = entry.total;
            entry.epoch = clock.epoch;
        }
        entry.total.all += pending.all;
        entry.total.shared += pending.shared;
    }

    pub(super) fn switch(&mut self, cpu: usize, at: u64, next: Option<ConsumerKey>) {
        let now = at - self.behind[cpu];
        let clock = &mut self.clocks[cpu];
        clock.switches += 1;
        if clock.aligned_in <= clock.epoch {
            if clock.aligned_in == 0 && clock.accounted_to != 0 {
                clock.accounted_to -= self.behind[cpu];
                clock.started_at -= self.behind[cpu];
            }
            clock.in_step = u64::from(self.keep_step && clock.ahead == self.behind[cpu]);
            clock.ahead = self.behind[cpu];
            clock.aligned_in = clock.epoch + 1;
        }
        self.charge(cpu, now);
        self.running[cpu] = next;
        self.publish(cpu, at, next.is_some());
    }

    pub(super) fn flush(&mut self, cpu: usize, at: u64) {
        self.flush_ticked(cpu, at, at - self.behind[cpu]);
    }

    /// A flush when the scheduler had charged the running task only up to `charged_to`.
    pub(super) fn flush_ticked(&mut self, cpu: usize, at: u64, charged_to: u64) {
        let is_idle = self.running[cpu].is_none();
        let mut asleep = 0;
        let clock = &self.clocks[cpu];
        let (is_untyped, told) = (clock.aligned_in == 0, at - clock.ahead);
        if is_idle && !is_untyped {
            asleep = told.saturating_sub(clock.accounted_to);
        } else {
            let is_known = is_untyped || (clock.in_step == 1 && clock.aligned_in > clock.epoch);
            self.charge(cpu, if is_known { told } else { charged_to });
        }
        self.spill(cpu);
        if !is_untyped {
            self.publish(cpu, at, !is_idle);
        }
        let clock = &mut self.clocks[cpu];
        clock.epoch += 1;
        clock.flushed_mono = at;
        clock.flushed_elapsed = clock.accounted_to - clock.started_at + asleep;
        clock.flushed_idle = clock.idle + asleep;
        clock.flushed_lost = clock.lost;
        clock.flushed_in_idle = u64::from(is_idle);
        clock.switches = 0;
    }

    pub(super) fn reading(&self, states: Vec<CpuState>, at: u64) -> Reading {
        let entries = self.map.iter().map(|(key, values)| (*key, values.clone())).collect();
        Reading { at: MonoTime(at), states, clocks: self.clocks.clone(), entries }
    }
}
