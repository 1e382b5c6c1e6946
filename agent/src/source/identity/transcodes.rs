//! Which encoders run, and what were they asked to do?
//!
//! A book of tracked processes. No IO: the caller reads the command line and hands it in.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::WallTime;
use crate::model::cpu::{CgroupId, Consumer, ProcessId};
use crate::model::transcode::{
    EarlierTranscode, Encode, ExitStatus, Observation, ProcessIdentity, TranscodeId, TranscodeIdentity,
};
use crate::model::workload::WorkloadId;
use crate::source::identity::command_line;

/// One run of an encoder.
#[derive(Clone, Debug)]
pub struct Transcode {
    /// What it is.
    pub identity: TranscodeIdentity,
    /// The workload it began in.
    pub workload: WorkloadId,
    /// Its process.
    pub process: ProcessId,
    /// When it began.
    pub started: WallTime,
    /// When it ended.
    pub ended: Option<WallTime>,
    /// How it ended, where the kernel tells.
    pub status: Option<ExitStatus>,
    /// Under which keys its CPU time came: one a cgroup it has been in.
    pub consumers: Vec<Consumer>,
    /// The part of its life that was observed.
    pub observation: Observation,
}

/// The book.
#[derive(Debug, Default)]
pub struct Transcodes {
    running: HashMap<ProcessId, TranscodeId>,
    all: HashMap<TranscodeId, Transcode>,
    next: u32,
}

impl Transcodes {
    /// A tracked program was started in `cgroup` with this command line (as in `/proc/…/cmdline`; empty when it was gone
    /// before it could be read).
    ///
    /// A process that becomes another program is the same transcode, now doing something else: that is what a wrapper script
    /// named `ffmpeg` does. Unless its end had been told: then the number is used again.
    pub fn started(
        &mut self,
        process: ProcessId,
        workload: WorkloadId,
        started: WallTime,
        cmdline: &[u8],
    ) -> TranscodeId {
        let encode = Arc::new(encode(cmdline));
        if let Some(id) = self.running.get(&process)
            && let Some(transcode) = self.all.get_mut(id)
            && transcode.ended.is_none()
        {
            transcode.identity.encode = encode;
            return *id;
        }
        let id = TranscodeId(self.next);
        self.next += 1;
        let key = format!("{}-{}", process.0, started.0 as u64).into();
        let identity = TranscodeIdentity { key, encode };
        let consumers = Vec::new();
        self.all.insert(
            id,
            Transcode {
                identity,
                workload,
                process,
                started,
                ended: None,
                status: None,
                consumers,
                observation: Observation::default(),
            },
        );
        self.running.insert(process, id);
        id
    }

    /// Notes which process a transcode is, where procfs tells.
    pub fn identified(&mut self, id: TranscodeId, process: Option<ProcessIdentity>) {
        if let Some(transcode) = self.all.get_mut(&id) {
            transcode.observation.process = process.or(transcode.observation.process.take());
        }
    }

    /// A transcode that ran before the agent did: under the key that it had for the agent before this one, if that has known it.
    pub fn found_running(&mut self, id: TranscodeId, now: WallTime, earlier: Option<EarlierTranscode>) {
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

    /// A tracked process ended.
    pub fn ended(
        &mut self,
        process: ProcessId,
        ended: WallTime,
        status: Option<ExitStatus>,
    ) -> Option<TranscodeId> {
        let id = *self.running.get(&process)?;
        let transcode = self.all.get_mut(&id)?;
        transcode.ended.get_or_insert(ended);
        transcode.status = transcode.status.or(status);
        Some(id)
    }

    /// The transcode of a process that is or was running.
    pub fn of(&self, process: ProcessId) -> Option<TranscodeId> {
        self.running.get(&process).copied()
    }

    /// Notes under which key the CPU time of a process came.
    pub fn seen(&mut self, process: ProcessId, cgroup: CgroupId) {
        let consumer = Consumer::Tasks { cgroup, process: Some(process) };
        if let Some(transcode) = self.running.get(&process).and_then(|id| self.all.get_mut(id))
            && !transcode.consumers.contains(&consumer)
        {
            transcode.consumers.push(consumer);
        }
    }

    /// The process's last CPU time has been read: its number may mean another one from now on.
    pub fn release(&mut self, id: TranscodeId) {
        if let Some(transcode) = self.all.get(&id)
            && self.running.get(&transcode.process) == Some(&id)
        {
            self.running.remove(&transcode.process);
        }
    }

    /// Its books are closed: forget it.
    pub fn close(&mut self, id: TranscodeId) {
        self.release(id);
        self.all.remove(&id);
    }

    /// One transcode.
    pub fn get(&self, id: TranscodeId) -> Option<&Transcode> {
        self.all.get(&id)
    }

    /// Every transcode that has not been released.
    pub fn running(&self) -> impl Iterator<Item = (TranscodeId, &Transcode)> {
        self.running.values().filter_map(|id| Some((*id, self.all.get(id)?)))
    }

    /// Processes that are tracked now.
    pub fn processes(&self) -> impl Iterator<Item = ProcessId> {
        self.running.keys().copied()
    }
}

fn encode(cmdline: &[u8]) -> Encode {
    let parsed = command_line::parse(cmdline);
    Encode {
        codec: parsed.codec(),
        standard: parsed.codec_standard(),
        hardware: parsed.hardware(),
        preset: parsed.preset(),
        resolution: parsed.resolution(),
        bitrate: parsed.bitrate().map(|bitrate| bitrate.0),
        outputs: parsed.output_count(),
        renditions: parsed.rendition_count(),
        is_live: parsed.is_live(),
        program: parsed.program,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const X264: &[u8] = b"ffmpeg\0-i\0in.mp4\0-c:v\0libx264\0-preset\0fast\0out.mp4\0";
    const X265: &[u8] = b"ffmpeg\0-i\0in.mp4\0-c:v\0libx265\0out.mp4\0";
    const WORKLOAD: WorkloadId = WorkloadId(50);

    #[test]
    fn one_run_from_start_to_end() {
        let mut book = Transcodes::default();
        let id = book.started(ProcessId(7), WORKLOAD, WallTime(1000.7), X264);
        let transcode = book.get(id).unwrap();
        assert_eq!(&*transcode.identity.key, "7-1000");
        assert_eq!(transcode.identity.encode.codec.as_deref(), Some("libx264"));
        assert_eq!(book.ended(ProcessId(7), WallTime(1010.0), Some(ExitStatus::Code(0))), Some(id));
        assert_eq!(book.of(ProcessId(7)), Some(id), "its last CPU time may still come");
        book.release(id);
        assert_eq!(book.of(ProcessId(7)), None);
        assert_eq!(book.get(id).unwrap().status, Some(ExitStatus::Code(0)));
    }

    #[test]
    fn a_wrapper_that_becomes_the_encoder_is_one_transcode() {
        let mut book = Transcodes::default();
        let first = book.started(ProcessId(7), WORKLOAD, WallTime(1000.0), b"ffmpeg\0wrapper\0");
        let second = book.started(ProcessId(7), WORKLOAD, WallTime(1001.0), X265);
        assert_eq!(first, second);
        assert_eq!(book.get(first).unwrap().identity.encode.codec.as_deref(), Some("libx265"));
    }

    #[test]
    fn a_process_number_used_again_is_another_transcode() {
        let mut book = Transcodes::default();
        let first = book.started(ProcessId(7), WORKLOAD, WallTime(1000.0), X264);
        book.ended(ProcessId(7), WallTime(1001.0), None);
        let second = book.started(ProcessId(7), WORKLOAD, WallTime(1002.0), X265);
        assert_ne!(first, second);
        book.release(first);
        assert_eq!(book.of(ProcessId(7)), Some(second), "releasing the first leaves the second alone");
    }

    #[test]
    fn a_process_gone_before_it_could_be_read_is_still_a_transcode() {
        let mut book = Transcodes::default();
        let id = book.started(ProcessId(7), WORKLOAD, WallTime(1000.0), b"");
        assert_eq!(book.get(id).unwrap().identity.encode.codec, None);
    }
}
