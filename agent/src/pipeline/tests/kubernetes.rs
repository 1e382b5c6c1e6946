//! Tests pods: the rows that they have, and the exactness of sums while names come and go.

use agent_core::identity::kubelet_logs::{container_link, pod_folder};
use agent_core::identity::kubernetes::NameReport;
use agent_core::model::energy::EnergySourceKind;
use agent_core::model::health::SourceState;
use agent_core::model::workload::WorkloadKind;
use proptest::prelude::*;

use super::*;
use crate::config::{EnergyChoice, HumanDuration, IdleChoice};
use crate::source::identity::kubelet::{NamesEvent, SOURCE};

const UID: &str = "90d81341-92de-11e7-8cf2-507b9d4141fa";
const OTHER: &str = "1ce0ff4c2bf20d0b3a8ea8b5d8d29b2e";
const BUSY: Duration = Duration::from_millis(200);

fn own_path(uid: &str) -> String {
    format!("/kubepods/burstable/pod{uid}")
}

fn path(uid: &str, number: u64) -> String {
    format!("{}/{}", own_path(uid), container_id(number))
}

fn pod(name: &str, uid: &str) -> NameReport {
    NameReport::Pod(pod_folder(&format!("default_{name}_{uid}")).unwrap())
}

fn link(pod: &str, uid: &str, container: &str, number: u64) -> NameReport {
    let target = format!("/var/log/pods/default_{pod}_{uid}/{container}/0.log");
    let name = format!("{pod}_default_{container}-{}.log", container_id(number));
    NameReport::Container(container_link(&name, Some(&target)).unwrap())
}

fn tell(scene: &Scene, reports: Vec<NameReport>) {
    scene.mailbox.tell(Message::Names { source: SOURCE, event: NamesEvent::Reported(reports) });
}

/// The pod's own cgroup 10, its sandbox 11 and its container 12.
fn make_pod(scene: &Scene) {
    scene.make_cgroup(10, &own_path(UID));
    scene.make_cgroup(11, &path(UID, 11));
    scene.make_cgroup(12, &path(UID, 12));
}

fn second(scene: &mut Scene) -> SharedSnapshot {
    for package in 0..2 {
        scene.draw(zone(Domain::Package, package), 40.0, SECOND);
        scene.draw(zone(Domain::Dram, package), 3.0, SECOND);
    }
    let snapshot = scene.tick(SECOND);
    assert!(snapshot.zones.iter().all(|of| of.residual == 0), "{:?}", snapshot.zones);
    snapshot
}

/// Names and CPU milliseconds of the rows that are no pseudo-workloads.
fn rows(snapshot: &Snapshot) -> Vec<(String, u64)> {
    let real = snapshot.workloads.iter().filter(|one| one.identity.kind != WorkloadKind::Pseudo);
    let mut rows: Vec<_> =
        real.map(|one| (one.identity.name.to_string(), one.account.cpu.0 / 1_000_000)).collect();
    rows.sort();
    rows
}

fn row(name: &str, milliseconds: u64) -> (String, u64) {
    (name.to_owned(), milliseconds)
}

#[test]
fn a_pod_with_one_container_has_two_rows() {
    let mut scene = Scene::server(&Config::default());
    tell(&scene, vec![pod("web", UID), NameReport::NamesAll(true)]);
    scene.tick(SECOND);
    make_pod(&scene);
    tell(&scene, vec![link("web", UID, "app", 12)]);
    scene.run(11, None, 0, BUSY);
    scene.run(12, None, 1, BUSY * 2);
    let first = second(&mut scene);
    assert_eq!(rows(&first), [row("default/web/POD", 200), row("default/web/app", 400)]);
    // The pod's own cgroup may have tasks, too: Kata's shim has.
    scene.run(10, None, 0, BUSY);
    scene.run(11, None, 0, BUSY);
    let last = second(&mut scene);
    assert_eq!(rows(&last), [row("default/web/POD", 600), row("default/web/app", 400)]);
    let of = at_path(&last, &own_path(UID)).unwrap();
    assert_eq!(of.identity.details.kubernetes.as_ref().unwrap().container.as_ref(), "POD");
    assert!(energy_of(of, 0) > MicroJoules::ZERO);
}

#[test]
fn pods_that_have_used_nothing_have_no_rows_and_take_no_place() {
    let mut config = Config::default();
    config.attribution.max_workloads = 1;
    let mut scene = Scene::server(&config);
    for number in 0..50_u64 {
        scene.make_cgroup(100 + number, &own_path(&format!("{number:032x}")));
    }
    make_pod(&scene);
    tell(&scene, vec![pod("web", UID), link("web", UID, "app", 12), NameReport::NamesAll(true)]);
    let first = second(&mut scene);
    assert_eq!(rows(&first), [row("default/web/app", 0)], "the container is shown at 0");
    for _ in 0..3 {
        scene.run(12, None, 0, BUSY);
        second(&mut scene);
    }
    scene.run(12, None, 0, BUSY);
    assert_eq!(rows(&second(&mut scene)), [row("default/web/app", 800)]);
}

#[test]
fn names_that_come_after_cpu_time_begin_new_series_and_the_sandboxes_end() {
    let mut config = Config::default();
    config.attribution.keep_ended = HumanDuration(SECOND * 10);
    let mut scene = Scene::server(&config);
    make_pod(&scene);
    let run = |scene: &Scene| [11, 12].map(|cgroup| scene.run(cgroup, None, 0, BUSY));
    run(&scene);
    let (sandbox, app) = (&container_id(11)[..12], &container_id(12)[..12]);
    let mut nameless = [sandbox.to_owned(), format!("{app}-2")];
    nameless.sort();
    assert_eq!(rows(&second(&mut scene)).into_iter().map(|(name, _)| name).collect::<Vec<_>>(), nameless);
    tell(&scene, vec![pod("web", UID), link("web", UID, "app", 12), NameReport::NamesAll(true)]);
    run(&scene);
    let named = second(&mut scene);
    assert_eq!(rows(&named), [row(sandbox, 200), row("default/web/POD", 200), row("default/web/app", 400)]);
    for _ in 0..11 {
        run(&scene);
        second(&mut scene);
    }
    assert_eq!(rows(&second(&mut scene)), [row("default/web/POD", 2400), row("default/web/app", 2600)]);
}

#[test]
fn a_container_whose_link_is_still_to_come_is_charged_to_its_pod() {
    let mut scene = Scene::server(&Config::default());
    tell(&scene, vec![pod("web", UID), NameReport::NamesAll(true)]);
    make_pod(&scene);
    scene.run(12, None, 0, BUSY);
    assert_eq!(rows(&second(&mut scene)), [row("default/web/POD", 200)]);
    tell(&scene, vec![link("web", UID, "app", 12)]);
    scene.run(12, None, 0, BUSY);
    assert_eq!(rows(&second(&mut scene)), [row("default/web/POD", 200), row("default/web/app", 200)]);
}

#[test]
fn a_pod_that_ends_within_a_tick_has_its_names() {
    let mut scene = Scene::server(&Config::default());
    tell(&scene, vec![NameReport::NamesAll(true)]);
    scene.tick(SECOND);
    tell(&scene, vec![pod("web", UID)]);
    make_pod(&scene);
    tell(&scene, vec![link("web", UID, "app", 12)]);
    scene.run(11, None, 0, BUSY);
    scene.run(12, None, 0, BUSY);
    for cgroup in [12, 11, 10] {
        scene.remove_cgroup(cgroup);
    }
    let gone =
        vec![NameReport::ContainerGone { id: container_id(12) }, NameReport::PodGone { uid: UID.into() }];
    tell(&scene, gone);
    assert_eq!(rows(&second(&mut scene)), [row("default/web/POD", 200), row("default/web/app", 200)]);
}

#[test]
fn an_encoder_is_in_its_container_before_the_link_comes() {
    let mut scene = Scene::server(&Config::default());
    tell(&scene, vec![pod("web", UID), NameReport::NamesAll(true)]);
    make_pod(&scene);
    scene.write_command_line(1000, &["ffmpeg", "-i", "a", "-c:v", "libx264", "b.mp4"]);
    let at = scene.clock.now();
    scene.cpu.script(|script| {
        script.events.push(LifecycleEvent::Exec {
            at,
            process: ProcessId(1000),
            local: Some(ProcessId(1000)),
            was_tracked: false,
            cgroup: CgroupId(12),
            legacy: None,
        });
    });
    scene.run(12, Some(1000), 0, BUSY);
    second(&mut scene);
    tell(&scene, vec![link("web", UID, "app", 12)]);
    scene.run(12, Some(1000), 0, BUSY);
    let last = second(&mut scene);
    assert_eq!(rows(&last), [row("default/web/app", 400)]);
    assert_eq!(last.transcodes.len(), 1);
    assert_eq!(&*last.transcodes[0].workload.name, "default/web/app");
}

#[test]
fn idle_energy_is_not_for_pods_own_cgroups() {
    let mut config = Config::default();
    config.attribution.idle_policy = IdleChoice::Even;
    config.attribution.idle_watts = Some(10.0);
    let mut scene = Scene::server(&config);
    make_pod(&scene);
    tell(&scene, vec![pod("web", UID), link("web", UID, "app", 12), NameReport::NamesAll(true)]);
    for _ in 0..3 {
        second(&mut scene);
    }
    let last = second(&mut scene);
    assert_eq!(rows(&last), [row("default/web/app", 0)]);
    let app = at_path(&last, &path(UID, 12)).unwrap();
    assert!(energy_of(app, 0) > MicroJoules::ZERO);
}

#[test]
fn the_source_is_needed_where_pods_exist() {
    let mut scene = Scene::server(&Config::default());
    let down = || NamesEvent::Down(SourceError::unavailable("no folder at /var/log/pods", "mount it"));
    scene.mailbox.tell(Message::Names { source: SOURCE, event: down() });
    assert_eq!(second(&mut scene).sources[SOURCE].state(), SourceState::Absent);
    make_pod(&scene);
    second(&mut scene);
    assert_eq!(second(&mut scene).sources[SOURCE].state(), SourceState::Down);
    scene.mailbox.tell(Message::Names { source: SOURCE, event: NamesEvent::Up });
    assert_eq!(second(&mut scene).sources[SOURCE].state(), SourceState::Up);
}

/// Random histories of two pods, in which sums stay exact and nothing that was charged is lost.
#[derive(Clone, Debug)]
enum Event {
    Made(usize),
    Removed(usize),
    Pod(usize),
    PodGone(usize),
    Link(usize),
    LinkGone(usize),
    NamesAll(bool),
    Run(usize),
}

/// Cgroups of a pod: its own, and the containers in it.
const OF_A_POD: usize = 4;

fn event() -> impl Strategy<Value = Event> {
    let (cgroup, pod) = (0..2 * OF_A_POD, 0..2_usize);
    prop_oneof![
        3 => cgroup.clone().prop_map(Event::Made),
        1 => cgroup.clone().prop_map(Event::Removed),
        2 => pod.clone().prop_map(Event::Pod),
        1 => pod.prop_map(Event::PodGone),
        2 => cgroup.clone().prop_map(Event::Link),
        1 => cgroup.clone().prop_map(Event::LinkGone),
        1 => any::<bool>().prop_map(Event::NamesAll),
        4 => cgroup.prop_map(Event::Run),
    ]
}

fn happens(scene: &Scene, event: &Event, there: &mut [bool; 2 * OF_A_POD]) {
    let uid = |pod: usize| [UID, OTHER][pod];
    let (number, pod_of) = (|cgroup: usize| 10 + cgroup as u64, |cgroup: usize| cgroup / OF_A_POD);
    match *event {
        Event::Made(cgroup) if !there[cgroup] => {
            there[cgroup] = true;
            let is_own = cgroup % OF_A_POD == 0;
            let (uid, number) = (uid(pod_of(cgroup)), number(cgroup));
            scene.make_cgroup(number, &if is_own { own_path(uid) } else { path(uid, number) });
        }
        Event::Removed(cgroup) if there[cgroup] => {
            there[cgroup] = false;
            scene.remove_cgroup(number(cgroup));
        }
        Event::Run(cgroup) if there[cgroup] => scene.run(number(cgroup), None, cgroup % 2, BUSY),
        Event::Pod(of) => tell(scene, vec![pod(["web", "db"][of], uid(of))]),
        Event::PodGone(of) => tell(scene, vec![NameReport::PodGone { uid: uid(of).into() }]),
        Event::Link(cgroup) => {
            let of = pod_of(cgroup);
            tell(scene, vec![link(["web", "db"][of], uid(of), "app", number(cgroup))]);
        }
        Event::LinkGone(cgroup) => {
            tell(scene, vec![NameReport::ContainerGone { id: container_id(number(cgroup)) }]);
        }
        Event::NamesAll(names_all) => tell(scene, vec![NameReport::NamesAll(names_all)]),
        Event::Made(_) | Event::Removed(_) | Event::Run(_) => {}
    }
}

/// CPU time of all rows and of what has ended.
fn cpu_of_all(snapshot: &Snapshot) -> CpuTime {
    let rows = snapshot.workloads.iter().map(|one| one.account.since(&one.series.earlier).cpu);
    rows.chain([snapshot.ended.workloads.cpu]).sum()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn sums_are_exact_whenever_names_come(
        ticks in proptest::collection::vec(proptest::collection::vec(event(), 0..6), 1..20),
        policy in proptest::sample::select(vec![IdleChoice::Own, IdleChoice::Even]),
    ) {
        let mut config = Config::default();
        config.energy.source = EnergyChoice::Only(EnergySourceKind::Powercap);
        config.attribution.idle_policy = policy;
        config.attribution.idle_watts = Some(5.0);
        config.attribution.keep_ended = HumanDuration(SECOND * 10);
        let mut scene = Scene::server(&config);
        let mut there = [false; 2 * OF_A_POD];
        let mut used = CpuTime::ZERO;
        for events in ticks {
            for event in &events {
                happens(&scene, event, &mut there);
            }
            let snapshot = second(&mut scene);
            used += scene.cpu.script(|script| CpuTime(BUSY.as_nanos() as u64 * script.told.len() as u64));
            prop_assert_eq!(cpu_of_all(&snapshot), used);
        }
    }
}
