//! Tests the transcodes of a snapshot: their names.

use std::collections::BTreeSet;

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
    assert_eq!(names_until_closed(&mut scene), BTreeSet::from([name.clone()]));
    let kept = scene.tick(SECOND).kept["cgroup"].entries;
    assert_eq!(kept, 0, "nothing of it is kept");
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
