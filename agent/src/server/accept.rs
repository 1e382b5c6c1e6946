//! Accepts connections within limits of number, time and header size.
//!
//! axum's own loop has no time limit for headers, no TLS and no limit of connections. This one has: a limit of connections for each
//! listener ([`connection_limiter`](super::connection_limiter)), time limits for a handshake and for a request's header, and a limit of
//! the header's size. Before routing, it refuses requests of foreign web pages ([`origin`](super::origin)) and checks passwords.

use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use agent_core::model::progress::Ends;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, Request, Response, StatusCode};
use axum::response::IntoResponse;
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::server::access::{Access, AuthConfig};
use crate::server::connection_limiter::{ActiveRequest, ConnectionLimiter, Permit};
use crate::server::origin::Hosts;
use crate::server::passwords::{Passwords, Verdict};

/// Limit for a TLS handshake, and for the header of a request. A connection that is kept for the next scrape is closed after this time,
/// which is longer than most scrape intervals.
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);

/// Limit for the request line and all headers together. Prometheus sends about 400 bytes.
const LARGEST_HEADER: usize = 16 << 10;

/// Most headers of one request.
const MOST_HEADERS: usize = 64;

/// Most connections of one listener, if the process may open as many files.
const MOST_CONNECTIONS: usize = 256;

/// Connections that have lost their permit and are about to end.
const LEAVING: usize = 8;

/// Open files for everything but connections: maps, programs, counters, the ledger, engines.
const OTHER_FILES: u64 = 256;

/// Pause after a failure to accept (most likely no file is left), in which other connections may end.
const PAUSE: Duration = Duration::from_millis(50);

/// Paths without authentication: their answers are only "yes" or "not yet", and health checks have no passwords.
const OPEN_PATHS: [&str; 4] = ["/health", "/healthz", "/ready", "/-/ready"];

/// Most connections of each of this many listeners; the main one may have twice as many ([`Authenticator::doubled`]). The process's limit
/// of open files is raised as far as that needs, if it may be.
pub(crate) fn connection_limit(listeners: usize) -> usize {
    let listeners = listeners as u64 + 1;
    let wanted = OTHER_FILES + listeners * MOST_CONNECTIONS as u64;
    let limits = getrlimit(Resource::Nofile);
    if limits.current.is_some_and(|current| current < wanted) {
        let current = limits.maximum.map_or(wanted, |maximum| maximum.min(wanted));
        // Where it may not be raised, fewer connections are accepted.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: Some(current), maximum: limits.maximum });
    }
    let may_have = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let each = may_have.saturating_sub(OTHER_FILES) / listeners;
    usize::try_from(each).unwrap_or(MOST_CONNECTIONS).clamp(8, MOST_CONNECTIONS)
}

/// Authentication, allowed hosts and connection limit, which all listeners share.
#[derive(Clone)]
pub struct Authenticator {
    config: AuthConfig,
    passwords: Arc<Passwords>,
    limit: usize,
    hosts: Hosts,
    names: Arc<[String]>,
}

impl Authenticator {
    /// With at most this many connections for each listener; on loopback addresses these names are accepted besides the usual.
    pub fn new(config: AuthConfig, limit: usize, names: &[String]) -> Self {
        let names: Arc<[String]> = names.into();
        let hosts = Hosts::new(Ipv4Addr::LOCALHOST.into(), Arc::clone(&names));
        Self { config, passwords: Arc::new(Passwords::new()), limit, hosts, names }
    }

    /// The same for a listener on this address.
    pub(super) fn at(self, address: IpAddr) -> Self {
        Self { hosts: Hosts::new(address, Arc::clone(&self.names)), ..self }
    }

    /// The same with twice as many connections, because encoders that post and open pages keep theirs for long.
    pub(super) fn doubled(self) -> Self {
        Self { limit: 2 * self.limit, ..self }
    }
}

/// Answers until `stop` is true; then finishes open requests.
pub(super) async fn serve(
    listener: TcpListener,
    router: Router,
    authenticator: Authenticator,
    mut stop: watch::Receiver<bool>,
) {
    let limiter = ConnectionLimiter::new(authenticator.limit);
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stopped(&mut stop) => break,
        };
        match accepted {
            Ok((stream, peer)) => {
                let own = stream.local_addr().ok();
                let permit = limiter.acquire(own.map(|own| Ends { peer, own }));
                let id = permit.id();
                let connection =
                    connection((stream, peer), router.clone(), authenticator.clone(), permit, stop.clone());
                limiter.register(id, connections.spawn(connection));
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                tracing::debug!("cannot accept a connection: {error}");
                tokio::time::sleep(PAUSE).await;
            }
        }
        while connections.try_join_next().is_some() {}
        // Displaced connections have not ended yet; there are never many of them.
        while connections.len() > authenticator.limit + LEAVING && connections.join_next().await.is_some() {}
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

/// An error means that the sender has been dropped: stop as well.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// Serves one connection, from its handshake to its end. Errors of the other side are not logged.
async fn connection(
    (stream, peer): (TcpStream, SocketAddr),
    router: Router,
    authenticator: Authenticator,
    permit: Permit,
    stop: watch::Receiver<bool>,
) {
    // An answer is written at once; without this its end would wait for the client's acknowledgement.
    let _ = stream.set_nodelay(true);
    let tls = authenticator.config.access().tls.clone();
    let Some(tls) = tls else {
        return talk(stream, router, authenticator, permit, stop).await;
    };
    match tokio::time::timeout(HEADER_TIMEOUT, tls.accept(stream)).await {
        Ok(Ok(stream)) => talk(stream, router, authenticator, permit, stop).await,
        Ok(Err(error)) => tracing::debug!("{peer}: the TLS handshake failed: {error}"),
        Err(_) => tracing::debug!("{peer}: the TLS handshake took too long"),
    }
}

/// Answers requests over `stream`, as a listener would, with a permit of this limiter.
pub(super) async fn converse(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    router: Router,
    authenticator: Authenticator,
    stop: watch::Receiver<bool>,
) {
    let permit = ConnectionLimiter::new(authenticator.limit).acquire(None);
    talk(stream, router, authenticator, permit, stop).await;
}

async fn talk(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    router: Router,
    authenticator: Authenticator,
    permit: Permit,
    mut stop: watch::Receiver<bool>,
) {
    let permit = Arc::new(permit);
    let peer = permit.ends().map(|ends| ends.peer);
    let answer = service_fn(move |request| {
        let (router, authenticator, active) =
            (router.clone(), authenticator.clone(), ActiveRequest::begin(&permit));
        let permit = Arc::clone(&permit);
        async move { Ok::<_, Infallible>(answer(request, permit, router, authenticator, active).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_headers(MOST_HEADERS)
        .max_header_size(LARGEST_HEADER)
        .max_buf_size(LARGEST_HEADER)
        .serve_connection(TokioIo::new(stream), answer);
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        ended = &mut connection => ended,
        () = stopped(&mut stop) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(?peer, "{error}");
    }
}

/// Authentication comes first: a client without it learns nothing, not even which paths exist.
async fn answer(
    request: Request<Incoming>,
    permit: Arc<Permit>,
    router: Router,
    authenticator: Authenticator,
    active: ActiveRequest,
) -> Response<Counted> {
    let access = authenticator.config.access();
    let mut response = match authenticator.hosts.check(&request) {
        Ok(()) => answer_user(request, permit, router, &authenticator, &access).await,
        Err(foreign) => {
            tracing::debug!(connection = ?permit.ends(), "refused: {foreign}");
            (StatusCode::FORBIDDEN, format!("{foreign}\n")).into_response()
        }
    };
    response.headers_mut().extend(access.headers.clone());
    response.map(|body| Counted { body, _active: active })
}

/// Answers clients with the right password, where one is configured.
async fn answer_user(
    mut request: Request<Incoming>,
    permit: Arc<Permit>,
    router: Router,
    authenticator: &Authenticator,
    access: &Access,
) -> Response<Body> {
    let is_open = access.users.is_empty() || OPEN_PATHS.contains(&request.uri().path());
    let verdict = if is_open {
        Verdict::Right
    } else {
        let authorization = request.headers().get(AUTHORIZATION).map(HeaderValue::as_bytes);
        authenticator.passwords.check(&access.users, authorization).await
    };
    // Routes do not need the header, and cannot leak what they do not have.
    request.headers_mut().remove(AUTHORIZATION);
    match verdict {
        Verdict::Right => {
            request.extensions_mut().insert(permit);
            let Ok(response) = call(router, request.map(Body::new)).await;
            response
        }
        Verdict::Wrong => {
            let ask = [(WWW_AUTHENTICATE, "Basic")];
            (StatusCode::UNAUTHORIZED, ask, "user and password are required\n").into_response()
        }
        Verdict::Busy => {
            (StatusCode::TOO_MANY_REQUESTS, "too many authentication requests\n").into_response()
        }
    }
}

async fn call(mut router: Router, request: Request<Body>) -> Result<Response<Body>, Infallible> {
    use tower_service::Service;
    // A router is always ready.
    router.call(request).await
}

/// A body that keeps its connection active while it is being sent.
struct Counted {
    body: Body,
    _active: ActiveRequest,
}

impl http_body::Body for Counted {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
