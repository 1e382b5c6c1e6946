//! Messages of the Container Runtime Interface, as far as a pod on the host's network needs them.
//!
//! Field numbers are those of `runtime.v1` in Kubernetes' `cri-api`.

use std::collections::BTreeMap;

use prost::Message;

/// A request or an answer without fields that matter here.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Empty {}

/// Answer of `Version`.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct VersionResponse {
    /// Name of the runtime: `containerd`.
    #[prost(string, tag = "2")]
    pub runtime_name: String,
    /// Its own version.
    #[prost(string, tag = "3")]
    pub runtime_version: String,
}

/// Namespaces of a pod or container: 0 the pod's, 1 its own, 2 the host's.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct NamespaceOption {
    /// Network.
    #[prost(int32, tag = "1")]
    pub network: i32,
    /// Process numbers.
    #[prost(int32, tag = "2")]
    pub pid: i32,
}

/// Number of the host's namespace in [`NamespaceOption`].
pub const OF_HOST: i32 = 2;

/// Number of a namespace of the container's own in [`NamespaceOption`].
pub const OF_CONTAINER: i32 = 1;

/// Security of a sandbox.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct LinuxSandboxSecurityContext {
    /// Namespaces.
    #[prost(message, optional, tag = "1")]
    pub namespace_options: Option<NamespaceOption>,
}

/// The Linux part of a sandbox.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct LinuxPodSandboxConfig {
    /// The pod's cgroup.
    #[prost(string, tag = "1")]
    pub cgroup_parent: String,
    /// Security.
    #[prost(message, optional, tag = "2")]
    pub security_context: Option<LinuxSandboxSecurityContext>,
}

/// Identity of a pod.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct PodSandboxMetadata {
    /// Name of the pod.
    #[prost(string, tag = "1")]
    pub name: String,
    /// Uid of the pod.
    #[prost(string, tag = "2")]
    pub uid: String,
    /// Namespace of the pod.
    #[prost(string, tag = "3")]
    pub namespace: String,
}

/// A pod to make.
#[derive(Clone, PartialEq, Message)]
pub struct PodSandboxConfig {
    /// Identity.
    #[prost(message, optional, tag = "1")]
    pub metadata: Option<PodSandboxMetadata>,
    /// Folder of its logs.
    #[prost(string, tag = "3")]
    pub log_directory: String,
    /// Labels, those of the kubelet included.
    #[prost(btree_map = "string, string", tag = "6")]
    pub labels: BTreeMap<String, String>,
    /// The Linux part.
    #[prost(message, optional, tag = "8")]
    pub linux: Option<LinuxPodSandboxConfig>,
}

/// Request of `RunPodSandbox`.
#[derive(Clone, PartialEq, Message)]
pub struct RunPodSandboxRequest {
    /// The pod.
    #[prost(message, optional, tag = "1")]
    pub config: Option<PodSandboxConfig>,
}

/// Requests and answers that have only an id: of a sandbox or of a container.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct Id {
    /// The id.
    #[prost(string, tag = "1")]
    pub id: String,
}

/// An image by its name.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct ImageSpec {
    /// Name with registry and tag.
    #[prost(string, tag = "1")]
    pub image: String,
}

/// Identity of a container in its pod.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct ContainerMetadata {
    /// Name in the pod's specification.
    #[prost(string, tag = "1")]
    pub name: String,
    /// Number of restarts.
    #[prost(uint32, tag = "2")]
    pub attempt: u32,
}

/// Resources of a container.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct LinuxContainerResources {
    /// Shares of CPU time.
    #[prost(int64, tag = "3")]
    pub cpu_shares: i64,
}

/// Security of a container.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct LinuxContainerSecurityContext {
    /// Namespaces.
    #[prost(message, optional, tag = "3")]
    pub namespace_options: Option<NamespaceOption>,
}

/// The Linux part of a container.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct LinuxContainerConfig {
    /// Resources.
    #[prost(message, optional, tag = "1")]
    pub resources: Option<LinuxContainerResources>,
    /// Security.
    #[prost(message, optional, tag = "2")]
    pub security_context: Option<LinuxContainerSecurityContext>,
}

/// A container to make.
#[derive(Clone, PartialEq, Message)]
pub struct ContainerConfig {
    /// Identity.
    #[prost(message, optional, tag = "1")]
    pub metadata: Option<ContainerMetadata>,
    /// Image.
    #[prost(message, optional, tag = "2")]
    pub image: Option<ImageSpec>,
    /// Program and arguments.
    #[prost(string, repeated, tag = "3")]
    pub command: Vec<String>,
    /// Labels of the kubelet.
    #[prost(btree_map = "string, string", tag = "9")]
    pub labels: BTreeMap<String, String>,
    /// Path of the log, in the pod's folder.
    #[prost(string, tag = "11")]
    pub log_path: String,
    /// The Linux part.
    #[prost(message, optional, tag = "15")]
    pub linux: Option<LinuxContainerConfig>,
}

/// Request of `CreateContainer`.
#[derive(Clone, PartialEq, Message)]
pub struct CreateContainerRequest {
    /// Id of the sandbox.
    #[prost(string, tag = "1")]
    pub pod_sandbox_id: String,
    /// The container.
    #[prost(message, optional, tag = "2")]
    pub config: Option<ContainerConfig>,
    /// The pod, as in `RunPodSandbox`.
    #[prost(message, optional, tag = "3")]
    pub sandbox_config: Option<PodSandboxConfig>,
}

/// Request of `StopContainer`.
#[derive(Clone, PartialEq, Eq, Message)]
pub struct StopContainerRequest {
    /// Id of the container.
    #[prost(string, tag = "1")]
    pub container_id: String,
    /// Seconds between SIGTERM and SIGKILL.
    #[prost(int64, tag = "2")]
    pub timeout: i64,
}

/// A sandbox of `ListPodSandbox`.
#[derive(Clone, PartialEq, Message)]
pub struct PodSandbox {
    /// Id of the sandbox.
    #[prost(string, tag = "1")]
    pub id: String,
    /// Identity of the pod.
    #[prost(message, optional, tag = "2")]
    pub metadata: Option<PodSandboxMetadata>,
    /// Labels of the pod.
    #[prost(btree_map = "string, string", tag = "5")]
    pub labels: BTreeMap<String, String>,
}

/// Answer of `ListPodSandbox`.
#[derive(Clone, PartialEq, Message)]
pub struct ListPodSandboxResponse {
    /// All sandboxes.
    #[prost(message, repeated, tag = "1")]
    pub items: Vec<PodSandbox>,
}

/// A container of `ListContainers`.
#[derive(Clone, PartialEq, Message)]
pub struct Container {
    /// Id of the container.
    #[prost(string, tag = "1")]
    pub id: String,
    /// Id of its sandbox.
    #[prost(string, tag = "2")]
    pub pod_sandbox_id: String,
    /// Identity in its pod.
    #[prost(message, optional, tag = "3")]
    pub metadata: Option<ContainerMetadata>,
    /// Image.
    #[prost(message, optional, tag = "4")]
    pub image: Option<ImageSpec>,
}

/// Answer of `ListContainers`.
#[derive(Clone, PartialEq, Message)]
pub struct ListContainersResponse {
    /// All containers.
    #[prost(message, repeated, tag = "1")]
    pub containers: Vec<Container>,
}
