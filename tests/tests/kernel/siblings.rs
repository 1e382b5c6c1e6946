//! Tests the overlap of two busy CPUs (hardware threads) of one core, as the eBPF program counts it, by the energy of both loads.

use std::fs;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use tempfile::TempDir;
use tests::agent::Agent;
use tests::cgroup::Cgroup;
use tests::command::pause;
use tests::exposition::{Exposition, assert_closed};
use tests::simulator::{siblings, sysfs_of_one_core};

use super::{ENERGY, agent, cpu_of};

/// All loads of a case are in one window: the key says nothing about windows in which only one load runs.
const INTERVAL: &str = "--interval=4s";

/// Weight of a second beside a busy thread, by default.
const SHARED: f64 = 0.575;

/// A case: the time of the first load, the time until the second one begins, its busy times and pauses, and the part of its busy time in
/// which the first one runs.
struct Case {
    what: &'static str,
    first: Duration,
    begin: Duration,
    second: (usize, Duration, Duration),
    shared: f64,
}

const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

const CASES: [Case; 3] = [
    Case {
        what: "beside",
        first: ms(2500),
        begin: ms(500),
        second: (1, ms(1500), Duration::ZERO),
        shared: 1.0,
    },
    Case {
        what: "after",
        first: ms(1000),
        begin: ms(1200),
        second: (1, ms(1500), Duration::ZERO),
        shared: 0.0,
    },
    Case {
        what: "in bursts beside",
        first: ms(2500),
        begin: ms(500),
        second: (8, ms(50), ms(50)),
        shared: 1.0,
    },
];

/// An agent with these flags, and the two CPUs of a core: of this host or, where that has none, of the agent's `/sys`.
fn start(flags: &[&str]) -> (Agent, [String; 2], Option<TempDir>) {
    if let Some(cpus) = siblings().unwrap() {
        return (agent(flags), cpus.map(|cpu| cpu.to_string()), None);
    }
    let folder = tempfile::tempdir().unwrap();
    let cpus = sysfs_of_one_core(folder.path()).unwrap();
    let sysfs = format!("--path.sysfs={}", folder.path().display());
    (agent(&[flags, &[&sysfs]].concat()), cpus.map(|cpu| cpu.to_string()), Some(folder))
}

/// Keeps a CPU busy for this time.
fn spin(cgroup: &Cgroup, cpu: &str, time: Duration) {
    let mut command = cgroup.command("taskset");
    command.args(["-c", cpu, "sh", "-c", "while :; do :; done"]).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    pause(time);
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Seconds that a hypervisor has taken from all CPUs. A thread is busy for its sibling while the hypervisor has its CPU.
fn stolen() -> f64 {
    let text = fs::read_to_string("/proc/stat").unwrap();
    let ticks: f64 = text.lines().next().unwrap().split_whitespace().nth(8).unwrap().parse().unwrap();
    ticks / rustix::param::clock_ticks_per_second() as f64
}

/// CPU seconds and joules of a workload.
fn used(scrape: &Exposition, cgroup: &Cgroup) -> (f64, f64) {
    let energy = scrape.sum(ENERGY, &[("workload", &cgroup.path), ("domain", "package")]);
    (cpu_of(scrape, &cgroup.path).unwrap(), energy.unwrap())
}

#[test]
fn a_second_beside_a_busy_thread_of_the_core_costs_less() {
    let (agent, [one, other], _sysfs) = start(&[INTERVAL]);
    for Case { what, first: first_time, begin, second: (bursts, busy, rest), shared } in CASES {
        let name = what.replace(' ', "-");
        let [first, second] =
            ["first", "second"].map(|load| Cgroup::make(&format!("ffwatt-test/{load}-{name}")).unwrap());
        agent.wait_ticks(1).unwrap();
        let stolen_before = stolen();
        thread::scope(|scope| {
            scope.spawn(|| spin(&first, &one, first_time));
            pause(begin);
            for _ in 0..bursts {
                spin(&second, &other, busy);
                pause(rest);
            }
        });
        let stolen = stolen() - stolen_before;
        let scrape = agent.wait_ticks(1).unwrap();
        assert_closed(&scrape);
        let key = scrape.sum("ffwatt_attribution_key_info", &[("domain", "package"), ("key", "smt")]);
        assert_eq!(key, Some(1.0), "{}", agent.log());
        let ((long, long_energy), (short, short_energy)) = (used(&scrape, &first), used(&scrape, &second));
        assert!(short > 0.15, "{what}: the second load used {short} s");
        let weight = |time: f64, both: f64| time - both + SHARED * both;
        let both = short * shared;
        let (expected, found) = (weight(short, both) / weight(long, both), short_energy / long_energy);
        let off = found / expected - 1.0;
        println!(
            "{what}: {short:.3} and {long:.3} s, {short_energy:.3} and {long_energy:.3} J, off by {:.2} %",
            off * 100.0
        );
        let most = 0.05 + stolen / short;
        assert!(
            off.abs() < most,
            "{what}: {found} instead of {expected}, {} by CPU time, {stolen} s stolen",
            short / long
        );
    }
}

#[test]
fn a_weight_of_1_is_plain_cpu_time() {
    let (agent, _, _sysfs) = start(&["--attribution.shared-core-weight=1"]);
    let scrape = agent.wait_ticks(1).unwrap();
    let key = |key: &str| scrape.sum("ffwatt_attribution_key_info", &[("domain", "package"), ("key", key)]);
    assert_eq!((key("time"), key("smt")), (Some(1.0), None), "{}", agent.log());
}
