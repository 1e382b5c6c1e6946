//! Reads a recording, and feeds it to a pipeline statement by statement.

use agent_core::identity::directory::ContainerFacts;
use agent_core::model::transcode::ExitStatus;
use agent_core::model::workload::WorkloadKind;

use super::super::properties::books::{no_total_goes_down, sums_close};
use super::super::*;
use crate::source::identity::docker::EngineEvent;

/// Snapshots of all ticks of a recording.
pub(super) fn replay(text: &str) -> Vec<SharedSnapshot> {
    let statements = text.lines().map(|line| line.split('#').next().unwrap_or_default());
    let statements: Vec<Vec<&str>> = statements.map(|line| line.split_whitespace().collect()).collect();
    let mut statements = statements.iter().filter(|words| !words.is_empty()).map(Vec::as_slice);
    let start = statements.by_ref().take_while(|words| *words != ["begin"]);
    let mut scene = scene(start);
    let mut snapshots: Vec<SharedSnapshot> = Vec::new();
    for statement in statements {
        if let ["tick", length] = statement {
            let snapshot = scene.tick(duration(length));
            sums_close(&snapshot);
            if let Some(before) = snapshots.last() {
                no_total_goes_down(before, &snapshot);
            }
            snapshots.push(snapshot);
        } else {
            happen(&scene, statement);
        }
    }
    snapshots
}

/// The host when the agent starts.
fn scene<'a>(start: impl Iterator<Item = &'a [&'a str]>) -> Scene {
    let mut config = Config::default();
    let hardware = ScriptedHardware::default();
    let mut cpus = Vec::new();
    for statement in start {
        match statement {
            ["idle_watts", watts] => config.attribution.idle_watts = Some(watts.parse().unwrap()),
            ["counter", zone, count, range] => hardware.add(zone_named(zone), number(count), number(range)),
            ["cpus", ..] => cpus.push(statement),
            _ => panic!("not a statement about the start: {statement:?}"),
        }
    }
    let scene = Scene::new(&config, hardware);
    for statement in cpus {
        happen(&scene, statement);
    }
    scene
}

/// Adds a statement to the next tick.
fn happen(scene: &Scene, statement: &[&str]) {
    let tell = |event| scene.mailbox.tell(Message::Engine { name: WorkloadKind::Docker.name(), event });
    let script = |event| scene.cpu.script(|script| script.events.push(event));
    let at = scene.clock.now();
    match *statement {
        ["cpus", package, count] => {
            let (package, count) = (number(package) as usize, number(count) as u32);
            scene.cpu.script(|script| script.cpus[package] = count);
        }
        ["made", cgroup, path] => scene.make_cgroup(number(cgroup), path),
        ["removed", cgroup] => scene.remove_cgroup(number(cgroup)),
        ["known", id, name, image] => {
            let (name, image) = (name.to_owned(), Some(image.to_owned()));
            let facts = ContainerFacts { name, image, ..ContainerFacts::default() };
            assert!(tell(EngineEvent::Known { id: id.to_owned(), facts }));
        }
        ["renamed", id, name] => {
            assert!(tell(EngineEvent::Renamed { id: id.to_owned(), name: name.to_owned() }));
        }
        ["exec", process, cgroup, ref command @ ..] => {
            scene.write_command_line(number(process), command);
            scene.exec(number(process) as u32, number(cgroup));
        }
        ["exit", process, code] => {
            let exit = Some(ExitStatus::Code(code.parse().unwrap()).into());
            script(LifecycleEvent::Exit { at, process: ProcessId(number(process) as u32), exit });
        }
        ["used", cgroup, process, package, time] => {
            let process = (process != "-").then(|| number(process) as u32);
            scene.run(number(cgroup), process, number(package) as usize, duration(time));
        }
        ["counter", zone, "unreadable"] => {
            scene.hardware.change(zone_named(zone), |counter| counter.is_readable = false);
        }
        ["counter", zone, count] => scene.hardware.change(zone_named(zone), |counter| {
            (counter.raw, counter.is_readable) = (number(count), true);
        }),
        _ => panic!("not a statement of a tick: {statement:?}"),
    }
}

fn number(word: &str) -> u64 {
    word.replace('_', "").parse().unwrap_or_else(|error| panic!("{word}: {error}"))
}

fn duration(word: &str) -> Duration {
    humantime::parse_duration(word).unwrap_or_else(|error| panic!("{word}: {error}"))
}

fn zone_named(name: &str) -> Zone {
    let domains = [Domain::Package, Domain::Core, Domain::Uncore, Domain::Dram];
    let mut zones = domains.into_iter().flat_map(|domain| (0..2).map(move |package| zone(domain, package)));
    zones.find(|zone| zone.to_string() == name).unwrap_or_else(|| panic!("no zone {name}"))
}
