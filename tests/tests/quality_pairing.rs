//! Tests that frames are paired by number, at all frame rates and in all containers.
//!
//! Run: together.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use serde_json::Value;
use tests::clips::Clips;
use tests::command::output;
use tests::ffmpeg;

const RATES: [&str; 8] = ["24000/1001", "24", "25", "30000/1001", "30", "50", "60000/1001", "60"];

/// Containers with time bases of 1/1000, 1/90000, 1/600 and others, and the options that make them from an encode.
const CONTAINERS: [(&str, &str); 7] = [
    ("a.mp4", "-i encode.mp4 -c copy"),
    ("a.mkv", "-i encode.mp4 -c copy"),
    ("a.flv", "-i encode.mp4 -c copy"),
    ("a.ts", "-i encode.mp4 -c copy"),
    ("a.m3u8", "-i encode.mp4 -c copy -f hls -hls_time 0.5"),
    ("a.mov", "-i encode.mp4 -c copy -video_track_timescale 600"),
    ("a.webm", "-i source.mp4 -c:v libvpx -b:v 200k -deadline realtime -cpu-used 8"),
];

#[test]
fn every_rate_in_every_container_is_paired_by_number() {
    let with_vmaf = ffmpeg::with_vmaf().unwrap();
    let mut wrong = Vec::new();
    for rate in RATES {
        let clips = Clips::new().unwrap();
        let encoder = "-c:v libx264 -preset veryfast -pix_fmt yuv420p";
        let picture = format!("testsrc2=size=160x90:rate={rate}:duration=1.2");
        clips.run(&format!("-f lavfi -i {picture} {encoder} -crf 8 source.mp4")).unwrap();
        clips.run(&format!("-i source.mp4 {encoder} -crf 32 encode.mp4")).unwrap();
        clips.run("-i source.mp4 -c copy source.mkv").unwrap();
        let mut arguments =
            vec!["--ffmpeg".to_owned(), with_vmaf.clone(), "--json".to_owned(), "--jobs=2".to_owned()];
        for (name, options) in CONTAINERS {
            clips.run(&format!("{options} {name}")).unwrap();
            arguments.extend([clips.path("source.mp4"), clips.path(name)]);
        }
        arguments.extend([clips.path("source.mkv"), clips.path("a.mp4")]);
        let found: Vec<Value> = serde_json::from_str(
            &output(tests::agent::command().unwrap().arg("quality").args(&arguments)).unwrap(),
        )
        .unwrap();
        let h264 = clips.by_number("source.mp4".into(), "encode.mp4".into(), "yuv420p").unwrap();
        let vp8 = clips.by_number("source.mp4".into(), "a.webm".into(), "yuv420p").unwrap();
        for found in &found {
            let name = found["distorted"].as_str().unwrap();
            let expected = if name.ends_with("webm") { vp8 } else { h264 };
            let of = |metric: &str| found[metric].as_f64().unwrap();
            let is_right = (of("vmaf") - expected.vmaf).abs() < 0.3
                && (of("psnr_db") - expected.psnr).abs() < 1e-3
                && (of("ssim") - expected.ssim).abs() < 1e-5
                && found["findings"] == Value::Array(Vec::new());
            if !is_right {
                wrong.push(format!("{rate} {name}: {expected:?}, not {found}"));
            }
        }
        assert_eq!(found.len(), CONTAINERS.len() + 1);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
