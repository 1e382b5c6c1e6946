//! Runs metrics over paired frames, all in one run of ffmpeg.

use std::process::Command;

use agent_core::ffmpeg::progress::Lines;
use agent_core::model::progress::Block;

use crate::quality::QualityError;
use crate::quality::compare::Task;
use crate::quality::pairing::Pairing;
use crate::quality::plan::{Metric, Plan};
use crate::quality::process::{self, Printed};

/// Runs metrics, PSNR first; `advanced` is called with numbers of further frames.
pub(super) fn run(
    task: &Task<'_>,
    plan: &Plan,
    pairing: &Pairing,
    metrics: &[Metric],
    advanced: &(dyn Fn(u64) + Sync),
) -> Result<Printed, QualityError> {
    let folder = &task.folder;
    // A set of frames can be longer than an argument may be.
    folder.write("graph.txt", &plan.comparison(pairing, metrics))?;
    let mut command = Command::new(&task.tools.ffmpeg);
    command.args(["-hide_banner", "-nostdin", "-nostats", "-loglevel", "level+info", "-progress", "pipe:1"]);
    command.arg("-i").arg(&task.distorted).arg("-i").arg(&task.reference);
    command.args([task.tools.graph_file, "graph.txt"]);
    for number in 0..metrics.len() {
        command.args(["-map", &format!("[o{number}]"), "-f", "null", "-"]);
    }
    let (mut before, mut progress) = (0, Lines::default());
    // Logs have plain names in a folder of their own: no path needs to be escaped.
    let printed = process::run(command.current_dir(folder.path()), &task.distorted, &task.attempt, |line| {
        if let Some(Block { frames: Some(frames), .. }) = progress.line(line) {
            advanced(frames.saturating_sub(before));
            before = before.max(frames);
        }
    })?;
    let (frames, pairs) = (folder.read("psnr.log")?.lines().count(), pairing.alignment.pairs.len());
    if frames == pairs {
        return Ok(printed);
    }
    Err(task.refused(format!("ffmpeg compared {frames} of {pairs} pairs of frames")))
}
