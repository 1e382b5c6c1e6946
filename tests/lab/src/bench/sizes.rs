//! Measures CPU, memory and scrapes by number of cgroups.

use std::path::Path;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use anyhow::Context;
use serde_json::{Map, Value, json};
use tests::agent::{Agent, Ports};
use tests::cgroup::{self, Cgroup};
use tests::command::{Owned, now, pause};
use tests::http;

use super::spawn;
use xtask::process::say;

/// Cgroups with a process each that wakes up every second.
const SIZES: [usize; 5] = [0, 10, 100, 1000, 5000];

/// The size at which all ports are scraped.
const ALL_PORTS_AT: usize = 1000;

/// Time of watching the agent at each size.
const WATCH: Duration = Duration::from_secs(20);

/// Number of simultaneous scrapers, and of scrapes of each.
const SCRAPERS: usize = 4;
const SCRAPES: usize = 50;

/// Parent of the cgroups.
pub(super) const PARENT: &str = "ffwatt-bench";

/// Runs a child in each cgroup of a range of numbers: the children share memory as far as possible.
const CHILDREN: &str = r#"
    my ($folder, $from, $to) = @ARGV;
    for my $number ($from .. $to - 1) {
        next if fork;
        open(my $procs, '>', "$folder/$number/cgroup.procs") or die;
        print $procs $$;
        close $procs;
        select(undef, undef, undef, 1) while 1;
    }
    sleep 1000 while 1;
"#;

/// Measures and appends its sections.
pub(super) fn measure(binary: &Path, json: &mut Map<String, Value>) -> anyhow::Result<String> {
    let mut text = String::from(
        "## Number of cgroups\n\nEach cgroup has one process that wakes up every second. CPU is relative to one core. Four scrapers read port 9510 at once.\n\n\
         | cgroups | CPU, tick 1 s | CPU, tick 100 ms | resident | scrape p50 | scrape p99 | payload |\n|---|---|---|---|---|---|---|\n",
    );
    let (mut cgroups, mut parents, mut all, mut ports) = (Vec::new(), Vec::new(), Vec::new(), String::new());
    for size in SIZES {
        let from = cgroups.len();
        for number in from..size {
            cgroups.push(Cgroup::make(&format!("{PARENT}/{number}"))?);
        }
        if size > from {
            parents.push(populate(from, size)?);
        }
        let slow = spawn(binary, &["--interval=1s"])?;
        let cpu = cpu(&slow)?;
        let scrape = slow.scrape()?;
        let resident = scrape.sum("process_resident_memory_bytes", &[]).context("no memory")?;
        let main = scrapes(slow.ports.main)?;
        if size == ALL_PORTS_AT {
            ports = by_port(slow.ports)?;
        }
        drop(slow);
        let quick = spawn(binary, &["--interval=100ms"])?;
        let quick_cpu = self::cpu(&quick)?;
        let row = format!(
            "| {size} | {:.2} % | {:.2} % | {:.1} MB | {} |\n",
            cpu * 100.0,
            quick_cpu * 100.0,
            resident / 1e6,
            main.cells(),
        );
        say(&row);
        text.push_str(&row);
        all.push(json!({ "cgroups": size, "cpu_tick_1s": cpu, "cpu_tick_100ms": quick_cpu, "resident_bytes": resident,
            "scrape_p50_seconds": main.median.as_secs_f64(), "scrape_p99_seconds": main.late.as_secs_f64(), "payload_bytes": main.payload }));
    }
    text.push('\n');
    text.push_str(&ports);
    json.insert("sizes".to_owned(), Value::Array(all));
    Ok(text)
}

/// Starts the children, and waits until each is in its cgroup.
pub(super) fn populate(from: usize, to: usize) -> anyhow::Result<Owned> {
    let mut command = std::process::Command::new("perl");
    let folder = cgroup::root()?.join(PARENT);
    command.args(["-e", CHILDREN]).arg(&folder).args([from.to_string(), to.to_string()]);
    let parent = Owned(command.stdin(Stdio::null()).spawn().context("cannot start perl")?);
    tests::command::eventually("a process in every cgroup", Duration::from_mins(1), || {
        let is_there = |number: usize| {
            std::fs::read_to_string(folder.join(number.to_string()).join("cgroup.procs"))
                .is_ok_and(|pids| !pids.is_empty())
        };
        (from..to).all(is_there).then_some(())
    })?;
    Ok(parent)
}

/// CPU seconds per second.
fn cpu(agent: &Agent) -> anyhow::Result<f64> {
    let used = || -> anyhow::Result<f64> {
        agent.scrape()?.sum("process_cpu_seconds_total", &[]).context("no CPU time")
    };
    pause(Duration::from_secs(2));
    let (before, begin) = (used()?, now());
    pause(WATCH);
    Ok((used()? - before) / begin.elapsed().as_secs_f64())
}

/// Scrapes of one port.
struct Scrapes {
    median: Duration,
    /// 99th percentile.
    late: Duration,
    payload: usize,
}

impl Scrapes {
    fn cells(&self) -> String {
        format!(
            "{:.2} ms | {:.2} ms | {:.0} kB",
            self.median.as_secs_f64() * 1e3,
            self.late.as_secs_f64() * 1e3,
            self.payload as f64 / 1e3
        )
    }
}

fn scrapes(port: u16) -> anyhow::Result<Scrapes> {
    let scraper = move || -> anyhow::Result<(Vec<Duration>, usize)> {
        let mut times = Vec::new();
        let mut size = 0;
        for _ in 0..SCRAPES {
            let begin = now();
            size = http::get(port, "/metrics")?.text().len();
            times.push(begin.elapsed());
        }
        Ok((times, size))
    };
    let scrapers: Vec<_> = (0..SCRAPERS).map(|_| thread::spawn(scraper)).collect();
    let (mut times, mut payload) = (Vec::new(), 0);
    for one in scrapers {
        let (more, size) = one.join().map_err(|_panic| anyhow::anyhow!("a scraper panicked"))??;
        times.extend(more);
        payload = size;
    }
    times.sort();
    Ok(Scrapes { median: times[times.len() / 2], late: times[times.len() * 99 / 100], payload })
}

fn by_port(ports: Ports) -> anyhow::Result<String> {
    let names =
        ["9500 (rapl)", "9501 (docker)", "9502 (results)", "9503 (qoe)", "9504 (cost)", "9510 (main)"];
    let mut table = format!(
        "Every port, with {ALL_PORTS_AT} cgroups and no results:\n\n| port | scrape p50 | scrape p99 | payload |\n|---|---|---|---|\n"
    );
    for (name, port) in names.into_iter().zip(ports.all()) {
        table.extend([format!("| {name} | {} |\n", scrapes(port)?.cells())]);
    }
    table.push('\n');
    Ok(table)
}
