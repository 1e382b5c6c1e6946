//! Tests wrappers, encoders of which events were lost, and process numbers that are used again.

use super::*;

#[test]
fn a_wrapper_and_what_it_becomes_are_one_transcode_to_the_end() {
    let mut agent = Agent::new();
    agent.process(7, 500, "ffmpeg", "ffmpeg wrapper");
    agent.exec(7, false);
    agent.process(7, 500, "real-encoder", "ffmpeg -i a -c:v libx265 b");
    agent.exec(7, true);
    agent.tick(&[(1, Some(7))], &[]);
    assert_eq!(agent.transcodes(), [transcode("7-1800000100", Some("libx265"), true)]);
    agent.exit(7);
    agent.ticks(3);
    assert_eq!(agent.transcodes(), [transcode("7-1800000100", Some("libx265"), false)]);
    assert!(!agent.meter.tracked.contains(&ProcessId(7)));
}

#[test]
fn an_encoder_of_which_the_end_was_lost_is_ended() {
    let mut agent = Agent::new();
    agent.process(7, 500, "ffmpeg", "ffmpeg -i a b");
    agent.process(8, 500, "ffmpeg", "ffmpeg -i a b");
    agent.exec(7, false);
    agent.exec(8, false);
    agent.tick(&[(1, Some(7)), (1, Some(8))], &[]);
    agent.gone(7);
    agent.lost = 1;
    agent.ticks(4);
    assert_eq!(agent.transcodes().iter().map(|(_, _, runs)| *runs).collect::<Vec<_>>(), [false, true]);
    assert_eq!(agent.meter.tracked, [ProcessId(8)].into());
    assert_eq!(agent.meter.forgotten, [tasks(1, Some(7))]);
}

#[test]
fn an_encoder_that_procfs_never_showed_is_ended_by_the_kernels_word_only() {
    let mut agent = Agent::new();
    agent.exec(7, false);
    agent.lost = 1;
    agent.ticks(4);
    assert_eq!(agent.transcodes(), [transcode("7-1800000100", None, true)]);
    agent.meter.ended.insert(ProcessId(7));
    agent.lost = 2;
    agent.ticks(4);
    assert_eq!(agent.transcodes(), [transcode("7-1800000100", None, false)]);
}

#[test]
fn a_number_that_something_else_has_now_is_tracked_no_more() {
    let mut agent = Agent::new();
    agent.process(7, 500, "ffmpeg", "ffmpeg -i a b");
    agent.exec(7, false);
    agent.tick(&[(1, Some(7))], &[]);
    agent.process(7, 900, "make", "make all");
    agent.lost = 1;
    // Its CPU time until it is no longer tracked arrives a tick later.
    for _ in 0..4 {
        agent.tick(&[(1, Some(7))], &[]);
    }
    assert_eq!(agent.transcodes().iter().map(|(_, _, runs)| *runs).collect::<Vec<_>>(), [false]);
    assert_eq!(agent.meter.tracked, HashSet::new());
    assert!(agent.meter.forgotten.contains(&tasks(1, Some(7))));
}

#[test]
fn a_number_that_another_encoder_has_now_is_another_transcode() {
    for was_tracked in [false, true] {
        let mut agent = Agent::new();
        agent.process(7, 500, "ffmpeg", "ffmpeg -i a -c:v libx264 b");
        agent.exec(7, false);
        agent.tick(&[(1, Some(7))], &[]);
        // The event of its end was lost. The kernel reports the other one, or procfs shows it.
        agent.process(7, 900, "ffmpeg", "ffmpeg -i a -c:v libx265 b");
        agent.exec(7, was_tracked);
        for _ in 0..4 {
            agent.tick(&[(1, Some(7))], &[]);
        }
        let expected = [
            transcode("7-1800000100", Some("libx264"), false),
            transcode("7-1800000101", Some("libx265"), true),
        ];
        assert_eq!(agent.transcodes(), expected);
        assert_eq!(agent.meter.tracked, [ProcessId(7)].into());
        assert_eq!(agent.meter.forgotten, [], "the second one uses the entry of the first");
    }
}

#[test]
fn an_encoder_whose_cpu_time_arrives_before_its_start_is_one_transcode() {
    for ends_early in [false, true] {
        let mut agent = Agent::new();
        let at = MonoTime(agent.clock.now().0 + SECOND / 2);
        if !ends_early {
            agent.process(7, 10_050, "ffmpeg", "ffmpeg -i a -c:v libx264 b");
        }
        agent.tick(&[(1, Some(7))], &[]);
        agent.exec_event(at, 7, None, false);
        agent.tick(&[(1, Some(7))], &[]);
        let codec = (!ends_early).then_some("libx264");
        let [(_, found, true)] = &agent.transcodes()[..] else { panic!("{:?}", agent.transcodes()) };
        assert_eq!(found.as_deref(), codec);
        agent.exit(7);
        agent.ticks(3);
        assert_eq!(agent.transcodes().iter().map(|(_, _, runs)| *runs).collect::<Vec<_>>(), [false]);
    }
}

#[test]
fn the_start_of_an_encoder_that_was_found_and_has_ended_is_no_second_one() {
    let mut agent = Agent::new();
    agent.process(7, 9999, "ffmpeg", "ffmpeg -i a -c:v libx264 b");
    let at = agent.clock.now();
    agent.ask(Identities::begin);
    agent.tick(&[(1, Some(7))], &[]);
    agent.gone(7);
    agent.exec_event(at, 7, None, false);
    agent.exit(7);
    agent.ticks(1);
    let [(_, codec, runs)] = &agent.transcodes()[..] else { panic!("{:?}", agent.transcodes()) };
    assert_eq!((codec.as_deref(), *runs), (Some("libx264"), false));
}

#[test]
fn an_encoder_of_which_the_start_was_lost_is_found() {
    let mut agent = Agent::new();
    agent.tick(&[], &[]);
    agent.process(7, 9950, "ffmpeg", "ffmpeg -i a -c:v libx264 b");
    agent.lost = 1;
    agent.tick(&[], &[]);
    assert!(
        agent.meter.tracked.contains(&ProcessId(7)),
        "tracked, and placed when the kernel tells where it runs"
    );
    agent.tick(&[(1, Some(7))], &[]);
    let [(key, codec, runs)] = &agent.transcodes()[..] else { panic!("{:?}", agent.transcodes()) };
    assert_eq!((key.as_str(), codec.as_deref(), *runs), ("7-1800000099", Some("libx264"), true));
}

#[test]
fn where_procfs_counts_in_another_way_no_number_is_looked_up_in_it() {
    // In a PID namespace of its own: the kernel's 7 is another process than the 7 of procfs.
    let mut agent = Agent::in_procfs_as(std::process::id());
    agent.process(7, 500, "ffmpeg", "ffmpeg -i a -c:v libx264 b");
    agent.process(3, 500, "ffmpeg", "ffmpeg -i a -c:v libx265 b");
    agent.ask(Identities::begin);
    assert_eq!(agent.meter.tracked, HashSet::new(), "nothing is tracked by a wrong number");
    agent.exec_known_as(7, None, false);
    agent.exec_known_as(900, Some(3), false);
    agent.lost = 1;
    agent.ticks(3);
    let expected =
        [transcode("7-1800000100", None, true), transcode("900-1800000100", Some("libx265"), true)];
    assert_eq!(agent.transcodes(), expected);
}

#[test]
fn an_encoder_that_ran_before_is_of_the_workload_by_which_the_kernel_charges_it() {
    let mut agent = Agent::new();
    agent.made(5, "/job");
    // Procfs shows a path that begins elsewhere, or none.
    for id in [7, 8, 9] {
        agent.process(id, 500, "ffmpeg", "ffmpeg -i a -c:v libx264 b");
    }
    agent.ask(Identities::begin);
    assert_eq!(agent.meter.tracked, [7, 8, 9].map(ProcessId).into());
    // One starts another program before its first CPU time arrives.
    agent.exec(9, true);
    agent.exit(9);
    assert_eq!(agent.transcodes(), [transcode("9-1800000100", Some("libx264"), false)]);
    agent.exit(8);
    for id in [8, 9] {
        agent.gone(id);
    }
    for _ in 0..3 {
        agent.tick(&[], &[(5, "/job")]);
    }
    assert_eq!(agent.meter.tracked, [ProcessId(7)].into(), "it ended before it was known");
    agent.tick(&[(5, Some(7))], &[(5, "/job")]);
    let known: Vec<&Transcode> = agent.identities.running().map(|(_, transcode)| transcode).collect();
    let [known] = known[..] else { panic!("{known:?}") };
    assert_eq!(&*agent.identities.identity(known.workload).name, "/job");
    assert!(known.observation.from.is_some(), "it is older than the agent");
}
