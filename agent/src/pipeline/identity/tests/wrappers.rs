//! Tests wrappers: of a wrapper and its encoder, only the encoder is a transcode.

use super::*;

const LINE: &str = "-i a -c:v libx265 b";

/// A script without `exec`, its shell's child, and the encoder.
fn script_and_encoder(agent: &Agent) {
    agent.process(7, 500, "ffmpeg", &format!("/bin/sh /usr/bin/ffmpeg {LINE}"));
    agent.child(7, 8, 501, "nice", "nice");
    agent.child(8, 9, 502, "ffmpeg", &format!("/opt/ffmpeg -y {LINE}"));
}

fn encoder(key: &str) -> (String, Option<String>, bool) {
    transcode(key, Some("libx265"), true)
}

#[test]
fn a_script_is_no_transcode_beside_its_encoder() {
    let mut agent = Agent::new();
    script_and_encoder(&agent);
    agent.exec(7, false);
    agent.tick(&[(1, Some(7))], &[]);
    assert_eq!(agent.transcodes(), []);
    assert!(agent.meter.tracked.contains(&ProcessId(7)), "it may become an encoder");
    agent.exec(9, false);
    agent.tick(&[(1, Some(7)), (1, Some(9))], &[]);
    assert_eq!(agent.transcodes(), [encoder("9-1800000101")]);
    // A comparison with procfs changes nothing.
    agent.lost = 1;
    agent.ticks(3);
    assert_eq!(agent.transcodes(), [encoder("9-1800000101")]);
    agent.exit(9);
    agent.exit(7);
    agent.ticks(3);
    assert_eq!(agent.meter.tracked, HashSet::new());
}

#[test]
fn a_script_of_which_the_end_was_lost_is_forgotten() {
    let mut agent = Agent::new();
    script_and_encoder(&agent);
    agent.exec(7, false);
    agent.gone(7);
    agent.gone(9);
    agent.lost = 1;
    agent.ticks(3);
    assert_eq!(agent.meter.tracked, HashSet::new());
}

#[test]
fn a_script_that_execs_the_encoder_becomes_a_transcode() {
    let mut agent = Agent::new();
    script_and_encoder(&agent);
    agent.exec(7, false);
    agent.tick(&[(1, Some(7))], &[]);
    agent.process(7, 500, "other", &format!("other {LINE}"));
    agent.exec(7, true);
    agent.tick(&[(1, Some(7))], &[]);
    assert_eq!(agent.transcodes(), [encoder("7-1800000101")]);
}

#[test]
fn a_program_that_runs_another_with_its_own_arguments_ends_as_a_transcode() {
    for is_charged in [false, true] {
        let mut agent = Agent::new();
        agent.process(7, 500, "ffmpeg", &format!("ffmpeg {LINE}"));
        agent.exec(7, false);
        if is_charged {
            agent.tick(&[(1, Some(7))], &[]);
        }
        agent.child(7, 9, 501, "ffmpeg", &format!("/opt/ffmpeg {LINE}"));
        agent.exec(9, false);
        let at = if is_charged { 101 } else { 100 };
        agent.tick(&[(1, Some(7)), (1, Some(9))], &[]);
        // What it has been charged with stays its own.
        let earlier = is_charged.then(|| transcode("7-1800000100", None, false));
        let expected: Vec<_> = earlier.into_iter().chain([encoder(&format!("9-1800000{at}"))]).collect();
        assert_eq!(agent.transcodes(), expected);
        agent.lost = 1;
        agent.ticks(2);
        assert_eq!(agent.transcodes(), expected, "also after a comparison with procfs");
    }
}

#[test]
fn an_encoder_that_is_found_before_its_wrapper_counts_alone() {
    let mut agent = Agent::new();
    agent.process(7, 500, "ffmpeg", &format!("ffmpeg {LINE}"));
    agent.child(7, 9, 500, "ffmpeg", &format!("/opt/ffmpeg {LINE}"));
    agent.ask(Identities::begin);
    for _ in 0..3 {
        agent.tick(&[(1, Some(9)), (1, Some(7))], &[]);
    }
    let codecs: Vec<_> =
        agent.transcodes().into_iter().map(|(key, codec, _)| (key.starts_with('9'), codec)).collect();
    assert_eq!(codecs, [(true, Some("libx265".to_owned()))]);
}

#[test]
fn a_child_with_other_arguments_is_a_second_transcode() {
    let mut agent = Agent::new();
    agent.process(7, 500, "ffmpeg", &format!("ffmpeg {LINE}"));
    agent.child(7, 9, 501, "ffmpeg", "/opt/ffmpeg -i b -c:v libx265 c");
    agent.exec(7, false);
    agent.exec(9, false);
    agent.tick(&[(1, Some(7)), (1, Some(9))], &[]);
    assert_eq!(agent.transcodes(), [encoder("7-1800000100"), encoder("9-1800000100")]);
}
