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
use crate::progress::{Board, Refusal, SILENCE_LIMIT, Sender, Ticket, Verdict};
use crate::server::crowd::Seat;

pub(super) use refusal::RefusalLog;

#[cfg(test)]
mod tests;

/// Longest accepted id.
const MAX_ID: usize = 256;

/// State that the handler of posts needs.
#[derive(Clone)]
pub(super) struct Posting {
    pub(super) board: Arc<Board>,
    pub(super) stop: watch::Receiver<bool>,
    pub(super) refusals: Arc<RefusalLog>,
}

/// The connection's permit.
type Connection = Option<Extension<Arc<Seat>>>;

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
    let seat = connection.map(|Extension(seat)| seat);
    let ends = seat.as_ref().and_then(|seat| seat.ends());
    let answer = if id.len() > MAX_ID {
        Err(refusal::ID_TOO_LONG)
    } else {
        let ticket = posting.board.open(Sender { id, connection: ends }, SystemClock.now());
        let mut stop = posting.stop;
        tokio::select! {
            answer = read(ticket, seat, body) => answer,
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

async fn read(mut ticket: Ticket, seat: Option<Arc<Seat>>, body: Body) -> Result<StatusCode, RefusedPost> {
    let mut lines = Lines::default();
    let mut chunks = body.into_data_stream();
    let mut deadline = Instant::now() + SILENCE_LIMIT;
    let (mut is_matched, mut has_spoken, mut has_ended) = (false, false, false);
    loop {
        tokio::select! {
            chunk = chunks.next(), if !has_ended => match chunk {
                Some(Ok(chunk)) => {
                    ticket.hear();
                    has_spoken = true;
                    match lines.push(&chunk) {
                        Ok(Some(block)) => ticket.tell(block, SystemClock.now()),
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
            verdict = ticket.verdict() => match verdict {
                Verdict::Pending => {}
                Verdict::Matched if has_ended => return Ok(StatusCode::NO_CONTENT),
                Verdict::Matched => {
                    is_matched = true;
                    if let Some(seat) = &seat {
                        seat.keep();
                    }
                }
                Verdict::Refused(refusal) => return Err(refusal.into()),
            },
            // An accepted encoder may take long before its first block. Another connection may displace it.
            () = sleep_until(deadline), if !is_matched && (has_ended || !has_spoken) => {
                if has_ended && has_spoken {
                    // The next tick decides.
                    return Ok(StatusCode::ACCEPTED);
                }
                ticket.give_up();
                return Err(Refusal::Silent.into());
            }
        }
    }
}
