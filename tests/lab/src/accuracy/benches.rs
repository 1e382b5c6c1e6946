//! Error of `ffwatt bench` and of BD-energy on the simulated host, and whether a second bench reproduces the first.
//!
//! The true energy of an encode is the CPU time of its cgroup, by the kernel, times the watts of a busy CPU of the machine.

mod encodes;
mod side_by_side;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use agent_core::comparison::difference::{OperatingPoint, cost_difference};
use agent_core::comparison::estimate::Estimate;
use agent_core::comparison::interpolation::Slopes;
use anyhow::Context;
use serde_json::Value;
use tests::command::{eventually, output, script};
use tests::ffmpeg;
use tests::simulator::{Machine, Power};
use tests::stage::Stage;

use super::stage;
use encodes::{Encode, Key, KeyFigures, number, text};

/// Presets of the two curves: the anchor and the other one.
const PRESETS: [&str; 2] = ["veryfast", "medium"];

/// Constant qualities of each curve.
const QUALITIES: &str = "22..34:4";

const REPEATS: usize = 3;

/// A moving fractal with film grain: no encoder knows this picture beforehand.
const CLIP: &str = "mandelbrot=size=640x360:rate=25,noise=alls=12:allf=t";

const CLIP_SECONDS: &str = "10";

/// Time in which the agent has read a result file and the energy of its last scenario.
const PATIENCE: Duration = Duration::from_mins(1);

/// One bench, and the truth of its encodes.
#[derive(Debug)]
struct Bench {
    encodes: Vec<Encode>,
    /// BD-energy of the second preset against the first, by `ffwatt report --curves`.
    difference: f64,
    /// By setting: joules per frame of `ffwatt report --curves`, without the reading.
    joules_per_frame: BTreeMap<Key, Estimate>,
}

/// Runs two benches on a machine of this power for each busy CPU, and formats the section.
pub(super) fn section(binary: &Path, python: &Path) -> anyhow::Result<String> {
    let machine = Machine::LINEAR;
    let [Power::Linear(watts)] = machine.parts else { anyhow::bail!("not a machine of one power") };
    let folder = tempfile::tempdir().context("cannot make a folder")?;
    let clip = folder.path().join("clip.mkv");
    let encode = "-c:v libx264 -preset ultrafast -crf 10 -pix_fmt yuv420p".split(' ');
    let source = ["-f", "lavfi", "-i", CLIP, "-t", CLIP_SECONDS].into_iter().chain(encode);
    ffmpeg::run(&source.chain([clip.display().to_string().as_str()]).collect::<Vec<_>>())?;
    let vmaf = ffmpeg::with_vmaf_by(python)?;
    let place = |name| Place::make(binary, &clip, &vmaf, folder.path().join(name));
    let mut text = {
        let place = place("cpu")?;
        let _stage = place.stage(machine, "--interval=1s")?;
        written(&[place.bench("first", *watts)?, place.bench("second", *watts)?], *watts, binary)?
    };
    let place = place("gpu")?;
    let stage = place.stage(Machine::GPU, side_by_side::TICK)?;
    write!(text, "\n{}", side_by_side::section(&place, &stage)?)?;
    Ok(text)
}

/// A bench that has ended.
struct Ran {
    /// Its result file.
    file: PathBuf,
    /// The scenarios of the file.
    scenarios: Vec<Value>,
    /// `ffwatt report` of the file, with the energy of each scenario.
    report: Value,
}

/// Programs and files of a bench.
struct Place<'a> {
    binary: &'a Path,
    clip: &'a Path,
    /// An ffmpeg with libvmaf.
    vmaf: &'a str,
    folder: PathBuf,
    /// Results folder and state folder of the agent.
    flags: [String; 2],
}

impl<'a> Place<'a> {
    fn make(binary: &'a Path, clip: &'a Path, vmaf: &'a str, folder: PathBuf) -> anyhow::Result<Self> {
        let (results, state) = (folder.join("results"), folder.join("state"));
        std::fs::create_dir_all(&results)?;
        let flags =
            [format!("--results-dir={}", results.display()), format!("--state-dir={}", state.display())];
        Ok(Self { binary, clip, vmaf, folder, flags })
    }

    fn stage(&self, machine: Machine, tick: &str) -> anyhow::Result<Stage> {
        let flags: Vec<&str> = self.flags.iter().map(String::as_str).chain([tick]).collect();
        let stage = stage(machine, self.binary, &[], &flags)?;
        stage.agent.wait_ticks(2)?;
        Ok(stage)
    }

    fn bench(&self, name: &str, watts: f64) -> anyhow::Result<Bench> {
        let log = self.folder.join(format!("{name}.log"));
        let arguments = [
            "--codec=x264".to_owned(),
            format!("--preset={}", PRESETS.join(",")),
            format!("--crf={QUALITIES}"),
            format!("--repeat={REPEATS}"),
        ];
        let Ran { file, scenarios, report } = self.run(&arguments, &self.recording_ffmpeg(name, &log)?)?;
        let truths = encodes::cpu_times(&log)?;
        let encode = |scenario| Encode::of(scenario, &report, &truths, watts);
        let curves = self.report(&file, &["--curves"])?;
        let curves = curves.as_array().context("no curves")?;
        let mut joules_per_frame = BTreeMap::new();
        for curve in curves {
            for setting in curve["settings"].as_array().context("a curve without settings")? {
                let key = (text(&curve["preset"])?, text(&setting["setting"])?);
                let margin = setting["joules_per_frame_margin"].as_f64();
                joules_per_frame
                    .insert(key, Estimate { mean: number(&setting["joules_per_frame"])?, margin });
            }
        }
        let other = curves.iter().find(|curve| curve["preset"] == PRESETS[1]);
        let other = other.with_context(|| format!("no curve of {}", PRESETS[1]))?;
        Ok(Bench {
            encodes: scenarios.iter().map(encode).collect::<anyhow::Result<_>>()?,
            difference: number(&other["energy_at_equal_vmaf"]["difference"])?,
            joules_per_frame,
        })
    }

    /// Runs a bench of the clip by this ffmpeg, and waits until the energy of all its scenarios is known.
    fn run(&self, arguments: &[String], ffmpeg: &Path) -> anyhow::Result<Ran> {
        let mut command = Command::new(self.binary);
        command.args(["bench", "--no-agent", "--cooldown=1"]).args(&self.flags).args(arguments);
        command.arg(format!("--quality.ffmpeg={}", self.vmaf));
        command.arg("--ffmpeg").arg(ffmpeg).arg("--input").arg(self.clip);
        output(&mut command)?;
        let file = newest(&self.folder.join("results"))?;
        let document: Value = serde_json::from_slice(&std::fs::read(&file)?)?;
        let scenarios = document["scenarios"].as_array().context("a result file without scenarios")?.clone();
        let report = eventually("the energy of all scenarios is known", PATIENCE, || {
            let report = self.report(&file, &[]).ok()?;
            let is_known = |one: &Value| one["energy_joules"].is_number() && one["matched"] == "container";
            let all = report.as_array()?;
            (all.len() == scenarios.len() && all.iter().all(is_known)).then_some(report)
        })?;
        Ok(Ran { file, scenarios, report })
    }

    fn report(&self, file: &Path, arguments: &[&str]) -> anyhow::Result<Value> {
        let mut command = Command::new(self.binary);
        command.arg("report").args(arguments).arg(file).arg("--json").args(&self.flags);
        Ok(serde_json::from_str(&output(&mut command)?)?)
    }

    /// An ffmpeg that writes the CPU time of its cgroup into a file when it ends: the bench then removes the cgroup.
    fn recording_ffmpeg(&self, name: &str, log: &Path) -> anyhow::Result<PathBuf> {
        let program = self.folder.join(format!("{name}-ffmpeg"));
        let text =
            format!("#!/bin/sh\nffmpeg \"$@\"\nstatus=$?\n{}exit $status\n", recording("$value", log)?);
        script(&program, &text)?;
        Ok(program)
    }
}

/// Commands of a shell that write these words and the path of its cgroup into a file. `$value` is the CPU time of the cgroup. Built-in
/// commands only: they take microseconds.
fn recording(words: &str, log: &Path) -> anyhow::Result<String> {
    let (root, log) = (tests::cgroup::root()?, log.display());
    let root = root.display();
    Ok(format!(
        "while IFS=: read -r number controllers own; do [ \"$number\" = 0 ] && break; done < /proc/self/cgroup\n\
         while read -r name value; do [ \"$name\" = usage_usec ] && echo \"{words} $own\" >> {log}; done < {root}\"$own\"/cpu.stat\n"
    ))
}

/// The newest result file.
fn newest(folder: &Path) -> anyhow::Result<PathBuf> {
    let files = std::fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    let newest = files.flatten().map(|entry| entry.path()).max();
    newest.with_context(|| format!("no result file in {}", folder.display()))
}

/// BD-energy of the second preset against the first, by the true energy.
fn true_difference(key_figures: &BTreeMap<Key, KeyFigures>) -> anyhow::Result<f64> {
    let [anchor, other] = PRESETS.map(|preset| {
        let of_it = key_figures.iter().filter(|((own, _), _)| own == preset);
        let point = |figures: &KeyFigures| OperatingPoint { cost: figures.truth, quality: figures.vmaf };
        of_it.map(|(_, figures)| point(figures)).collect::<Vec<_>>()
    });
    Ok(cost_difference(&anchor, &other, Slopes::Pchip)?.mean)
}

fn written(benches: &[Bench; 2], watts: f64, binary: &Path) -> anyhow::Result<String> {
    let figures = [&benches[0], &benches[1]].map(|bench| encodes::by_setting(&bench.encodes));
    let mut text = format!(
        "## Benches\n\n\
         Written by `cargo xtask accuracy --bench`, on `linear`. `ffwatt bench --input` encodes a fractal with film grain (640x360, 25 frames a \
         second, {CLIP_SECONDS} s) by x264, with the presets {} and the constant qualities {QUALITIES}, {REPEATS} times each. The true energy of \
         an encode is the CPU time of its cgroup (`cpu.stat`, read at its end) × {watts} W. Both sides are without the reading of the clip. The \
         agent is the {} build.\n\n",
        PRESETS.join(" and "),
        binary.parent().and_then(Path::file_name).unwrap_or_default().display(),
    );
    let mut errors: Vec<f64> = Vec::new();
    let mut rows = String::new();
    for (bench, figures) in benches.iter().zip(&figures) {
        let all = bench.encodes.iter().filter(|encode| !encode.is_reading());
        errors.extend(all.map(|encode| encode.measured / encode.truth - 1.0));
        let truth = true_difference(figures)?;
        let off = (1.0 + bench.difference) / (1.0 + truth) - 1.0;
        writeln!(
            rows,
            "| {} | {:+.2} % | {:+.2} % | {:+.2} % |",
            if rows.is_empty() { "first" } else { "second" },
            truth * 100.0,
            bench.difference * 100.0,
            off * 100.0
        )?;
    }
    errors.sort_by(|one, other| one.abs().total_cmp(&other.abs()));
    let rows = rows.trim_end();
    let bias = errors.iter().sum::<f64>() / errors.len() as f64;
    let at = |part: f64| errors[((errors.len() - 1) as f64 * part).round() as usize].abs() * 100.0;
    writeln!(
        text,
        "Error of the energy of one encode, of {}: median {:.2} %, p95 {:.2} %, largest {:.2} %, bias {:+.2} %.\n\n\
         BD-energy of {} against {}: the energy for each frame at equal VMAF. `error`: of the ratio of both energies.\n\n\
         | bench | true | measured | error |\n|---|---|---|---|\n{rows}",
        errors.len(),
        at(0.5),
        at(0.95),
        at(1.0),
        bias * 100.0,
        PRESETS[1],
        PRESETS[0],
    )?;
    text.push_str(
        "\n### A second bench\n\nThe same bench, run again. `within`: the 95 % intervals of both means of J/frame have values in common; VMAF and bitrate \
         are equal to the last digit that `ffwatt report` shows.\n\n\
         | setting | J/frame | again | difference | within | VMAF | again | kbit/s | again |\n|---|---|---|---|---|---|---|---|---|\n",
    );
    let (mut within, mut equal) = (0, 0);
    for (key, first) in &figures[0] {
        let second = figures[1].get(key).context("the second bench lacks a setting")?;
        let energy =
            |bench: &Bench| bench.joules_per_frame.get(key).copied().context("a setting without energy");
        let (one, other) = (energy(&benches[0])?, energy(&benches[1])?);
        let is_within = one.differs_from(other).map(|differs| !differs);
        within += usize::from(is_within == Some(true));
        let shown =
            |figures: &KeyFigures| (format!("{:.2}", figures.vmaf), format!("{:.0}", figures.kilobits));
        let ((vmaf, rate), (vmaf_again, rate_again)) = (shown(first), shown(second));
        equal += usize::from(vmaf == vmaf_again && rate == rate_again);
        let estimate = |one: Estimate| {
            let margin = one
                .margin
                .map_or_else(String::new, |margin| format!(" ± {:.1} %", margin / one.mean * 100.0));
            format!("{:.4}{margin}", one.mean)
        };
        writeln!(
            text,
            "| {} {} | {} | {} | {:+.1} % | {} | {vmaf} | {vmaf_again} | {rate} | {rate_again} |",
            key.0,
            key.1,
            estimate(one),
            estimate(other),
            (other.mean / one.mean - 1.0) * 100.0,
            is_within.map_or("unknown", |is| if is { "yes" } else { "no" }),
        )?;
    }
    writeln!(
        text,
        "\nOf {} settings, {within} have energy within the intervals, and {equal} have the same VMAF and bitrate.",
        figures[0].len()
    )?;
    Ok(text)
}
