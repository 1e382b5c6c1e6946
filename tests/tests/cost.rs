//! Counts system calls, map look-ups and eBPF instructions of a tick by number of cgroups. Needs root.
//!
//! These can be counted exactly, where time cannot.
//!
//! Run: alone (whatever else runs is looked at as well).

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use tests::agent::Agent;
use tests::cgroup::Cgroup;
use tests::command::{Owned, pause};
use tests::exposition::Exposition;
use tests::simulator::siblings;

const FLAGS: [&str; 4] =
    ["--cpu.source=bpf", "--containers.docker-socket=", "--containers.podman-socket=", "--interval=200ms"];

/// Time of counting: some tens of ticks.
const COUNTED: Duration = Duration::from_secs(9);

/// System calls of one tick, by name, and number of entries of the accounting map.
struct Tick {
    calls: BTreeMap<String, f64>,
    entries: f64,
}

impl Tick {
    fn bpf(&self) -> f64 {
        self.calls.get("bpf").copied().unwrap_or(0.0)
    }

    fn others(&self) -> f64 {
        self.calls.iter().filter(|(name, _)| *name != "bpf").map(|(_, count)| count).sum()
    }
}

/// A mean over some ticks, with this many cgroups that have a sleeper each.
fn tick(cgroups: usize) -> Tick {
    let agent = Agent::start(&FLAGS).unwrap();
    let sleepers: Vec<(Cgroup, Owned)> = (0..cgroups)
        .map(|number| {
            let cgroup = Cgroup::make(&format!("ffwatt-test/cost-{number}")).unwrap();
            let sleeper = Owned(cgroup.command("sleep").arg("1000").spawn().unwrap());
            (cgroup, sleeper)
        })
        .collect();
    // A shell that has just been started is not in its cgroup yet. Waits until all are known and none is new.
    let entries = |scrape: &Exposition| scrape.sum("ffwatt_bpf_map_entries", &[]);
    agent
        .until("every cgroup has an entry", |scrape| entries(scrape).filter(|count| *count >= cgroups as f64))
        .unwrap();
    let entries = entries(&agent.wait_ticks(10).unwrap()).unwrap();
    assert!(entries >= cgroups as f64, "{entries} entries, {cgroups} cgroups");
    let folder = tempfile::tempdir().unwrap();
    let table = folder.path().join("calls");
    let trace = agent.trace(&["-c", "-U", "name,calls"], &table).unwrap();
    let before = agent.ticks().unwrap();
    pause(COUNTED);
    let ticks = (agent.ticks().unwrap() - before) as f64;
    trace.end().unwrap();
    drop(sleepers);
    let table = fs::read_to_string(&table).unwrap();
    let calls = table.lines().filter_map(|line| {
        let (name, count) = line.trim().split_once(' ')?;
        Some((name.to_owned(), count.trim().parse::<f64>().ok()? / ticks))
    });
    Tick { calls: calls.filter(|(name, _)| name != "total").collect(), entries }
}

#[test]
fn a_tick_looks_at_each_entry_of_the_map_once_and_asks_for_nothing_else_by_cgroup() {
    let (few, many) = (tick(20), tick(220));
    println!(
        "{:.1} bpf calls and {:.1} others a tick with {} entries, {:.1} and {:.1} with {}",
        few.bpf(),
        few.others(),
        few.entries,
        many.bpf(),
        many.others(),
        many.entries
    );
    assert!(many.entries >= few.entries + 150.0, "{} entries, and {}", few.entries, many.entries);
    // One call steps to the next entry, one reads it; a reading that does not add up is taken again, which is seldom.
    let each = (many.bpf() - few.bpf()) / (many.entries - few.entries);
    assert!((1.5..=2.5).contains(&each), "{each} calls for each entry");
    // System calls of a tick that do not depend on the number: clocks, flushes, losses.
    let fixed = few.bpf() - each * few.entries;
    assert!(fixed <= 40.0, "{fixed} calls: {:?}", few.calls);
    // Each cgroup's limits are read every five seconds, with about eight calls: none, one or two times while counting, which is less
    // than half a call a tick. A call for each cgroup in each tick would be one or more.
    let others = (many.others() - few.others()) / (many.entries - few.entries);
    assert!(others < 1.0, "{others} other calls for each: {:?}, and {:?}", few.calls, many.calls);
}

#[test]
fn the_programs_are_short() {
    let agent = Agent::start(&FLAGS).unwrap();
    let programs = agent.programs().unwrap();
    drop(agent);
    // Where cgroup v1 is mounted, the task's cgroup there is read as well: five members of the kernel's types, each by a helper where it
    // is the current task's.
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap();
    let has_legacy = mounts.lines().any(|line| line.split(' ').nth(2) == Some("cgroup"));
    let legacy = if has_legacy { 96 } else { 0 };
    // Where cores have two CPUs, the overlap of their busy times is counted.
    let siblings = if siblings().unwrap().is_some() { 192 } else { 0 };
    // As the kernel runs them, eight bytes each. `switch` and `flush` have no loop: no switch of tasks takes more. `process_exec` compares
    // the names of programs, once for each program that starts.
    for (name, most) in
        [("switch", 256), ("flush", 432), ("process_exec", 480), ("process_exit", 192), ("signal", 160)]
    {
        let most = most + legacy + siblings;
        let said = programs.values().find(|said| said.contains(&format!(" name {name} ")));
        let said = said.unwrap_or_else(|| panic!("{name} is not there: {programs:?}"));
        let bytes =
            said.split_once("xlated ").and_then(|(_, rest)| rest.split_once('B')?.0.parse::<u32>().ok());
        let instructions = bytes.unwrap() / 8;
        println!("{name}: {instructions} instructions");
        assert!(instructions > 8 && instructions <= most, "{name} has {instructions} instructions");
    }
}
