//! Calls a container runtime by gRPC over its unix socket: three calls that only read.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http2::{self, SendRequest};
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

/// Status of gRPC of a service that is not ready (`grpc/doc/statuscodes.md`).
const UNAVAILABLE: &str = "14";

/// Time limit of one call.
const LONGEST_CALL: Duration = Duration::from_secs(10);

/// Bytes before a message of gRPC: the flag of its compression, and its length.
const PREFIX: usize = 5;

/// Largest answer that is read: one container, or one sandbox.
const LARGEST_ANSWER: usize = 4 << 20;

/// A connection to a runtime, which ends with its last clone.
#[derive(Clone, Debug)]
pub(super) struct Client {
    socket: PathBuf,
    connection: SendRequest<Full<Bytes>>,
}

impl Client {
    /// Connects to the runtime at a socket.
    pub(super) async fn connect(socket: PathBuf) -> Result<Self, SourceError> {
        let doing = format!("connect to the container runtime at {}", socket.display());
        let connecting = async {
            let stream = UnixStream::connect(&socket).await?;
            http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.map_err(io::Error::other)
        };
        let (client, connection) =
            within(connecting).await.map_err(|error| SourceError::transient(doing, error))?;
        tokio::spawn(connection);
        Ok(Self { socket, connection: client })
    }

    pub(super) fn socket(&self) -> &Path {
        &self.socket
    }

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

    /// Makes a call. [`SourceError::Transient`]: the runtime did not answer. [`SourceError::Broken`]: its answer cannot be used.
    async fn call<Answer: Message + Default>(
        &self,
        call: Call,
        question: &impl Message,
    ) -> Result<Answer, SourceError> {
        let name = format!("{} of the container runtime at {}", call.name(), self.socket.display());
        let request = Request::post(format!("http://localhost/runtime.v1.RuntimeService/{}", call.name()))
            .header(header::CONTENT_TYPE, "application/grpc")
            .header(header::TE, "trailers")
            .body(Full::new(framed(question)))
            .map_err(|error| SourceError::broken(format!("{name}: {error}")))?;
        let mut connection = self.connection.clone();
        let exchange = async {
            let answer = connection.send_request(request).await.map_err(io::Error::other)?;
            let head = answer.headers().clone();
            Ok((head, Limited::new(answer.into_body(), LARGEST_ANSWER).collect().await))
        };
        let unanswered = |error| SourceError::transient(format!("call {name}"), error);
        let (head, body) = within(exchange).await.map_err(unanswered)?;
        let body = match body {
            Err(error) if error.is::<LengthLimitError>() => {
                return Err(SourceError::broken(format!("{name}: the answer has more than 4 MiB")));
            }
            body => body.map_err(|error| unanswered(io::Error::other(error)))?,
        };
        // A call that fails has its status in the headers, every other one behind the message.
        let trailers = body.trailers().cloned().unwrap_or_default();
        match status(&trailers).or_else(|| status(&head)) {
            Some(("0", _)) => {}
            Some((UNAVAILABLE, why)) => {
                return Err(unanswered(io::Error::other(format!("gRPC status {UNAVAILABLE} {why}"))));
            }
            Some((code, why)) => {
                return Err(SourceError::broken(format!("{name} failed: gRPC status {code} {why}")));
            }
            None => return Err(SourceError::broken(format!("{name}: the answer is not gRPC"))),
        }
        let message = body.to_bytes();
        Answer::decode(message.get(PREFIX..).unwrap_or_default())
            .map_err(|error| SourceError::broken(format!("{name}: the answer cannot be read: {error}")))
    }
}

/// Ends an exchange with the runtime at the time limit.
async fn within<T>(exchange: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    match tokio::time::timeout(LONGEST_CALL, exchange).await {
        Ok(result) => result,
        Err(_) => Err(io::Error::new(
            io::ErrorKind::TimedOut,
            format!("there is no answer within {} s", LONGEST_CALL.as_secs()),
        )),
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

/// Code and message of a call's end (`grpc/doc/PROTOCOL-HTTP2.md`).
fn status(headers: &HeaderMap) -> Option<(&str, &str)> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    Some((text("grpc-status")?, text("grpc-message").unwrap_or_default()))
}
