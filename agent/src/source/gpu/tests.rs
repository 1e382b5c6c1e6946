//! Tests the reading of engine time, on a fixture of procfs and sysfs.

use std::path::Path;
use std::time::Duration;

use agent_core::gpu::engine::EngineClass;

use super::fixture::{ADDRESS, add_device, set_description, set_video};
use super::*;

const SECOND: u64 = 1_000_000_000;

struct Host {
    root: tempfile::TempDir,
    roots: HostRoots,
}

impl Host {
    fn new(address: &str, driver: &str) -> Self {
        let root = tempfile::tempdir().unwrap();
        let roots = HostRoots {
            proc: root.path().join("proc"),
            sys: root.path().join("sys"),
            ..HostRoots::default()
        };
        fs::create_dir(&roots.proc).unwrap();
        add_device(&roots, address, driver);
        Self { root, roots }
    }

    fn meter(&self) -> Option<GpuMeter> {
        GpuMeter::open_with(&self.roots, MonoTime(0), || Ok(()))
    }

    /// Sets the video time of a client that a process has open at this number.
    fn set(&self, process: u32, number: u32, client: u32, milliseconds: u64) {
        set_video(&self.roots, process, number, client, Duration::from_millis(milliseconds));
    }

    /// Shows another file than the GPU at this number.
    fn set_other(&self, process: u32, number: u32, target: &str) {
        set_description(&self.roots, process, number, target, "pos:\t0\n");
    }

    fn path(&self) -> &Path {
        self.root.path()
    }
}

fn encoders(ids: &[u32]) -> Vec<GpuCandidate> {
    ids.iter().map(|id| GpuCandidate { id: ProcessId(*id), is_new: false }).collect()
}

/// Milliseconds of the video engines, by process.
fn video(times: &[(ProcessId, EngineTimes)]) -> Vec<(u32, u64)> {
    times.iter().map(|(id, times)| (id.0, times.of(EngineClass::Video) / 1_000_000)).collect()
}

#[test]
fn only_an_integrated_gpu_with_a_known_driver_is_read() {
    for (address, driver, expected) in [
        (ADDRESS, "i915", true),
        (ADDRESS, "xe", true),
        ("0000:03:00.0", "i915", false),
        (ADDRESS, "vgem", false),
    ] {
        assert_eq!(Host::new(address, driver).meter().is_some(), expected, "{address} {driver}");
    }
    let host = Host::new(ADDRESS, "i915");
    fs::remove_dir_all(host.path().join("sys/class")).unwrap();
    assert!(host.meter().is_none());
}

#[test]
fn each_process_has_the_engine_time_of_its_clients() {
    let host = Host::new(ADDRESS, "i915");
    let mut meter = host.meter().unwrap();
    host.set(40, 3, 1, 5000);
    // Its parent has the same client, another file, and no other device.
    host.set(39, 7, 1, 5000);
    host.set_other(40, 4, "/dev/null");
    host.set(41, 5, 2, 100);
    let mut at = |seconds: u64, new: &[u32]| {
        let mut all = encoders(&[40]);
        all.extend(new.iter().map(|id| GpuCandidate { id: ProcessId(*id), is_new: true }));
        video(&meter.read(&all, MonoTime(seconds * SECOND), || None).unwrap())
    };
    assert_eq!(at(1, &[41]), [(41, 100)], "the other's time is older than the agent");
    for process in [39, 40] {
        host.set(process, if process == 40 { 3 } else { 7 }, 1, 5600);
    }
    assert_eq!(at(2, &[]), [(39, 600)], "a client counts once");
    // An encoder that opens the device later, and one whose description is another file's now.
    host.set(40, 9, 3, 250);
    host.set_other(41, 5, "");
    assert_eq!(at(3, &[]), [(40, 250)]);
    fs::remove_dir_all(host.roots.proc.join("41")).unwrap();
    assert_eq!(at(4, &[]), []);
}

#[test]
fn processes_that_are_no_encoders_are_found_in_turn() {
    let host = Host::new(ADDRESS, "i915");
    let mut meter = host.meter().unwrap();
    let users = [100, 150, 199];
    for id in 100..200 {
        fs::create_dir_all(host.roots.proc.join(format!("{id}/fd"))).unwrap();
    }
    let set = |milliseconds| users.iter().for_each(|id| host.set(*id, 3, *id, milliseconds));
    set(1000);
    let ticks = 200_u64.div_ceil(SWEEP as u64);
    for tick in 1..=ticks {
        assert_eq!(
            video(&meter.read(&[], MonoTime(tick * SECOND), || None).unwrap()),
            [],
            "of before they were found"
        );
    }
    set(1300);
    let times = meter.read(&[], MonoTime((ticks + 1) * SECOND), || None).unwrap();
    assert_eq!(video(&times), users.map(|id| (id, 300)));
}

/// The kernel's list takes the place of all searches but those through new encoders.
#[test]
fn listed_files_are_found_whatever_their_process() {
    let host = Host::new(ADDRESS, "i915");
    let mut meter = host.meter().unwrap();
    let listed = |process, descriptor| DeviceFile { process: ProcessId(process), descriptor };
    // An encoder, another process, one that is gone, and one that is not in the list.
    host.set(40, 3, 1, 0);
    host.set(70, 5, 2, 100);
    host.set(71, 5, 3, 100);
    let mut lists = 0;
    let mut at = |seconds: u64| {
        let list = || {
            lists += 1;
            Some(vec![listed(40, 3), listed(70, 5), listed(70, 5), listed(99, 5)])
        };
        video(&meter.read(&encoders(&[40]), MonoTime(seconds * SECOND), list).unwrap())
    };
    assert_eq!(at(1), [], "of before they were found");
    for (process, number, client) in [(40, 3, 1), (70, 5, 2), (71, 5, 3)] {
        host.set(process, number, client, 600);
    }
    assert_eq!(at(2), [(40, 600), (70, 500)]);
    let interval = LIST_INTERVAL.as_secs();
    for second in 3..=interval {
        assert_eq!(at(second), []);
    }
    at(interval + 1);
    assert_eq!(lists, 2, "one list in each interval");
}

#[test]
fn followed_processes_that_are_no_encoders_are_bounded() {
    let host = Host::new(ADDRESS, "i915");
    let mut meter = host.meter().unwrap();
    let processes = 1000..1010 + MOST_OTHERS as u32;
    processes.clone().for_each(|id| host.set(id, 3, id, 0));
    let list = || Some(processes.map(|id| DeviceFile { process: ProcessId(id), descriptor: 3 }).collect());
    meter.read(&[], MonoTime(SECOND), list).unwrap();
    assert_eq!(meter.processes.len(), MOST_OTHERS);
}

/// Without a list. Encoders with a device are looked through seldom, and not all at once.
#[test]
fn a_second_device_of_an_encoder_is_found_later() {
    let host = Host::new(ADDRESS, "i915");
    let mut meter = host.meter().unwrap();
    let ids = [40, 41];
    for id in ids {
        host.set(id, 3, id, 0);
    }
    let mut found = Vec::new();
    for tick in 1..=u64::from(YOUNG + WITH_DEVICE) {
        if tick == u64::from(YOUNG) + 1 {
            for id in ids {
                host.set(id, 4, 100 + id, 0);
            }
        }
        meter.read(&encoders(&ids), MonoTime(tick * SECOND), || None).unwrap();
        found.push(ids.map(|id| meter.processes[&ProcessId(id)].devices.len()));
    }
    let number_of = |id: usize| found.iter().position(|devices| devices[id] == 2).unwrap();
    assert_eq!(found.last(), Some(&[2, 2]));
    assert_ne!(number_of(0), number_of(1), "at different ticks");
}
