//! Tests the transcodes of a snapshot: their names, and the counters of their classes.

use std::collections::BTreeSet;

use agent_core::model::finding::FindingCode;

use super::*;
use crate::config::HumanDuration;

/// Process number of the encoder.
const ENCODER: u32 = 1000;

/// A host with a container, of which an encode is shown for ten seconds after its end.
fn scene(max_workloads: u32) -> Scene {
    let mut config = Config::default();
    config.attribution.keep_ended = HumanDuration(SECOND * 10);
    config.attribution.max_workloads = max_workloads;
    let scene = Scene::server(&config);
    scene.make_cgroup(10, &container_path(10));
    scene
}

/// A second in which the encoder runs in a cgroup.
fn encode_in(scene: &mut Scene, cgroup: u64) -> SharedSnapshot {
    scene.run(cgroup, Some(ENCODER), 0, SECOND);
    scene.draw(zone(Domain::Package, 0), 40.0, SECOND);
    scene.tick(SECOND)
}

/// Ticks until the encode is no longer shown; the names of its workload in all of them.
fn names_until_closed(scene: &mut Scene) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for _ in 0..20 {
        let snapshot = scene.tick(SECOND);
        names.extend(snapshot.transcodes.iter().map(|one| one.workload.name.to_string()));
    }
    assert!(scene.tick(SECOND).transcodes.is_empty(), "it is closed in the end");
    names
}

#[test]
fn a_transcode_has_the_name_of_its_workload_for_as_long_as_it_is_shown() {
    // A container that ends with its encode: its account is closed some ticks before the encode's.
    let mut scene = scene(1000);
    scene.exec(ENCODER, 10);
    let name = encode_in(&mut scene, 10).transcodes[0].workload.name.to_string();
    assert_ne!(name, Pseudo::Unattributed.name());
    scene.exit(ENCODER);
    scene.remove_cgroup(10);
    assert_eq!(names_until_closed(&mut scene), BTreeSet::from([name]));
}

#[test]
fn a_transcode_of_a_workload_without_charges_has_its_name() {
    // The encoder is moved before it uses CPU time, and its first cgroup is removed.
    let mut scene = scene(1000);
    scene.make_cgroup(11, &container_path(11));
    scene.tick(SECOND);
    scene.exec(ENCODER, 10);
    let name = encode_in(&mut scene, 11).transcodes[0].workload.name.to_string();
    scene.remove_cgroup(10);
    for _ in 0..20 {
        let shown = encode_in(&mut scene, 11);
        assert_eq!(&*shown.transcodes[0].workload.name, name);
    }
    scene.exit(ENCODER);
    assert_eq!(names_until_closed(&mut scene), BTreeSet::from([name]));
}

#[test]
fn a_transcode_of_a_workload_beyond_the_limit_has_its_name() {
    // The only series of workloads is of the first container; the first transcode has series of its own.
    let mut scene = scene(1);
    scene.run(10, None, 0, SECOND);
    scene.tick(SECOND);
    scene.make_cgroup(11, &container_path(11));
    scene.exec(ENCODER, 11);
    let name = encode_in(&mut scene, 11).transcodes[0].workload.name.to_string();
    assert_ne!(name, Pseudo::Unattributed.name());
    scene.exit(ENCODER);
    scene.remove_cgroup(11);
    assert_eq!(names_until_closed(&mut scene), BTreeSet::from([name]));
}

/// Labels, joules of packages, and jobs of each class.
fn classes(snapshot: &Snapshot) -> Vec<(String, u64, u64)> {
    let counts = |zone: usize| snapshot.zones[zone].zone.domain == Domain::Package;
    let shown = snapshot.classes.iter().map(|class| {
        let joules = class.totals.account.energy(counts).0 / 1_000_000;
        (class.labels.join(" ").trim().to_owned(), joules, class.totals.jobs)
    });
    shown.collect()
}

fn class(labels: &str, joules: u64, jobs: u64) -> (String, u64, u64) {
    (labels.to_owned(), joules, jobs)
}

const OTHERS: &str = "(other) (other) (other) (other) (other)";

#[test]
fn a_class_keeps_the_energy_of_transcodes_that_have_ended() {
    let mut scene = scene(1000);
    assert!(scene.tick(SECOND).classes.is_empty(), "no transcode, no class");
    for process in [ENCODER, ENCODER + 1] {
        scene.write_command_line(
            u64::from(process),
            &["ffmpeg", "-i", "in.mp4", "-c:v", "libx264", "out.mp4"],
        );
    }
    scene.exec(ENCODER, 10);
    let first = encode_in(&mut scene, 10);
    assert_eq!(classes(&first), [class("libx264 medium", 40, 0), class(OTHERS, 0, 0)]);
    scene.exit(ENCODER);
    names_until_closed(&mut scene);
    scene.exec(ENCODER + 1, 10);
    scene.run(10, Some(ENCODER + 1), 0, SECOND);
    scene.draw(zone(Domain::Package, 0), 30.0, SECOND);
    let second = scene.tick(SECOND);
    assert_eq!(classes(&second), [class("libx264 medium", 70, 1), class(OTHERS, 0, 0)]);
}

#[test]
fn classes_beyond_the_limit_share_one_and_a_finding_says_so() {
    let mut config = Config::default();
    config.attribution.max_classes = 0;
    let mut scene = Scene::server(&config);
    scene.make_cgroup(10, &container_path(10));
    let has_finding = |snapshot: &Snapshot| {
        snapshot
            .findings
            .iter()
            .any(|one| one.code == FindingCode::ClassLimitReached && one.subject == "classes")
    };
    assert!(!has_finding(&scene.tick(SECOND)));
    scene.exec(ENCODER, 10);
    let shown = encode_in(&mut scene, 10);
    assert_eq!(classes(&shown), [class(OTHERS, 40, 0)]);
    assert!(has_finding(&shown), "{:?}", shown.findings);
}

#[test]
fn a_transcode_without_series_of_its_own_is_in_its_class() {
    let mut scene = scene(0);
    scene.exec(ENCODER, 10);
    let during = encode_in(&mut scene, 10);
    assert!(during.transcodes.is_empty(), "no transcode has series of its own");
    assert_eq!(classes(&during), [class("", 40, 0), class(OTHERS, 0, 0)]);
    scene.exit(ENCODER);
    let jobs: Vec<u64> = (0..5).map(|_| classes(&scene.tick(SECOND))[0].2).collect();
    assert_eq!(jobs, [1; 5]);
}
