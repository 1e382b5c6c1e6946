//! Tests pairs that are not plain: turned, interlaced, cropped, of another rate, of high dynamic range, cut off, or without ffprobe.
//!
//! Run: together.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::process::Output;

use serde_json::Value;
use tests::clips::{Clips, Scores, Side};
use tests::ffmpeg;

const ENCODER: &str = "-c:v libx264 -preset veryfast -crf 30 -pix_fmt yuv420p";
const LOSSLESS: &str = "-c:v ffv1 -pix_fmt yuv420p";

/// Clips with `source.mkv` of this picture.
fn clips(picture: &str, options: &str) -> Clips {
    let clips = Clips::new().unwrap();
    clips.run(&format!("-f lavfi -i {picture} {options} {LOSSLESS} source.mkv")).unwrap();
    clips
}

fn quality(clips: &Clips, ffmpeg: &str, pair: [&str; 2]) -> Output {
    let mut command = tests::agent::command().unwrap();
    command.current_dir(clips.folder()).args(["quality", "--json", "--ffmpeg", ffmpeg, "--"]);
    command.args(pair).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn scored(clips: &Clips, pair: [&str; 2]) -> Value {
    let output = quality(clips, &ffmpeg::with_vmaf().unwrap(), pair);
    assert!(output.status.success(), "{pair:?}: {}", said(&output));
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    found[0].clone()
}

fn refused(clips: &Clips, pair: [&str; 2]) -> String {
    let output = quality(clips, "ffmpeg", pair);
    assert_eq!(output.status.code(), Some(1), "{pair:?}: {}", String::from_utf8_lossy(&output.stdout));
    said(&output)
}

#[track_caller]
fn assert_equal(found: &Value, expected: Scores) {
    let of = |metric: &str| found[metric].as_f64().unwrap();
    let is_equal = (of("vmaf") - expected.vmaf).abs() < 0.3
        && (of("psnr_db") - expected.psnr).abs() < 1e-2
        && (of("ssim") - expected.ssim).abs() < 1e-4;
    assert!(is_equal, "{expected:?}, not {found}");
}

#[track_caller]
fn assert_said(found: &Value, words: &str) {
    assert!(found["findings"].to_string().contains(words), "{words:?} is not in {}", found["findings"]);
}

#[test]
fn turned_pictures_are_compared_as_players_show_them() {
    let clips = clips("testsrc2=size=160x90:rate=25:duration=1", "");
    clips.run("-i source.mkv -c:v libx264 -preset veryfast -crf 8 flat.mp4").unwrap();
    clips.run(&format!("-i flat.mp4 {ENCODER} flat_encode.mp4")).unwrap();
    let turn = ffmpeg::with_vmaf().unwrap();
    clips.run_by(&turn, "-display_rotation 90 -i flat.mp4 -c copy turned.mp4").unwrap();
    clips.run_by(&turn, "-display_rotation 90 -i flat_encode.mp4 -c copy kept.mp4").unwrap();
    clips.run(&format!("-i turned.mp4 {ENCODER} upright.mp4")).unwrap();
    for encode in ["upright.mp4", "kept.mp4"] {
        let expected = clips.by_number("turned.mp4".into(), encode.into(), "yuv420p").unwrap();
        assert_equal(&scored(&clips, ["turned.mp4", encode]), expected);
    }
    assert_said(&scored(&clips, ["turned.mp4", "upright.mp4"]), "turned by 90 degrees and the encode by 0");
}

#[test]
fn pixels_that_are_not_square_keep_the_picture() {
    let clips = clips("testsrc2=size=180x144:rate=25:duration=1", "-vf setsar=64/45");
    clips.run(&format!("-i source.mkv -vf scale=256:144,setsar=1 {ENCODER} square.mp4")).unwrap();
    let found = scored(&clips, ["source.mkv", "square.mp4"]);
    let side = Side { file: "square.mp4", filters: "scale=180:144:flags=bicubic" };
    assert_equal(&found, clips.by_number("source.mkv".into(), side, "yuv420p").unwrap());
    assert_said(&found, "width of a pixel is 1.422 of its height in the source and 1.000 in the encode");
}

#[test]
fn interlaced_pictures_are_deinterlaced_and_said() {
    let clips = Clips::new().unwrap();
    let fields = "-vf tinterlace=4 -flags +ilme+ildct -x264-params tff=1";
    clips.run(&format!("-f lavfi -i testsrc2=size=160x96:rate=50:duration=1 {fields} -c:v libx264 -crf 8 -pix_fmt yuv420p i.mp4")).unwrap();
    clips.run(&format!("-i i.mp4 -flags +ilme+ildct {ENCODER} -x264-params tff=1 kept.mp4")).unwrap();
    clips.run(&format!("-i i.mp4 {ENCODER} unmarked.mp4")).unwrap();
    clips.run(&format!("-i i.mp4 -vf yadif=0 {ENCODER} frames.mp4")).unwrap();
    clips.run(&format!("-i i.mp4 -vf yadif=1 {ENCODER} fields.mp4")).unwrap();
    for (encode, source_filter, encode_filter) in [
        ("kept.mp4", "yadif=0", "yadif=0"),
        ("unmarked.mp4", "yadif=0", "yadif=0"),
        ("frames.mp4", "yadif=0", ""),
        ("fields.mp4", "yadif=1", ""),
    ] {
        let found = scored(&clips, ["i.mp4", encode]);
        let sides =
            [Side { file: "i.mp4", filters: source_filter }, Side { file: encode, filters: encode_filter }];
        assert_equal(&found, clips.by_number(sides[0], sides[1], "yuv420p").unwrap());
        assert_said(&found, "the source is interlaced; it is deinterlaced");
    }
}

#[test]
fn cropped_bars_are_found_and_other_cuts_are_refused() {
    let clips = clips("testsrc2=size=160x72:rate=25:duration=1", "-vf pad=160:120:0:24");
    clips.run(&format!("-i source.mkv -vf crop=160:72 {ENCODER} cut.mp4")).unwrap();
    clips.run(&format!("-i source.mkv {ENCODER} kept.mp4")).unwrap();
    clips.run(&format!("-i source.mkv -vf crop=80:72 {ENCODER} part.mp4")).unwrap();
    let found = scored(&clips, ["source.mkv", "cut.mp4"]);
    let inside = Side { file: "source.mkv", filters: "crop=160:72" };
    assert_equal(&found, clips.by_number(inside, "cut.mp4".into(), "yuv420p").unwrap());
    assert_said(&found, "a part of the source is cut off, as black bars");
    let kept = clips.by_number("source.mkv".into(), "kept.mp4".into(), "yuv420p").unwrap();
    assert_equal(&scored(&clips, ["source.mkv", "kept.mp4"]), kept);
    assert!(refused(&clips, ["source.mkv", "part.mp4"]).contains("black bars do not explain"));
}

#[test]
fn a_lost_line_is_told_from_a_scaled_picture() {
    let clips = Clips::new().unwrap();
    clips.run("-f lavfi -i testsrc2=size=162x92:rate=25:duration=1 -vf format=yuv444p,crop=161:91 -c:v ffv1 odd.mkv").unwrap();
    for filter in ["crop=160:90:0:0", "scale=160:90"] {
        clips.run(&format!("-i odd.mkv -vf {filter} {ENCODER} even.mp4")).unwrap();
        let found = scored(&clips, ["odd.mkv", "even.mp4"]);
        let is_cut = filter.starts_with("crop");
        let (inside, scaled) = if is_cut { (filter, "") } else { ("", "scale=161:91:flags=bicubic") };
        let sides = [Side { file: "odd.mkv", filters: inside }, Side { file: "even.mp4", filters: scaled }];
        assert_equal(&found, clips.by_number(sides[0], sides[1], "yuv420p").unwrap());
        assert_said(
            &found,
            if is_cut { "compared is the picture of 160x90 at 0,0" } else { "scaled from 160x90" },
        );
    }
}

#[test]
fn a_lost_head_is_found_and_a_lost_tail_is_said() {
    let clips = clips("testsrc2=size=160x90:rate=25:duration=2", "");
    for lost in [1, 5, 10] {
        let encode = format!("head{lost}.mp4");
        clips
            .run(&format!("-i source.mkv -vf trim=start_frame={lost},setpts=PTS-STARTPTS {ENCODER} {encode}"))
            .unwrap();
        let found = scored(&clips, ["source.mkv", &encode]);
        let filters = format!("trim=start_frame={lost}");
        let source = Side { file: "source.mkv", filters: &filters };
        assert_equal(&found, clips.by_number(source, encode.as_str().into(), "yuv420p").unwrap());
        assert_said(&found, &format!("begins with frame {} of the source", lost + 1));
    }
    clips.run(&format!("-i source.mkv -t 1.2 {ENCODER} tail.mp4")).unwrap();
    let found = scored(&clips, ["source.mkv", "tail.mp4"]);
    assert_eq!(found["covered_ratio"].as_f64(), Some(0.6));
    assert_said(&found, "the scores are of 60 % of the source");
    clips
        .run(&format!("-i source.mkv -vf trim=start_frame=25,setpts=PTS-STARTPTS {ENCODER} late.mp4"))
        .unwrap();
    assert!(refused(&clips, ["source.mkv", "late.mp4"]).contains("more than 10 frames apart"));
}

#[test]
fn other_rates_are_compared_at_the_lower_one() {
    for (from, to) in [("60", "30"), ("50", "25"), ("30", "60"), ("30", "25"), ("30", "24")] {
        let clips = clips(&format!("testsrc2=size=160x90:rate={from}:duration=2"), "");
        // The same decimation without loss shows which frames are the right ones.
        clips.run(&format!("-i source.mkv -r {to} -c:v libx264 -preset veryfast -qp 0 right.mp4")).unwrap();
        clips.run(&format!("-i source.mkv -r {to} {ENCODER} encode.mp4")).unwrap();
        let found = scored(&clips, ["source.mkv", "encode.mp4"]);
        let exact = scored(&clips, ["source.mkv", "right.mp4"]);
        assert_eq!(exact["psnr_db"], "inf", "{from} to {to}: other frames are compared: {exact}");
        let frames = found["frames"].as_u64().unwrap();
        let lower = from.parse::<u64>().unwrap().min(to.parse().unwrap()) * 2;
        // ffmpeg repeats a frame at the end.
        assert!(frames.abs_diff(lower) <= 3, "{from} to {to}: {found}");
        let psnr = clips.by_number("right.mp4".into(), "encode.mp4".into(), "yuv420p").unwrap().psnr;
        assert!(
            (found["psnr_db"].as_f64().unwrap() - psnr).abs() < 0.3,
            "{from} to {to}: {psnr}, not {found}"
        );
        assert_said(&found, "are paired by picture");
        assert!(found["covered_ratio"].is_null(), "{found}");
    }
}

#[test]
fn variable_rates_are_paired_by_time() {
    let clips = clips("testsrc2=size=160x90:rate=25:duration=2", "");
    let gaps = "-vf select='lt(n,20)+not(eq(mod(n,3),1))' -fps_mode vfr";
    clips.run(&format!("-i source.mkv {gaps} {LOSSLESS} variable.mkv")).unwrap();
    clips.run(&format!("-i variable.mkv -fps_mode passthrough {ENCODER} same.mp4")).unwrap();
    clips.run("-i same.mp4 -c copy same.mkv").unwrap();
    clips.run(&format!("-i variable.mkv -fps_mode cfr -r 25 {LOSSLESS} constant.mkv")).unwrap();
    let expected = clips.by_number("variable.mkv".into(), "same.mp4".into(), "yuv420p").unwrap();
    for encode in ["same.mp4", "same.mkv"] {
        assert_equal(&scored(&clips, ["variable.mkv", encode]), expected);
    }
    for pair in
        [["variable.mkv", "constant.mkv"], ["constant.mkv", "variable.mkv"], ["source.mkv", "variable.mkv"]]
    {
        assert_eq!(scored(&clips, pair)["psnr_db"], "inf", "{pair:?}");
    }
}

#[test]
fn high_dynamic_range_is_compared_with_ten_bits_and_never_with_tone_mapped_pictures() {
    let clips = Clips::new().unwrap();
    let pq = "-c:v libx265 -preset ultrafast -pix_fmt yuv420p10le -x265-params log-level=error:colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc";
    clips.run(&format!("-f lavfi -i testsrc2=size=160x96:rate=25:duration=1 {pq}:crf=5 hdr.mp4")).unwrap();
    clips.run(&format!("-i hdr.mp4 {pq}:crf=34 encode.mp4")).unwrap();
    clips.run(&format!("-i hdr.mp4 {ENCODER} -color_trc bt709 mapped.mp4")).unwrap();
    let found = scored(&clips, ["hdr.mp4", "encode.mp4"]);
    assert_equal(&found, clips.by_number("hdr.mp4".into(), "encode.mp4".into(), "yuv420p10le").unwrap());
    assert_said(&found, "VMAF is not made for it");
    assert!(refused(&clips, ["hdr.mp4", "mapped.mp4"]).contains("the encode bt709"));
}

#[test]
fn an_ffmpeg_without_ffprobe_is_sufficient() {
    let clips = clips("testsrc2=size=160x90:rate=30000/1001:duration=1", "");
    clips.run(&format!("-i source.mkv {ENCODER} encode.mp4")).unwrap();
    let ffmpeg = ffmpeg::with_vmaf().unwrap();
    let scored = |path: Option<std::ffi::OsString>| {
        let mut command = tests::agent::command().unwrap();
        command.current_dir(clips.folder()).env_clear().envs(path.map(|path| ("PATH", path)));
        let output =
            command.args(["quality", "--json", "--ffmpeg", &ffmpeg, "source.mkv", "encode.mp4"]).output();
        let output = output.unwrap();
        assert!(output.status.success(), "{}", said(&output));
        let found: Value = serde_json::from_slice(&output.stdout).unwrap();
        found[0]["vmaf"].as_f64().unwrap()
    };
    let expected = clips.by_number("source.mkv".into(), "encode.mp4".into(), "yuv420p").unwrap().vmaf;
    for found in [scored(None), scored(std::env::var_os("PATH"))] {
        assert!((found - expected).abs() < 0.3, "{found}, not {expected}");
    }
}

#[test]
fn every_file_name_works_and_an_error_is_the_cause() {
    let clips = clips("testsrc2=size=160x90:rate=25:duration=1", "");
    let name = OsStr::from_bytes(b"-a:\xff%d.mkv");
    fs::copy(clips.path("source.mkv"), clips.folder().join(name)).unwrap();
    let mut command = tests::agent::command().unwrap();
    command.current_dir(clips.folder()).args(["quality", "--json", "--"]).args([name, name]);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&found[0]["psnr_db"], &found[0]["frames"]), (&"inf".into(), &25.into()));
    clips.run(&format!("-i source.mkv {ENCODER} whole.mp4")).unwrap();
    let bytes = fs::read(clips.path("whole.mp4")).unwrap();
    fs::write(clips.path("cut.mp4"), &bytes[..3000]).unwrap();
    assert!(refused(&clips, ["source.mkv", "cut.mp4"]).contains("moov atom not found"));
    fs::write(clips.path("empty.mp4"), "").unwrap();
    let empty = refused(&clips, ["source.mkv", "empty.mp4"]);
    assert!(empty.contains("empty.mp4: the file is empty"), "{empty}");
}

#[test]
fn a_cover_picture_is_no_video() {
    let clips = clips("testsrc2=size=160x90:rate=25:duration=1", "");
    clips.run("-f lavfi -i sine=d=1 -c:a aac sound.m4a").unwrap();
    clips.run("-i source.mkv -frames:v 1 cover.jpg").unwrap();
    clips
        .run("-i sound.m4a -i cover.jpg -map 0 -map 1 -c copy -disposition:v:0 attached_pic cover.m4a")
        .unwrap();
    assert!(refused(&clips, ["source.mkv", "cover.m4a"]).contains("cover.m4a: no video in it"));
}

#[test]
fn the_model_and_the_worst_frames_are_recorded() {
    let clips = clips("testsrc2=size=160x90:rate=25:duration=1", "");
    clips.run(&format!("-i source.mkv {ENCODER} encode.mp4")).unwrap();
    let found = scored(&clips, ["source.mkv", "encode.mp4"]);
    let of = |metric: &str| found[metric].as_f64().unwrap();
    assert_eq!(found["vmaf_model"], "vmaf_v0.6.1");
    assert!(of("vmaf_first_percentile") < of("vmaf") && of("vmaf_harmonic_mean") <= of("vmaf"), "{found}");
    assert!(of("xpsnr_db") > 10.0, "{found}");
    let file = clips.path("test_results_1.json");
    fs::write(&file, r#"{"scenarios":[{"name":"a"}]}"#).unwrap();
    let mut command = tests::agent::command().unwrap();
    command.current_dir(clips.folder()).args(["quality", "--vmaf-neg", "--result", &file, "--scenario=a"]);
    command.args(["--ffmpeg", &ffmpeg::with_vmaf().unwrap(), "source.mkv", "encode.mp4"]);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let written: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    assert_eq!(written["scenarios"][0]["vmaf_model"], "vmaf_v0.6.1neg");
}
