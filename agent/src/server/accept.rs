//! Accepts connections within limits of number, time and header size.
//!
//! axum's own loop has no time limit for headers, no TLS and no limit of connections. This one has: a limit of connections for each
//! listener ([`crowd`](super::crowd)), time limits for a handshake and for a request's header, a limit of the header's size; and, before
//! routing, it refuses requests of foreign web pages ([`origin`](super::origin)) and checks passwords.

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

use crate::server::access::{Access, Doorkeeper};
use crate::server::crowd::{Answering, Crowd, Seat};
use crate::server::origin::Hosts;
use crate::server::passwords::{Passwords, Verdict};

/// For a TLS handshake, and for the header of a request. A connection that is kept for the next scrape is closed after this long:
/// longer than most scrape intervals.
const HEADER_TIMEOUT: Duration = Duration::from_secs(30);

/// The request line and all headers together. Prometheus sends about 400 bytes.
const LARGEST_HEADER: usize = 16 << 10;

/// Headers of one request.
const MOST_HEADERS: usize = 64;

/// Connections of one listener, where the process may have files enough.
const MOST_CONNECTIONS: usize = 256;

/// Connections that have lost their seat and are about to end.
const LEAVING: usize = 8;

/// Open files for everything but connections: maps, programs, counters, the ledger, engines.
const OTHER_FILES: u64 = 256;

/// After a failure to accept (no file left, most likely) others may have ended.
const PAUSE: Duration = Duration::from_millis(50);

/// Paths that answer everybody: they say nothing but "yes" or "not yet", and health checks know no passwords.
const OPEN_PATHS: [&str; 4] = ["/health", "/healthz", "/ready", "/-/ready"];

/// How many connections each of so many listeners may have, the main one twice as many ([`Door::doubled`]). The process's limit of open files is raised as far as that takes,
/// if it may be.
pub(crate) fn connection_limit(listeners: usize) -> usize {
    let listeners = listeners as u64 + 1;
    let wanted = OTHER_FILES + listeners * MOST_CONNECTIONS as u64;
    let limits = getrlimit(Resource::Nofile);
    if limits.current.is_some_and(|current| current < wanted) {
        let current = limits.maximum.map_or(wanted, |maximum| maximum.min(wanted));
        // Where it may not be raised, fewer connections are kept.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: Some(current), maximum: limits.maximum });
    }
    let may_have = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let each = may_have.saturating_sub(OTHER_FILES) / listeners;
    usize::try_from(each).unwrap_or(MOST_CONNECTIONS).clamp(8, MOST_CONNECTIONS)
}

/// What all listeners share.
#[derive(Clone)]
pub struct Door {
    keeper: Doorkeeper,
    passwords: Arc<Passwords>,
    limit: usize,
    hosts: Hosts,
    names: Arc<[String]>,
}

impl Door {
    /// With this many connections at most for each listener; on loopback addresses these names are known besides the usual.
    pub fn new(keeper: Doorkeeper, limit: usize, names: &[String]) -> Self {
        let names: Arc<[String]> = names.into();
        let hosts = Hosts::new(Ipv4Addr::LOCALHOST.into(), Arc::clone(&names));
        Self { keeper, passwords: Arc::new(Passwords::new()), limit, hosts, names }
    }

    /// The same for a listener on this address.
    pub(super) fn at(self, address: IpAddr) -> Self {
        Self { hosts: Hosts::new(address, Arc::clone(&self.names)), ..self }
    }

    /// The same with twice as many: encoders that post and pages that are open keep theirs for long.
    pub(super) fn doubled(self) -> Self {
        Self { limit: 2 * self.limit, ..self }
    }
}

/// Answers until `stop` says so; then finishes what is being answered.
pub(super) async fn serve(
    listener: TcpListener,
    router: Router,
    door: Door,
    mut stop: watch::Receiver<bool>,
) {
    let crowd = Crowd::new(door.limit);
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stopped(&mut stop) => break,
        };
        match accepted {
            Ok((stream, peer)) => {
                let own = stream.local_addr().ok();
                let seat = crowd.sit(own.map(|own| Ends { peer, own }));
                let id = seat.id();
                let connection = connection(stream, peer, router.clone(), door.clone(), seat, stop.clone());
                crowd.introduce(id, connections.spawn(connection));
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                tracing::debug!("cannot accept a connection: {error}");
                tokio::time::sleep(PAUSE).await;
            }
        }
        while connections.try_join_next().is_some() {}
        // Those who were pushed out have yet to notice; there are never many of them.
        while connections.len() > door.limit + LEAVING && connections.join_next().await.is_some() {}
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

/// An error means that whoever could say so is gone: stop as well.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// One connection, from its handshake to its end. What goes wrong is the other side's business.
async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    door: Door,
    seat: Seat,
    stop: watch::Receiver<bool>,
) {
    // An answer is written at once; without this its end would wait for the scraper's acknowledgement.
    let _ = stream.set_nodelay(true);
    let tls = door.keeper.access().tls.clone();
    let Some(tls) = tls else {
        return talk(stream, router, door, seat, stop).await;
    };
    match tokio::time::timeout(HEADER_TIMEOUT, tls.accept(stream)).await {
        Ok(Ok(stream)) => talk(stream, router, door, seat, stop).await,
        Ok(Err(error)) => tracing::debug!("{peer}: no TLS: {error}"),
        Err(_) => tracing::debug!("{peer}: the TLS handshake took too long"),
    }
}

/// Answers what comes over `stream`, as a listener would, with these seats.
pub(super) async fn converse(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    router: Router,
    door: Door,
    stop: watch::Receiver<bool>,
) {
    let seat = Crowd::new(door.limit).sit(None);
    talk(stream, router, door, seat, stop).await;
}

async fn talk(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    router: Router,
    door: Door,
    seat: Seat,
    mut stop: watch::Receiver<bool>,
) {
    let seat = Arc::new(seat);
    let peer = seat.ends().map(|ends| ends.peer);
    let answer = service_fn(move |request| {
        let (router, door, answering) = (router.clone(), door.clone(), Answering::begin(&seat));
        let seat = Arc::clone(&seat);
        async move { Ok::<_, Infallible>(answer(request, seat, router, door, answering).await) }
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

/// Whether the request may be answered at all comes first: one that may not learns nothing, not even which paths there are.
async fn answer(
    request: Request<Incoming>,
    seat: Arc<Seat>,
    router: Router,
    door: Door,
    answering: Answering,
) -> Response<Counted> {
    let access = door.keeper.access();
    let mut response = match door.hosts.check(&request) {
        Ok(()) => answer_user(request, seat, router, &door, &access).await,
        Err(foreign) => {
            tracing::debug!(connection = ?seat.ends(), "refused: {foreign}");
            (StatusCode::FORBIDDEN, format!("{foreign}\n")).into_response()
        }
    };
    response.headers_mut().extend(access.headers.clone());
    response.map(|body| Counted { body, _answering: answering })
}

/// Answers who has the password, where there is one.
async fn answer_user(
    mut request: Request<Incoming>,
    seat: Arc<Seat>,
    router: Router,
    door: &Door,
    access: &Access,
) -> Response<Body> {
    let is_open = access.users.is_empty() || OPEN_PATHS.contains(&request.uri().path());
    let verdict = if is_open {
        Verdict::Right
    } else {
        let authorization = request.headers().get(AUTHORIZATION).map(HeaderValue::as_bytes);
        door.passwords.check(&access.users, authorization).await
    };
    // Routes have no use for it, and cannot leak what they do not see.
    request.headers_mut().remove(AUTHORIZATION);
    match verdict {
        Verdict::Right => {
            request.extensions_mut().insert(seat);
            let Ok(response) = call(router, request.map(Body::new)).await;
            response
        }
        Verdict::Wrong => {
            let ask = [(WWW_AUTHENTICATE, "Basic")];
            (StatusCode::UNAUTHORIZED, ask, "user and password, please\n").into_response()
        }
        Verdict::Busy => (StatusCode::TOO_MANY_REQUESTS, "too many passwords to compare\n").into_response(),
    }
}

async fn call(mut router: Router, request: Request<Body>) -> Result<Response<Body>, Infallible> {
    use tower_service::Service;
    // A router is always ready.
    router.call(request).await
}

/// A body that keeps its connection's seat as long as it is being sent.
struct Counted {
    body: Body,
    _answering: Answering,
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
