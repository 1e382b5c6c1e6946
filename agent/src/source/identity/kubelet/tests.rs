//! Tests that the names of the kubelet's files are followed, on real folders.

use std::fs;
use std::os::unix::fs::symlink;
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use super::*;
use crate::clock::SystemClock;

const UID: &str = "90d81341-92de-11e7-8cf2-507b9d4141fa";

/// Longer than any event takes.
const PATIENCE: Duration = Duration::from_secs(20);

struct Node {
    root: tempfile::TempDir,
    folders: LogFolders,
}

impl Node {
    /// A node whose folders do not exist yet.
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let folders =
            LogFolders { pods: root.path().join("pods"), containers: root.path().join("containers") };
        Self { root, folders }
    }

    fn with_folders() -> Self {
        let node = Self::new();
        fs::create_dir(&node.folders.pods).unwrap();
        fs::create_dir(&node.folders.containers).unwrap();
        node
    }

    fn pod(&self, name: &str) -> PathBuf {
        let folder = self.folders.pods.join(format!("default_{name}_{UID}"));
        fs::create_dir(&folder).unwrap();
        folder
    }

    fn container(&self, pod: &str, container: &str, number: u8) -> PathBuf {
        let target = self.folders.pods.join(format!("default_{pod}_{UID}/{container}/0.log"));
        let link = self.folders.containers.join(format!("{pod}_default_{container}-{number:064x}.log"));
        symlink(target, &link).unwrap();
        link
    }

    /// Follows the folders until the receiver is dropped.
    fn follow(&self) -> (Receiver<NamesEvent>, NameRequest) {
        let (sender, receiver) = channel();
        let (request, requests) = requests().unwrap();
        let folders = self.folders.clone();
        thread::spawn(move || {
            follow(&folders, &requests, &SystemClock, |event| sender.send(event).is_ok());
        });
        (receiver, request)
    }
}

/// A report as a line.
fn line(report: &NameReport) -> String {
    match report {
        NameReport::Pod(pod) => format!("pod {}/{}", pod.namespace, pod.pod),
        NameReport::Container(container) => format!("container {}", container.names),
        NameReport::PodGone { .. } => "pod gone".to_owned(),
        NameReport::ContainerGone { id } => format!("container gone {}", id.trim_start_matches('0')),
        NameReport::Begun { containers, .. } => {
            let mut names: Vec<_> = containers.iter().map(|one| one.names.to_string()).collect();
            names.sort();
            format!("begun {names:?}")
        }
        NameReport::NamesAll(names_all) => format!("all {names_all}"),
    }
}

/// Reports until this line, and the states before it.
fn until(receiver: &Receiver<NamesEvent>, last: &str) -> Vec<String> {
    let mut lines = Vec::new();
    while lines.last().is_none_or(|line| line != last) {
        match receiver.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("{last} does not come: {lines:?}")) {
            NamesEvent::Up => lines.push("up".to_owned()),
            NamesEvent::Down(error) | NamesEvent::Failed(error) => lines.push(error.chain()),
            NamesEvent::Reported(reports) => {
                for report in &reports {
                    lines.push(line(report));
                }
            }
        }
    }
    lines
}

#[test]
fn what_exists_at_the_start_comes_at_once_and_pods_come_first() {
    let node = Node::with_folders();
    node.pod("web");
    node.container("web", "app", 7);
    fs::write(node.folders.containers.join(format!("web_default_other-{:064x}.log", 8)), "").unwrap();
    fs::create_dir(node.folders.pods.join("lost+found")).unwrap();
    let (receiver, _request) = node.follow();
    assert_eq!(until(&receiver, "up"), ["pod default/web", "container default/web/app", "all true", "up"]);
    let counted = probe(&node.folders).unwrap();
    assert_eq!(counted, Counted { pods: 1, containers: 1 }, "a file is no link");
}

#[test]
fn every_change_is_reported_in_order() {
    let node = Node::with_folders();
    let (receiver, request) = node.follow();
    assert_eq!(until(&receiver, "up"), ["all true", "up"]);
    let folder = node.pod("web");
    let link = node.container("web", "app", 7);
    assert_eq!(
        until(&receiver, "container default/web/app"),
        ["pod default/web", "container default/web/app"]
    );
    fs::remove_file(&link).unwrap();
    node.container("web", "app", 8);
    fs::remove_dir(&folder).unwrap();
    let expected = ["container gone 7", "container default/web/app", "pod gone"];
    assert_eq!(until(&receiver, "pod gone"), expected);
    request.send();
    assert_eq!(until(&receiver, "all true"), ["all true"], "a list tells only what has changed");
}

#[test]
fn containers_that_have_begun_are_those_without_a_link_to_their_newest_log() {
    let node = Node::with_folders();
    let pod = node.pod("web");
    let log = |container: &str, name: &str| {
        fs::create_dir_all(pod.join(container)).unwrap();
        fs::write(pod.join(container).join(name), "").unwrap();
    };
    let (receiver, request) = node.follow();
    until(&receiver, "up");
    let ask = |uid: &str, expected: &str| {
        request.begun(uid.into());
        assert_eq!(until(&receiver, expected).last().unwrap(), expected);
    };
    ask(UID, "begun []");
    ask("00000000-92de-11e7-8cf2-507b9d4141fa", "begun []");
    log("app", "0.log");
    ask(UID, r#"begun ["default/web/app"]"#);
    node.container("web", "app", 7);
    ask(UID, "begun []");
    log("app", "0.log.20261128-101112");
    ask(UID, "begun []");
    log("app", "1.log");
    log("sidecar", "0.log");
    ask(UID, r#"begun ["default/web/app", "default/web/sidecar"]"#);
    fs::create_dir(pod.join("empty")).unwrap();
    fs::create_dir(pod.join("No_Name")).unwrap();
    fs::write(pod.join("No_Name/0.log"), "").unwrap();
    fs::remove_dir_all(pod.join("sidecar")).unwrap();
    ask(UID, r#"begun ["default/web/app"]"#);
}

#[test]
fn folders_may_appear_later_and_disappear() {
    let node = Node::new();
    let (receiver, request) = node.follow();
    let missing = format!("no folder at {}", node.folders.pods.display());
    assert_eq!(until(&receiver, &missing), ["all false".to_owned(), missing.clone()]);
    assert!(matches!(probe(&node.folders), Err(SourceError::Unavailable { .. })));
    fs::create_dir(&node.folders.pods).unwrap();
    fs::create_dir(&node.folders.containers).unwrap();
    node.pod("web");
    request.send();
    assert_eq!(until(&receiver, "up"), ["pod default/web", "all true", "up"]);
    fs::rename(node.root.path().join("pods"), node.root.path().join("old")).unwrap();
    assert_eq!(until(&receiver, &missing).last().unwrap(), &missing);
    fs::rename(node.root.path().join("old"), node.root.path().join("pods")).unwrap();
    request.send();
    assert_eq!(until(&receiver, "up"), ["all true", "up"]);
}

#[test]
fn without_the_links_the_pods_are_known_and_the_sandbox_is_not() {
    let node = Node::new();
    fs::create_dir(&node.folders.pods).unwrap();
    node.pod("web");
    let folders = LogFolders { containers: PathBuf::new(), ..node.folders.clone() };
    let node = Node { folders, ..node };
    assert!(node.folders.are_used());
    let (receiver, _request) = node.follow();
    assert_eq!(until(&receiver, "up"), ["pod default/web", "all false", "up"]);
    assert!(!LogFolders { pods: PathBuf::new(), containers: PathBuf::new() }.are_used());
}

#[test]
fn a_folder_of_too_many_names_is_a_failure_and_the_rest_is_named() {
    let node = Node::with_folders();
    for number in 0..=ROOM {
        fs::create_dir(node.folders.pods.join(format!("default_p{number}_{number:032x}"))).unwrap();
    }
    node.container("web", "app", 7);
    let (receiver, _request) = node.follow();
    let lines = until(&receiver, "up");
    assert_eq!(lines.iter().filter(|line| line.starts_with("pod ")).count(), ROOM);
    assert!(lines.iter().any(|line| line == "container default/web/app"));
    let failure = lines.iter().find(|line| line.contains("names:")).unwrap();
    assert!(failure.contains(&*node.folders.pods.to_string_lossy()), "{failure}");
    assert!(probe(&node.folders).is_err());
}
