//! Tests of posts over a paused clock: a silent connection is answered after ten seconds, a refused one at once.

use std::time::Duration;

use agent_core::time::MonoTime;
use axum::body::Bytes;
use futures_util::stream;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::*;

/// An endless body that begins with these chunks.
fn endless(chunks: &'static [&'static str]) -> Body {
    let sent = stream::iter(chunks).map(|chunk| Ok::<_, std::convert::Infallible>(Bytes::from(*chunk)));
    Body::from_stream(sent.chain(stream::pending()))
}

fn post_to(registry: &Arc<ProgressRegistry>, body: Body) -> JoinHandle<StatusCode> {
    let sender = Sender { id: "a".to_owned(), connection: None };
    let stream = registry.open(sender, MonoTime(0));
    tokio::spawn(async move { answered(read(stream, None, body).await) })
}

fn answered(answer: Result<StatusCode, RefusedPost>) -> StatusCode {
    answer.unwrap_or_else(|refused| refused.status)
}

fn registry() -> Arc<ProgressRegistry> {
    Arc::new(ProgressRegistry::new(|| {}))
}

const JUST_UNDER: Duration = Duration::from_millis(9_999);

#[tokio::test(start_paused = true)]
async fn a_silent_connection_is_answered_after_ten_seconds() {
    let registry = registry();
    let mut silent = post_to(&registry, endless(&[]));
    assert!(timeout(JUST_UNDER, &mut silent).await.is_err(), "not before");
    assert_eq!(registry.pending().len(), 1);
    assert_eq!(silent.await.unwrap(), StatusCode::REQUEST_TIMEOUT);
    assert_eq!((registry.pending().len(), registry.refused()), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn one_that_speaks_or_has_a_transcode_is_waited_for() {
    let registry = registry();
    let mut speaking = post_to(&registry, endless(&["frame=1\nprogress=continue\n"]));
    let mut matched = post_to(&registry, endless(&[]));
    let (number, _) = registry.pending().pop().unwrap();
    assert!(registry.accept(number, MonoTime(0)));
    let hours = Duration::from_hours(2);
    assert!(timeout(hours, &mut speaking).await.is_err());
    assert!(timeout(hours, &mut matched).await.is_err());
    speaking.abort();
    matched.abort();
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_told_at_once() {
    for (refusal, expected) in [
        (Refusal::Unknown, StatusCode::NOT_FOUND),
        (Refusal::Remote, StatusCode::FORBIDDEN),
        (Refusal::Taken, StatusCode::CONFLICT),
        (Refusal::Crowded, StatusCode::SERVICE_UNAVAILABLE),
    ] {
        let registry = registry();
        let post = post_to(&registry, endless(&["frame=1\n"]));
        let (number, _) = registry.pending().pop().unwrap();
        registry.refuse(number, refusal);
        let answer = timeout(Duration::from_millis(1), post).await;
        assert_eq!(answer.unwrap().unwrap(), expected, "{refusal:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn two_hundred_and_fifty_six_silent_posts_do_not_shut_out_the_next() {
    let registry = registry();
    let silent: Vec<_> = (0..256).map(|_| post_to(&registry, endless(&[]))).collect();
    let next = post_to(&registry, Body::from("frame=1\nprogress=end\n"));
    let (number, _) = registry.pending().pop().unwrap();
    assert!(registry.accept(number, MonoTime(0)));
    assert_eq!(next.await.unwrap(), StatusCode::NO_CONTENT);
    let mut statuses = Vec::new();
    for post in silent {
        statuses.push(post.await.unwrap());
    }
    assert_eq!(statuses[0], StatusCode::SERVICE_UNAVAILABLE, "the oldest made room");
    assert!(statuses[1..].iter().all(|status| *status == StatusCode::REQUEST_TIMEOUT));
}

#[tokio::test(start_paused = true)]
async fn one_that_has_ended_is_answered_when_its_transcode_is_known() {
    let registry = registry();
    let mut known = post_to(&registry, Body::from("frame=1\nprogress=end\n"));
    assert!(timeout(JUST_UNDER, &mut known).await.is_err(), "its socket is still there to be looked at");
    let (number, _) = registry.pending().pop().unwrap();
    registry.refuse(number, Refusal::Unknown);
    assert_eq!(known.await.unwrap(), StatusCode::NOT_FOUND);
    let undecided = post_to(&registry, Body::from("frame=1\nprogress=end\n"));
    assert_eq!(undecided.await.unwrap(), StatusCode::ACCEPTED);
    let (number, _) = registry.pending().pop().unwrap();
    assert!(registry.take_block(number).is_some(), "the next ticks decide");
}
