//! Encoders of the CPU and of the integrated GPU in one bench, on the simulated host.
//!
//! No hardware encodes here: x264 does it in the place of QSV, and its process uses the simulated GPU as long as it runs.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use ::tests::command::script;
use ::tests::simulator::{Machine, Power};
use ::tests::stage::Stage;
use anyhow::Context;

use super::encodes::{READING, number, text};
use super::{Place, Ran, recording};

/// The simulated hardware encoder.
const HARDWARE: &str = "h264_qsv";

const CODECS: [&str; 4] = ["x264", "x265", "svt-av1", HARDWARE];

/// Every encoder reads this number by a scale of its own.
const QUALITY: &str = "28";

/// The agent reads the use of the GPU as often: what an encode uses after the last tick is lost.
pub(super) const TICK: &str = "--interval=200ms";

/// CPU seconds of an encode, and seconds of the GPU.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Use {
    cpu: f64,
    gpu: f64,
}

/// Runs the bench on a machine with a GPU, and formats its table.
pub(super) fn section(place: &Place<'_>, stage: &Stage) -> anyhow::Result<String> {
    let machine = Machine::GPU;
    let [Power::Linear(watts)] = machine.parts else { anyhow::bail!("not a machine of one power") };
    let log = place.folder.join("side-by-side.log");
    let arguments = [format!("--codec={}", CODECS.join(",")), format!("--crf={QUALITY}")];
    let Ran { scenarios, report, .. } = place.run(&arguments, &wrapper(&place.folder, stage, &log)?)?;
    let uses = uses(&fs::read_to_string(&log)?)?;
    let mut table = format!(
        "### Encoders side by side\n\nOne encode each, at quality {QUALITY} of the encoder's own scale, on `igpu`, with a tick of 200 ms. {HARDWARE} \
         is simulated: x264 encodes in its place, and uses the GPU for 60 % of its time. Its GPU time after the agent's last tick is not known.\n\n\
         | encoder | CPU s | GPU s | true J | measured J | error | VMAF | kbit/s |\n|---|---|---|---|---|---|---|---|\n"
    );
    for scenario in scenarios.iter().filter(|scenario| scenario["encoder"] != READING) {
        let own = uses.get(&format!("/{}", text(&scenario["container"])?));
        let Use { cpu, gpu } = *own.with_context(|| format!("no CPU time of {}", scenario["name"]))?;
        let truth = cpu * watts + gpu * machine.gpu;
        let mut reported = report.as_array().into_iter().flatten();
        let reported = reported.rfind(|one| one["scenario"] == scenario["name"]);
        let measured = number(&reported.context("a scenario without a report")?["energy_joules"])?;
        writeln!(
            table,
            "| {} | {cpu:.2} | {gpu:.2} | {truth:.2} | {measured:.2} | {:+.1} % | {:.1} | {:.0} |",
            text(&scenario["encoder"])?,
            (measured / truth - 1.0) * 100.0,
            number(&scenario["vmaf_score"])?,
            text(&scenario["bitrate"])?.trim_end_matches('k').parse::<f64>()?,
        )?;
    }
    Ok(table)
}

/// An ffmpeg that the agent sees on the machine, and that writes what it has used into a file when it ends.
fn wrapper(folder: &Path, stage: &Stage, log: &Path) -> anyhow::Result<PathBuf> {
    let program = folder.join("side-by-side-ffmpeg");
    let simulator = &stage.simulator;
    let text = format!(
        "#!/bin/sh\n\
         case \" $* \" in *\" {HARDWARE} \"*) is_client=yes;; *) is_client=;; esac\n\
         for word; do\n\
         shift\n\
         if [ \"$is_client\" ]; then case $word in {HARDWARE}) word=libx264;; -global_quality) word=-crf;; esac; fi\n\
         set -- \"$@\" \"$word\"\n\
         done\n\
         if [ \"$is_client\" ]; then sh -c '{client} exec ffmpeg \"$@\"' sh \"$@\" & else sh -c '{other} exec ffmpeg \"$@\"' sh \"$@\" & fi\n\
         wait $!\n\
         status=$?\n\
         busy=0\n\
         if [ \"$is_client\" ]; then while IFS=': ' read -r name value unit; do case $name in drm-engine-video) busy=$value;; esac; done < {clients}/$!; fi\n\
         {recording}exit $status\n",
        client = simulator.gpu_process(true),
        other = simulator.gpu_process(false),
        clients = simulator.gpu_clients().display(),
        recording = recording("$value $busy", log)?,
    );
    script(&program, &text)?;
    Ok(program)
}

/// The use of each cgroup, from lines of microseconds of the CPU, nanoseconds of the GPU, and the path of the cgroup.
fn uses(log: &str) -> anyhow::Result<BTreeMap<String, Use>> {
    let line = |line: &str| {
        let mut words = line.splitn(3, ' ');
        let mut word = || words.next().with_context(|| format!("an incomplete line {line:?}"));
        let (cpu, gpu, cgroup) = (word()?, word()?, word()?);
        Ok((
            cgroup.to_owned(),
            Use { cpu: cpu.parse::<f64>()? / 1e6, gpu: gpu.trim_start().parse::<f64>()? / 1e9 },
        ))
    };
    log.lines().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_the_use_of_a_cgroup() {
        let found = uses("1500000 \t000000000250000000 /ffwatt-bench/a b\n").unwrap();
        assert_eq!(found, BTreeMap::from([("/ffwatt-bench/a b".to_owned(), Use { cpu: 1.5, gpu: 0.25 })]));
        assert!(uses("15 3\n").is_err());
    }
}
