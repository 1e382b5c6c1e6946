//! Decides when the cgroup hierarchy is walked, and makes up for lost events by what a walk has found.

use std::time::Duration;

use agent_common::ROOT_CGROUP;
use agent_core::model::cpu::{CgroupId, CpuWindow};
use agent_core::time::MonoTime;

use crate::pipeline::identity::{Context, Identities};
use crate::source::cgroup_tree::Walk;
use crate::source::cpu::{CpuMeter, Tracking};

/// Shortest time between two requested walks.
const WALK_PAUSE: Duration = Duration::from_secs(1);

/// Interval of walks without a request, in case an event was lost without being counted.
const WALK_PERIOD: Duration = Duration::from_mins(1);

impl Identities {
    /// Whether the cgroups should be walked before this window is charged.
    pub(in crate::pipeline) fn needs_walk(
        &mut self,
        window: &CpuWindow,
        lost_events: u64,
        now: MonoTime,
    ) -> bool {
        self.has_lost |= lost_events > self.lost_events;
        self.lost_events = lost_events;
        // A cgroup that appears too soon after a walk is not forgotten: by the next tick it has a number for a name, and is not unnamed.
        for usage in &window.usage {
            for cgroup in usage.consumer.cgroups() {
                self.walk_wanted |= self.cgroups.is_wanted(cgroup);
            }
        }
        let since = self.last_walk.map_or(Duration::MAX, |last| now.since(last));
        since >= WALK_PERIOD || (since >= WALK_PAUSE && (self.walk_wanted || self.has_lost))
    }

    /// Handles a walk of the cgroups, where the hierarchy is visible: it recovers lost events.
    pub(in crate::pipeline) fn walked(&mut self, walk: Option<&Walk>, context: &mut Context<'_>) {
        let now = context.clock.now();
        if let Some(walk) = walk {
            self.cgroups.walked(walk, context.tree, now, context.totals);
            if walk.is_whole {
                self.free_entries(walk, context.cpu);
            }
        }
        if self.has_lost || now.since(self.last_reconciled) >= WALK_PERIOD {
            self.last_reconciled = now;
            self.encoders.reconcile(context, &mut self.cgroups);
        }
        (self.walk_wanted, self.has_lost, self.last_walk) = (false, false, Some(now));
    }

    /// Frees the entries of consumers that will not run again, whether they are known or not.
    fn free_entries(&mut self, walk: &Walk, cpu: &mut dyn CpuMeter) {
        for consumer in cpu.consumers() {
            match consumer.process() {
                None => {
                    let is_gone = |id: &CgroupId| id.0 != ROOT_CGROUP && !walk.cgroups.contains_key(id);
                    consumer.cgroups().filter(is_gone).for_each(|id| self.cgroups.gone(id));
                }
                Some(process) if cpu.tracking(process) == Some(Tracking::Off) => cpu.forget(consumer),
                Some(_) => {}
            }
        }
    }
}
