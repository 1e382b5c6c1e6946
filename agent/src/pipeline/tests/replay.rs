//! Replays recordings of hosts through the whole pipeline, and compares the snapshots with stored text.
//!
//! `recordings/README.md` has the format of a recording.

mod recording;
mod rendered;

use std::fs;
use std::path::Path;

use expect_test::expect_file;

/// Replays `recordings/NAME.txt`, and compares with `recordings/NAME.snapshots`.
fn replay(name: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/pipeline/tests/recordings");
    let text = fs::read_to_string(folder.join(format!("{name}.txt"))).unwrap();
    let snapshots: Vec<String> =
        recording::replay(&text).iter().map(|snapshot| rendered::text(snapshot)).collect();
    expect_file![folder.join(format!("{name}.snapshots"))].assert_eq(&snapshots.join("\n"));
}

#[test]
fn two_containers_on_two_sockets_and_an_encode_that_ends() {
    replay("two_sockets");
}

#[test]
fn a_counter_that_stalls_catches_up_and_is_reset() {
    replay("stalled_counter");
}

#[test]
fn a_container_that_appears_late_and_is_renamed() {
    replay("late_container");
}
