//! `POST /progress/<id>`: takes the progress that an encoder posts while it runs.
//!
//! One request lasts as long as the encode. Its lines are read as they arrive, and only the last of its blocks is kept: memory does not
//! grow with the request. The pipeline finds its transcode; until then the connection waits, and if it sends
//! nothing it is answered after [`SILENCE_LIMIT`].

mod refusal;

use std::sync::Arc;

use agent_core::ffmpeg::progress::{Lines, TooLong};
use axum::Extension;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use refusal::RefusedPost;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use crate::clock::{Clock, SystemClock};
use crate::progress::{ProgressRegistry, ProgressStream, Refusal, SILENCE_LIMIT, Sender, Verdict};
use crate::server::connection_limiter::Permit;

pub(super) use refusal::RefusalLog;

#[cfg(test)]
mod tests;

/// Longest accepted id.
const MAX_ID: usize = 256;

/// State that the handler of posts needs.
#[derive(Clone)]
pub(super) struct Posting {
    pub(super) registry: Arc<ProgressRegistry>,
    pub(super) stop: watch::Receiver<bool>,
    pub(super) refusals: Arc<RefusalLog>,
}

/// The connection's permit.
type Connection = Option<Extension<Arc<Permit>>>;

/// Handles a post without an id.
pub(super) async fn post_nameless(state: State<Posting>, connection: Connection, body: Body) -> Response {
    post(state, Path(String::new()), connection, body).await
}

/// Handles a post with an id.
pub(super) async fn post(
    State(posting): State<Posting>,
    Path(id): Path<String>,
    connection: Connection,
    body: Body,
) -> Response {
    let permit = connection.map(|Extension(permit)| permit);
    let ends = permit.as_ref().and_then(|permit| permit.ends());
    let answer = if id.len() > MAX_ID {
        Err(refusal::ID_TOO_LONG)
    } else {
        let stream = posting.registry.open(Sender { id, connection: ends }, SystemClock.now());
        let mut stop = posting.stop;
        tokio::select! {
            answer = read(stream, permit, body) => answer,
            // An error means that the sender has been dropped: stop as well.
            _ = stop.wait_for(|stop| *stop) => Err(refusal::AGENT_ENDS),
        }
    };
    match answer {
        Ok(status) => status.into_response(),
        Err(refused) => {
            posting.refusals.log(refused, ends, SystemClock.now());
            refused.into_response()
        }
    }
}

async fn read(
    mut stream: ProgressStream,
    permit: Option<Arc<Permit>>,
    body: Body,
) -> Result<StatusCode, RefusedPost> {
    let mut lines = Lines::default();
    let mut chunks = body.into_data_stream();
    let mut deadline = Instant::now() + SILENCE_LIMIT;
    let (mut is_matched, mut has_sent, mut has_ended) = (false, false, false);
    loop {
        tokio::select! {
            chunk = chunks.next(), if !has_ended => match chunk {
                Some(Ok(chunk)) => {
                    stream.mark_received();
                    has_sent = true;
                    match lines.push(&chunk) {
                        Ok(Some(block)) => stream.set_block(block, SystemClock.now()),
                        Ok(None) => {}
                        Err(TooLong) => return Err(refusal::NO_PROGRESS),
                    }
                }
                None if is_matched => return Ok(StatusCode::NO_CONTENT),
                // While it waits for its answer, its socket and so its user can still be found.
                None => (has_ended, deadline) = (true, Instant::now() + SILENCE_LIMIT),
                // It was closed before the end, and gets no answer.
                Some(Err(_)) => return Ok(StatusCode::BAD_REQUEST),
            },
            verdict = stream.verdict() => match verdict {
                Verdict::Pending => {}
                Verdict::Matched if has_ended => return Ok(StatusCode::NO_CONTENT),
                Verdict::Matched => {
                    is_matched = true;
                    if let Some(permit) = &permit {
                        permit.keep();
                    }
                }
                Verdict::Refused(refusal) => return Err(refusal.into()),
            },
            // An accepted encoder may take long before its first block. Another connection may displace it.
            () = sleep_until(deadline), if !is_matched && (has_ended || !has_sent) => {
                if has_ended && has_sent {
                    // The next tick decides.
                    return Ok(StatusCode::ACCEPTED);
                }
                stream.refuse_silent();
                return Err(Refusal::Silent.into());
            }
        }
    }
}
