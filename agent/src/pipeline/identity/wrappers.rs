//! Recognizes wrappers: tracked processes that only run an encoder. The encoder is the transcode; a wrapper's CPU time is its workload's.
//!
//! A wrapper is a script under the name of an encoder, or a tracked process of which another one descends that has the same arguments.

use std::collections::HashMap;

use agent_core::ffmpeg::command_line::{program, script};
use agent_core::model::cpu::ProcessId;
use agent_core::model::transcode::TranscodeId;

use crate::host::HostRoots;
use crate::source::identity::processes::{self, Running, kept_name};
use crate::source::identity::transcodes::{Transcode, Transcodes};

/// Most generations between a wrapper and its encoder.
const GENERATIONS: usize = 8;

/// The wrappers that run.
#[derive(Debug, Default)]
pub(super) struct Wrappers(HashMap<ProcessId, Option<Running>>);

impl Wrappers {
    /// Adds a process. `running` is its number in procfs and its start time, where procfs shows it.
    pub(super) fn insert(&mut self, process: ProcessId, running: Option<Running>) {
        self.0.insert(process, running);
    }

    /// Removes a process; `false` when it is no wrapper.
    pub(super) fn remove(&mut self, process: ProcessId) -> bool {
        self.0.remove(&process).is_some()
    }

    pub(super) fn contains(&self, process: ProcessId) -> bool {
        self.0.contains_key(&process)
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// The wrappers of which the number is free, or another process has it.
    pub(super) fn gone(&self, roots: &HostRoots) -> Vec<ProcessId> {
        let is_gone =
            |running: &Running| processes::start_time(roots, running.id) != Some(running.start_time);
        let gone = self.0.iter().filter(|(_, running)| running.as_ref().is_some_and(is_gone));
        gone.map(|(process, _)| *process).collect()
    }
}

/// Whether the line is one of a script under the name of an encoder. A script that `cpu.tracked` names may encode by itself.
pub(super) fn is_script(line: &[u8], configured: &[String]) -> bool {
    let Some((runner, name)) = script::script(line) else { return false };
    let is_configured = |tracked: &String| {
        program::grammar(tracked).is_none()
            && [&runner, &name].into_iter().any(|word| kept_name(word) == kept_name(tracked))
    };
    !configured.iter().any(is_configured)
}

/// The running transcodes that only run a process with this line.
pub(super) fn around(
    encoder: Running,
    line: &[u8],
    transcodes: &Transcodes,
    roots: &HostRoots,
) -> Vec<TranscodeId> {
    let ancestors: Vec<ProcessId> = ancestors(encoder.id, roots).collect();
    let is_wrapper = |transcode: &Transcode| {
        transcode.ended.is_none()
            && transcode.local.is_some_and(|local| {
                ancestors.contains(&local)
                    && script::has_arguments_of(&processes::command_line(roots, local), line)
            })
    };
    transcodes.running().filter(|(_, transcode)| is_wrapper(transcode)).map(|(id, _)| id).collect()
}

/// Whether a process with this line only runs a process that is a transcode already.
pub(super) fn has_encoder(wrapper: Running, line: &[u8], transcodes: &Transcodes, roots: &HostRoots) -> bool {
    let is_encoder = |transcode: &Transcode| {
        let is_later = transcode.start_time.is_some_and(|started| started >= wrapper.start_time);
        is_later
            && transcode.ended.is_none()
            && transcode.local.is_some_and(|local| {
                ancestors(local, roots).any(|ancestor| ancestor == wrapper.id)
                    && script::has_arguments_of(line, &processes::command_line(roots, local))
            })
    };
    // Most encoders have no children, and each check of a transcode reads several files.
    processes::has_children(roots, wrapper.id) != Some(false)
        && transcodes.running().any(|(_, transcode)| is_encoder(transcode))
}

/// The parent of a process, its parent, and so on.
fn ancestors(process: ProcessId, roots: &HostRoots) -> impl Iterator<Item = ProcessId> {
    let parent = |process: &ProcessId| {
        let parent = processes::stat(roots, *process)?.ppid;
        u32::try_from(parent).ok().filter(|parent| *parent > 1).map(ProcessId)
    };
    std::iter::successors(parent(&process), parent).take(GENERATIONS)
}
