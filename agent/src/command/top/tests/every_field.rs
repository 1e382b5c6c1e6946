//! Tests that the detail of a transcode or workload shows every field of the API.

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::*;
use crate::api::{Transcode, Workload};
use crate::command::top::state::Subject;

/// A transcode with all fields of the API.
fn transcode_with_all(is_running: bool) -> Value {
    let text = r#"{
        "transcode": "4711-17", "workload": "live-a", "workload_id": "4f1c", "program": "ffmpeg",
        "outputs": 1, "renditions": 2, "encoded_renditions": 3, "copied_streams": 4, "is_live": true,
        "started_unix_seconds": 1000.0, "observed_from_unix_seconds": 1100.0,
        "unobserved_seconds": 12.0, "cpu_cores": 1.5, "cpu_seconds": 33.0, "scenario": "night",
        "codec": "libx264", "codec_standard": "h264", "hardware": "vaapi", "preset": "fast",
        "resolution": "1280x720", "bitrate_bits_per_second": 2500000, "ended_unix_seconds": 1200.0,
        "exit_code": 3, "ending": "failed", "frames": 500, "frames_per_second": 25.0, "speed_ratio": 1.25,
        "output_bits_per_second": 2400000.0, "output_seconds": 20.0, "dropped_frames": 6,
        "duplicated_frames": 7, "is_stalled": false, "power_watts": 4.0, "energy_joules": 90.0,
        "joules_per_frame": 0.18, "joules_per_output_second": 4.5, "joules_per_megapixel": 0.2,
        "joules_per_vmaf_point": 0.96, "quality_covered_ratio": 0.3, "vmaf_score": 93.5,
        "vmaf_model": "vmaf_v0.6.1", "psnr_decibels": 41.2, "ssim_score": 0.97, "cost": 0.5,
        "cost_per_output_hour": 0.25, "carbon_grams": 1.2, "carbon_grams_per_output_hour": 2.4
    }"#;
    let mut all: Value = serde_json::from_str(text).unwrap();
    all["is_running"] = json!(is_running);
    all
}

fn workload_with_all() -> Value {
    json!({
        "workload": "live-a", "id": "4f1c", "kind": "docker", "part": "containers", "image": "ffmpeg:7",
        "scenario": "night", "is_running": true, "power_watts": 4.0, "energy_joules": 90.0,
        "uncertainty_joules": 2.0, "cpu_cores": 1.5, "cpu_seconds": 33.0, "memory_bytes": 77_000_000,
        "energy_cost": 0.5, "cost": 0.7, "carbon_grams": 1.2
    })
}

fn read<T: DeserializeOwned>(value: &Value) -> T {
    serde_json::from_value(value.clone()).unwrap()
}

fn shown(subject: Subject<'_>) -> String {
    let answer = Answer { time_unix_seconds: 100_000.0, ..answer(1) };
    let lines = super::super::detail::lines(subject, &answer, 10_000);
    lines.into_iter().map(|(name, fact)| format!("{name} {fact}")).collect::<Vec<_>>().join("\n")
}

fn shown_transcode(value: &Value) -> String {
    shown(Subject::Transcode(&read::<Transcode>(value)))
}

fn shown_workload(value: &Value) -> String {
    shown(Subject::Workload(&read::<Workload>(value)))
}

fn another(value: &Value) -> Value {
    match value {
        Value::Bool(value) => json!(!value),
        Value::String(text) => json!(format!("{text}-2")),
        Value::Number(number) if number.is_u64() => json!(number.as_u64().unwrap() * 3),
        number => json!(number.as_f64().unwrap() * 3.0),
    }
}

/// The fields of which another value shows the same.
fn unseen(all: &Value, shown: fn(&Value) -> String) -> Vec<String> {
    let fields = all.as_object().unwrap();
    let is_unseen = |(field, value): &(&String, &Value)| {
        let mut other = all.clone();
        other[field.as_str()] = another(value);
        shown(&other) == shown(all)
    };
    fields.iter().filter(is_unseen).map(|(field, _)| field.clone()).collect()
}

#[test]
fn every_field_of_a_transcode_is_seen() {
    let all = transcode_with_all(true);
    let written = serde_json::to_value(read::<Transcode>(&all)).unwrap();
    assert_eq!(written, all, "the test has all fields");
    // A running transcode has no ending, and an ended one neither power nor progress.
    assert_eq!(unseen(&all, shown_transcode), ["ending"]);
    assert_eq!(unseen(&transcode_with_all(false), shown_transcode), ["is_stalled", "power_watts"]);
}

#[test]
fn every_field_of_a_workload_is_seen() {
    let all = workload_with_all();
    assert_eq!(serde_json::to_value(read::<Workload>(&all)).unwrap(), all, "the test has all fields");
    assert!(unseen(&all, shown_workload).is_empty(), "{:?}", unseen(&all, shown_workload));
}

#[test]
fn what_is_unknown_is_no_number() {
    let text = shown(Subject::Workload(&Workload::default()));
    assert!(text.contains("energy – now, – of the host, – in all"), "{text}");
    let text = shown(Subject::Transcode(&Transcode::default()));
    assert!(text.contains("progress – frames, – fps, – speed"), "{text}");
}

#[test]
fn a_workload_counts_its_own_encodes_only() {
    let workload = |name: &str| Workload { workload: name.to_owned(), ..Workload::default() };
    assert!(shown(Subject::Workload(&workload("live-a"))).contains("encodes 1 running, 0 ended"));
    let idle = shown(Subject::Workload(&workload("idle")));
    assert!(idle.contains("encodes 0 running, 0 ended"), "another workload without an id: {idle}");
    assert!(idle.contains("identity id –, image –, scenario –"), "{idle}");
}

#[test]
fn a_workload_has_a_detail_on_the_screen() {
    let mut state = state();
    press(&mut state, "\tj\n");
    let line = |state: &State| screen(state).into_iter().find(|line| line.starts_with(" workload")).unwrap();
    assert!(line(&state).contains("box-a, kind docker"), "{}", line(&state));
    press(&mut state, "r");
    assert!(line(&state).contains("box-a, kind docker"), "wherever it is now");
    assert!(screen(&state).iter().any(|line| line.contains("13 % of the host")));
    press(&mut state, "\t");
    assert!(screen(&state).iter().any(|line| line.starts_with(" per unit")), "the other table has its own");
    let small = screen_of_size(&state, 40, 16);
    assert!(small.iter().any(|line| line.contains("lines more")), "{}", small.join("\n"));
    assert!(small.iter().any(|line| line.starts_with("live-")), "rows stay:\n{}", small.join("\n"));
}
