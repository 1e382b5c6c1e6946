//! Tests that joules per frame are energy divided by the frames that real ffmpegs encode beside copies, posters and other formats.
//!
//! Run: together.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::cell::Cell;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use tests::agent::Agent;
use tests::command::{Owned, eventually, output};
use tests::exposition::Exposition;
use tests::ffmpeg;

/// Video with B-frames and a key frame each two seconds, at a constant and at a variable frame rate.
const SOURCES: [(&str, &str); 2] = [
    ("constant.mkv", "null"),
    // Each third and each seventh picture: no two distances in time follow a rule.
    ("variable.mkv", "select=not(mod(n\\,3))+not(mod(n\\,7))"),
];

/// One run: its options, and the outputs that it encodes.
struct Run {
    name: &'static str,
    options: &'static str,
    encoded: &'static [&'static str],
    is_counted: bool,
}

const fn counted(name: &'static str, options: &'static str, encoded: &'static [&'static str]) -> Run {
    Run { name, options, encoded, is_counted: true }
}

/// The progress of ffmpeg does not tell the frames.
const fn uncounted(name: &'static str, options: &'static str, encoded: &'static [&'static str]) -> Run {
    Run { name, options, encoded, is_counted: false }
}

const RUNS: &[Run] = &[
    counted(
        "encode and record",
        "-i constant.mkv -c:v libx264 encode.mp4 -c copy record.mkv",
        &["encode.mp4"],
    ),
    counted(
        "record and encode",
        "-i constant.mkv -c copy record.mkv -c:v libx264 encode.mp4",
        &["encode.mp4"],
    ),
    counted(
        "record and encode a slower stream",
        "-i constant.mkv -r 10 -c:v libx264 slow.mkv -c copy record.mkv",
        &["slow.mkv"],
    ),
    // A copy has the packets since the key frame before.
    uncounted(
        "record and encode from a time on",
        "-ss 3 -i constant.mkv -c copy record.mkv -c:v libx264 encode.mkv",
        &["encode.mkv"],
    ),
    counted(
        "pictures and restream",
        "-i constant.mkv -vf fps=1 -f image2 picture%d.jpg -c copy -f flv restream.flv",
        &["picture%d.jpg"],
    ),
    uncounted(
        "restream and pictures",
        "-i constant.mkv -c copy -f flv restream.flv -vf fps=1 picture%d.jpg",
        &["picture%d.jpg"],
    ),
    counted(
        "restream and a poster",
        "-i constant.mkv -c copy -f flv restream.flv -frames:v 1 poster.jpg",
        &["poster.jpg"],
    ),
    counted(
        "encode and a poster",
        "-i constant.mkv -c:v libx264 -f flv encode.flv -frames:v 1 poster.jpg",
        &["encode.flv", "poster.jpg"],
    ),
    counted(
        "ladder with a rung that is copied",
        "-i constant.mkv -filter_complex [0:v]split=2[a][b];[b]scale=80:-2[c] -map [a] -c:v libx264 large.mp4 \
         -map [c] -c:v libx264 small.mp4 -map 0:v -c copy passed.mp4",
        &["large.mp4", "small.mp4"],
    ),
    counted(
        "ladder in one file with a rung that is copied",
        "-i constant.mkv -map 0:v -map 0:v -map 0:v -c:v:0 copy -c:v:1 libx264 -s:v:1 128x72 -c:v:2 libx264 \
         -s:v:2 64x36 ladder.mkv",
        &["ladder.mkv 1", "ladder.mkv 2"],
    ),
    counted(
        "variable rate in one format",
        "-i variable.mkv -c:v libx264 large.mp4 -s 80x60 -c:v libx264 small.mp4",
        &["large.mp4", "small.mp4"],
    ),
    counted(
        "variable rate in formats that keep it",
        "-i variable.mkv -c copy record.mkv -c:v libx264 encode.mkv -s 80x60 -c:v libx264 small.flv",
        &["encode.mkv", "small.flv"],
    ),
    // Frames are repeated for pictures, and not for Matroska.
    uncounted(
        "variable rate and pictures",
        "-i variable.mkv -c:v libx264 encode.mkv all%d.jpg",
        &["encode.mkv", "all%d.jpg"],
    ),
];

/// Frames of an encoded output: of a file, of a stream of a file by its position, or the files of a pattern.
fn frames(folder: &Path, encoded: &str) -> u64 {
    if let Some((prefix, suffix)) = encoded.split_once("%d") {
        let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
        let names = names.map(|name| name.into_string().unwrap());
        return names.filter(|name| name.starts_with(prefix) && name.ends_with(suffix)).count() as u64;
    }
    let (file, position) = encoded.split_once(' ').unwrap_or((encoded, "0"));
    let stream = format!("v:{position}");
    let mut probe = Command::new("ffprobe");
    probe.args(["-v", "error", "-count_packets", "-select_streams", &stream, "-show_entries"]);
    probe.args(["stream=nb_read_packets", "-of", "csv=p=0"]).arg(folder.join(file));
    output(&mut probe).unwrap().trim().trim_end_matches(',').parse().unwrap()
}

#[test]
fn joules_per_frame_are_joules_of_the_frames_that_were_encoded() {
    let sources = tempfile::tempdir().unwrap();
    for (name, filter) in SOURCES {
        let path = sources.path().join(name).display().to_string();
        let source = "testsrc2=size=160x120:rate=25:duration=8";
        let encode = ["-c:v", "libx264", "-g", "50", "-bf", "2", "-fps_mode", "vfr"];
        ffmpeg::run(&[&["-f", "lavfi", "-i", source, "-vf", filter], &encode[..], &[&path]].concat())
            .unwrap();
    }
    let agent = Agent::start(&[
        "--energy.source=model",
        "--containers.docker-socket=",
        "--containers.podman-socket=",
        "--interval=500ms",
    ])
    .unwrap();
    let url = format!("http://127.0.0.1:{}/progress", agent.ports.main);
    for run in RUNS {
        let folder = tempfile::tempdir().unwrap();
        let options = run.options.replace("-i ", &format!("-i {}/", sources.path().display()));
        let mut command = Command::new("ffmpeg");
        command.args(["-nostdin", "-v", "error", "-progress", &url, "-readrate", "4"]);
        command.args(options.split_whitespace()).current_dir(folder.path()).stdin(Stdio::null());
        let mut child = Owned(command.spawn().unwrap());
        let status = eventually(run.name, Duration::from_mins(1), || child.0.try_wait().unwrap()).unwrap();
        assert!(status.success(), "{}", run.name);
        let expected: u64 = run.encoded.iter().map(|encoded| frames(folder.path(), encoded)).sum();
        assert!(expected > 0, "{}", run.name);
        check(&agent, run, child.0.id(), expected as f64);
    }
}

/// Compares the figures of a transcode that has ended.
fn check(agent: &Agent, run: &Run, process: u32, expected: f64) {
    let prefix = format!("{process}-");
    let figure = |scrape: &Exposition, name: &str| {
        let mut found = scrape.all(name).filter(|sample| sample.label("transcode").starts_with(&prefix));
        found.next().map(|sample| sample.value)
    };
    let last = Cell::new(None);
    let ended = agent.until("the transcode has ended and its progress is known", |scrape| {
        let frames = figure(scrape, "ffwatt_transcode_frames_total");
        last.set(frames);
        let is_over = figure(scrape, "ffwatt_transcode_running") == Some(0.0)
            && figure(scrape, "ffwatt_transcode_dropped_frames_total").is_some();
        let is_whole = if run.is_counted { frames == Some(expected) } else { frames.is_none() };
        (is_over && is_whole).then(|| scrape.clone())
    });
    let scrape = ended.unwrap_or_else(|error| panic!("{error}: {}: {expected} frames: {last:?}", run.name));
    let energy = figure(&scrape, "ffwatt_transcode_energy_joules_total").unwrap();
    let each = figure(&scrape, "ffwatt_transcode_joules_per_frame");
    match each {
        Some(each) => {
            let error = (each * expected / energy - 1.0).abs();
            assert!(run.is_counted && error < 0.01, "{}: {each} J of {energy} J by {expected}", run.name);
        }
        None => assert!(!run.is_counted, "{}", run.name),
    }
}
