//! Tests that workloads and transcodes are identified, and that the agent's memory for them is bounded. Needs root.
//!
//! The real eBPF programs, on the running kernel.
//!
//! Run: alone (these tests burden the host). `FFWATT_LONG=1` asks for longer ones.

#![allow(
    clippy::unwrap_used,
    clippy::float_cmp,
    reason = "a test may panic, and means equal when it says equal"
)]

mod namespaces;
mod storms;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tests::agent::{Agent, WITH_BPF};
use tests::cgroup::Cgroup;
use tests::command::{Owned, eventually};
use tests::exposition::{Exposition, assert_closed};

const CPU: &str = "ffwatt_workload_cpu_seconds_total";

fn agent(more: &[&str]) -> Agent {
    Agent::start_with_bpf(more).unwrap()
}

/// A program under a name of its own.
fn copy(program: &str, folder: &Path, name: &str) -> PathBuf {
    let copy = folder.join(name);
    fs::copy(program, &copy).unwrap();
    copy
}

fn script(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    tests::command::script(&path, text).unwrap();
    path
}

fn spawn(program: &Path, arguments: &[&str]) -> Child {
    Command::new(program).args(arguments).stdin(Stdio::null()).spawn().unwrap()
}

fn cpu_of(scrape: &Exposition, workload: &str) -> f64 {
    scrape
        .sum(CPU, &[("workload", workload)])
        .unwrap_or_else(|| panic!("{workload} is not known by its name"))
}

fn kept(scrape: &Exposition, what: &str) -> f64 {
    scrape.sum("ffwatt_kept_entries", &[("what", what)]).unwrap()
}

/// Key and whether it runs of each transcode of a program.
fn transcodes(scrape: &Exposition, program: &str) -> Vec<(String, bool)> {
    let labels = [("program", program)];
    let infos = scrape.find("ffwatt_transcode_info", &labels);
    let runs = |key: &str| scrape.sum("ffwatt_transcode_running", &[("transcode", key)]) == Some(1.0);
    infos.map(|info| info.label("transcode").to_owned()).map(|key| (key.clone(), runs(&key))).collect()
}

#[test]
fn a_wrapper_that_execs_another_program_is_one_transcode() {
    for source in ["bpf", "cgroupfs"] {
        let folder = tempfile::tempdir().unwrap();
        let real = copy("/bin/bash", folder.path(), "real-encoder");
        let burn = "read go; i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done; exit 3";
        // A name that is not tracked is not shown: the line shows what the wrapper has become.
        let line = "worker -i in.mp4 out.mp4";
        let text = format!("#!/bin/sh\nread go\nexec {} -c '{burn}' {line}\n", real.display());
        let wrapper = script(folder.path(), "enc-wrap", &text);
        let source = format!("--cpu.source={source}");
        let flags = [&WITH_BPF[1..], &[&source, "--cpu.tracked=enc-wrap", "--interval=500ms"]].concat();
        let agent = Agent::start(&flags).unwrap();
        let mut child = Command::new(&wrapper).stdin(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let running = "ffwatt_transcode_running";
        let key = agent
            .until("the wrapper is known", |scrape| {
                scrape.all(running).next().map(|one| one.label("transcode").to_owned())
            })
            .unwrap();
        assert!(key.starts_with(&format!("{}-", child.id())), "{key}");
        stdin.write_all(b"\n").unwrap();
        let known = [(key.clone(), true)];
        agent
            .until("it is known by what it has become", |scrape| {
                (transcodes(scrape, "ffmpeg") == known).then_some(())
            })
            .unwrap();
        drop(stdin);
        child.wait().unwrap();
        let labels = [("transcode", key.as_str())];
        let after = agent
            .until("its end is known", |scrape| {
                let runs = scrape.sum("ffwatt_transcode_running", &labels)?;
                (runs == 0.0).then(|| scrape.clone())
            })
            .unwrap();
        assert_eq!(transcodes(&after, "ffmpeg").len(), 1);
        assert_eq!(after.all(running).count(), 1);
        let used = after.sum("ffwatt_transcode_cpu_seconds_total", &labels).unwrap();
        assert!(used > 0.05, "{source}: {used} s");
        // Polling does not know the exit status of a process.
        let code = after.sum("ffwatt_transcode_exit_code", &labels);
        assert_eq!(code, (source == "--cpu.source=bpf").then_some(3.0));
    }
}

#[test]
fn a_cgroup_deeper_than_the_kernel_tells_is_known_by_its_path() {
    let agent = agent(&["--interval=200ms"]);
    let names: Vec<String> = (0..6).map(|level| format!("{level}{}", "x".repeat(249))).collect();
    let path = |levels: usize| format!("ffwatt-test/{}", names[..levels].join("/"));
    let mut cgroups: Vec<Cgroup> = (1..=6).map(|levels| Cgroup::make(&path(levels)).unwrap()).collect();
    // The deepest is removed first.
    cgroups.reverse();
    let deep = &cgroups[0];
    assert!(deep.path.len() > 1500);
    // As long as a walk may be delayed: until then the cgroup would be known by its number.
    agent.wait_ticks(8).unwrap();
    deep.burn(0.5).status().unwrap();
    let scrape = agent.wait_ticks(2).unwrap();
    let known = scrape.all("ffwatt_workload_info").filter(|info| info.label("kind") == "cgroup");
    let known: Vec<&str> = known.map(|info| info.label("workload")).collect();
    let ours = known.iter().filter(|name| name.starts_with("/ffwatt-test/0xx")).count();
    assert_eq!(ours, 1, "{known:?}");
    assert!(!known.iter().any(|name| name.starts_with("cgroup ")), "none is known by its number only");
    assert_closed(&scrape);
}

/// File names of programs that are encoders without any configuration, and one that is none.
const ENCODERS: [&str; 6] =
    ["ffmpeg-7.1", "jellyfin-ffmpeg", ".ffmpeg-wrapped", "Plex Transcoder", "HandBrakeCLI", "x265"];
const NO_ENCODER: &str = "ffprobe-7.1";

#[test]
fn encoders_are_seen_under_the_names_that_people_give_them() {
    for source in ["--cpu.source=bpf", "--cpu.source=cgroupfs"] {
        let folder = tempfile::tempdir().unwrap();
        let flags = [&[source], &WITH_BPF[1..], &["--interval=200ms"]].concat();
        let agent = Agent::start(&flags).unwrap();
        agent.wait_ticks(1).unwrap();
        let start = |name: &str| Owned(spawn(&copy("/usr/bin/sleep", folder.path(), name), &["60"]));
        // It starts first: it would be seen first.
        let other = start(NO_ENCODER);
        let encoders = ENCODERS.map(start);
        let is_seen = |process: &Owned, scrape: &Exposition| {
            let number = format!("{}-", process.0.id());
            scrape.all("ffwatt_transcode_info").any(|info| info.label("transcode").starts_with(&number))
        };
        let scrape = eventually("all encoders are transcodes", Duration::from_secs(20), || {
            let scrape = agent.scrape().ok()?;
            encoders.iter().all(|encoder| is_seen(encoder, &scrape)).then_some(scrape)
        });
        assert!(!is_seen(&other, &scrape.unwrap()), "{NO_ENCODER}, {source}");
    }
}
