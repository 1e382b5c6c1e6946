//! Tests `ffwatt bench` with real ffmpeg in cgroups, beside the real agent with eBPF: its encodes, its result file, and its energy.
//!
//! Run: alone (it measures encodes).
#![allow(
    clippy::unwrap_used,
    clippy::float_cmp,
    reason = "a test may panic, and means equal when it says equal"
)]

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tests::agent::Agent;
use tests::cgroup::Cgroup;
use tests::command::{Owned, eventually, output};
use tests::exposition::Exposition;
use tests::ffmpeg;

fn bench(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = tests::agent::command().unwrap();
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap()).arg("bench");
    command.arg("--output-dir").arg(folder).args(["--cooldown=0", "--no-agent"]).args(arguments);
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The scenarios of the only result file.
fn scenarios(folder: &Path) -> Vec<Value> {
    let files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    let [file] = &files[..] else { panic!("{files:?}") };
    let document: Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    document["scenarios"].as_array().unwrap().clone()
}

fn said(output: &Output) -> String {
    format!("{}{}", text(&output.stdout), text(&output.stderr))
}

#[test]
fn a_batch_of_four_scenarios_has_its_joules_on_every_port() {
    let folder = tempfile::tempdir().unwrap();
    let batch = folder.path().join("batch.json");
    fs::write(
        &batch,
        r#"[{"type":"baseline","duration":1},
        {"name":"x264","bitrate":"300k","resolution":"320x180","fps":25},
        {"name":"x265","bitrate":"300k","resolution":"320x180","fps":25,"encoder":"h265","preset":"ultrafast"},
        {"name":"av1","bitrate":"300k","resolution":"320x180","fps":25,"encoder":"av1","preset":"12"},
        {"type":"multi","count":2,"bitrate":"200k","resolution":"160x90"},
        {"name":"ladder","bitrate":"400k","outputs":[{"resolution":"320x180","fps":25},{"resolution":"160x90","fps":25}]}]"#,
    )
    .unwrap();
    let results = folder.path().join("results");
    let flag = format!("--results-dir={}", results.display());
    let flags =
        ["--interval=200ms", "--cpu.source=bpf", "--energy.source=model", "--containers.docker-socket="];
    let agent = Agent::start(&[&flags[..], &[&flag, "--containers.podman-socket="]].concat()).unwrap();
    let with_vmaf = format!("--quality.ffmpeg={}", ffmpeg::with_vmaf().unwrap());
    let scored = ["--duration=3", "--quality", &with_vmaf, "batch", "--file", batch.to_str().unwrap()];
    let output = bench(&results, &scored).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let all = scenarios(&results);
    let names: Vec<&str> = all.iter().map(|scenario| scenario["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["Baseline (Idle)", "x264", "x265", "av1", "2 Streams @ 200k", "ladder"]);
    for scenario in &all[1..] {
        // 3 s of them, less what ffmpeg took to start.
        let streams = scenario["streams"].as_f64().unwrap();
        let rate = scenario["fps"].as_f64().unwrap();
        let frames = scenario["total_frames"].as_f64().unwrap() / streams;
        assert!((rate..=rate * 3.5).contains(&frames), "{scenario}");
        assert!((20.0..=100.0).contains(&scenario["vmaf_score"].as_f64().unwrap()), "{scenario}");
        assert!(scenario["failed"].is_null() && scenario["speed"].as_f64().unwrap() > 0.0, "{scenario}");
        // An ffmpeg has threads beside that of its encoder.
        assert!(scenario["threads"].as_f64().unwrap() > streams, "{scenario}");
    }
    assert!(all[0]["threads"].is_null(), "a baseline has no encoder: {}", all[0]);
    let main = agent
        .until("the last scenario's joules", |scrape| {
            let energy = scrape.find("ffwatt_scenario_energy_joules", &[("scenario", "ladder")]).next()?;
            (energy.value > 0.0).then(|| scrape.clone())
        })
        .unwrap();
    for name in &names[1..] {
        let of = [("scenario", *name)];
        let info = main.find("ffwatt_scenario_info", &of).next().unwrap();
        assert_eq!([info.label("matched"), info.label("basis")], ["container", "model"], "{name}");
        assert!(main.sum("ffwatt_scenario_joules_per_frame", &of).unwrap() > 0.0);
    }
    let results = agent.scrape_port(agent.ports.results).unwrap();
    let with = |name| -> Vec<&str> { results.all(name).map(|sample| sample.label("scenario")).collect() };
    assert_eq!(with("results_scenario_total_energy_joules"), names);
    assert_eq!(with("results_scenario_net_power_watts"), names[1..]);
    let of = [("scenario", "ladder")];
    let ladder = results.find("results_scenario_duration_seconds", &of).next().unwrap();
    assert_eq!(ladder.label("output_ladder"), "320x180@25,160x90@25");
    let cost = agent.scrape_port(agent.ports.cost).unwrap();
    assert_eq!(cost.all("cost_total_load_aware").count(), 6, "a baseline has the host's");
    let qoe = agent.scrape_port(agent.ports.qoe).unwrap();
    for name in &names[1..] {
        let label = name.replace(' ', "_");
        let of = [("scenario", label.as_str())];
        assert!(
            qoe.sum("qoe_vmaf_score", &of).unwrap() > 20.0
                && qoe.sum("qoe_quality_per_watt", &of).unwrap() > 0.0
        );
        // A scenario's energy is that of its transcodes' rows.
        let charged = main.sum("ffwatt_scenario_energy_joules", &[("scenario", *name)]).unwrap();
        let info = &all[names.iter().position(|known| known == name).unwrap()];
        let rows = rows_in(&agent.state_dir(), info["container"].as_str().unwrap());
        assert!((charged / rows - 1.0).abs() < 0.01, "{name}: {charged} J, its transcodes' rows {rows} J");
    }
    assert!(main.residuals().values().all(|left| *left == 0));
}

/// Joules of a workload's transcodes, in the ledger of a state folder.
fn rows_in(state: &Path, workload: &str) -> f64 {
    let state = format!("--state-dir={}", state.display());
    let mut command = tests::agent::command().unwrap();
    let report = output(command.args(["report", "--by=workload", "--json", &state])).unwrap();
    let groups: Value = serde_json::from_str(&report).unwrap();
    let group = groups.as_array().unwrap().iter().find(|group| group["name"] == workload);
    group.unwrap_or_else(|| panic!("{workload} is not in {groups}"))["energy_joules"].as_f64().unwrap()
}

#[test]
fn an_encoder_that_is_not_there_is_a_failed_scenario_and_the_others_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let batch = folder.path().join("batch.json");
    fs::write(
        &batch,
        r#"[{"name":"bad","bitrate":"300k","resolution":"320x180","encoder":"libnosuch"},
            {"name":"good","bitrate":"300k","resolution":"320x180"}]"#,
    )
    .unwrap();
    let results = folder.path().join("results");
    let output =
        bench(&results, &["--duration=1", "batch", "--file", batch.to_str().unwrap()]).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    let all = scenarios(&results);
    assert!(all[0]["failed"].as_str().unwrap().contains("libnosuch"), "{}", all[0]);
    assert!(all[1]["failed"].is_null());
}

#[test]
fn scoring_leaves_the_users_own_files_alone() {
    let (results, videos) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let own = videos.path().join("source.mkv");
    fs::write(&own, "somebody's holiday").unwrap();
    let target = format!("--target={}", videos.path().display());
    let single = ["single", "--name=mine", "--bitrate=200k", "--resolution=160x90", "--fps=15"];
    let output = bench(results.path(), &[&["--duration=1", "--quality", &target], &single[..]].concat())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", said(&output));
    assert!(scenarios(results.path())[0]["psnr_score"].as_f64().unwrap() > 20.0);
    assert_eq!(fs::read_to_string(&own).unwrap(), "somebody's holiday");
    let left = fs::read_dir(videos.path()).unwrap().count();
    assert_eq!(left, 2, "the user's file and the encode, and nothing beside them");
}

#[test]
fn what_scores_lack_is_said_once_before_the_first_encode() {
    let folder = tempfile::tempdir().unwrap();
    let batch = folder.path().join("batch.json");
    let scenario = |name: &str| json!({"name": name, "bitrate": "200k", "resolution": "160x90", "fps": 15});
    fs::write(&batch, json!([scenario("one"), scenario("two")]).to_string()).unwrap();
    let results = folder.path().join("results");
    let scored = ["--duration=1", "--quality", "batch", "--file", batch.to_str().unwrap()];
    let missing =
        bench(&results, &[&["--quality.ffmpeg=/no/ffmpeg"], &scored[..]].concat()).output().unwrap();
    assert_eq!(missing.status.code(), Some(1), "{}", said(&missing));
    assert!(text(&missing.stderr).contains("/no/ffmpeg"), "{}", said(&missing));
    assert!(!results.exists(), "nothing was encoded");
    // The ffmpeg of the distribution.
    let output = bench(&results, &scored).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(text(&output.stderr).matches("has no libvmaf").count(), 1, "{}", said(&output));
    assert_eq!(scenarios(&results).len(), 2);
}

#[test]
fn what_is_done_is_kept_when_it_is_stopped_and_nothing_is_left_behind() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = bench(folder.path(), &["--duration=1", "--ffmpeg=ffmpeg", "suite"]);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = Owned(command.spawn().unwrap());
    wait_for_two(folder.path());
    let own = child.0.id().to_string();
    kill_process(Pid::from_raw(i32::try_from(child.0.id()).unwrap()).unwrap(), Signal::INT).unwrap();
    let status = child.0.wait().unwrap();
    assert_eq!(status.code(), Some(130));
    assert!(scenarios(folder.path()).len() >= 2);
    let children = Command::new("pgrep").args(["-P", &own]).output().unwrap();
    assert_eq!(text(&children.stdout), "", "no ffmpeg is left");
}

/// Until two scenarios are written.
fn wait_for_two(folder: &Path) {
    eventually("the second scenario is written", Duration::from_secs(30), || {
        let file = fs::read_dir(folder)
            .ok()?
            .flatten()
            .find(|entry| entry.path().extension().is_some_and(|extension| extension == "json"))?;
        let document: Value = serde_json::from_slice(&fs::read(file.path()).ok()?).ok()?;
        (document["scenarios"].as_array()?.len() >= 2).then_some(())
    })
    .unwrap();
}

#[test]
fn a_kill_in_the_middle_loses_nothing_that_was_done_and_counts_nothing_twice() {
    let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let state = tempfile::tempdir().unwrap();
    let flags = [
        format!("--results-dir={}", first.path().display()),
        format!("--state-dir={}", state.path().display()),
    ];
    let more = [
        "--interval=200ms",
        "--cpu.source=bpf",
        "--energy.source=model",
        "--containers.docker-socket=",
        "--containers.podman-socket=",
    ];
    let flags: Vec<&str> = flags.iter().map(String::as_str).chain(more).collect();
    let agent = Agent::start(&flags).unwrap();
    let batch = second.path().join("batch.json");
    let entry = |name: &str| format!(r#"{{"name":"{name}","bitrate":"300k","resolution":"320x180"}}"#);
    fs::write(&batch, format!("[{},{},{}]", entry("kill one"), entry("kill two"), entry("kill three")))
        .unwrap();
    let mut command = bench(first.path(), &["--duration=2", "batch", "--file", batch.to_str().unwrap()]);
    let mut child = Owned(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    wait_for_two(first.path());
    let charged =
        |scrape: &Exposition, name: &str| scrape.sum("ffwatt_scenario_energy_joules", &[("scenario", name)]);
    let both = |scrape: &Exposition| Some((charged(scrape, "kill one")?, charged(scrape, "kill two")?));
    let before = agent.until("both have their joules", both).unwrap();
    let running = child.0.id().to_string();
    child.0.kill().unwrap();
    child.0.wait().unwrap();
    agent.stop_by(Signal::KILL).unwrap();
    eventually("its ffmpeg has ended with it", Duration::from_secs(10), || {
        let left =
            Command::new("pgrep").args(["-f", "kill-three_0_0|testsrc2=size=320x180"]).output().ok()?;
        left.stdout.is_empty().then_some(())
    })
    .unwrap_or_else(|error| panic!("{error}: children of {running}"));
    // A killed bench cannot remove its cgroup.
    Cgroup::make("ffrtmp/kill-three").unwrap().remove().unwrap();
    assert_eq!(scenarios(first.path()).len(), 2, "what was done is kept, whole");
    let agent = Agent::start(&flags).unwrap();
    let after = agent.until("they still have them", both).unwrap();
    assert_eq!(after, before, "known from the ledger, to the microjoule");
    let rows = rows_in(state.path(), "ffrtmp/kill-one");
    assert!((after.0 / rows - 1.0).abs() < 0.01, "{after:?} J, its row {rows} J");
}

/// The temperature sensor is simulated.
#[test]
fn a_hot_host_is_refused_with_the_figure() {
    let folder = tempfile::tempdir().unwrap();
    let monitor = folder.path().join("sys/class/hwmon/hwmon0");
    fs::create_dir_all(&monitor).unwrap();
    fs::write(monitor.join("name"), "k10temp\n").unwrap();
    fs::write(monitor.join("temp1_input"), "96500\n").unwrap();
    let sys = format!("--path.sysfs={}", folder.path().join("sys").display());
    let single = ["--busy=refuse", "single", "--name=a", "--bitrate=200k"];
    let output =
        bench(&folder.path().join("results"), &[&[sys.as_str()][..], &single].concat()).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(said(&output).contains("\"a\" is not measured: "), "{}", said(&output));
    assert!(said(&output).contains("96 °C before (limit 90)"), "{}", said(&output));
    let files = fs::read_dir(folder.path().join("results")).unwrap().count();
    assert_eq!(files, 0, "a bench without scenarios has no result file");
}

#[test]
fn mistakes_end_it_with_2_and_name_the_culprit() {
    let folder = tempfile::tempdir().unwrap();
    for (arguments, words) in [
        (&["single", "--name=a", "--bitrate=fast"][..], "--bitrate"),
        (&["single", "--name=a", "--bitrate=1M", "--resolution=721x480"], "--resolution"),
        (&["multi", "--count=3", "--bitrates=1M,2M"], "--bitrates"),
        (&["multi", "--count=0"], "--count"),
        (&["--busy=never", "suite"], "--busy"),
    ] {
        let output = bench(folder.path(), arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{}", said(&output));
        assert!(text(&output.stderr).contains(words), "{}", said(&output));
    }
    let missing = bench(folder.path(), &["batch", "--file=/no/such.json"]).output().unwrap();
    assert!(!missing.status.success() && text(&missing.stderr).contains("/no/such.json"));
}
