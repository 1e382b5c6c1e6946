//! Result files, the ledger and prices, beside a pipeline that a test drives.

use std::fs;
use std::path::Path;
use std::time::Duration;

use agent_core::identity::directory::ContainerFacts;
use agent_core::model::energy::Domain;
use agent_core::model::joined::ScenarioFigures;
use agent_core::model::workload::WorkloadKind;
use agent_core::units::MicroJoules;
use tempfile::TempDir;

use super::*;
use crate::pipeline::tests::{Scene, container_id, container_path, prices_of_nothing, zone};
use crate::source::identity::docker::EngineEvent;

const SECOND: Duration = Duration::from_secs(1);
const CONTAINER: u64 = 10;

/// A pipeline, and the worker that follows it.
struct Desk {
    config: Config,
    scene: Scene,
    worker: ResultsWorker,
    joined: watch::Receiver<Arc<Joined>>,
    folder: TempDir,
}

impl Desk {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let results = folder.path().join("results");
        fs::create_dir(&results).unwrap();
        let mut config = Config::default();
        config.results_dir = Some(results);
        config.state_dir = Some(folder.path().join("state"));
        let scene = Scene::server(&config);
        let (worker, joined) = start(&config, &scene);
        Self { config, scene, worker, joined, folder }
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.config.results_dir().join(name), text).unwrap();
    }

    /// Looks at the folder and at the last tick, and says what is joined then.
    fn look(&mut self) -> Arc<Joined> {
        self.worker.step(true, false);
        self.joined.borrow().clone()
    }

    /// Seconds in which a labelled container is the only one that runs on socket 0, at 30 W.
    fn encode(&mut self, seconds: u32) {
        for _ in 0..seconds {
            self.scene.run(CONTAINER, None, 0, SECOND);
            self.scene.draw(zone(Domain::Package, 0), 30.0, SECOND);
            self.scene.tick(SECOND);
            self.worker.step(false, false);
        }
    }

    fn label(&self) {
        self.scene.make_cgroup(CONTAINER, &container_path(CONTAINER));
        let labels = [("scenario".to_owned(), "x264".to_owned())].into();
        let facts = ContainerFacts { name: "encoder".to_owned(), labels, ..ContainerFacts::default() };
        let event = EngineEvent::Known { id: container_id(CONTAINER), facts };
        assert!(self.scene.mailbox.tell(Message::Engine { name: WorkloadKind::Docker.name(), event }));
    }

    fn wall(&self) -> f64 {
        self.scene.clock.wall().0
    }
}

fn start(config: &Config, scene: &Scene) -> (ResultsWorker, watch::Receiver<Arc<Joined>>) {
    let (publisher, joined) = watch::channel(Arc::new(Joined::default()));
    let parts = Parts {
        clock: Box::new(scene.clock.clone()),
        prices: prices_of_nothing(),
        mailbox: scene.mailbox.clone(),
        snapshots: scene.snapshots.clone(),
        publisher,
    };
    (ResultsWorker::new(config, parts), joined)
}

fn run_of(scenarios: &[(&str, f64, f64)]) -> String {
    let scenario = |(name, from, to): &(&str, f64, f64)| {
        format!(r#"{{"name":"{name}","start_time":{from},"end_time":{to},"duration":{}}}"#, to - from)
    };
    let all: Vec<String> = scenarios.iter().map(scenario).collect();
    format!(r#"{{"scenarios":[{}]}}"#, all.join(","))
}

fn names(joined: &Joined) -> Vec<&str> {
    joined.scenarios.iter().map(|scenario| scenario.names.scenario.as_str()).collect()
}

fn energy(scenario: &ScenarioFigures) -> Option<MicroJoules> {
    scenario.energy.map(|energy| energy.energy)
}

#[test]
fn the_newest_file_that_can_be_read_counts() {
    let mut desk = Desk::new();
    let empty = desk.look();
    assert_eq!((empty.is_readable, empty.scenarios.len()), (Some(true), 0));
    desk.write("test_results_1.json", &run_of(&[("x264", 100.0, 160.0)]));
    let first = desk.look();
    assert_eq!((first.is_readable, names(&first)), (Some(true), vec!["x264"]));
    desk.write("test_results_2.json", r#"{"scenarios":"#);
    let broken = desk.look();
    assert_eq!((broken.is_readable, names(&broken)), (Some(false), vec!["x264"]), "the last run stays");
    desk.write("test_results_3.json", &run_of(&[("x265", 100.0, 160.0), ("av1", 170.0, 200.0)]));
    let mended = desk.look();
    assert_eq!((mended.is_readable, names(&mended)), (Some(true), vec!["x265", "av1"]));
}

/// Codes and subjects of the findings.
fn found(joined: &Joined) -> Vec<(&'static str, String)> {
    let subject = |subject: &str| subject.rsplit('/').next().unwrap_or_default().to_owned();
    joined.findings.iter().map(|finding| (finding.code.name(), subject(&finding.subject))).collect()
}

#[test]
fn each_bad_value_and_each_bad_file_is_a_finding_until_another_file_is_read() {
    let value = |subject: &str| ("result_value_refused", subject.to_owned());
    let file = |subject: &str| ("result_file_unreadable", subject.to_owned());
    let values = [value("test_results_1.json: x264: fps"), value("test_results_1.json: x264: vmaf_score")];
    let mut desk = Desk::new();
    desk.write("test_results_1.json", r#"[{"name":"x264","vmaf_score":NaN,"fps":"fast","psnr_score":40}]"#);
    let first = desk.look();
    assert_eq!((found(&first), names(&first)), (values.to_vec(), vec!["x264"]));
    let sentence = &first.findings[1].sentence;
    assert!(
        sentence.contains("scenario \"x264\": vmaf_score is NaN")
            && sentence.contains("results/test_results_1.json")
    );
    desk.scene.tick(SECOND);
    for number in [2, 3] {
        let name = format!("test_results_{number}.json");
        desk.write(&name, r#"{"scenarios":["#);
        let broken = desk.look();
        let expected: Vec<_> = [file(&name)].into_iter().chain(values.clone()).collect();
        assert_eq!(
            (found(&broken), broken.is_readable),
            (expected, Some(false)),
            "the last run and its findings stay"
        );
        assert!(broken.findings[0].sentence.contains("whole JSON"), "{:?}", broken.findings[0]);
        assert_eq!(broken.findings[2].since, first.findings[1].since);
    }
    desk.write("test_results_4.json", &run_of(&[("x265", 100.0, 160.0)]));
    assert!(found(&desk.look()).is_empty());
}

#[test]
fn a_bad_file_that_is_removed_is_no_finding() {
    let mut desk = Desk::new();
    desk.write("test_results_1.json", "half");
    assert_eq!(desk.look().is_readable, Some(false));
    fs::remove_file(desk.config.results_dir().join("test_results_1.json")).unwrap();
    let after = desk.look();
    assert_eq!((found(&after), after.is_readable), (Vec::new(), Some(true)));
}

#[test]
fn a_file_that_is_bad_in_another_way_is_another_finding() {
    let mut desk = Desk::new();
    let mut since = Vec::new();
    for text in ["{", "{", r#"{"scenarios":3}"#] {
        desk.write("test_results_1.json", text);
        since.push(desk.look().findings[0].since);
        desk.scene.tick(SECOND);
    }
    assert!(since[0] == since[1] && since[1].0 < since[2].0, "{since:?}");
}

#[test]
fn findings_of_a_file_have_a_bound_and_the_last_one_counts_the_others() {
    let mut desk = Desk::new();
    let all: Vec<String> =
        (0..50).map(|number| format!(r#"{{"name":"s{number}","vmaf_score":NaN}}"#)).collect();
    desk.write("test_results_1.json", &format!("[{}]", all.join(",")));
    let joined = desk.look();
    assert_eq!((joined.findings.len(), joined.scenarios.len()), (21, 50));
    assert!(joined.findings.iter().any(|finding| finding.sentence.contains("30 more values")));
}

#[test]
fn a_folder_that_is_not_there_has_no_results_and_may_come() {
    let mut desk = Desk::new();
    let other = desk.folder.path().join("other");
    let mut config = desk.config.clone();
    config.results_dir = Some(other.clone());
    desk.worker.change(Change { config, prices: prices_of_nothing() });
    assert_eq!(desk.look().is_readable, Some(true));
    fs::create_dir(&other).unwrap();
    fs::write(other.join("test_results_9.json"), run_of(&[("late", 1.0, 2.0)])).unwrap();
    assert_eq!(names(&desk.look()), ["late"]);
}

#[test]
fn a_scenario_has_the_energy_of_its_labelled_container_and_the_ledger_still_knows_it() {
    let mut desk = Desk::new();
    desk.label();
    desk.encode(1);
    let from = desk.wall();
    desk.encode(20);
    let to = desk.wall();
    desk.encode(5);
    desk.write("test_results_1.json", &run_of(&[("x264", from, to), ("before", from - 900.0, from - 800.0)]));
    let joined = desk.look();
    assert_eq!(energy(&joined.scenarios[0]), Some(MicroJoules(600_000_000)));
    assert_eq!(energy(&joined.scenarios[1]), None, "nothing is known of that time");
    assert!(joined.ledger.up);
    // The next agent remembers nothing tick by tick.
    let (worker, joined) = start(&desk.config, &desk.scene);
    (desk.worker, desk.joined) = (worker, joined);
    assert_eq!(energy(&desk.look().scenarios[0]), Some(MicroJoules(600_000_000)));
}

#[test]
fn a_scenario_during_which_no_counter_moved_has_no_energy() {
    let mut desk = Desk::new();
    desk.label();
    let from = desk.wall();
    for _ in 0..3 {
        desk.scene.run(CONTAINER, None, 0, SECOND);
        desk.scene.tick(SECOND);
        desk.worker.step(false, false);
    }
    let to = desk.wall();
    desk.encode(2);
    desk.write("test_results_1.json", &run_of(&[("x264", from, to)]));
    assert_eq!(energy(&desk.look().scenarios[0]), None, "unknown is not 0");
}

#[test]
fn a_state_folder_that_cannot_be_written_leaves_the_figures_alone() {
    let mut desk = Desk::new();
    let file = desk.folder.path().join("file");
    fs::write(&file, "").unwrap();
    desk.config.state_dir = Some(file.join("state"));
    (desk.worker, desk.joined) = start(&desk.config, &desk.scene);
    desk.label();
    desk.encode(1);
    let from = desk.wall();
    desk.encode(3);
    desk.write("test_results_1.json", &run_of(&[("x264", from, desk.wall())]));
    let joined = desk.look();
    assert!(!joined.ledger.up);
    assert_eq!(energy(&joined.scenarios[0]), Some(MicroJoules(90_000_000)));
}

#[test]
fn budgets_say_what_has_been_spent() {
    let mut desk = Desk::new();
    desk.config.budget.kwh_per_month = Some(10.0);
    desk.config.budget.cost_per_day = Some(1.0);
    let config = desk.config.clone();
    desk.worker.change(Change { config, prices: prices_of_nothing() });
    desk.label();
    // Budgets are added up once a minute.
    desk.encode(70);
    let joined = desk.look();
    let budget = |unit: &str| joined.budgets.iter().find(|budget| budget.unit == unit).unwrap();
    assert_eq!((budget("kWh").period, budget("USD").period), ("month", "day"));
    let spent = budget("kWh").spent * 3.6e6;
    assert!((30.0..=2100.0).contains(&spent), "{spent} J of 70 s at 30 W");
    assert!(budget("USD").spent.abs() < 1e-12, "energy is free here");
}

#[test]
fn a_file_that_is_written_ends_the_wait() {
    let desk = Desk::new();
    let mut files = ResultFiles::new(desk.config.results_dir());
    assert!(files.wait(Duration::ZERO), "a folder that is watched from now on may have files");
    assert!(!files.wait(Duration::ZERO), "nothing was written");
    desk.write("test_results_1.json", &run_of(&[("x264", 1.0, 2.0)]));
    assert!(files.wait(SECOND * 60));
    fs::remove_dir_all(desk.config.results_dir()).unwrap();
    files.wait(SECOND * 60);
    assert!(!files.wait(Duration::ZERO), "it is not there");
}

#[test]
fn it_ends_when_nobody_is_left_to_tell_it_of_changes() {
    let desk = Desk::new();
    let (changes, changed) = std::sync::mpsc::channel();
    drop(changes);
    desk.worker.run(&changed);
}

fn priced(change: impl FnOnce(&mut config::Price)) -> Result<Prices, String> {
    let mut config = Config::default();
    change(&mut config.price);
    prices(&config).map_err(|error| crate::error::chain(&error))
}

#[test]
fn prices_come_from_the_table_the_file_or_the_key() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("prices.json");
    fs::write(&file, r#"{"electricity_prices":{"moon":0.36},"co2_intensity":{"moon":7}}"#).unwrap();
    let at = |path: &Path| Some(path.to_path_buf());
    let by_file = priced(|price| (price.file, price.region) = (at(&file), "moon".to_owned())).unwrap();
    assert!((by_file.tariff.joule.0 * 3.6e6 - 0.36).abs() < 1e-12, "{by_file:?}");
    assert!((by_file.carbon.0 - 7.0).abs() < 1e-12);
    let by_key = priced(|price| price.per_kwh = Some(0.5)).unwrap();
    assert!((by_key.tariff.joule.0 * 3.6e6 - 0.5).abs() < 1e-12, "{by_key:?}");
    let region = priced(|price| price.region = "moon".to_owned()).unwrap_err();
    assert!(region.contains("moon") && region.contains("price.per_kwh"), "{region}");
    let missing = priced(|price| price.file = at(&folder.path().join("none.json"))).unwrap_err();
    assert!(missing.contains("price.file") && missing.contains("none.json"), "{missing}");
    let rate = priced(|price| price.also = vec!["EUR".to_owned()]).unwrap_err();
    assert!(rate.contains("EUR") && rate.contains("EUR=0.92"), "{rate}");
}
