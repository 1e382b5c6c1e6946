//! Measures the cost of a tick and of a scrape by number of containers: attribution, engine time of an integrated GPU, rendering, names of
//! pods, and the parsing of paths.
#![allow(clippy::unwrap_used, reason = "a bench may panic")]

mod busy_gpu;
mod busy_host;
mod busy_node;

use agent_core::identity::cgroup_path::identify;
use agent_core::metrics::catalog::Listener;
use agent_core::metrics::{Format, Options, render};
use agent_core::time::MonoTime;
use divan::{Bencher, black_box};

fn main() {
    divan::main();
}

/// Attribution, and the charges into the totals.
#[divan::bench(args = [10, 100, 1000, 5000])]
fn attribution(bencher: Bencher<'_, '_>, workloads: u32) {
    let (mut totals, demand) = (busy_host::totals(workloads), busy_host::demand(workloads));
    let mut number = 0;
    bencher.bench_local(|| {
        number += 1;
        busy_host::tick(&mut totals, &demand, number);
    });
}

/// The same on eight cores that are counted, all of which each container uses.
#[divan::bench(args = [10, 100, 1000, 5000])]
fn attribution_by_core(bencher: Bencher<'_, '_>, workloads: u32) {
    const CORES: u32 = 8;
    let (mut totals, demand) = (busy_host::totals(workloads), busy_host::demand_by_core(workloads, CORES));
    let mut number = 0;
    bencher.bench_local(|| {
        number += 1;
        busy_host::tick_by_core(&mut totals, &demand, number, CORES);
    });
}

/// The same for 1000 containers on this many cores: each container uses eight of them.
#[divan::bench(args = [64, 256])]
fn attribution_of_1000_by_core(bencher: Bencher<'_, '_>, cores: u32) {
    let (mut totals, demand) = (busy_host::totals(1000), busy_host::demand_by_core(1000, cores));
    let mut number = 0;
    bencher.bench_local(|| {
        number += 1;
        busy_host::tick_by_core(&mut totals, &demand, number, cores);
    });
}

/// Reading the engine time of this many encoders, and attribution by it. The kernel lists the users of the GPU.
#[divan::bench(args = [0, 10, 100, 1000], sample_size = 1)]
fn engine_time(bencher: Bencher<'_, '_>, encoders: u32) {
    tick_with_gpu(bencher, encoders, true);
}

/// The same without such a list. Each tick looks for the GPU in 16 other processes, and in some of the encoders.
#[divan::bench(args = [100], sample_size = 1)]
fn engine_time_by_procfs(bencher: Bencher<'_, '_>, encoders: u32) {
    tick_with_gpu(bencher, encoders, false);
}

fn tick_with_gpu(bencher: Bencher<'_, '_>, encoders: u32, has_list: bool) {
    let mut files = busy_gpu::GpuFiles::new(encoders);
    let mut tick = busy_gpu::GpuTick::new(&mut files, has_list);
    bencher.with_inputs(|| files.advance()).bench_local_values(|now| tick.run(now));
}

/// The same step of a tick on a host without an integrated GPU.
#[divan::bench]
fn engine_time_without_gpu(bencher: Bencher<'_, '_>) {
    let mut tick = busy_gpu::GpuTick::without_gpu();
    bencher.bench_local(|| black_box(tick.read(black_box(MonoTime(1_000_000_000)))));
}

/// Port 9510, in the format that Prometheus requests.
#[divan::bench(args = [10, 100, 1000, 5000])]
fn rendering(bencher: Bencher<'_, '_>, workloads: u32) {
    let snapshot = busy_host::snapshot(workloads);
    bencher.bench_local(|| {
        render(black_box(&snapshot), Listener::Main, Format::OpenMetrics, Options::default())
    });
}

/// Runs once for each cgroup that is made.
#[divan::bench(args = ["container", "pod", "session"])]
fn cgroup_path(bencher: Bencher<'_, '_>, kind: &str) {
    let id = "9f2a1c0000000000000000000000000000000000000000000000000000000001";
    let path = match kind {
        "container" => format!("/system.slice/docker-{id}.scope"),
        "pod" => format!(
            "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod0b6c3b0d_6a9a_4c39_8ba2_6f3a5a1f6a10.slice/cri-containerd-{id}.scope"
        ),
        _ => "/user.slice/user-1000.slice/session-3.scope".to_owned(),
    };
    bencher.bench_local(|| identify(black_box(&path)));
}

/// What a tick does for the names of this many pods.
#[divan::bench(args = [250, 1000])]
fn pod_names(bencher: Bencher<'_, '_>, pods: u64) {
    let mut node = busy_node::Node::new(pods);
    node.name_all();
    bencher.bench_local(|| black_box(node.tick(MonoTime(1_000_000_000))));
}

/// The tick in which the names of this many pods come at once.
#[divan::bench(args = [250, 1000])]
fn new_pod_names(bencher: Bencher<'_, '_>, pods: u64) {
    bencher.with_inputs(|| busy_node::Node::new(pods)).bench_local_values(|mut node| {
        node.name_all();
        black_box(node.tick(MonoTime(1_000_000_000)));
        node
    });
}
