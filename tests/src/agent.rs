//! Starts, scrapes and ends the agent as a program.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::command::{Owned, eventually, output};
use crate::exposition::Exposition;
use crate::http::{self, Answer};
use crate::{port, variables};

/// Time limit for the first tick, on a loaded host.
const START_PATIENCE: Duration = Duration::from_secs(30);

/// Time limit for the end.
const END_PATIENCE: Duration = Duration::from_secs(15);

/// The listeners' ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ports {
    /// `rapl_*`.
    pub rapl: u16,
    /// `docker_*`.
    pub docker: u16,
    /// `results_*`.
    pub results: u16,
    /// `qoe_*`.
    pub qoe: u16,
    /// `cost_*`.
    pub cost: u16,
    /// All metrics that are new in ffwatt.
    pub main: u16,
}

impl Ports {
    /// All ports.
    pub fn all(&self) -> [u16; 6] {
        [self.rapl, self.docker, self.results, self.qoe, self.cost, self.main]
    }

    /// The flags that set these ports.
    pub fn flags(&self) -> Vec<String> {
        let Self { rapl, docker, results, qoe, cost, main } = self;
        [
            ("rapl-port", rapl),
            ("docker-port", docker),
            ("results-port", results),
            ("qoe-port", qoe),
            ("cost-port", cost),
            ("port", main),
        ]
        .map(|(name, port)| format!("--listen.{name}={port}"))
        .into()
    }

    /// Reserved ports: see [`port::reserve`].
    pub fn free() -> anyhow::Result<Self> {
        Ok(Self {
            rapl: port::reserve()?,
            docker: port::reserve()?,
            results: port::reserve()?,
            qoe: port::reserve()?,
            cost: port::reserve()?,
            main: port::reserve()?,
        })
    }
}

/// The built binary beside the running test or task: `target/debug/ffwatt`, or the file of `FFWATT_BINARY`.
pub fn binary() -> anyhow::Result<PathBuf> {
    if let Some(path) = std::env::var_os("FFWATT_BINARY") {
        return Ok(PathBuf::from(path));
    }
    let own = std::env::current_exe().context("cannot tell where this program is")?;
    let found = own.ancestors().skip(1).map(|folder| folder.join("ffwatt")).find(|path| path.is_file());
    found.context("no built ffwatt beside this program: run `cargo build --package ffwatt` first")
}

/// A command of the built binary, without the variables of the tests.
pub fn command() -> anyhow::Result<Command> {
    let mut command = Command::new(binary()?);
    variables::hide(&mut command);
    Ok(command)
}

/// The kernel's line about an eBPF program, and `None` when there is none of this number.
pub fn program(number: u32) -> Option<String> {
    output(Command::new("bpftool").args(["prog", "show", "id", &number.to_string()])).ok()
}

/// A running agent; killed when dropped.
#[derive(Debug)]
pub struct Agent {
    child: Child,
    log: PathBuf,
    /// Its ports.
    pub ports: Ports,
    folder: tempfile::TempDir,
}

/// Numbers of poll(2) and ppoll(2) on x86-64.
const POLLS: [&str; 2] = ["7", "271"];

/// Flags of an agent on the real host that reads CPU time with eBPF, estimates energy and asks no container engine.
pub const WITH_BPF: [&str; 4] = [
    "--cpu.source=bpf",
    "--energy.source=model",
    "--containers.docker-socket=",
    "--containers.podman-socket=",
];

impl Agent {
    /// Starts the agent on the real host with [`WITH_BPF`] and these flags.
    pub fn start_with_bpf(more: &[&str]) -> anyhow::Result<Self> {
        Self::start(&[&WITH_BPF[..], more].concat())
    }

    /// Starts the agent on the real host with eBPF, the Docker engine at this socket and these flags.
    pub fn start_with_docker(socket: &Path, more: &[&str]) -> anyhow::Result<Self> {
        let socket = format!("--containers.docker-socket={}", socket.display());
        let flags = ["--cpu.source=bpf", "--energy.source=model", &socket, "--containers.podman-socket="];
        Self::start(&[&flags[..], more].concat())
    }

    /// Waits until the agent knows its Docker engine.
    pub fn wait_for_docker(&self) -> anyhow::Result<()> {
        let engine = [("source", "docker")];
        let is_up = |up: &f64| *up >= 1.0;
        self.until("the engine is known", |scrape| scrape.sum("ffwatt_source_up", &engine).filter(is_up))?;
        Ok(())
    }

    /// Starts the agent with these flags on free ports, and waits for its first tick. The environment is empty but for `PATH`.
    pub fn start(flags: &[&str]) -> anyhow::Result<Self> {
        let mut agent = Self::spawn(&binary()?, flags, &[])?;
        agent.wait_ready()?;
        Ok(agent)
    }

    /// Starts the agent without waiting.
    pub fn spawn(binary: &Path, flags: &[&str], environment: &[(&str, &str)]) -> anyhow::Result<Self> {
        let ports = Ports::free()?;
        let folder = tempfile::tempdir().context("cannot make a folder")?;
        let log = folder.path().join("log");
        let mut command = Command::new(binary);
        command
            .env_clear()
            .envs(environment.iter().copied())
            .env("FFWATT_LISTEN_PORT", ports.main.to_string())
            .env("FFWATT_LISTEN_RAPL_PORT", ports.rapl.to_string())
            .env("FFWATT_LISTEN_DOCKER_PORT", ports.docker.to_string())
            .env("FFWATT_LISTEN_RESULTS_PORT", ports.results.to_string())
            .env("FFWATT_LISTEN_QOE_PORT", ports.qoe.to_string())
            .env("FFWATT_LISTEN_COST_PORT", ports.cost.to_string())
            .env("FFWATT_STATE_DIR", folder.path().join("state"))
            // No test depends on the processor of the machine that it runs on.
            .env("FFWATT_ENERGY_MODEL_CPU", "flat")
            .args(flags)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log).context("cannot make a log")?);
        let child = command.spawn().with_context(|| format!("cannot start {}", binary.display()))?;
        Ok(Self { child, log, ports, folder })
    }

    /// Waits for the first tick.
    pub fn wait_ready(&mut self) -> anyhow::Result<()> {
        let port = self.ports.main;
        let mut ended = None;
        let ready = eventually("the agent is ready", START_PATIENCE, || {
            ended = self.child.try_wait().ok().flatten();
            let is_ready = http::get(port, "/ready").is_ok_and(|answer| answer.status == 200);
            (is_ready || ended.is_some()).then_some(())
        });
        if let Some(status) = ended {
            bail!("the agent ended with {status}: {}", self.log());
        }
        ready.with_context(|| format!("its log: {}", self.log()))
    }

    /// The eBPF programs that it holds in the kernel, by number, each with the kernel's line about it.
    pub fn programs(&self) -> anyhow::Result<BTreeMap<u32, String>> {
        let mut programs = BTreeMap::new();
        for file in fs::read_dir(format!("/proc/{}/fdinfo", self.pid()))?.flatten() {
            // A descriptor may be closed meanwhile.
            let text = fs::read_to_string(file.path()).unwrap_or_default();
            let number = text.lines().find_map(|line| line.strip_prefix("prog_id:")?.trim().parse().ok());
            let Some(number) = number else { continue };
            programs.insert(number, program(number).context("bpftool shows no program of that number")?);
        }
        Ok(programs)
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Status of each thread: see [`threads`].
    pub fn threads(&self) -> anyhow::Result<Vec<String>> {
        threads(self.pid())
    }

    /// Traces the system calls of every thread: see [`Trace::start`].
    pub fn trace(&self, options: &[&str], file: &Path) -> anyhow::Result<Trace> {
        Trace::start(self.pid(), options, file)
    }

    /// Its state folder.
    pub fn state_dir(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    /// Its log so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Scrapes the main listener.
    pub fn scrape(&self) -> anyhow::Result<Exposition> {
        self.scrape_port(self.ports.main)
    }

    /// Scrapes a listener.
    pub fn scrape_port(&self, port: u16) -> anyhow::Result<Exposition> {
        let answer = self.get(port, "/metrics")?;
        Exposition::parse(&answer.text())
    }

    /// Gets a path of a listener; anything but 200 is an error.
    pub fn get(&self, port: u16, path: &str) -> anyhow::Result<Answer> {
        let answer = http::get(port, path)?;
        if answer.status != 200 {
            bail!("{path} on {port} answers {}: {}", answer.status, answer.text());
        }
        Ok(answer)
    }

    /// Ticks so far.
    pub fn ticks(&self) -> anyhow::Result<u64> {
        Ok(self.scrape()?.sum("ffwatt_tick_duration_seconds_count", &[]).unwrap_or(0.0) as u64)
    }

    /// Waits for this many whole ticks, so that everything before them is in the figures.
    pub fn wait_ticks(&self, count: u64) -> anyhow::Result<Exposition> {
        let from = self.ticks()?;
        let mut last = Ok(from);
        let ticks = eventually("the agent ticks", Duration::from_mins(1), || {
            last = self.ticks();
            last.as_ref().is_ok_and(|ticks| *ticks >= from + count).then_some(())
        });
        ticks.with_context(|| {
            let process = fs::read_to_string(format!("/proc/{}/stat", self.pid()));
            let last = last.map_err(|error| format!("{error:#}"));
            format!("the agent's log: {}\nafter {from} ticks: {last:?}, {process:?}", self.log())
        })?;
        self.scrape()
    }

    /// Scrapes repeatedly until `ask` returns an answer; the error quotes the last scrape if it never does. A scrape that
    /// cannot be parsed is an error at once.
    pub fn until<T>(&self, what: &str, ask: impl Fn(&Exposition) -> Option<T>) -> anyhow::Result<T> {
        let (mut scrapes, mut last) = (0, String::new());
        let answer = eventually(what, START_PATIENCE, || {
            scrapes += 1;
            match self.get(self.ports.main, "/metrics") {
                Ok(answer) => last = answer.text(),
                Err(error) => {
                    last = format!("{error:#}");
                    return None;
                }
            }
            Exposition::parse(&last).map(|scrape| ask(&scrape)).transpose()
        });
        answer.and_then(|answer| answer).with_context(|| {
            format!("the agent's log: {}\nafter {scrapes} scrapes, the last: {last}", self.log())
        })
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        let pid = Pid::from_raw(i32::try_from(self.child.id())?).context("a child has a process id")?;
        kill_process(pid, signal).context("cannot signal the agent")
    }

    /// Stops it, and waits until it is stopped.
    pub fn suspend(&self) -> anyhow::Result<()> {
        self.signal(Signal::STOP)?;
        let process = PathBuf::from(format!("/proc/{}", self.pid()));
        eventually("it is stopped", Duration::from_secs(10), || is_stopped(&process).then_some(()))
    }

    /// Changes what the agent reads, in one step for it: it is stopped in its wait for the next tick, so that no tick reads a part of the
    /// change.
    pub fn between_ticks<T>(&self, change: impl FnOnce() -> T) -> anyhow::Result<T> {
        eventually("the agent waits for its next tick", START_PATIENCE, || {
            self.signal(Signal::STOP).ok()?;
            eventually("it is stopped", START_PATIENCE, || self.stopped_in()).ok().filter(|call| {
                let is_waiting = POLLS.contains(&call.as_str());
                // A failure shows in the next round.
                is_waiting || self.signal(Signal::CONT).is_err()
            })
        })?;
        let done = change();
        self.signal(Signal::CONT)?;
        Ok(done)
    }

    /// Number of the system call in which the thread of the ticks is stopped (`proc_pid_syscall(5)`); `None` while it runs.
    fn stopped_in(&self) -> Option<String> {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.pid())).ok()?;
        let file = |task: &Path, name| fs::read_to_string(task.join(name)).ok();
        let mut tasks = tasks.filter_map(|task| Some(task.ok()?.path()));
        let task = tasks.find(|task| file(task, "comm").is_some_and(|name| name.trim_end() == "pipeline"))?;
        let call = file(&task, "syscall").filter(|_| is_stopped(&task))?;
        Some(call.split_whitespace().next()?.to_owned())
    }

    /// Ends it as an operator would; returns its exit status and its log.
    pub fn stop(self) -> anyhow::Result<(ExitStatus, String)> {
        self.stop_by(Signal::TERM)
    }

    /// Ends it by this signal.
    pub fn stop_by(mut self, signal: Signal) -> anyhow::Result<(ExitStatus, String)> {
        self.signal(signal)?;
        self.wait_end()
    }

    /// Waits for its end.
    pub fn wait_end(&mut self) -> anyhow::Result<(ExitStatus, String)> {
        let status = eventually("the agent ends", END_PATIENCE, || self.child.try_wait().ok().flatten())
            .with_context(|| format!("its log: {}", self.log()))?;
        Ok((status, self.log()))
    }
}

/// A field of a status (`proc_pid_status(5)`).
pub fn status_field<'a>(status: &'a str, name: &str) -> anyhow::Result<&'a str> {
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.map(str::trim).with_context(|| format!("a status without {name}"))
}

/// Status of each thread of a process (`/proc/…/task/…/status`).
pub fn threads(process: u32) -> anyhow::Result<Vec<String>> {
    let tasks = fs::read_dir(format!("/proc/{process}/task")).context("it has no threads")?;
    // A thread may end in between.
    Ok(tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("status")).ok()).collect())
}

/// A running strace; killed when dropped.
#[derive(Debug)]
pub struct Trace(Owned);

impl Trace {
    /// Traces the system calls of every thread of a process with these options of strace, which writes to this file.
    pub fn start(process: u32, options: &[&str], file: &Path) -> anyhow::Result<Self> {
        let mut strace = Command::new("strace");
        strace.args(["-f", "-qq"]).args(options).arg("-o").arg(file);
        let strace = strace.args(["-p", &process.to_string()]).stdin(Stdio::null()).spawn();
        let trace = Self(Owned(strace.context("cannot start strace")?));
        eventually("every thread is traced", Duration::from_secs(10), || {
            let is_traced = |status: &String| {
                status.lines().any(|line| line.starts_with("TracerPid:") && !line.ends_with("\t0"))
            };
            threads(process).ok()?.iter().all(is_traced).then_some(())
        })?;
        Ok(trace)
    }

    /// Ends it, after which its file is complete.
    pub fn end(mut self) -> anyhow::Result<()> {
        kill_process(Pid::from_child(&self.0.0), Signal::INT).context("cannot signal strace")?;
        self.0.0.wait().context("cannot wait for strace")?;
        Ok(())
    }
}

/// Whether the process or thread of this folder of procfs is stopped by a signal.
fn is_stopped(folder: &Path) -> bool {
    let stat = fs::read_to_string(folder.join("stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('T'))
}

impl Drop for Agent {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
