//! Tests of reports of several runs: compared with each other, and in one table.

use super::*;
use crate::command::cli;

/// Preset, constant quality, VMAF, and the joules of each repeat.
type Encode<'a> = (&'a str, u32, f64, &'a [f64]);

/// A run of one clip.
fn run_of(begin: u32, ffmpeg: &str, encodes: &[Encode<'_>]) -> String {
    let mut scenarios = Vec::new();
    for (preset, factor, vmaf, joules) in encodes {
        for (repeat, joules) in joules.iter().enumerate() {
            let start = begin + 100 * u32::try_from(scenarios.len()).unwrap();
            scenarios.push(serde_json::json!({
                "name": format!("{preset} {factor} #{repeat}"), "start_time": start, "end_time": start + 10, "clip": "a",
                "encoder": "libx264", "preset": preset, "setting": format!("crf{factor}"), "bitrate": format!("{factor}00k"),
                "resolution": "1280x720", "fps": 25, "streams": 1, "total_frames": 250, "vmaf_score": vmaf, "output_bytes": 1000,
                "power": {"total_energy_joules": joules},
            }));
        }
    }
    let host = serde_json::json!({"processor": "Xeon", "ffmpeg": ffmpeg});
    serde_json::json!({ "host": host, "scenarios": scenarios }).to_string()
}

/// The report of a folder with two runs, of which the second begins a thousand seconds later.
fn reported(arguments: &[&str], since: Option<WallTime>) -> Result<String, ReportError> {
    let folder = tempfile::tempdir().unwrap();
    let slow: Encode<'_> = ("slow", 22, 95.0, &[110.0]);
    let before: [Encode<'_>; 3] =
        [("fast", 22, 94.0, &[60.0, 61.0, 62.0]), ("veryfast", 22, 91.0, &[40.0, 41.0, 42.0]), slow];
    let after: [Encode<'_>; 4] = [
        ("fast", 22, 94.5, &[80.0, 81.0, 82.0]),
        ("veryfast", 22, 91.0, &[40.5, 41.5, 42.5]),
        slow,
        ("medium", 22, 95.0, &[90.0]),
    ];
    for (name, text) in [("1", run_of(1000, "7.1", &before)), ("2", run_of(2000, "7.2", &after))] {
        std::fs::write(folder.path().join(format!("test_results_{name}.json")), text).unwrap();
    }
    let words = [&["ffwatt", "report"][..], arguments].concat();
    let matches = cli::command().try_get_matches_from(words).unwrap();
    let options = Options { since, ..options(matches.subcommand().unwrap().1) };
    let tariff = Tariff::new(Money(0.12), Money(0.5), Money(0.0), None, None);
    let prices =
        Prices { tariff, currency: "USD".into(), also: Vec::new(), carbon: Grams(400.0), viewers: 1 };
    let mut config = Config::default();
    config.state_dir = Some(folder.path().into());
    config.results_dir = Some(folder.path().into());
    let mut out = Vec::new();
    run(&options, &config, &prices, &mut out)?;
    Ok(String::from_utf8(out).unwrap())
}

const BOTH: [&str; 3] = ["--compare", "test_results_1", "test_results_2"];

#[test]
fn two_runs_side_by_side_with_what_is_outside_the_intervals() {
    expect![[r"
        test_results_2 compared with test_results_1

        setting                                                      J/frame       now    change   ± 95 %    VMAF  change    Mbit/s
        a: libx264 fast crf22                                         0.2440    0.3240   +32.8 %    6.8 %   94.50   +0.50    +0.0 %  more energy
        a: libx264 veryfast crf22                                     0.1640    0.1660    +1.2 %    8.6 %   91.00   +0.00    +0.0 %  not distinguishable
        a: libx264 slow crf22                                         0.4400    0.4400    +0.0 %        -   95.00   +0.00    +0.0 %  error not known: encoded once

        only in test_results_2: a: libx264 medium crf22

        other ffmpeg: 7.1, then 7.2
    "]]
    .assert_eq(&reported(&BOTH, None).unwrap());
    let json = reported(&[&BOTH[..], &["--json"]].concat(), None).unwrap();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let settings = json["settings"].as_array().unwrap();
    assert_eq!(settings.len(), 4);
    assert!((settings[0]["energy_change_ratio"].as_f64().unwrap() - 20.0 / 61.0).abs() < 1e-9, "{json}");
    assert_eq!(settings[0]["is_distinct"], true);
    assert!(settings[3]["before"].is_null() && settings[3]["energy_change_ratio"].is_null(), "{json}");
    let csv = reported(&[&BOTH[..], &["--csv"]].concat(), None).unwrap();
    let columns = |line: &str| line.split(',').count();
    assert_eq!(csv.lines().count(), 5);
    assert!(csv.lines().all(|line| columns(line) == 15), "{csv}");
}

#[test]
fn a_run_and_something_else_cannot_be_compared() {
    let error = reported(&["--compare", "test_results_1", "test_results_9"], None).unwrap_err().to_string();
    assert!(error.contains("test_results_9"), "{error}");
    let error = reported(&["--compare", "x", "y"], None).unwrap_err().to_string();
    assert!(error.contains("no scenario \"x\""), "{error}");
}

#[test]
fn settings_of_several_runs_are_one_table() {
    let all = reported(&["--settings", "--csv"], Some(WallTime(0.0))).unwrap();
    assert_eq!(all.lines().count(), 1 + 3 + 4, "{all}");
    let late = reported(&["--settings", "--csv", "--sort=energy"], Some(WallTime(1500.0))).unwrap();
    let rows: Vec<&str> = late.lines().skip(1).collect();
    assert!(rows.len() == 4 && rows.iter().all(|row| row.ends_with(",test_results_2")), "{late}");
    assert!(rows[0].contains("veryfast") && rows[3].contains("slow"), "{late}");
    let none = reported(&["--settings"], Some(WallTime(9000.0))).unwrap_err().to_string();
    assert!(none.contains("ffwatt report --list"), "{none}");
    let text = reported(&["--settings"], Some(WallTime(0.0))).unwrap();
    assert!(text.contains("\ntest_results_1: a: libx264 fast crf22 "), "{text}");
    let several = reported(&["a.json", "b.json"], None).unwrap_err().to_string();
    assert!(several.contains("--settings"), "{several}");
}

#[test]
fn the_list_has_the_runs_since_then() {
    let list = reported(&["--list"], Some(WallTime(1500.0))).unwrap();
    assert!(list.contains("test_results_2") && !list.contains("test_results_1"), "{list}");
}
