//! Tests the energy of an integrated GPU: charged by the time of its engines, not by CPU time. Needs root.
//!
//! The real eBPF programs, real processes, and a real ffmpeg. Simulated: the energy counters, and the GPU's device and `fdinfo`, in trees
//! in place of `/sys` and `/proc`.
//!
//! Run: alone (the truth needs CPU time for its steps).

#![allow(
    clippy::unwrap_used,
    clippy::float_cmp,
    reason = "a test may panic, and means equal when it says equal"
)]

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use tests::agent::binary;
use tests::command::{pause, script};
use tests::exposition::{Exposition, assert_no_residual};
use tests::simulator::{GPU_SCRIPT, GPU_USER, Machine, Trouble, Truth};
use tests::stage::Stage;

const PARENT: &str = "ffwatt-gpu";
const ENERGY: &str = "ffwatt_workload_energy_joules_total";
const ENGINE: &str = "ffwatt_workload_gpu_engine_seconds_total";
const FINDING: &str = "ffwatt_finding";

const BUSY: &str = "while :; do :; done";

fn stage(binary: &Path) -> Stage {
    let workloads = [(GPU_USER, GPU_SCRIPT), ("neighbour", BUSY)];
    Stage::set(Machine::GPU, binary, PARENT, &workloads, &["--interval=500ms"]).unwrap()
}

fn of(scrape: &Exposition, metric: &str, name: &str, label: (&str, &str)) -> f64 {
    scrape.sum(metric, &[("workload", &format!("/{PARENT}/{name}")), label]).unwrap_or(0.0)
}

fn key(scrape: &Exposition, domain: &str) -> String {
    let mut keys = scrape.all("ffwatt_attribution_key_info");
    keys.find(|sample| sample.label("domain") == domain).unwrap().label("key").to_owned()
}

/// A scrape, and the truth at its last tick.
fn now(stage: &Stage) -> (Exposition, Truth) {
    let scrape = stage.agent.wait_ticks(2).unwrap();
    let at = scrape.sum("ffwatt_last_tick_timestamp_seconds", &[]).unwrap();
    let truth = stage.simulator.at(at).unwrap();
    (scrape, truth)
}

/// Video seconds of a workload in the JSON API; `None` where the API leaves them out.
fn engine_by_api(stage: &Stage, name: &str) -> Option<f64> {
    let answer = stage.agent.get(stage.agent.ports.main, "/api/v1/workloads?per_page=1000").unwrap();
    let answer: Value = serde_json::from_slice(&answer.body).unwrap();
    let mut items = answer["items"].as_array().unwrap().iter();
    let workload = items.find(|item| item["workload"] == format!("/{PARENT}/{name}")).unwrap();
    Some(workload.get("gpu_engine_seconds")?["video"].as_f64().unwrap())
}

/// The case that was wrong by a factor of fifty: the transcode on the GPU had the energy of its CPU time, its neighbour that of the GPU.
#[test]
fn who_uses_the_gpu_pays_for_it() {
    let stage = stage(&binary().unwrap());
    let (first, from) = now(&stage);
    pause(Duration::from_secs(10));
    let (last, to) = now(&stage);
    let grew =
        |metric: &str, name: &str, label| of(&last, metric, name, label) - of(&first, metric, name, label);
    for (index, name) in [GPU_USER, "neighbour"].into_iter().enumerate() {
        let truth = to.workloads[index] - from.workloads[index];
        let charged = grew(ENERGY, name, ("domain", "package"));
        assert!((charged - truth).abs() < 0.05 * truth, "{name}: {charged} J instead of {truth} J");
    }
    let (of_user, of_neighbour) =
        (grew(ENERGY, GPU_USER, ("domain", "uncore")), grew(ENERGY, "neighbour", ("domain", "uncore")));
    let host = |scrape: &Exposition| {
        scrape.sum("ffwatt_host_energy_joules_total", &[("domain", "uncore")]).unwrap_or(0.0)
    };
    assert!((of_user - (host(&last) - host(&first))).abs() < 1e-3, "{of_user} J is not all of the GPU's");
    assert!(of_neighbour.abs() < 1e-6, "{of_neighbour} J");
    // The GPU draws 15 W while its engine is busy.
    let engine = grew(ENGINE, GPU_USER, ("engine", "video"));
    assert!((engine * 15.0 - of_user).abs() < 0.05 * of_user, "{engine} s of the engine and {of_user} J");
    let transcode: f64 =
        last.sum("ffwatt_transcode_gpu_engine_seconds_total", &[("engine", "video")]).unwrap();
    assert!((transcode - of(&last, ENGINE, GPU_USER, ("engine", "video"))).abs() < 1e-6);
    // The answer is of the same tick as one of the scrapes, or of one between them.
    let by_api = engine_by_api(&stage, GPU_USER).unwrap();
    let later = of(&stage.agent.scrape().unwrap(), ENGINE, GPU_USER, ("engine", "video"));
    assert!((transcode - 1e-6..=later + 1e-6).contains(&by_api), "{transcode}, {by_api}, {later}");
    assert_eq!(engine_by_api(&stage, "neighbour"), None);
    assert_eq!((key(&last, "uncore"), key(&last, "package")), ("engine-time".to_owned(), "time".to_owned()));
    assert_eq!(last.sum(FINDING, &[("code", "integrated_gpu_by_cpu_time")]), None);
    assert_no_residual(&last);
}

/// An encode of three seconds on the GPU: its energy is that of its CPU time and of its engine time.
#[test]
fn a_program_that_comes_and_goes_pays_for_its_time() {
    let workloads = [("guest", ""), ("neighbour", BUSY)];
    let stage =
        Stage::set(Machine::GPU, &binary().unwrap(), PARENT, &workloads, &["--interval=200ms"]).unwrap();
    stage.agent.wait_ticks(2).unwrap();
    let encode = "exec ffmpeg -nostdin -v error -re -f lavfi -i testsrc2=size=640x360:rate=30 -t 3 \
                  -c:v libx264 -preset veryfast -f null -";
    let script = format!("{} {encode}", stage.simulator.gpu_process(true));
    assert!(stage.command("guest", &script).unwrap().status().unwrap().success());
    let (scrape, truth) = now(&stage);
    let clients: Vec<_> = fs::read_dir(stage.simulator.gpu_clients()).unwrap().map(Result::unwrap).collect();
    let [client] = &clients[..] else { panic!("{clients:?}") };
    let fdinfo = fs::read_to_string(client.path()).unwrap();
    let engine = fdinfo.lines().find_map(|line| line.strip_prefix("drm-engine-video:")).unwrap();
    let engine: f64 = engine.trim().trim_end_matches(" ns").parse().unwrap();
    let expected = truth.workloads[0] + engine / 1e9 * Machine::GPU.gpu;
    let charged = of(&scrape, ENERGY, "guest", ("domain", "package"));
    // What the GPU does after the last tick of the encode is charged to nobody: 0.2 s of 3.
    assert!((0.9..1.02).contains(&(charged / expected)), "{charged} J instead of {expected} J");
    assert_no_residual(&scrape);
}

/// The counter of the GPU is gone for a while: the package is split by CPU time meanwhile, and nothing is lost.
#[test]
fn a_gpu_whose_counter_is_gone_is_a_fallback() {
    let stage = stage(&binary().unwrap());
    let fallbacks = |scrape: &Exposition| {
        scrape.sum("ffwatt_attribution_fallback_total", &[("reason", "gpu_energy_unknown")]).unwrap()
    };
    let (before, _) = now(&stage);
    assert_eq!(fallbacks(&before), 0.0);
    stage.simulator.set_trouble(Trouble::LastVanished);
    let during =
        stage.agent.until("a window falls back", |scrape| (fallbacks(scrape) > 1.0).then(|| scrape.clone()));
    assert_no_residual(&during.unwrap());
    stage.simulator.set_trouble(Trouble::None);
    // The first windows after it contain energy of before.
    stage.agent.wait_ticks(8).unwrap();
    let (first, _) = now(&stage);
    let last = stage.agent.wait_ticks(4).unwrap();
    assert_eq!(fallbacks(&last), fallbacks(&first), "it counts again");
    let of_user = |scrape: &Exposition| of(scrape, ENERGY, GPU_USER, ("domain", "uncore"));
    assert!(of_user(&last) > of_user(&first));
    assert_no_residual(&last);
}

/// An agent that may not read the users of the GPU charges its energy by CPU time, and a finding says so.
#[test]
fn without_the_right_the_key_is_cpu_time() {
    let folder = tempfile::tempdir().unwrap();
    let without = folder.path().join("ffwatt");
    let real = binary().unwrap();
    let text = format!("#!/bin/sh\nexec setpriv --bounding-set=-sys_ptrace {} \"$@\"\n", real.display());
    script(&without, &text).unwrap();
    let stage = stage(&without);
    let scrape = stage
        .agent
        .until("the finding is there", |scrape| {
            scrape.sum(FINDING, &[("code", "integrated_gpu_by_cpu_time")]).map(|_| scrape.clone())
        })
        .unwrap();
    assert_eq!((key(&scrape, "uncore"), key(&scrape, "package")), ("time".to_owned(), "time".to_owned()));
    assert_eq!(scrape.series_with("engine", "video"), [""; 0]);
    assert_eq!(engine_by_api(&stage, GPU_USER), None, "unknown, not 0");
    let state = scrape.sum("ffwatt_source_state", &[("source", "gpu"), ("state", "absent")]);
    assert_eq!(state, Some(1.0));
    assert_no_residual(&scrape);
}
