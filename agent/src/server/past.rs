//! `/api/v1/history`: energy of a day or a month, and earlier transcodes, from the ledger.
//!
//! Only these requests read a file. One of them reads at a time, on a thread for blocking work, and an answer is kept for a while, so that
//! requests cannot load the host.

use std::collections::HashMap;
use std::hash::Hash;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use agent_core::model::prices::UnitPrices;
use agent_core::time::MonoTime;
use axum::Router;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use crate::api::past;
use crate::clock::{Clock, SystemClock};
use crate::error::chain;
use crate::ledger::{Ledger, LedgerError, Timeline, TranscodeRow, TranscodesOf};
use crate::server::Snapshots;
use crate::server::api::{bytes, json, problem};

/// A range of time that can be asked for.
struct PastRange {
    name: &'static str,
    step_seconds: i64,
    steps: u32,
    /// Time for which an answer is kept.
    fresh: Duration,
}

const RANGES: [PastRange; 2] = [
    PastRange { name: "24h", step_seconds: 300, steps: 288, fresh: Duration::from_mins(1) },
    PastRange { name: "30d", step_seconds: 7200, steps: 360, fresh: Duration::from_mins(10) },
];

/// Time for which earlier transcodes are kept.
const FRESH_TRANSCODES: Duration = Duration::from_secs(5);

/// Most kept answers of each kind.
const MOST_KEPT: usize = 32;

/// Most earlier transcodes of an answer.
const MOST_TRANSCODES: u32 = 20;

/// What was read, by the question, with the time of the reading.
type KeptAnswers<Q, A> = Mutex<HashMap<Q, (MonoTime, Arc<A>)>>;

/// Sources of the answers.
struct PastSources {
    snapshots: Snapshots,
    /// State folder with the ledger.
    folder: PathBuf,
    /// By the range and the name of the workload; the host has none.
    timelines: KeptAnswers<(&'static str, Option<String>), Timeline>,
    transcodes: KeptAnswers<TranscodesOf, Vec<TranscodeRow>>,
    /// Held while the ledger is read.
    reader: Arc<Semaphore>,
}

type SharedSources = State<Arc<PastSources>>;

/// The routes.
pub(super) fn router(snapshots: Snapshots, folder: PathBuf) -> Router {
    let sources = PastSources {
        snapshots,
        folder,
        timelines: KeptAnswers::default(),
        transcodes: KeptAnswers::default(),
        reader: Arc::new(Semaphore::new(1)),
    };
    Router::new()
        .route("/api/v1/history", get(history))
        .route("/api/v1/history/transcodes", get(transcodes))
        .with_state(Arc::new(sources))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct HistoryQuery {
    range: String,
    workload: Option<String>,
}

async fn history(
    State(sources): SharedSources,
    query: Result<Query<HistoryQuery>, QueryRejection>,
) -> Response {
    let HistoryQuery { range, workload } = match query {
        Ok(Query(query)) => query,
        Err(error) => return problem(StatusCode::BAD_REQUEST, &error.body_text()),
    };
    let Some(range) = RANGES.iter().find(|known| known.name == range) else {
        let why = format!(
            "range {range:?} is unknown; the ranges are 24h and 30d, and /api/v1/series has the last 15 minutes"
        );
        return problem(StatusCode::BAD_REQUEST, &why);
    };
    let name = workload.clone();
    let read = move |ledger: &Ledger| {
        let to = SystemClock.wall();
        match &name {
            Some(name) => ledger.workload_timeline(name, to, range.step_seconds, range.steps),
            None => ledger.host_timeline(to, range.step_seconds, range.steps),
        }
    };
    let question = (range.name, workload.clone());
    let found = sources.ask(&sources.timelines, question, range.fresh, read).await;
    sources.answer(&found, |timeline, prices| match &workload {
        Some(name) => past::of_workload(name, timeline, prices),
        None => past::of_host(timeline, prices),
    })
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TranscodesQuery {
    scenario: Option<String>,
    workload: Option<String>,
}

async fn transcodes(
    State(sources): SharedSources,
    query: Result<Query<TranscodesQuery>, QueryRejection>,
) -> Response {
    let of = match query {
        Ok(Query(TranscodesQuery { scenario: Some(name), workload: None })) => TranscodesOf::Scenario(name),
        Ok(Query(TranscodesQuery { scenario: None, workload: Some(name) })) => TranscodesOf::Workload(name),
        Ok(_) => return problem(StatusCode::BAD_REQUEST, "give either scenario=NAME or workload=NAME"),
        Err(error) => return problem(StatusCode::BAD_REQUEST, &error.body_text()),
    };
    let wanted = of.clone();
    let read = move |ledger: &Ledger| ledger.transcodes_of(&wanted, MOST_TRANSCODES);
    let found = sources.ask(&sources.transcodes, of, FRESH_TRANSCODES, read).await;
    sources.answer(&found, |rows, prices| past::transcodes(rows, prices))
}

impl PastSources {
    /// The kept answer to a question, or a new one from the ledger.
    async fn ask<Q: Hash + Eq, A: Send + 'static>(
        &self,
        kept: &KeptAnswers<Q, A>,
        question: Q,
        fresh: Duration,
        read: impl FnOnce(&Ledger) -> Result<A, LedgerError> + Send + 'static,
    ) -> Result<Arc<A>, String> {
        let find = || {
            let kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
            let (at, answer) = kept.get(&question)?;
            (SystemClock.now().since(*at) < fresh).then(|| Arc::clone(answer))
        };
        if let Some(answer) = find() {
            return Ok(answer);
        }
        let closed = |_| "the agent ends".to_owned();
        let permit = Arc::clone(&self.reader).acquire_owned().await.map_err(closed)?;
        // The request before this one may have asked the same.
        if let Some(answer) = find() {
            return Ok(answer);
        }
        let folder = self.folder.clone();
        // A request that is given up does not end the reading: the permit is released after it.
        let reading = spawn_blocking(move || {
            let found = Ledger::open_for_reading(&folder).and_then(|ledger| read(&ledger));
            drop(permit);
            found.map_err(|error| chain(&error))
        });
        let answer = Arc::new(reading.await.map_err(|error| error.to_string())??);
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MOST_KEPT {
            kept.clear();
        }
        kept.insert(question, (SystemClock.now(), Arc::clone(&answer)));
        Ok(answer)
    }

    /// The answer with the present prices.
    fn answer<A, T: Serialize>(
        &self,
        found: &Result<Arc<A>, String>,
        format: impl FnOnce(&A, &UnitPrices) -> T,
    ) -> Response {
        let Some(snapshot) = self.snapshots.borrow().clone() else {
            return problem(StatusCode::SERVICE_UNAVAILABLE, "the first tick is not over");
        };
        let body = match found {
            Ok(found) => bytes(&format(found, &snapshot.prices)),
            Err(why) => return problem(StatusCode::NOT_FOUND, why),
        };
        body.map_or_else(|why| problem(StatusCode::INTERNAL_SERVER_ERROR, &why), |body| json(body.into()))
    }
}

#[cfg(test)]
mod tests {
    use agent_core::time::WallTime;
    use tokio::sync::watch;

    use super::*;

    fn sources(folder: PathBuf) -> PastSources {
        let (_, snapshots) = watch::channel(None);
        PastSources {
            snapshots,
            folder,
            timelines: KeptAnswers::default(),
            transcodes: KeptAnswers::default(),
            reader: Arc::new(Semaphore::new(1)),
        }
    }

    /// Asks for this, and counts what is read.
    async fn ask(
        sources: &PastSources,
        question: &str,
        fresh: Duration,
        count: &Arc<Mutex<u32>>,
    ) -> Result<Arc<Vec<TranscodeRow>>, String> {
        let count = Arc::clone(count);
        let read = move |_: &Ledger| {
            *count.lock().unwrap() += 1;
            Ok(Vec::new())
        };
        sources.ask(&sources.transcodes, TranscodesOf::Scenario(question.to_owned()), fresh, read).await
    }

    #[tokio::test]
    async fn an_answer_is_kept_while_it_is_fresh_and_the_kept_ones_are_bounded() {
        let folder = tempfile::tempdir().unwrap();
        drop(Ledger::open(folder.path(), WallTime(0.0)).unwrap());
        let sources = sources(folder.path().to_path_buf());
        let count = Arc::default();
        let hour = Duration::from_hours(1);
        for question in ["a", "a", "b", "a"] {
            ask(&sources, question, hour, &count).await.unwrap();
        }
        assert_eq!(*count.lock().unwrap(), 2);
        ask(&sources, "a", Duration::ZERO, &count).await.unwrap();
        assert_eq!(*count.lock().unwrap(), 3, "it is no longer fresh");
        for number in 0..3 * MOST_KEPT {
            ask(&sources, &number.to_string(), hour, &count).await.unwrap();
        }
        assert!(sources.transcodes.lock().unwrap().len() <= MOST_KEPT);
    }

    #[tokio::test]
    async fn without_a_ledger_the_reason_is_told_and_nothing_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let sources = sources(folder.path().to_path_buf());
        let count = Arc::default();
        for _ in 0..2 {
            let error = ask(&sources, "a", Duration::from_hours(1), &count).await.unwrap_err();
            assert!(error.starts_with("there is no ledger "), "{error}");
        }
        assert!(sources.transcodes.lock().unwrap().is_empty());
    }
}
