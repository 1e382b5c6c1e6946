//! Tests an agent that is killed, stopped, or short of descriptors or memory.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::Signal;
use tests::agent::{Agent, binary};
use tests::command::{eventually, output, pause};
use tests::exposition::Exposition;
use tests::host::{CGROUPS, Host};
use tests::length::short_or_long;

use crate::past::Past;
use crate::{BEGIN, STEP, STEP_JOULES, agent, assert_no_residual, energy_of, package_energy, resets, start};

#[test]
fn killed_at_any_moment_again_and_again_it_counts_nothing_twice_and_loses_a_tick_at_most() {
    let (mut host, folder) = (Host::client().unwrap(), tempfile::tempdir().unwrap());
    let state = format!("--state-dir={}", folder.path().display());
    let flags = ["--energy.source=powercap", "--interval=100ms", "--results.rescan=100ms", &state];
    let kills = short_or_long(25, 100);
    let (mut counter, mut before, mut kept) = (BEGIN, 0, 0);
    for round in 0..kills {
        let agent = start(&host, &flags);
        host.step(&[(CGROUPS[0], 30), (CGROUPS[1], 10)]).unwrap();
        counter += STEP;
        host.set_energy("intel-rapl:0", counter).unwrap();
        // Between immediately and well after the tick that contains it: another delay in each round. Sometimes at a time when it is
        // certainly written.
        pause(Duration::from_millis(round * 37 % 250));
        let is_late = round % 5 == 0;
        if is_late {
            let written = || (Past::open(folder.path()).host() == before + STEP).then_some(());
            eventually("it is written", Duration::from_secs(20), written).unwrap();
        }
        agent.stop_by(Signal::KILL).unwrap();
        let past = Past::open(folder.path());
        past.assert_sound();
        let new = past.host() - before;
        assert!(new == 0 || new == STEP, "{new} µJ of {STEP} after {round} kills");
        assert!(!is_late || new > 0, "what was written stays");
        before += new;
        kept += i32::from(new > 0);
    }
    println!("{kills} kills: {kept} steps of energy kept, the others lost with the tick they were in");
}

#[test]
fn an_agent_that_is_stopped_for_a_while_charges_what_it_missed() {
    let mut host = Host::client().unwrap();
    // As busy and with the same power in both forms: less would be an idle host, with idle power.
    // The fixture's other CPU time is not idle between two steps: far less than that of nginx.
    let (seconds, steps, milliseconds) = short_or_long((2, 20, 5000), (30, 300, 75_000));
    let agent = agent(&host, &["--energy.source=powercap"]);
    host.set_energy("intel-rapl:0", BEGIN + STEP).unwrap();
    let before = agent.wait_ticks(2).unwrap();
    assert_eq!(package_energy(&before), STEP_JOULES);
    let missed = |scrape: &Exposition| scrape.sum("ffwatt_missed_ticks_total", &[]).unwrap();
    agent.suspend().unwrap();
    host.step(&[(CGROUPS[1], milliseconds)]).unwrap();
    host.set_energy("intel-rapl:0", BEGIN + (1 + steps) * STEP).unwrap();
    pause(Duration::from_secs(seconds));
    agent.signal(Signal::CONT).unwrap();
    let after = agent
        .until("it has caught up", |scrape| {
            (package_energy(scrape) == (1 + steps) as f64 * STEP_JOULES).then(|| scrape.clone())
        })
        .unwrap();
    assert_no_residual(&after);
    let after = agent.wait_ticks(1).unwrap();
    assert!(missed(&after) > missed(&before), "what was missed is counted");
    assert_eq!(resets(&after), Some(0.0));
    let nginx = energy_of(&after, "nginx.service");
    let all = steps as f64 * STEP_JOULES;
    assert!(nginx > all / 2.0, "who ran meanwhile pays: {nginx} J of {all}");
    assert!(agent.stop().unwrap().0.success());
}

#[test]
fn an_agent_without_a_free_file_descriptor_goes_on_counting_and_answers_again_when_there_is_one() {
    let (mut host, folder) = (Host::client().unwrap(), tempfile::tempdir().unwrap());
    let state = format!("--state-dir={}", folder.path().display());
    let agent = agent(&host, &["--energy.source=powercap", "--results.rescan=100ms", &state]);
    host.set_energy("intel-rapl:0", BEGIN + STEP).unwrap();
    agent.wait_ticks(2).unwrap();
    let limit = |files: &str| {
        let pid = agent.pid().to_string();
        output(Command::new("prlimit").args(["--pid", &pid, &format!("--nofile={files}:1024")])).unwrap();
    };
    // Lower than any open descriptor: not one more can be opened.
    limit("3");
    host.step(&[(CGROUPS[1], 100)]).unwrap();
    host.set_energy("intel-rapl:0", BEGIN + 2 * STEP).unwrap();
    let written = || (Past::open(folder.path()).host() == 2 * STEP).then_some(());
    eventually("it counts and writes all the same", Duration::from_secs(20), written).unwrap();
    limit("1024");
    let after = agent.until("it answers again", |scrape| Some(scrape.clone())).unwrap();
    assert_eq!(package_energy(&after), 2.0 * STEP_JOULES);
    assert_no_residual(&after);
    host.set_energy("intel-rapl:0", BEGIN + 3 * STEP).unwrap();
    let after = agent.wait_ticks(2).unwrap();
    assert_eq!(package_energy(&after), 3.0 * STEP_JOULES);
    assert_no_residual(&after);
    assert!(agent.stop().unwrap().0.success());
}

/// A cgroup with a limit of memory, on v2 or on a hybrid host.
struct Limited {
    folder: PathBuf,
}

impl Limited {
    fn make(name: &str, bytes: u64) -> Self {
        let unified = Path::new("/sys/fs/cgroup");
        let is_v2 = unified.join("cgroup.controllers").exists();
        let root = if is_v2 { unified.to_path_buf() } else { unified.join("memory") };
        if is_v2 {
            fs::write(root.join("cgroup.subtree_control"), "+memory").unwrap();
        }
        let folder = root.join(name);
        fs::create_dir_all(&folder).unwrap();
        let limit = if is_v2 { "memory.max" } else { "memory.limit_in_bytes" };
        fs::write(folder.join(limit), bytes.to_string()).unwrap();
        Self { folder }
    }

    /// A program that runs another one inside the cgroup.
    fn entrance(&self, program: &Path, at: &Path) -> PathBuf {
        let script = format!(
            "#!/bin/sh\necho $$ > {}/cgroup.procs\nexec {} \"$@\"\n",
            self.folder.display(),
            program.display()
        );
        fs::write(at, script).unwrap();
        output(Command::new("chmod").arg("755").arg(at)).unwrap();
        at.to_path_buf()
    }
}

impl Drop for Limited {
    fn drop(&mut self) {
        // Its last process may still be ending.
        let _ = eventually("it is removed", Duration::from_secs(5), || fs::remove_dir(&self.folder).ok());
    }
}

#[test]
fn a_neighbour_that_eats_the_cgroups_memory_costs_the_agent_nothing() {
    let (host, folder) = (Host::client().unwrap(), tempfile::tempdir().unwrap());
    let limited = Limited::make("ffwatt-test-memory", 128 << 20);
    let program = limited.entrance(&binary().unwrap(), &folder.path().join("ffwatt"));
    let flags: Vec<String> = host.flags();
    let flags: Vec<&str> =
        flags.iter().map(String::as_str).chain(["--interval=300ms", "--energy.source=powercap"]).collect();
    let mut agent = Agent::spawn(&program, &flags, &[("PATH", "/usr/bin:/bin")]).unwrap();
    agent.wait_ready().unwrap();
    agent.wait_ticks(1).unwrap();
    // Allocates memory until it is stopped.
    let glutton = limited.entrance(Path::new("/bin/sh"), &folder.path().join("glutton"));
    let grow = "x=more; while :; do x=$x$x; done";
    let mut glutton = Command::new(glutton).args(["-c", grow]).stdin(Stdio::null()).spawn().unwrap();
    host.set_energy("intel-rapl:0", BEGIN + STEP).unwrap();
    assert!(!glutton.wait().unwrap().success(), "the kernel has ended it");
    let after = agent.wait_ticks(2).unwrap();
    assert_eq!(package_energy(&after), STEP_JOULES);
    assert_no_residual(&after);
    let resident = after.sum("process_resident_memory_bytes", &[]).unwrap();
    assert!(resident < f64::from(128 << 20), "{resident} bytes");
    assert!(agent.stop().unwrap().0.success());
}

#[test]
fn an_agent_that_the_kernel_kills_for_its_memory_starts_again_with_its_past() {
    let (host, folder) = (Host::client().unwrap(), tempfile::tempdir().unwrap());
    let state = format!("--state-dir={}", folder.path().join("state").display());
    let flags = ["--energy.source=powercap", "--results.rescan=100ms", state.as_str()];
    let before = agent(&host, &flags);
    host.set_energy("intel-rapl:0", BEGIN + STEP).unwrap();
    before.wait_ticks(2).unwrap();
    let past = || Past::open(&folder.path().join("state"));
    eventually("it is written", Duration::from_secs(10), || (past().host() == STEP).then_some(())).unwrap();
    before.stop().unwrap();

    let limited = Limited::make("ffwatt-test-too-little", 1 << 20);
    let program = limited.entrance(&binary().unwrap(), &folder.path().join("ffwatt"));
    let own = host.flags();
    let own: Vec<&str> = own.iter().map(String::as_str).chain(flags).collect();
    let mut during = Agent::spawn(&program, &own, &[("PATH", "/usr/bin:/bin")]).unwrap();
    assert!(!during.wait_end().unwrap().0.success(), "it cannot live on so little");
    past().assert_sound();

    let after = agent(&host, &flags);
    host.set_energy("intel-rapl:0", BEGIN + 2 * STEP).unwrap();
    assert_no_residual(&after.wait_ticks(2).unwrap());
    eventually("it goes on", Duration::from_secs(10), || (past().host() == 2 * STEP).then_some(())).unwrap();
    past().assert_sound();
}
