//! Tests of the directory: when names become known, and when entries are dropped.

mod kubernetes;

use std::time::Duration;

use super::*;
use crate::few;

const CONTAINER: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

fn docker_path() -> String {
    format!("/system.slice/docker-{CONTAINER}.scope")
}

fn facts(name: &str) -> ContainerFacts {
    ContainerFacts {
        engine: Some(WorkloadKind::Docker),
        name: name.to_owned(),
        image: Some("encoder:1".to_owned()),
        labels: [("scenario".to_owned(), "ladder".to_owned())].into(),
        kubernetes: None,
    }
}

#[test]
fn a_container_is_named_by_its_engine_whenever_that_speaks() {
    let mut late = Directory::default();
    let id = late.cgroup_made(CgroupId(5), &docker_path()).workload;
    assert_eq!(&*late.identity(id).name, "0123456789ab", "until then by its short id");
    late.container_known(CONTAINER, facts("x264"));

    let mut early = Directory::default();
    early.container_known(CONTAINER, facts("x264"));
    let same = early.cgroup_made(CgroupId(5), &docker_path()).workload;

    for identity in [late.identity(id), early.identity(same)] {
        assert_eq!(&*identity.name, "x264");
        assert_eq!(&*identity.id, "0123456789ab");
        assert_eq!(identity.details.image.as_deref(), Some("encoder:1"));
        assert_eq!(identity.details.scenario(), Some("ladder"));
    }
}

#[test]
fn a_container_is_its_engines_wherever_its_cgroup_is() {
    let pod = "/kubepods/besteffort/pod90d81341-92de-11e7-8cf2-507b9d4141fa";
    let parents =
        ["/encoders", "/tenants/acme", "/system.slice/ci.service", "/lxc", "/default", "/k8s.io", pod];
    for parent in parents {
        let path = format!("{parent}/{CONTAINER}");
        let mut late = Directory::default();
        let known = late.cgroup_made(CgroupId(5), &path);
        let below = late.cgroup_made(CgroupId(6), &format!("{path}/init.scope")).workload;
        assert!(below == known.workload && known.is_shown == (parent != pod), "{path}");
        late.container_known(CONTAINER, facts("x264"));
        let mut early = Directory::default();
        early.container_known(CONTAINER, facts("x264"));
        let early_id = early.cgroup_made(CgroupId(5), &path).workload;
        for identity in [late.identity(known.workload), early.identity(early_id)] {
            assert_eq!((&*identity.name, identity.kind), ("x264", WorkloadKind::Docker), "{path}");
            assert_eq!((&*identity.id, identity.details.scenario()), ("0123456789ab", Some("ladder")));
        }
        assert_eq!(late.labels, early.labels, "the label of the other kind is free again");
    }
    // The kubelet's own containers are Kubernetes', whichever engine runs them.
    let mut directory = Directory::default();
    directory.container_known(CONTAINER, facts("k8s_web_web-0_default_uid_0"));
    let workload = directory.cgroup_made(CgroupId(5), &format!("{pod}/{CONTAINER}")).workload;
    assert_eq!(directory.identity(workload).kind, WorkloadKind::Kubernetes);
}

#[test]
fn a_renamed_container_keeps_what_else_is_known() {
    let mut directory = Directory::default();
    let id = directory.cgroup_made(CgroupId(5), &docker_path()).workload;
    directory.container_known(CONTAINER, facts("before"));
    directory.container_renamed(CONTAINER, "after");
    assert_eq!(&*directory.identity(id).name, "after");
    assert_eq!(directory.identity(id).details.image.as_deref(), Some("encoder:1"));
}

#[test]
fn nested_cgroups_are_one_workload_that_ends_with_the_last() {
    let mut directory = Directory::default();
    let whole = directory.cgroup_made(CgroupId(5), &docker_path()).workload;
    let part = directory.cgroup_made(CgroupId(6), &format!("{}/init", docker_path())).workload;
    assert_eq!(whole, part);
    assert_eq!(directory.cgroup_removed(CgroupId(6)), None);
    assert_eq!(directory.cgroup_removed(CgroupId(5)), Some(whole));
    assert_eq!(directory.cgroup_removed(CgroupId(5)), None, "told twice");
    assert_eq!(directory.workload_of(CgroupId(6)), Some(whole), "late CPU time still finds its owner");
}

#[test]
fn a_unit_that_restarts_is_the_same_workload() {
    let mut directory = Directory::default();
    let first = directory.cgroup_made(CgroupId(5), "/system.slice/nginx.service").workload;
    directory.cgroup_removed(CgroupId(5));
    assert_eq!(directory.cgroup_made(CgroupId(9), "/system.slice/nginx.service").workload, first);
}

#[test]
fn an_inode_number_used_again_is_another_cgroup() {
    let mut directory = Directory::default();
    let first = directory.cgroup_made(CgroupId(5), "/a").workload;
    let second = directory.cgroup_made(CgroupId(5), "/b").workload;
    assert_ne!(first, second);
    assert_eq!(directory.workload_of(CgroupId(5)), Some(second));
    assert_eq!(directory.living().count(), 1);
}

#[test]
fn the_root_is_the_system() {
    let mut directory = Directory::default();
    assert_eq!(directory.cgroup_made(CgroupId(1), "/").workload, Pseudo::System.id());
}

#[test]
fn a_cgroup_nobody_knows_goes_by_its_number() {
    let mut directory = Directory::default();
    let id = directory.add_unnamed(CgroupId(77));
    assert_eq!(&*directory.identity(id).name, "cgroup 77");
    assert_eq!(directory.workload_of(CgroupId(77)), Some(id));
    assert_ne!(directory.cgroup_made(CgroupId(77), "/late").workload, id, "its path was learned after all");
}

#[test]
fn a_walk_says_what_went() {
    let mut directory = Directory::default();
    directory.cgroup_made(CgroupId(5), "/gone");
    directory.cgroup_made(CgroupId(6), "/kept");
    directory.cgroup_made(CgroupId(7), "/removed");
    directory.cgroup_removed(CgroupId(7));
    directory.add_unnamed(CgroupId(8));
    let walk = [(CgroupId(1), "/".to_owned()), (CgroupId(6), "/kept".to_owned())].into();
    assert_eq!(directory.missing_from(&walk), [(CgroupId(5), "/gone".into())]);
}

/// A unit that exists, and makes and removes cgroups below itself for ever.
#[test]
fn of_removed_cgroups_only_so_many_are_kept_and_the_oldest_go_first() {
    let mut directory = Directory::default();
    let unit = directory.cgroup_made(CgroupId(5), "/system.slice/jobs.service").workload;
    for number in 0..3 * ROOM_REMOVED as u64 {
        let id = CgroupId(1000 + number);
        assert_eq!(directory.cgroup_made(id, &format!("/system.slice/jobs.service/{number}")).workload, unit);
        directory.cgroup_removed(id);
    }
    assert_eq!(directory.len(), ROOM_REMOVED + 1);
    assert_eq!(directory.workloads[&unit].cgroups.len(), ROOM_REMOVED + 1);
    assert_eq!(directory.evicted(), 2 * ROOM_REMOVED as u64);
    let newest = CgroupId(1000 + 3 * ROOM_REMOVED as u64 - 1);
    assert_eq!(directory.workload_of(newest), Some(unit), "late CPU time still finds its workload");
    assert_eq!(directory.workload_of(CgroupId(1000)), None);
}

#[test]
fn cgroups_that_use_nothing_leave_room_for_those_that_do() {
    let mut directory = Directory::default();
    let mut numbers = 0..;
    while directory.has_room(false) {
        let number: u64 = numbers.next().unwrap();
        directory.cgroup_made(CgroupId(number), &format!("/idle-{number}"));
    }
    assert_eq!(directory.len(), ROOM / 2);
    assert!(directory.has_room(true));
    while directory.has_room(true) {
        let number = numbers.next().unwrap();
        directory.cgroup_made(CgroupId(number), &format!("/busy-{number}"));
    }
    assert_eq!(directory.len(), ROOM);
}

#[test]
fn closing_the_books_frees_the_memory() {
    let mut directory = Directory::default();
    for round in 0..100 {
        let id = CgroupId(1000 + round);
        let workload = directory.cgroup_made(id, &format!("/job-{round}")).workload;
        directory.cgroup_removed(id);
        assert_eq!(directory.close(workload), [id]);
    }
    assert!(directory.is_empty());
    assert!(directory.workloads.is_empty() && directory.by_root.is_empty());
}

#[test]
fn whoever_takes_a_containers_id_has_neither_its_name_nor_its_series() {
    let mut directory = Directory::default();
    let genuine = directory.cgroup_made(CgroupId(5), &docker_path()).workload;
    let elsewhere = format!("/user.slice/user-1000.slice/docker-{CONTAINER}.scope");
    let impostor = directory.cgroup_made(CgroupId(6), &elsewhere).workload;
    // The same prefix, which is the shown part of an id.
    let like = format!("/system.slice/docker-{}{}.scope", &CONTAINER[..32], "f".repeat(32));
    let like = directory.cgroup_made(CgroupId(7), &like).workload;
    directory.container_known(CONTAINER, facts("x264"));
    assert_eq!(&*directory.identity(genuine).name, "x264");
    for (workload, label) in [(impostor, "0123456789ab-2"), (like, "0123456789ab-3")] {
        let identity = directory.identity(workload);
        assert_eq!((&*identity.name, &*identity.id), (label, label));
        assert!(identity.details.labels.is_empty());
    }
    // The end of the cgroup with the false id changes nothing of the container, and frees its own entry.
    directory.cgroup_removed(CgroupId(6));
    directory.close(impostor);
    directory.container_renamed(CONTAINER, "renamed");
    assert_eq!(&*directory.identity(genuine).name, "renamed");
    let again = directory.cgroup_made(CgroupId(8), &elsewhere).workload;
    assert_eq!(&*directory.identity(again).id, "0123456789ab-2");
}

#[test]
fn what_an_engine_says_is_cut_to_what_a_label_can_bear() {
    let mut directory = Directory::default();
    let huge = "x\n".repeat(few(50_000));
    let labels =
        [("scenario", &huge), ("reference", &huge)].map(|(key, value)| (key.to_owned(), value.clone()));
    let path = ("output".to_owned(), "/a/".repeat(1000));
    let facts = ContainerFacts {
        engine: None,
        name: huge.clone(),
        image: Some(huge.clone()),
        labels: labels.into_iter().chain([path.clone()]).collect(),
        kubernetes: None,
    };
    directory.container_known(CONTAINER, facts);
    let workload = directory.cgroup_made(CgroupId(5), &docker_path()).workload;
    let identity = directory.identity(workload);
    let details = &identity.details;
    let texts = [
        &*identity.name,
        details.image.as_deref().unwrap(),
        &details.labels["scenario"],
        &details.labels["reference"],
    ];
    assert!(texts.iter().all(|text| text.chars().count() <= 128 && !text.contains('\n')), "{texts:?}");
    assert_eq!(details.labels["output"], path.1, "a path stays whole");
}

#[test]
fn a_container_without_an_engine_is_described_until_its_engine_speaks() {
    let path = format!("/machine.slice/libpod-{CONTAINER}.scope");
    let named = |name: &str| ContainerFacts {
        engine: Some(WorkloadKind::Podman),
        name: name.to_owned(),
        ..ContainerFacts::default()
    };
    let mut directory = Directory::default();
    assert!(!directory.describe(CONTAINER, &named("early")), "there is no workload");
    let id = directory.cgroup_made(CgroupId(5), &path).workload;
    directory.cgroup_made(CgroupId(6), &format!("{path}/container"));
    directory.cgroup_made(CgroupId(7), "/system.slice/nginx.service");
    let undescribed =
        |directory: &Directory, kind| directory.undescribed(kind).map(|(id, _)| id).collect::<Vec<_>>();
    assert_eq!(undescribed(&directory, WorkloadKind::Podman), [id]);
    assert_eq!(undescribed(&directory, WorkloadKind::Docker), []);
    directory.cgroup_removed(CgroupId(6));
    let cgroups: Vec<_> = directory.living_cgroups(id).collect();
    assert_eq!(cgroups, [(CgroupId(5), &*path)], "a removed one has no processes");

    assert!(directory.describe(CONTAINER, &named("live-a")));
    assert_eq!(&*directory.identity(id).name, "live-a");
    assert_eq!(undescribed(&directory, WorkloadKind::Podman), []);
    directory.container_known(CONTAINER, facts("x264"));
    assert!(directory.describe(CONTAINER, &named("live-a")));
    let identity = directory.identity(id);
    assert_eq!((&*identity.name, identity.kind), ("x264", WorkloadKind::Podman), "its engine knows better");
    assert_eq!(identity.details.image.as_deref(), Some("encoder:1"));

    directory.container_removed(CONTAINER);
    directory.cgroup_removed(CgroupId(5));
    assert_eq!(undescribed(&directory, WorkloadKind::Podman), [], "it has ended");
    directory.close(id);
    let again = directory.cgroup_made(CgroupId(5), &path).workload;
    assert_eq!(
        undescribed(&directory, WorkloadKind::Podman),
        [again],
        "a description ends with its workload"
    );
}
