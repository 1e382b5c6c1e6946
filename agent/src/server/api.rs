//! `/api/v1/…`: the last snapshot and the last minutes, as JSON. No request does IO (`past` has those that read the ledger); requests of
//! one tick share a rendered body.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use agent_core::model::snapshot::{SharedSnapshot, Snapshot};
use axum::Router;
use axum::body::Bytes;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, RawQuery, State};
use axum::http::header::{AGE, CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures_util::{StreamExt, stream};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::api::history::{History, Line, SPAN};
use crate::api::list::{self, Page, SCENARIO_FIELDS, TRANSCODE_FIELDS, WORKLOAD_FIELDS};
use crate::api::{self, snapshot};
use crate::clock::{Clock, SystemClock};
use crate::server::Snapshots;

/// Most cached answers of one tick, by their query.
const KEPT: usize = 16;

/// Most steps of a line, unless asked for fewer.
const MAX_STEPS: usize = 900;

/// Most simultaneous readers of events.
const MAX_READERS: usize = 256;

/// Sources of the answers.
pub(super) struct Api {
    snapshots: Snapshots,
    history: RwLock<History>,
    rendered: Mutex<Rendered>,
    stop: watch::Receiver<bool>,
    readers: Arc<()>,
}

#[derive(Default)]
struct Rendered {
    tick: u64,
    bodies: HashMap<String, Bytes>,
}

/// The routes. Ticks are added to the history from now on.
pub(super) fn router(snapshots: Snapshots, stop: watch::Receiver<bool>) -> Router {
    let api = Arc::new(Api {
        snapshots,
        history: RwLock::default(),
        rendered: Mutex::default(),
        stop,
        readers: Arc::new(()),
    });
    tokio::spawn(follow(Arc::clone(&api)));
    Router::new()
        .route("/api/v1/snapshot", get(snapshot))
        .route("/api/v1/workloads", get(workloads))
        .route("/api/v1/transcodes", get(transcodes))
        .route("/api/v1/scenarios", get(scenarios))
        .route("/api/v1/series", get(series))
        .route("/api/v1/events", get(events))
        .route("/api/{*rest}", get(nothing))
        .with_state(api)
}

/// Keeps the history as long as there are ticks.
async fn follow(api: Arc<Api>) {
    let mut snapshots = api.snapshots.clone();
    while snapshots.changed().await.is_ok() {
        let snapshot = snapshots.borrow_and_update().clone();
        if let Some(snapshot) = snapshot {
            api.history.write().unwrap_or_else(PoisonError::into_inner).push(&snapshot);
        }
    }
}

impl Api {
    fn last(&self) -> Option<SharedSnapshot> {
        self.snapshots.borrow().clone()
    }

    /// The body for this request at this tick; built at the first such request.
    fn answer(&self, question: String, make: impl FnOnce(&Snapshot) -> Result<Vec<u8>, String>) -> Response {
        let Some(snapshot) = self.last() else {
            return problem(StatusCode::SERVICE_UNAVAILABLE, "the first tick is not over");
        };
        let mut rendered = self.rendered.lock().unwrap_or_else(PoisonError::into_inner);
        if rendered.tick != snapshot.tick {
            *rendered = Rendered { tick: snapshot.tick, bodies: HashMap::new() };
        }
        let age = SystemClock.now().since(snapshot.at);
        if let Some(body) = rendered.bodies.get(&question) {
            return aged(body.clone(), age);
        }
        match make(&snapshot) {
            Ok(body) => {
                let body = Bytes::from(body);
                if rendered.bodies.len() < KEPT {
                    rendered.bodies.insert(question, body.clone());
                }
                aged(body, age)
            }
            Err(why) => problem(StatusCode::BAD_REQUEST, &why),
        }
    }

    fn list<T: Serialize>(
        &self,
        name: &str,
        raw: Option<String>,
        query: Result<Query<list::Query>, QueryRejection>,
        known: &[&str],
        items: impl FnOnce(&Snapshot) -> Vec<T>,
    ) -> Response {
        let query = match query {
            Ok(Query(query)) => query,
            Err(error) => return problem(StatusCode::BAD_REQUEST, &error.body_text()),
        };
        self.answer(format!("{name}?{}", raw.unwrap_or_default()), |snapshot| {
            let (total, page, per_page, items) =
                list::page(&items(snapshot), known, &query).map_err(|error| error.to_string())?;
            bytes(&Page {
                api_version: api::VERSION,
                tick: snapshot.tick,
                time_unix_seconds: snapshot.wall.0,
                total,
                page,
                per_page,
                items,
            })
        })
    }
}

type Shared = State<Arc<Api>>;
type Listing = Result<Query<list::Query>, QueryRejection>;

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct SnapshotQuery {
    include: String,
}

async fn snapshot(
    State(api): Shared,
    RawQuery(raw): RawQuery,
    query: Result<Query<SnapshotQuery>, QueryRejection>,
) -> Response {
    let query = match query {
        Ok(Query(query)) => query,
        Err(error) => return problem(StatusCode::BAD_REQUEST, &error.body_text()),
    };
    api.answer(format!("snapshot?{}", raw.unwrap_or_default()), |snapshot| {
        let mut include = snapshot::Include::default();
        for word in query.include.split(',').filter(|word| !word.is_empty()) {
            match word {
                "workloads" => include.workloads = true,
                "transcodes" => include.transcodes = true,
                "scenarios" => include.scenarios = true,
                other => {
                    return Err(format!(
                        "include {other:?}: unknown part; the parts are workloads, \
                        transcodes and scenarios"
                    ));
                }
            }
        }
        bytes(&snapshot::answer(snapshot, include))
    })
}

async fn workloads(State(api): Shared, RawQuery(raw): RawQuery, query: Listing) -> Response {
    api.list("workloads", raw, query, &WORKLOAD_FIELDS, api::workloads)
}

async fn transcodes(State(api): Shared, RawQuery(raw): RawQuery, query: Listing) -> Response {
    api.list("transcodes", raw, query, &TRANSCODE_FIELDS, api::transcodes)
}

async fn scenarios(State(api): Shared, RawQuery(raw): RawQuery, query: Listing) -> Response {
    api.list("scenarios", raw, query, &SCENARIO_FIELDS, api::scenarios)
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct SeriesQuery {
    workload: Option<String>,
    transcode: Option<String>,
    range: Option<String>,
    steps: Option<usize>,
}

async fn series(State(api): Shared, query: Result<Query<SeriesQuery>, QueryRejection>) -> Response {
    let query = match query {
        Ok(Query(query)) => query,
        Err(error) => return problem(StatusCode::BAD_REQUEST, &error.body_text()),
    };
    let range = match query.range.as_deref().map(span).transpose() {
        Ok(range) => range.unwrap_or(SPAN),
        Err(why) => return problem(StatusCode::BAD_REQUEST, &why),
    };
    let steps = query.steps.unwrap_or(MAX_STEPS).clamp(1, MAX_STEPS);
    let is_wanted = |line: &Line| match (line, &query.workload, &query.transcode) {
        (Line::Part(_), None, None) => true,
        (Line::Workload(name, id), Some(wanted), _) => {
            wanted == "*" || **name == **wanted || **id == **wanted
        }
        (Line::Transcode(key), _, Some(wanted)) => wanted == "*" || **key == **wanted,
        _ => false,
    };
    let series = api.history.read().unwrap_or_else(PoisonError::into_inner).series(range, steps, is_wanted);
    bytes(&series)
        .map_or_else(|why| problem(StatusCode::INTERNAL_SERVER_ERROR, &why), |body| json(body.into()))
}

/// Parses `90`, `90s`, `5m`.
fn span(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let parsed =
        seconds.map_or_else(|| humantime::parse_duration(text).map_err(|error| error.to_string()), Ok);
    parsed.map_err(|why| format!("range {text:?} is not a length of time such as \"5m\": {why}"))
}

/// One event for each tick, as long as both sides exist.
async fn events(State(api): Shared) -> Response {
    let reader = Arc::clone(&api.readers);
    if Arc::strong_count(&reader) > MAX_READERS {
        return problem(StatusCode::SERVICE_UNAVAILABLE, "the limit of 256 event streams is reached");
    }
    let (snapshots, stop) = (api.snapshots.clone(), api.stop.clone());
    let ticks = stream::unfold((snapshots, stop, reader), |(mut snapshots, mut stop, reader)| async move {
        loop {
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return None,
                changed = snapshots.changed() => changed.ok()?,
            }
            let Some(snapshot) = snapshots.borrow_and_update().clone() else { continue };
            let data = format!(r#"{{"tick":{},"time_unix_seconds":{}}}"#, snapshot.tick, snapshot.wall.0);
            let event = Event::default().event("tick").id(snapshot.tick.to_string()).data(data);
            return Some((event, (snapshots, stop, reader)));
        }
    });
    let keep_alive = KeepAlive::new().interval(Duration::from_secs(15));
    Sse::new(ticks.map(Ok::<Event, Infallible>)).keep_alive(keep_alive).into_response()
}

async fn nothing() -> Response {
    problem(
        StatusCode::NOT_FOUND,
        "unknown path; the paths are /api/v1/snapshot, workloads, transcodes, scenarios, series, \
         history, history/transcodes and events",
    )
}

pub(super) fn bytes(answer: &impl Serialize) -> Result<Vec<u8>, String> {
    serde_json::to_vec(answer).map_err(|error| error.to_string())
}

/// A body with its age (`Age`, RFC 9111): an agent that no longer ticks still answers.
fn aged(body: Bytes, age: Duration) -> Response {
    ([(AGE, HeaderValue::from(age.as_secs()))], json(body)).into_response()
}

pub(super) fn json(body: Bytes) -> Response {
    ([(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-store")], body).into_response()
}

pub(super) fn problem(status: StatusCode, why: &str) -> Response {
    let body = serde_json::json!({ "error": why }).to_string();
    (status, [(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-store")], body).into_response()
}
