//! Table of what works on which kernel: the same questions in every virtual machine, and on this host.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, ensure};

use xtask::process::{output, say};

/// Prefix of a line about the machine, on its console.
const MARK: &str = "VM-SAYS";

/// Noise of a serial port after a suspend, between the words.
const NOISE: char = ';';

/// The table is between these lines.
const BEGIN: &str = "<!-- written by `cargo xtask vm` -->";
const END: &str = "<!-- end -->";

/// A question and the test that answers it.
struct Question {
    /// Subject of the question.
    about: &'static str,
    /// The test program.
    program: &'static str,
    /// The test.
    test: &'static str,
    asked: Asked,
}

/// Condition for a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    /// On every kernel.
    Always,
    /// Not in quick runs: it takes minutes in emulation.
    Patiently,
    /// Only in a virtual machine that runs nothing else.
    Alone,
    /// Only in the virtual machine that can be suspended.
    Suspended,
}

/// A virtual machine in which a kernel is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Machine {
    /// For all questions but those of a suspend.
    Threads,
    /// For those of a suspend. With four CPUs, QEMU's emulation resets or hangs at a wake-up, whatever runs in it: each of six such
    /// machines did so within nine suspends; with two CPUs, two of two slept 25 times.
    Suspended,
}

impl Machine {
    pub(super) const ALL: [Self; 2] = [Self::Threads, Self::Suspended];

    /// QEMU's `-smp`.
    pub(super) const fn cpus(self) -> &'static str {
        match self {
            Self::Threads => "4,cores=2,threads=2",
            Self::Suspended => "2",
        }
    }

    /// Value of the environment variable `MACHINE` in the virtual machine.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Threads => "threads",
            Self::Suspended => "suspended",
        }
    }
}

const fn question(about: &'static str, program: &'static str, test: &'static str, asked: Asked) -> Question {
    Question { about, program, test, asked }
}

static QUESTIONS: [Question; 16] = [
    question(
        "CPU seconds agree with `cpu.stat` within 0.5 %",
        "kernel",
        "the_cpu_seconds_of_a_busy_cgroup_are_the_kernels_within_half_a_percent",
        Asked::Always,
    ),
    question(
        "CPU time is exact with type information (BTF) and without it",
        "kernel",
        "a_kernel_that_does_not_tell_its_types_is_read_without_them",
        Asked::Always,
    ),
    question(
        "CPU time beside a busy thread of the same core weighs less",
        "kernel",
        "siblings::a_second_beside_a_busy_thread_of_the_core_costs_less",
        Asked::Always,
    ),
    question(
        "200 of 200 jobs of 50 ms have a series with their name",
        "kernel",
        "two_hundred_jobs_of_50_ms_are_all_captured_under_their_names",
        Asked::Patiently,
    ),
    question(
        "a thread that never leaves its CPU is counted at each tick",
        "kernel",
        "a_thread_that_never_switches_is_counted_at_every_tick",
        Asked::Always,
    ),
    question(
        "the sum of the charges equals the host while thousands of processes start",
        "kernel",
        "the_sums_close_in_every_scrape_under_a_storm_of_forks",
        Asked::Always,
    ),
    question(
        "a full accounting map loses no CPU time",
        "kernel",
        "a_full_accounting_map_is_counted_and_its_time_is_not_lost",
        Asked::Always,
    ),
    question(
        "a full accounting map has free entries after processes end",
        "faults_kernel",
        "an_accounting_map_that_was_full_has_room_again_when_who_filled_it_is_gone",
        Asked::Patiently,
    ),
    question(
        "a cgroup walk recovers lost life-cycle events",
        "faults_kernel",
        "events_that_find_no_room_are_counted_and_a_walk_makes_up_for_them",
        Asked::Always,
    ),
    question(
        "after a stop of the agent, the energy of the stop is charged to those that ran",
        "faults_kernel",
        "an_agent_that_is_stopped_for_a_while_knows_who_ran",
        Asked::Always,
    ),
    question(
        "users of a GPU are in the kernel's list of open files",
        "kernel",
        "device_files::users_of_the_gpu_are_in_the_kernels_list_of_open_files",
        Asked::Always,
    ),
    question("the agent shows its own CPU time", "kernel", "the_agents_own_share_is_shown", Asked::Always),
    question(
        "no program or map stays in the kernel after the agent ends",
        "kernel",
        "nothing_is_left_in_the_kernel_however_it_ends",
        Asked::Always,
    ),
    question(
        "a CPU goes offline and comes back",
        "machine",
        "a_cpu_that_goes_off_line_and_comes_back_costs_no_time_and_invents_none",
        Asked::Alone,
    ),
    question(
        "the wall clock is set forward and back",
        "machine",
        "a_clock_that_is_set_forth_and_back_loses_no_energy_from_the_ledger",
        Asked::Alone,
    ),
    question(
        "the host is suspended and resumed",
        "machine",
        "a_machine_that_slept_has_drawn_nothing_that_is_known",
        Asked::Suspended,
    ),
];

/// Answers of one machine.
#[derive(Debug, Default)]
pub(super) struct Column {
    /// The kernel's series, or the name of this host.
    pub(super) title: String,
    facts: BTreeMap<String, String>,
    /// Tests that were started, and the exit codes of those that have ended.
    asked: Vec<&'static str>,
    tests: BTreeMap<String, i32>,
}

impl Column {
    pub(super) fn new(title: &str, is_quick: bool) -> Self {
        let asked = questions(is_quick).map(|question| question.test).collect();
        Self { title: title.to_owned(), asked, ..Self::default() }
    }

    /// Adds a line of its console; a line that is not an answer is printed.
    ///
    /// After Linux 6.12 has been suspended, QEMU's serial port sends thousands of `;`, in the middle of words too. No answer
    /// contains one.
    pub(super) fn take(&mut self, line: &str) {
        let line = line.replace(NOISE, "");
        let Some((_, said)) = line.split_once(MARK) else {
            say(&line);
            return;
        };
        let (name, value) = said.trim().split_once(' ').unwrap_or((said.trim(), ""));
        match value.strip_prefix("ended ").map(|code| code.trim().parse()) {
            Some(Ok(code)) => {
                self.tests.insert(name.to_owned(), code);
            }
            _ => {
                self.facts.insert(name.to_owned(), value.to_owned());
            }
        }
    }

    /// Whether all tests have ended without a failure.
    pub(super) fn is_well(&self) -> bool {
        self.asked.iter().all(|test| self.tests.get(*test) == Some(&0))
    }

    fn fact(&self, name: &str) -> &str {
        self.facts.get(name).map_or("?", String::as_str)
    }

    /// Result of `ffwatt check` for a source.
    fn check(&self, source: &str) -> String {
        let report: serde_json::Value = serde_json::from_str(self.fact("check")).unwrap_or_default();
        let lines = report["lines"].as_array().cloned().unwrap_or_default();
        let line = lines.iter().find(|line| line["source"] == source);
        line.and_then(|line| line["state"].as_str()).unwrap_or("?").to_owned()
    }

    fn answer(&self, test: &'static str) -> &'static str {
        match self.tests.get(test) {
            Some(0) => "yes",
            Some(_) => "**no**",
            None if self.asked.contains(&test) => "**no answer**",
            None => "not asked",
        }
    }
}

const HERE: &str = "here";

fn questions(is_quick: bool) -> impl Iterator<Item = &'static Question> {
    QUESTIONS.iter().filter(move |question| !(is_quick && question.asked == Asked::Patiently))
}

/// The commands that answer a virtual machine's questions, for its shell.
pub(super) fn survey(machine: Machine, limit: &str, is_quick: bool) -> Vec<String> {
    let about = match machine {
        Machine::Threads => about_the_kernel(),
        Machine::Suspended => Vec::new(),
    };
    let is_its =
        |question: &&Question| (question.asked == Asked::Suspended) == (machine == Machine::Suspended);
    let tests = questions(is_quick).filter(is_its).map(|Question { program, test, .. }| {
        format!("{limit}{program} --test-threads=1 --nocapture --exact {test}; echo {MARK} {test} ended $?")
    });
    about.into_iter().chain(tests).collect()
}

fn about_the_kernel() -> Vec<String> {
    vec![
        format!("echo {MARK} release $(uname -r)"),
        format!("echo {MARK} cgroups pure v2"),
        format!(
            "echo \"{MARK} check $(ffwatt check --json --containers.docker-socket= --containers.podman-socket= | tr -d '\\n')\""
        ),
    ]
}

/// The same for this host's kernel, as far as it may be used beside other work.
pub(super) fn here(target: &Path) -> anyhow::Result<Column> {
    say("\n== this machine");
    let questions: Vec<&Question> = questions(false)
        .filter(|question| matches!(question.asked, Asked::Always | Asked::Patiently))
        .collect();
    let asked = questions.iter().map(|question| question.test).collect();
    let mut column = Column { title: HERE.to_owned(), asked, ..Column::default() };
    let release = output(Command::new("uname").arg("-r"))?;
    column.facts.insert("release".to_owned(), release.trim().to_owned());
    let is_pure = Path::new("/sys/fs/cgroup/cgroup.controllers").exists();
    let cgroups = if is_pure { "pure v2" } else { "hybrid" };
    column.facts.insert("cgroups".to_owned(), cgroups.to_owned());
    let mut check = Command::new(target.join("ffwatt"));
    check.args(["check", "--json", "--containers.docker-socket=", "--containers.podman-socket="]);
    // Its exit code says that something is missing, which is the answer.
    let check = check.output().context("cannot run ffwatt check")?;
    column.facts.insert("check".to_owned(), String::from_utf8_lossy(&check.stdout).replace('\n', ""));
    for Question { program, test, .. } in questions {
        let mut command = Command::new(super::newest_test(target, program)?);
        command.args(["--test-threads=1", "--nocapture", "--exact", test]);
        let status = command.status().with_context(|| format!("cannot run the tests {program}"))?;
        column.tests.insert((*test).to_owned(), status.code().unwrap_or(-1));
    }
    Ok(column)
}

/// The table of what works on which kernel.
pub(super) fn table(columns: &[Column]) -> String {
    let mut text = String::new();
    let mut row = |title: &str, value: &dyn Fn(&Column) -> String| {
        let values: Vec<String> = columns.iter().map(value).collect();
        // Writing into a string cannot fail.
        let _ = writeln!(text, "| {title} | {} |", values.join(" | "));
    };
    row("", &|column| {
        if column.title == HERE { "this machine".to_owned() } else { format!("Linux {}", column.title) }
    });
    row("---", &|_| "---".to_owned());
    row("release", &|column| column.fact("release").to_owned());
    row("cgroups", &|column| column.fact("cgroups").to_owned());
    row("eBPF programs load and attach", &|column| match column.check("bpf").as_str() {
        "used" | "ok" => "yes".to_owned(),
        other => other.to_owned(),
    });
    for Question { about, test, .. } in &QUESTIONS {
        row(about, &|column| column.answer(test).to_owned());
    }
    text
}

/// Writes the table into its page.
pub(super) fn write(root: &Path, columns: &[Column]) -> anyhow::Result<()> {
    let path = root.join("docs/REQUIREMENTS.md");
    let page = fs::read_to_string(&path).context("cannot read docs/REQUIREMENTS.md")?;
    let (head, rest) = page.split_once(BEGIN).context("docs/REQUIREMENTS.md has no place for the table")?;
    let (_, tail) = rest.split_once(END).context("docs/REQUIREMENTS.md has no end of the table")?;
    ensure!(!columns.is_empty(), "no kernel was asked");
    let page = format!("{head}{BEGIN}\n\n{}\n{END}{tail}", table(columns));
    fs::write(&path, page).context("cannot write docs/REQUIREMENTS.md")
}

#[cfg(test)]
mod tests {
    use super::{Column, Machine, QUESTIONS, survey};

    #[test]
    fn each_question_is_asked_in_one_machine() {
        let asked: Vec<String> =
            Machine::ALL.into_iter().flat_map(|machine| survey(machine, "", false)).collect();
        for question in &QUESTIONS {
            let lines = asked.iter().filter(|line| line.contains(question.test));
            assert_eq!(lines.count(), 1, "{}", question.test);
        }
    }

    #[test]
    fn an_answer_is_understood_through_the_noise_of_a_port_that_was_asleep() {
        let mut column = Column::new("6.12", true);
        assert!(!column.is_well());
        for question in &QUESTIONS {
            let (first, second) = question.test.split_at(5);
            column.take(&format!(";;;;VM-S;AYS {first};;;;;;{second} en;ded 0;;;"));
        }
        assert!(column.is_well());
    }
}
