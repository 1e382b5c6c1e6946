//! Drives [`Identities`] with events, walks and windows, by a meter and a clock that do what a test says.

use std::collections::HashSet;
use std::fs;
use std::os::fd::BorrowedFd;

use agent_common::ROOT_CGROUP;

use super::*;
use crate::attribution::demand::Demand;
use crate::attribution::totals::TotalsLimits;
use crate::clock::{Moment, WallTime};
use crate::host::CpuPlace;
use crate::model::cpu::{CpuSourceKind, PlaceWindow, Usage};
use crate::model::health::MeterHealth;
use crate::model::transcode::ExitStatus;
use crate::pipeline::earlier::EarlierTranscodes;
use crate::source::SourceError;
use crate::source::cpu::Tracking;
use crate::units::CpuTime;

const SECOND: u64 = 1_000_000_000;
const AGENT: ProcessId = ProcessId(40);

/// What was asked of the meter.
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

struct At(MonoTime);

impl Clock for At {
    fn now(&self) -> MonoTime {
        self.0
    }
    fn wall(&self) -> WallTime {
        WallTime(1_000_000.0 + self.0.0 as f64 / 1e9)
    }
    fn suspended(&self) -> Duration {
        Duration::ZERO
    }
}

struct Agent {
    identities: Identities,
    meter: Meter,
    totals: Totals,
    clock: At,
    proc: tempfile::TempDir,
    lost: u64,
}

impl Agent {
    /// On a host whose procfs has this number for the agent.
    fn in_procfs_as(own: u32) -> Self {
        let proc = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(own.to_string(), proc.path().join("self")).unwrap();
        let roots = HostRoots { proc: proc.path().to_path_buf(), ..HostRoots::default() };
        let numbers = ProcessNumbers::find(&roots, Some(AGENT));
        let limits = TotalsLimits { keep_ended: Duration::from_mins(2), shown: 1000 };
        Self {
            identities: Identities::new(
                Some(AGENT),
                vec!["ffmpeg".to_owned()],
                numbers,
                EarlierTranscodes::default(),
            ),
            meter: Meter::default(),
            totals: Totals::new(limits, Moment::default()),
            clock: At(MonoTime(100 * SECOND)),
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
        let (at, id, path) = (self.clock.0, Some(CgroupId(id)), Some(path.to_owned()));
        self.event(LifecycleEvent::CgroupMade { at, id, path });
    }

    fn removed(&mut self, id: u64) {
        self.event(LifecycleEvent::CgroupRemoved { at: self.clock.0, id: Some(CgroupId(id)) });
    }

    fn exec(&mut self, process: u32, was_tracked: bool) {
        self.exec_known_as(process, None, was_tracked);
    }

    fn exec_known_as(&mut self, process: u32, local: Option<u32>, was_tracked: bool) {
        let (at, process, local) = (self.clock.0, ProcessId(process), local.map(ProcessId));
        let cgroup = CgroupId(ROOT_CGROUP);
        self.meter.tracked.insert(process);
        self.event(LifecycleEvent::Exec { at, process, local, was_tracked, cgroup });
    }

    fn exit(&mut self, process: u32) {
        let (process, status) = (ProcessId(process), Some(ExitStatus::Code(0)));
        self.event(LifecycleEvent::Exit { at: self.clock.0, process, status });
    }

    /// A process in procfs.
    fn process(&self, id: u32, start_time: u64, comm: &str, command_line: &str) {
        let folder = self.proc.path().join(id.to_string());
        fs::create_dir_all(&folder).unwrap();
        let (zeros, rest) = ("0 ".repeat(16), "0 ".repeat(30));
        fs::write(folder.join("stat"), format!("{id} ({comm}) S 1 {zeros}1 {start_time} {rest}\n")).unwrap();
        fs::write(folder.join("cmdline"), command_line.replace(' ', "\0")).unwrap();
    }

    fn gone(&self, id: u32) {
        fs::remove_dir_all(self.proc.path().join(id.to_string())).unwrap();
    }

    /// A second later, a tick in which these used CPU time, with a walk if one is wanted: the hierarchy is as given.
    fn tick(&mut self, used: &[(u64, Option<u32>)], there: &[(u64, &str)]) {
        self.clock.0 = self.clock.0.plus(Duration::from_secs(1));
        let now = self.clock.0;
        let place = CpuPlace { package: 0, die: 0 };
        let usage = |(cgroup, process): &(u64, Option<u32>)| {
            let (cgroup, process) = (CgroupId(*cgroup), process.map(ProcessId));
            Usage { consumer: Consumer::Tasks { cgroup, process }, place: 0, busy: CpuTime(1_000_000) }
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

/// A cgroup whose making went unseen is met right after a walk.
#[test]
fn a_stranger_is_looked_for_though_it_came_too_soon_after_a_walk() {
    let mut agent = Agent::new();
    agent.identities.last_walk = Some(agent.clock.0.plus(Duration::from_millis(900)));
    agent.tick(&[(77, None)], &[(77, "/late")]);
    assert_eq!(agent.workloads(), [shown("cgroup 77", true)], "charged under its number meanwhile");
    agent.tick(&[(77, None)], &[(77, "/late")]);
    assert_eq!(agent.workloads(), [shown("/late", true), shown("cgroup 77", false)]);
}

#[test]
fn cgroups_that_are_removed_unused_leave_nothing_behind() {
    let mut agent = Agent::new();
    let permanent = agent.totals.kept().0;
    let path = "d".repeat(1000);
    let mut most = 0;
    for tick in 0..20 {
        for number in 0..11_000 {
            let id = 1000 + tick * 11_000 + number;
            agent.made(id, &format!("/user/{path}-{id}"));
            agent.removed(id);
            most = most.max(agent.cgroups_kept());
        }
        agent.tick(&[], &[]);
    }
    assert!(most <= 1025, "{most} cgroups are kept");
    assert_eq!(agent.workloads(), []);
    agent.ticks(2);
    assert_eq!(agent.cgroups_kept(), 0);
    assert_eq!(agent.totals.kept().0, permanent);
}

#[test]
fn a_job_that_ran_in_a_storm_of_cgroups_keeps_its_name() {
    let mut agent = Agent::new();
    agent.made(5, "/job");
    agent.removed(5);
    agent.meter.used.insert(CgroupId(5));
    for id in 1000..20_000 {
        agent.made(id, &format!("/user/{id}"));
        agent.removed(id);
    }
    agent.tick(&[(5, None)], &[]);
    assert_eq!(agent.workloads(), [shown("/job", false)]);
}

#[test]
fn a_cgroup_is_shown_once_it_has_used_cpu_time() {
    let mut agent = Agent::new();
    agent.made(5, "/idle");
    agent.made(6, "/busy");
    agent.tick(&[(6, None)], &[(5, "/idle"), (6, "/busy")]);
    assert_eq!(agent.workloads(), [shown("/busy", true)]);
    agent.removed(5);
    agent.removed(6);
    agent.ticks(3);
    assert_eq!(agent.workloads(), [shown("/busy", false)]);
    assert_eq!(agent.identities.cgroups.directory.len(), 1);
}

#[test]
fn more_cgroups_than_there_is_room_for_do_not_take_the_names_of_those_that_run() {
    let mut agent = Agent::new();
    for id in 1000..40_000 {
        agent.made(id, &format!("/user/{id}"));
    }
    agent.ticks(5);
    assert!(agent.cgroups_kept() <= 8192 * 2, "{}", agent.cgroups_kept());
    agent.made(50_000, "/job");
    agent.tick(&[(50_000, None)], &[]);
    assert!(agent.workloads().contains(&shown("/job", true)));
    let evicted: u64 = agent.identities.kept().iter().filter_map(|(_, kept)| kept.evicted).sum();
    assert!(evicted > 0);
}

#[test]
fn of_ended_workloads_no_more_than_are_shown_are_kept() {
    let mut agent = Agent::new();
    let permanent = agent.totals.kept().0;
    for id in 0..6000 {
        agent.made(1000 + id, &format!("/job-{id}"));
        agent.removed(1000 + id);
        agent.meter.used.insert(CgroupId(1000 + id));
        if id % 1000 == 999 {
            let used: Vec<_> = (id - 999..=id).map(|id| (1000 + id, None)).collect();
            agent.tick(&used, &[]);
        }
    }
    agent.ticks(3);
    let (workloads, _) = agent.totals.kept();
    assert_eq!(workloads, permanent + 1000);
    assert!(agent.cgroups_kept() <= 4096, "{}", agent.cgroups_kept());
    assert!(agent.workloads().contains(&shown("/job-0", false)), "a name stays for as long as its series");
    assert_eq!(agent.totals.residual(), []);
}

#[test]
fn a_cgroup_of_which_all_events_were_lost_ends_when_it_is_heard_no_more() {
    let mut agent = Agent::new();
    agent.lost = 3;
    agent.tick(&[(77, None)], &[]);
    assert_eq!(agent.workloads(), [shown("cgroup 77", true)]);
    agent.ticks(3);
    assert_eq!(agent.workloads(), [shown("cgroup 77", false)]);
    assert_eq!(agent.meter.forgotten, [tasks(77, None)]);
    // It runs again after all: its account goes on, and its entry is freed again.
    agent.tick(&[(77, None)], &[]);
    assert_eq!(agent.workloads(), [shown("cgroup 77", true)]);
    agent.ticks(3);
    assert_eq!(agent.workloads(), [shown("cgroup 77", false)]);
    assert_eq!(agent.meter.forgotten, [tasks(77, None), tasks(77, None)]);
}

#[test]
fn a_cgroup_of_which_the_removal_was_lost_ends_with_the_next_walk() {
    let mut agent = Agent::new();
    agent.made(5, "/job");
    agent.made(6, "/kept");
    agent.tick(&[(5, None), (6, None)], &[(5, "/job"), (6, "/kept")]);
    agent.lost = 1;
    agent.tick(&[], &[(6, "/kept")]);
    agent.ticks(2);
    assert_eq!(agent.workloads(), [shown("/job", false), shown("/kept", true)]);
    assert!(agent.meter.forgotten.contains(&tasks(5, None)));
}

#[test]
fn a_wrapper_and_what_it_becomes_are_one_transcode_to_the_end() {
    let mut agent = Agent::new();
    agent.process(7, 500, "ffmpeg", "ffmpeg wrapper");
    agent.exec(7, false);
    agent.process(7, 500, "real-encoder", "ffmpeg -i a -c:v libx265 b");
    agent.exec(7, true);
    agent.tick(&[(1, Some(7))], &[]);
    assert_eq!(agent.transcodes(), [transcode("7-1000100", Some("libx265"), true)]);
    agent.exit(7);
    agent.ticks(3);
    assert_eq!(agent.transcodes(), [transcode("7-1000100", Some("libx265"), false)]);
    assert!(!agent.meter.tracked.contains(&ProcessId(7)));
}

#[test]
fn an_encoder_of_which_the_end_was_lost_is_ended() {
    let mut agent = Agent::new();
    agent.process(7, 500, "ffmpeg", "ffmpeg -i a b");
    agent.process(8, 500, "ffmpeg", "ffmpeg -i a b");
    agent.exec(7, false);
    agent.exec(8, false);
    agent.tick(&[(1, Some(7)), (1, Some(8))], &[]);
    agent.gone(7);
    agent.lost = 1;
    agent.ticks(4);
    assert_eq!(agent.transcodes().iter().map(|(_, _, runs)| *runs).collect::<Vec<_>>(), [false, true]);
    assert_eq!(agent.meter.tracked, [ProcessId(8)].into());
    assert_eq!(agent.meter.forgotten, [tasks(1, Some(7))]);
}

#[test]
fn an_encoder_that_procfs_never_showed_is_ended_by_the_kernels_word_only() {
    let mut agent = Agent::new();
    agent.exec(7, false);
    agent.lost = 1;
    agent.ticks(4);
    assert_eq!(agent.transcodes(), [transcode("7-1000100", None, true)]);
    agent.meter.ended.insert(ProcessId(7));
    agent.lost = 2;
    agent.ticks(4);
    assert_eq!(agent.transcodes(), [transcode("7-1000100", None, false)]);
}

#[test]
fn a_number_that_something_else_has_now_is_tracked_no_more() {
    let mut agent = Agent::new();
    agent.process(7, 500, "ffmpeg", "ffmpeg -i a b");
    agent.exec(7, false);
    agent.tick(&[(1, Some(7))], &[]);
    agent.process(7, 900, "make", "make all");
    agent.lost = 1;
    // What it uses until it is tracked no more is told a tick later.
    for _ in 0..4 {
        agent.tick(&[(1, Some(7))], &[]);
    }
    assert_eq!(agent.transcodes().iter().map(|(_, _, runs)| *runs).collect::<Vec<_>>(), [false]);
    assert_eq!(agent.meter.tracked, HashSet::new());
    assert!(agent.meter.forgotten.contains(&tasks(1, Some(7))));
}

#[test]
fn a_number_that_another_encoder_has_now_is_another_transcode() {
    for was_tracked in [false, true] {
        let mut agent = Agent::new();
        agent.process(7, 500, "ffmpeg", "ffmpeg -i a -c:v libx264 b");
        agent.exec(7, false);
        agent.tick(&[(1, Some(7))], &[]);
        // Its end was lost. The kernel tells of the other one, or procfs does.
        agent.process(7, 900, "ffmpeg", "ffmpeg -i a -c:v libx265 b");
        agent.exec(7, was_tracked);
        for _ in 0..4 {
            agent.tick(&[(1, Some(7))], &[]);
        }
        let expected =
            [transcode("7-1000100", Some("libx264"), false), transcode("7-1000101", Some("libx265"), true)];
        assert_eq!(agent.transcodes(), expected);
        assert_eq!(agent.meter.tracked, [ProcessId(7)].into());
        assert_eq!(agent.meter.forgotten, [], "the second one uses the entry of the first");
    }
}

#[test]
fn an_encoder_of_which_the_start_was_lost_is_found() {
    let mut agent = Agent::new();
    agent.tick(&[], &[]);
    agent.process(7, 9950, "ffmpeg", "ffmpeg -i a -c:v libx264 b");
    agent.lost = 1;
    agent.tick(&[], &[]);
    assert_eq!(agent.transcodes(), [], "procfs does not tell its cgroup");
    agent.tick(&[(1, Some(7))], &[]);
    let [(key, codec, runs)] = &agent.transcodes()[..] else { panic!("{:?}", agent.transcodes()) };
    assert_eq!((key.as_str(), codec.as_deref(), *runs), ("7-1000099", Some("libx264"), true));
    assert!(agent.meter.tracked.contains(&ProcessId(7)));
}

#[test]
fn where_procfs_counts_in_another_way_no_number_is_looked_up_in_it() {
    // In a PID namespace of its own: the kernel's 7 is another process than the 7 of procfs.
    let mut agent = Agent::in_procfs_as(std::process::id());
    agent.process(7, 500, "ffmpeg", "ffmpeg -i a -c:v libx264 b");
    agent.process(3, 500, "ffmpeg", "ffmpeg -i a -c:v libx265 b");
    agent.ask(Identities::begin);
    assert_eq!(agent.meter.tracked, HashSet::new(), "nothing is tracked by a wrong number");
    agent.exec_known_as(7, None, false);
    agent.exec_known_as(900, Some(3), false);
    agent.lost = 1;
    agent.ticks(3);
    let expected = [transcode("7-1000100", None, true), transcode("900-1000100", Some("libx265"), true)];
    assert_eq!(agent.transcodes(), expected);
}

#[test]
fn an_encoder_that_ran_before_is_of_the_workload_by_which_the_kernel_charges_it() {
    let mut agent = Agent::new();
    agent.made(5, "/job");
    // Procfs shows a path that begins elsewhere, or none.
    for id in [7, 8] {
        agent.process(id, 500, "ffmpeg", "ffmpeg -i a -c:v libx264 b");
    }
    agent.ask(Identities::begin);
    assert_eq!(agent.meter.tracked, [ProcessId(7), ProcessId(8)].into());
    agent.exit(8);
    assert_eq!(agent.meter.tracked, [ProcessId(7)].into(), "it ended before it was known");
    agent.tick(&[(5, Some(7))], &[(5, "/job")]);
    let known: Vec<&Transcode> = agent.identities.running().map(|(_, transcode)| transcode).collect();
    let [transcode] = known[..] else { panic!("{known:?}") };
    assert_eq!(&*agent.identities.identity(transcode.workload).name, "/job");
    assert!(transcode.observation.from.is_some(), "it is older than the agent");
}

#[test]
fn entries_of_which_nothing_is_known_are_freed() {
    let mut agent = Agent::new();
    agent.made(5, "/kept");
    agent.meter.tracked.insert(ProcessId(8));
    // A cgroup that is gone and one that is there; a process that is tracked no more and one that is.
    let gone = [tasks(77, None), tasks(1, Some(7))];
    let kept = [tasks(5, None), tasks(1, Some(8)), tasks(1, None), Consumer::Kernel];
    agent.meter.entries = [&gone[..], &kept].concat();
    agent.lost = 1;
    for _ in 0..4 {
        agent.tick(&[], &[(1, "/"), (5, "/kept")]);
    }
    assert_eq!(agent.meter.entries, kept);
    assert_eq!(agent.workloads(), []);
}
