//! Publishes the immutable snapshot of a tick, which all readers share.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use agent_core::attribution::{IdlePolicy, totals};
use agent_core::join;
use agent_core::join::figures::Prices;
use agent_core::join::history::Charge;
use agent_core::model::cpu::CpuWindow;
use agent_core::model::health::Kept;
use agent_core::model::joined::Joined;
use agent_core::model::snapshot::{
    EndedSnapshot, Method, SeriesSnapshot, SharedSnapshot, Snapshot, TranscodeSnapshot, WorkloadSnapshot,
};
use agent_core::model::transcode::TranscodeId;
use agent_core::model::workload::WorkloadId;
use agent_core::time::Moment;
use tokio::sync::watch;

use super::cpu::CpuAccounting;
use super::energy::EnergyAccounting;
use super::figures::SlowFigures;
use super::findings::FindingTracker;
use super::progress::ProgressTracker;
use super::schedule::{Schedule, TickSpan};
use super::sources::HealthTracker;

/// Sender of snapshots, and the figures of other threads that each snapshot has.
pub(super) struct Publisher {
    pub(super) sender: watch::Sender<Option<SharedSnapshot>>,
    pub(super) joined: watch::Receiver<Arc<Joined>>,
    pub(super) prices: Prices,
}

/// Parts of the pipeline that a snapshot shows.
#[derive(Clone, Copy)]
pub(super) struct Shown<'a> {
    /// Time of the CPU reading.
    pub(super) read: Moment,
    pub(super) schedule: &'a Schedule,
    pub(super) cpu: &'a CpuAccounting,
    pub(super) energy: &'a EnergyAccounting,
    pub(super) totals: &'a totals::Totals,
    pub(super) progress: &'a ProgressTracker,
    pub(super) figures: &'a SlowFigures,
    pub(super) health: &'a HealthTracker,
    pub(super) findings: &'a FindingTracker,
}

/// Parts of the pipeline that the transcodes of a snapshot show.
#[derive(Clone, Copy)]
pub(super) struct ShownTranscodes<'a> {
    /// Time of the CPU reading.
    pub(super) read: Moment,
    pub(super) cpu: &'a CpuAccounting,
    pub(super) energy: &'a EnergyAccounting,
    pub(super) totals: &'a totals::Totals,
    pub(super) progress: &'a ProgressTracker,
}

impl Publisher {
    /// Publishes the snapshot of a tick, with these transcodes.
    pub(super) fn publish(
        &self,
        shown: Shown<'_>,
        transcodes: Vec<(TranscodeId, TranscodeSnapshot)>,
        window: &CpuWindow,
        span: TickSpan,
    ) {
        let transcodes = transcodes.into_iter().map(|(_, transcode)| transcode).collect();
        let snapshot = self.snapshot(shown, transcodes, window, span.to.since(span.from));
        self.sender.send_replace(Some(Arc::new(snapshot)));
    }

    fn snapshot(
        &self,
        shown: Shown<'_>,
        transcodes: Vec<TranscodeSnapshot>,
        window: &CpuWindow,
        duration: Duration,
    ) -> Snapshot {
        let Shown { read, schedule, cpu, energy, totals, progress, figures, health, findings } = shown;
        let (ended_workloads, ended_transcodes) = totals.ended();
        let policy = energy.policy();
        let joined = self.joined.borrow().clone();
        Snapshot {
            tick: schedule.number(),
            at: read.mono,
            wall: read.wall,
            window: duration,
            host: figures.host(window),
            method: Method {
                cpu_source: cpu.kind(),
                energy_source: energy.kind(),
                energy_model: energy.model(),
                idle_policy: policy.name(),
                idle_is_shared: policy != IdlePolicy::Own,
            },
            zones: energy.zone_snapshots(window, totals),
            fallbacks: energy.fallbacks(),
            workloads: shown.workloads(),
            transcodes,
            other_transcodes: totals.other_transcodes().account.clone(),
            classes: totals.classes().cloned().collect(),
            namespaces: totals.namespaces().cloned().collect(),
            beyond_limit: totals.beyond_limit(),
            ended: EndedSnapshot { workloads: ended_workloads.clone(), transcodes: ended_transcodes.clone() },
            created: totals.created().wall,
            kept: self.kept(shown),
            findings: findings.current().into_iter().chain(joined.findings.iter().cloned()).collect(),
            joined,
            prices: self.prices.units(),
            engine: figures.engine_use,
            posts: progress.counts(),
            sources: health.all().clone(),
            meter: cpu.meter_health(),
            process: figures.process,
            ticks: schedule.durations().clone(),
            missed_ticks: schedule.missed(),
        }
    }

    fn kept(&self, shown: Shown<'_>) -> BTreeMap<&'static str, Kept> {
        let (workloads, transcodes) = shown.totals.kept();
        let kept = |entries: usize| Kept { entries: entries as u64, evicted: None };
        let accounts = [
            ("workload", kept(workloads)),
            ("transcode", kept(transcodes)),
            ("history", self.joined.borrow().history),
        ];
        accounts.into_iter().chain(shown.cpu.identities().kept()).collect()
    }

    /// Figures of the transcodes that have series of their own.
    pub(super) fn transcodes(&self, shown: ShownTranscodes<'_>) -> Vec<(TranscodeId, TranscodeSnapshot)> {
        let ShownTranscodes { totals, progress, .. } = shown;
        let identities = shown.cpu.identities();
        let joined = self.joined.borrow().clone();
        let has_energy = shown.energy.has_energy(totals);
        let wall = shown.read.wall;
        let mut transcodes: Vec<_> = totals.transcodes().collect();
        transcodes.sort_unstable_by_key(|(id, _)| *id);
        transcodes
            .into_iter()
            .filter_map(|(id, entry)| {
                let transcode = identities.transcode(id)?;
                let compared = joined.outputs.get(&transcode.identity.key).copied().unwrap_or_default();
                let progress = progress.of(id);
                let output = match progress {
                    Some(progress) => join::progress::output(progress, &transcode.identity.encode, compared),
                    None => compared,
                };
                let seconds = transcode.ended.unwrap_or(wall).0 - transcode.started.0;
                let ran = Duration::try_from_secs_f64(seconds).unwrap_or_default();
                let observation = &transcode.observation;
                let observed = (ran.saturating_sub(observation.missing), observation.is_whole());
                let charge = Charge {
                    energy: totals.energy_of(&entry.account) + observation.earlier.energy,
                    cpu: entry.account.cpu + observation.earlier.cpu,
                };
                let seen = join::transcode::seen(observation, charge, progress, &output);
                let figures = || join::transcode::figures(charge, observed, &seen, &output, &self.prices);
                let snapshot = TranscodeSnapshot {
                    identity: transcode.identity.clone(),
                    workload: identities.identity(transcode.workload),
                    account: entry.account.clone(),
                    series: series(entry),
                    started: transcode.started,
                    ended: transcode.ended,
                    exit: transcode.exit,
                    progress: progress.cloned(),
                    output,
                    observation: observation.clone(),
                    seen,
                    figures: has_energy.then(figures),
                };
                Some((id, snapshot))
            })
            .collect()
    }
}

impl Shown<'_> {
    fn workloads(self) -> Vec<WorkloadSnapshot> {
        let (now, identities) = (self.read, self.cpu.identities());
        let mut workloads: Vec<(WorkloadId, WorkloadSnapshot)> = self
            .totals
            .workloads()
            .map(|(id, entry)| {
                let snapshot = WorkloadSnapshot {
                    identity: identities.identity(id),
                    account: entry.account.clone(),
                    series: series(entry),
                    running: entry.ended.is_none(),
                    life: (entry.began.map(|at| now.wall_of(at)), entry.ended.map(|at| now.wall_of(at))),
                    memory: self.figures.memory(id),
                };
                (id, snapshot)
            })
            .collect();
        // Scrapers cache the order of series.
        workloads.sort_unstable_by_key(|(id, _)| *id);
        workloads.into_iter().map(|(_, snapshot)| snapshot).collect()
    }
}

fn series(entry: &totals::Entry) -> SeriesSnapshot {
    SeriesSnapshot { created: entry.created, earlier: entry.earlier.clone() }
}
