//! Tests that blocks are taken once, waiting and accepted connections are bounded, and silent connections give way.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;

fn sender(id: &str, peer: &str) -> Sender {
    let connection = Ends { peer: peer.parse().unwrap(), own: ([127, 0, 0, 1], 9510).into() };
    Sender { id: id.to_owned(), connection: Some(connection) }
}

fn local() -> Sender {
    sender("a", "127.0.0.1:1")
}

fn block(frames: u64) -> Block {
    Block { frames: Some(frames), ..Block::default() }
}

fn second(number: u64) -> MonoTime {
    MonoTime(number * 1_000_000_000)
}

fn verdict(stream: &ProgressStream) -> Verdict {
    *stream.verdict.borrow()
}

const CROWDED: Verdict = Verdict::Refused(Refusal::Crowded);
const SILENT: Verdict = Verdict::Refused(Refusal::Silent);

#[test]
fn the_last_block_is_taken_once_and_a_closed_connection_is_given_once_more() {
    let rung = Arc::new(AtomicUsize::new(0));
    let notify = Arc::clone(&rung);
    let registry = Arc::new(ProgressRegistry::new(move || {
        notify.fetch_add(1, Ordering::Relaxed);
    }));
    let stream = registry.open(local(), second(0));
    assert_eq!(rung.load(Ordering::Relaxed), 1);
    assert_eq!(registry.pending().len(), 1);
    stream.set_block(block(1), MonoTime(1));
    stream.set_block(block(2), MonoTime(2));
    assert_eq!(verdict(&stream), Verdict::Pending);
    let (number, post) = registry.take().pop().unwrap();
    assert_eq!((post.last, post.is_open), (None, true), "it is kept until the transcode is known");
    assert!(registry.accept(number, second(0)));
    assert_eq!(registry.pending(), []);
    assert_eq!(registry.take()[0].1.last, Some((block(2), MonoTime(2))));
    assert_eq!(registry.take()[0].1.last, None);
    assert_eq!(verdict(&stream), Verdict::Matched);
    stream.set_block(block(3), MonoTime(3));
    drop(stream);
    let (_, post) = registry.take().pop().unwrap();
    assert_eq!((post.last, post.is_open), (Some((block(3), MonoTime(3))), false));
    assert!(registry.take().is_empty());
}

#[test]
fn who_comes_while_too_many_wait_is_heard_and_the_oldest_goes_those_from_elsewhere_first() {
    let registry = Arc::new(ProgressRegistry::new(|| {}));
    let mut waiting: Vec<ProgressStream> =
        (1..MAX_WAITING).map(|_| registry.open(local(), second(0))).collect();
    let remote = registry.open(sender("a", "192.0.2.1:1"), second(0));
    let next = registry.open(local(), second(0));
    assert_eq!((verdict(&remote), verdict(&waiting[0])), (CROWDED, Verdict::Pending));
    waiting.push(next);
    waiting.push(registry.open(local(), second(0)));
    assert_eq!(verdict(&waiting[0]), CROWDED);
    assert_eq!(verdict(waiting.last().unwrap()), Verdict::Pending);
    assert_eq!((registry.pending().len(), registry.refused()), (MAX_WAITING, 2));
    // A waiting connection does not count as accepted.
    let newest = registry.pending().last().unwrap().0;
    assert!(registry.accept(newest, second(0)));
}

/// A registry at the limit of accepted connections, which began at 0 s.
fn full() -> (Arc<ProgressRegistry>, Vec<ProgressStream>) {
    let registry = Arc::new(ProgressRegistry::new(|| {}));
    let open = |_| {
        let stream = registry.open(local(), second(0));
        assert!(registry.accept(stream.number, second(0)));
        stream
    };
    let streams = (0..MAX_ACCEPTED).map(open).collect();
    (registry, streams)
}

#[test]
fn silence_of_ten_seconds_gives_a_place_up_to_who_comes() {
    let (registry, streams) = full();
    streams[0].mark_received();
    let early = registry.open(local(), second(9));
    assert!(!registry.accept(early.number, second(9)), "nobody has been silent for ten seconds");
    assert_eq!(verdict(&early), CROWDED);
    let next = registry.open(local(), second(10));
    assert!(registry.accept(next.number, second(10)));
    let verdicts = [&streams[0], &streams[1], &streams[2]].map(verdict);
    assert_eq!(verdicts, [Verdict::Matched, SILENT, Verdict::Matched], "the first has said something");
}

#[test]
fn a_silent_connection_keeps_its_place_until_another_wants_it() {
    let registry = Arc::new(ProgressRegistry::new(|| {}));
    let open = || {
        let stream = registry.open(local(), second(0));
        assert!(registry.accept(stream.number, second(0)));
        stream
    };
    let (silent, speaking, closed) = (open(), open(), open());
    speaking.mark_received();
    let of_closed = closed.number;
    closed.set_block(block(1), second(1));
    drop(closed);
    assert!(!registry.displace(silent.number, second(9)));
    assert_eq!(verdict(&silent), Verdict::Matched);
    assert!(registry.displace(silent.number, second(10)));
    assert_eq!(verdict(&silent), SILENT);
    assert!(!registry.displace(speaking.number, second(1000)), "it has said something, and may be slow");
    assert!(registry.displace(of_closed, second(2)));
    let posts = registry.take();
    assert!(
        posts.iter().any(|(number, post)| *number == of_closed && post.last.is_some()),
        "its last word counts"
    );
}

#[test]
fn a_connection_that_closes_before_its_verdict_keeps_its_block_and_its_place() {
    let registry = Arc::new(ProgressRegistry::new(|| {}));
    for number in 0..2 * MAX_WAITING as u64 {
        registry.open(local(), second(0)).set_block(block(number), second(0));
    }
    assert_eq!(registry.take().len(), MAX_WAITING, "they are bounded");
    let pending: Vec<u64> = registry.pending().iter().map(|(number, _)| *number).collect();
    let (kept, dropped) = (pending[0], pending[1]);
    assert!(registry.accept(kept, second(0)));
    assert_eq!(registry.take_block(kept), Some((block(kept), second(0))));
    assert_eq!(registry.take_block(kept), None);
    registry.refuse(dropped, Refusal::Unknown);
    assert_eq!(registry.take_block(dropped), None);
    registry.take();
    assert_eq!(registry.take().len(), MAX_WAITING - 2, "a verdict ends it");
}

#[test]
fn what_ended_since_the_last_tick_is_bounded() {
    let registry = Arc::new(ProgressRegistry::new(|| {}));
    for _ in 0..3 * MAX_CLOSED {
        let stream = registry.open(local(), second(0));
        assert!(registry.accept(stream.number, second(0)));
        stream.set_block(block(1), second(0));
    }
    assert!(registry.take().len() <= MAX_CLOSED + 1);
}

#[tokio::test]
async fn a_verdict_is_told_at_once_and_once() {
    let registry = Arc::new(ProgressRegistry::new(|| {}));
    let mut stream = registry.open(local(), second(0));
    assert!(registry.accept(stream.number, second(0)));
    assert_eq!(stream.verdict().await, Verdict::Matched);
    registry.refuse(stream.number, Refusal::Taken);
    registry.refuse(stream.number, Refusal::Unknown);
    assert_eq!(stream.verdict().await, Verdict::Refused(Refusal::Taken));
    assert_eq!(registry.refused(), 1);
}

#[test]
fn addresses_that_say_where_a_sender_is() {
    assert!(sender("a", "[::ffff:127.0.0.1]:1").is_loopback());
    assert_eq!(sender("a", "[::1]:1").address(), None);
    let mapped = sender("a", "[::ffff:172.17.0.2]:1");
    assert_eq!(mapped.address(), Some("172.17.0.2".parse().unwrap()));
    assert!(!mapped.is_loopback());
}
