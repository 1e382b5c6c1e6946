//! Tests that all fields of both schemas are read, and impossible values are refused.

mod files;

use std::time::Duration;

use crate::model::scenario::{FilePower, Picture, Scenario, Series};
use crate::units::{Decibels, MicroJoules, Pixels, Vmaf};
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
    let parsed = parse(Path::new("/r/test_results_1.json"), text.as_bytes());
    let told = |review: Review| review.problems.kept().iter().map(ToString::to_string).collect();
    parsed.map(|(run, review)| (run, told(review))).map_err(|error| error.to_string())
}

/// A scenario with these fields after its name, beside a good one; and the problems.
fn scenario(fields: &str) -> (Scenario, Vec<String>) {
    let text = format!(r#"{{"scenarios":[{{"name":"a",{fields}}},{{"name":"good","vmaf_score":91.5}}]}}"#);
    let (mut run, problems) = read(&text).unwrap_or_else(|error| panic!("{fields}: {error}"));
    assert_eq!(run.scenarios.len(), 2, "{fields}");
    assert_eq!(run.scenarios[1].quality.vmaf, Some(Vmaf(91.5)), "{fields}");
    (run.scenarios.swap_remove(0), problems)
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
    assert_eq!(
        findings,
        [
            "scenario \"a\": end_time is not after start_time, so both are left out",
            "scenario \"a\": vmaf_score is outside 0 to 100",
            "scenario \"a\": fps is not above 0, or above 100000",
            "scenario \"a\": duration is text that is no length of time, such as 60, 60s or 0:01:00",
            "scenario \"a\": power_watts has an entry (1) that is text that is no number",
            "scenario \"a\": viewers is outside 0 to 4294967295",
            "scenario \"a\": streams is outside 0 to 4294967295",
            "scenario \"a (2)\": name is that of another scenario too; this one is called \"a (2)\"",
            "scenario \"scenario 2\": name is missing; the scenario is called by its number",
            "scenario 3 is a number, not an object",
        ]
    );
}

/// Each bad value: the field as written, and words of its problem. Nothing else is lost.
#[test]
fn a_bad_value_costs_only_itself_and_is_named() {
    for (field, words) in [
        (r#""vmaf_score":NaN"#, "vmaf_score is NaN"),
        (r#""vmaf_score":"nan""#, "vmaf_score is NaN"),
        (r#""vmaf_score":Infinity"#, "vmaf_score is infinite"),
        (r#""vmaf_score":-Infinity"#, "vmaf_score is infinite"),
        (r#""vmaf_score":1e400"#, "vmaf_score is infinite, or too large"),
        (r#""vmaf_score":0.935"#, "vmaf_score is on a scale of 0 to 1"),
        (r#""vmaf_score":100.02"#, "vmaf_score is outside 0 to 100"),
        (r#""vmaf_score":-0.5"#, "vmaf_score is outside 0 to 100"),
        (r#""vmaf_score":true"#, "vmaf_score is true or false, not a number"),
        (r#""vmaf_score":[93]"#, "vmaf_score is a list, not a number"),
        (r#""vmaf_score":{"mean":93}"#, "vmaf_score is an object, not a number"),
        (r#""vmaf_score":"good""#, "vmaf_score is text that is no number"),
        (r#""vmaf_model":"vmaf_b_v0.6.3""#, "vmaf_model is none of vmaf_v0.6.1, vmaf_4k"),
        (r#""psnr_score":-Infinity"#, "psnr_score is infinite"),
        (r#""psnr_score":"1e400""#, "psnr_score is infinite, or too large"),
        (r#""psnr_score":-3"#, "psnr_score is outside 0 to 1000"),
        (r#""ssim_score":1.5"#, "ssim_score is outside -1 to 1"),
        (r#""fps":"1/0""#, "fps is text that is no number"),
        (r#""fps":1e9"#, "fps is not above 0, or above 100000"),
        (r#""resolution":"large""#, "resolution is no size"),
        (r#""resolution":720"#, "resolution is no size"),
        (r#""resolution":[1280,720]"#, "resolution is a list, not text"),
        (r#""bitrate":"fast""#, "bitrate is no bitrate"),
        (r#""bitrate":-5"#, "bitrate is no bitrate"),
        (r#""bitrate":"2.5 MB/s""#, "bitrate is no bitrate"),
        (r#""resolution":"720p of it""#, "resolution is no size"),
        (r#""encoder":NaN"#, "encoder is NaN or infinite, not text"),
        (r#""encoder":["h264"]"#, "encoder is a list, not text"),
        (r#""duration":-1"#, "duration is not above 0"),
        (r#""duration":1e300"#, "duration is not above 0, or above 366 days"),
        (r#""duration":"-0:01""#, "duration is text that is no length of time"),
        (r#""start_time":5"#, "end_time is missing, so start_time is left out"),
        (r#""end_time":5"#, "start_time is missing, so end_time is left out"),
        (r#""start_time":5,"end_time":NaN"#, "end_time is NaN"),
        (r#""start_time":5,"end_time":1e12"#, "end_time is more than 366 days after"),
        (r#""start_time":"2026-02-03T10:11:12","end_time":1770113560"#, "start_time has no time zone"),
        (r#""start_time":"yesterday","end_time":1770113560"#, "start_time is text that is no time"),
        (r#""total_frames":1.5"#, "total_frames is no whole number"),
        (r#""dropped_frames":-1"#, "dropped_frames is outside 0 to"),
        (r#""streams":5e9"#, "streams is outside 0 to 4294967295"),
        (r#""power":41.5"#, "power is a number, not an object"),
        (r#""power":{"mean_watts":-1}"#, "power.mean_watts is outside 0 to 1000000"),
        (r#""power":{"total_energy_joules":NaN}"#, "power.total_energy_joules is NaN"),
        (r#""gpu_power":{"mean_watts":Infinity}"#, "gpu_power.mean_watts is infinite"),
        (r#""energy_joules":-5"#, "energy_joules is outside 0 to"),
        (r#""power_watts":[41,NaN]"#, "power_watts has an entry (1) that is NaN"),
        (r#""power_watts":[41,null]"#, "power_watts has an entry (1) that is null, not a number"),
        (r#""power_watts":41"#, "power_watts is a number, not a list"),
        (r#""cpu_usage_cores":{"0":1}"#, "cpu_usage_cores is an object, not a list"),
        (r#""cpu_usage_cores":[-1]"#, "cpu_usage_cores has an entry (0) that is outside"),
        (r#""outputs":"1080p""#, "outputs is text, not a list of objects"),
        (r#""preset":"fast","preset":"slow""#, "preset is given more than once; the last value counts"),
    ] {
        let (scenario, problems) = scenario(field);
        assert_eq!(problems.len(), 1, "{field}: {problems:?}");
        assert!(
            problems[0].starts_with("scenario \"a\": ") && problems[0].contains(words),
            "{field}: {problems:?}"
        );
        let quality = scenario.quality;
        assert!(
            quality.vmaf.is_none() && quality.psnr.is_none() && quality.ssim.is_none(),
            "{field}: {quality:?}"
        );
        assert!(scenario.window.is_none() && scenario.requested.is_none(), "{field}");
        assert!(scenario.power == FilePower::default() && scenario.series == Series::default(), "{field}");
        assert!(
            scenario.frames.is_none() && scenario.streams.is_none() && scenario.frame_rate.is_none(),
            "{field}"
        );
    }
}

/// Values in another shape than that of the schema, which mean one thing only.
#[test]
fn other_spellings_are_read() {
    type Check = fn(&Scenario) -> bool;
    let table: [(&str, Check); 35] = [
        (r#""vmaf_score":"93.5""#, |read| read.quality.vmaf == Some(Vmaf(93.5))),
        (r#""vmaf_score":100.00000000000001"#, |read| read.quality.vmaf == Some(Vmaf(100.0))),
        (r#""vmaf_score":100.004"#, |read| read.quality.vmaf == Some(Vmaf(100.0))),
        (r#""vmaf_score":0.0"#, |read| read.quality.vmaf == Some(Vmaf(0.0))),
        (r#""vmaf_score":0.5,"quality_seconds":2"#, |read| read.quality.vmaf == Some(Vmaf(0.5))),
        (r#""psnr_score":"41.2 dB""#, |read| read.quality.psnr == Some(Decibels(41.2))),
        (r#""psnr_score":Infinity"#, |read| read.quality.psnr == Some(Decibels(f64::INFINITY))),
        (r#""psnr_score":"+inf""#, |read| read.quality.psnr == Some(Decibels(f64::INFINITY))),
        (r#""fps":"30000/1001""#, |read| read.frame_rate == Some(30_000.0 / 1001.0)),
        (r#""fps":"25 fps""#, |read| read.frame_rate == Some(25.0)),
        (r#""duration":"60s""#, |read| read.requested == Some(Duration::from_mins(1))),
        (r#""duration":"2 min""#, |read| read.requested == Some(Duration::from_mins(2))),
        (r#""duration":"500ms""#, |read| read.requested == Some(Duration::from_millis(500))),
        (r#""duration":"1:01:01.5""#, |read| read.requested == Some(Duration::from_millis(3_661_500))),
        (r#""bitrate":2500"#, |read| read.bitrate.as_deref() == Some("2500")),
        (r#""bitrate":"1000k, 2500k,5M""#, |read| read.bitrate.as_deref() == Some("1000k, 2500k,5M")),
        (r#""bitrate":"2500 kb/s""#, |read| read.bitrate.as_deref() == Some("2500 kbps")),
        (r#""bitrate":"2.5Mbit/s""#, |read| read.bitrate.as_deref() == Some("2.5Mbps")),
        (r#""bitrate":"1000.5kbits/s,5M""#, |read| read.bitrate.as_deref() == Some("1000.5kbps,5M")),
        (r#""bitrate":"900000 bit/s""#, |read| read.bitrate.as_deref() == Some("900000 bps")),
        (r#""resolution":"1280*720""#, |read| read.resolution.as_deref() == Some("1280x720")),
        (r#""resolution":"1080p60""#, |read| read.resolution.as_deref() == Some("1920x1080")),
        (r#""resolution":"720p29.97""#, |read| read.resolution.as_deref() == Some("1280x720")),
        (r#""resolution":"1280×720""#, |read| read.resolution.as_deref() == Some("1280x720")),
        (r#""resolution":"1080P""#, |read| read.resolution.as_deref() == Some("1920x1080")),
        (r#""energy_joules":"1.5 Wh""#, |read| read.power.energy == Some(MicroJoules(5_400_000_000))),
        (r#""power_watts":["41","42"]"#, |read| read.series.watts == [41.0, 42.0]),
        (r#""start_time":1770113400000,"end_time":1770113460000"#, is_first_minute),
        (r#""start_time":1770113400000000,"end_time":1770113460000000"#, is_first_minute),
        (r#""start_time":1.7701134e18,"end_time":"1770113460""#, is_first_minute),
        (r#""start_time":"2026-02-03T10:10:00Z","end_time":"2026-02-03 11:11:00+01:00""#, is_first_minute),
        (r#""outputs":{"resolution":"720p","fps":30}"#, |read| read.outputs == [HD]),
        (r#""outputs":{"hd":{"resolution":"1280X720","fps":"30"}}"#, |read| read.outputs == [HD]),
        (r#""fps":30,"outputs":[{"resolution":"1280x720"}]"#, |read| read.outputs == [HD]),
        (r#""outputs":[]"#, |read| read.outputs.is_empty()),
    ];
    for (field, is_read) in table {
        let (scenario, problems) = scenario(field);
        assert!(problems.is_empty(), "{field}: {problems:?}");
        assert!(is_read(&scenario), "{field}: {scenario:?}");
    }
}

const HD: Picture = Picture { width: 1280, height: 720, frame_rate: 30.0 };

fn is_first_minute(scenario: &Scenario) -> bool {
    scenario.window == Some((WallTime(1_770_113_400.0), WallTime(1_770_113_460.0)))
}

#[test]
fn missing_values_are_no_problem() {
    let words = ["null", r#""""#, r#""N/A""#, r#""none""#, "None"];
    for word in words {
        let all = [
            "vmaf_score",
            "psnr_score",
            "ssim_score",
            "resolution",
            "fps",
            "bitrate",
            "encoder",
            "preset",
            "duration",
            "start_time",
            "end_time",
            "power",
            "outputs",
            "power_watts",
            "total_frames",
            "viewers",
        ];
        let fields: Vec<String> = all.iter().map(|name| format!("\"{name}\":{word}")).collect();
        let (scenario, problems) = scenario(&fields.join(","));
        assert!(problems.is_empty(), "{word}: {problems:?}");
        assert_eq!(scenario, Scenario { name: "a".to_owned(), ..Scenario::default() }, "{word}");
    }
}

/// The writers of the second schema have no missing numbers.
#[test]
fn zeros_of_the_second_schema_are_missing_values() {
    let zeros = r#""vmaf_score":0.0,"psnr_score":0.0,"ssim_score":0,"avg_fps":0,"total_frames":0,"dropped_frames":0,
        "pixels_processed":0,"energy_joules":0,"start_time":0,"end_time":0,"power_watts":[],"cpu_usage_cores":[]"#;
    let (scenario, problems) = scenario(zeros);
    assert!(problems.is_empty(), "{problems:?}");
    assert_eq!(scenario, Scenario { name: "a".to_owned(), ..Scenario::default() });
    let vmaf = |text: &str| read(text).unwrap().0.scenarios[0].quality.vmaf;
    assert_eq!(vmaf(r#"{"test_metadata":{},"scenarios":[{"name":"a","vmaf_score":0}]}"#), None);
    assert_eq!(vmaf(r#"{"scenarios":[{"name":"a","vmaf_score":0,"avg_fps":25}]}"#), None);
    assert_eq!(vmaf(r#"{"scenarios":[{"name":"a","vmaf_score":0,"psnr_score":0}]}"#), None);
    assert_eq!(vmaf(r#"{"scenarios":[{"name":"a","vmaf_score":0,"psnr_score":7.5}]}"#), Some(Vmaf(0.0)));
    let own =
        r#"{"scenarios":[{"name":"a","vmaf_score":0,"psnr_score":7,"total_frames":9,"quality_seconds":1}]}"#;
    assert_eq!(vmaf(own), Some(Vmaf(0.0)), "ffwatt writes known scores only");
}

/// With one rendition unknown, pixels and frames of the others would be wrong.
#[test]
fn a_rendition_that_cannot_be_read_leaves_out_all() {
    for (output, words) in [
        (r#"{"resolution":"HD","fps":30}"#, "outputs[1].resolution is no size"),
        (r#"{"resolution":"640x360","fps":"x"}"#, "outputs[1].fps is text that is no number"),
        (r#"{"fps":30}"#, "outputs[1].resolution is missing"),
        (r#"{"resolution":"640x360"}"#, "outputs[1].fps is missing, and the scenario has none"),
        (r"null", "outputs[1] is null, not an object"),
    ] {
        let rate = if output.contains("fps") { "\"fps\":30," } else { "" };
        let fields =
            format!(r#"{rate}"duration":60,"outputs":[{{"resolution":"1280x720","fps":30}},{output}]"#);
        let (scenario, problems) = scenario(&fields);
        assert!(
            problems[0].contains(words) && problems[1].contains("outputs is left out"),
            "{output}: {problems:?}"
        );
        assert_eq!((problems.len(), scenario.outputs.len()), (2, 0), "{output}");
        assert_eq!(scenario.frame_rate, None, "{output}: size and rate of the scenario are no substitute");
    }
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
