//! Reads labels, images and names of pods' containers from a container runtime, by the Container Runtime Interface (CRI).
//!
//! Only containers that the agent has seen are asked for, by their ids, once. No list of all, no events, and never on behalf of a scrape.

mod client;
mod messages;
mod waiting;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use agent_core::identity::directory::ContainerFacts;
use agent_core::identity::kubernetes::ContainerName;
use agent_core::model::workload::KubernetesNames;
use client::Client;
use messages::{Container, Sandbox};
use tokio::sync::mpsc;
use waiting::Waiting;

use crate::source::identity::docker::{EngineEvent, own_labels};
use crate::source::{SourceError, look_for_socket};

/// Name as a source.
pub(crate) const SOURCE: &str = "cri";

/// The value of `containers.cri_socket` with which the socket is searched for.
pub(crate) const AUTO: &str = "auto";

/// Sockets of containerd, k3s and rke2, microk8s, k0s, CRI-O and cri-dockerd.
pub(crate) const SOCKETS: [&str; 6] = [
    "/run/containerd/containerd.sock",
    "/run/k3s/containerd/containerd.sock",
    "/var/snap/microk8s/common/run/containerd.sock",
    "/run/k0s/containerd.sock",
    "/run/crio/crio.sock",
    "/run/cri-dockerd.sock",
];

/// Most containers that wait for an answer. Of more, the first ones are dropped.
const ROOM: usize = 4096;

/// Time between two attempts to describe a container, and between two to reach the runtime.
const RETRY: Duration = Duration::from_secs(1);

/// Labels that name files of the host. Users who may create pods must not choose such files.
const REFUSED: [&str; 2] = ["reference", "output"];

/// Makes a sender and a receiver of ids.
pub(crate) fn requests() -> (ContainerRequest, ContainerRequests) {
    let (sender, receiver) = mpsc::channel(ROOM);
    (ContainerRequest(sender), ContainerRequests(receiver))
}

/// Sender of ids of containers that are to be described.
#[derive(Clone, Debug)]
pub(crate) struct ContainerRequest(mpsc::Sender<String>);

impl ContainerRequest {
    /// Requests the description of a container.
    pub(crate) fn send(&self, id: String) {
        // A full channel means a runtime that has not answered for thousands of containers: this one stays without labels.
        let _ = self.0.try_send(id);
    }
}

/// Receiver of ids.
#[derive(Debug)]
pub(crate) struct ContainerRequests(mpsc::Receiver<String>);

/// The socket that is used, now.
fn socket(setting: &Path) -> Result<PathBuf, SourceError> {
    const HINT: &str = "start the container runtime, or set its socket with --containers.cri-socket";
    if setting != Path::new(AUTO) {
        return look_for_socket(setting, HINT).map(|()| setting.to_path_buf());
    }
    let mut unusable = None;
    for path in SOCKETS.map(Path::new) {
        match look_for_socket(path, HINT) {
            Ok(()) => return Ok(path.to_path_buf()),
            Err(SourceError::Unavailable { .. }) => {}
            Err(error) => unusable = Some(error),
        }
    }
    Err(unusable
        .unwrap_or_else(|| SourceError::unavailable(format!("no socket at {}", SOCKETS.join(", ")), HINT)))
}

/// Name, version and socket of the runtime, for `check`.
pub(crate) async fn probe(setting: &Path) -> Result<String, SourceError> {
    let client = Client::connect(socket(setting)?).await?;
    let version = client.version().await?;
    Ok(format!("{} {} at {}", version.runtime_name, version.runtime_version, client.socket().display()))
}

/// Describes requested containers until `tell` returns that there is no receiver, or the pipeline has ended.
pub(crate) async fn follow(
    setting: PathBuf,
    mut requests: ContainerRequests,
    tell: impl Fn(EngineEvent) -> bool,
) {
    let mut waiting = Waiting::default();
    let mut is_up = None;
    loop {
        let reached = if waiting.is_empty() && is_up == Some(true) {
            Ok(())
        } else {
            describe_all(&setting, &mut waiting, &tell).await
        };
        let event = match reached {
            Ok(()) if is_up == Some(true) => None,
            Ok(()) => Some(EngineEvent::Up),
            Err(error) => Some(EngineEvent::Down(error)),
        };
        if let Some(event) = event {
            is_up = Some(matches!(event, EngineEvent::Up));
            if !tell(event) {
                return;
            }
        }
        // Containers of a moment ago are asked for again a moment later.
        let patience = if waiting.is_empty() && is_up == Some(true) { Duration::MAX } else { RETRY };
        match tokio::time::timeout(patience, requests.0.recv()).await {
            Ok(Some(id)) => waiting.add(id),
            Ok(None) => return,
            Err(_) => {}
        }
        while let Ok(id) = requests.0.try_recv() {
            waiting.add(id);
        }
    }
}

/// Asks once for every container that waits, or only whether the runtime answers.
async fn describe_all(
    setting: &Path,
    waiting: &mut Waiting,
    tell: &impl Fn(EngineEvent) -> bool,
) -> Result<(), SourceError> {
    let client = Client::connect(socket(setting)?).await?;
    if waiting.is_empty() {
        client.version().await?;
    }
    let described = |id, facts| {
        tell(EngineEvent::Described { id, facts });
    };
    waiting.ask(|id| describe(client.clone(), id), described).await
}

/// What the runtime knows of a container or sandbox.
async fn describe(client: Client, id: String) -> Result<Option<ContainerFacts>, SourceError> {
    match client.container(&id).await? {
        Some(container) => {
            let sandbox = client.sandbox(&container.pod_sandbox_id).await?;
            Ok(Some(facts_of(&id, sandbox.as_ref(), Some(&container))))
        }
        None => Ok(client.sandbox(&id).await?.map(|sandbox| facts_of(&id, Some(&sandbox), None))),
    }
}

/// Facts by the answers. Labels of the container win over annotations of the pod, and those over labels of the pod.
fn facts_of(id: &str, sandbox: Option<&Sandbox>, container: Option<&Container>) -> ContainerFacts {
    let of_pod = sandbox.into_iter().flat_map(|sandbox| [&sandbox.labels, &sandbox.annotations]);
    let own = container.into_iter().flat_map(|container| [&container.annotations, &container.labels]);
    let all: BTreeMap<String, String> =
        of_pod.chain(own).flatten().map(|(k, v)| (k.clone(), v.clone())).collect();
    let mut labels = own_labels(all);
    labels.retain(|key, _| !REFUSED.contains(&key.as_str()));
    let image = container.and_then(|container| container.image.as_ref()).map(|image| {
        if image.user_specified_image.is_empty() { &image.image } else { &image.user_specified_image }
    });
    let names = sandbox.and_then(|sandbox| sandbox.metadata.as_ref()).and_then(|pod| {
        let container = match container {
            Some(container) => container.metadata.as_ref()?.name.as_str(),
            None => KubernetesNames::OVERHEAD,
        };
        ContainerName::new(id, Some(&pod.uid), &pod.namespace, &pod.name, container)
    });
    ContainerFacts {
        engine: None,
        name: String::new(),
        image: image.filter(|image| !image.is_empty()).cloned(),
        labels,
        kubernetes: names,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::identity::cri::messages::{ContainerMetadata, Image, PodMetadata};

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    fn sandbox() -> Sandbox {
        Sandbox {
            id: "aa".repeat(32),
            metadata: Some(PodMetadata {
                name: "live-0".into(),
                uid: "0f1d4b1e-3c55-4a3e-9d0a-5b7c2f6a9e11".into(),
                namespace: "video".into(),
            }),
            labels: map(&[("ffwatt.scenario", "of the pod"), ("ffwatt.ladder", "hd"), ("app", "live")]),
            annotations: map(&[("ffwatt.reference", "/etc/shadow")]),
        }
    }

    #[test]
    fn a_container_has_its_image_its_names_and_the_labels_of_both() {
        let container = Container {
            id: "bb".repeat(32),
            pod_sandbox_id: "aa".repeat(32),
            metadata: Some(ContainerMetadata { name: "encode".into() }),
            image: Some(Image { image: "sha256:0123".into(), user_specified_image: "encoder:7".into() }),
            labels: map(&[("ffwatt.scenario", "its own")]),
            annotations: BTreeMap::new(),
        };
        let facts = facts_of(&container.id, Some(&sandbox()), Some(&container));
        assert_eq!(
            facts.labels,
            map(&[("scenario", "its own"), ("ladder", "hd")]),
            "and no path of the host"
        );
        assert_eq!(facts.image.as_deref(), Some("encoder:7"));
        let names = facts.kubernetes.unwrap().names;
        assert_eq!([&*names.namespace, &*names.pod, &*names.container], ["video", "live-0", "encode"]);
    }

    #[test]
    fn a_sandbox_is_the_overhead_and_names_that_are_none_are_left_out() {
        let facts = facts_of(&"aa".repeat(32), Some(&sandbox()), None);
        assert_eq!(&*facts.kubernetes.unwrap().names.container, KubernetesNames::OVERHEAD);
        let mut odd = sandbox();
        odd.metadata.as_mut().unwrap().name = "No Such Name".into();
        assert_eq!(facts_of(&odd.id, Some(&odd), None).kubernetes, None);
    }

    #[tokio::test]
    async fn an_answer_that_is_none_is_an_error_that_names_the_call() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("cri.sock");
        let listener = tokio::net::UnixListener::bind(&socket).unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let _ =
                    tokio::io::AsyncWriteExt::write_all(&mut stream, b"HTTP/1.1 200 OK\r\n\r\nhello").await;
            }
        });
        let error = probe(&socket).await.unwrap_err().chain();
        assert!(error.contains("Version of the container runtime"), "{error}");
    }

    #[test]
    fn a_missing_socket_says_where_it_was_looked_for() {
        let error = socket(Path::new("/no/such.sock")).unwrap_err();
        assert!(error.chain().contains("/no/such.sock") && error.hint().contains("cri-socket"));
    }
}
