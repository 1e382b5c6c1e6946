//! Tracks encoder processes: the running transcodes, and what their command lines ask for.
//!
//! No IO: the caller reads procfs and hands in the result.
//!
//! **Bounded:** by [`ROOM`] running transcodes; ended ones leave with their accounts.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use agent_core::ffmpeg::command_line;
use agent_core::model::cpu::{CgroupId, Consumer, ProcessId};
use agent_core::model::transcode::{
    EarlierTranscode, Encode, Observation, ProcessEnd, ProcessIdentity, TranscodeId, TranscodeIdentity,
};
use agent_core::model::workload::WorkloadId;
use agent_core::model::written::WrittenPaths;
use agent_core::time::{MonoTime, WallTime};

use crate::source::identity::processes::Running;

/// Most simultaneous transcodes. Further ones are charged with their workload only.
const ROOM: usize = 8192;

/// An encoder process that has started.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Started<'a> {
    pub process: ProcessId,
    /// Its number in procfs, where known.
    pub local: Option<ProcessId>,
    /// Start time by procfs, in the kernel's clock ticks since boot.
    pub start_time: Option<u64>,
    /// Start time.
    pub at: WallTime,
    /// Time at which the agent noticed it.
    pub noticed: MonoTime,
    /// The workload in which it started.
    pub workload: WorkloadId,
    /// As in `/proc/…/cmdline`; empty when it ended before it could be read.
    pub command_line: &'a [u8],
}

/// One run of an encoder.
#[derive(Clone, Debug)]
pub(crate) struct Transcode {
    /// Identity of the transcode.
    pub identity: TranscodeIdentity,
    /// The workload in which it started.
    pub workload: WorkloadId,
    pub process: ProcessId,
    /// Its number in procfs, where known.
    pub local: Option<ProcessId>,
    /// Start time by procfs, in the kernel's clock ticks since boot: a process with another start time is another one.
    pub start_time: Option<u64>,
    /// Start time.
    pub started: WallTime,
    /// Time at which the agent noticed it: an event of its start that is older belongs to it.
    pub noticed: MonoTime,
    /// End time.
    pub ended: Option<WallTime>,
    /// Exit status and stop signal, where the kernel reports them.
    pub exit: Option<ProcessEnd>,
    /// Keys of its CPU time: one for each cgroup it has been in.
    pub consumers: Vec<Consumer>,
    /// The observed part of its life.
    pub observation: Observation,
}

impl Transcode {
    /// Its process in procfs, where known.
    pub(crate) fn in_procfs(&self) -> Option<Running> {
        Some(Running { id: self.local?, start_time: self.start_time? })
    }
}

/// All transcodes that run or have an account.
#[derive(Debug, Default)]
pub(crate) struct Transcodes {
    /// Transcodes whose last CPU time may still arrive.
    running: HashMap<ProcessId, TranscodeId>,
    all: HashMap<TranscodeId, Transcode>,
    next: u32,
    /// Names of `cpu.tracked`: labels may show them.
    names: Vec<String>,
}

impl Transcodes {
    pub(crate) fn new(names: Vec<String>) -> Self {
        Self { names, ..Self::default() }
    }

    /// Adds a tracked process that has started.
    pub(crate) fn started(&mut self, started: Started<'_>) -> TranscodeId {
        let Started { process, local, start_time, at, noticed, workload, command_line } = started;
        let id = TranscodeId(self.next);
        self.next += 1;
        let key = self.key(process, at);
        let written = WrittenPaths::of(command_line);
        let encode = Arc::new(encode(command_line, &self.names));
        let identity = TranscodeIdentity { key, encode, written };
        let transcode = Transcode {
            identity,
            workload,
            process,
            local,
            start_time,
            started: at,
            noticed,
            ended: None,
            exit: None,
            consumers: Vec::new(),
            observation: Observation::default(),
        };
        self.all.insert(id, transcode);
        self.running.insert(process, id);
        id
    }

    /// A key that no kept transcode has: the number of a process may be used twice in a second.
    fn key(&self, process: ProcessId, at: WallTime) -> Arc<str> {
        let key = format!("{}-{}", process.0, at.0 as u64);
        let is_free = |key: &str| self.all.values().all(|one| &*one.identity.key != key);
        let further = (2_u32..).map(|number| format!("{key}-{number}"));
        let mut keys = std::iter::once(key.clone()).chain(further);
        keys.find(|key| is_free(key)).unwrap_or(key).into()
    }

    /// Replaces the program of a tracked process, such as a wrapper that execs the encoder: it is the same transcode.
    pub(crate) fn became(&mut self, id: TranscodeId, command_line: &[u8]) {
        if let Some(transcode) = self.all.get_mut(&id) {
            transcode.identity.encode = Arc::new(encode(command_line, &self.names));
            transcode.identity.written = WrittenPaths::of(command_line);
        }
    }

    /// Whether one more transcode may run, beside this many other tracked processes.
    pub(crate) fn has_room(&self, others: usize) -> bool {
        self.running.len() + others < ROOM
    }

    /// Number of transcodes that run or have an account.
    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }

    /// Notes the process of a transcode, where procfs shows it.
    pub(crate) fn identified(&mut self, id: TranscodeId, process: Option<ProcessIdentity>) {
        if let Some(transcode) = self.all.get_mut(&id) {
            transcode.observation.process = process.or(transcode.observation.process.take());
        }
    }

    /// Adds a transcode that ran before the agent started: with its key from the agent's previous run, if there is one.
    pub(crate) fn found_running(
        &mut self,
        id: TranscodeId,
        now: WallTime,
        earlier: Option<EarlierTranscode>,
    ) {
        let Some(transcode) = self.all.get_mut(&id) else { return };
        if let Some(earlier) = earlier {
            transcode.observation = earlier.resumed(now);
            transcode.identity.key = earlier.key;
            transcode.started = earlier.started;
            return;
        }
        let missing = Duration::try_from_secs_f64(now.0 - transcode.started.0).unwrap_or_default();
        let process = transcode.observation.process.take();
        transcode.observation = Observation { process, from: Some(now), missing, ..Observation::default() };
    }

    /// Marks the end of a tracked process.
    pub(crate) fn ended(
        &mut self,
        process: ProcessId,
        ended: WallTime,
        exit: Option<ProcessEnd>,
    ) -> Option<TranscodeId> {
        let id = *self.running.get(&process)?;
        let transcode = self.all.get_mut(&id)?;
        transcode.ended.get_or_insert(ended);
        transcode.exit = transcode.exit.or(exit);
        Some(id)
    }

    /// The transcode of a process that runs or has run.
    pub(crate) fn of(&self, process: ProcessId) -> Option<TranscodeId> {
        self.running.get(&process).copied()
    }

    /// Notes a key of a process's CPU time.
    pub(crate) fn seen(&mut self, process: ProcessId, cgroup: CgroupId) {
        let consumer = Consumer::Tasks { cgroup, process: Some(process) };
        if let Some(transcode) = self.running.get(&process).and_then(|id| self.all.get_mut(id))
            && !transcode.consumers.contains(&consumer)
        {
            transcode.consumers.push(consumer);
        }
    }

    /// Releases the number of a process whose last CPU time has been read.
    pub(crate) fn release(&mut self, id: TranscodeId) {
        if let Some(transcode) = self.all.get(&id)
            && self.running.get(&transcode.process) == Some(&id)
        {
            self.running.remove(&transcode.process);
        }
    }

    /// Drops a transcode whose account has been closed.
    pub(crate) fn close(&mut self, id: TranscodeId) {
        self.release(id);
        self.all.remove(&id);
    }

    /// One transcode.
    pub(crate) fn get(&self, id: TranscodeId) -> Option<&Transcode> {
        self.all.get(&id)
    }

    /// Every transcode that runs or has an account.
    pub(crate) fn all(&self) -> impl Iterator<Item = (TranscodeId, &Transcode)> {
        self.all.iter().map(|(id, transcode)| (*id, transcode))
    }

    /// Every transcode that has not been released.
    pub(crate) fn running(&self) -> impl Iterator<Item = (TranscodeId, &Transcode)> {
        self.running.values().filter_map(|id| Some((*id, self.all.get(id)?)))
    }
}

fn encode(cmdline: &[u8], names: &[String]) -> Encode {
    let parsed = command_line::parse(cmdline, names);
    Encode {
        codec: parsed.codec(),
        standard: parsed.codec_standard(),
        hardware: parsed.hardware(),
        preset: parsed.preset(),
        resolution: parsed.resolution(),
        bitrate: parsed.bitrate().map(|bitrate| bitrate.0),
        outputs: parsed.output_count(),
        renditions: parsed.rendition_count(),
        encoded_renditions: parsed.encoded_renditions(),
        copied_streams: parsed.copied_streams(),
        frame_count: parsed.frame_count(),
        is_live: parsed.is_live(),
        program: parsed.program,
    }
}

#[cfg(test)]
mod tests {
    use agent_core::model::transcode::ExitStatus;

    use super::*;

    const X264: &[u8] = b"ffmpeg\0-i\0in.mp4\0-c:v\0libx264\0-preset\0fast\0out.mp4\0";
    const X265: &[u8] = b"ffmpeg\0-i\0in.mp4\0-c:v\0libx265\0out.mp4\0";
    const WORKLOAD: WorkloadId = WorkloadId(50);

    fn start(book: &mut Transcodes, at: f64, command_line: &[u8]) -> TranscodeId {
        let (process, at) = (ProcessId(7), WallTime(at));
        book.started(Started {
            process,
            local: None,
            start_time: None,
            at,
            noticed: MonoTime(0),
            workload: WORKLOAD,
            command_line,
        })
    }

    #[test]
    fn one_run_from_start_to_end() {
        let mut book = Transcodes::default();
        let id = start(&mut book, 1000.7, X264);
        let transcode = book.get(id).unwrap();
        assert_eq!(&*transcode.identity.key, "7-1000");
        assert_eq!(transcode.identity.encode.codec.as_deref(), Some("libx264"));
        assert_eq!(book.ended(ProcessId(7), WallTime(1010.0), Some(ExitStatus::Code(0).into())), Some(id));
        assert_eq!(book.of(ProcessId(7)), Some(id), "its last CPU time may still come");
        book.release(id);
        assert_eq!(book.of(ProcessId(7)), None);
        assert_eq!(book.get(id).unwrap().exit, Some(ExitStatus::Code(0).into()));
    }

    #[test]
    fn a_wrapper_that_becomes_the_encoder_is_one_transcode() {
        let mut book = Transcodes::default();
        let id = start(&mut book, 1000.0, b"ffmpeg\0wrapper\0");
        book.became(id, X265);
        assert_eq!(book.get(id).unwrap().identity.encode.codec.as_deref(), Some("libx265"));
        assert_eq!(book.len(), 1);
    }

    #[test]
    fn a_process_number_used_again_is_another_transcode() {
        let mut book = Transcodes::default();
        let first = start(&mut book, 1000.0, X264);
        book.ended(ProcessId(7), WallTime(1001.0), None);
        let second = start(&mut book, 1002.0, X265);
        assert_ne!(first, second);
        book.release(first);
        assert_eq!(book.of(ProcessId(7)), Some(second), "releasing the first leaves the second alone");
    }

    #[test]
    fn two_runs_under_one_number_in_one_second_have_two_keys() {
        let mut book = Transcodes::default();
        let mut ids = Vec::new();
        for begin in [1000.1, 1000.4, 1000.8] {
            ids.push(start(&mut book, begin, X264));
            book.ended(ProcessId(7), WallTime(begin + 0.1), None);
        }
        let keys = ids.iter().map(|id| book.get(*id).unwrap().identity.key.to_string()).collect::<Vec<_>>();
        assert_eq!(keys, ["7-1000", "7-1000-2", "7-1000-3"]);
    }

    #[test]
    fn a_process_gone_before_it_could_be_read_is_still_a_transcode() {
        let mut book = Transcodes::default();
        let id = start(&mut book, 1000.0, b"");
        assert_eq!(book.get(id).unwrap().identity.encode.codec, None);
    }
}
