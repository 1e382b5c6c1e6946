//! Tests [`Identities`] by events, walks and windows, with a scripted meter and clock.

mod cgroups;
mod encoders;
mod wrappers;

use std::collections::HashSet;
use std::fs;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use agent_common::ROOT_CGROUP;
use agent_core::attribution::demand::Demand;
use agent_core::attribution::totals::TotalsLimits;
use agent_core::model::cpu::CpuPlace;
use agent_core::model::cpu::{CpuSourceKind, PlaceWindow, Usage};
use agent_core::model::health::MeterHealth;
use agent_core::model::transcode::ExitStatus;
use agent_core::time::Moment;
use agent_core::units::CpuTime;

use super::*;
use crate::clock::manual::TestClock;
use crate::pipeline::earlier::EarlierTranscodes;
use crate::source::SourceError;
use crate::source::cgroup_tree::Walk;
use crate::source::cpu::Tracking;

const SECOND: u64 = 1_000_000_000;
const AGENT: ProcessId = ProcessId(40);

/// A meter that records its calls.
#[derive(Debug, Default)]
struct Meter {
    tracked: HashSet<ProcessId>,
    forgotten: Vec<Consumer>,
    used: HashSet<CgroupId>,
    ended: HashSet<ProcessId>,
    entries: Vec<Consumer>,
}

impl CpuMeter for Meter {
    fn kind(&self) -> CpuSourceKind {
        CpuSourceKind::Bpf
    }
    fn read(&mut self, _clock: &dyn Clock) -> Result<CpuWindow, SourceError> {
        Ok(CpuWindow::default())
    }
    fn events_fd(&self) -> Option<BorrowedFd<'_>> {
        None
    }
    fn events(&mut self, _clock: &dyn Clock) -> Vec<LifecycleEvent> {
        Vec::new()
    }
    fn track(&mut self, process: ProcessId) -> Result<(), SourceError> {
        self.tracked.insert(process);
        Ok(())
    }
    fn untrack(&mut self, process: ProcessId) -> Result<(), SourceError> {
        self.tracked.remove(&process);
        Ok(())
    }
    fn forget(&mut self, consumer: Consumer) {
        self.entries.retain(|entry| *entry != consumer);
        self.forgotten.push(consumer);
    }
    fn consumers(&self) -> Vec<Consumer> {
        self.entries.clone()
    }
    fn with_usage(&self, removed: &[CgroupId]) -> Vec<CgroupId> {
        removed.iter().copied().filter(|id| self.used.contains(id)).collect()
    }
    fn tracking(&self, process: ProcessId) -> Option<Tracking> {
        let (is_on, has_ended) = (self.tracked.contains(&process), self.ended.contains(&process));
        Some(if has_ended {
            Tracking::Ended
        } else if is_on {
            Tracking::On
        } else {
            Tracking::Off
        })
    }
    fn own_process(&self) -> Option<ProcessId> {
        Some(AGENT)
    }
    fn health(&self) -> MeterHealth {
        MeterHealth::default()
    }
}

struct Agent {
    identities: Identities,
    meter: Meter,
    totals: Totals,
    clock: TestClock,
    proc: tempfile::TempDir,
    lost: u64,
}

impl Agent {
    /// An agent on a host whose procfs has this number for it.
    fn in_procfs_as(own: u32) -> Self {
        let proc = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(own.to_string(), proc.path().join("self")).unwrap();
        let roots = HostRoots { proc: proc.path().to_path_buf(), ..HostRoots::default() };
        let numbers = ProcessNumbers::find(&roots, Some(AGENT));
        let limits = TotalsLimits { keep_ended: Duration::from_mins(2), shown: 1000, classes: 200 };
        Self {
            identities: Identities::new(
                Some(AGENT),
                vec!["ffmpeg".to_owned()],
                numbers,
                EarlierTranscodes::default(),
            ),
            meter: Meter::default(),
            totals: Totals::new(limits, Moment::default()),
            clock: TestClock::at(MonoTime(100 * SECOND)),
            proc,
            lost: 0,
        }
    }

    fn new() -> Self {
        Self::in_procfs_as(AGENT.0)
    }

    fn ask<T>(&mut self, question: impl FnOnce(&mut Identities, &mut Context<'_>) -> T) -> T {
        let roots = HostRoots { proc: self.proc.path().to_path_buf(), ..HostRoots::default() };
        let mut context = Context {
            roots: &roots,
            clock: &self.clock,
            cpu: &mut self.meter,
            tree: None,
            totals: &mut self.totals,
        };
        question(&mut self.identities, &mut context)
    }

    fn event(&mut self, event: LifecycleEvent) {
        self.ask(|identities, context| identities.event(event, context));
    }

    fn made(&mut self, id: u64, path: &str) {
        let (at, id, path) = (self.clock.now(), Some(CgroupId(id)), Some(path.to_owned()));
        self.event(LifecycleEvent::CgroupMade { at, id, path });
    }

    fn removed(&mut self, id: u64) {
        self.event(LifecycleEvent::CgroupRemoved { at: self.clock.now(), id: Some(CgroupId(id)) });
    }

    fn exec(&mut self, process: u32, was_tracked: bool) {
        self.exec_known_as(process, None, was_tracked);
    }

    fn exec_known_as(&mut self, process: u32, local: Option<u32>, was_tracked: bool) {
        self.meter.tracked.insert(ProcessId(process));
        self.exec_event(self.clock.now(), process, local, was_tracked);
    }

    /// The event alone, of an earlier time.
    fn exec_event(&mut self, at: MonoTime, process: u32, local: Option<u32>, was_tracked: bool) {
        let (process, local) = (ProcessId(process), local.map(ProcessId));
        let cgroup = CgroupId(ROOT_CGROUP);
        self.event(LifecycleEvent::Exec { at, process, local, was_tracked, cgroup, legacy: None });
    }

    fn exit(&mut self, process: u32) {
        let (process, exit) = (ProcessId(process), Some(ExitStatus::Code(0).into()));
        self.event(LifecycleEvent::Exit { at: self.clock.now(), process, exit });
    }

    /// Adds a process to procfs.
    fn process(&self, id: u32, start_time: u64, comm: &str, command_line: &str) {
        self.child(1, id, start_time, comm, command_line);
    }

    /// Adds a process of this parent to procfs.
    fn child(&self, parent: u32, id: u32, start_time: u64, comm: &str, command_line: &str) {
        let folder = self.proc.path().join(id.to_string());
        fs::create_dir_all(&folder).unwrap();
        let (zeros, rest) = ("0 ".repeat(16), "0 ".repeat(30));
        fs::write(folder.join("stat"), format!("{id} ({comm}) S {parent} {zeros}1 {start_time} {rest}\n"))
            .unwrap();
        fs::write(folder.join("cmdline"), format!("{command_line} ").replace(' ', "\0")).unwrap();
    }

    fn gone(&self, id: u32) {
        fs::remove_dir_all(self.proc.path().join(id.to_string())).unwrap();
    }

    /// One second later: a tick with this CPU time, and a walk if one is wanted, of this hierarchy.
    fn tick(&mut self, used: &[(u64, Option<u32>)], there: &[(u64, &str)]) {
        self.clock.advance(Duration::from_secs(1));
        let now = self.clock.now();
        let place = CpuPlace::on_die(0, 0);
        let usage = |(cgroup, process): &(u64, Option<u32>)| {
            let (cgroup, process) = (CgroupId(*cgroup), process.map(ProcessId));
            Usage { consumer: Consumer::Tasks { cgroup, process }, place: 0, busy: CpuTime(1_000_000).into() }
        };
        let window = CpuWindow {
            start: now,
            end: now,
            places: vec![PlaceWindow { place, cpus: 1, elapsed: CpuTime(SECOND), idle: CpuTime(0) }],
            usage: used.iter().map(usage).collect(),
        };
        if self.identities.needs_walk(&window, self.lost, now) {
            let cgroups = there.iter().map(|(id, path)| (CgroupId(*id), (*path).to_owned())).collect();
            let walk = Walk { cgroups, is_whole: true };
            self.ask(|identities, context| identities.walked(Some(&walk), context));
        }
        self.identities.admit(now, &mut self.totals);
        let mut demand = Demand::default();
        for usage in &window.usage {
            let Consumer::Tasks { cgroup, process } = usage.consumer else { continue };
            let claimant = self.ask(|identities, context| identities.claimant(cgroup, process, context));
            demand.add(claimant, place, usage.busy);
        }
        self.totals.begin_window(&demand.totals());
        self.ask(|identities, context| identities.settle(&window, now, context));
        let (workloads, transcodes) = self.totals.end_window(now);
        self.identities.close(&workloads, &transcodes, &mut self.meter);
        self.totals.published(Moment { mono: now, ..Moment::default() });
    }

    fn ticks(&mut self, count: usize) {
        for _ in 0..count {
            self.tick(&[], &[]);
        }
    }

    /// Workloads with an account, by name, and whether they run; without the pseudo-workloads.
    fn workloads(&self) -> Vec<(String, bool)> {
        let named = self.totals.workloads().filter(|(id, _)| id.pseudo().is_none());
        let mut names: Vec<_> = named
            .map(|(id, entry)| (self.identities.identity(id).name.to_string(), entry.ended.is_none()))
            .collect();
        names.sort();
        names
    }

    /// Transcodes with an account: key, codec, and whether they run.
    fn transcodes(&self) -> Vec<(String, Option<String>, bool)> {
        let known = self.totals.transcodes().filter_map(|(id, _)| self.identities.transcode(id));
        let mut keys: Vec<_> = known
            .map(|one| {
                let codec = one.identity.encode.codec.as_deref().map(str::to_owned);
                (one.identity.key.to_string(), codec, one.ended.is_none())
            })
            .collect();
        keys.sort();
        keys
    }

    fn cgroups_kept(&self) -> u64 {
        let kept = self.identities.kept();
        kept.iter().find(|(what, _)| *what == "cgroup").unwrap().1.entries
    }
}

fn shown(name: &str, runs: bool) -> (String, bool) {
    (name.to_owned(), runs)
}

fn transcode(key: &str, codec: Option<&str>, runs: bool) -> (String, Option<String>, bool) {
    (key.to_owned(), codec.map(str::to_owned), runs)
}

fn tasks(cgroup: u64, process: Option<u32>) -> Consumer {
    Consumer::Tasks { cgroup: CgroupId(cgroup), process: process.map(ProcessId) }
}
