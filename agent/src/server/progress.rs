//! `POST /progress/<id>`: where encoders say how far they are.
//!
//! One request lasts as long as the encode. Its lines are read as they come, and of its blocks the last one is kept: nothing grows
//! with what is sent. Whose it is, the pipeline finds out.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::{ConnectInfo, Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use tokio::sync::watch;

use crate::clock::{Clock, SystemClock};
use crate::progress::{Board, Lines, Sender, Ticket, Verdict};

/// Longest id that is taken.
const MAX_ID: usize = 256;

/// What a post needs to be taken down.
#[derive(Clone)]
pub(super) struct Posting {
    pub(super) board: Arc<Board>,
    pub(super) stop: watch::Receiver<bool>,
}

/// Without an id.
pub(super) async fn post_nameless(
    state: State<Posting>,
    peer: Option<Extension<ConnectInfo<SocketAddr>>>,
    body: Body,
) -> Response {
    post(state, Path(String::new()), peer, body).await
}

/// With one.
pub(super) async fn post(
    State(posting): State<Posting>,
    Path(id): Path<String>,
    peer: Option<Extension<ConnectInfo<SocketAddr>>>,
    body: Body,
) -> Response {
    if id.len() > MAX_ID {
        return refuse(StatusCode::URI_TOO_LONG, "an id of more than 256 bytes");
    }
    let peer = peer.map(|Extension(ConnectInfo(peer))| peer);
    let Some(ticket) = posting.board.open(Sender { id, peer }) else {
        return refuse(StatusCode::SERVICE_UNAVAILABLE, "256 encoders post already");
    };
    let mut stop = posting.stop;
    tokio::select! {
        answer = read(&ticket, body) => answer,
        // An error means that whoever could say so is gone: stop as well.
        _ = stop.wait_for(|stop| *stop) => refuse(StatusCode::SERVICE_UNAVAILABLE, "the agent ends"),
    }
}

async fn read(ticket: &Ticket, body: Body) -> Response {
    let mut lines = Lines::default();
    let mut chunks = body.into_data_stream();
    while let Some(chunk) = chunks.next().await {
        // The encoder has gone without finishing: nobody is left to be told.
        let Ok(chunk) = chunk else { break };
        let block = match lines.push(&chunk) {
            Ok(block) => block,
            Err(error) => return refuse(StatusCode::BAD_REQUEST, &error.to_string()),
        };
        let verdict = block.map_or(Verdict::Pending, |block| ticket.tell(block, SystemClock.now()));
        match verdict {
            Verdict::Pending | Verdict::Matched => {}
            Verdict::Unknown => {
                return refuse(
                    StatusCode::NOT_FOUND,
                    "no running transcode is known by this id or connection: post from the encoder itself, or to \
                     /progress/<container or scenario>; cpu.tracked says which programs are transcodes",
                );
            }
            Verdict::Remote => {
                return refuse(
                    StatusCode::FORBIDDEN,
                    "progress is taken from this host and its containers only, unless progress.accept_from says anywhere",
                );
            }
        }
    }
    StatusCode::NO_CONTENT.into_response()
}

fn refuse(status: StatusCode, why: &str) -> Response {
    (status, format!("{why}\n")).into_response()
}
