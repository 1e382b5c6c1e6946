//! Generates load around the agent: encodes, jobs, bursts of cgroups, and one fault after the other.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use rustix::process::Signal;
use tests::agent::Agent;
use tests::cgroup::Cgroup;
use tests::command::{eventually, pause};
use tests::engine::Engine;
use tests::rapl::LiveRapl;

use super::IMAGE;
use super::prober::Prober;

/// Cgroups that are made and removed at once.
const BURST: u32 = 200;

/// Length of a fault.
const FAULT: Duration = Duration::from_secs(2);

/// Numbers of finished actions.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    pub(super) rounds: u32,
    pub(super) encodes: u32,
    pub(super) jobs: u32,
    pub(super) cgroups: u32,
    pub(super) stops: u32,
}

/// The engine, the counters and the folder on which faults act.
pub(super) struct Churn {
    engine: Engine,
    rapl: LiveRapl,
    results: PathBuf,
    counts: Counts,
}

impl Churn {
    pub(super) fn new(engine: Engine, rapl: LiveRapl, results: PathBuf) -> Self {
        Self { engine, rapl, results, counts: Counts::default() }
    }

    pub(super) fn counts(&self) -> Counts {
        self.counts
    }

    /// Runs work, and a fault meanwhile; returns the fault's name.
    pub(super) fn round(&mut self, agent: &Agent, prober: &Prober) -> anyhow::Result<&'static str> {
        let round = self.counts.rounds;
        self.counts.rounds += 1;
        for (encoder, preset) in [("libx264", "veryfast"), ("libx265", "ultrafast")] {
            self.encode(encoder, preset)?;
        }
        let fault = self.fault(agent, prober, round)?;
        let name = format!("soak-job-{round}");
        let busy = "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done";
        self.engine.run(&["run", "--rm", "--network=none", "--name", &name, IMAGE, "sh", "-c", busy])?;
        self.counts.jobs += 1;
        let parent = Cgroup::make(&format!("ffwatt-soak/{round}"))?;
        let folders: Vec<PathBuf> =
            (0..BURST).map(|number| parent.folder().join(number.to_string())).collect();
        for folder in &folders {
            fs::create_dir(folder).context("cannot make a cgroup")?;
        }
        for folder in &folders {
            fs::remove_dir(folder).context("cannot remove a cgroup")?;
        }
        self.counts.cgroups += BURST;
        Ok(fault)
    }

    fn encode(&mut self, encoder: &str, preset: &str) -> anyhow::Result<()> {
        let name = format!("soak-{encoder}-{}", self.counts.encodes);
        let scenario = format!("ffwatt.scenario=soak {encoder}");
        let run = ["run", "--detach", "--rm", "--network=none", "--name", &name, "--label", &scenario, IMAGE];
        let source = ["ffmpeg", "-nostdin", "-loglevel", "error", "-re", "-f", "lavfi", "-i"];
        let encode = [
            "testsrc2=size=320x180:rate=25",
            "-t",
            "3",
            "-c:v",
            encoder,
            "-preset",
            preset,
            "-f",
            "null",
            "-",
        ];
        self.engine.run(&[&run[..], &source[..], &encode[..]].concat())?;
        self.counts.encodes += 1;
        Ok(())
    }

    fn fault(&mut self, agent: &Agent, prober: &Prober, round: u32) -> anyhow::Result<&'static str> {
        match round % 6 {
            0 => {
                // A stopped agent does not answer.
                let _held = prober.hold();
                agent.signal(Signal::STOP)?;
                pause(FAULT);
                agent.signal(Signal::CONT)?;
                self.counts.stops += 1;
                Ok("stopped and resumed")
            }
            1 => {
                self.rapl.set_broken(true);
                pause(FAULT);
                self.rapl.set_broken(false);
                Ok("counters that show nonsense")
            }
            2 => {
                self.engine.signal(Signal::STOP)?;
                pause(FAULT);
                self.engine.signal(Signal::CONT)?;
                Ok("an engine that hangs")
            }
            3 => {
                let away = self.results.with_extension("away");
                fs::rename(&self.results, &away).context("cannot move the results")?;
                pause(FAULT);
                fs::rename(&away, &self.results).context("cannot move the results back")?;
                Ok("results that vanish")
            }
            4 => {
                let broken = r#"{"scenarios":[{"name":"half of it","dur"#;
                fs::write(self.results.join(format!("test_results_{round:08}.json")), broken)?;
                pause(FAULT);
                let whole = r#"{"scenarios":[{"name":"soak libx264","duration":5,"vmaf_score":90}]}"#;
                fs::write(self.results.join(format!("test_results_{round:08}.json")), whole)?;
                Ok("half a result file")
            }
            _ => {
                agent.signal(Signal::HUP)?;
                pause(FAULT);
                Ok("a reload")
            }
        }
    }

    /// Waits until all work is done and has been retired by the agent.
    pub(super) fn settle(&self, agent: &Agent) -> anyhow::Result<()> {
        eventually("all containers are gone", Duration::from_mins(2), || {
            self.engine.run(&["ps", "--all", "--quiet"]).ok().filter(String::is_empty)
        })?;
        agent.wait_ticks(15).map(drop)
    }
}
