//! Tests the agent's memory: its peak at the start, and what remains of it. Needs root.
//!
//! Run: alone (it measures the host).

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;

use tests::agent::Agent;

/// A figure of `/proc/<pid>/status`, in megabytes.
fn megabytes(agent: &Agent, name: &str) -> f64 {
    let status = fs::read_to_string(format!("/proc/{}/status", agent.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap();
    line.trim().trim_end_matches(" kB").parse::<f64>().unwrap() / 1024.0
}

/// A full parse of the kernel's types takes 20 MB more, and some C libraries never return them.
#[test]
fn a_start_takes_little_memory_and_leaves_nothing_behind() {
    for source in ["--cpu.source=bpf", "--cpu.source=cgroupfs"] {
        let agent =
            Agent::start(&[source, "--containers.docker-socket=", "--containers.podman-socket="]).unwrap();
        agent.wait_ticks(3).unwrap();
        let [peak, program, anonymous] = ["VmHWM", "RssFile", "RssAnon"].map(|name| megabytes(&agent, name));
        // The pages of this build's program are not those of a release: `cargo xtask bench --only memory` measures that.
        let most = peak - program;
        println!(
            "{source}: {most:.1} MB at most beside {program:.1} MB of the program, {anonymous:.1} MB now"
        );
        assert!(anonymous > 0.2 && anonymous <= 6.0, "{anonymous} MB are anonymous");
        assert!(most <= 6.0, "{most} MB at most, beside the program");
    }
}
