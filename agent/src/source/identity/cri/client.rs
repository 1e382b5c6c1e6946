//! Calls a container runtime by gRPC over its unix socket: three calls that only read.

use std::path::{Path, PathBuf};
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http2;
use hyper::{HeaderMap, Request, header};
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message;
use tokio::net::UnixStream;

use super::messages::{
    Container, Containers, Filter, ListRequest, Sandbox, Sandboxes, VersionRequest, VersionResponse,
};
use crate::source::SourceError;

/// All calls that the agent can make: none of them changes anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Call {
    Version,
    ListContainers,
    ListPodSandbox,
}

impl Call {
    /// The name in the service `runtime.v1.RuntimeService`.
    fn name(self) -> &'static str {
        match self {
            Self::Version => "Version",
            Self::ListContainers => "ListContainers",
            Self::ListPodSandbox => "ListPodSandbox",
        }
    }
}

/// Time limit of one call.
const LONGEST_CALL: Duration = Duration::from_secs(10);

/// Bytes before a message of gRPC: the flag of its compression, and its length.
const PREFIX: usize = 5;

/// Largest answer that is read: one container, or one sandbox.
const LARGEST_ANSWER: usize = 4 << 20;

/// A runtime at a socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Client {
    pub(super) socket: PathBuf,
}

impl Client {
    pub(super) async fn version(&self) -> Result<VersionResponse, SourceError> {
        self.call(Call::Version, &VersionRequest {}).await
    }

    /// A container by its full id; `None` where the runtime does not know it.
    pub(super) async fn container(&self, id: &str) -> Result<Option<Container>, SourceError> {
        let all: Containers = self.call(Call::ListContainers, &by_id(id)).await?;
        Ok(all.containers.into_iter().find(|container| container.id == id))
    }

    /// A sandbox by its full id; `None` where the runtime does not know it.
    pub(super) async fn sandbox(&self, id: &str) -> Result<Option<Sandbox>, SourceError> {
        let all: Sandboxes = self.call(Call::ListPodSandbox, &by_id(id)).await?;
        Ok(all.items.into_iter().find(|sandbox| sandbox.id == id))
    }

    async fn call<Answer: Message + Default>(
        &self,
        call: Call,
        question: &impl Message,
    ) -> Result<Answer, SourceError> {
        let method = call.name();
        let failed = |why: String| SourceError::broken(format!("{method} of the container runtime {why}"));
        let call = exchange(&self.socket, method, question);
        let answer = match tokio::time::timeout(LONGEST_CALL, call).await {
            Ok(answer) => answer?,
            Err(_) => return Err(failed(format!("has no answer in {} s", LONGEST_CALL.as_secs()))),
        };
        let message = answer.get(PREFIX..).unwrap_or_default();
        Answer::decode(message).map_err(|error| failed(format!("has an answer that cannot be read: {error}")))
    }
}

fn by_id(id: &str) -> ListRequest {
    ListRequest { filter: Some(Filter { id: id.to_owned() }) }
}

/// A message with its prefix: not compressed, and its length.
fn framed(message: &impl Message) -> Bytes {
    let body = message.encode_to_vec();
    let length = u32::try_from(body.len()).unwrap_or(u32::MAX).to_be_bytes();
    [&[0], &length[..], &body[..]].concat().into()
}

async fn exchange(socket: &Path, method: &str, question: &impl Message) -> Result<Bytes, SourceError> {
    let doing = || format!("{method} of the container runtime at {}", socket.display());
    let broken = |error: &dyn std::fmt::Display| SourceError::broken(format!("{}: {error}", doing()));
    let stream = UnixStream::connect(socket).await.map_err(|error| SourceError::transient(doing(), error))?;
    let (mut client, connection) =
        http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.map_err(|error| broken(&error))?;
    // It ends when the client is dropped.
    tokio::spawn(connection);
    let request = Request::post(format!("http://localhost/runtime.v1.RuntimeService/{method}"))
        .header(header::CONTENT_TYPE, "application/grpc")
        .header(header::TE, "trailers")
        .body(Full::new(framed(question)))
        .map_err(|error| broken(&error))?;
    let answer = client.send_request(request).await.map_err(|error| broken(&error))?;
    // A call that fails has its status in the headers, every other one behind the message.
    let head = answer.headers().clone();
    let body =
        Limited::new(answer.into_body(), LARGEST_ANSWER).collect().await.map_err(|error| broken(&error))?;
    let trailers = body.trailers().cloned().unwrap_or_default();
    match status(&trailers).or_else(|| status(&head)) {
        Some(("0", _)) => Ok(body.to_bytes()),
        Some((code, why)) => Err(broken(&format!("gRPC status {code} {why}"))),
        None => Err(broken(&"it is no answer of gRPC")),
    }
}

/// Code and message of a call's end (`grpc/doc/PROTOCOL-HTTP2.md`).
fn status(headers: &HeaderMap) -> Option<(&str, &str)> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    Some((text("grpc-status")?, text("grpc-message").unwrap_or_default()))
}
