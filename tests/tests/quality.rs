//! Tests scores of real ffmpeg on small clips, with a build without libvmaf and one with it.
//!
//! Run: together.
#![allow(
    clippy::unwrap_used,
    clippy::float_cmp,
    reason = "a test may panic, and means equal when it says equal"
)]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tests::command::output;
use tests::ffmpeg;

/// A source of two seconds, and encodes of it.
struct Clips(tempfile::TempDir);

impl Clips {
    fn make() -> Self {
        let clips = Self(tempfile::tempdir().unwrap());
        let source = "testsrc2=size=320x180:rate=25:duration=2";
        ffmpeg::run(&["-f", "lavfi", "-i", source, "-c:v", "ffv1", &clips.path("source.mkv")]).unwrap();
        clips
    }

    fn path(&self, name: &str) -> String {
        self.0.path().join(name).display().to_string()
    }

    /// An encode of the source.
    fn encode(&self, name: &str, options: &[&str]) -> String {
        let (source, path) = (self.path("source.mkv"), self.path(name));
        ffmpeg::run(&[&["-i", &source, "-c:v", "libx264"], options, &[&path]].concat()).unwrap();
        path
    }
}

fn quality(arguments: &[&str]) -> Output {
    let path = std::env::var_os("PATH").unwrap();
    tests::agent::command()
        .unwrap()
        .env_clear()
        .env("PATH", path)
        .arg("quality")
        .args(arguments)
        .output()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn scores(arguments: &[&str]) -> Vec<Value> {
    let output = quality(&[arguments, &["--json"]].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn the_same_is_perfect_and_less_is_less() {
    let clips = Clips::make();
    let source = clips.path("source.mkv");
    let (good, bad) = (clips.encode("good.mp4", &["-crf", "20"]), clips.encode("bad.mp4", &["-crf", "42"]));
    let with_vmaf = ffmpeg::with_vmaf().unwrap();
    let found =
        scores(&["--ffmpeg", &with_vmaf, "--jobs=2", &source, &source, &source, &good, &source, &bad]);
    let [same, good, bad] = &found[..] else { panic!("{found:?}") };
    assert_eq!((&same["psnr_db"], &same["ssim"], &same["frames"]), (&"inf".into(), &1.0.into(), &50.into()));
    assert!(same["vmaf"].as_f64().unwrap() > 99.0, "{same}");
    for metric in ["vmaf", "psnr_db", "ssim"] {
        let of = |scores: &Value| scores[metric].as_f64().unwrap();
        assert!(of(good) > of(bad), "{metric}: {good} {bad}");
    }
    assert_eq!(good["findings"], Value::Array(Vec::new()));
}

#[test]
fn without_libvmaf_the_others_are_there_and_it_is_said_where_to_get_it() {
    let clips = Clips::make();
    let (source, encode) = (clips.path("source.mkv"), clips.encode("e.mp4", &[]));
    let filters = output(Command::new("ffmpeg").args(["-hide_banner", "-filters"])).unwrap();
    let output = quality(&[&source, &encode]);
    assert!(output.status.success());
    if !filters.split_whitespace().any(|word| word == "libvmaf") {
        assert!(text(&output.stderr).contains("has no libvmaf"), "{}", text(&output.stderr));
        let row = text(&output.stdout);
        assert!(row.lines().nth(1).unwrap().split_whitespace().nth(1) == Some("-"), "{row}");
    }
}

#[test]
fn another_size_rate_and_length_are_brought_together_and_said() {
    let clips = Clips::make();
    let source = clips.path("source.mkv");
    let small = clips.encode("small.mp4", &["-s", "160x90", "-r", "50", "-t", "1", "-crf", "10"]);
    let [found] = &scores(&[&source, &small])[..] else { panic!() };
    let findings = found["findings"].to_string();
    for words in
        ["160x90 to the source's 320x180", "50 frames a second and the source's 25", "25 of 50 frames"]
    {
        assert!(findings.contains(words), "{words:?} is not in {findings}");
    }
    assert!(found["psnr_db"].as_f64().unwrap() > 20.0, "the right frames are compared: {found}");
}

#[test]
fn scores_of_a_part_are_never_shown_without_the_part() {
    let clips = Clips::make();
    let source = clips.path("source.mkv");
    let cut = clips.encode("cut.mp4", &["-t", "0.24"]);
    let [found] = &scores(&[&source, &cut])[..] else { panic!() };
    assert_eq!((&found["frames"], found["covered_ratio"].as_f64()), (&6.into(), Some(0.12)), "{found}");
    let file = clips.path("test_results_1.json");
    fs::write(&file, r#"{"scenarios":[{"name":"cut","duration":1}]}"#).unwrap();
    let output = quality(&["--result", &file, "--scenario", "cut", &source, &cut]);
    assert!(text(&output.stdout).contains("of 12 %"), "{}", text(&output.stdout));
    let scenario = || -> Value {
        let file: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
        file["scenarios"][0].clone()
    };
    assert_eq!(scenario()["quality_covered_ratio"].as_f64(), Some(0.12));
    let report = tests::agent::command().unwrap().env_clear().args(["report", &file]).output().unwrap();
    let report = text(&report.stdout);
    assert!(report.contains("scores are of 12 % of the source"), "{report}");
    quality(&["--result", &file, "--scenario", "cut", &source, &source]);
    assert!(scenario().get("quality_covered_ratio").is_none(), "now they are of all of it");
}

#[test]
fn scores_go_into_the_result_file_and_nothing_else_changes() {
    let clips = Clips::make();
    let source = clips.path("source.mkv");
    let file = clips.path("test_results_1.json");
    fs::write(&file, r#"{"z":[1],"scenarios":[{"name":"other"},{"name":"same","own":{"b":1,"a":2}}]}"#)
        .unwrap();
    let output = quality(&["--result", &file, "--scenario", "same", &source, &source]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let after: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    assert_eq!(
        (&after["z"], &after["scenarios"][0]),
        (&serde_json::json!([1]), &serde_json::json!({"name": "other"}))
    );
    let scenario = &after["scenarios"][1];
    assert_eq!((&scenario["psnr_score"], &scenario["own"]["a"]), (&"inf".into(), &2.into()));
    assert!(scenario["quality_seconds"].as_f64().unwrap() > 0.0);
    let left: Vec<_> = fs::read_dir(Path::new(&file).parent().unwrap()).unwrap().flatten().collect();
    assert_eq!(left.len(), 2, "source and result file, and nothing beside them");
}

#[test]
fn what_cannot_be_compared_is_named_and_the_rest_goes_on() {
    let clips = Clips::make();
    let source = clips.path("source.mkv");
    let sound = clips.path("sound.wav");
    ffmpeg::run(&["-f", "lavfi", "-i", "sine=duration=1", &sound]).unwrap();
    let output = quality(&[&source, &sound, &source, "/no/such.mp4", &source, &source]);
    assert_eq!(output.status.code(), Some(1));
    let (said, rows) = (text(&output.stderr), text(&output.stdout));
    assert!(
        said.contains("sound.wav: no video in it") && said.contains("/no/such.mp4: No such file"),
        "{said}"
    );
    assert!(rows.contains("source.mkv"), "{rows}");
    let late = quality(&["--timeout=0", &source, &source]);
    assert!(!late.status.success() && text(&late.stderr).contains("--timeout"), "{}", text(&late.stderr));
    assert_eq!(quality(&[&source, &source, &source]).status.code(), Some(2), "files come in pairs");
    let nowhere = quality(&["--ffmpeg=/no/ffmpeg", &source, &source]);
    assert!(text(&nowhere.stderr).contains("/no/ffmpeg"), "{}", text(&nowhere.stderr));
}

/// The Python package `ffmpeg-quality-metrics` decodes and pairs on its own. Its PSNR is a mean of decibels, which is another definition.
#[test]
fn an_independent_tool_has_the_same_scores() {
    let clips = Clips::make();
    let (source, encode) = (clips.path("source.mkv"), clips.encode("e.mkv", &["-crf", "33"]));
    let with_vmaf = ffmpeg::with_vmaf().unwrap();
    let [found] = &scores(&["--ffmpeg", &with_vmaf, &source, &encode])[..] else { panic!() };
    let mut referee = Command::new(std::env::var_os("FFWATT_PYTHON").unwrap());
    referee.args(["-m", "ffmpeg_quality_metrics", "--ffmpeg-path", &with_vmaf, "-m", "vmaf", "ssim", "--"]);
    let referee: Value = serde_json::from_str(&output(referee.args([&encode, &source])).unwrap()).unwrap();
    for (metric, path) in [("vmaf", "/global/vmaf/vmaf/average"), ("ssim", "/global/ssim/ssim_avg/average")] {
        let (found, expected) = (found[metric].as_f64().unwrap(), referee.pointer(path).unwrap());
        // It rounds to three digits.
        assert!((found - expected.as_f64().unwrap()).abs() < 1e-3, "{metric}: {found}, not {expected}");
    }
}

/// The Python package `easyvmaf` brings both sides to the picture of the model, and knows the NEG models.
#[test]
fn another_independent_tool_has_the_same_vmaf_by_both_models() {
    let clips = tests::clips::Clips::new().unwrap();
    let encoder = "-c:v libx264 -preset ultrafast -pix_fmt yuv420p";
    // It scales all other sizes.
    let picture = "testsrc2=size=1920x1080:rate=25:duration=0.6";
    clips.run(&format!("-f lavfi -i {picture} {encoder} -crf 5 source.mp4")).unwrap();
    clips.run(&format!("-i source.mp4 {encoder} -crf 35 encode.mp4")).unwrap();
    let with_vmaf = ffmpeg::with_vmaf().unwrap();
    // It takes the ffmpeg of the path.
    symlink(&with_vmaf, clips.path("ffmpeg")).unwrap();
    let python = PathBuf::from(std::env::var_os("FFWATT_PYTHON").unwrap());
    let path = format!("{}:{}", clips.folder().display(), std::env::var("PATH").unwrap());
    let mut referee = Command::new(python.with_file_name("easyvmaf"));
    referee.current_dir(clips.folder()).env("PATH", path).args(["--vmaf-version", "0.6"]);
    output(referee.args(["-d", "encode.mp4", "-r", "source.mp4"])).unwrap();
    let summary = fs::read(clips.path("encode_vmaf_summary.json")).unwrap();
    let summary: Value = serde_json::from_slice(&summary).unwrap();
    let (source, encode) = (clips.path("source.mp4"), clips.path("encode.mp4"));
    for (name, options) in [("vmaf_hd", &[][..]), ("vmaf_hd_neg", &["--vmaf-neg"][..])] {
        let pair = ["--ffmpeg", &with_vmaf, &source, &encode];
        let [found] = &scores(&[&pair[..], options].concat())[..] else { panic!() };
        let found = found["vmaf"].as_f64().unwrap();
        let expected = summary["vmaf"]["scores"][name].as_f64().unwrap();
        assert!((found - expected).abs() < 1e-3, "{name}: {found}, not {expected}");
    }
}
