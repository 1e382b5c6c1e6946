//! Refuses progress posts: the answer and the log name the reason and the way out.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use agent_core::model::progress::Ends;
use agent_core::time::MonoTime;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use crate::progress::Refusal;

/// Shortest time between two log lines of one reason: an encoder that is refused may try again at once.
const LOG_PAUSE: Duration = Duration::from_mins(1);

/// An answer that refuses a post.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RefusedPost {
    pub(super) status: StatusCode,
    reason: &'static str,
    way_out: &'static str,
}

pub(super) const ID_TOO_LONG: RefusedPost = RefusedPost {
    status: StatusCode::URI_TOO_LONG,
    reason: "the id after /progress/ has more than 256 bytes",
    way_out: "use the name of the container, the scenario or the process number as the id",
};

pub(super) const AGENT_ENDS: RefusedPost = RefusedPost {
    status: StatusCode::SERVICE_UNAVAILABLE,
    reason: "the agent ends",
    way_out: "post again when it runs; ffmpeg itself connects only once",
};

pub(super) const NO_PROGRESS: RefusedPost = RefusedPost {
    status: StatusCode::BAD_REQUEST,
    reason: "a line has more than 512 bytes, so this is no output of ffmpeg -progress",
    way_out: "post what ffmpeg -progress URL writes: lines key=value",
};

impl From<Refusal> for RefusedPost {
    fn from(refusal: Refusal) -> Self {
        let (status, reason, way_out) = match refusal {
            Refusal::Unknown => (
                StatusCode::NOT_FOUND,
                "no running transcode of this user matches this id or connection",
                "post from the encoder itself, or, as root or as the encoder's user, to /progress/<container or scenario>; \
                 cpu.tracked adds programs that are transcodes",
            ),
            Refusal::Remote => (
                StatusCode::FORBIDDEN,
                "progress posts are accepted from this host and its containers only",
                "post from this host, or start the agent with --progress.accept-from anywhere \
                 (progress.accept_from = \"anywhere\")",
            ),
            Refusal::Taken => (
                StatusCode::CONFLICT,
                "another open connection already posts the progress of this transcode",
                "end that connection, or give each encoder its own id",
            ),
            Refusal::Silent => (
                StatusCode::REQUEST_TIMEOUT,
                "nothing was posted for 10 seconds",
                "connect when the encode begins, and post a block at least every 10 seconds (ffmpeg -stats_period)",
            ),
            Refusal::Crowded => (
                StatusCode::SERVICE_UNAVAILABLE,
                "the limit of 256 progress posts is reached, or too many connections wait for a match with an encoder",
                "end connections that post nothing, or post again when an encoder has ended",
            ),
        };
        Self { status, reason, way_out }
    }
}

impl IntoResponse for RefusedPost {
    fn into_response(self) -> Response {
        (self.status, format!("{}: {}\n", self.reason, self.way_out)).into_response()
    }
}

/// Logs refusals: the first of each reason, then at most one a minute with the number of those in between.
#[derive(Debug, Default)]
pub(in crate::server) struct RefusalLog(Mutex<HashMap<&'static str, LastLine>>);

#[derive(Debug)]
struct LastLine {
    at: MonoTime,
    untold: u64,
}

impl RefusalLog {
    /// Logs a refusal. The id of the post is not logged, because it may be part of a command line with a secret.
    pub(super) fn log(&self, refused: RefusedPost, ends: Option<Ends>, now: MonoTime) {
        if let Some(untold) = self.due(refused, now) {
            let RefusedPost { reason, way_out, .. } = refused;
            let peer = ends.map_or_else(|| "an unknown address".to_owned(), |ends| ends.peer.to_string());
            tracing::warn!(fix = way_out, untold, "a progress post from {peer} is refused: {reason}");
        }
    }

    /// Whether a line is due for this reason, and the number of refusals without one since the last.
    fn due(&self, refused: RefusedPost, now: MonoTime) -> Option<u64> {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match told.get_mut(refused.reason) {
            Some(last) if now.since(last.at) < LOG_PAUSE => {
                last.untold += 1;
                None
            }
            last => {
                let untold = last.map_or(0, |last| last.untold);
                told.insert(refused.reason, LastLine { at: now, untold: 0 });
                Some(untold)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_is_logged_at_most_once_a_minute_and_the_others_are_counted() {
        let log = RefusalLog::default();
        let second = |seconds: u64| MonoTime(seconds * 1_000_000_000);
        let (taken, unknown) = (Refusal::Taken.into(), Refusal::Unknown.into());
        assert_eq!(log.due(taken, second(1)), Some(0));
        assert_eq!([log.due(taken, second(2)), log.due(taken, second(60))], [None, None]);
        assert_eq!(log.due(unknown, second(3)), Some(0), "another reason");
        assert_eq!(log.due(taken, second(61)), Some(2));
        assert_eq!(log.due(taken, second(121)), Some(0));
    }

    #[tokio::test]
    async fn each_answer_has_a_reason_and_a_way_out() {
        let all = [Refusal::Unknown, Refusal::Remote, Refusal::Taken, Refusal::Silent, Refusal::Crowded];
        let all = all.map(RefusedPost::from).into_iter().chain([ID_TOO_LONG, AGENT_ENDS, NO_PROGRESS]);
        let mut texts = std::collections::BTreeSet::new();
        for refused in all {
            let response = refused.into_response();
            assert!(response.status().is_client_error() || response.status().is_server_error());
            let body = axum::body::to_bytes(response.into_body(), 4096).await.unwrap();
            let text = String::from_utf8(body.to_vec()).unwrap();
            let (reason, way_out) = text.trim().split_once(": ").unwrap();
            assert!(reason.len() > 10 && way_out.len() > 20, "{text}");
            texts.insert(text);
        }
        assert_eq!(texts.len(), 8);
    }
}
