//! Measures the additional cost of a context switch with the agent's program at it.
//!
//! Two measurements: the kernel's own count of the time that programs take (`kernel.bpf_stats_enabled`), beside two programs that
//! do nothing, on the same switches; and the additional time of the same loads, with and without the agent in turns. The second is on one
//! CPU: the time of a wake-up on another CPU varies by more than the programs take, most of all in a virtual machine.

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{ChildStdin, ChildStdout, Command, Stdio};

use anyhow::Context;
use serde_json::{Map, Value, json};
use tests::agent::Agent;
use tests::command::{Owned, now};
use tests::simulator::sysfs_of_one_core;

use xtask::process::output;
use xtask::{build_ebpf, install, root};

/// Runs with the agent and without, in turns.
const ROUNDS: usize = 9;

/// The kernel counts programs' time where this is 1.
const STATS: &str = "/proc/sys/kernel/bpf_stats_enabled";

/// A load that only switches: a program with a fixed number of switches.
struct Load {
    name: &'static str,
    program: &'static str,
    arguments: &'static [&'static str],
}

const LOADS: [Load; 3] = [
    Load {
        name: "`perf bench sched pipe`",
        program: "perf",
        arguments: &["bench", "-f", "simple", "sched", "pipe", "-l", "100000"],
    },
    Load {
        name: "`perf bench sched messaging`",
        program: "perf",
        arguments: &["bench", "-f", "simple", "sched", "messaging", "-g", "5", "-l", "500"],
    },
    Load {
        name: "`stress-ng --switch`",
        program: "stress-ng",
        arguments: &["--quiet", "--switch", "1", "--switch-ops", "300000"],
    },
];

impl Load {
    /// Runs it on all CPUs.
    fn run(&self) -> anyhow::Result<f64> {
        self.time(Command::new(self.program).args(self.arguments))
    }

    /// Runs it on one CPU.
    fn run_on_one_cpu(&self) -> anyhow::Result<f64> {
        self.time(Command::new("taskset").args(["-c", "0", self.program]).args(self.arguments))
    }

    /// Seconds that it takes: by its own count, where it has one without its start.
    fn time(&self, command: &mut Command) -> anyhow::Result<f64> {
        let begin = now();
        let said = output(command)?;
        let took = begin.elapsed().as_secs_f64();
        if said.trim().is_empty() {
            return Ok(took);
        }
        said.trim().parse().with_context(|| format!("{} said {said:?}", self.name))
    }
}

/// Runs and nanoseconds of a program.
#[derive(Clone, Copy, Debug, Default)]
struct Cost {
    runs: f64,
    nanoseconds: f64,
}

impl Cost {
    fn each_since(self, before: Self) -> f64 {
        (self.nanoseconds - before.nanoseconds) / (self.runs - before.runs)
    }
}

/// The two programs that do nothing, attached.
struct Floor {
    child: Owned,
    ask: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Floor {
    fn start(root: &Path, object: &Path) -> anyhow::Result<Self> {
        let mut command = Command::new(env!("CARGO"));
        command.current_dir(root).args(["run", "--quiet", "--release", "--package", "ffwatt"]);
        command.args(["--example", "floor", "--"]).arg(object);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
        let ask = child.stdin.take().context("no way to ask")?;
        let answers = BufReader::new(child.stdout.take().context("no way to answer")?);
        let mut floor = Self { child: Owned(child), ask, answers };
        floor.costs()?;
        Ok(floor)
    }

    /// Cost of the empty program, and of the one that takes a timestamp.
    fn costs(&mut self) -> anyhow::Result<[Cost; 2]> {
        self.ask.write_all(b"\n").context("the programs are gone")?;
        let mut line = String::new();
        self.answers.read_line(&mut line).context("no answer")?;
        let answer: Value = serde_json::from_str(&line)
            .with_context(|| format!("no answer but {line:?}, and its end: {:?}", self.child.0.try_wait()))?;
        let of = |name: &str| -> anyhow::Result<Cost> {
            let number = |index: usize| answer[name][index].as_f64().context("no number");
            Ok(Cost { runs: number(0)?, nanoseconds: number(1)? })
        };
        Ok([of("empty")?, of("timestamp")?])
    }
}

/// Enables the kernel's count; restores the former setting when dropped.
struct Counting(String);

impl Counting {
    fn start() -> anyhow::Result<Self> {
        let before = fs::read_to_string(STATS).context("cannot tell whether the kernel counts")?;
        fs::write(STATS, "1").context("cannot have the kernel count")?;
        Ok(Self(before))
    }
}

impl Drop for Counting {
    fn drop(&mut self) {
        let _ = fs::write(STATS, &self.0);
    }
}

/// Measures; returns its section.
pub(super) fn measure(binary: &Path, json: &mut Map<String, Value>) -> anyhow::Result<String> {
    install::packages("measuring switches", &["linux-perf", "stress-ng"])?;
    let mut section = String::from("## Context switches\n\n");
    let by_kernel = counted(binary, &mut section)?;
    let by_time = in_turns(binary, &mut section)?;
    json.insert("switches".to_owned(), json!({ "counted_by_kernel": by_kernel, "in_turns": by_time }));
    Ok(section)
}

fn counted(binary: &Path, section: &mut String) -> anyhow::Result<Vec<Value>> {
    let object = build_ebpf::run_floor()?;
    let _counting = Counting::start()?;
    let agent = super::spawn(binary, &["--interval=1s"])?;
    // For this agent, the CPUs of this host are threads that share cores.
    let folder = tempfile::tempdir()?;
    sysfs_of_one_core(folder.path())?;
    let sysfs = format!("--path.sysfs={}", folder.path().display());
    let smt_agent = super::spawn(binary, &["--interval=1s", &sysfs])?;
    let mut floor = Floor::start(&root()?, &object)?;
    section.push_str(
        "Run time of eBPF programs at each context switch, by the kernel's count (`kernel.bpf_stats_enabled`). Four programs run at the same \
         switches: an empty one, one that stores a timestamp, the agent's, and the agent's on cores of two threads. `ratio`: the time of \
         each of the last two over the timestamp's, all less the empty program's.\n\n\
         | load | empty | timestamp | agent | ratio | agent, two threads a core | ratio |\n|---|---|---|---|---|---|---|\n",
    );
    let mut all = Vec::new();
    for load in &LOADS {
        load.run()?;
        let before = [&agent, &smt_agent].map(of_agent);
        let [empty, timestamp] = floor.costs()?;
        for _ in 0..3 {
            load.run()?;
        }
        let [now_empty, now_timestamp] = floor.costs()?;
        let nothing = now_empty.each_since(empty);
        let stamp = now_timestamp.each_since(timestamp);
        let [plain, smt] = [&agent, &smt_agent].map(of_agent);
        let [plain_before, smt_before] = before;
        let (plain, smt) = (plain?.each_since(plain_before?), smt?.each_since(smt_before?));
        let ratio = |ours: f64| (ours - nothing) / (stamp - nothing);
        writeln!(
            section,
            "| {} | {nothing:.0} ns | {stamp:.0} ns | {plain:.0} ns | {:.2} × | {smt:.0} ns | {:.2} × |",
            load.name,
            ratio(plain),
            ratio(smt)
        )?;
        all.push(json!({ "load": load.name, "nothing_ns": nothing, "timestamp_ns": stamp, "agent_ns": plain,
            "agent_on_two_threads_ns": smt }));
    }
    section.push('\n');
    Ok(all)
}

fn of_agent(agent: &Agent) -> anyhow::Result<Cost> {
    let scrape = agent.wait_ticks(2)?;
    let of = |name: &str| scrape.sum(name, &[("program", "switch")]).with_context(|| format!("no {name}"));
    Ok(Cost { runs: of("ffwatt_bpf_runs_total")?, nanoseconds: of("ffwatt_bpf_run_seconds_total")? * 1e9 })
}

fn in_turns(binary: &Path, section: &mut String) -> anyhow::Result<Vec<Value>> {
    writeln!(
        section,
        "Increase of the run time of the same loads on one CPU. {ROUNDS} runs without the agent alternate with {ROUNDS} runs beside it; `longer` is the median of the differences of neighbours, with their middle half:\n\n\
         | load | without | with | longer |\n|---|---|---|---|"
    )?;
    let mut all = Vec::new();
    for load in &LOADS {
        load.run_on_one_cpu()?;
        let (mut without, mut with, mut longer) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            let alone = load.run_on_one_cpu()?;
            let agent = super::spawn(binary, &["--interval=1s"])?;
            let beside = load.run_on_one_cpu()?;
            drop(agent);
            without.push(alone);
            with.push(beside);
            longer.push((beside / alone - 1.0) * 100.0);
        }
        let at = |values: &mut Vec<f64>, part: usize| {
            values.sort_by(f64::total_cmp);
            values[values.len() * part / 4]
        };
        writeln!(
            section,
            "| {} | {:.3} s | {:.3} s | {:+.1} % ({:+.1} … {:+.1} %) |",
            load.name,
            at(&mut without, 2),
            at(&mut with, 2),
            at(&mut longer, 2),
            at(&mut longer, 1),
            at(&mut longer, 3),
        )?;
        all.push(json!({ "load": load.name, "without_seconds": without, "with_seconds": with, "longer_percent": longer }));
    }
    section.push('\n');
    Ok(all)
}
