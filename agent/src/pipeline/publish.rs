//! Builds the immutable snapshot of a tick from the pipeline's state.

use std::collections::BTreeMap;
use std::time::Duration;

use agent_core::attribution::totals;
use agent_core::join;
use agent_core::join::history::Charge;
use agent_core::model::cpu::{CpuWindow, PlaceWindow};
use agent_core::model::energy::{EnergySourceKind, Zone};
use agent_core::model::health::Kept;
use agent_core::model::snapshot::{
    EndedSnapshot, HostSnapshot, Method, SeriesSnapshot, Snapshot, TranscodeSnapshot, WorkloadSnapshot,
    ZoneSnapshot,
};
use agent_core::model::workload::WorkloadId;
use agent_core::units::CpuTime;

use crate::pipeline::Pipeline;

impl Pipeline {
    pub(super) fn snapshot(&self, window: &CpuWindow, duration: Duration) -> Snapshot {
        let (ended_workloads, ended_transcodes) = self.totals.ended();
        Snapshot {
            tick: self.tick,
            at: window.end,
            wall: self.clock.wall(),
            window: duration,
            host: self.host(window),
            method: Method {
                cpu_source: self.cpu.kind(),
                energy_source: self.energy.kind(),
                idle_policy: self.policy.name(),
                idle_is_shared: self.policy != agent_core::attribution::IdlePolicy::Own,
            },
            zones: self.zone_snapshots(window),
            workloads: self.workload_snapshots(),
            transcodes: self.transcode_snapshots(),
            other_transcodes: self.totals.other_transcodes().account.clone(),
            beyond_limit: self.totals.beyond_limit(),
            ended: EndedSnapshot { workloads: ended_workloads.clone(), transcodes: ended_transcodes.clone() },
            created: self.totals.created().wall,
            kept: self.kept(),
            joined: self.joined.borrow().clone(),
            prices: self.prices.energy(),
            engine: self.slow.engine_use,
            posts: self.progress.counts(),
            sources: self.health.all().clone(),
            findings: self.findings.current(),
            meter: self.cpu.health(),
            process: self.slow.process,
            ticks: self.ticks.clone(),
            missed_ticks: self.missed_ticks,
        }
    }

    fn kept(&self) -> BTreeMap<&'static str, Kept> {
        let (workloads, transcodes) = self.totals.kept();
        let kept = |entries: usize| Kept { entries: entries as u64, evicted: None };
        let accounts = [
            ("workload", kept(workloads)),
            ("transcode", kept(transcodes)),
            ("history", self.joined.borrow().history),
        ];
        accounts.into_iter().chain(self.identities.kept()).collect()
    }

    fn host(&self, window: &CpuWindow) -> HostSnapshot {
        let elapsed: CpuTime = window.places.iter().map(|place| place.elapsed).sum();
        let busy: CpuTime = window.places.iter().map(PlaceWindow::busy).sum();
        HostSnapshot {
            cpus: self.slow.cpus,
            utilisation: busy.share_of(elapsed),
            memory: self.slow.installed,
            power_limit: self.slow.power_limit,
            containers: self.slow.containers,
            containers_cpu: self.slow.containers_cpu,
        }
    }

    fn zone_snapshots(&self, window: &CpuWindow) -> Vec<ZoneSnapshot> {
        let mirrored = self.energy.mirrored();
        let zones = self.totals.zones().iter().zip(self.totals.host()).zip(self.totals.residual());
        zones
            .map(|((zone, total), residual)| {
                let state = self.zones.get(*zone);
                ZoneSnapshot {
                    zone: *zone,
                    total: *total,
                    by_source: state.map_or_else(Vec::new, |state| {
                        state.by_source.iter().map(|(source, energy)| (*source, *energy)).collect()
                    }),
                    power: state.and_then(|state| state.power),
                    idle_power: self.idle_power(*zone, window),
                    residual,
                    wraps: state.map_or(0, |state| state.wraps),
                    resets: state.map_or(0, |state| state.resets),
                    counts: self.totals.counts(*zone) && !mirrored.iter().any(|(mirror, _)| mirror == zone),
                    is_followed: self.gives(*zone),
                }
            })
            .collect()
    }

    fn gives(&self, zone: Zone) -> bool {
        let state = self.zones.get(zone);
        let is_estimated = state.is_some_and(|state| state.by_source.contains_key(&EnergySourceKind::Model));
        self.energy.gives(zone, is_estimated)
    }

    fn workload_snapshots(&self) -> Vec<WorkloadSnapshot> {
        let now = self.clock.moment();
        let mut workloads: Vec<(WorkloadId, WorkloadSnapshot)> = self
            .totals
            .workloads()
            .map(|(id, entry)| {
                let snapshot = WorkloadSnapshot {
                    identity: self.identities.identity(id),
                    account: entry.account.clone(),
                    series: series(entry),
                    running: entry.ended.is_none(),
                    life: (entry.began.map(|at| now.wall_of(at)), entry.ended.map(|at| now.wall_of(at))),
                    memory: self.slow.memory.get(&id).copied(),
                };
                (id, snapshot)
            })
            .collect();
        // Scrapers cache the order of series.
        workloads.sort_unstable_by_key(|(id, _)| *id);
        workloads.into_iter().map(|(_, snapshot)| snapshot).collect()
    }

    fn transcode_snapshots(&self) -> Vec<TranscodeSnapshot> {
        let joined = self.joined.borrow().clone();
        let zones = self.totals.zones();
        let counts = |zone: usize| zones.get(zone).is_some_and(|zone| self.totals.counts(*zone));
        let is_counting = |zone: &&Zone| self.totals.counts(**zone) && self.gives(**zone);
        let mut counting = zones.iter().filter(is_counting).peekable();
        let has_energy = counting.peek().is_some() && counting.all(|zone| self.zones.was_ever_read(*zone));
        let wall = self.clock.wall();
        let mut transcodes: Vec<_> = self.totals.transcodes().collect();
        transcodes.sort_unstable_by_key(|(id, _)| *id);
        transcodes
            .into_iter()
            .filter_map(|(id, entry)| {
                let transcode = self.identities.transcode(id)?;
                let compared = joined.outputs.get(&transcode.identity.key).copied().unwrap_or_default();
                let progress = self.progress.of(id);
                let output = match progress {
                    Some(progress) => join::progress::output(progress, &transcode.identity.encode, compared),
                    None => compared,
                };
                let seconds = transcode.ended.unwrap_or(wall).0 - transcode.started.0;
                let ran = Duration::try_from_secs_f64(seconds).unwrap_or_default();
                let observation = &transcode.observation;
                let observed = (ran.saturating_sub(observation.missing), observation.is_whole());
                let charge = Charge {
                    energy: entry.account.energy(counts) + observation.earlier.energy,
                    cpu: entry.account.cpu + observation.earlier.cpu,
                };
                let seen = join::transcode::seen(observation, charge, progress, &output);
                let figures = || join::transcode::figures(charge, observed, &seen, &output, &self.prices);
                Some(TranscodeSnapshot {
                    identity: transcode.identity.clone(),
                    workload: self.identities.identity(transcode.workload),
                    account: entry.account.clone(),
                    series: series(entry),
                    started: transcode.started,
                    ended: transcode.ended,
                    status: transcode.status,
                    progress: progress.cloned(),
                    output,
                    observation: observation.clone(),
                    seen,
                    figures: has_energy.then(figures),
                })
            })
            .collect()
    }
}

fn series(entry: &totals::Entry) -> SeriesSnapshot {
    SeriesSnapshot { created: entry.created, earlier: entry.earlier.clone() }
}
