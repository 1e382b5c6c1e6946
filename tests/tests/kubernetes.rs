//! Tests the names of Kubernetes containers, and the one overhead row of a pod. Needs root.
//!
//! The real eBPF programs and real cgroups at the paths of the kubelet's cgroupfs driver. Simulated: the kubelet, whose log folders and
//! links the tests make.
//!
//! Run: alone (these tests make cgroups at the paths of a real kubelet).

#![allow(
    clippy::unwrap_used,
    clippy::float_cmp,
    reason = "a test may panic, and means equal when it says equal"
)]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tests::agent::{Agent, binary};
use tests::cgroup::{Cgroup, finish};
use tests::command::{Owned, pause};
use tests::exposition::{Exposition, Sample, assert_no_residual};
use tests::ffmpeg::live;
use tests::length::short_or_long;
use tests::rapl::LiveRapl;
use tests::simulator::on_intel;

const CPU: &str = "ffwatt_workload_cpu_seconds_total";
const INFO: &str = "ffwatt_workload_info";

/// A node: the kubelet's folders.
struct Node {
    root: tempfile::TempDir,
}

/// A pod of a node.
struct Pod<'a> {
    node: &'a Node,
    uid: String,
    name: String,
    own: Cgroup,
}

/// A number that no other test uses.
fn number() -> u64 {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    (u64::from(NEXT.fetch_add(1, Ordering::Relaxed)) << 32) + u64::from(std::process::id())
}

/// An id. Labels show its first digits, and those are the digits of the number.
fn id(number: u64) -> String {
    format!("{number:016x}{:048}", 0)
}

impl Node {
    fn new() -> Self {
        let node = Self { root: tempfile::tempdir().unwrap() };
        fs::create_dir(node.pods()).unwrap();
        fs::create_dir(node.links()).unwrap();
        node
    }

    fn pods(&self) -> PathBuf {
        self.root.path().join("pods")
    }

    fn links(&self) -> PathBuf {
        self.root.path().join("containers")
    }

    fn flags(&self) -> [String; 2] {
        [
            format!("--path.podlogs={}", self.pods().display()),
            format!("--path.containerlogs={}", self.links().display()),
        ]
    }

    fn agent(&self, more: &[&str]) -> Agent {
        let [pods, links] = self.flags();
        Agent::start_with_bpf(&[&[pods.as_str(), &links], more].concat()).unwrap()
    }

    /// Makes the log folder and the cgroup of a pod, in the kubelet's order.
    fn pod(&self, name: &str, uid: &str) -> Pod<'_> {
        fs::create_dir(self.pods().join(format!("default_{name}_{uid}"))).unwrap();
        let own = Cgroup::make(&format!("kubepods/burstable/pod{uid}")).unwrap();
        Pod { node: self, uid: uid.to_owned(), name: name.to_owned(), own }
    }
}

fn uuid() -> String {
    let digits = format!("{:032x}", number());
    [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]].join("-")
}

impl Pod<'_> {
    /// Makes the cgroup of the sandbox or of a container.
    fn cgroup(&self, id: &str) -> Cgroup {
        Cgroup::make(&format!("{}/{id}", self.own.path)).unwrap()
    }

    /// Makes the log file of a container, as a runtime does when it starts one for the time after this number of restarts.
    fn log(&self, container: &str, restarts: u32) -> PathBuf {
        let folder = self.node.pods().join(format!("default_{}_{}/{container}", self.name, self.uid));
        fs::create_dir_all(&folder).unwrap();
        let log = folder.join(format!("{restarts}.log"));
        fs::write(&log, "a line that nobody reads\n").unwrap();
        log
    }

    /// Makes the log file and the link of a container.
    fn link(&self, container: &str, id: &str) -> PathBuf {
        let link = self.node.links().join(format!("{}_default_{container}-{id}.log", self.name));
        symlink(self.log(container, 0), &link).unwrap();
        link
    }

    /// Makes a container that uses CPU time, as a kubelet does: the link comes after the start. Returns its cgroup and its id.
    fn container(&self, container: &str, seconds: f64) -> (Cgroup, String) {
        let id = id(number());
        let cgroup = self.cgroup(&id);
        let child = cgroup.burn(seconds).spawn().unwrap();
        self.link(container, &id);
        ended(child);
        (cgroup, id)
    }
}

/// Waits for a child that `timeout` ends.
fn ended(child: std::process::Child) {
    Owned(child).0.wait().unwrap();
}

/// The info sample of the workload with this container id.
fn info<'a>(scrape: &'a Exposition, id: &str) -> Option<&'a Sample> {
    scrape.all(INFO).find(|sample| sample.label("id") == &id[..12])
}

fn name_of(scrape: &Exposition, id: &str) -> Option<String> {
    info(scrape, id).map(|sample| sample.label("workload").to_owned())
}

/// Names of all workloads of Kubernetes. The overhead of a pod has no info sample.
fn kubernetes(scrape: &Exposition) -> Vec<String> {
    let mut names: Vec<_> = scrape
        .find(CPU, &[("kind", "kubernetes")])
        .map(|sample| sample.label("workload").to_owned())
        .collect();
    names.sort();
    names
}

fn cpu_of(scrape: &Exposition, workload: &str) -> f64 {
    scrape.sum(CPU, &[("workload", workload)]).unwrap_or_default()
}

#[track_caller]
fn assert_near(ours: f64, kernel: f64) {
    // The kernel counts the entry of the shell as well, and each read of its own counters is some milliseconds off.
    assert!((ours - kernel).abs() < 0.02 * kernel + 0.02, "ffwatt {ours}, kernel {kernel}");
}

#[test]
fn a_pods_containers_have_names_in_the_first_scrape_and_its_overhead_one_row() {
    let node = Node::new();
    let agent = node.agent(&[]);
    let pod = node.pod("web-0", &uuid());
    let sandbox = pod.cgroup(&id(number()));
    ended(sandbox.burn(0.2).spawn().unwrap());
    let (app, app_id) = pod.container("app", 0.3);
    let (init, init_id) = pod.container("init", 0.2);
    // Two ticks: all CPU time before is in the figures.
    let scrape = agent.wait_ticks(2).unwrap();
    assert_eq!(kubernetes(&scrape), ["default/web-0/POD", "default/web-0/app", "default/web-0/init"]);
    assert_eq!(name_of(&scrape, &app_id).as_deref(), Some("default/web-0/app"));
    assert_eq!(name_of(&scrape, &init_id).as_deref(), Some("default/web-0/init"));
    assert_eq!(info(&scrape, &app_id).unwrap().label("runtime"), "kubelet");
    let names = ["POD", "app", "init"].map(|container| format!("default/web-0/{container}"));
    for (name, cgroup) in names.iter().zip([&sandbox, &app, &init]) {
        assert_near(cpu_of(&scrape, name), cgroup.cpu_stat().unwrap().as_secs_f64());
    }
    assert_no_residual(&scrape);
    // A restart is another container of the same name.
    drop(app);
    let (_again, again_id) = pod.container("app", 0.2);
    let scrape = agent.wait_ticks(2).unwrap();
    for id in [&app_id, &again_id] {
        assert_eq!(name_of(&scrape, id).as_deref(), Some("default/web-0/app"));
    }
    assert_no_residual(&scrape);
}

/// Every series of a pod, on a host with counters of a package, its cores and its memory.
#[test]
fn a_pod_with_one_container_has_twelve_series() {
    let rapl = LiveRapl::start().unwrap();
    let node = Node::new();
    let [pods, links] = node.flags();
    let sys = format!("--path.sysfs={}", rapl.path().display());
    let flags = [
        "--cpu.source=bpf",
        "--energy.source=powercap",
        "--attribution.idle-watts=0",
        "--containers.docker-socket=",
        "--containers.podman-socket=",
        &sys,
        &pods,
        &links,
    ];
    // AMD's processors have no counter of all cores.
    let folder = tempfile::tempdir().unwrap();
    let mut agent = Agent::spawn(&on_intel(folder.path(), &binary().unwrap()).unwrap(), &flags, &[]).unwrap();
    agent.wait_ready().unwrap();
    let pod = node.pod("web-0", &uuid());
    let sandbox = pod.cgroup(&id(number()));
    let (_app, _) = pod.container("app", 0.2);
    let scrape = agent.wait_ticks(2).unwrap();
    assert_eq!(scrape.series_with("container", "POD"), [""; 0], "its sandbox has used nothing");
    ended(sandbox.burn(0.3).spawn().unwrap());
    let scrape = agent.wait_ticks(2).unwrap();
    let energy = "ffwatt_workload_energy_joules_total";
    assert_eq!(scrape.series_with("container", "POD"), [CPU, energy, energy, energy]);
    let bound = "ffwatt_workload_energy_uncertainty_joules_total";
    let of_app = [CPU, energy, energy, energy, bound, bound, bound, INFO];
    assert_eq!(scrape.series_with("container", "app"), of_app);
    assert_no_residual(&scrape);
}

#[test]
fn pods_older_than_the_agent_have_names_and_static_pods_too() {
    let node = Node::new();
    let pod = node.pod("etcd-node.example", &format!("{:032x}", number()));
    let sandbox = pod.cgroup(&id(number()));
    let (_etcd, etcd_id) = pod.container("etcd", 0.1);
    let idle = id(number());
    let _idle = pod.cgroup(&idle);
    pod.link("idle", &idle);
    let agent = node.agent(&[]);
    // The agent's first tick is over: the names are in its first snapshot.
    let first = agent.scrape().unwrap();
    assert_eq!(name_of(&first, &etcd_id).as_deref(), Some("default/etcd-node.example/etcd"));
    assert_eq!(name_of(&first, &idle).as_deref(), Some("default/etcd-node.example/idle"), "shown at 0");
    assert_eq!(
        kubernetes(&first).len(),
        2,
        "the sandbox and the pod have used nothing: {:?}",
        kubernetes(&first)
    );
    assert_eq!(first.sum("ffwatt_source_up", &[("source", "kubelet")]), Some(1.0));
    ended(sandbox.burn(0.2).spawn().unwrap());
    let scrape = agent.wait_ticks(2).unwrap();
    assert_near(cpu_of(&scrape, "default/etcd-node.example/POD"), sandbox.cpu_stat().unwrap().as_secs_f64());
    assert_eq!(kubernetes(&scrape).len(), 3);
}

#[test]
fn names_stay_when_pod_and_files_go_and_no_row_is_nameless() {
    let node = Node::new();
    let agent = node.agent(&["--interval=200ms"]);
    let mut made = Vec::new();
    for round in 0..20 {
        let pod = node.pod(&format!("job-{round}"), &uuid());
        let sandbox = pod.cgroup(&id(number()));
        finish(sandbox.command("true").spawn().unwrap()).unwrap();
        let (app, app_id) = pod.container("app", 0.05);
        made.push((round, app_id.clone(), app.cpu_stat().unwrap().as_secs_f64()));
        app.remove().unwrap();
        sandbox.remove().unwrap();
        fs::remove_file(node.links().join(format!("job-{round}_default_app-{app_id}.log"))).unwrap();
        fs::remove_dir_all(node.pods().join(format!("default_job-{round}_{}", pod.uid))).unwrap();
        pod.own.remove().unwrap();
        let scrape = agent.scrape().unwrap();
        assert_no_residual(&scrape);
        let nameless = kubernetes(&scrape).into_iter().find(|name| !name.starts_with("default/job-"));
        assert_eq!(nameless, None);
    }
    let scrape = agent.wait_ticks(3).unwrap();
    for (round, id, kernel) in made {
        let name = format!("default/job-{round}/app");
        assert_eq!(name_of(&scrape, &id), Some(name.clone()));
        assert_near(cpu_of(&scrape, &name), kernel);
    }
}

/// The kubelet makes the link when the runtime has answered, which may be after the tick in which an encode begins.
#[test]
fn an_encode_has_its_names_before_the_link_of_its_container_exists() {
    let node = Node::new();
    let agent = node.agent(&["--interval=200ms"]);
    let pod = node.pod("live", &uuid());
    let sandbox = pod.cgroup(&id(number()));
    ended(sandbox.burn(0.1).spawn().unwrap());
    let (_meter, _) = pod.container("meter", 0.1);
    let (_first, _) = pod.container("ffmpeg", 0.1);
    // The second run of the container.
    let again = id(number());
    let cgroup = pod.cgroup(&again);
    let log = pod.log("ffmpeg", 1);
    let line = live("60");
    let _encode = Owned(cgroup.command(line[0]).args(&line[1..]).spawn().unwrap());
    let named = "default/live/ffmpeg".to_owned();
    for _ in 0..5 {
        let scrape = agent.wait_ticks(1).unwrap();
        assert_eq!(kubernetes(&scrape).into_iter().find(|name| !name.starts_with("default/live/")), None);
        assert_eq!(name_of(&scrape, &again).unwrap_or_else(|| named.clone()), named);
    }
    agent.until("the encode is charged", |scrape| name_of(scrape, &again)).unwrap();
    symlink(log, node.links().join(format!("live_default_ffmpeg-{again}.log"))).unwrap();
    let scrape = agent.wait_ticks(2).unwrap();
    assert_eq!(name_of(&scrape, &again), Some(named));
    assert_no_residual(&scrape);
}

/// Every scrape of a node on which fifty pods run, and five a second come and go.
#[test]
fn fifty_pods_and_five_more_each_second_are_never_nameless() {
    let node = Node::new();
    let agent = node.agent(&["--interval=200ms"]);
    let job = |place: usize| {
        let pod = node.pod(&format!("job-{place}"), &uuid());
        let id = id(number());
        let cgroup = pod.cgroup(&id);
        finish(cgroup.command("true").spawn().unwrap()).unwrap();
        pod.link("app", &id);
        (pod, cgroup, id)
    };
    let residents: Vec<_> = (0..50).map(job).collect();
    let first = agent.wait_ticks(2).unwrap();
    for (number, (_, _, id)) in residents.iter().enumerate() {
        assert_eq!(name_of(&first, id), Some(format!("default/job-{number}/app")));
    }
    let mut known = residents.len();
    for number in 50..50 + 5 * short_or_long(6, 120) {
        let (pod, cgroup, id) = job(number);
        pause(Duration::from_millis(200));
        let scrape = agent.scrape().unwrap();
        assert_eq!(kubernetes(&scrape).into_iter().find(|name| !name.starts_with("default/job-")), None);
        known += usize::from(name_of(&scrape, &id).is_some());
        cgroup.remove().unwrap();
        fs::remove_file(node.links().join(format!("job-{number}_default_app-{id}.log"))).unwrap();
        fs::remove_dir_all(node.pods().join(format!("default_job-{number}_{}", pod.uid))).unwrap();
        pod.own.remove().unwrap();
    }
    let last = agent.wait_ticks(2).unwrap();
    assert_no_residual(&last);
    assert!(known > residents.len(), "some were seen while they were there");
}

#[test]
fn a_file_of_somebody_else_renames_nothing() {
    let node = Node::new();
    let pod = node.pod("web-0", &uuid());
    let other = node.pod("db-0", &uuid());
    let app_id = id(number());
    let app = pod.cgroup(&app_id);
    let second = pod.cgroup(&id(number()));
    // The link is another pod's.
    other.link("app", &app_id);
    fs::write(node.links().join(format!("web-0_default_app-{app_id}.log")), "no link").unwrap();
    let agent = node.agent(&["--interval=200ms"]);
    // The name of a container may come for some seconds; then it is charged itself.
    let mut burning = Owned(app.command("sh").args(["-c", "while :; do :; done"]).spawn().unwrap());
    let mut second_burning = Owned(second.command("sh").args(["-c", "while :; do :; done"]).spawn().unwrap());
    let names = agent
        .until("one of the two is charged itself", |scrape| {
            let names = kubernetes(scrape);
            (names.len() > 1).then_some(names)
        })
        .unwrap();
    for child in [&mut burning, &mut second_burning] {
        child.0.kill().unwrap();
        child.0.wait().unwrap();
    }
    assert!(names.iter().all(|name| !name.contains("db-0") && !name.ends_with("/app")), "{names:?}");
    assert!(names.contains(&"default/web-0/POD".to_owned()), "{names:?}");
}

/// Names are all that is read: no file is opened, and nothing is connected to.
#[test]
fn neither_files_nor_connections_are_opened() {
    let node = Node::new();
    let agent = node.agent(&["--interval=200ms"]);
    let calls = node.root.path().join("calls");
    let trace = agent.trace(&["-y", "-e", "trace=connect,%file,%desc"], &calls).unwrap();
    let pod = node.pod("web-0", &uuid());
    let (_app, app_id) = pod.container("app", 0.1);
    agent
        .until("the container has a name", |scrape| {
            name_of(scrape, &app_id).filter(|name| name.contains('/'))
        })
        .unwrap();
    trace.end().unwrap();
    let calls = fs::read_to_string(&calls).unwrap();
    assert_eq!(calls.lines().find(|line| line.contains("connect(")), None);
    let folder = node.root.path().to_str().unwrap();
    let ours: Vec<&str> = calls.lines().filter(|line| line.contains(folder)).collect();
    assert!(ours.iter().any(|line| line.contains("readlink")), "{ours:?}");
    let opens =
        |line: &&&str| line.contains("open(") || line.contains("openat(") || line.contains("openat2(");
    assert!(ours.iter().filter(opens).all(|line| line.contains("O_DIRECTORY")), "{ours:?}");
    let reads =
        ours.iter().find(|line| ["read(", "pread64(", "readv("].iter().any(|call| line.contains(call)));
    assert_eq!(reads, None);
}

#[test]
fn a_host_without_pods_does_not_need_the_source_and_a_host_with_pods_does() {
    let nowhere = ["--path.podlogs=/no/pods", "--path.containerlogs=/no/containers"];
    let agent = Agent::start_with_bpf(&[&nowhere[..], &["--interval=200ms"]].concat()).unwrap();
    let up = |scrape: &Exposition| scrape.sum("ffwatt_source_up", &[("source", "kubelet")]);
    assert_eq!(up(&agent.wait_ticks(2).unwrap()), None);
    let node = Node::new();
    let _pod = node.pod("web-0", &uuid());
    agent.until("the missing folder is down", |scrape| up(scrape).filter(|up| *up == 0.0)).unwrap();
    drop(agent);
    // `check` says the same.
    let check = |flags: &[String]| {
        let output = Command::new(binary().unwrap())
            .args(["check", "--json", "--listen.port=1"])
            .args(flags)
            .output()
            .unwrap();
        let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let lines = report["lines"].as_array().unwrap().clone();
        let line = lines.into_iter().find(|line| line["source"] == "kubelet").unwrap();
        (line["subject"].to_string(), line["state"].to_string(), line["detail"].to_string())
    };
    let (subject, state, detail) = check(&node.flags());
    assert_eq!((subject.as_str(), state.as_str()), ("\"names\"", "\"used\""));
    assert!(detail.contains("1 pods and 0 containers"), "{detail}");
    let (_, state, detail) = check(&nowhere.map(str::to_owned));
    assert!(state == "\"absent\"" && detail.contains("/no/pods"), "{state} {detail}");
}
