//! Tests the choice of the cheapest setting, its interval, and the command line.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use agent_core::join::cost::Tariff;
use agent_core::join::history::Tick;
use agent_core::model::joined::EnergyBasis;
use agent_core::model::transcode::SeenOutput;
use agent_core::time::WallTime;
use agent_core::units::{CpuTime, Grams, MicroJoules, Money};
use expect_test::expect;
use serde_json::{Value, json};

use super::*;
use crate::command::cli;
use crate::ledger::{Buckets, TranscodeRow};

/// One encode of a run: clip, preset, constant quality, joules, VMAF, kilobits a second.
type Encode<'a> = (&'a str, &'a str, u32, f64, f64, f64);

fn scenarios(encodes: &[Encode<'_>]) -> Vec<Value> {
    let scenario = |(index, (clip, preset, factor, joules, vmaf, kilobits)): (usize, &Encode<'_>)| {
        json!({
            "name": format!("{clip} {preset} {factor} #{index}"), "start_time": 100 * index, "end_time": 100 * index + 10,
            "clip": clip, "encoder": "libx264", "preset": preset, "setting": format!("crf{factor}"),
            "bitrate": format!("{kilobits}k"), "resolution": "1280x720", "fps": 25, "streams": 1, "total_frames": 250,
            "vmaf_score": vmaf, "output_bytes": 1000, "power": {"total_energy_joules": joules},
        })
    };
    encodes.iter().enumerate().map(scenario).collect()
}

fn reading(clip: &str, index: usize, joules: f64) -> Value {
    json!({
        "name": format!("{clip} reading #{index}"), "start_time": 50_000 + index, "end_time": 50_001 + index, "clip": clip,
        "encoder": "wrapped_avframe", "bitrate": "", "resolution": "1280x720", "fps": 25, "streams": 1, "total_frames": 250,
        "power": {"total_energy_joules": joules},
    })
}

fn advised(scenarios: &[Value], arguments: &[&str]) -> Result<String, String> {
    let folder = tempfile::tempdir().unwrap();
    advised_in(folder.path(), scenarios, arguments)
}

/// The advice with the ledger of this state folder, where it has one.
fn advised_in(folder: &Path, scenarios: &[Value], arguments: &[&str]) -> Result<String, String> {
    let file = folder.join("test_results_1.json");
    std::fs::write(&file, json!({ "scenarios": scenarios }).to_string()).unwrap();
    let words = ["ffwatt", "advise", file.to_str().unwrap()];
    let matches = cli::command().try_get_matches_from(words.iter().chain(arguments)).unwrap();
    let options = options(matches.subcommand().unwrap().1)?;
    let tariff = Tariff::new(Money(0.12), Money(0.5), Money(0.0), None, None);
    let prices =
        Prices { tariff, currency: "USD".into(), also: Vec::new(), carbon: Grams(400.0), viewers: 1 };
    let mut config = Config::default();
    config.state_dir = Some(folder.into());
    let mut out = Vec::new();
    run(&options, &config, &prices, &mut out).map_err(|error| error.to_string())?;
    Ok(String::from_utf8(out).unwrap())
}

fn advised_json(scenarios: &[Value], arguments: &[&str]) -> Value {
    let text = advised(scenarios, &[arguments, &["--json"]].concat()).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// Three repeats of four settings of one clip. Of those with VMAF 93, `fast` and `medium` cost about the same.
fn repeated() -> Vec<Value> {
    let mut encodes = Vec::new();
    for (repeat, noise) in [-1.0, 0.0, 1.0].into_iter().enumerate() {
        encodes.push(("a", "veryfast", 22, 50.0 + noise, 91.0, 4000.0));
        encodes.push(("a", "fast", 22, 100.0 + noise, 94.0, 3500.0));
        encodes.push(("a", "medium", 22, 101.0 - noise, 95.0, 3000.0));
        encodes.push(("a", "slow", 22, 200.0 + noise + repeat as f64, 96.0, 2500.0));
    }
    scenarios(&encodes)
}

#[test]
fn the_cheapest_good_setting_its_likes_and_its_command_line() {
    let text = advised(&repeated(), &["--vmaf-min=93", "--instead-of=a slow 22 #3"]).unwrap();
    expect![[r"
        test_results_1: the lowest energy with VMAF 93 or more

        setting                                          kWh an hour      ± 95 %    VMAF    Mbit/s
        libx264 fast crf22                                   0.01000   0.0002484   94.00     3.500  the lowest
        libx264 medium crf22                                 0.01010   0.0002484   95.00     3.000  not distinguishable from the lowest
        libx264 slow crf22                                   0.02010   0.0004969   96.00     2.500

        against libx264 slow crf22: 0.01010 kWh (50.2 %) less for an hour of output, ± 0.0005555

        ffmpeg -i INPUT -c:v libx264 -preset fast -crf 22 -g 50 OUTPUT
    "]]
    .assert_eq(&text);
}

#[test]
fn the_advice_is_the_least_of_all_that_meet_the_constraints() {
    let mut seed = 7_u64;
    let mut random = || {
        // Knuth's MMIX generator.
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as f64 / f64::from(1_u32 << 31)
    };
    let mut found = 0;
    for _ in 0..50 {
        let mut encodes: Vec<Encode<'_>> = Vec::new();
        for preset in ["fast", "medium", "slow"] {
            for factor in [20, 24, 28] {
                encodes.push((
                    "a",
                    preset,
                    factor,
                    10.0 + 90.0 * random(),
                    80.0 + 20.0 * random(),
                    5000.0 * random(),
                ));
            }
        }
        let expected = encodes
            .iter()
            .filter(|(.., vmaf, kilobits)| *vmaf >= 90.0 && *kilobits <= 3000.0)
            .min_by(|(_, _, _, one, ..), (_, _, _, other, ..)| one.total_cmp(other));
        let arguments = ["--vmaf-min=90", "--bitrate-max=3M"];
        match expected {
            None => assert!(advised(&scenarios(&encodes), &arguments).is_err()),
            Some((_, preset, factor, joules, ..)) => {
                let advice = advised_json(&scenarios(&encodes), &arguments);
                assert_eq!(advice["best"]["setting"], format!("libx264 {preset} crf{factor}"));
                // 250 frames are ten seconds.
                let expected = joules * 360.0 / 3.6e6;
                let cost = advice["best"]["cost"].as_f64().unwrap();
                assert!((cost / expected - 1.0).abs() < 1e-6, "{cost} kWh, not {expected}");
                found += 1;
            }
        }
    }
    assert!(found > 25, "{found} runs had a good setting");
}

#[test]
fn a_setting_must_be_good_for_each_clip() {
    let encodes = [
        ("a", "fast", 22, 50.0, 95.0, 1000.0),
        ("a", "slow", 22, 90.0, 96.0, 900.0),
        ("a", "only here", 22, 1.0, 99.0, 900.0),
        ("b", "fast", 22, 60.0, 88.0, 1000.0),
        ("b", "slow", 22, 80.0, 93.5, 4000.0),
    ];
    let advice = advised_json(&scenarios(&encodes), &["--vmaf-min=93"]);
    assert_eq!(advice["best"]["setting"], "libx264 slow crf22");
    assert_eq!(
        (&advice["best"]["vmaf"], &advice["best"]["megabits_per_second"]),
        (&json!(93.5), &json!(4.0))
    );
    let alone: Vec<&Value> =
        advice["clips"].as_array().unwrap().iter().map(|clip| &clip["best"]["setting"]).collect();
    assert_eq!(alone, ["libx264 only here crf22", "libx264 slow crf22"]);
    let error = advised(&scenarios(&encodes), &["--vmaf-min=94"]).unwrap_err();
    assert!(error.contains("93.50") && error.contains("libx264 slow crf22"), "{error}");
}

#[test]
fn reading_the_clip_is_not_charged_to_the_encoder() {
    let mut scenarios =
        scenarios(&[("a", "fast", 22, 50.0, 95.0, 1000.0), ("a", "slow", 22, 90.0, 96.0, 900.0)]);
    let cost =
        |scenarios: &[Value]| advised_json(scenarios, &["--vmaf-min=93"])["best"]["cost"].as_f64().unwrap();
    let with_reading = cost(&scenarios);
    scenarios.extend([reading("a", 0, 9.0), reading("a", 1, 11.0), reading("b", 2, 40.0)]);
    assert!((cost(&scenarios) / with_reading - 0.8).abs() < 1e-9, "10 of 50 J");
}

#[test]
fn delivery_counts_by_size_and_carbon_by_intensity() {
    let encodes = scenarios(&[("a", "fast", 22, 50.0, 95.0, 8000.0), ("a", "slow", 22, 500.0, 95.0, 800.0)]);
    let best = |more: &[&str]| {
        let advice = advised_json(&encodes, &[&["--vmaf-min=93"], more].concat());
        (advice["best"]["setting"].as_str().unwrap().to_owned(), advice["best"]["cost"].as_f64().unwrap())
    };
    assert_eq!(best(&[]).0, "libx264 fast crf22");
    let (setting, kilowatt_hours) =
        best(&["--views=1000", "--watch-hours=0.5", "--delivery-kwh-per-gb=0.01"]);
    assert_eq!(setting, "libx264 slow crf22");
    // 500 J for 10 s are 0.05 kWh an hour; 0.36 GB an hour, watched 500 times.
    assert!((kilowatt_hours - (0.05 + 0.36 * 500.0 * 0.01)).abs() < 1e-9, "{kilowatt_hours}");
    assert!((best(&["--by=carbon"]).1 - 0.005 * 400.0).abs() < 1e-9, "0.005 kWh of 400 g");
}

#[test]
fn mistakes_name_the_flag() {
    let encodes = scenarios(&[("a", "fast", 22, 50.0, 95.0, 1000.0)]);
    for (arguments, words) in [
        (&["--vmaf-min=101"][..], "--vmaf-min"),
        (&["--vmaf-min=90", "--bitrate-max=fast"], "--bitrate-max"),
        (&["--vmaf-min=90", "--views=10"], "--delivery-kwh-per-gb"),
        (&["--vmaf-min=90", "--views=-1", "--delivery-kwh-per-gb=1"], "--views"),
        (&["--vmaf-min=90", "--by=cost", "--views=1", "--delivery-kwh-per-gb=1"], "--views"),
        (&["--vmaf-min=90", "--instead-of=nothing"], "a fast 22 #0"),
    ] {
        let error = advised(&encodes, arguments).unwrap_err();
        assert!(error.contains(words), "{arguments:?}: {error}");
    }
    let nothing = [json!({"name": "x", "start_time": 1, "end_time": 2})];
    assert!(advised(&nothing, &["--vmaf-min=90"]).unwrap_err().contains("ffwatt bench --input"));
    // Its CPU time is not known, so its cost is not.
    assert!(advised(&encodes, &["--vmaf-min=90", "--by=cost"]).unwrap_err().contains("ffwatt bench --input"));
}

/// A ledger of a tenth of a day until now, with transcodes: preset and hours of output.
fn ledger(folder: &Path, transcodes: &[(&str, Option<f64>)]) {
    let now = SystemClock.wall();
    let (mut ledger, _) = Ledger::open(folder, now).unwrap();
    let end = WallTime((now.0 / 10.0).floor() * 10.0);
    let tick = Tick {
        from: WallTime(end.0 - 8640.0),
        to: end,
        charges: HashMap::new(),
        containers: CpuTime(0),
        engine: None,
    };
    let row = |(index, (preset, hours)): (usize, &(&str, Option<f64>))| TranscodeRow {
        key: format!("{index}-1"),
        started: WallTime(end.0 - 60.0),
        ended: WallTime(end.0 - 1.0),
        codec: "libx264".into(),
        preset: (*preset).into(),
        resolution: "1280x720".into(),
        seen: SeenOutput {
            energy: MicroJoules((hours.unwrap_or(0.0) * 0.025 * 3.6e12) as u64),
            length: hours.map(|hours| Duration::from_secs_f64(hours * 3600.0)),
            ..SeenOutput::default()
        },
        ..TranscodeRow::default()
    };
    let rows: Vec<TranscodeRow> = transcodes.iter().enumerate().map(row).collect();
    let mut buckets = Buckets::default();
    buckets.add(&tick, EnergyBasis::Measured);
    ledger.record(&mut buckets, &HashMap::new(), &rows).unwrap();
}

#[test]
fn a_month_saves_by_the_output_in_the_ledger() {
    let folder = tempfile::tempdir().unwrap();
    ledger(folder.path(), &[("slow", Some(0.5)), ("slow", Some(0.25)), ("slow", None), ("fast", Some(7.0))]);
    let arguments = ["--vmaf-min=93", "--instead-of=a slow 22 #3"];
    let text = advised_in(folder.path(), &repeated(), &arguments).unwrap();
    let month = text.split("against ").nth(1).unwrap().split("\n\nffmpeg").next().unwrap();
    expect![[r"
        libx264 slow crf22: 0.01010 kWh (50.2 %) less for an hour of output, ± 0.0005555
        in the ledger: 2 transcodes with libx264 slow 1280x720 in 0.1 days, with 0.02500 kWh an hour of output; left out, because their length of output is not known: 1
        in a month of 30 days like these, with 225.0 h of output: 2.272 kWh less, ± 0.1250
        This supposes that the material is like the clips, and that its size has the same limit: the ledger has no limits.
    "]]
    .assert_eq(&format!("{month}\n"));
    let json = advised_in(folder.path(), &repeated(), &[&arguments[..], &["--json"]].concat()).unwrap();
    let json: Value = serde_json::from_str(&json).unwrap();
    // 0.75 h in a tenth of a day are 225 h in 30 days; an hour saves 0.0101 kWh.
    assert!((json["month"]["output_hours"].as_f64().unwrap() - 225.0).abs() < 1e-6, "{json}");
    assert!((json["month"]["saved"].as_f64().unwrap() - 225.0 * 0.0101).abs() < 1e-6, "{json}");
    let nothing =
        advised_in(folder.path(), &repeated(), &["--vmaf-min=93", "--instead-of=a medium 22 #2"]).unwrap();
    assert!(nothing.contains("no output of libx264 medium 1280x720"), "{nothing}");
}
