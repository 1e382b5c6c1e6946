//! Tests single examples: which workload is charged, and which findings appear.

use agent_core::model::energy::EnergySourceKind;
use agent_core::model::finding::FindingCode;
use agent_core::model::snapshot::IdleOrigin;

use super::*;
use crate::source::energy::fixture::host;

fn watts_of(package: u32) -> f64 {
    [40.0, 25.0][package as usize]
}

/// A second in which both packages draw power, and two containers share the first socket three to one.
fn second(scene: &mut Scene) -> SharedSnapshot {
    scene.run(10, None, 0, SECOND * 3 / 2);
    scene.run(11, None, 0, SECOND / 2);
    for package in 0..2 {
        scene.draw(zone(Domain::Package, package), watts_of(package), SECOND);
        scene.draw(zone(Domain::Dram, package), 3.0, SECOND);
    }
    scene.tick(SECOND)
}

fn with_two_containers() -> Scene {
    let scene = Scene::server(&Config::default());
    scene.make_cgroup(10, &container_path(10));
    scene.make_cgroup(11, &container_path(11));
    scene
}

#[test]
fn energy_of_a_socket_goes_to_those_who_ran_on_it() {
    let mut scene = with_two_containers();
    let last = (0..5).map(|_| second(&mut scene)).last().unwrap();
    let package = last.zones.iter().position(|of| of.zone == zone(Domain::Package, 0)).unwrap();
    let energy = |number| energy_of(at_path(&last, &container_path(number)).unwrap(), package);
    // Idle power is unknown yet, so all energy is dynamic.
    assert_eq!((energy(10), energy(11)), (MicroJoules(150_000_000), MicroJoules(50_000_000)));
    let host = host_totals(&last);
    assert_eq!(host[&zone(Domain::Package, 0)], MicroJoules(200_000_000));
    assert_eq!(host[&zone(Domain::Package, 1)], MicroJoules(125_000_000));
    assert_eq!(last.host_power(), Some(Watts(71.0)));
}

#[test]
fn a_counter_that_cannot_be_read_is_said_and_paid_later_by_those_who_ran() {
    let mut scene = with_two_containers();
    second(&mut scene);
    let package = zone(Domain::Package, 0);
    scene.hardware.change(package, |counter| counter.is_readable = false);
    let during = second(&mut scene);
    assert_eq!(during.host_power(), None);
    let said: Vec<_> = during.findings.iter().map(|finding| finding.code).collect();
    assert!(said.contains(&FindingCode::PackageUnreadable), "{said:?}");
    scene.hardware.change(package, |counter| counter.is_readable = true);
    let after = second(&mut scene);
    assert_eq!(host_totals(&after)[&package], MicroJoules(120_000_000));
    let index = after.zones.iter().position(|of| of.zone == package).unwrap();
    let energy = |number| energy_of(at_path(&after, &container_path(number)).unwrap(), index);
    assert_eq!((energy(10), energy(11)), (MicroJoules(90_000_000), MicroJoules(30_000_000)));
    assert!(after.findings.iter().all(|finding| finding.code != FindingCode::PackageUnreadable));
}

#[test]
fn counters_that_never_move_are_replaced_by_the_estimate_and_used_again_when_they_do() {
    let mut scene = with_two_containers();
    for _ in 0..90 {
        scene.run(10, None, 0, SECOND);
        scene.tick(SECOND);
    }
    let still = scene.tick(SECOND);
    assert_eq!(still.method.energy_source, Some(EnergySourceKind::Model));
    let said: Vec<_> = still.findings.iter().map(|finding| finding.code).collect();
    assert!(said.contains(&FindingCode::EnergyIsEstimated), "{said:?}");
    assert!(said.contains(&FindingCode::CountersStandStill), "{said:?}");
    let moving = (0..3).map(|_| second(&mut scene)).last().unwrap();
    assert_eq!(moving.method.energy_source, Some(EnergySourceKind::Powercap));
    let source = |kind| {
        let of = moving.zones.iter().find(|of| of.zone == zone(Domain::Package, 0)).unwrap();
        of.by_source.iter().find(|(source, _)| *source == kind).map(|(_, energy)| *energy)
    };
    assert_eq!(
        source(EnergySourceKind::Powercap),
        Some(MicroJoules(80_000_000)),
        "two ticks after the first"
    );
    assert!(source(EnergySourceKind::Model) > Some(MicroJoules::ZERO));
}

#[test]
fn what_ran_before_counters_are_given_up_has_an_estimate_and_never_0() {
    for domain in [Domain::Package, Domain::Psys] {
        let hardware = ScriptedHardware::default();
        let scope = if domain == Domain::Psys { Scope::Platform } else { Scope::Package(0) };
        hardware.add(Zone { scope, domain }, 7_000_000, RANGE);
        let mut scene = Scene::new(&Config::default(), hardware);
        scene.make_cgroup(10, &container_path(10));
        for tick in 0..7 {
            if tick < 4 {
                scene.run(10, None, 0, SECOND);
            }
            let unknown = scene.tick(SECOND);
            let known: Vec<_> = unknown.zones.iter().flat_map(|of| &of.by_source).collect();
            assert!(known.is_empty() && !unknown.has_energy(), "{domain:?} {tick}: {known:?}");
            scene.run(11, None, 0, SECOND / 4);
        }
        let estimated = scene.tick(SECOND);
        assert_eq!(estimated.method.energy_source, Some(EnergySourceKind::Model), "{domain:?}");
        let index = estimated.zones.iter().position(|of| of.zone == zone(Domain::Package, 0)).unwrap();
        let charged = energy_of(at_path(&estimated, &container_path(10)).unwrap(), index);
        assert!(charged > MicroJoules(1_000_000), "{domain:?}: {charged:?} for 4 s of one CPU");
        assert!(estimated.zones.iter().all(|of| of.residual == 0), "{domain:?}");
    }
}

#[test]
fn counters_that_stand_still_at_the_start_are_passed_over_until_they_move() {
    let hardware = ScriptedHardware::default();
    let psys = Zone { scope: Scope::Platform, domain: Domain::Psys };
    hardware.add(psys, 7_000_000, RANGE);
    hardware.change(psys, |counter| counter.is_frozen = true);
    let mut scene = Scene::new(&Config::default(), hardware);
    scene.make_cgroup(10, &container_path(10));
    let tick = |scene: &mut Scene| {
        scene.run(10, None, 0, SECOND);
        scene.draw(psys, 30.0, SECOND);
        scene.tick(SECOND)
    };
    let first = tick(&mut scene);
    assert_eq!(first.method.energy_source, Some(EnergySourceKind::Model));
    assert!(first.has_energy() && !first.sources["powercap"].up && !first.sources["powercap"].is_needed);
    let later = (0..6).map(|_| tick(&mut scene)).last().unwrap();
    assert!(later.findings.iter().any(|one| one.code == FindingCode::CountersStandStill));
    scene.hardware.change(psys, |counter| counter.is_frozen = false);
    let moving = (0..3).map(|_| tick(&mut scene)).last().unwrap();
    assert_eq!(moving.method.energy_source, Some(EnergySourceKind::Powercap));
}

#[test]
fn a_host_without_counters_says_that_energy_is_estimated() {
    let mut scene = Scene::new(&Config::default(), ScriptedHardware::default());
    scene.run(10, None, 0, SECOND);
    let first = scene.tick(SECOND);
    assert_eq!(first.method.energy_source, Some(EnergySourceKind::Model));
    assert!(first.findings.iter().any(|finding| finding.code == FindingCode::EnergyIsEstimated));
}

#[test]
fn a_cpu_meter_that_fails_for_a_tick_loses_no_energy() {
    let mut scene = with_two_containers();
    second(&mut scene);
    scene.cpu.script(|script| script.is_broken = true);
    let broken = second(&mut scene);
    assert!(!broken.sources["bpf"].up && broken.sources["bpf"].is_needed);
    scene.cpu.script(|script| script.is_broken = false);
    let after = second(&mut scene);
    assert!(after.sources["bpf"].up);
    assert_eq!(host_totals(&after)[&zone(Domain::Package, 0)], MicroJoules(120_000_000));
    assert!(after.zones.iter().all(|of| of.residual == 0));
}

#[test]
fn a_counter_that_began_again_is_said_for_a_while() {
    let mut scene = with_two_containers();
    second(&mut scene);
    scene.hardware.change(zone(Domain::Package, 0), |counter| counter.raw = 0);
    let said =
        |snapshot: &Snapshot| snapshot.findings.iter().any(|one| one.code == FindingCode::CounterReset);
    let after = (0..3).map(|_| second(&mut scene)).last().unwrap();
    assert!(said(&after), "{:?}", after.findings);
    assert_eq!(after.zones.iter().map(|of| of.resets).sum::<u64>(), 1);
    let later = (0..700).map(|_| second(&mut scene)).last().unwrap();
    assert!(!said(&later), "{:?}", later.findings);
}

#[test]
fn a_socket_with_cpus_and_no_counter_is_said() {
    let hardware = ScriptedHardware::default();
    hardware.add(zone(Domain::Package, 0), 7_000_000, RANGE);
    let mut scene = Scene::new(&Config::default(), hardware);
    scene.run(10, None, 1, SECOND);
    scene.draw(zone(Domain::Package, 0), 20.0, SECOND);
    let first = scene.tick(SECOND);
    let said: Vec<_> = first.findings.iter().map(|one| (one.code, one.subject.as_str())).collect();
    assert!(said.contains(&(FindingCode::SocketWithoutCounter, "socket 1")), "{said:?}");
}

#[test]
fn sockets_that_show_one_counter_count_once() {
    let hardware = ScriptedHardware::default();
    for package in 0..2 {
        hardware.add(zone(Domain::Package, package), 7_000_000, RANGE);
    }
    let mut scene = Scene::new(&Config::default(), hardware);
    let mut last = None;
    for _ in 0..5 {
        scene.run(10, None, 1, SECOND);
        for package in 0..2 {
            scene.draw(zone(Domain::Package, package), 20.0, SECOND);
        }
        last = Some(scene.tick(SECOND));
    }
    let last = last.unwrap();
    assert!(last.findings.iter().any(|one| one.code == FindingCode::CountersMirrorOneAnother));
    assert_eq!(last.host_power(), Some(Watts(20.0)));
}

#[test]
fn a_source_that_is_demanded_and_does_not_work_gives_no_energy_and_a_finding() {
    let mut config = Config::default();
    config.energy.source = crate::config::EnergyChoice::Only(EnergySourceKind::Perf);
    let mut scene = Scene::server(&config);
    let first = second(&mut scene);
    assert_eq!((first.method.energy_source, first.host_power()), (None, None));
    assert!(first.findings.iter().any(|one| one.code == FindingCode::NoEnergy));
    assert!(first.sources["perf"].is_needed && !first.sources["perf"].up);
}

#[test]
fn it_ends_when_it_is_told_to() {
    let scene = with_two_containers();
    assert!(scene.mailbox.tell(Message::Stop));
    scene.pipeline.run();
}

#[test]
fn the_host_is_opened_as_it_is_configured() {
    let (folder, roots) = host(&[
        ("proc/stat", "cpu  100 0 0 900 0 0 0 0 0 0\ncpu0 100 0 0 900 0 0 0 0 0 0"),
        ("sys/devices/system/cpu/cpu0/topology/physical_package_id", "0"),
        ("sys/fs/cgroup/cgroup.controllers", "cpu memory"),
        ("sys/fs/cgroup/cpu.stat", "usage_usec 1000"),
    ]);
    let mut config = Config::default();
    (config.path.procfs, config.path.sysfs, config.path.devfs) = (roots.proc, roots.sys, roots.dev);
    config.state_dir = Some(folder.path().join("state"));
    config.cpu.source = crate::config::CpuChoice::Cgroupfs;
    let open = |config: &Config| {
        let (_, inbox) = mailbox().unwrap();
        let (publisher, _) = watch::channel(None);
        let (_, joined) = watch::channel(Arc::new(Joined::default()));
        let links = Links {
            inbox,
            publisher,
            joined,
            registry: Arc::new(ProgressRegistry::new(|| {})),
            requests: Requests::default(),
        };
        Pipeline::open(config, Box::new(TestClock::default()), prices_of_nothing(), links)
    };
    let pipeline = open(&config).unwrap();
    assert_eq!(pipeline.sources(), (CpuSourceKind::Cgroupfs, Some(EnergySourceKind::Model)));
    config.path.cgroupfs = Some(folder.path().join("nothing"));
    let error = open(&config).err().unwrap();
    assert!(error.to_string().contains("cgroupfs"), "{error}");
    config.path.sysfs = folder.path().join("nothing");
    assert!(open(&config).err().unwrap().hint().contains("--path.sysfs"));
}

/// A second in which the integrated GPU draws this power and one process a twentieth of a CPU.
fn second_with_gpu(scene: &mut Scene, watts: f64) -> SharedSnapshot {
    scene.run(10, None, 0, SECOND / 20);
    scene.draw(zone(Domain::Package, 0), 4.0 + watts, SECOND);
    scene.draw(zone(Domain::Uncore, 0), watts, SECOND);
    scene.tick(SECOND)
}

fn with_an_integrated_gpu() -> Scene {
    let hardware = ScriptedHardware::default();
    hardware.add(zone(Domain::Package, 0), 7_000_000, RANGE);
    hardware.add(zone(Domain::Uncore, 0), 9_000_000, RANGE);
    Scene::new(&Config::default(), hardware)
}

fn idle_watts(snapshot: &Snapshot, domain: Domain) -> Option<f64> {
    let of = snapshot.zones.iter().find(|of| of.zone == zone(domain, 0))?;
    of.idle_power.filter(|idle| idle.origin == IdleOrigin::Learned).map(|idle| idle.power.0)
}

#[test]
fn a_busy_gpu_teaches_no_idle_power_and_is_said() {
    let mut scene = with_an_integrated_gpu();
    let busy = (0..60).map(|_| second_with_gpu(&mut scene, 15.0)).last().unwrap();
    assert_eq!((idle_watts(&busy, Domain::Package), idle_watts(&busy, Domain::Uncore)), (None, None));
    let said = |snapshot: &Snapshot| {
        let mut findings = snapshot.findings.iter();
        findings.find(|one| one.code == FindingCode::IntegratedGpuByCpuTime).map(|one| one.sentence.clone())
    };
    assert!(said(&busy).unwrap().contains("package-0 draws 15.00 W"), "{:?}", said(&busy));
    let resting = (0..70).map(|_| second_with_gpu(&mut scene, 0.2)).last().unwrap();
    let learned = idle_watts(&resting, Domain::Package).unwrap();
    assert!((learned - 4.2).abs() < 0.01, "{learned}");
    assert_eq!(said(&resting), None);
    // The idle power of before stays, whatever the GPU does.
    let again = (0..60).map(|_| second_with_gpu(&mut scene, 15.0)).last().unwrap();
    assert_eq!(idle_watts(&again, Domain::Package), Some(learned));
}

#[test]
fn a_snapshot_has_the_time_of_its_reading() {
    let mut scene = Scene::server(&Config::default());
    scene.tick(SECOND);
    let late = Duration::from_millis(80);
    scene.cpu.script(|script| script.late = Some((scene.clock.clone(), late)));
    let snapshot = scene.tick(SECOND);
    let (read, now) = (scene.cpu.script(|script| script.last), scene.clock.moment());
    assert_eq!((snapshot.at, now.mono), (read, read.plus(late)));
    assert!((now.wall.0 - snapshot.wall.0 - late.as_secs_f64()).abs() < 1e-6, "{:?}", snapshot.wall);
}
