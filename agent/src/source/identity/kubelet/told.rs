//! Keeps the names that were told, so that a list tells only what has changed.

use std::collections::HashSet;
use std::fs::{self, DirEntry};
use std::io;
use std::path::{Path, PathBuf};

use agent_core::identity::kubelet_logs::{LogFile, container_link, pod_folder, restarts};
use agent_core::identity::kubernetes::{ContainerName, NameReport};

use super::too_many;
use crate::source::SourceError;

/// Most names of one folder: several times as many as a node has containers.
pub(super) const ROOM: usize = 8192;

/// Length from which on the kubelet may have cut a link's name: then another link can have the same.
const MAY_BE_CUT: usize = 255;

const FIX: &str = "on a Kubernetes node, let the agent see the kubelet's log folders, or set them with --path.podlogs and \
                   --path.containerlogs";

/// Names of existing folders and links that have the form of the kubelet's.
#[derive(Debug, Default)]
pub(super) struct Told {
    pods: HashSet<String>,
    links: HashSet<String>,
}

impl Told {
    /// Number of pods.
    pub(super) fn pods(&self) -> usize {
        self.pods.len()
    }

    /// Number of containers.
    pub(super) fn links(&self) -> usize {
        self.links.len()
    }

    /// Adds the folder of a pod. Returns the pod where it is new.
    pub(super) fn pod(&mut self, name: &str) -> Option<NameReport> {
        let pod = pod_folder(name).filter(|_| !self.pods.contains(name) && self.pods.len() < ROOM)?;
        self.pods.insert(name.to_owned());
        Some(NameReport::Pod(pod))
    }

    /// Removes the folder of a pod. Returns the end of the pod.
    pub(super) fn pod_gone(&mut self, name: &str) -> Option<NameReport> {
        let pod = pod_folder(name).filter(|_| self.pods.remove(name))?;
        Some(NameReport::PodGone { uid: pod.uid })
    }

    /// Adds the link of a container. Returns the container where it is new.
    pub(super) fn link(
        &mut self,
        folder: &Path,
        name: &str,
        failures: &mut Vec<SourceError>,
    ) -> Option<NameReport> {
        let is_known = self.links.contains(name) && name.len() < MAY_BE_CUT;
        if is_known || self.links.len() >= ROOM {
            return None;
        }
        let path = folder.join(name);
        let target = match fs::read_link(&path) {
            Ok(target) => Some(target.into_os_string().into_string().ok()?),
            // A container that lived briefly.
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            // The kubelet makes links only.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => return None,
            Err(error) => {
                failures.push(SourceError::transient(format!("read the link {}", path.display()), error));
                return None;
            }
        };
        let container = container_link(name, target.as_deref())?;
        self.links.insert(name.to_owned());
        Some(NameReport::Container(container))
    }

    /// Removes the link of a container. Returns the end of the container, where the name has the whole id.
    pub(super) fn link_gone(&mut self, name: &str) -> Option<NameReport> {
        let container = container_link(name, None).filter(|_| self.links.contains(name));
        self.links.remove(name);
        container.map(|container| NameReport::ContainerGone { id: container.id })
    }

    /// Containers of a pod that have begun, and whose links do not exist yet: the newest log file of each is no link's target.
    pub(super) fn begun(
        &self,
        pods: &Path,
        links: &Path,
        uid: &str,
        failures: &mut Vec<SourceError>,
    ) -> Vec<ContainerName> {
        let mut known = self.pods.iter().filter_map(|name| Some((name, pod_folder(name)?)));
        let Some((name, pod)) = known.find(|(_, pod)| *pod.uid == *uid) else { return Vec::new() };
        let newest = newest_logs(&pods.join(name), failures);
        // The kubelet cuts long names.
        let of_pod = format!("{}_{}_", pod.pod, pod.namespace);
        let is_of_pod = |name: &&String| name.starts_with(&of_pod) || name.len() >= MAY_BE_CUT;
        let targets =
            self.links.iter().filter(is_of_pod).filter_map(|name| fs::read_link(links.join(name)).ok());
        let targets: Vec<PathBuf> = targets.collect();
        let targets: Vec<LogFile<'_>> =
            targets.iter().filter_map(|target| LogFile::at(target.to_str()?)).collect();
        let logs = newest.iter().filter_map(|path| LogFile::at(path));
        logs.filter(|log| !targets.contains(log)).filter_map(|log| log.container_name()).collect()
    }

    /// Lists the folders of pods. Returns what has changed since the last list.
    pub(super) fn list_pods(
        &mut self,
        folder: &Path,
        failures: &mut Vec<SourceError>,
    ) -> Result<Vec<NameReport>, SourceError> {
        let there = names(folder, failures)?;
        let gone: Vec<String> = self.pods.difference(&there).cloned().collect();
        let ends = gone.iter().filter_map(|name| self.pod_gone(name));
        let mut reports: Vec<NameReport> = ends.collect();
        reports.extend(there.iter().filter_map(|name| self.pod(name)));
        Ok(reports)
    }

    /// As [`Self::list_pods`], for the links of containers.
    pub(super) fn list_links(
        &mut self,
        folder: &Path,
        failures: &mut Vec<SourceError>,
    ) -> Result<Vec<NameReport>, SourceError> {
        let there = names(folder, failures)?;
        let gone: Vec<String> = self.links.difference(&there).cloned().collect();
        let ends = gone.iter().filter_map(|name| self.link_gone(name));
        let mut reports: Vec<NameReport> = ends.collect();
        reports.extend(there.iter().filter_map(|name| self.link(folder, name, failures)));
        Ok(reports)
    }
}

/// Paths of the newest log file of each container of a pod.
fn newest_logs(pod: &Path, failures: &mut Vec<SourceError>) -> Vec<String> {
    let mut list = |folder: &Path| {
        names(folder, failures).unwrap_or_else(|error| {
            failures.push(error);
            HashSet::new()
        })
    };
    let containers = list(pod);
    let mut newest = Vec::new();
    for container in containers {
        let folder = pod.join(container);
        let last = list(&folder).into_iter().max_by_key(|name| restarts(name));
        newest.extend(last.and_then(|name| folder.join(name).into_os_string().into_string().ok()));
    }
    newest
}

/// Names in a folder, as many as are kept.
fn names(folder: &Path, failures: &mut Vec<SourceError>) -> Result<HashSet<String>, SourceError> {
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => {
            SourceError::unavailable(format!("no folder at {}", folder.display()), FIX)
        }
        _ => SourceError::transient(format!("list {}", folder.display()), error),
    };
    let entries = fs::read_dir(folder).map_err(failed)?;
    let name = |entry: io::Result<DirEntry>| Ok(entry.map_err(failed)?.file_name().into_string().ok());
    let mut there: HashSet<String> =
        entries.take(ROOM + 1).filter_map(|entry| name(entry).transpose()).collect::<Result<_, _>>()?;
    if there.len() > ROOM {
        failures.push(too_many(folder));
        if let Some(last) = there.iter().next().cloned() {
            there.remove(&last);
        }
    }
    Ok(there)
}
