//! Tests CPU time: the real eBPF programs on the running kernel, against the kernel's own accounting. Needs root.
//!
//! Run: alone (these tests measure the host).

#![allow(
    clippy::unwrap_used,
    clippy::float_cmp,
    reason = "a test may panic, and means equal when it says equal"
)]

mod degraded;
mod device_files;
mod endings;
mod siblings;

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Child, Stdio};
use std::time::Duration;

use rustix::process::Signal;
use tests::agent::{Agent, WITH_BPF, binary, program};
use tests::cgroup::{Cgroup, finish};
use tests::command::{eventually, pause};
use tests::exposition::{Exposition, assert_closed};
use tests::ffmpeg::LIVE_SOURCE;

const CPU: &str = "ffwatt_workload_cpu_seconds_total";
const ENERGY: &str = "ffwatt_workload_energy_joules_total";

fn agent(more: &[&str]) -> Agent {
    Agent::start_with_bpf(more).unwrap()
}

fn cpu_of(scrape: &Exposition, workload: &str) -> Option<f64> {
    scrape.sum(CPU, &[("workload", workload)])
}

/// CPU seconds of a cgroup by the kernel's own accounting.
fn kernel_of(cgroup: &Cgroup) -> f64 {
    cgroup.cpu_stat().unwrap().as_secs_f64()
}

#[test]
fn the_cpu_seconds_of_a_busy_cgroup_are_the_kernels_within_half_a_percent() {
    let agent = agent(&[]);
    let cgroup = Cgroup::make("ffwatt-test/busy").unwrap();
    let workers = [cgroup.burn(5.0).spawn().unwrap(), cgroup.burn(5.0).spawn().unwrap()];
    for mut worker in workers {
        worker.wait().unwrap();
    }
    let scrape = agent.wait_ticks(2).unwrap();
    let kernel = kernel_of(&cgroup);
    let ours = cpu_of(&scrape, &cgroup.path).unwrap();
    println!(
        "busy cgroup over 5 s: kernel {kernel:.4} s, ffwatt {ours:.4} s, off by {:.3} %",
        (ours / kernel - 1.0) * 100.0
    );
    assert!((ours / kernel - 1.0).abs() < 0.005, "kernel {kernel}, ffwatt {ours}");
    assert_closed(&scrape);
}

#[test]
fn a_kernel_that_does_not_tell_its_types_is_read_without_them() {
    // A sysfs without types, for the agent alone.
    let folder = tempfile::tempdir().unwrap();
    let wrapper = folder.path().join("without-types");
    let binary = binary().unwrap();
    let script = format!(
        "#!/bin/sh\nexec unshare -m sh -c 'mount -t tmpfs none /sys/kernel/btf && exec \"$0\" \"$@\"' {} \"$@\"\n",
        binary.display()
    );
    tests::command::script(&wrapper, &script).unwrap();
    for (program, started) in [("switch", &binary), ("untyped_switch", &wrapper)] {
        let mut agent = Agent::spawn(started, &WITH_BPF, &[]).unwrap();
        agent.wait_ready().unwrap();
        let list = agent.programs().unwrap();
        let is_there = |name: &str| list.values().any(|line| line.contains(&format!(" name {name} ")));
        let programs = ["switch", "untyped_switch"].map(|name| (name, is_there(name)));
        assert_eq!(programs, ["switch", "untyped_switch"].map(|name| (name, name == program)), "{list:?}");
        let cgroup = Cgroup::make(&format!("ffwatt-test/{program}")).unwrap();
        cgroup.burn(2.0).status().unwrap();
        let scrape = agent.wait_ticks(2).unwrap();
        let (kernel, ours) = (kernel_of(&cgroup), cpu_of(&scrape, &cgroup.path).unwrap());
        println!("{program}: kernel {kernel:.4} s, ffwatt {ours:.4} s");
        assert!((ours / kernel - 1.0).abs() < 0.02, "kernel {kernel}, ffwatt {ours}");
        assert_closed(&scrape);
    }
}

#[test]
fn two_hundred_jobs_of_50_ms_are_all_captured_under_their_names() {
    // Under emulation the series of the first would have disappeared before the last has run.
    let agent = agent(&["--attribution.keep-ended=1h"]);
    let mut kernel: BTreeMap<String, f64> = BTreeMap::new();
    for number in 0..200 {
        let cgroup = Cgroup::make(&format!("ffwatt-test/job-{number}")).unwrap();
        cgroup.burn(0.05).status().unwrap();
        kernel.insert(cgroup.path.clone(), kernel_of(&cgroup));
        cgroup.remove().unwrap();
    }
    let scrape = agent.wait_ticks(2).unwrap();
    let mut captured = 0.0;
    for (path, seconds) in &kernel {
        let ours = cpu_of(&scrape, path).unwrap_or_else(|| panic!("{path} is not known by its name"));
        captured += ours.min(*seconds);
        assert!(scrape.sum(ENERGY, &[("workload", path)]).unwrap() > 0.0, "{path} has no energy");
    }
    let all: f64 = kernel.values().sum();
    println!(
        "200 jobs of 50 ms: kernel {all:.3} s, captured {captured:.3} s, {:.2} %",
        captured / all * 100.0
    );
    assert!(captured / all >= 0.99, "captured {captured} of {all}");
    assert_closed(&scrape);
}

#[test]
fn a_thread_that_never_switches_is_counted_at_every_tick() {
    let agent = agent(&["--interval=100ms"]);
    let cgroup = Cgroup::make("ffwatt-test/steady").unwrap();
    // On one CPU, which it leaves only when another task needs it.
    let mut command = cgroup.command("taskset");
    command.args(["-c", "1", "timeout", "4", "sh", "-c", "while :; do :; done"]);
    let mut worker = command.spawn().unwrap();
    agent.until("it runs", |scrape| cpu_of(scrape, &cgroup.path).filter(|cpu| *cpu > 0.3)).unwrap();
    // A tick has all that the kernel had counted before it, and no more than the kernel has counted after it.
    let is_below = |less: f64, more: f64| less <= more * 1.01 + 0.02;
    let (mut ticks, mut last, mut furthest) = (0, None, 0.0_f64);
    while ticks < 25 {
        let before = kernel_of(&cgroup);
        let scrape = agent.scrape().unwrap();
        let after = kernel_of(&cgroup);
        let tick = scrape.sum("ffwatt_tick_duration_seconds_count", &[]).unwrap() as u64;
        let ours = cpu_of(&scrape, &cgroup.path).unwrap();
        assert!(is_below(ours, after), "at tick {tick}: kernel {after}, ffwatt {ours}");
        if let Some((last_tick, counted)) = last
            && last_tick != tick
        {
            assert!(is_below(counted, ours), "at tick {tick}: kernel {counted} before it, ffwatt {ours}");
            furthest = furthest.max(counted - ours);
            ticks += 1;
        }
        last = Some((tick, before));
        pause(Duration::from_millis(10));
    }
    worker.kill().unwrap();
    worker.wait().unwrap();
    println!("a busy thread at {ticks} ticks of 100 ms: behind the kernel by {furthest:.4} s at most");
    let scrape = agent.wait_ticks(2).unwrap();
    let (kernel, ours) = (kernel_of(&cgroup), cpu_of(&scrape, &cgroup.path).unwrap());
    assert!((ours / kernel - 1.0).abs() < 0.01, "kernel {kernel}, ffwatt {ours}");
}

#[test]
fn two_ffmpegs_in_one_cgroup_are_told_apart() {
    let agent = agent(&[]);
    let cgroup = Cgroup::make("ffwatt-test/pair").unwrap();
    let encode = |encoder: &str, preset: &str| {
        let source = "testsrc2=size=320x240:rate=30";
        let line = format!(
            "TIMEFORMAT='%3U %3S'; time ffmpeg -nostdin -loglevel quiet -re -f lavfi -i {source} -t 4 \
             -c:v {encoder} -preset {preset} -f null - 2>/dev/null"
        );
        cgroup.command("bash").args(["-c", &line]).stderr(Stdio::piped()).spawn().unwrap()
    };
    let children = [("libx264", encode("libx264", "medium")), ("libx265", encode("libx265", "fast"))];
    let mut own: BTreeMap<&str, f64> = BTreeMap::new();
    for (encoder, child) in children {
        let output = child.wait_with_output().unwrap();
        let times = String::from_utf8_lossy(&output.stderr).into_owned();
        own.insert(encoder, times.split_whitespace().map(|time| time.parse::<f64>().unwrap()).sum());
    }
    let scrape = agent.wait_ticks(4).unwrap();
    for (encoder, seconds) in &own {
        let labels = [("workload", cgroup.path.as_str()), ("codec", *encoder)];
        let ours = scrape.sum("ffwatt_transcode_cpu_seconds_total", &labels).unwrap();
        println!("{encoder}: the kernel says {seconds:.3} s, ffwatt {ours:.3} s");
        // The kernel's figure includes the shell's fork and the loading of the program, which are not ffmpeg's yet.
        assert!((ours - seconds).abs() < 0.01 * seconds + 0.015, "{encoder}: {seconds} against {ours}");
        assert!(scrape.sum("ffwatt_transcode_energy_joules_total", &labels).unwrap() > 0.0);
        let running =
            scrape.find("ffwatt_transcode_info", &labels).next().unwrap().label("transcode").to_owned();
        let key = [("transcode", running.as_str())];
        assert_eq!(scrape.sum("ffwatt_transcode_running", &key), Some(0.0));
        assert_eq!(scrape.sum("ffwatt_transcode_exit_code", &key), Some(0.0));
    }
    let parts = scrape.sum("ffwatt_transcode_energy_joules_total", &[("workload", &cgroup.path)]).unwrap();
    let whole = scrape.sum(ENERGY, &[("workload", &cgroup.path)]).unwrap();
    assert!(parts <= whole + 1e-9, "the transcodes' {parts} J are part of the workload's {whole} J");
    assert_closed(&scrape);
}

#[test]
fn an_ffmpeg_that_ran_before_the_agent_is_a_transcode_too() {
    let cgroup = Cgroup::make("ffwatt-test/early").unwrap();
    let mut command = cgroup.command("ffmpeg");
    command.args(LIVE_SOURCE).args(["-t", "30"]);
    let mut child = command.args(["-c:v", "libx264", "-f", "null", "-"]).spawn().unwrap();
    eventually("it runs", Duration::from_secs(10), || {
        cgroup.cpu_stat().ok().filter(|used| used.as_millis() > 100)
    })
    .unwrap();
    let agent = agent(&[]);
    let labels = [("workload", "/ffwatt-test/early"), ("codec", "libx264")];
    let used = agent.until("it is known", |scrape| {
        scrape.sum("ffwatt_transcode_cpu_seconds_total", &labels).filter(|used| *used > 0.0)
    });
    used.unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    agent
        .until("its end is known", |scrape| {
            let info = scrape.find("ffwatt_transcode_info", &labels).next()?.label("transcode").to_owned();
            let code = scrape.sum("ffwatt_transcode_exit_code", &[("transcode", &info)])?;
            (code == 137.0).then_some(())
        })
        .unwrap();
}

#[test]
fn the_sums_close_in_every_scrape_under_a_storm_of_forks() {
    let agent = agent(&["--interval=100ms"]);
    let cgroups: Vec<Cgroup> =
        (0..4).map(|number| Cgroup::make(&format!("ffwatt-test/storm-{number}")).unwrap()).collect();
    let children: Vec<Child> = cgroups
        .iter()
        .map(|cgroup| {
            let storm = "read go; i=0; while [ $i -lt 1000 ]; do /bin/true; i=$((i+1)); done";
            cgroup.command("sh").args(["-c", storm]).stdin(Stdio::piped()).spawn().unwrap()
        })
        .collect();
    // The cost of entering does not matter here: see `a_task_that_moves_…`.
    let has_run =
        |scrape: &Exposition, cgroup: &Cgroup| cpu_of(scrape, &cgroup.path).is_some_and(|cpu| cpu > 0.0);
    agent
        .until("all are inside", |scrape| cgroups.iter().all(|cgroup| has_run(scrape, cgroup)).then_some(()))
        .unwrap();
    let inside = agent.wait_ticks(3).unwrap();
    let before: Vec<f64> = cgroups.iter().map(kernel_of).collect();
    for child in &children {
        child.stdin.as_ref().unwrap().write_all(b"\n").unwrap();
    }
    for _ in 0..20 {
        assert_closed(&agent.scrape().unwrap());
        pause(Duration::from_millis(50));
    }
    for child in children {
        finish(child).unwrap();
    }
    let scrape = agent.wait_ticks(2).unwrap();
    // A host may run threads whose switches are not visible: some milliseconds a second are charged to the next task that leaves the CPU.
    for (cgroup, before) in cgroups.iter().zip(before) {
        let kernel = kernel_of(cgroup) - before;
        let ours = cpu_of(&scrape, &cgroup.path).unwrap() - cpu_of(&inside, &cgroup.path).unwrap();
        assert!((ours / kernel - 1.0).abs() < 0.02, "{}: kernel {kernel}, ffwatt {ours}", cgroup.path);
    }
    assert_eq!(scrape.sum("ffwatt_lost_charges_total", &[]), Some(0.0));
    assert_eq!(scrape.sum("ffwatt_lost_events_total", &[]), Some(0.0));
}

/// No event reports the move: a task is charged to its cgroup when it leaves the CPU, or when a tick ends. The kernel's own accounts do
/// the same, with the scheduler's tick.
#[test]
fn a_task_that_moves_takes_no_more_with_it_than_its_last_tick() {
    let tick = 0.1;
    let agent = agent(&["--interval=100ms"]);
    let [from, to] = ["from", "to"].map(|name| Cgroup::make(&format!("ffwatt-test/moves-{name}")).unwrap());
    let burn = "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done";
    let script = format!("{burn}; echo $$ > \"$0\"; {burn}");
    let child =
        from.command("sh").args(["-c", &script]).arg(to.folder().join("cgroup.procs")).spawn().unwrap();
    finish(child).unwrap();
    let scrape = agent.wait_ticks(2).unwrap();
    let seconds = |cgroup: &Cgroup| (kernel_of(cgroup), cpu_of(&scrape, &cgroup.path).unwrap());
    let ((kernel_from, from), (kernel_to, to)) = (seconds(&from), seconds(&to));
    println!("before: kernel {kernel_from:.4} s, ffwatt {from:.4} s; after: {kernel_to:.4} s, {to:.4} s");
    assert!(kernel_from > tick && kernel_to > tick, "it has run for more than a tick in each");
    assert!(
        ((from + to) / (kernel_from + kernel_to) - 1.0).abs() < 0.02,
        "nothing is lost, nothing is twice"
    );
    // On a loaded host a tick may be late.
    let late = scrape.sum("ffwatt_missed_ticks_total", &[]).unwrap() * tick;
    assert!(
        (to - kernel_to).abs() < tick * 1.1 + late,
        "after it has moved: kernel {kernel_to}, ffwatt {to}"
    );
    assert_closed(&scrape);
}

#[test]
fn ten_thousand_cgroups_come_and_go() {
    let agent = agent(&[]);
    let parent = Cgroup::make("ffwatt-test/many").unwrap();
    let cgroups: Vec<Cgroup> =
        (0..10_000).map(|number| Cgroup::make(&format!("ffwatt-test/many/{number}")).unwrap()).collect();
    for cgroup in cgroups.iter().step_by(200) {
        finish(
            cgroup
                .command("sh")
                .args(["-c", "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done"])
                .spawn()
                .unwrap(),
        )
        .unwrap();
    }
    let scrape = agent.wait_ticks(3).unwrap();
    assert_closed(&scrape);
    let shown = scrape.find(CPU, &[("kind", "cgroup")]).count();
    assert!(
        (cgroups.len() / 200..1000).contains(&shown),
        "{shown} cgroups have series: those that used something"
    );
    assert_eq!(scrape.sum("ffwatt_workloads_folded", &[]), Some(0.0));
    for cgroup in cgroups.iter().step_by(200) {
        let ours = cpu_of(&scrape, &cgroup.path).unwrap_or_else(|| panic!("{} is not shown", cgroup.path));
        let kernel = kernel_of(cgroup);
        assert!(ours >= kernel * 0.95, "{}: kernel {kernel}, ffwatt {ours}", cgroup.path);
    }
    drop(cgroups);
    drop(parent);
    let scrape = agent.wait_ticks(3).unwrap();
    assert_closed(&scrape);
    let (status, log) = agent.stop().unwrap();
    assert!(status.success(), "{log}");
    assert!(!log.contains("ERROR"), "{log}");
}

#[test]
fn a_full_accounting_map_is_counted_and_its_time_is_not_lost() {
    let agent = agent(&["--cpu.max-consumers=8"]);
    let cgroups: Vec<Cgroup> =
        (0..16).map(|number| Cgroup::make(&format!("ffwatt-test/full-{number}")).unwrap()).collect();
    for cgroup in &cgroups {
        cgroup.burn(0.1).status().unwrap();
    }
    let scrape = agent.wait_ticks(2).unwrap();
    assert!(scrape.sum("ffwatt_lost_charges_total", &[]).unwrap() > 0.0);
    let unattributed = scrape.sum(CPU, &[("workload", "unattributed")]).unwrap();
    let named: f64 = cgroups.iter().filter_map(|cgroup| cpu_of(&scrape, &cgroup.path)).sum();
    let kernel: f64 = cgroups.iter().map(kernel_of).sum();
    assert!(
        unattributed > 0.0 && unattributed + named >= kernel * 0.99,
        "{unattributed} + {named} of {kernel}"
    );
    assert!(scrape.sum(ENERGY, &[("workload", "unattributed")]).unwrap() > 0.0);
    assert_closed(&scrape);
}

#[test]
fn the_agents_own_share_is_shown() {
    let agent = agent(&["--interval=100ms"]);
    let scrape = agent.wait_ticks(10).unwrap();
    let share = scrape.sum(CPU, &[("workload", "ffwatt"), ("kind", "pseudo")]).unwrap();
    let process = scrape.sum("process_cpu_seconds_total", &[]).unwrap();
    assert!(share > 0.0 && share <= process + 0.1, "ffwatt {share}, process {process}");
    assert!(scrape.sum(ENERGY, &[("workload", "ffwatt")]).unwrap() > 0.0);
}

#[test]
fn nothing_is_left_in_the_kernel_however_it_ends() {
    for signal in [Signal::TERM, Signal::INT, Signal::KILL] {
        let agent = agent(&[]);
        let programs = agent.programs().unwrap();
        assert_eq!(programs.len(), 8, "{programs:?}");
        let _ = agent.stop_by(signal).unwrap();
        eventually("the programs are gone", Duration::from_secs(5), || {
            programs.keys().all(|number| program(*number).is_none()).then_some(())
        })
        .unwrap();
    }
}
