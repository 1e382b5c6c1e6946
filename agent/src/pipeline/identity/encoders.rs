//! Maps tracked processes to transcodes, from eBPF life-cycle events and procfs; retires them when they end.
//!
//! The start time of a process distinguishes it from another one with the same number.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use agent_core::attribution::totals::Totals;
use agent_core::model::cpu::{CgroupId, Consumer, ProcessId};
use agent_core::model::transcode::{ProcessEnd, ProcessIdentity, TranscodeId};
use agent_core::model::workload::{Pseudo, WorkloadId};
use agent_core::time::{MonoTime, WallTime};

use crate::host::HostRoots;
use crate::pipeline::earlier::EarlierTranscodes;
use crate::pipeline::identity::cgroups::Cgroups;
use crate::pipeline::identity::tracking::{stop_tracking, track};
use crate::pipeline::identity::wrappers::{self, Wrappers};
use crate::pipeline::identity::{Context, SILENT_TICKS};
use crate::source::cpu::{CpuMeter, Tracking};
use crate::source::identity::process_numbers::ProcessNumbers;
use crate::source::identity::processes::{self, Running};
use crate::source::identity::tracked::is_tracked;
use crate::source::identity::transcodes::{Started, Transcode, Transcodes};

#[derive(Debug)]
pub(super) struct Encoders {
    transcodes: Transcodes,
    /// The agent's own process number in the CPU meter's numbering.
    own: Option<ProcessId>,
    numbers: ProcessNumbers,
    /// Names of `cpu.tracked`.
    names: Vec<String>,
    /// Encoders that were found running, and are no transcodes until their next CPU time shows their cgroup.
    waiting: HashSet<ProcessId>,
    /// Tracked processes that are no transcodes, because they only run one.
    wrappers: Wrappers,
    /// Transcodes of the agent's previous run.
    earlier: EarlierTranscodes,
    /// Ended transcodes whose last CPU time may still arrive, with the number of ticks without any.
    ending: HashMap<TranscodeId, u32>,
    /// Number of processes that were not tracked because there were too many.
    evicted: u64,
}

/// An exec event.
#[derive(Clone, Copy, Debug)]
pub(super) struct Exec {
    pub(super) at: MonoTime,
    pub(super) process: ProcessId,
    pub(super) local: Option<ProcessId>,
    pub(super) was_tracked: bool,
    pub(super) cgroup: CgroupId,
}

impl Encoders {
    pub(super) fn new(
        own: Option<ProcessId>,
        names: Vec<String>,
        numbers: ProcessNumbers,
        earlier: EarlierTranscodes,
    ) -> Self {
        Self {
            transcodes: Transcodes::new(names.clone()),
            own,
            numbers,
            names,
            waiting: HashSet::new(),
            wrappers: Wrappers::default(),
            earlier,
            ending: HashMap::new(),
            evicted: 0,
        }
    }

    /// Whether the process is the agent itself.
    pub(super) fn is_agent(&self, process: ProcessId) -> bool {
        Some(process) == self.own
    }

    /// Whether the meter's process numbers are those of procfs.
    pub(super) fn has_numbers_of_procfs(&self) -> bool {
        self.numbers.are_shared()
    }

    /// The number in procfs of a process with this number in the CPU meter's numbering.
    pub(super) fn in_procfs(&self, process: ProcessId, local: Option<ProcessId>) -> Option<ProcessId> {
        self.numbers.in_procfs(process, local)
    }

    /// Tracks unknown encoders: those older than the agent, and those whose event was lost. Not where procfs numbers otherwise.
    pub(super) fn find_running(&mut self, context: &mut Context<'_>, cgroups: &mut Cgroups) {
        if !self.numbers.are_shared() {
            return;
        }
        let known = |Running { id, .. }: &Running| {
            self.transcodes.of(*id).is_some() || self.wrappers.contains(*id) || self.is_agent(*id)
        };
        let mut found = processes::named(context.roots, |comm| is_tracked(comm, &self.names));
        found.retain(|running| !known(running));
        self.waiting = found.iter().map(|running| running.id).collect();
        for Running { id, .. } in found {
            if let Some(cgroup) = context.tree.and_then(|tree| tree.of_process(context.roots, id)) {
                let workload = cgroups.workload_of(cgroup, context.clock.now(), context.totals);
                self.begin(id, Some(id), None, workload, context);
            } else if !track(id, context.cpu) {
                self.waiting.remove(&id);
            }
        }
    }

    /// Handles the start of a tracked program, or of any program in a tracked process. Returns the workload in which a transcode begins.
    pub(super) fn exec(
        &mut self,
        exec: Exec,
        context: &mut Context<'_>,
        cgroups: &mut Cgroups,
    ) -> Option<WorkloadId> {
        let Exec { at, process, local, was_tracked, cgroup } = exec;
        let local = self.numbers.in_procfs(process, local);
        if let Some(id) = self.transcodes.of(process) {
            let known = self.transcodes.get(id);
            // It was found before the event of its start was read, and may have ended since.
            if known.is_some_and(|known| at < known.noticed) {
                return None;
            }
            let is_same = known.is_some_and(|known| {
                was_tracked && known.ended.is_none() && !is_another(known, local, context.roots)
            });
            if is_same {
                let command_line = local.map(|local| processes::command_line(context.roots, local));
                self.transcodes.became(id, &command_line.unwrap_or_default());
                return None;
            }
            // The event of its end was lost.
            self.end(process, context.clock.moment().wall_of(at), None);
        }
        let workload = if self.is_own_child(local, context.roots) {
            Pseudo::Ffwatt.id()
        } else {
            cgroups.workload_of(cgroup, context.clock.now(), context.totals)
        };
        let begun = self.begin(process, local, Some(at), workload, context);
        self.transcodes.seen(process, cgroup);
        begun.map(|_| workload)
    }

    /// Handles the end of a tracked process.
    pub(super) fn exit(
        &mut self,
        process: ProcessId,
        ended: WallTime,
        exit: Option<ProcessEnd>,
        cpu: &mut dyn CpuMeter,
    ) {
        if self.waiting.remove(&process) || self.wrappers.remove(process) {
            // It ended before it became a transcode, or was none: its last CPU time is charged to the workload.
            stop_tracking(process, cpu);
        }
        self.end(process, ended, exit);
    }

    fn end(&mut self, process: ProcessId, ended: WallTime, exit: Option<ProcessEnd>) {
        if let Some(id) = self.transcodes.ended(process, ended, exit) {
            self.ending.insert(id, 0);
        }
    }

    /// Begins to track a process. `at` is the time of its event; without one, procfs has the start time.
    fn begin(
        &mut self,
        process: ProcessId,
        local: Option<ProcessId>,
        at: Option<MonoTime>,
        workload: WorkloadId,
        context: &mut Context<'_>,
    ) -> Option<TranscodeId> {
        let was_found = self.waiting.remove(&process);
        self.wrappers.remove(process);
        if !self.transcodes.has_room(self.wrappers.len()) {
            self.evicted += 1;
            stop_tracking(process, context.cpu);
            return None;
        }
        // If its number has just been released, the process is tracked again; else this changes nothing.
        if !track(process, context.cpu) {
            return None;
        }
        // Before procfs is read: what it shows is then newer than any event before this time.
        let noticed = context.clock.now();
        let start_time = local.and_then(|local| processes::start_time(context.roots, local));
        let command_line =
            local.map(|local| processes::command_line(context.roots, local)).unwrap_or_default();
        let by_procfs = start_time.zip(local).map(|(start_time, id)| Running { id, start_time });
        if workload != Pseudo::Ffwatt.id() && self.is_wrapper(by_procfs, &command_line, context.roots) {
            self.wrappers.insert(process, by_procfs);
            return None;
        }
        let at = match (at, by_procfs) {
            (Some(at), _) => context.clock.moment().wall_of(at),
            (None, Some(running)) => {
                let uptime = Duration::from_nanos(context.clock.now().0) + context.clock.suspended();
                let age = uptime.saturating_sub(running.since_boot());
                WallTime(context.clock.wall().0 - age.as_secs_f64())
            }
            (None, None) => context.clock.wall(),
        };
        if let Some(running) = by_procfs {
            self.retire_wrappers(running, &command_line, context);
        }
        let started =
            Started { process, local, start_time, at, noticed, workload, command_line: &command_line };
        let id = self.transcodes.started(started);
        let identity = self.identity_of(id);
        if was_found {
            let earlier = identity.as_ref().and_then(|process| self.earlier.take(process));
            self.transcodes.found_running(id, context.clock.wall(), earlier);
        }
        self.transcodes.identified(id, identity);
        if !self.is_own(id) {
            context.totals.open_transcode(id);
        }
        Some(id)
    }

    /// Whether a process only runs an encoder: one that may start later, or that is a transcode already.
    fn is_wrapper(&self, running: Option<Running>, line: &[u8], roots: &HostRoots) -> bool {
        let has_encoder = |running| wrappers::has_encoder(running, line, &self.transcodes, roots);
        wrappers::is_script(line, &self.names) || running.is_some_and(has_encoder)
    }

    /// Ends transcodes that only run a new encoder with this line. One that has been charged keeps its charges, without an encode.
    fn retire_wrappers(&mut self, encoder: Running, line: &[u8], context: &mut Context<'_>) {
        for id in wrappers::around(encoder, line, &self.transcodes, context.roots) {
            let Some(transcode) = self.transcodes.get(id).filter(|_| !self.is_own(id)) else { continue };
            let (process, running) = (transcode.process, transcode.in_procfs());
            self.transcodes.ended(process, context.clock.wall(), None);
            self.transcodes.became(id, &[]);
            context.totals.end_transcode(id, context.clock.now());
            if context.totals.close_unused_transcode(id) {
                self.transcodes.close(id);
            } else {
                self.transcodes.release(id);
            }
            self.wrappers.insert(process, running);
        }
    }

    /// The process of a transcode, for the agent's next run.
    fn identity_of(&self, id: TranscodeId) -> Option<ProcessIdentity> {
        let transcode = self.transcodes.get(id)?;
        self.earlier.identity(transcode.local?, transcode.start_time?)
    }

    /// The transcode of a tracked process that has used CPU time in a cgroup. `None` where too many run.
    pub(super) fn heard(
        &mut self,
        process: ProcessId,
        cgroup: CgroupId,
        workload: WorkloadId,
        context: &mut Context<'_>,
    ) -> Option<TranscodeId> {
        let id = match self.transcodes.of(process) {
            Some(id) => id,
            // CPU time of a tracked process may arrive after its end.
            None if context.cpu.tracking(process) == Some(Tracking::Off) => {
                context.cpu.forget(Consumer::Tasks { cgroup, process: Some(process) });
                return None;
            }
            None if self.wrappers.contains(process) => return None,
            // The event of its start was lost: procfs still shows its command line, if it still exists.
            None => self.begin(process, self.numbers.in_procfs(process, None), None, workload, context)?,
        };
        self.transcodes.seen(process, cgroup);
        Some(id)
    }

    /// After lost events: ends transcodes whose process is gone or whose number another process has now.
    pub(super) fn reconcile(&mut self, context: &mut Context<'_>, cgroups: &mut Cgroups) {
        let is_over = |transcode: &Transcode| {
            transcode.ended.is_none()
                && (context.cpu.tracking(transcode.process) == Some(Tracking::Ended)
                    || is_another(transcode, transcode.local, context.roots))
        };
        let over = self.transcodes.running().filter(|(_, transcode)| is_over(transcode));
        let over: Vec<ProcessId> = over.map(|(_, transcode)| transcode.process).collect();
        for process in over {
            self.end(process, context.clock.wall(), None);
        }
        for process in self.wrappers.gone(context.roots) {
            self.exit(process, context.clock.wall(), None, context.cpu);
        }
        self.find_running(context, cgroups);
    }

    /// Retires ended transcodes, once their last CPU time has been read.
    pub(super) fn settle(&mut self, heard: &HashSet<Consumer>, now: MonoTime, context: &mut Context<'_>) {
        let mut done = Vec::new();
        for (id, silent) in &mut self.ending {
            let transcode = self.transcodes.get(*id);
            let has_run =
                transcode.is_some_and(|transcode| transcode.consumers.iter().any(|key| heard.contains(key)));
            // CPU time under its number may be of another process by now.
            let is_over = has_run && transcode.is_some_and(|one| is_another(one, one.local, context.roots));
            *silent = if has_run && !is_over { 0 } else { *silent + 1 };
            if *silent >= SILENT_TICKS {
                done.push(*id);
            }
        }
        for id in done {
            self.ending.remove(&id);
            self.release(id, now, context.cpu, context.totals);
        }
    }

    fn release(&mut self, id: TranscodeId, now: MonoTime, cpu: &mut dyn CpuMeter, totals: &mut Totals) {
        totals.end_transcode(id, now);
        let Some(transcode) = self.transcodes.get(id) else { return };
        // Its number may be another transcode's by now; then it stays tracked.
        let next = self.transcodes.of(transcode.process).filter(|next| *next != id);
        let next = next.and_then(|next| self.transcodes.get(next));
        if next.is_none() {
            stop_tracking(transcode.process, cpu);
        }
        let is_taken = |key: &Consumer| next.is_some_and(|next| next.consumers.contains(key));
        for consumer in transcode.consumers.iter().filter(|key| !is_taken(key)) {
            cpu.forget(*consumer);
        }
        self.transcodes.release(id);
        if self.is_own(id) {
            // It has no account that will be closed.
            self.transcodes.close(id);
        }
    }

    /// Notes a process that the agent itself has started, of any name.
    pub(super) fn child_started(&mut self, child: ProcessId, context: &mut Context<'_>) {
        let Some(process) = self.numbers.of_child(context.roots, child) else { return };
        if self.transcodes.of(process).is_none() {
            self.begin(
                process,
                self.numbers.in_procfs(process, Some(child)),
                None,
                Pseudo::Ffwatt.id(),
                context,
            );
        }
    }

    /// Whether the agent has started the process.
    pub(super) fn is_own(&self, id: TranscodeId) -> bool {
        self.transcodes.get(id).is_some_and(|transcode| transcode.workload == Pseudo::Ffwatt.id())
    }

    fn is_own_child(&self, local: Option<ProcessId>, roots: &HostRoots) -> bool {
        let (Some(local), Some(own)) = (local, self.numbers.own()) else { return false };
        let parent = processes::stat(roots, local).and_then(|stat| u32::try_from(stat.ppid).ok());
        parent == Some(own.0)
    }

    /// Drops transcodes whose accounts have been closed.
    pub(super) fn close(&mut self, transcodes: &[TranscodeId]) {
        for id in transcodes {
            self.transcodes.close(*id);
        }
    }

    /// One transcode.
    pub(super) fn get(&self, id: TranscodeId) -> Option<&Transcode> {
        self.transcodes.get(id)
    }

    /// Transcodes that run, or have just ended; not the agent's own.
    pub(super) fn running(&self) -> impl Iterator<Item = (TranscodeId, &Transcode)> {
        self.transcodes.running().filter(|(id, _)| !self.is_own(*id))
    }

    /// Every transcode that runs or has an account; the agent's own included.
    pub(super) fn all(&self) -> impl Iterator<Item = (TranscodeId, &Transcode)> {
        self.transcodes.all()
    }

    /// Number of kept transcodes and wrappers.
    pub(super) fn len(&self) -> usize {
        self.transcodes.len() + self.wrappers.len()
    }

    /// Number of processes that were not tracked because there were too many.
    pub(super) fn evicted(&self) -> u64 {
        self.evicted
    }
}

/// Whether another process, or none, has a transcode's number in procfs by now. `false` where procfs has never shown the transcode.
fn is_another(transcode: &Transcode, local: Option<ProcessId>, roots: &HostRoots) -> bool {
    match (local, transcode.start_time) {
        (Some(local), Some(start_time)) => processes::start_time(roots, local) != Some(start_time),
        _ => false,
    }
}
