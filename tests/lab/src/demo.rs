//! `cargo xtask demo`: encodes twice beside the agent, and prints a table of the cost, from a bare checkout.
//!
//! Real ffmpeg, in containers of a Docker engine (the host's, or a private one), else in cgroups; the real agent beside it. Nothing
//! is left running.

mod needs;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use tests::agent::Agent;
use tests::cgroup::Cgroup;
use tests::command::{now, pause};
use tests::engine::Engine;
use tests::exposition::Exposition;
use tests::image;

use xtask::process::{find, is_root, run as run_command, say};
use xtask::{build_ebpf, install, root};

/// Options of the demo.
pub(crate) struct Options {
    /// Use the debug build.
    pub(crate) debug: bool,
    /// Length of the encodes in seconds.
    pub(crate) seconds: u64,
}

/// One encode of the demo: the same picture by two encoders, in real time as a live stream would be.
struct Encode {
    name: &'static str,
    encoder: &'static str,
    preset: &'static str,
}

const ENCODES: [Encode; 2] = [
    Encode { name: "live-x264", encoder: "libx264", preset: "fast" },
    Encode { name: "live-x265", encoder: "libx265", preset: "superfast" },
];

const IMAGE: &str = "ffwatt-demo:latest";
const SIZE: &str = "640x360";
const RATE: u64 = 30;

impl Encode {
    fn arguments(&self, seconds: u64) -> Vec<String> {
        let Self { encoder, preset, .. } = self;
        let line = format!(
            "-nostdin -hide_banner -loglevel error -re -f lavfi -i testsrc2=size={SIZE}:rate={RATE} -t {seconds} \
             -c:v {encoder} -preset {preset} -b:v 800k -threads 2 -f null -"
        );
        line.split(' ').map(str::to_owned).collect()
    }
}

/// Runs the demo, after a message about what it installs.
pub(crate) fn run(options: &Options) -> anyhow::Result<()> {
    needs::missing(&root()?).announce("demo")?;
    let binary = build(options)?;
    if find("ffmpeg").is_none() {
        install::packages("the demo", &["ffmpeg"])?;
    }
    let stage = Stage::set()?;
    say(&format!("{}; the encodes take {} s", stage.describe(), options.seconds));
    let socket = stage.socket().map(|socket| socket.display().to_string()).unwrap_or_default();
    let mut agent = Agent::spawn(
        &binary,
        &["--containers.docker-socket", &socket, "--containers.podman-socket", ""],
        &[],
    )?;
    agent.wait_ready()?;
    let began = now();
    let running = stage.start(options.seconds)?;
    watch(&agent, Duration::from_secs(options.seconds))?;
    running.wait()?;
    // Two ticks: one that contains the end, one that has everything before it.
    let scrape = agent.wait_ticks(3)?;
    print(&format!("\nAfter {:.0} s:\n\n", began.elapsed().as_secs_f64()))?;
    report(&scrape)?;
    let (status, log) = agent.stop()?;
    ensure!(status.success(), "the agent ended with {status}: {log}");
    Ok(())
}

fn build(options: &Options) -> anyhow::Result<PathBuf> {
    let root = root()?;
    build_ebpf::run()?;
    let mut command = Command::new(env!("CARGO"));
    command.current_dir(&root).args(["build", "--quiet", "--package", "ffwatt"]);
    let folder = if options.debug {
        "debug"
    } else {
        command.arg("--release");
        "release"
    };
    run_command(&mut command)?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    Ok(target.join(folder).join("ffwatt"))
}

/// Place of the encodes.
enum Stage {
    Containers(Engine),
    Cgroups,
    /// Without root no cgroups can be made either.
    Processes,
}

/// The encodes while they run.
enum Running<'a> {
    Containers(&'a Engine),
    Cgroups(Vec<(Child, Option<Cgroup>)>),
}

impl Stage {
    fn set() -> anyhow::Result<Self> {
        if let Some(engine) = Engine::of_host() {
            return Self::with_image(engine);
        }
        if !is_root() {
            return Ok(Self::Processes);
        }
        if needs::lacks_private_engine()
            && let Err(error) = install::packages("running the demo in containers", &needs::ENGINE_PACKAGES)
        {
            say(&format!("no Docker engine here, and none can be installed ({error:#})"));
            return Ok(Self::Cgroups);
        }
        match Engine::start_private() {
            Ok(engine) => Self::with_image(engine),
            Err(error) => {
                say(&format!("a private Docker engine does not start here ({error:#})"));
                Ok(Self::Cgroups)
            }
        }
    }

    fn with_image(engine: Engine) -> anyhow::Result<Self> {
        if find("busybox").is_none() {
            install::packages("making the demo's image", &["busybox-static"])?;
        }
        image::make(&engine, IMAGE)?;
        Ok(Self::Containers(engine))
    }

    fn describe(&self) -> &'static str {
        match self {
            Self::Containers(_) => "Encoding in containers",
            Self::Cgroups => "Encoding in cgroups: no Docker engine here",
            Self::Processes => {
                "Encoding in plain processes: without root there is neither a Docker engine nor eBPF"
            }
        }
    }

    fn socket(&self) -> Option<&Path> {
        match self {
            Self::Containers(engine) => Some(engine.socket()),
            Self::Cgroups | Self::Processes => None,
        }
    }

    fn start(&self, seconds: u64) -> anyhow::Result<Running<'_>> {
        if let Self::Containers(engine) = self {
            for encode in &ENCODES {
                let _ = engine.run(&["rm", "--force", encode.name]);
                let label = format!("ffwatt.scenario={}", encode.name);
                let options = [
                    "run",
                    "--detach",
                    "--network=none",
                    "--name",
                    encode.name,
                    "--label",
                    &label,
                    IMAGE,
                    "ffmpeg",
                ];
                let arguments = encode.arguments(seconds);
                let words = options.into_iter().chain(arguments.iter().map(String::as_str));
                engine.run(&words.collect::<Vec<_>>())?;
            }
            return Ok(Running::Containers(engine));
        }
        let mut children = Vec::new();
        for encode in &ENCODES {
            let cgroup = match self {
                Self::Cgroups => Some(Cgroup::make(&format!("ffrtmp/{}", encode.name))?),
                _ => None,
            };
            let mut command = match &cgroup {
                Some(cgroup) => cgroup.command("ffmpeg"),
                None => Command::new("ffmpeg"),
            };
            let child = command
                .args(encode.arguments(seconds))
                .stdout(Stdio::null())
                .spawn()
                .context("cannot start ffmpeg")?;
            children.push((child, cgroup));
        }
        Ok(Running::Cgroups(children))
    }
}

impl Running<'_> {
    /// Waits for the encodes to end; one that failed is an error.
    fn wait(self) -> anyhow::Result<()> {
        match self {
            Self::Containers(engine) => {
                for encode in &ENCODES {
                    let code = engine.run(&["wait", encode.name])?;
                    if code != "0" {
                        bail!("{} ended with {code}: {}", encode.name, engine.run(&["logs", encode.name])?);
                    }
                    engine.run(&["rm", encode.name])?;
                }
            }
            Self::Cgroups(children) => {
                for (mut child, _cgroup) in children {
                    let status = child.wait().context("cannot wait for ffmpeg")?;
                    ensure!(status.success(), "an encode ended with {status}");
                }
            }
        }
        Ok(())
    }
}

/// Prints a line every two seconds while the encodes run.
fn watch(agent: &Agent, length: Duration) -> anyhow::Result<()> {
    let names = ENCODES.map(|encode| encode.name);
    print(&format!(
        "\n{:>6}  {:>10}  {:>10}  {:>10}  {:>10}  {:>10}   watts now\n",
        "", names[0], names[1], "others", "idle", "host"
    ))?;
    let began = now();
    let mut before = Figures::of(&agent.scrape()?);
    while began.elapsed() + Duration::from_secs(2) < length {
        pause(Duration::from_secs(2));
        let after = Figures::of(&agent.scrape()?);
        let seconds = after.at - before.at;
        if seconds <= 0.0 {
            continue;
        }
        let elapsed = began.elapsed().as_secs();
        let (Some(host_before), Some(host_after)) = (before.host, after.host) else {
            print(&format!("{elapsed:>4} s  energy is not known yet\n"))?;
            before = after;
            continue;
        };
        let watts = |pick: &dyn Fn(&Figures) -> f64| (pick(&after) - pick(&before)) / seconds;
        let encode = |name: &'static str| watts(&|figures: &Figures| figures.of_workload(name));
        let (first, second) = (encode(names[0]), encode(names[1]));
        let (idle, host) = (watts(&|figures| figures.idle), (host_after - host_before) / seconds);
        let others = host - idle - first - second;
        print(&format!(
            "{elapsed:>4} s  {first:>10.2}  {second:>10.2}  {others:>10.2}  {idle:>10.2}  {host:>10.2}\n"
        ))?;
        before = after;
    }
    Ok(())
}

/// Sums of one scrape, in the domains that count towards a total.
struct Figures {
    at: f64,
    /// Absent while no counter has moved.
    host: Option<f64>,
    idle: f64,
    workloads: BTreeMap<String, f64>,
}

impl Figures {
    fn of(scrape: &Exposition) -> Self {
        let mut workloads: BTreeMap<String, f64> = BTreeMap::new();
        let counts = |domain: &str| matches!(domain, "package" | "dram");
        let mut idle = 0.0;
        for sample in
            scrape.all("ffwatt_workload_energy_joules_total").filter(|sample| counts(sample.label("domain")))
        {
            if sample.label("workload") == "idle" && sample.label("kind") == "pseudo" {
                idle += sample.value;
            } else {
                *workloads.entry(sample.label("workload").to_owned()).or_default() += sample.value;
            }
        }
        let host =
            scrape.all("ffwatt_host_energy_joules_total").filter(|sample| counts(sample.label("domain")));
        let host = host.map(|sample| sample.value).reduce(|sum, energy| sum + energy);
        let at = scrape.sum("ffwatt_last_tick_timestamp_seconds", &[]).unwrap_or(0.0);
        Self { at, host, idle, workloads }
    }

    /// Energy of a workload by its name; in a cgroup of its own, the name has the folder before it.
    fn of_workload(&self, name: &str) -> f64 {
        let is_it = |workload: &str| workload == name || workload.rsplit('/').next() == Some(name);
        self.workloads.iter().filter(|(workload, _)| is_it(workload)).map(|(_, energy)| energy).sum()
    }
}

fn report(scrape: &Exposition) -> anyhow::Result<()> {
    let figures = Figures::of(scrape);
    print(&format!("{:<28}{:<12}{:>11}{:>12}\n", "workload", "kind", "joules", "CPU s"))?;
    let mut rows: Vec<_> = scrape.all("ffwatt_workload_cpu_seconds_total").collect();
    rows.sort_by(|a, b| b.value.total_cmp(&a.value));
    let row = |name: &str, kind: &str, joules: f64, cpu: Option<f64>| {
        let cpu = cpu.map_or_else(String::new, |cpu| format!("{cpu:.3}"));
        print(&format!("{name:<28}{kind:<12}{joules:>11.3}{cpu:>12}\n"))
    };
    for sample in rows {
        let name = sample.label("workload");
        let labels = [("workload", name), ("id", sample.label("id")), ("kind", sample.label("kind"))];
        let energy = scrape.find("ffwatt_workload_energy_joules_total", &labels);
        let joules: f64 = energy
            .filter(|sample| matches!(sample.label("domain"), "package" | "dram"))
            .map(|s| s.value)
            .sum();
        if sample.value > 0.0 || joules > 0.0 {
            row(name, sample.label("kind"), joules, Some(sample.value))?;
        }
    }
    row("idle", "pseudo", figures.idle, None)?;
    row("host", "", figures.host.context("the agent shows no energy")?, None)?;
    transcodes(scrape)?;
    closing(scrape)
}

fn transcodes(scrape: &Exposition) -> anyhow::Result<()> {
    print(&format!(
        "\n{:<20}{:<12}{:<11}{:<11}{:>9}{:>9}{:>9}\n",
        "transcode", "codec", "preset", "size", "joules", "watts", "CPU s"
    ))?;
    for sample in
        scrape.all("ffwatt_transcode_energy_joules_total").filter(|sample| !sample.label("codec").is_empty())
    {
        let key = [("transcode", sample.label("transcode"))];
        let cpu = scrape.sum("ffwatt_transcode_cpu_seconds_total", &key).unwrap_or(0.0);
        let began = scrape.sum("ffwatt_transcode_start_timestamp_seconds", &key);
        let ended = scrape.sum("ffwatt_transcode_end_timestamp_seconds", &key);
        let watts = began.zip(ended).map(|(began, ended)| sample.value / (ended - began));
        print(&format!(
            "{:<20}{:<12}{:<11}{:<11}{:>9.3}{:>9}{cpu:>9.3}\n",
            sample.label("workload"),
            sample.label("codec"),
            sample.label("preset"),
            sample.label("resolution"),
            sample.value,
            watts.map_or_else(String::new, |watts| format!("{watts:.3}")),
        ))?;
    }
    Ok(())
}

/// Reports whether the sums are exact, and the source of the energy.
fn closing(scrape: &Exposition) -> anyhow::Result<()> {
    print("\n")?;
    let residuals = scrape.residuals();
    ensure!(!residuals.is_empty(), "the agent shows no energy");
    for ((package, domain), left) in &residuals {
        let host = scrape
            .sum("ffwatt_host_energy_joules_total", &[("package", package), ("domain", domain)])
            .unwrap_or(0.0);
        print(&format!(
            "package {package}, {domain}: host {host:.6} J, less the sum of all workloads: {left} µJ\n"
        ))?;
        ensure!(*left == 0, "the books do not close");
    }
    let info =
        scrape.all("ffwatt_attribution_info").next().context("the agent does not say how it measures")?;
    let energy = match info.label("energy_source") {
        "model" => "model: an ESTIMATE from CPU use, because no energy counter works here".to_owned(),
        source => format!("{source}: measured"),
    };
    let cpu = match info.label("cpu_source") {
        "bpf" => "eBPF: exact",
        _ => "cgroupfs: polled",
    };
    print(&format!("energy source: {energy}\nCPU time: {cpu}\n"))
}

/// Prints to standard output, which is the demo's product.
fn print(text: &str) -> anyhow::Result<()> {
    use std::io::Write;
    let mut out = std::io::stdout();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).context("cannot write to standard output")
}
