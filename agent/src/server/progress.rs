//! `POST /progress/<id>`: takes the progress that an encoder posts while it runs.
//!
//! One request lasts as long as the encode. Its lines are read as they arrive, and only the last of its blocks is kept: memory does not
//! grow with the request. The pipeline finds its transcode; until then the connection waits, and if it sends
//! nothing it is answered after [`SILENCE_LIMIT`].

use std::sync::Arc;

use agent_core::ffmpeg::progress::Lines;
use axum::Extension;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use crate::clock::{Clock, SystemClock};
use crate::progress::{ProgressRegistry, ProgressStream, Refusal, SILENCE_LIMIT, Sender, Verdict};
use crate::server::connection_limiter::Permit;

#[cfg(test)]
mod tests;

/// Longest accepted id.
const MAX_ID: usize = 256;

/// State that the handler of posts needs.
#[derive(Clone)]
pub(super) struct Posting {
    pub(super) registry: Arc<ProgressRegistry>,
    pub(super) stop: watch::Receiver<bool>,
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
    if id.len() > MAX_ID {
        return refuse(StatusCode::URI_TOO_LONG, "the id has more than 256 bytes");
    }
    let permit = connection.map(|Extension(permit)| permit);
    let sender = Sender { id, connection: permit.as_ref().and_then(|permit| permit.ends()) };
    let stream = posting.registry.open(sender, SystemClock.now());
    let mut stop = posting.stop;
    tokio::select! {
        answer = read(stream, permit, body) => answer,
        // An error means that the sender has been dropped: stop as well.
        _ = stop.wait_for(|stop| *stop) => refuse(StatusCode::SERVICE_UNAVAILABLE, "the agent ends"),
    }
}

async fn read(mut stream: ProgressStream, permit: Option<Arc<Permit>>, body: Body) -> Response {
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
                        Err(error) => return refuse(StatusCode::BAD_REQUEST, &error.to_string()),
                    }
                }
                None if is_matched => return StatusCode::NO_CONTENT.into_response(),
                // While it waits for its answer, its socket and so its user can still be found.
                None => (has_ended, deadline) = (true, Instant::now() + SILENCE_LIMIT),
                // It was closed before the end, and gets no answer.
                Some(Err(_)) => return StatusCode::BAD_REQUEST.into_response(),
            },
            verdict = stream.verdict() => match verdict {
                Verdict::Pending => {}
                Verdict::Matched if has_ended => return StatusCode::NO_CONTENT.into_response(),
                Verdict::Matched => {
                    is_matched = true;
                    if let Some(permit) = &permit {
                        permit.keep();
                    }
                }
                Verdict::Refused(refusal) => return answer(refusal),
            },
            // An accepted encoder may take long before its first block. Another connection may displace it.
            () = sleep_until(deadline), if !is_matched && (has_ended || !has_sent) => {
                if has_ended && has_sent {
                    // The next tick decides.
                    return StatusCode::ACCEPTED.into_response();
                }
                stream.refuse_silent();
                return answer(Refusal::Silent);
            }
        }
    }
}

fn answer(refusal: Refusal) -> Response {
    let (status, why) = match refusal {
        Refusal::Unknown => (
            StatusCode::NOT_FOUND,
            "no running transcode of this user matches this id or connection: post from the encoder \
             itself, or, as root or as the encoder's user, to /progress/<container or scenario>; \
             cpu.tracked lists the programs that are transcodes",
        ),
        Refusal::Remote => (
            StatusCode::FORBIDDEN,
            "progress posts are accepted from this host and its containers only; set \
             progress.accept_from to anywhere to accept others",
        ),
        Refusal::Taken => {
            (StatusCode::CONFLICT, "another open connection already posts the progress of this transcode")
        }
        Refusal::Silent => (StatusCode::REQUEST_TIMEOUT, "nothing was posted for 10 seconds"),
        Refusal::Crowded => (
            StatusCode::SERVICE_UNAVAILABLE,
            "the limit of 256 progress posts is reached, or too many connections wait for a match with \
             an encoder",
        ),
    };
    refuse(status, why)
}

fn refuse(status: StatusCode, why: &str) -> Response {
    (status, format!("{why}\n")).into_response()
}
