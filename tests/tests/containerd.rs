//! Tests pods of a private containerd, made as a kubelet makes them: each has its own CPU time, energy and transcodes. Needs root.
//!
//! Run: alone (it starts a containerd of its own and measures the host).

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::time::Duration;

use tests::agent::Agent;
use tests::command::eventually;
use tests::containerd::{Containerd, Pod};
use tests::exposition::{Exposition, assert_closed, assert_no_residual};
use tests::ffmpeg::live;
use tests::rapl::LiveRapl;

/// Pods that burn CPU time.
const PODS: usize = 19;

/// Power of the package in [`LiveRapl`], in W.
const PACKAGE_WATTS: f64 = 20.0;

/// One process: its shell waits without CPU time for a number of loops, runs them itself, and writes how often it has done so.
const WORKER: [&str; 3] = [
    "sh",
    "-c",
    "mkfifo /tmp/go; exec 3<>/tmp/go; n=0; while read loops <&3; do \
     i=0; while [ $i -lt $loops ]; do i=$((i+1)); done; n=$((n+1)); echo $n >/tmp/done; done",
];

/// A process that uses CPU time in every tick.
const BURN: [&str; 3] =
    ["sh", "-c", "while :; do i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; sleep 0.05; done"];

/// A container that runs [`WORKER`].
struct Worker<'a> {
    _pod: Pod<'a>,
    id: String,
    process: u32,
}

impl Worker<'_> {
    /// Gives its shell a number of loops.
    fn run(&self, loops: u32) {
        let nonblock = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap();
        let mut file = eventually("the worker has started", Duration::from_mins(1), || {
            // Without a reader the kernel refuses a writer that does not wait.
            OpenOptions::new().write(true).custom_flags(nonblock).open(self.file("go")).ok()
        })
        .unwrap();
        writeln!(file, "{loops}").unwrap();
    }

    /// Waits until its shell has run this many times.
    fn finish(&self, runs: u32) {
        let is_done =
            || fs::read_to_string(self.file("done")).is_ok_and(|text| text.trim() == runs.to_string());
        eventually("the worker is done", Duration::from_mins(2), || is_done().then_some(())).unwrap();
    }

    fn file(&self, name: &str) -> String {
        format!("/proc/{}/root/tmp/{name}", self.process)
    }

    /// CPU time of its one process, by the kernel's scheduler.
    fn cpu_seconds(&self) -> f64 {
        let text = fs::read_to_string(format!("/proc/{}/schedstat", self.process)).unwrap();
        text.split_whitespace().next().unwrap().parse::<f64>().unwrap() / 1e9
    }

    fn sum(&self, scrape: &Exposition, metric: &str, more: &[(&str, &str)]) -> f64 {
        let labels = [&[("kind", "kubernetes"), ("id", &self.id[..12])][..], more].concat();
        scrape.sum(metric, &labels).unwrap_or_else(|| panic!("no {metric} of {}", self.id))
    }

    fn charged_seconds(&self, scrape: &Exposition) -> f64 {
        self.sum(scrape, "ffwatt_workload_cpu_seconds_total", &[])
    }

    fn package_joules(&self, scrape: &Exposition) -> f64 {
        self.sum(scrape, "ffwatt_workload_energy_joules_total", &[("domain", "package")])
    }
}

/// Name of the workload of a container.
fn name(scrape: &Exposition, id: &str) -> String {
    let key = [("kind", "kubernetes"), ("id", &id[..12])];
    scrape.find("ffwatt_workload_info", &key).next().unwrap().label("workload").to_owned()
}

#[test]
fn twenty_pods_have_their_own_cpu_time_and_energy_and_one_has_a_transcode() {
    let rapl = LiveRapl::start().unwrap();
    let containerd = Containerd::start().unwrap();
    let sys = format!("--path.sysfs={}", rapl.path().display());
    let pods = format!("--path.podlogs={}", containerd.pod_logs().display());
    let links = format!("--path.containerlogs={}", containerd.container_logs().display());
    let agent = Agent::start(&[
        "--cpu.source=bpf",
        "--energy.source=powercap",
        "--attribution.idle-watts=0",
        &sys,
        &pods,
        &links,
        "--containers.docker-socket=",
        "--containers.podman-socket=",
    ])
    .unwrap();
    let workers: Vec<Worker<'_>> = (0..PODS)
        .map(|number| {
            let pod = containerd.pod("shop", &format!("worker-{number}"), &[]).unwrap();
            let id = pod.container("main", &WORKER).unwrap();
            let process = pod.process(&id).unwrap();
            Worker { _pod: pod, id, process }
        })
        .collect();
    let encoder = containerd.pod("live", "ladder", &[("ffwatt.scenario", "ladder")]).unwrap();
    let encode = encoder.container("ffmpeg", &live("120")).unwrap();
    assert_eq!(containerd.cri().pods().unwrap().len(), PODS + 1);
    assert_eq!(containerd.cri().containers().unwrap().len(), PODS + 1);

    // The start of a container runs in other processes and cgroups, too. The comparison begins when each shell waits.
    for worker in &workers {
        worker.run(0);
    }
    for worker in &workers {
        worker.finish(1);
    }
    let before = agent.wait_ticks(2).unwrap();
    let burnt: Vec<f64> = workers.iter().map(Worker::cpu_seconds).collect();
    for (number, worker) in workers.iter().enumerate() {
        // The last one only waits.
        worker.run(if number + 1 == PODS { 0 } else { 40_000 * (1 + number as u32 % 5) });
    }
    for worker in &workers {
        worker.finish(2);
    }
    let after = agent.wait_ticks(2).unwrap();

    let processors = std::thread::available_parallelism().unwrap().get() as f64;
    for (worker, burnt) in workers.iter().zip(burnt) {
        let kernel = worker.cpu_seconds() - burnt;
        let ours = worker.charged_seconds(&after) - worker.charged_seconds(&before);
        assert!((ours - kernel).abs() < 0.02 + kernel / 50.0, "{}: {ours} s, kernel {kernel} s", worker.id);
        // No tick has more CPU time than the processors have, so each second of it has at least this part of the energy.
        let joules = worker.package_joules(&after) - worker.package_joules(&before);
        let least = PACKAGE_WATTS / processors * ours;
        assert!(joules > least * 0.9, "{}: {joules} J of {ours} s", worker.id);
    }
    let idle = workers.last().unwrap();
    let idle_joules = idle.package_joules(&after) - idle.package_joules(&before);
    for worker in &workers[..PODS - 1] {
        let joules = worker.package_joules(&after) - worker.package_joules(&before);
        assert!(joules > idle_joules, "{}: {joules} J, a pod that waits {idle_joules} J", worker.id);
    }

    for (number, worker) in workers.iter().enumerate() {
        assert_eq!(name(&after, &worker.id), format!("shop/worker-{number}/main"));
    }
    assert_eq!(name(&after, &encode), "live/ladder/ffmpeg");
    let transcode = agent
        .until("the transcode draws power", |scrape| {
            let of = [("workload", "live/ladder/ffmpeg")];
            let mut found = scrape.find("ffwatt_transcode_energy_joules_total", &of);
            found.find(|sample| sample.value > 0.0).cloned()
        })
        .unwrap();
    assert_eq!(
        ["codec", "preset", "resolution"].map(|label| transcode.label(label)),
        ["libx264", "veryfast", "320x240"]
    );
    assert_closed(&after);
}

#[test]
fn a_container_of_nerdctl_has_its_name_and_its_labels() {
    let containerd = Containerd::start().unwrap();
    let before = containerd.run("before", &[], &BURN).unwrap();
    let agent = Agent::start_with_bpf(&[]).unwrap();
    let after = containerd.run("live-a.1", &[("ffwatt.scenario", "live")], &BURN).unwrap();
    for (container, name, scenario) in [(&before, "before", ""), (&after, "live-a.1", "live")] {
        let of_it = [("kind", "containerd"), ("id", &container.id[..12])];
        let info = agent.until("the container has its name", |scrape| {
            let mut found = scrape.find("ffwatt_workload_info", &of_it);
            found.find(|info| info.label("workload") == name).cloned()
        });
        let info = info.unwrap();
        assert_eq!([info.label("scenario"), info.label("runtime")], [scenario, "containerd"]);
    }
    assert_no_residual(&agent.wait_ticks(2).unwrap());
}
