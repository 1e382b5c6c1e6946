//! Tests the energy of an integrated GPU: charged by the time of its engines, not by CPU time. Needs root.
//!
//! The real eBPF programs, real processes, and a real ffmpeg. Simulated: the energy counters, and the GPU's device and `fdinfo`, in trees
//! in place of `/sys` and `/proc`.
//!
//! Run: alone (the truth needs CPU time for its steps).

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::time::Duration;

use tests::agent::binary;
use tests::command::pause;
use tests::exposition::{Exposition, assert_no_residual};
use tests::simulator::{GPU_USER, Machine, Truth};
use tests::stage::Stage;

const PARENT: &str = "ffwatt-gpu";
const ENERGY: &str = "ffwatt_workload_energy_joules_total";
const ENGINE: &str = "ffwatt_workload_gpu_engine_seconds_total";

/// Uses one or two percent of a CPU.
const LIGHT: &str =
    "exec ffmpeg -nostdin -v error -re -f lavfi -i color=size=64x64:rate=25 -c:v rawvideo -f null -";
const BUSY: &str = "while :; do :; done";

fn stage() -> Stage {
    let workloads = [(GPU_USER, LIGHT), ("neighbour", BUSY)];
    Stage::set(Machine::GPU, &binary().unwrap(), PARENT, &workloads, &["--interval=500ms"]).unwrap()
}

fn of(scrape: &Exposition, metric: &str, name: &str, label: (&str, &str)) -> f64 {
    scrape.sum(metric, &[("workload", &format!("/{PARENT}/{name}")), label]).unwrap_or(0.0)
}

/// A scrape, and the truth at its last tick.
fn now(stage: &Stage) -> (Exposition, Truth) {
    let scrape = stage.agent.wait_ticks(2).unwrap();
    let at = scrape.sum("ffwatt_last_tick_timestamp_seconds", &[]).unwrap();
    let truth = stage.simulator.at(at).unwrap();
    (scrape, truth)
}

/// The case that was wrong by a factor of fifty: the transcode on the GPU had the energy of its CPU time, its neighbour that of the GPU.
#[test]
fn who_uses_the_gpu_pays_for_it() {
    let stage = stage();
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
    let key = |domain| last.sum("ffwatt_attribution_key_info", &[("domain", domain), ("key", "engine-time")]);
    assert_eq!((key("uncore"), key("package")), (Some(1.0), None));
    assert_eq!(last.sum("ffwatt_finding_active", &[("code", "integrated_gpu_by_cpu_time")]), None);
    assert_no_residual(&last);
}
