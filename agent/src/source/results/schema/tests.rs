//! Tests that all fields of both schemas are read, and impossible values are refused.

use proptest::prelude::*;

use super::*;

const SCHEMA_A: &str = r#"{"test_date":"2026-02-03T10:11:12.000001","scenarios":[
 {"name":"Baseline (Idle)","bitrate":"0k","resolution":"1280x720","fps":30,"duration":60,
  "start_time":1770113400.0,"end_time":1770113460.0,"outputs":null},
 {"name":"2 Streams @ 2500k","bitrate":"2500k","resolution":"1280x720","fps":30,"duration":120,
  "start_time":1770113500.0,"end_time":1770113620.0,"outputs":[{"resolution":"1920x1080","fps":30},{"resolution":"640X360","fps":"25"}],
  "encoder":"h264","preset":"veryfast","vmaf_score":91.2,"psnr_score":40.7,
  "power":{"mean_watts":41.5,"total_energy_joules":4980.0},
  "cpu_usage_cores":[1.9,2.1,2.0],"power_watts":[41.0,42.0,41.5],"step_seconds":60,"viewers":25}]}"#;

fn read(text: &str) -> Result<(Run, Vec<String>), String> {
    parse(Path::new("/r/test_results_1.json"), text.as_bytes()).map_err(|error| error.chain())
}

#[test]
fn schema_a_with_all_its_additions() {
    let (run, findings) = read(SCHEMA_A).unwrap();
    assert_eq!((run.id.as_str(), run.scenarios.len(), findings.len()), ("test_results_1", 2, 0));
    let scenario = &run.scenarios[1];
    assert_eq!(scenario.window, Some((WallTime(1_770_113_500.0), WallTime(1_770_113_620.0))));
    assert_eq!(scenario.outputs[1], Picture { width: 640, height: 360, frame_rate: 25.0 });
    assert_eq!(scenario.power.energy, Some(MicroJoules(4_980_000_000)));
    assert_eq!(scenario.series.watts, [41.0, 42.0, 41.5]);
    assert_eq!(scenario.series.step, Some(Duration::from_mins(1)));
    assert_eq!((scenario.viewers, scenario.quality.vmaf), (Some(25), Some(Vmaf(91.2))));
}

#[test]
fn schema_b() {
    let (run, _) = read(
        r#"{"test_metadata":{"source":"scheduler"},"scenarios":[{"name":"job","duration":12.5,"encoder_type":"libx264",
        "ssim_score":0.98,"avg_fps":29.9,"dropped_frames":3,"total_frames":375,"pixels_processed":345600000,
        "energy_joules":500,"psnr_score":"inf"}]}"#,
    )
    .unwrap();
    let scenario = &run.scenarios[0];
    assert_eq!((scenario.frames, scenario.dropped), (Some(375), Some(3)));
    assert_eq!(scenario.pixels, Some(Pixels(345_600_000.0)));
    assert_eq!(scenario.power.energy, Some(MicroJoules(500_000_000)));
    assert_eq!(scenario.quality.psnr, Some(Decibels(f64::INFINITY)));
    assert_eq!(scenario.requested, Some(Duration::from_millis(12_500)));
}

#[test]
fn what_cannot_be_is_left_out_and_said() {
    let (run, findings) = read(
        r#"{"scenarios":[{"name":"a","start_time":20,"end_time":10,"vmaf_score":120,"fps":-1,"duration":"soon",
        "power_watts":[1,"x"],"viewers":-3,"streams":1e300},{"name":"a"},{"bitrate":5},7]}"#,
    )
    .unwrap();
    let first = &run.scenarios[0];
    assert_eq!(
        (first.window, first.quality.vmaf, first.frame_rate, first.requested),
        (None, None, None, None)
    );
    assert!(first.series.watts.is_empty());
    assert_eq!((first.viewers, first.streams), (None, None));
    let names: Vec<&str> = run.scenarios.iter().map(|scenario| scenario.name.as_str()).collect();
    assert_eq!(names, ["a", "a (2)", "scenario 2"]);
    assert_eq!(findings.len(), 3, "{findings:?}");
    assert!(findings.iter().all(|finding| finding.contains("test_results_1.json")));
}

#[test]
fn what_is_no_result_file_says_where() {
    for (text, words) in [
        (&SCHEMA_A[..200], "whole JSON"),
        ("", "whole JSON"),
        ("[]", "no list \"scenarios\""),
        ("{\"scenarios\":{}}", "no list"),
        ("nul\u{0}", "whole JSON"),
    ] {
        let error = read(text).unwrap_err();
        assert!(error.contains(words) && error.contains("/r/test_results_1.json"), "{error}");
    }
    assert!(parse(Path::new("x"), b"{\"scenarios\":[\"\xff\"]}").is_err());
    let deep = "[".repeat(100_000);
    assert!(read(&deep).is_err(), "nesting is bounded");
}

proptest! {
    #[test]
    fn anything_is_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300), cut in 0..900_usize, flip in 0..900_usize) {
        let _ = parse(Path::new("x"), &bytes);
        let mut text = SCHEMA_A.as_bytes().to_vec();
        text.truncate(cut.min(SCHEMA_A.len()));
        if let Some(byte) = text.get_mut(flip) {
            *byte ^= 0x11;
        }
        if let Ok((run, _)) = parse(Path::new("x"), &text) {
            for scenario in &run.scenarios {
                prop_assert!(scenario.window.is_none_or(|(start, end)| end.0 > start.0));
            }
        }
    }
}
