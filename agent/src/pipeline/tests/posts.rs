//! Tests progress that is posted before its transcode is known.

use agent_core::model::progress::{Block, Progress};

use super::*;
use crate::progress::{ProgressStream, Sender};

const ENCODER: ProcessId = ProcessId(1000);

fn block(frames: u64) -> Block {
    Block { frames: Some(frames), ..Block::default() }
}

/// A connection that names the encoder.
fn post(scene: &Scene) -> ProgressStream {
    let sender = Sender { id: ENCODER.0.to_string(), connection: None };
    scene.registry.open(sender, scene.clock.now())
}

/// The encoder starts in a container.
fn begin(scene: &Scene) {
    scene.make_cgroup(10, &container_path(10));
    scene.write_command_line(ENCODER.0.into(), &["ffmpeg", "-i", "a.mp4", "-c:v", "libx264", "b.mp4"]);
    let (at, cgroup) = (scene.clock.now(), CgroupId(10));
    let exec =
        LifecycleEvent::Exec { at, process: ENCODER, local: None, was_tracked: false, cgroup, legacy: None };
    scene.cpu.script(|script| script.events.push(exec));
}

fn frames(snapshot: &Snapshot) -> Option<u64> {
    let progress = |one: &Progress| one.block.frames;
    snapshot.transcodes.first().and_then(|one| one.progress.as_ref()).and_then(progress)
}

#[test]
fn the_last_block_before_the_transcode_is_known_counts() {
    let mut scene = Scene::server(&Config::default());
    let stream = post(&scene);
    stream.set_block(block(1), scene.clock.now());
    stream.set_block(block(2), scene.clock.now());
    assert_eq!(frames(&scene.tick(SECOND)), None);
    begin(&scene);
    assert_eq!(frames(&scene.tick(SECOND)), Some(2), "in the tick that finds the transcode");
    stream.set_block(block(3), scene.clock.now());
    assert_eq!(frames(&scene.tick(SECOND)), Some(3));
}

#[test]
fn a_connection_that_closed_before_its_transcode_is_known_counts() {
    let mut scene = Scene::server(&Config::default());
    let stream = post(&scene);
    stream.set_block(Block { is_end: true, ..block(7) }, scene.clock.now());
    drop(stream);
    scene.tick(SECOND);
    begin(&scene);
    assert_eq!(frames(&scene.tick(SECOND)), Some(7));
    let last = scene.tick(SECOND);
    assert_eq!((frames(&last), last.posts.matched, last.posts.unmatched), (Some(7), 0, 0));
}

#[test]
fn a_closed_connection_without_a_transcode_is_forgotten() {
    let mut scene = Scene::server(&Config::default());
    post(&scene).set_block(block(7), scene.clock.now());
    let during = scene.tick(SECOND);
    assert_eq!((during.posts.matched, during.posts.unmatched), (0, 0), "only open connections are shown");
    let after = (0..10).map(|_| scene.tick(SECOND)).last().unwrap();
    assert_eq!((scene.registry.pending().len(), after.posts.refused), (0, 1));
    begin(&scene);
    assert_eq!(frames(&scene.tick(SECOND)), None);
}
