//! Reads names, images and labels of containers from Docker's or Podman's socket.
//!
//! The list once, then the stream of events; both again after the engine was not reachable, stopped or restarted. Only read requests
//! are made, and never on behalf of a scrape.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use agent_core::identity::directory::ContainerFacts;
use agent_core::identity::kubernetes::ContainerName;
use agent_core::model::workload::KubernetesNames;
use bollard::models::{ContainerSummary, EventMessage};
use bollard::query_parameters::{EventsOptionsBuilder, ListContainersOptionsBuilder};
use bollard::{API_DEFAULT_VERSION, Docker};
use futures_util::StreamExt;

use crate::clock::{Clock, SystemClock};
use crate::error::chain;
use crate::source::{SourceError, look_for_socket};

/// Time limit of one request.
const REQUEST_TIMEOUT_SECONDS: u64 = 10;

/// Time between two attempts to reach an engine: a container that starts right after its engine is named within this time.
const RETRY: Duration = Duration::from_secs(2);

/// A container engine and its socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Engine {
    /// Its name as a source: `docker` or `podman`.
    pub name: &'static str,
    pub socket: PathBuf,
}

/// An event of an engine.
#[derive(Debug)]
pub enum EngineEvent {
    /// The engine answers: its events follow.
    Up,
    /// The engine does not answer, or no longer.
    Down(SourceError),
    /// A container exists.
    Known {
        /// Its full id.
        id: String,
        /// The engine's description of the container.
        facts: ContainerFacts,
    },
    /// A container that the agent has asked for.
    Described {
        /// Its full id.
        id: String,
        /// The runtime's description of the container.
        facts: ContainerFacts,
    },
    /// A container was renamed.
    Renamed {
        /// Its full id.
        id: String,
        /// Its new name.
        name: String,
    },
    /// A container was removed.
    Removed {
        /// Its full id.
        id: String,
    },
}

/// Follows an engine for ever, whether it runs or not. Ends when `tell` returns that there is no receiver.
pub(crate) async fn listen(engine: Engine, tell: impl Fn(EngineEvent) -> bool) {
    loop {
        let error = match connect(&engine.socket).await {
            Ok(docker) => match hear(&docker, &tell).await {
                Ok(()) => return,
                Err(error) => error,
            },
            Err(error) => error,
        };
        if !tell(EngineEvent::Down(error)) {
            return;
        }
        tokio::time::sleep(RETRY).await;
    }
}

/// Whether an engine answers, for `check`.
pub(crate) async fn probe(socket: &Path) -> Result<String, SourceError> {
    let docker = connect(socket).await?;
    let version = docker.version().await.map_err(|error| failed("ask the engine's version", &error))?;
    Ok(version.version.unwrap_or_else(|| "of unknown version".to_owned()))
}

async fn connect(socket: &Path) -> Result<Docker, SourceError> {
    look_for_socket(
        socket,
        "start the engine, or set its socket with [containers] docker_socket / podman_socket",
    )?;
    let path = socket.to_string_lossy();
    let docker = Docker::connect_with_unix(&path, REQUEST_TIMEOUT_SECONDS, API_DEFAULT_VERSION)
        .map_err(|error| failed("connect to the engine", &error))?;
    // An engine older than the library refuses the library's own version of the API.
    docker.negotiate_version().await.map_err(|error| failed(&format!("reach the engine at {path}"), &error))
}

/// `Ok` when there is no receiver any more.
async fn hear(docker: &Docker, tell: &impl Fn(EngineEvent) -> bool) -> Result<(), SourceError> {
    // The engine repeats its events from here on, so no event is lost between the list and the stream.
    let since = SystemClock.wall().0 as u64;
    let all = ListContainersOptionsBuilder::default().all(true).build();
    let listed =
        docker.list_containers(Some(all)).await.map_err(|error| failed("list the containers", &error))?;
    let known =
        listed.into_iter().filter_map(listed_facts).map(|(id, facts)| EngineEvent::Known { id, facts });
    if !std::iter::once(EngineEvent::Up).chain(known).all(tell) {
        return Ok(());
    }
    let filters: HashMap<&str, Vec<&str>> =
        [("type", vec!["container"]), ("event", vec!["create", "start", "rename", "destroy"])].into();
    let options = EventsOptionsBuilder::default().since(&since.to_string()).filters(&filters).build();
    let mut events = Box::pin(docker.events(Some(options)));
    while let Some(event) = events.next().await {
        let event = event.map_err(|error| failed("receive the engine's events", &error))?;
        if let Some(event) = translate(event)
            && !tell(event)
        {
            return Ok(());
        }
    }
    Err(SourceError::unavailable("the engine closed its event stream", "start the engine"))
}

/// Parses an engine's list of containers, as it is on the wire.
pub fn read_list(json: &[u8]) -> Result<Vec<(String, ContainerFacts)>, serde_json::Error> {
    let listed: Vec<ContainerSummary> = serde_json::from_slice(json)?;
    Ok(listed.into_iter().filter_map(listed_facts).collect())
}

/// Parses an engine's event, as it is on the wire.
pub fn read_event(json: &[u8]) -> Result<Option<EngineEvent>, serde_json::Error> {
    serde_json::from_slice(json).map(translate)
}

fn listed_facts(container: ContainerSummary) -> Option<(String, ContainerFacts)> {
    let name = container.names.unwrap_or_default().into_iter().next().unwrap_or_default();
    let (id, labels) = (container.id?, container.labels.unwrap_or_default());
    let facts = ContainerFacts {
        engine: None,
        name: name.trim_start_matches('/').to_owned(),
        image: container.image,
        kubernetes: in_kubernetes(&id, &labels),
        labels: own_labels(labels),
    };
    Some((id, facts))
}

fn translate(event: EventMessage) -> Option<EngineEvent> {
    let actor = event.actor?;
    let id = actor.id?;
    let mut attributes = actor.attributes.unwrap_or_default();
    let name = attributes.remove("name").unwrap_or_default();
    match event.action?.as_str() {
        // The attributes of an event include the container's labels.
        "create" | "start" => {
            let image = attributes.remove("image");
            let kubernetes = in_kubernetes(&id, &attributes);
            let labels = own_labels(attributes);
            Some(EngineEvent::Known {
                id,
                facts: ContainerFacts { engine: None, name, image, labels, kubernetes },
            })
        }
        "rename" => Some(EngineEvent::Renamed { id, name: name.trim_start_matches('/').to_owned() }),
        "destroy" => Some(EngineEvent::Removed { id }),
        _ => None,
    }
}

pub(super) fn own_labels(labels: impl IntoIterator<Item = (String, String)>) -> BTreeMap<String, String> {
    labels
        .into_iter()
        .filter_map(|(key, value)| Some((key.strip_prefix("ffwatt.")?.to_owned(), value)))
        .collect()
}

/// Names in Kubernetes, by the labels of the kubelet's Docker shim (`labels.go` of cri-dockerd). It marks the sandbox by a type.
fn in_kubernetes(id: &str, labels: &HashMap<String, String>) -> Option<ContainerName> {
    let label = |name: &str| labels.get(&format!("io.kubernetes.{name}")).map(String::as_str);
    let container = match label("docker.type") {
        Some("podsandbox") => KubernetesNames::OVERHEAD,
        _ => label("container.name")?,
    };
    let (namespace, pod, uid) = (label("pod.namespace")?, label("pod.name")?, label("pod.uid")?);
    ContainerName::new(id, Some(uid), namespace, pod, container)
}

fn failed(doing: &str, error: &bollard::errors::Error) -> SourceError {
    use bollard::errors::Error;
    match error {
        Error::IOError { err } => SourceError::transient(doing, io::Error::new(err.kind(), err.to_string())),
        Error::RequestTimeoutError => SourceError::transient(doing, io::ErrorKind::TimedOut.into()),
        Error::SocketNotFoundError(path) => {
            SourceError::unavailable(format!("no socket at {path}"), "start the engine")
        }
        error => {
            let text = chain(error);
            if text.contains("Permission denied") {
                return SourceError::transient(doing, io::Error::new(io::ErrorKind::PermissionDenied, text));
            }
            SourceError::transient(doing, io::Error::other(text))
        }
    }
}

#[cfg(test)]
mod tests {
    use bollard::models::EventActor;

    use super::*;

    fn event(action: &str, attributes: &[(&str, &str)]) -> EventMessage {
        let attributes =
            attributes.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let actor = EventActor { id: Some("abc".into()), attributes: Some(attributes) };
        EventMessage { action: Some(action.to_owned()), actor: Some(actor), ..EventMessage::default() }
    }

    #[test]
    fn a_start_event_carries_name_image_and_labels() {
        let attributes =
            [("name", "x264"), ("image", "encoder:1"), ("ffwatt.scenario", "ladder"), ("other", "no")];
        let Some(EngineEvent::Known { id, facts }) = translate(event("start", &attributes)) else { panic!() };
        assert_eq!(
            (id.as_str(), facts.name.as_str(), facts.image.as_deref()),
            ("abc", "x264", Some("encoder:1"))
        );
        assert_eq!(facts.labels, [("scenario".to_owned(), "ladder".to_owned())].into());
    }

    #[test]
    fn the_kubelets_labels_are_names_in_kubernetes() {
        let uid = "90d81341-92de-11e7-8cf2-507b9d4141fa";
        let names = |container: &[(&str, &str)]| {
            let pod = [
                ("io.kubernetes.pod.namespace", "default"),
                ("io.kubernetes.pod.name", "web-0"),
                ("io.kubernetes.pod.uid", uid),
                ("name", "k8s_x"),
            ];
            let mut event = event("start", &[&pod[..], container].concat());
            event.actor.as_mut().unwrap().id = Some("0f".repeat(32));
            let Some(EngineEvent::Known { facts, .. }) = translate(event) else { panic!() };
            assert!(facts.labels.is_empty());
            facts.kubernetes.map(|name| name.names.to_string())
        };
        let app = ("io.kubernetes.container.name", "app");
        let kind = |kind| ("io.kubernetes.docker.type", kind);
        assert_eq!(names(&[app, kind("container")]).as_deref(), Some("default/web-0/app"));
        assert_eq!(names(&[app]).as_deref(), Some("default/web-0/app"));
        assert_eq!(names(&[kind("podsandbox")]).as_deref(), Some("default/web-0/POD"));
        assert_eq!(names(&[]), None);
        assert_eq!(names(&[("io.kubernetes.container.name", "any text\n")]), None);
    }

    #[test]
    fn renames_and_removals() {
        let renamed = translate(event("rename", &[("name", "/new"), ("oldName", "/old")]));
        assert!(matches!(renamed, Some(EngineEvent::Renamed { name, .. }) if name == "new"));
        assert!(matches!(translate(event("destroy", &[])), Some(EngineEvent::Removed { .. })));
        assert!(translate(event("exec_create: sh", &[])).is_none());
    }

    #[test]
    fn an_event_about_nothing_is_nothing() {
        assert!(translate(EventMessage::default()).is_none());
    }
}
