//! Tests of pods: names in any order, contradictions, the sandbox, and what ends.

use super::*;
use crate::identity::directory::overhead::GRACE;
use crate::identity::kubelet_logs::{container_link, pod_folder};
use crate::identity::kubernetes::{ContainerName, NameReport};
use crate::time::MonoTime;

const UID: &str = "90d81341-92de-11e7-8cf2-507b9d4141fa";
const OTHER: &str = "1ce0ff4c2bf20d0b3a8ea8b5d8d29b2e";

fn id(number: u8) -> String {
    format!("{number:02x}{:062}", 0)
}

fn pod_path(uid: &str) -> String {
    format!("/kubepods/burstable/pod{uid}")
}

fn path(uid: &str, number: u8) -> String {
    format!("{}/{}", pod_path(uid), id(number))
}

fn pod(name: &str, uid: &str) -> NameReport {
    NameReport::Pod(pod_folder(&format!("default_{name}_{uid}")).unwrap())
}

fn link(pod: &str, uid: &str, container: &str, number: u8) -> NameReport {
    let target = format!("/var/log/pods/default_{pod}_{uid}/{container}/0.log");
    let name = format!("{pod}_default_{container}-{}.log", id(number));
    NameReport::Container(container_link(&name, Some(&target)).unwrap())
}

/// A directory with a pod of this uid: its own cgroup 10, and containers 11, 12, ….
fn with_pod(uid: &str, containers: u8) -> Directory {
    let mut directory = Directory::default();
    directory.cgroup_made(CgroupId(10), &pod_path(uid));
    for number in 1..=containers {
        directory.cgroup_made(CgroupId(10 + u64::from(number)), &path(uid, number));
    }
    directory
}

fn of(directory: &Directory, cgroup: u64) -> WorkloadId {
    directory.workload_of(CgroupId(cgroup)).unwrap()
}

fn name(directory: &Directory, cgroup: u64) -> String {
    let identity = directory.identity(of(directory, cgroup));
    if let Some(names) = &identity.details.kubernetes {
        assert_eq!(*identity.name, names.to_string());
    }
    identity.name.to_string()
}

fn report(directory: &mut Directory, reports: impl IntoIterator<Item = NameReport>) {
    for report in reports {
        directory.names_reported(report);
    }
}

fn charged_to(directory: &mut Directory, cgroup: u64, after: Duration) -> ChargedTo {
    let workload = of(directory, cgroup);
    directory.charged_to(workload, MonoTime(1).plus(after))
}

#[test]
fn names_are_the_same_in_whatever_order_they_come() {
    for uid in [UID, OTHER] {
        for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            let mut directory = Directory::default();
            for step in order {
                match step {
                    0 => report(&mut directory, [pod("web", uid)]),
                    1 => report(&mut directory, [link("web", uid, "app", 1)]),
                    _ => {
                        directory.cgroup_made(CgroupId(10), &pod_path(uid));
                        directory.cgroup_made(CgroupId(11), &path(uid, 1));
                    }
                }
            }
            let names = [10, 11].map(|cgroup| name(&directory, cgroup));
            assert_eq!(names, ["default/web/POD", "default/web/app"], "{order:?}");
            let identity = directory.identity(of(&directory, 11));
            assert_eq!(identity.kind, WorkloadKind::Kubernetes);
            assert_eq!((&*identity.id, identity.details.runtime), (&id(1)[..12], "kubelet"));
            assert_eq!(identity.details.pod_uid.as_deref(), Some(uid));
        }
    }
}

#[test]
fn every_cgroup_driver_has_the_same_names() {
    let slice = UID.replace('-', "_");
    for (own, container) in [
        (format!("/kubepods/pod{UID}"), format!("/kubepods/pod{UID}/{}", id(1))),
        (format!("/kubepods/besteffort/pod{UID}"), format!("/kubepods/besteffort/pod{UID}/crio-{}", id(1))),
        (
            format!("/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{slice}.slice"),
            format!(
                "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{slice}.slice/cri-containerd-{}.scope",
                id(1)
            ),
        ),
        (
            format!("/kubepods.slice/kubepods-pod{slice}.slice"),
            format!("/system.slice/containerd.service/kubepods-pod{slice}.slice:cri-containerd:{}", id(1)),
        ),
    ] {
        let mut directory = Directory::default();
        directory.cgroup_made(CgroupId(10), &own);
        directory.cgroup_made(CgroupId(11), &container);
        report(&mut directory, [pod("web", UID), NameReport::NamesAll(true)]);
        let overhead = ChargedTo::Overhead(of(&directory, 10));
        assert_eq!(charged_to(&mut directory, 11, Duration::ZERO), overhead, "{container}");
        report(&mut directory, [link("web", UID, "app", 1)]);
        assert_eq!(name(&directory, 10), "default/web/POD", "{own}");
        assert_eq!(name(&directory, 11), "default/web/app", "{container}");
        assert_eq!(charged_to(&mut directory, 11, Duration::ZERO), ChargedTo::Itself);
    }
}

/// Files that somebody else has made cannot rename a container.
#[test]
fn a_name_that_contradicts_the_pod_is_not_taken() {
    let uidless = |pod: &str| {
        ContainerName::new(&id(1), None, "default", pod, "app").map(NameReport::Container).unwrap()
    };
    for (reports, expected) in [
        // The link's target is another pod's folder.
        (vec![pod("web", UID), pod("db", OTHER), link("db", OTHER, "app", 1)], None),
        (vec![link("db", OTHER, "app", 1), pod("web", UID)], None),
        // The link has the pod's uid, and other names than the pod.
        (vec![pod("web", UID), link("db", UID, "app", 1)], None),
        (vec![pod("web", UID), uidless("db")], None),
        // Without the uid nothing is known of a pod that is unknown.
        (vec![uidless("web")], None),
        (vec![uidless("web"), pod("web", UID)], Some("default/web/app")),
        // The first name stays.
        (
            vec![pod("web", UID), link("web", UID, "app", 1), link("web", UID, "other", 1)],
            Some("default/web/app"),
        ),
        (vec![pod("web", UID), pod("db", UID), link("web", UID, "app", 1)], Some("default/web/app")),
    ] {
        let mut directory = with_pod(UID, 1);
        let text = format!("{reports:?}");
        report(&mut directory, reports);
        let expected = expected.map_or_else(|| id(1)[..12].to_owned(), str::to_owned);
        assert_eq!(name(&directory, 11), expected, "{text}");
    }
}

#[test]
fn a_cgroup_elsewhere_with_the_pods_uid_is_not_the_pod() {
    let mut directory = with_pod(UID, 2);
    let elsewhere = format!("/user.slice/user-1000.slice/kubepods/pod{UID}");
    directory.cgroup_made(CgroupId(30), &elsewhere);
    directory.cgroup_made(CgroupId(31), &format!("{elsewhere}/{}", id(9)));
    // The id of a container of the pod.
    directory.cgroup_made(CgroupId(32), &format!("{elsewhere}/{}", id(2)));
    report(&mut directory, [pod("web", UID), link("web", UID, "app", 2), NameReport::NamesAll(true)]);
    assert_eq!(name(&directory, 10), "default/web/POD");
    assert_eq!(name(&directory, 12), "default/web/app");
    assert_eq!(name(&directory, 30), format!("pod/{UID}"));
    for cgroup in [30, 31, 32] {
        assert!(directory.identity(of(&directory, cgroup)).details.kubernetes.is_none(), "{cgroup}");
        for after in [Duration::ZERO, GRACE] {
            assert_eq!(charged_to(&mut directory, cgroup, after), ChargedTo::Itself, "{cgroup}");
        }
    }
}

#[test]
fn names_stay_when_the_files_go() {
    let mut directory = with_pod(UID, 2);
    report(&mut directory, [pod("web", UID), link("web", UID, "app", 2)]);
    let gone = || [NameReport::ContainerGone { id: id(2) }, NameReport::PodGone { uid: UID.into() }];
    report(&mut directory, gone());
    assert_eq!([10, 12].map(|cgroup| name(&directory, cgroup)), ["default/web/POD", "default/web/app"]);
    // The files were removed before the cgroups were admitted.
    let mut directory = Directory::default();
    report(&mut directory, [pod("web", UID), link("web", UID, "app", 2)]);
    report(&mut directory, gone());
    directory.cgroup_made(CgroupId(10), &pod_path(UID));
    directory.cgroup_made(CgroupId(12), &path(UID, 2));
    assert_eq!([10, 12].map(|cgroup| name(&directory, cgroup)), ["default/web/POD", "default/web/app"]);
}

#[test]
fn a_restarted_container_has_the_name_and_an_id_of_its_own() {
    let mut directory = with_pod(UID, 2);
    report(&mut directory, [pod("web", UID), link("web", UID, "app", 2), NameReport::NamesAll(true)]);
    directory.cgroup_removed(CgroupId(12));
    let again = directory.cgroup_made(CgroupId(13), &path(UID, 3)).workload;
    assert_eq!(charged_to(&mut directory, 13, Duration::ZERO), ChargedTo::Overhead(of(&directory, 10)));
    report(&mut directory, [link("web", UID, "app", 3), link("web", UID, "init", 4)]);
    // An init container and an ephemeral one are containers like others.
    directory.cgroup_made(CgroupId(14), &path(UID, 4));
    assert_eq!(
        [12, 13, 14].map(|cgroup| name(&directory, cgroup)),
        ["default/web/app", "default/web/app", "default/web/init"]
    );
    assert_ne!(directory.identity(again).id, directory.identity(of(&directory, 12)).id);
}

#[test]
fn the_sandbox_is_part_of_the_pods_overhead_and_a_late_link_ends_that() {
    let mut directory = with_pod(UID, 3);
    let overhead = ChargedTo::Overhead(of(&directory, 10));
    assert_eq!(charged_to(&mut directory, 11, Duration::ZERO), ChargedTo::Itself, "the pod is unknown");
    report(&mut directory, [pod("web", UID)]);
    assert_eq!(charged_to(&mut directory, 11, Duration::ZERO), ChargedTo::Itself, "no source names all");
    report(&mut directory, [link("web", UID, "app", 2), NameReport::NamesAll(true)]);
    for after in [Duration::ZERO, GRACE, GRACE * 10] {
        assert_eq!(charged_to(&mut directory, 10, after), ChargedTo::Itself);
        assert_eq!(charged_to(&mut directory, 11, after), overhead, "the oldest is the sandbox");
        assert_eq!(charged_to(&mut directory, 12, after), ChargedTo::Itself, "it has a name");
        let expected = if after < GRACE { overhead.clone() } else { ChargedTo::Itself };
        assert_eq!(charged_to(&mut directory, 13, after), expected, "its name may still come");
    }
    assert_eq!(name(&directory, 13), &id(3)[..12]);
    report(&mut directory, [link("web", UID, "late", 3), link("web", UID, "later", 1)]);
    for cgroup in [11, 13] {
        assert_eq!(charged_to(&mut directory, cgroup, GRACE * 20), ChargedTo::Itself);
    }
    assert_eq!([11, 13].map(|cgroup| name(&directory, cgroup)), ["default/web/later", "default/web/late"]);
}

#[test]
fn a_container_with_an_encoder_is_no_sandbox() {
    let mut directory = with_pod(UID, 1);
    report(&mut directory, [pod("web", UID), NameReport::NamesAll(true)]);
    let workload = of(&directory, 11);
    directory.encodes(workload);
    assert_eq!(charged_to(&mut directory, 11, Duration::ZERO), ChargedTo::Itself);
}

#[test]
fn an_encodes_container_is_named_before_its_link_where_one_name_is_left() {
    let begun = |names: &[&str]| NameReport::Begun {
        uid: UID.into(),
        containers: names
            .iter()
            .map(|name| ContainerName::new("", Some(UID), "default", "web", name).unwrap())
            .collect(),
    };
    let made = |containers| {
        let mut directory = with_pod(UID, containers);
        report(&mut directory, [pod("web", UID), NameReport::NamesAll(true)]);
        directory
    };
    let mut directory = made(2);
    report(&mut directory, [begun(&["app"])]);
    assert_eq!(name(&directory, 12), &id(2)[..12], "nothing encodes");
    let workload = of(&directory, 12);
    directory.encodes(workload);
    directory.encodes(workload);
    assert_eq!(directory.take_beginning(), [UID.into()].into());
    assert!(directory.take_beginning().is_empty());
    for names in [&[][..], &["app", "sidecar"]] {
        report(&mut directory, [begun(names)]);
        assert_eq!(name(&directory, 12), &id(2)[..12], "{names:?}");
    }
    report(&mut directory, [begun(&["app"])]);
    assert_eq!(name(&directory, 12), "default/web/app");
    assert_eq!(name(&directory, 11), &id(1)[..12]);
    report(&mut directory, [begun(&["sidecar"]), link("web", UID, "app", 2)]);
    assert_eq!(name(&directory, 12), "default/web/app", "a name stays");
    directory.encodes(workload);
    assert!(directory.take_beginning().is_empty(), "it has a name");
    // Two encode: the name could be either's.
    let mut directory = made(3);
    for cgroup in [12, 13] {
        let workload = of(&directory, cgroup);
        directory.encodes(workload);
    }
    report(&mut directory, [begun(&["app"])]);
    assert_eq!([12, 13].map(|cgroup| name(&directory, cgroup).len()), [12, 12]);
    // No links are seen, so no name comes.
    let mut directory = with_pod(UID, 2);
    report(&mut directory, [pod("web", UID)]);
    let workload = of(&directory, 12);
    directory.encodes(workload);
    assert!(directory.take_beginning().is_empty());
}

#[test]
fn without_the_pods_own_cgroup_its_path_is_told() {
    let mut directory = Directory::default();
    directory.cgroup_made(CgroupId(11), &path(UID, 1));
    report(&mut directory, [pod("web", UID), NameReport::NamesAll(true)]);
    assert_eq!(charged_to(&mut directory, 11, Duration::ZERO), ChargedTo::OverheadAt(pod_path(UID)));
    let own = directory.cgroup_made(CgroupId(10), &pod_path(UID)).workload;
    assert_eq!(charged_to(&mut directory, 11, Duration::ZERO), ChargedTo::Overhead(own));
}

#[test]
fn a_source_may_name_the_sandbox() {
    let sandbox = ContainerName::new(&id(1), Some(UID), "default", "web", "POD").unwrap();
    let mut directory = with_pod(UID, 2);
    let overhead = ChargedTo::Overhead(of(&directory, 10));
    report(&mut directory, [NameReport::Container(sandbox), pod("web", UID), link("web", UID, "app", 2)]);
    assert_eq!(charged_to(&mut directory, 11, GRACE), overhead);
    assert_eq!(charged_to(&mut directory, 12, GRACE), ChargedTo::Itself);
    assert!(directory.take_named().len() == 3 && directory.take_named().is_empty());
    let shown = [10, 11, 12].map(|cgroup| directory.is_shown_unused(of(&directory, cgroup)));
    assert_eq!(shown, [false, false, true]);
    let bears_idle = [10, 11, 12].map(|cgroup| directory.bears_idle(of(&directory, cgroup)));
    assert_eq!(bears_idle, [false, false, true]);
}

/// The kubelet cuts long names of links.
#[test]
fn a_part_of_the_id_names_the_one_container_that_it_can_mean() {
    let long = "p".repeat(160);
    let namespace = "n".repeat(50);
    let cut = |container: &str, number: u8| {
        let mut stem = format!("{long}_{namespace}_{container}-{}", id(number));
        stem.truncate(251);
        let target = format!("/var/log/pods/{namespace}_{long}_{UID}/{container}/0.log");
        NameReport::Container(container_link(&format!("{stem}.log"), Some(&target)).unwrap())
    };
    let pod = || NameReport::Pod(pod_folder(&format!("{namespace}_{long}_{UID}")).unwrap());
    let container =
        |identity: &Identity| identity.details.kubernetes.as_ref().map(|names| names.container.to_string());
    let of = |directory: &Directory, cgroup| container(&directory.identity(of(directory, cgroup)));
    // Thirty digits are left.
    let mut directory = with_pod(UID, 0);
    directory.cgroup_made(CgroupId(11), &path(UID, 1));
    directory.cgroup_made(CgroupId(12), &path(UID, 2));
    report(&mut directory, [pod(), cut("app", 2)]);
    assert_eq!((of(&directory, 11), of(&directory, 12)), (None, Some("app".to_owned())));
    // Nothing is left: the oldest is the sandbox, and of two others none can be told.
    let nameless = "c".repeat(40);
    let mut directory = with_pod(UID, 0);
    directory.cgroup_made(CgroupId(11), &path(UID, 1));
    report(&mut directory, [pod(), cut(&nameless, 2)]);
    assert_eq!(of(&directory, 11), None, "the container's cgroup is still to come");
    directory.cgroup_made(CgroupId(12), &path(UID, 2));
    assert_eq!((of(&directory, 11), of(&directory, 12)), (None, Some(nameless.clone())));
    directory.cgroup_made(CgroupId(13), &path(UID, 3));
    assert_eq!(of(&directory, 13), None, "a name is used once");
    directory.cgroup_made(CgroupId(14), &path(UID, 4));
    report(&mut directory, [cut(&nameless, 4)]);
    assert_eq!((of(&directory, 13), of(&directory, 14)), (None, None), "either may be meant");
}

#[test]
fn dockers_labels_are_names_and_the_kind_stays() {
    let by_label = |number: u8, container: &str| ContainerFacts {
        engine: Some(WorkloadKind::Docker),
        name: "renamed".to_owned(),
        kubernetes: ContainerName::new(&id(number), Some(UID), "default", "web", container),
        ..ContainerFacts::default()
    };
    let mut late = with_pod(UID, 2);
    late.container_known(&id(1), by_label(1, "POD"));
    late.container_known(&id(2), by_label(2, "app"));
    report(&mut late, [pod("web", UID)]);
    let mut early = Directory::default();
    early.container_known(&id(1), by_label(1, "POD"));
    early.container_known(&id(2), by_label(2, "app"));
    early.container_removed(&id(2));
    report(&mut early, [pod("web", UID)]);
    for cgroup in [10, 11, 12] {
        let path = if cgroup == 10 { pod_path(UID) } else { path(UID, cgroup - 10) };
        early.cgroup_made(CgroupId(cgroup.into()), &path);
    }
    for mut directory in [late, early] {
        let identity = directory.identity(of(&directory, 12));
        assert_eq!((&*identity.name, identity.kind), ("default/web/app", WorkloadKind::Kubernetes));
        let overhead = ChargedTo::Overhead(of(&directory, 10));
        assert_eq!(charged_to(&mut directory, 11, GRACE), overhead);
    }
    // Docker's own container in a folder like a pod's, whatever its labels are.
    let mut directory = Directory::default();
    directory.container_known(&id(1), by_label(1, "app"));
    let workload = directory.cgroup_made(CgroupId(5), &format!("/docker/{}", id(1))).workload;
    let identity = directory.identity(workload);
    assert_eq!((&*identity.name, identity.kind), ("renamed", WorkloadKind::Docker));
    assert!(identity.details.kubernetes.is_none());
}

#[test]
fn pods_of_this_host_that_are_unknown_are_told_once() {
    let mut directory = with_pod(UID, 1);
    assert!(directory.has_pods());
    assert!(directory.take_unknown_pods() && !directory.take_unknown_pods());
    directory.cgroup_made(CgroupId(20), &pod_path(OTHER));
    report(&mut directory, [pod("db", OTHER)]);
    assert!(!directory.take_unknown_pods(), "it is known by now");
    // A kubelet in a container has its logs there.
    let mut nested = Directory::default();
    nested.cgroup_made(CgroupId(5), &format!("/docker/{}{}", id(1), path(UID, 2)));
    assert!(!nested.has_pods() && !nested.take_unknown_pods());
    let mut other = Directory::default();
    other.cgroup_made(CgroupId(5), &docker_path());
    assert!(!other.has_pods());
}

#[test]
fn closed_workloads_leave_their_pod() {
    let mut directory = with_pod(UID, 2);
    report(&mut directory, [pod("web", UID)]);
    for cgroup in [10, 11, 12] {
        let workload = of(&directory, cgroup);
        directory.cgroup_removed(CgroupId(cgroup));
        directory.close(workload);
    }
    assert!(directory.pods.is_empty_of_workloads() && directory.workloads.is_empty());
    assert!(!directory.has_pods());
}
