//! Follows the log folders and links of the kubelet: their names contain the names of pods and containers.
//!
//! Only names are read: folders are listed, links are read, no file is opened, no connection is made. inotify reports changes; both
//! folders are listed at the start, after the kernel has lost events, when a pod is unknown, and from time to time; the folder of one pod,
//! when a container without a link has begun to encode. This runs on a thread of its own, because a folder on a slow disk must not delay
//! a tick.

mod told;
mod watch;

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use agent_core::identity::kubernetes::NameReport;
use agent_core::time::MonoTime;
use told::{ROOM, Told};
use watch::{Change, FoldersWatch, Seen};

use crate::clock::Clock;
use crate::source::SourceError;

pub(crate) use watch::{NameRequest, NameRequests, requests};

/// Name as a source.
pub(crate) const SOURCE: &str = "kubelet";

/// Time between two lists without a reason, in case a change was not reported.
const LIST_PERIOD: Duration = Duration::from_mins(1);

/// Time between two attempts to find a missing folder: the kubelet makes both when it starts.
const RETRY: Duration = Duration::from_secs(10);

/// Shortest time between two lists.
const LIST_PAUSE: Duration = Duration::from_millis(200);

/// The folders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LogFolders {
    /// Folders of pods; empty: not used.
    pub pods: PathBuf,
    /// Links of containers; empty: not used.
    pub containers: PathBuf,
}

/// What a source of names reports.
#[derive(Debug)]
pub(crate) enum NamesEvent {
    /// The source works.
    Up,
    /// The source does not work, or not entirely.
    Down(SourceError),
    /// A part of it failed.
    Failed(SourceError),
    /// Names, in the order in which they are to be taken.
    Reported(Vec<NameReport>),
}

/// Numbers of names, for `check`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Counted {
    pub pods: usize,
    pub containers: usize,
}

impl LogFolders {
    /// Whether any folder is used.
    pub(crate) fn are_used(&self) -> bool {
        [&self.pods, &self.containers].into_iter().any(|folder| is_used(folder))
    }
}

/// Follows the folders until `tell` returns that there is no receiver.
pub(crate) fn follow(
    folders: &LogFolders,
    requests: &NameRequests,
    clock: &dyn Clock,
    tell: impl Fn(NamesEvent) -> bool,
) {
    let mut follower = Follower { folders, told: Told::default(), watch: None, problem: None };
    let mut last: Option<MonoTime> = None;
    loop {
        if let Some(last) = last {
            NameRequests::pause(LIST_PAUSE.saturating_sub(clock.now().since(last)));
        }
        last = Some(clock.now());
        let (events, next) = follower.list();
        if !events.into_iter().all(&tell) {
            return;
        }
        loop {
            let left = next.saturating_sub(clock.now().since(last.unwrap_or_default()));
            match follower.wait(requests, left) {
                Ok(Some(events)) => {
                    if !events.into_iter().all(&tell) {
                        return;
                    }
                }
                Ok(None) => break,
                Err(error) => {
                    follower.watch = None;
                    let error =
                        SourceError::transient("wait for changes of the kubelet's log folders", error);
                    if !tell(NamesEvent::Failed(error)) {
                        return;
                    }
                    break;
                }
            }
        }
    }
}

/// Lists the folders once, for `check`.
pub(crate) fn probe(folders: &LogFolders) -> Result<Counted, SourceError> {
    let mut told = Told::default();
    let mut failures = Vec::new();
    for (folder, list) in lists(folders) {
        list(&mut told, folder, &mut failures)?;
    }
    match failures.into_iter().next() {
        Some(failure) => Err(failure),
        None => Ok(Counted { pods: told.pods(), containers: told.links() }),
    }
}

type List = fn(&mut Told, &Path, &mut Vec<SourceError>) -> Result<Vec<NameReport>, SourceError>;

/// The used folders, pods first, each with the function that lists it.
fn lists(folders: &LogFolders) -> impl Iterator<Item = (&Path, List)> {
    let all: [(&Path, List); 2] = [(&folders.pods, Told::list_pods), (&folders.containers, Told::list_links)];
    all.into_iter().filter(|(folder, _)| is_used(folder))
}

fn is_used(folder: &Path) -> bool {
    !folder.as_os_str().is_empty()
}

/// The state of the follower.
struct Follower<'a> {
    folders: &'a LogFolders,
    told: Told,
    watch: Option<FoldersWatch>,
    /// The problem that was told last, so that each is told once.
    problem: Option<String>,
}

impl Follower<'_> {
    /// Lists both folders. Returns the events to tell, and the time until the next list.
    fn list(&mut self) -> (Vec<NamesEvent>, Duration) {
        // First the watch: a change during the list is then reported.
        let mut failures = Vec::new();
        if self.watch.is_none() {
            match FoldersWatch::open(&self.folders.pods, &self.folders.containers) {
                Ok(watch) => self.watch = Some(watch),
                // The list finds the names, later.
                Err(error) => failures.push(SourceError::transient("watch the kubelet's log folders", error)),
            }
        }
        let mut problem = None;
        let mut reports = Vec::new();
        let mut has_links = false;
        for (folder, list) in lists(self.folders) {
            match list(&mut self.told, folder, &mut failures) {
                Ok(listed) => {
                    has_links |= folder == self.folders.containers;
                    reports.extend(listed);
                }
                Err(error) => {
                    // A folder that appears later is another one.
                    self.watch = None;
                    problem.get_or_insert(error);
                }
            }
        }
        reports.push(NameReport::NamesAll(has_links));
        let mut events = vec![NamesEvent::Reported(reports)];
        let next = if problem.is_some() || self.watch.is_none() { RETRY } else { LIST_PERIOD };
        events.extend(failures.into_iter().map(NamesEvent::Failed));
        let said = problem.as_ref().map(SourceError::chain);
        if self.problem.as_ref() != Some(&said.clone().unwrap_or_default()) {
            events.push(problem.map_or(NamesEvent::Up, NamesEvent::Down));
            self.problem = Some(said.unwrap_or_default());
        }
        (events, next)
    }

    /// Waits for changes. `None` when both folders are to be listed.
    fn wait(&mut self, requests: &NameRequests, longest: Duration) -> io::Result<Option<Vec<NamesEvent>>> {
        let seen = requests.wait(self.watch.as_ref(), longest)?;
        let changes = match seen {
            Seen::Changes(changes) => changes,
            Seen::Begun(pods) => return Ok(Some(self.begun(pods))),
            Seen::Lost => return Ok(None),
            Seen::Gone => {
                self.watch = None;
                return Ok(None);
            }
        };
        let mut failures = Vec::new();
        let reports = changes.iter().filter_map(|change| match change {
            Change::Pod { name, is_there: true } => self.told.pod(name),
            Change::Pod { name, is_there: false } => self.told.pod_gone(name),
            Change::Link { name, is_there: true } => {
                self.told.link(&self.folders.containers, name, &mut failures)
            }
            Change::Link { name, is_there: false } => self.told.link_gone(name),
        });
        let mut events = vec![NamesEvent::Reported(reports.collect())];
        events.extend(failures.into_iter().map(NamesEvent::Failed));
        Ok(Some(events))
    }

    /// Answers for pods in which a container has begun.
    fn begun(&self, pods: BTreeSet<Arc<str>>) -> Vec<NamesEvent> {
        let mut failures = Vec::new();
        let LogFolders { pods: folder, containers: links } = self.folders;
        let answer = |uid: Arc<str>| {
            let containers = self.told.begun(folder, links, &uid, &mut failures);
            NameReport::Begun { uid, containers }
        };
        let mut events = vec![NamesEvent::Reported(pods.into_iter().map(answer).collect())];
        events.extend(failures.into_iter().map(NamesEvent::Failed));
        events
    }
}

fn too_many(folder: &Path) -> SourceError {
    SourceError::broken(format!(
        "{} has more than {ROOM} names: some pods and containers have no names; remove what the kubelet has not made",
        folder.display()
    ))
}

#[cfg(test)]
mod tests;
