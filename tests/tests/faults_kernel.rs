//! Tests eBPF programs and maps that are overrun, full or detached: the real programs on the running kernel. Needs root.
//!
//! Run: alone (these tests burden the host). `FFWATT_LONG=1` asks for longer ones.

#![allow(
    clippy::unwrap_used,
    clippy::float_cmp,
    reason = "a test may panic, and means equal when it says equal"
)]

use std::fs;
use std::path::Path;
use std::process::Command;

use rustix::process::Signal;
use tests::agent::{Agent, WITH_BPF, binary};
use tests::cgroup::Cgroup;
use tests::command::output;
use tests::exposition::{Exposition, assert_closed};
use tests::length::short_or_long;

const CPU: &str = "ffwatt_workload_cpu_seconds_total";
fn agent(more: &[&str]) -> Agent {
    Agent::start_with_bpf(more).unwrap()
}

fn cpu_of(scrape: &Exposition, workload: &str) -> Option<f64> {
    scrape.sum(CPU, &[("workload", workload)])
}

fn count(scrape: &Exposition, name: &str) -> f64 {
    scrape.sum(name, &[]).unwrap()
}

#[test]
fn twenty_thousand_cgroups_come_and_go_in_bursts() {
    let agent = agent(&[]);
    let (bursts, size) = (10, 2000);
    let before = agent.wait_ticks(1).unwrap();
    let mut kernel = Vec::new();
    for burst in 0..bursts {
        let parent = Cgroup::make(&format!("ffwatt-test/burst-{burst}")).unwrap();
        let folders: Vec<_> = (0..size).map(|number| parent.folder().join(format!("job-{number}"))).collect();
        for folder in &folders {
            fs::create_dir(folder).unwrap();
        }
        let busy = Cgroup::make(&format!("ffwatt-test/burst-{burst}/busy")).unwrap();
        busy.burn(0.1).status().unwrap();
        kernel.push((busy.path.clone(), busy.cpu_stat().unwrap().as_secs_f64()));
        assert_closed(&agent.scrape().unwrap());
        for folder in &folders {
            fs::remove_dir(folder).unwrap();
        }
        busy.remove().unwrap();
        parent.remove().unwrap();
    }
    let after = agent.wait_ticks(3).unwrap();
    assert_closed(&after);
    for (path, seconds) in &kernel {
        let ours = cpu_of(&after, path).unwrap_or_else(|| panic!("{path} is not known by its name"));
        // Where the clocks do not keep step, a task is charged as far as the scheduler's last tick: 4 ms, at each end.
        assert!((ours - seconds).abs() < 0.1 * seconds + 0.008, "{path}: kernel {seconds}, ffwatt {ours}");
    }
    let memory = |scrape: &Exposition| count(scrape, "process_resident_memory_bytes") / 1e6;
    println!(
        "{} cgroups in {bursts} bursts: {} events lost, {:.1} MB before, {:.1} MB after",
        bursts * size,
        count(&after, "ffwatt_lost_events_total"),
        memory(&before),
        memory(&after)
    );
    assert_eq!(count(&after, "ffwatt_lost_charges_total"), 0.0);
    let (status, log) = agent.stop().unwrap();
    assert!(status.success() && !log.contains("ERROR"), "{log}");
}

#[test]
fn events_that_find_no_room_are_counted_and_a_walk_makes_up_for_them() {
    let agent = agent(&[]);
    assert_eq!(count(&agent.wait_ticks(1).unwrap(), "ffwatt_lost_events_total"), 0.0);
    agent.suspend().unwrap();
    // More than a megabyte of events, which nothing reads.
    let long = "x".repeat(200);
    let parent = Cgroup::make("ffwatt-test/overrun").unwrap();
    let folders: Vec<_> = (0..8000).map(|number| parent.folder().join(format!("{long}-{number}"))).collect();
    for folder in &folders {
        fs::create_dir(folder).unwrap();
    }
    let late = Cgroup::make("ffwatt-test/late").unwrap();
    late.burn(0.3).status().unwrap();
    agent.signal(Signal::CONT).unwrap();
    agent
        .until("the loss is counted", |scrape| {
            (count(scrape, "ffwatt_lost_events_total") > 0.0).then_some(())
        })
        .unwrap();
    let seconds = late.cpu_stat().unwrap().as_secs_f64();
    // Its own event was lost: the walk has found it.
    let ours = agent.until("it is known by its name", |scrape| cpu_of(scrape, &late.path)).unwrap();
    assert!((ours / seconds - 1.0).abs() < 0.1, "kernel {seconds}, ffwatt {ours}");
    assert_closed(&agent.scrape().unwrap());
    for folder in &folders {
        fs::remove_dir(folder).unwrap();
    }
    let after = agent.wait_ticks(2).unwrap();
    println!("{} events lost", count(&after, "ffwatt_lost_events_total"));
    assert_closed(&after);
}

#[test]
fn an_accounting_map_that_was_full_has_room_again_when_who_filled_it_is_gone() {
    let agent = agent(&["--cpu.max-consumers=48"]);
    let crowd: Vec<Cgroup> =
        (0..96).map(|number| Cgroup::make(&format!("ffwatt-test/crowd-{number}")).unwrap()).collect();
    for cgroup in &crowd {
        cgroup.burn(0.02).status().unwrap();
    }
    let during = agent.wait_ticks(2).unwrap();
    assert!(count(&during, "ffwatt_lost_charges_total") > 0.0);
    assert!(cpu_of(&during, "unattributed").unwrap() > 0.0, "what found no room is nobody's");
    assert_closed(&during);
    drop(crowd);
    agent
        .until("there is room", |scrape| (count(scrape, "ffwatt_bpf_map_entries") < 40.0).then_some(()))
        .unwrap();
    let late = Cgroup::make("ffwatt-test/after-the-crowd").unwrap();
    late.burn(0.3).status().unwrap();
    let after = agent.wait_ticks(2).unwrap();
    let (seconds, ours) = (late.cpu_stat().unwrap().as_secs_f64(), cpu_of(&after, &late.path).unwrap());
    assert!((ours / seconds - 1.0).abs() < 0.1, "kernel {seconds}, ffwatt {ours}");
    assert_closed(&after);
}

/// The agent's file descriptor that holds its program at this tracepoint.
fn link(agent: &Agent, tracepoint: &str) -> String {
    let folder = format!("/proc/{}/fdinfo", agent.pid());
    let named = format!("tp_name:\t{tracepoint}\n");
    let is_it = |path: &Path| fs::read_to_string(path).is_ok_and(|text| text.contains(&named));
    let mut paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let path = paths.find(|path| is_it(path)).expect("the program is in its place");
    path.file_name().unwrap().to_str().unwrap().to_owned()
}

/// Detaches a program: no other process can, so a debugger makes the agent do it.
///
/// The main thread waits in a system call. It runs that instruction once more, as `dup2(2, <link>)`, and then waits on. `call` of gdb would
/// write all registers, which fails on processors with more of them than this gdb knows.
fn detach(agent: &Agent, tracepoint: &str) {
    const REGISTERS: [&str; 7] = ["rip", "rax", "orig_rax", "rdi", "rsi", "rcx", "r11"];
    const DUP2: u32 = 33;
    let link = link(agent, tracepoint);
    let saved = REGISTERS.map(|register| format!("set var $saved_{register} = ${register}"));
    let call = [
        "set var $rip = $rip - 2".to_owned(),
        "set var $orig_rax = -1".to_owned(),
        format!("set var $rax = {DUP2}"),
        "set var $rdi = 2".to_owned(),
        format!("set var $rsi = {link}"),
        "stepi".to_owned(),
        "printf \"result %d\\n\", (int)$rax".to_owned(),
    ];
    let restored = REGISTERS.map(|register| format!("set var ${register} = $saved_{register}"));
    let commands =
        ["set scheduler-locking on".to_owned()].into_iter().chain(saved).chain(call).chain(restored);
    let mut gdb = Command::new("gdb");
    gdb.args(["--batch", "--nx", "--pid", &agent.pid().to_string()]);
    for command in commands {
        gdb.args(["--eval-command", &command]);
    }
    let said = output(&mut gdb).unwrap();
    assert!(said.contains(&format!("result {link}\n")), "{said}");
}

#[test]
fn programs_that_are_lost_are_noticed_and_put_back() {
    let agent = agent(&[]);
    let cgroup = Cgroup::make("ffwatt-test/detached").unwrap();
    let mut worker = cgroup.burn(60.0).spawn().unwrap();
    let before =
        agent.until("it is charged", |scrape| cpu_of(scrape, &cgroup.path).filter(|cpu| *cpu > 0.5)).unwrap();
    let unattributed = |scrape: &Exposition| cpu_of(scrape, "unattributed").unwrap_or(0.0);
    assert_eq!(unattributed(&agent.scrape().unwrap()), 0.0);
    detach(&agent, "sched_switch");
    let during = agent
        .until("it is noticed", |scrape| {
            (count(scrape, "ffwatt_bpf_reattached_total") > 0.0).then(|| scrape.clone())
        })
        .unwrap();
    assert!(unattributed(&during) > 0.0, "who ran meanwhile is not known");
    assert_closed(&during);
    let at_once = cpu_of(&during, &cgroup.path).unwrap();
    assert!(at_once >= before);
    let after = agent.until("it is charged again", |scrape| {
        cpu_of(scrape, &cgroup.path).filter(|cpu| *cpu > at_once + 1.0).map(|_| scrape.clone())
    });
    let after = after.unwrap();
    assert_eq!(count(&after, "ffwatt_bpf_reattached_total"), 1.0);
    assert_eq!(unattributed(&after), unattributed(&during), "no more of it");
    assert_closed(&after);
    assert!(agent.log().contains("attached again"), "{}", agent.log());
    worker.kill().unwrap();
    worker.wait().unwrap();
    assert!(agent.stop().unwrap().0.success());
}

#[test]
fn an_agent_that_is_stopped_for_a_while_knows_who_ran() {
    let agent = agent(&[]);
    let cgroup = Cgroup::make("ffwatt-test/while-stopped").unwrap();
    agent.wait_ticks(1).unwrap();
    agent.suspend().unwrap();
    let seconds = short_or_long(3.0, 30.0);
    cgroup.burn(seconds).status().unwrap();
    agent.signal(Signal::CONT).unwrap();
    let after = agent.wait_ticks(2).unwrap();
    let (kernel, ours) = (cgroup.cpu_stat().unwrap().as_secs_f64(), cpu_of(&after, &cgroup.path).unwrap());
    println!("stopped for {seconds} s: kernel {kernel:.3} s, ffwatt {ours:.3} s");
    assert!((ours / kernel - 1.0).abs() < 0.02, "kernel {kernel}, ffwatt {ours}");
    assert!(count(&after, "ffwatt_missed_ticks_total") > 0.0);
    assert_eq!(count(&after, "ffwatt_lost_events_total"), 0.0);
    assert_closed(&after);
}

#[test]
fn two_agents_on_one_host_both_know() {
    let agents = [agent(&[]), agent(&["--interval=300ms"])];
    let cgroup = Cgroup::make("ffwatt-test/two").unwrap();
    cgroup.burn(2.0).status().unwrap();
    let kernel = cgroup.cpu_stat().unwrap().as_secs_f64();
    for agent in &agents {
        let scrape = agent.wait_ticks(2).unwrap();
        let ours = cpu_of(&scrape, &cgroup.path).unwrap();
        assert!((ours / kernel - 1.0).abs() < 0.02, "kernel {kernel}, ffwatt {ours}");
        assert_closed(&scrape);
    }
    for agent in agents {
        assert!(agent.stop().unwrap().0.success());
    }
}

#[test]
fn an_agent_whose_clocks_are_not_the_kernels_is_right_all_the_same() {
    // As a container's clocks may be: hours ahead of the kernel's, and with a suspend that never happened.
    let folder = tempfile::tempdir().unwrap();
    let wrapper = folder.path().join("elsewhen");
    let script = format!(
        "#!/bin/sh\nexec unshare --time --monotonic 7200 --boottime 90000 {} \"$@\"\n",
        binary().unwrap().display()
    );
    fs::write(&wrapper, script).unwrap();
    output(Command::new("chmod").arg("755").arg(&wrapper)).unwrap();
    let mut agent = Agent::spawn(&wrapper, &WITH_BPF, &[("PATH", "/usr/bin:/bin")]).unwrap();
    agent.wait_ready().unwrap();
    let cgroup = Cgroup::make("ffwatt-test/elsewhen").unwrap();
    let elapsed = |scrape: &Exposition| {
        let at = scrape.sum("ffwatt_last_tick_timestamp_seconds", &[]).unwrap();
        (at, scrape.all(CPU).map(|sample| sample.value).sum::<f64>())
    };
    let (begin, used) = elapsed(&agent.wait_ticks(1).unwrap());
    cgroup.burn(2.0).status().unwrap();
    let scrape = agent.wait_ticks(2).unwrap();
    let (kernel, ours) = (cgroup.cpu_stat().unwrap().as_secs_f64(), cpu_of(&scrape, &cgroup.path).unwrap());
    assert!((ours / kernel - 1.0).abs() < 0.02, "kernel {kernel}, ffwatt {ours}");
    let (end, used_then) = elapsed(&scrape);
    let cpus = std::thread::available_parallelism().unwrap().get() as f64;
    assert!(
        used_then - used <= (end - begin) * cpus * 1.1,
        "{} s of CPU in {} s",
        used_then - used,
        end - begin
    );
    // The model's energy follows from elapsed time: no CPU can have drawn more than 3.5 W since the start.
    let joules = scrape.sum("ffwatt_host_energy_joules_total", &[]).unwrap();
    let lived = fs::metadata(&wrapper).unwrap().modified().unwrap().elapsed().unwrap().as_secs_f64();
    assert!(joules <= lived * cpus * 3.5, "{joules} J in {lived} s");
    assert_closed(&scrape);
    let clocks = |process: &str| fs::read_link(format!("/proc/{process}/ns/time")).unwrap();
    assert_ne!(clocks(&agent.pid().to_string()), clocks("self"), "or there was nothing to see");
}
