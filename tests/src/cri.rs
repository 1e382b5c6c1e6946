//! Calls a container runtime by the Container Runtime Interface (gRPC over a unix socket), as a kubelet does.

pub mod messages;

use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http2;
use hyper::{Request, header};
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message;
use tokio::net::UnixStream;
use tokio::runtime::{Builder, Runtime};

use messages::{
    Container, CreateContainerRequest, Empty, Id, ListContainersResponse, ListPodSandboxResponse, PodSandbox,
    PodSandboxConfig, RunPodSandboxRequest, StopContainerRequest, VersionResponse,
};

/// Bytes before a message of gRPC: a flag of its compression, and its length.
const PREFIX: usize = 5;

/// Seconds between SIGTERM and SIGKILL of a container: its shell does not end by SIGTERM.
const STOP_TIMEOUT: i64 = 0;

/// A runtime at a socket. Each call has a connection of its own.
#[derive(Debug)]
pub struct Cri {
    socket: PathBuf,
    runtime: Runtime,
}

impl Cri {
    /// The runtime at this socket.
    pub fn new(socket: &Path) -> anyhow::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build().context("cannot make a runtime")?;
        Ok(Self { socket: socket.to_path_buf(), runtime })
    }

    /// Name and version of the runtime.
    pub fn version(&self) -> anyhow::Result<VersionResponse> {
        self.call("Version", &Empty {})
    }

    /// Makes a pod; returns the id of its sandbox.
    pub fn run_pod(&self, config: &PodSandboxConfig) -> anyhow::Result<String> {
        let made: Id = self.call("RunPodSandbox", &RunPodSandboxRequest { config: Some(config.clone()) })?;
        Ok(made.id)
    }

    /// Ends and removes a pod with all its containers.
    pub fn remove_pod(&self, sandbox: &str) -> anyhow::Result<()> {
        let id = Id { id: sandbox.to_owned() };
        self.call::<Empty>("StopPodSandbox", &id)?;
        self.call::<Empty>("RemovePodSandbox", &id).map(drop)
    }

    /// Makes a container; returns its id.
    pub fn create_container(&self, request: &CreateContainerRequest) -> anyhow::Result<String> {
        self.call::<Id>("CreateContainer", request).map(|made| made.id)
    }

    /// Starts a container.
    pub fn start_container(&self, container: &str) -> anyhow::Result<()> {
        self.call::<Empty>("StartContainer", &Id { id: container.to_owned() }).map(drop)
    }

    /// Ends and removes a container.
    pub fn remove_container(&self, container: &str) -> anyhow::Result<()> {
        let stop = StopContainerRequest { container_id: container.to_owned(), timeout: STOP_TIMEOUT };
        self.call::<Empty>("StopContainer", &stop)?;
        self.call::<Empty>("RemoveContainer", &Id { id: container.to_owned() }).map(drop)
    }

    /// All pods.
    pub fn pods(&self) -> anyhow::Result<Vec<PodSandbox>> {
        self.call::<ListPodSandboxResponse>("ListPodSandbox", &Empty {}).map(|list| list.items)
    }

    /// All containers.
    pub fn containers(&self) -> anyhow::Result<Vec<Container>> {
        self.call::<ListContainersResponse>("ListContainers", &Empty {}).map(|list| list.containers)
    }

    fn call<Answer: Message + Default>(
        &self,
        method: &str,
        question: &impl Message,
    ) -> anyhow::Result<Answer> {
        let bytes = self
            .runtime
            .block_on(exchange(&self.socket, method, framed(question)?))
            .with_context(|| format!("{method} at {}", self.socket.display()))?;
        let message = bytes.get(PREFIX..).with_context(|| format!("{method} has no answer"))?;
        Answer::decode(message).with_context(|| format!("{method} has an answer that cannot be decoded"))
    }
}

/// A message with its prefix: not compressed, and its length.
fn framed(message: &impl Message) -> anyhow::Result<Vec<u8>> {
    let mut bytes = vec![0];
    bytes.extend(u32::try_from(message.encoded_len())?.to_be_bytes());
    message.encode(&mut bytes)?;
    Ok(bytes)
}

async fn exchange(socket: &Path, method: &str, question: Vec<u8>) -> anyhow::Result<Bytes> {
    let stream = UnixStream::connect(socket).await.context("cannot connect")?;
    let (mut client, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    let request = Request::post(format!("http://localhost/runtime.v1.RuntimeService/{method}"))
        .header(header::CONTENT_TYPE, "application/grpc")
        .header(header::TE, "trailers")
        .body(Full::new(Bytes::from(question)))?;
    let answer = client.send_request(request).await?;
    ensure!(answer.status().is_success(), "status {}", answer.status());
    // A call that fails has its status in the headers, every other one behind the message.
    let head = answer.headers().clone();
    let body = answer.into_body().collect().await?;
    let trailers = body.trailers().cloned().unwrap_or_default();
    let text = |name: &str| {
        let value = trailers.get(name).or_else(|| head.get(name));
        value.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
    };
    match text("grpc-status").as_deref() {
        Some("0") => {}
        status => bail!("gRPC status {status:?}: {}", text("grpc-message").unwrap_or_default()),
    }
    drop(client);
    connection.abort();
    Ok(body.to_bytes())
}
