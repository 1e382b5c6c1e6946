//! Tests how an encoder ended: stopped by a signal, or failed by itself with the same exit status.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tests::agent::{Agent, WITH_BPF, binary};
use tests::command::{Owned, eventually};

use super::agent;

/// Handles signals as ffmpeg does: it exits with 255 after SIGTERM and SIGINT, and ignores SIGHUP. With `fail` it does so by itself.
const SCRIPT: &str = "trap 'exit 255' TERM INT; trap '' HUP; echo ready; read -r word || exit 0; exit 255";

/// Name of the encoder. A program of busybox takes its applet from its first argument where its name begins like this.
const NAME: &str = "busybox-ending";

/// A shell under the name of an encoder.
fn encoder(folder: &Path) -> Owned {
    let program = folder.join(NAME);
    if !program.exists() {
        symlink("/bin/busybox", &program).unwrap();
    }
    let mut command = Command::new(program);
    command.args(["sh", "-c", SCRIPT]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut encoder = Owned(command.spawn().unwrap());
    // Its signals are handled from now on.
    let mut line = [0; 6];
    std::io::Read::read_exact(encoder.0.stdout.as_mut().unwrap(), &mut line).unwrap();
    encoder
}

fn send(child: &Child, signal: Signal) {
    kill_process(Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap(), signal).unwrap();
}

/// The item of the API for an encoder, when it is there.
fn item(agent: &Agent, process: u32) -> Option<Value> {
    let answer = agent.get(agent.ports.main, "/api/v1/transcodes?per_page=1000").ok()?;
    let page: Value = serde_json::from_str(&answer.text()).ok()?;
    let prefix = format!("{process}-");
    let mut items = page["items"].as_array()?.iter();
    items.find(|item| item["transcode"].as_str().is_some_and(|key| key.starts_with(&prefix))).cloned()
}

/// Exit code and ending of an encoder, once the agent knows them.
fn ending(agent: &Agent, process: u32) -> (u64, String) {
    eventually("the end is known", Duration::from_secs(30), || {
        let item = item(agent, process)?;
        Some((item["exit_code"].as_u64()?, item["ending"].as_str()?.to_owned()))
    })
    .unwrap_or_else(|error| panic!("{error:#}: {}", agent.log()))
}

/// The endings of encoders that start and end while an agent runs.
fn endings(agent: &Agent, folder: &Path) -> Vec<(u64, String)> {
    let kinds: [&[Signal]; 6] = [
        &[Signal::TERM],
        &[Signal::INT],
        // It fails by itself: without a signal, after one that it ignores, and after one that ends nothing.
        &[],
        &[Signal::HUP],
        &[Signal::WINCH],
        &[Signal::KILL],
    ];
    let end = |signals: &&[Signal]| {
        let mut encoder = encoder(folder);
        let process = encoder.0.id();
        eventually("it is a transcode", Duration::from_secs(30), || item(agent, process)).unwrap();
        for signal in *signals {
            send(&encoder.0, *signal);
        }
        std::io::Write::write_all(encoder.0.stdin.as_mut().unwrap(), b"fail\n")
            .or_else(|error| if error.kind() == std::io::ErrorKind::BrokenPipe { Ok(()) } else { Err(error) })
            .unwrap();
        encoder.0.wait().unwrap();
        ending(agent, process)
    };
    kinds.iter().map(end).collect()
}

/// Whether this process, and so each encoder that it starts, ignores SIGINT: a shell starts its background jobs like that.
fn ignores_interrupt() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap();
    u64::from_str_radix(ignored.trim(), 16).unwrap() & (1 << (Signal::INT.as_raw() - 1)) != 0
}

fn expected(words: [(u64, &str); 6]) -> Vec<(u64, String)> {
    words.map(|(code, word)| (code, word.to_owned())).into()
}

#[test]
fn a_stopped_encoder_and_a_failed_one_are_told_apart_by_the_signal() {
    let folder = tempfile::tempdir().unwrap();
    let agent = agent(&["--cpu.tracked=busybox-ending", "--interval=200ms"]);
    let found = endings(&agent, folder.path());
    let failed = (255, "failed");
    let interrupted = if ignores_interrupt() { failed } else { (255, "stopped") };
    let words = [(255, "stopped"), interrupted, failed, failed, failed, (137, "stopped")];
    assert_eq!(found, expected(words), "{}", agent.log());
}

#[test]
fn signals_before_the_agent_began_are_not_known() {
    let folder = tempfile::tempdir().unwrap();
    let [early, late] = [encoder(folder.path()), encoder(folder.path())];
    let agent = agent(&["--cpu.tracked=busybox-ending", "--interval=200ms"]);
    for (mut encoder, signal, word) in
        [(early, None, "stopped or failed"), (late, Some(Signal::TERM), "stopped")]
    {
        let process = encoder.0.id();
        eventually("it is a transcode", Duration::from_secs(30), || item(&agent, process)).unwrap();
        match signal {
            Some(signal) => send(&encoder.0, signal),
            None => std::io::Write::write_all(encoder.0.stdin.as_mut().unwrap(), b"fail\n").unwrap(),
        }
        encoder.0.wait().unwrap();
        assert_eq!(ending(&agent, process), (255, word.to_owned()), "{}", agent.log());
    }
}

#[test]
fn without_the_kernels_types_the_ending_stays_open() {
    let folder = tempfile::tempdir().unwrap();
    // A sysfs without types, for the agent alone.
    let wrapper = folder.path().join("without-types");
    let script = format!(
        "#!/bin/sh\nexec unshare -m sh -c 'mount -t tmpfs none /sys/kernel/btf && exec \"$0\" \"$@\"' {} \"$@\"\n",
        binary().unwrap().display()
    );
    tests::command::script(&wrapper, &script).unwrap();
    let flags = [&WITH_BPF[..], &["--cpu.tracked=busybox-ending", "--interval=200ms"]].concat();
    let mut agent = Agent::spawn(&wrapper, &flags, &[]).unwrap();
    agent.wait_ready().unwrap();
    let mut encoder = encoder(folder.path());
    let process = encoder.0.id();
    eventually("it is a transcode", Duration::from_secs(30), || item(&agent, process)).unwrap();
    send(&encoder.0, Signal::TERM);
    encoder.0.wait().unwrap();
    let item = eventually("the end is known", Duration::from_secs(30), || {
        item(&agent, process).filter(|item| item["is_running"] == false)
    })
    .unwrap();
    // Without types the exit status is unknown, too.
    assert_eq!((item.get("ending"), item.get("exit_code")), (None, None), "{item}");
}
