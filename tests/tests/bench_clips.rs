//! Tests `ffwatt bench --input` with real clips and encoders, and what `report --curves` and `advise` make of it.
//!
//! Run: alone (it measures encodes).
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use tests::agent::{Agent, Ports};
use tests::command::output;
use tests::ffmpeg;

fn ffwatt(arguments: &[&str]) -> Command {
    let mut command = tests::agent::command().unwrap();
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap()).args(arguments);
    command
}

fn said(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    format!("{}{}", text(&output.stdout), text(&output.stderr))
}

/// A moving fractal with film grain, and sound: a picture that no encoder knows beforehand.
fn clip(path: &Path, size: &str, seconds: u32) {
    let source = format!("mandelbrot=size={size}:rate=25,noise=alls=12:allf=t");
    let (length, path) = (seconds.to_string(), path.display().to_string());
    ffmpeg::run(&[
        "-f",
        "lavfi",
        "-i",
        &source,
        "-f",
        "lavfi",
        "-i",
        "sine=frequency=500",
        "-t",
        &length,
        "-c:v",
        "libx264",
        "-preset",
        "ultrafast",
        "-crf",
        "10",
        "-pix_fmt",
        "yuv420p",
        "-c:a",
        "aac",
        &path,
    ])
    .unwrap();
}

/// The scenarios of the only result file, and its path.
fn scenarios(folder: &Path) -> (String, Vec<Value>) {
    let files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    let [file] = &files[..] else { panic!("{files:?}") };
    let document: Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    (file.display().to_string(), document["scenarios"].as_array().unwrap().clone())
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text"))
}

#[test]
fn clips_become_curves_and_an_advice() {
    let folder = tempfile::tempdir().unwrap();
    let clips = folder.path().join("clips");
    fs::create_dir(&clips).unwrap();
    clip(&clips.join("grain.mkv"), "640x360", 2);
    clip(&clips.join("small.mp4"), "480x270", 2);
    let results = folder.path().join("results");
    let (results_dir, state) = (
        format!("--results-dir={}", results.display()),
        format!("--state-dir={}", folder.path().join("state").display()),
    );
    let agent = Agent::start_with_bpf(&["--interval=200ms", &results_dir, &state]).unwrap();
    let vmaf = format!("--quality.ffmpeg={}", ffmpeg::with_vmaf().unwrap());
    let input = clips.display().to_string();
    let bench = ffwatt(&[
        "bench",
        "--no-agent",
        "--input",
        &input,
        "--codec=x264,x265",
        "--preset=veryfast",
        "--crf=20..38:6",
        "--repeat=2",
        "--cooldown=0",
        &vmaf,
        &results_dir,
        &state,
    ])
    .output()
    .unwrap();
    assert!(bench.status.success(), "{}", said(&bench));
    assert!(said(&bench).contains("ffwatt advise --vmaf-min"), "{}", said(&bench));
    let (file, all) = scenarios(&results);
    // Two clips, twice: reading, and two encoders at four qualities.
    assert_eq!(all.len(), 2 * 2 * (1 + 2 * 4));
    let mut of_setting: BTreeMap<String, Vec<&Value>> = BTreeMap::new();
    for scenario in &all {
        assert!(scenario["failed"].is_null(), "{scenario}");
        assert!(["grain", "small"].contains(&text(&scenario["clip"])), "{scenario}");
        assert_eq!(scenario["total_frames"], 50, "{scenario}");
        let command = text(&scenario["command_lines"][0]);
        assert!(!command.contains("-c:a") && command.contains(".nut"), "{command}");
        if scenario["encoder"] == "wrapped_avframe" {
            assert!(scenario["vmaf_score"].is_null() && scenario["setting"].is_null(), "{scenario}");
            continue;
        }
        let kilobits = text(&scenario["bitrate"]).strip_suffix('k').unwrap().parse::<f64>().unwrap();
        let expected = number(&scenario["output_bytes"]) * 8.0 / 1000.0 / 2.0;
        assert!((kilobits - expected).abs() < 0.01, "{scenario}");
        for score in ["vmaf_score", "vmaf_harmonic_mean", "vmaf_first_percentile", "psnr_score", "ssim_score"]
        {
            number(&scenario[score]);
        }
        let key = [&scenario["clip"], &scenario["encoder"], &scenario["preset"], &scenario["setting"]]
            .map(text)
            .join(" ");
        of_setting.entry(key).or_default().push(scenario);
    }
    assert_eq!(of_setting.len(), 16);
    assert!(of_setting.values().all(|repeats| repeats.len() == 2));
    let quality = |setting: &str| number(&of_setting[setting][0]["vmaf_score"]);
    assert!(quality("grain libx264 veryfast crf20") > quality("grain libx264 veryfast crf38") + 5.0);
    agent
        .until("the last scenario has its joules", |scrape| {
            let last = text(&all.last().unwrap()["name"]);
            scrape.find("ffwatt_scenario_energy_joules", &[("scenario", last)]).next().map(|_| ())
        })
        .unwrap();
    let report = |arguments: &[&str]| -> Value {
        let arguments = [arguments, &[file.as_str(), "--json", &state]].concat();
        serde_json::from_str(&output(&mut ffwatt(&arguments)).unwrap()).unwrap()
    };
    let curves = report(&["report", "--curves"]);
    let curves = curves.as_array().unwrap();
    assert_eq!(curves.len(), 4);
    for curve in curves {
        assert_eq!(curve["settings"].as_array().unwrap().len(), 4, "{curve}");
        for setting in curve["settings"].as_array().unwrap() {
            assert!(
                setting["is_reading_subtracted"] == true && number(&setting["joules_per_frame"]) > 0.0,
                "{setting}"
            );
        }
    }
    let anchors = curves.iter().filter(|curve| curve["is_anchor"] == true).count();
    assert_eq!(anchors, 2, "the same encoder and preset on each clip");
    advice_is_the_least(&report(&["advise", "--vmaf-min=70"]), curves, 70.0);
    for rows in [&["report", "--settings"][..], &["report"], &["report", "--by=codec"]] {
        let table = folder.path().join("table.parquet");
        // A report of the ledger is of no file.
        let named = (!rows.contains(&"--by=codec")).then_some(file.as_str());
        let common: Vec<&str> = rows.iter().copied().chain(named).chain([state.as_str()]).collect();
        output(ffwatt(&common).arg("--parquet").arg(&table)).unwrap();
        let json: Value = serde_json::from_str(&output(ffwatt(&common).arg("--json")).unwrap()).unwrap();
        assert_eq!(without_lists(&tests::referee::parquet(&table).unwrap()), without_lists(&json));
    }
}

/// Rows without lists, of which Parquet has none, and with all numbers as those of a table.
fn without_lists(rows: &Value) -> Vec<BTreeMap<String, Value>> {
    let value = |value: &Value| value.as_f64().map_or_else(|| value.clone(), Value::from);
    let row = |row: &Value| {
        let known = row.as_object().unwrap().iter().filter(|(_, value)| !value.is_array());
        known.map(|(name, known)| (name.clone(), value(known))).collect()
    };
    rows.as_array().unwrap().iter().map(row).collect()
}

/// By brute force over the curves: the least mean of both clips, of the settings that are good enough on both.
fn advice_is_the_least(advice: &Value, curves: &[Value], vmaf: f64) {
    let mut choices: BTreeMap<String, Vec<(f64, f64)>> = BTreeMap::new();
    for curve in curves {
        for setting in curve["settings"].as_array().unwrap() {
            let name = [&curve["encoder"], &curve["preset"], &setting["setting"]].map(text).join(" ");
            let kilowatt_hours = number(&setting["joules_per_frame"]) * 25.0 / 1000.0;
            choices.entry(name).or_default().push((kilowatt_hours, number(&setting["vmaf"])));
        }
    }
    let good = choices.iter().filter(|(_, clips)| clips.iter().all(|(_, score)| *score >= vmaf));
    let costs = good.map(|(name, clips)| (name, clips.iter().map(|(cost, _)| cost).sum::<f64>() / 2.0));
    let (name, cost) = costs.min_by(|(_, one), (_, other)| one.total_cmp(other)).unwrap();
    assert_eq!(text(&advice["best"]["setting"]), name);
    assert!((number(&advice["best"]["cost"]) / cost - 1.0).abs() < 1e-9, "{advice}, not {cost}");
    let line = text(&advice["best"]["command_line"]);
    assert!(line.starts_with("ffmpeg -i INPUT -c:v libx26") && line.ends_with("-g 50 OUTPUT"), "{line}");
}

#[test]
fn what_is_left_of_the_source_is_less_than_a_fiftieth_of_the_encode() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("film.mkv");
    clip(&path, "640x360", 4);
    let results = folder.path().join("results");
    let (results_dir, state) = (
        format!("--results-dir={}", results.display()),
        format!("--state-dir={}", folder.path().join("state").display()),
    );
    let ports = Ports::free().unwrap().flags();
    let ports: Vec<&str> = ports.iter().map(String::as_str).collect();
    let input = path.display().to_string();
    // No agent runs: the bench starts its own.
    let arguments = [
        "bench",
        "--input",
        &input,
        "--codec=x264",
        "--preset=medium",
        "--crf=23",
        "--repeat=3",
        "--cooldown=0",
        "--interval=200ms",
        "--energy.source=model",
        "--cpu.source=bpf",
        "--containers.docker-socket=",
        "--containers.podman-socket=",
        &results_dir,
        &state,
    ];
    let vmaf = format!("--quality.ffmpeg={}", ffmpeg::with_vmaf().unwrap());
    let bench = ffwatt(&[&arguments[..], &ports, &[&vmaf]].concat()).output().unwrap();
    assert!(bench.status.success(), "{}", said(&bench));
    let left = Command::new("pgrep").args(["-f", &state]).output().unwrap();
    assert!(left.stdout.is_empty(), "the agent of the bench has ended: {}", said(&left));
    let (file, _) = scenarios(&results);
    let report = output(&mut ffwatt(&["report", &file, "--json", &state])).unwrap();
    let report: Value = serde_json::from_str(&report).unwrap();
    let joules = |encoder: &str| -> Vec<f64> {
        let all = report.as_array().unwrap().iter().filter(|scenario| scenario["encoder"] == encoder);
        all.map(|scenario| number(&scenario["energy_joules"])).collect()
    };
    let (readings, encodes) = (joules("wrapped_avframe"), joules("libx264"));
    assert_eq!((readings.len(), encodes.len()), (3, 3), "{report}");
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let encoder = mean(&encodes) - mean(&readings);
    for reading in &readings {
        let left = (reading - mean(&readings)).abs() / encoder;
        assert!(left <= 0.02, "{left} of {encodes:?} J is left of {readings:?} J");
    }
}

#[test]
fn two_passes_are_one_encode_and_leave_no_statistics() {
    let folder = tempfile::tempdir().unwrap();
    let (path, temporary) = (folder.path().join("film.mkv"), folder.path().join("temporary: files"));
    fs::create_dir(&temporary).unwrap();
    clip(&path, "160x90", 1);
    let results = folder.path().join("results");
    let (results_dir, input) = (format!("--output-dir={}", results.display()), path.display().to_string());
    let two_passes =
        ["--codec=x264,x265,mpeg4", "--bitrate=200k", "--two-pass", "--preset=ultrafast", "--cooldown=0"];
    let mut command =
        ffwatt(&[&["bench", "--no-agent", &results_dir, "--input", &input][..], &two_passes].concat());
    let bench = command.env("TMPDIR", &temporary).output().unwrap();
    assert!(bench.status.success(), "{}", said(&bench));
    let (_, all) = scenarios(&results);
    assert_eq!(all.len(), 4, "the reading, and an encode by each encoder");
    for scenario in &all {
        let lines = scenario["command_lines"].as_array().unwrap();
        assert!(scenario["passes"] == 2 && lines.len() == 2, "{scenario}");
        assert_eq!(scenario["total_frames"], 25, "those of the second pass only: {scenario}");
        if scenario["encoder"] == "wrapped_avframe" {
            continue;
        }
        assert!(
            scenario["setting"] == "200k two-pass" && number(&scenario["output_bytes"]) > 0.0,
            "{scenario}"
        );
        let number_of = |line: &Value, number: &str| {
            let line = text(line);
            line.contains(&format!("-pass {number} ")) || line.contains(&format!("pass={number}:stats="))
        };
        assert!(number_of(&lines[0], "1") && number_of(&lines[1], "2"), "{scenario}");
    }
    let left: Vec<_> = fs::read_dir(&temporary).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn mistakes_name_the_flag_and_the_clip() {
    let folder = tempfile::tempdir().unwrap();
    let nothing = folder.path().join("notes.txt");
    fs::write(&nothing, "no video").unwrap();
    let nothing = nothing.display().to_string();
    for (arguments, code, words) in [
        (&["--input", "/no/such.mkv"][..], 1, "/no/such.mkv"),
        (&["--input", &nothing], 1, "notes.txt"),
        (&["--crf=20"], 2, "--input"),
        (&["--crf=70", "--input", &nothing], 2, "--crf"),
        (&["--crf=30..20", "--input", &nothing], 2, "--crf"),
        (&["--bitrate=fast", "--input", &nothing], 2, "--bitrate"),
        (&["--preset=quick", "--input", &nothing], 2, "--preset"),
        (&["--codec=mpeg2video", "--input", &nothing], 2, "--crf"),
        (&["--resolution=3x3", "--input", &nothing], 2, "--resolution"),
        (&["--two-pass", "--input", &nothing], 2, "--bitrate"),
        (&["--two-pass", "--bitrate=1M", "--codec=x264,svt-av1", "--input", &nothing], 2, "libsvtav1"),
        (&["--target=rtmp://host/live", "--input", &nothing], 2, "--target"),
    ] {
        let folder = format!("--output-dir={}", folder.path().join("results").display());
        let output = ffwatt(&[&["bench", "--no-agent", &folder][..], arguments].concat()).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", said(&output));
        assert!(said(&output).contains(words), "{arguments:?}: {}", said(&output));
    }
}
