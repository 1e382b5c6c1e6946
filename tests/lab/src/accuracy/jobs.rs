//! Measures the part of a short job's CPU time and energy that is charged to its own name.

use std::path::Path;

use anyhow::Context;
use tests::cgroup::Cgroup;
use tests::simulator::Machine;

use super::{PARENT, stage};

/// Lengths in seconds, and the number of jobs of each.
const LENGTHS: [(f64, usize); 7] =
    [(0.02, 40), (0.05, 40), (0.1, 20), (0.5, 6), (1.0, 4), (5.0, 2), (60.0, 1)];

/// Jobs of one length.
#[derive(Debug)]
pub(super) struct Captured {
    pub(super) length: f64,
    pub(super) jobs: usize,
    /// Share of the kernel's CPU time that is charged to the jobs' own names.
    pub(super) cpu: f64,
    /// Number of jobs with any energy under their own name.
    pub(super) named: usize,
}

/// Runs jobs one after the other, each in a cgroup that is made for it and removed after it.
pub(super) fn capture(machine: Machine, binary: &Path) -> anyhow::Result<Vec<Captured>> {
    let stage = stage(machine, binary, &["x264"], &["--interval=1s"])?;
    stage.agent.wait_ticks(2)?;
    let mut all = Vec::new();
    for (length, jobs) in LENGTHS {
        let mut truth = 0.0;
        let mut paths = Vec::new();
        for number in 0..jobs {
            let cgroup = Cgroup::make(&format!("{PARENT}/job-{}-{number}", (length * 1000.0) as u64))?;
            cgroup.burn(length).status().context("cannot run a job")?;
            truth += cgroup.cpu_stat()?.as_secs_f64();
            paths.push(cgroup.path.clone());
            cgroup.remove()?;
        }
        let scrape = stage.agent.wait_ticks(3)?;
        let of = |metric: &'static str| {
            paths
                .iter()
                .map(|path| scrape.sum(metric, &[("workload", path)]).unwrap_or(0.0))
                .collect::<Vec<f64>>()
        };
        let cpu: f64 = of("ffwatt_workload_cpu_seconds_total").iter().sum();
        let named = of("ffwatt_workload_energy_joules_total").iter().filter(|energy| **energy > 0.0).count();
        all.push(Captured { length, jobs, cpu: cpu / truth, named });
    }
    Ok(all)
}
