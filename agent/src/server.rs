//! HTTP listeners: answer every request from the last snapshot.
//!
//! Every listener has four paths: a request does no IO, waits for no tick and takes no lock that a tick could hold.
//!
//! * `/metrics` — the listener's families; text 0.0.4, or OpenMetrics when `Accept` asks for it; gzip when asked.
//! * `/health` — `OK`, as long as the process answers at all; `/healthz` is the same.
//! * `/ready` — 200 once there is a snapshot, 503 before; `/-/ready` is the same.
//! * `/` — a page that describes the listener.
//!
//! Before that, `accept` bounds the number of connections and the time for a request, `origin` refuses what foreign
//! web pages make browsers send, and `access` authenticates.
//! The main listener also takes `/progress/<id>`, which encoders post to.

mod accept;
mod access;
mod api;
mod connection_limiter;
mod docs;
mod landing;
mod origin;
mod page;
mod passwords;
mod past;
mod progress;
mod rendered;
mod tls;
pub(crate) mod web_config;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use agent_core::metrics::catalog::Listener;
use agent_core::metrics::{Format, Options};
use agent_core::model::snapshot::SharedSnapshot;
use axum::Router;
use axum::extract::State;
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tower_http::catch_panic::CatchPanicLayer;
use tower_http::compression::CompressionLayer;
use tower_http::timeout::TimeoutLayer;

use crate::progress::ProgressRegistry;
use crate::server::progress::Posting;
use crate::server::rendered::Rendered;

pub use accept::Authenticator;
pub(crate) use accept::connection_limit;
pub use access::AuthConfig;
pub(crate) use access::{AccessFile, Summary, own_certificates};

/// Prometheus gives up after 10 s by default; a client that waits longer is not a scraper.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// The reason why a listener cannot be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address} for the {} family", listener.name())]
pub(crate) struct ListenError {
    /// The address.
    pub address: SocketAddr,
    pub listener: Listener,
    /// The error.
    #[source]
    pub cause: io::Error,
}

impl ListenError {
    /// The command or setting that helps.
    pub(crate) fn hint(&self) -> String {
        let flag = format!("--{}", self.listener.key().replace('_', "-"));
        match self.cause.kind() {
            io::ErrorKind::AddrInUse => {
                let port = self.address.port();
                format!(
                    "`ss -ltnp 'sport = :{port}'` shows the process that uses the port; stop it, or \
                     choose another port with {flag}"
                )
            }
            io::ErrorKind::AddrNotAvailable => {
                "choose an address of this host with --listen.address".to_owned()
            }
            _ => format!("choose another port with {flag}"),
        }
    }
}

/// The last snapshot; `None` before the first.
pub(crate) type Snapshots = watch::Receiver<Option<SharedSnapshot>>;

/// The sources of the answers of all listeners.
#[derive(Clone, Debug)]
pub(crate) struct AnswerSources {
    pub snapshots: Snapshots,
    pub options: Options,
    pub addresses: Arc<Addresses>,
    /// State folder with the ledger.
    pub ledger_folder: PathBuf,
    /// Takes the posts of encoders.
    pub registry: Arc<ProgressRegistry>,
}

/// A listener that is open but does not answer yet.
#[derive(Debug)]
pub(crate) struct Bound {
    listener: Listener,
    socket: TcpListener,
}

impl Bound {
    /// Opens a listener. Needs no runtime yet: ports are opened before the agent gives up its privileges, and threads are started after.
    pub(crate) fn open(listener: Listener, address: SocketAddr) -> Result<Self, ListenError> {
        let socket = TcpListener::bind(address);
        socket.map(|socket| Self { listener, socket }).map_err(|cause| ListenError {
            address,
            listener,
            cause,
        })
    }

    /// The address of the listener.
    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Kind of the listener.
    pub(crate) fn listener(&self) -> Listener {
        self.listener
    }

    /// Answers until `stop` is true; then finishes open requests.
    pub(crate) async fn serve(
        self,
        sources: AnswerSources,
        authenticator: Authenticator,
        stop: watch::Receiver<bool>,
    ) -> io::Result<()> {
        let AnswerSources { snapshots, options, addresses, ledger_folder, registry } = sources;
        let mut router = router(self.listener, snapshots.clone(), options, addresses, &stop);
        let mut authenticator = authenticator.at(self.address()?.ip());
        if self.listener == Listener::Main {
            router = router
                .merge(posting(registry, stop.clone()))
                .merge(layered(past::router(snapshots, ledger_folder)));
            authenticator = authenticator.doubled();
        }
        self.socket.set_nonblocking(true)?;
        let socket = tokio::net::TcpListener::from_std(self.socket)?;
        accept::serve(socket, router, authenticator, stop).await;
        Ok(())
    }
}

/// Serves one connection of a listener over any stream, until it ends or `stop` is true.
pub async fn converse(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    listener: Listener,
    snapshots: Snapshots,
    authenticator: Authenticator,
    stop: watch::Receiver<bool>,
) {
    let mut router = router(listener, snapshots, Options::default(), Arc::default(), &stop);
    if listener == Listener::Main {
        router = router.merge(posting(Arc::new(ProgressRegistry::new(|| {})), stop.clone()));
    }
    accept::converse(stream, router, authenticator, stop).await;
}

/// Addresses of all listeners, for the page.
pub(crate) type Addresses = Vec<(Listener, SocketAddr)>;

struct Context {
    listener: Listener,
    snapshots: Snapshots,
    rendered: Rendered,
    addresses: Arc<Addresses>,
}

/// The routes of one listener.
fn router(
    listener: Listener,
    snapshots: Snapshots,
    options: Options,
    addresses: Arc<Addresses>,
    stop: &watch::Receiver<bool>,
) -> Router {
    let rendered = Rendered::new(listener, options);
    let own = match listener {
        Listener::Main => {
            api::router(snapshots.clone(), stop.clone()).merge(page::router()).merge(docs::router())
        }
        _ => Router::new(),
    };
    let context = Arc::new(Context { listener, snapshots, rendered, addresses });
    let mut router = Router::new()
        .route("/metrics", get(metrics))
        .route("/health", get(health))
        .route("/healthz", get(health))
        .route("/ready", get(ready))
        .route("/-/ready", get(ready));
    if listener != Listener::Main {
        router = router.route("/", get(landing));
    }
    layered(router.with_state(context).merge(own))
}

/// Routes whose answers are compressed and limited in time.
fn layered(router: Router) -> Router {
    router
        .layer(CompressionLayer::new())
        .layer(TimeoutLayer::with_status_code(StatusCode::SERVICE_UNAVAILABLE, ANSWER_TIMEOUT))
        .layer(CatchPanicLayer::new())
}

/// The routes to which encoders post. These requests last as long as the encode.
fn posting(registry: Arc<ProgressRegistry>, stop: watch::Receiver<bool>) -> Router {
    Router::new()
        .route("/progress", post(progress::post_nameless))
        .route("/progress/", post(progress::post_nameless))
        .route("/progress/{*id}", post(progress::post))
        .with_state(Posting { registry, stop, refusals: Arc::default() })
        .layer(CatchPanicLayer::new())
}

async fn metrics(State(context): State<Arc<Context>>, headers: HeaderMap) -> Response {
    let accept = headers.get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let format = Format::negotiate(accept);
    let snapshot = context.snapshots.borrow().clone();
    match snapshot {
        Some(snapshot) => {
            let body = context.rendered.body(&snapshot, format);
            ([(CONTENT_TYPE, format.content_type())], body).into_response()
        }
        None => not_ready(),
    }
}

async fn health() -> &'static str {
    "OK\n"
}

async fn ready(State(context): State<Arc<Context>>) -> Response {
    if context.snapshots.borrow().is_some() { "ready\n".into_response() } else { not_ready() }
}

fn not_ready() -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, "not ready: the first tick is not over\n").into_response()
}

async fn landing(State(context): State<Arc<Context>>) -> Html<String> {
    let snapshot = context.snapshots.borrow().clone();
    Html(landing::page(context.listener, &context.addresses, snapshot.as_deref()))
}
