//! Tests that a wrapper under the name of an encoder is no transcode beside the encoder that it runs.

use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::os::unix::fs::symlink;
use std::process::{ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::Value;
use tests::agent::Agent;
use tests::command::{Owned, eventually};

use super::agent;

/// Scripts under the name ffmpeg; `REAL` stands for the path of the encoder.
const SCRIPTS: [&str; 5] = [
    "#!/bin/sh\nREAL \"$@\"\necho done\n",
    "#!/bin/sh\nnice -n 1 REAL \"$@\"\necho done\n",
    "#!/usr/bin/env python3\nimport subprocess, sys\nsubprocess.run(['REAL'] + sys.argv[1:])\n",
    // As with `docker exec`, the encoder is no descendant.
    "#!/bin/sh\nsetsid --fork REAL \"$@\"\nread line\n",
    // The wrapper becomes the encoder.
    "#!/bin/sh\nexec REAL \"$@\"\n",
];

/// Wrappers with distinct bitrates; all end when their inputs are closed.
struct Wrapped {
    wrappers: Vec<(Owned, Option<ChildStdin>)>,
    bitrates: Vec<u64>,
    _folder: tempfile::TempDir,
}

/// A bitrate that no other process of this host has, in this test or in another one.
fn unique_bitrate() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    u64::from(std::process::id()) * 1000 + NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Starts each script, and a wrapper that is a program.
fn start() -> Wrapped {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    for name in ["real", "program"] {
        fs::create_dir(path(name)).unwrap();
        symlink(env!("CARGO_BIN_EXE_stand_in"), path(name).join("ffmpeg")).unwrap();
    }
    let real = path("real/ffmpeg");
    let script = |(number, text): (usize, &&str)| {
        let file = path(&format!("{number}")).join("ffmpeg");
        fs::create_dir(file.parent().unwrap()).unwrap();
        tests::command::script(&file, &text.replace("REAL", real.to_str().unwrap())).unwrap();
        Command::new(file)
    };
    let mut commands: Vec<Command> = SCRIPTS.iter().enumerate().map(script).collect();
    let mut program = Command::new(path("program/ffmpeg"));
    program.env("STAND_IN_RUNS", &real);
    commands.push(program);
    let mut wrapped = Wrapped { wrappers: Vec::new(), bitrates: Vec::new(), _folder: folder };
    for mut command in commands {
        let bitrate = unique_bitrate();
        let url = format!("http://127.0.0.1:9510{}", progress_path(bitrate));
        command.args(["-progress", &url, "-i", "in.mp4", "-c:v", "libx265", "-b:v", &bitrate.to_string()]);
        command.arg("out.mp4").stdin(Stdio::piped()).stdout(Stdio::null());
        let mut child = Owned(command.spawn().unwrap());
        let stdin = child.0.stdin.take();
        wrapped.wrappers.push((child, stdin));
        wrapped.bitrates.push(bitrate);
    }
    wrapped
}

fn progress_path(bitrate: u64) -> String {
    format!("/progress/wrapped-{bitrate}")
}

/// The running transcodes; `None` while the agent does not answer.
fn running(agent: &Agent) -> Option<Vec<Value>> {
    let answer = agent.get(agent.ports.main, "/api/v1/transcodes?per_page=1000&running=true").ok()?;
    let mut page: Value = serde_json::from_str(&answer.text()).ok()?;
    Some(std::mem::take(page["items"].as_array_mut()?))
}

/// Bitrate of each running transcode that is a wrapper or has the bitrate of one, 0 where it is absent.
fn own(agent: &Agent, wrapped: &Wrapped) -> Option<Vec<u64>> {
    let numbers: Vec<String> =
        wrapped.wrappers.iter().map(|(wrapper, _)| format!("{}-", wrapper.0.id())).collect();
    let own = |item: Value| {
        let bitrate = item["bitrate_bits_per_second"].as_u64().unwrap_or(0);
        let key = item["transcode"].as_str().unwrap_or_default();
        let is_own =
            wrapped.bitrates.contains(&bitrate) || numbers.iter().any(|number| key.starts_with(number));
        is_own.then_some(bitrate)
    };
    let mut bitrates: Vec<u64> = running(agent)?.into_iter().filter_map(own).collect();
    bitrates.sort_unstable();
    Some(bitrates)
}

/// Waits until each encoder is a transcode, and checks that then and later no wrapper is another one.
fn check(agent: &Agent, wrapped: &Wrapped) {
    let expected = &wrapped.bitrates;
    let mut last = None;
    let found = eventually("each encoder is one transcode", Duration::from_secs(30), || {
        last = own(agent, wrapped);
        (last.as_ref() == Some(expected)).then_some(())
    });
    found.unwrap_or_else(|error| panic!("{error:#}: expected {expected:?}, shown {last:?}\n{}", agent.log()));
    let from = tick(agent).unwrap_or_default();
    eventually("three ticks later", Duration::from_secs(30), || (tick(agent)? >= from + 3).then_some(()))
        .unwrap_or_else(|error| panic!("{error:#}: {}", agent.log()));
    assert_eq!(own(agent, wrapped).as_ref(), Some(expected), "also later");
}

/// Number of the last tick.
fn tick(agent: &Agent) -> Option<u64> {
    let answer = agent.get(agent.ports.main, "/api/v1/transcodes?per_page=1").ok()?;
    serde_json::from_str::<Value>(&answer.text()).ok()?["tick"].as_u64()
}

/// Posts progress in the name of each encoder: the command line of its wrapper has the same address.
fn check_progress(agent: &Agent, wrapped: &Wrapped) {
    for bitrate in &wrapped.bitrates {
        let (path, frames) = (progress_path(*bitrate), bitrate % 1000 + 1);
        let mut stream = TcpStream::connect(("127.0.0.1", agent.ports.main)).unwrap();
        write!(stream, "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n").unwrap();
        let has_frames = || {
            // Repeatedly, as an encoder does.
            write!(stream, "frame={frames}\nprogress=continue\n").ok()?;
            let item =
                running(agent)?.into_iter().find(|item| item["bitrate_bits_per_second"] == *bitrate)?;
            (item["frames"] == frames).then_some(())
        };
        let found =
            eventually("the encoder has the frames of its progress", Duration::from_secs(20), has_frames);
        found.unwrap_or_else(|error| panic!("{error:#}: {path}\n{}", agent.log()));
    }
}

/// Ends the encoders, and waits until the agent shows none of them.
fn check_end(agent: &Agent, mut wrapped: Wrapped) {
    for (_, stdin) in &mut wrapped.wrappers {
        drop(stdin.take());
    }
    for (wrapper, _) in &mut wrapped.wrappers {
        wrapper.0.wait().unwrap();
    }
    let mut last = None;
    let ended = eventually("all have ended", Duration::from_secs(30), || {
        last = own(agent, &wrapped);
        last.as_ref()?.is_empty().then_some(())
    });
    ended.unwrap_or_else(|error| panic!("{error:#}: still shown: {last:?}\n{}", agent.log()));
}

#[test]
fn wrappers_that_start_later() {
    for source in ["bpf", "cgroupfs"] {
        let agent = agent(source);
        let wrapped = start();
        check(&agent, &wrapped);
        check_progress(&agent, &wrapped);
        check_end(&agent, wrapped);
    }
}

#[test]
fn wrappers_that_the_agent_finds() {
    let wrapped = start();
    for source in ["bpf", "cgroupfs"] {
        check(&agent(source), &wrapped);
    }
}
