//! Messages of the Container Runtime Interface, as far as names, labels and images of containers need them.
//!
//! Field numbers are those of `runtime.v1` in Kubernetes' `cri-api` (`api.proto`). Unknown fields are skipped.

use std::collections::BTreeMap;

use prost::Message;

/// Request of `Version`.
#[derive(Clone, PartialEq, Eq, Message)]
pub(super) struct VersionRequest {}

/// Answer of `Version`.
#[derive(Clone, PartialEq, Eq, Message)]
pub(super) struct VersionResponse {
    /// `containerd`, `cri-o`, `docker`.
    #[prost(string, tag = "2")]
    pub(super) runtime_name: String,
    #[prost(string, tag = "3")]
    pub(super) runtime_version: String,
}

/// Selects a container, or a sandbox, by its id.
#[derive(Clone, PartialEq, Eq, Message)]
pub(super) struct Filter {
    #[prost(string, tag = "1")]
    pub(super) id: String,
}

/// Request of `ListContainers` and of `ListPodSandbox`.
#[derive(Clone, PartialEq, Eq, Message)]
pub(super) struct ListRequest {
    #[prost(message, optional, tag = "1")]
    pub(super) filter: Option<Filter>,
}

/// Names of a pod.
#[derive(Clone, PartialEq, Eq, Message)]
pub(super) struct PodMetadata {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(string, tag = "2")]
    pub(super) uid: String,
    #[prost(string, tag = "3")]
    pub(super) namespace: String,
}

/// The sandbox of a pod.
#[derive(Clone, PartialEq, Eq, Message)]
pub(super) struct Sandbox {
    #[prost(string, tag = "1")]
    pub(super) id: String,
    #[prost(message, optional, tag = "2")]
    pub(super) metadata: Option<PodMetadata>,
    #[prost(btree_map = "string, string", tag = "5")]
    pub(super) labels: BTreeMap<String, String>,
    #[prost(btree_map = "string, string", tag = "6")]
    pub(super) annotations: BTreeMap<String, String>,
}

/// Answer of `ListPodSandbox`.
#[derive(Clone, PartialEq, Eq, Message)]
pub(super) struct Sandboxes {
    #[prost(message, repeated, tag = "1")]
    pub(super) items: Vec<Sandbox>,
}

/// Name of a container in its pod.
#[derive(Clone, PartialEq, Eq, Message)]
pub(super) struct ContainerMetadata {
    #[prost(string, tag = "1")]
    pub(super) name: String,
}

/// An image, as the pod names it.
#[derive(Clone, PartialEq, Eq, Message)]
pub(super) struct Image {
    #[prost(string, tag = "1")]
    pub(super) image: String,
    /// Since Kubernetes 1.28; `image` may be a digest there.
    #[prost(string, tag = "18")]
    pub(super) user_specified_image: String,
}

/// A container.
#[derive(Clone, PartialEq, Eq, Message)]
pub(super) struct Container {
    #[prost(string, tag = "1")]
    pub(super) id: String,
    #[prost(string, tag = "2")]
    pub(super) pod_sandbox_id: String,
    #[prost(message, optional, tag = "3")]
    pub(super) metadata: Option<ContainerMetadata>,
    #[prost(message, optional, tag = "4")]
    pub(super) image: Option<Image>,
    #[prost(btree_map = "string, string", tag = "8")]
    pub(super) labels: BTreeMap<String, String>,
    #[prost(btree_map = "string, string", tag = "9")]
    pub(super) annotations: BTreeMap<String, String>,
}

/// Answer of `ListContainers`.
#[derive(Clone, PartialEq, Eq, Message)]
pub(super) struct Containers {
    #[prost(message, repeated, tag = "1")]
    pub(super) containers: Vec<Container>,
}
