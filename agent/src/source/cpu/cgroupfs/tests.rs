//! Tests that the sums of polling are exact too, on a fixture host.

use std::fs;
use std::path::Path;
use std::time::Duration;

use super::*;
use crate::clock::manual::TestClock;

struct Host {
    root: tempfile::TempDir,
    clock: TestClock,
}

const SECOND: Duration = Duration::from_secs(1);

impl Host {
    fn new() -> Self {
        let host = Self { root: tempfile::tempdir().unwrap(), clock: TestClock::default() };
        host.write("cgroup/cgroup.controllers", "");
        for cpu in ["cpu0", "cpu1"] {
            host.write(&format!("sys/devices/system/cpu/{cpu}/topology/physical_package_id"), "0\n");
        }
        host.idle([0, 0]);
        host.used("", 0);
        host
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn idle(&self, hundredths: [u64; 2]) {
        let [first, second] = hundredths;
        self.write(
            "proc/stat",
            &format!("cpu  0\ncpu0 9 0 9 {first} 0 0\ncpu1 9 0 9 {second} 0 0\nintr 5\n"),
        );
    }

    fn used(&self, cgroup: &str, milliseconds: u64) {
        self.write(
            &format!("cgroup/{cgroup}/cpu.stat"),
            &format!("usage_usec {}\nuser_usec 0\n", milliseconds * 1000),
        );
    }

    fn process(&self, id: u32, comm: &str, cgroup: &str, ticks: u64) {
        self.process_since(77, id, comm, cgroup, ticks);
    }

    fn process_since(&self, start_time: u64, id: u32, comm: &str, cgroup: &str, ticks: u64) {
        let rest = "0 0 0 0 0 0 0 0 0 0";
        self.write(
            &format!("proc/{id}/stat"),
            &format!("{id} ({comm}) S {rest} {ticks} 0 0 0 20 0 1 0 {start_time} {}", "0 ".repeat(30)),
        );
        self.write(&format!("proc/{id}/cgroup"), &format!("0::/{cgroup}\n"));
    }

    fn meter(&self) -> CgroupfsMeter {
        let at = |name: &str| self.root.path().join(name);
        let roots = HostRoots { proc: at("proc"), sys: at("sys"), dev: at("dev"), cgroup: at("cgroup") };
        let topology = crate::host::read_topology(&roots).unwrap();
        CgroupfsMeter::open(&roots, &topology, &["ffmpeg".to_owned()], &self.clock).unwrap()
    }

    fn id(&self, cgroup: &str) -> CgroupId {
        CgroupId(std::os::unix::fs::MetadataExt::ino(
            &fs::metadata(self.root.path().join("cgroup").join(cgroup)).unwrap(),
        ))
    }

    fn remove(&self, path: &str) {
        fs::remove_dir_all(Path::new(self.root.path()).join(path)).unwrap();
    }
}

fn used(window: &CpuWindow, consumer: Consumer) -> u64 {
    window
        .usage
        .iter()
        .filter(|usage| usage.consumer == consumer)
        .map(|usage| usage.busy.all.0 / 1_000_000)
        .sum()
}

fn tasks(cgroup: CgroupId) -> Consumer {
    Consumer::Tasks { cgroup, process: None }
}

#[test]
fn children_are_taken_off_their_parents_and_the_rest_is_the_roots() {
    let host = Host::new();
    host.used("a", 100);
    host.used("a/b", 50);
    let mut meter = host.meter();
    host.clock.advance(SECOND);
    host.idle([50, 50]);
    host.used("a", 500);
    host.used("a/b", 350);
    let window = meter.read(&host.clock).unwrap();
    assert_eq!(used(&window, tasks(host.id("a"))), 100);
    assert_eq!(used(&window, tasks(host.id("a/b"))), 300);
    assert_eq!(used(&window, tasks(CgroupId(ROOT_CGROUP))), 600, "1000 busy less 400");
    let place = window.places[0];
    let sum: CpuTime = window.usage.iter().map(|usage| usage.busy.all).sum();
    assert_eq!(place.elapsed, place.idle + sum);
}

#[test]
fn the_time_of_a_cgroup_that_is_gone_is_nobodys() {
    let host = Host::new();
    host.used("a", 0);
    host.used("a/b", 0);
    let mut meter = host.meter();
    host.clock.advance(SECOND);
    host.idle([0, 0]);
    host.used("a", 700);
    let removed = host.id("a/b");
    host.remove("cgroup/a/b");
    let window = meter.read(&host.clock).unwrap();
    assert_eq!(used(&window, tasks(host.id("a"))), 0, "its child used that");
    assert_eq!(used(&window, Consumer::Unknown), 700);
    assert!(
        matches!(&meter.events(&host.clock)[..], [LifecycleEvent::CgroupRemoved { id, .. }] if *id == Some(removed))
    );
}

#[test]
fn a_tracked_process_is_told_apart_within_its_cgroup() {
    let host = Host::new();
    host.used("a", 0);
    let mut meter = host.meter();
    host.clock.advance(SECOND);
    host.idle([0, 0]);
    host.used("a", 800);
    host.process(42, "ffmpeg", "a", 50);
    host.process(43, "sh", "a", 30);
    let window = meter.read(&host.clock).unwrap();
    let cgroup = host.id("a");
    assert_eq!(used(&window, Consumer::Tasks { cgroup, process: Some(ProcessId(42)) }), 500);
    assert_eq!(used(&window, tasks(cgroup)), 300);
    assert_eq!(meter.events(&host.clock), [exec(cgroup, false)]);
    meter.read(&host.clock).unwrap();
    assert_eq!(meter.events(&host.clock), [exec(cgroup, true)], "a wrapper may have become the encoder");
    host.remove("proc/42");
    meter.read(&host.clock).unwrap();
    assert_eq!(meter.events(&host.clock), [EXIT]);
}

const EXIT: LifecycleEvent =
    LifecycleEvent::Exit { at: MonoTime(SECOND.as_nanos() as u64), process: ProcessId(42), exit: None };

fn exec(cgroup: CgroupId, was_tracked: bool) -> LifecycleEvent {
    LifecycleEvent::Exec {
        at: MonoTime(SECOND.as_nanos() as u64),
        process: ProcessId(42),
        local: None,
        was_tracked,
        cgroup,
        legacy: None,
    }
}

#[test]
fn a_number_that_is_used_again_is_another_process() {
    let host = Host::new();
    host.used("a", 0);
    let mut meter = host.meter();
    host.clock.advance(SECOND);
    host.process(42, "ffmpeg", "a", 10);
    meter.read(&host.clock).unwrap();
    let cgroup = host.id("a");
    assert_eq!(meter.events(&host.clock), [exec(cgroup, false)]);
    meter.track(ProcessId(42)).unwrap();
    // Replaced by another encoder between two polls; then by another program.
    host.process_since(500, 42, "ffmpeg", "a", 10);
    meter.read(&host.clock).unwrap();
    assert_eq!(meter.events(&host.clock), [EXIT, exec(cgroup, false)]);
    meter.track(ProcessId(42)).unwrap();
    host.process_since(900, 42, "make", "a", 70);
    host.used("a", 800);
    let window = meter.read(&host.clock).unwrap();
    assert_eq!(meter.events(&host.clock), [EXIT]);
    assert_eq!(used(&window, Consumer::Tasks { cgroup, process: Some(ProcessId(42)) }), 0);
    assert_eq!(used(&window, tasks(cgroup)), 800);
}

#[test]
fn an_encoder_that_becomes_another_program_is_told_apart_until_it_ends() {
    let host = Host::new();
    host.used("a", 0);
    let mut meter = host.meter();
    host.clock.advance(SECOND);
    host.process(42, "ffmpeg", "a", 10);
    meter.read(&host.clock).unwrap();
    meter.track(ProcessId(42)).unwrap();
    meter.events(&host.clock);
    host.process(42, "real-encoder", "a", 50);
    host.used("a", 800);
    let window = meter.read(&host.clock).unwrap();
    let cgroup = host.id("a");
    assert_eq!(meter.events(&host.clock), [exec(cgroup, true)]);
    assert_eq!(used(&window, Consumer::Tasks { cgroup, process: Some(ProcessId(42)) }), 400);
}

#[test]
fn cgroups_that_used_more_than_the_coarse_clock_saw_are_right() {
    let host = Host::new();
    host.used("a", 0);
    let mut meter = host.meter();
    host.clock.advance(SECOND / 10);
    host.idle([10, 10]);
    host.used("a", 4);
    let window = meter.read(&host.clock).unwrap();
    assert_eq!(used(&window, tasks(host.id("a"))), 4);
    assert_eq!(window.places[0].idle, CpuTime(196_000_000));
}

#[test]
fn a_stat_file_without_cpus_is_broken_not_a_panic() {
    let host = Host::new();
    let mut meter = host.meter();
    host.write("proc/stat", "nonsense\n");
    assert!(matches!(meter.read(&host.clock), Err(SourceError::Broken { .. })));
}
