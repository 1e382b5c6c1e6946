//! Tests of the report's tables, CSV and JSON.

use agent_core::join::cost::Tariff;
use agent_core::units::{Grams, Money};
use expect_test::expect;

use super::*;

mod several;

const RUN: &str = r#"{"scenarios":[
 {"name":"Baseline (Idle)","start_time":100,"end_time":110,"power":{"mean_watts":5}},
 {"name":"x264","start_time":200,"end_time":210,"bitrate":"2500k","resolution":"1280x720","fps":30,
  "power":{"total_energy_joules":100},"vmaf_score":90,"streams":1},
 {"name":"x265","start_time":300,"end_time":310,"bitrate":"2500k","resolution":"1280x720","fps":30,
  "power":{"total_energy_joules":250},"vmaf_score":95,"vmaf_model":"vmaf_4k_v0.6.1"},
 {"name":"slow x264","start_time":400,"end_time":410,"bitrate":"2500k","resolution":"1920x1080","fps":30,
  "power":{"total_energy_joules":300},"vmaf_score":92}]}"#;

fn report(compare: Option<(&str, &str)>, form: Form) -> Result<String, ReportError> {
    let compare = compare.map(|(one, other)| (one.to_owned(), other.to_owned()));
    report_of(RUN, |file| Options { compare, form, ..plain(file) })
}

fn plain(file: PathBuf) -> Options {
    Options {
        files: vec![file],
        by: None,
        compare: None,
        curves: None,
        settings: None,
        is_list: false,
        is_trends: false,
        since: None,
        agent: None,
        form: Form::Text,
        html: None,
        parquet: None,
    }
}

fn report_of(text: &str, options: impl FnOnce(PathBuf) -> Options) -> Result<String, ReportError> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("test_results_1.json");
    std::fs::write(&file, text).unwrap();
    let tariff = Tariff::new(Money(0.12), Money(0.5), Money(0.0), None, None);
    let prices =
        Prices { tariff, currency: "USD".into(), also: Vec::new(), carbon: Grams(400.0), viewers: 1 };
    let options = options(file);
    let mut config = Config::default();
    config.state_dir = Some(folder.path().into());
    let mut out = Vec::new();
    run(&options, &config, &prices, &mut out)?;
    Ok(String::from_utf8(out).unwrap())
}

#[test]
fn a_run_ranked_by_each_measure_on_its_own() {
    expect![[r"
        test_results_1

        scenario                             joules    watts   J/frame    VMAF         VMAF model         cost   g CO2e  energy by
        Baseline (Idle)                      50.000    5.000         -       -                  - 0.001391 USD   0.0056  result file
        x264                                100.000   10.000    0.3333    90.0                  - 0.001392 USD   0.0111  result file
        x265                                250.000   25.000    0.8333    95.0     vmaf_4k_v0.6.1 0.001397 USD   0.0278  result file
        slow x264                           300.000   30.000    1.0000    92.0                  - 0.001399 USD   0.0333  result file

        By quality-weighted pixels per joule
           1. x264                                  2.49 M
           2. slow x264                             1.91 M
           3. x265                                  1.05 M

        By VMAF points per watt
           1. x264                                  9.0000
           2. x265                                  3.8000
           3. slow x264                             3.0667

        By pixels per joule
           1. x264                                  2.76 M
           2. slow x264                             2.07 M
           3. x265                                  1.11 M

        By megabits per second per watt
           1. x264                                  0.2500
           2. x265                                  0.1000
           3. slow x264                             0.0833

        Most pixels per joule of each ladder
              1280x720@30                     x264
              1920x1080@30                    slow x264

        Pareto front: no other scenario has more VMAF for fewer joules
              x264                            VMAF 90.0 for 100.000 J
              x265                            VMAF 95.0 for 250.000 J
    "]].assert_eq(&report(None, Form::Text).unwrap());
}

#[test]
fn two_scenarios_side_by_side() {
    expect![[r"
                                                            x264            x265    change
        joules                                          100.0000        250.0000  +150.0 %
        watts                                            10.0000         25.0000  +150.0 %
        joules per frame                                  0.3333          0.8333  +150.0 %
        VMAF                                             90.0000         95.0000    +5.6 %
        g CO2e                                            0.0111          0.0278  +150.0 %
        quality-weighted pixels per joule           2488320.0000    1050624.0000   -57.8 %
        VMAF points per watt                              9.0000          3.8000   -57.8 %
        pixels per joule                            2764800.0000    1105920.0000   -60.0 %
        megabits per second per watt                      0.2500          0.1000   -60.0 %
    "]]
    .assert_eq(&report(Some(("x264", "x265")), Form::Text).unwrap());
    let error = report(Some(("x264", "av1")), Form::Text).unwrap_err().to_string();
    assert!(error.contains("\"av1\"") && error.contains("slow x264"), "{error}");
}

#[test]
fn csv_and_json() {
    expect![[r"
        name,bitrate,resolution,fps,duration,mean_power_w,median_power_w,total_energy_wh,predicted_mean_power_w,net_power_w,net_energy_wh,net_container_cpu_pct,docker_overhead_w,docker_overhead_pct,container_cpu_pct,container_power_w,efficiency_score,efficiency_rank,output_ladder,total_pixels
        x264,2500k,1280x720,30,10,10,,0.027777777777777776,,5,0.013888888888888888,,,,,,2764800,1,1280x720@30,276480000
        slow x264,2500k,1920x1080,30,10,30,,0.08333333333333333,,25,0.06944444444444445,,,,,,2073600,2,1920x1080@30,622080000
        x265,2500k,1280x720,30,10,25,,0.06944444444444445,,20,0.05555555555555555,,,,,,1105920,3,1280x720@30,276480000
        Baseline (Idle),,,,10,5,,0.013888888888888888,,,,,,,,,,,baseline,
    "]].assert_eq(&report(None, Form::Csv).unwrap());
    let json: serde_json::Value = serde_json::from_str(&report(None, Form::Json).unwrap()).unwrap();
    assert_eq!(json[1]["energy_joules"], 100.0);
    assert!(json[0]["vmaf"].is_null(), "unknown is null");
    let models = [1, 2].map(|index| json[index]["vmaf_model"].clone());
    assert_eq!(models, [serde_json::Value::Null, "vmaf_4k_v0.6.1".into()]);
}

/// Three encoders over four bitrates: the second needs twice the joules and half the bitrate of the first for the same VMAF. The third was
/// scored by another model, and the last scenario only in part.
fn run_of_curves() -> String {
    let mut scenarios = Vec::new();
    let mut add = |encoder: &str, kilobits: u32, joules: f64, vmaf: f64, more: serde_json::Value| {
        let start = 100 * (scenarios.len() + 1);
        let mut scenario = serde_json::json!({
            "name": format!("{encoder} {kilobits}"), "start_time": start, "end_time": start + 10,
            "bitrate": format!("{kilobits}k"), "resolution": "1280x720", "fps": 30, "streams": 1,
            "encoder": encoder, "preset": "fast", "total_frames": 300, "vmaf_score": vmaf,
            "power": {"total_energy_joules": joules},
        });
        scenario.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        scenarios.push(scenario);
    };
    let nothing = || serde_json::json!({});
    for (kilobits, joules, vmaf) in
        [(1000, 90.0, 70.0), (2000, 100.0, 82.0), (4000, 115.0, 90.0), (8000, 140.0, 95.0)]
    {
        add("libx264", kilobits, joules, vmaf, nothing());
        add("libx265", kilobits / 2, joules * 2.0, vmaf, nothing());
        add("libsvtav1", kilobits, joules, vmaf, serde_json::json!({"vmaf_model": "vmaf_4k_v0.6.1"}));
    }
    add("libx264", 500, 80.0, 50.0, serde_json::json!({"quality_covered_ratio": 0.5, "quality_seconds": 1}));
    serde_json::json!({ "scenarios": scenarios }).to_string()
}

fn report_of_curves(run: &str, anchor: Option<&str>, form: Form) -> Result<String, ReportError> {
    let curves = Some(Curves { anchor: anchor.map(str::to_owned) });
    report_of(run, |file| Options { curves, form, ..plain(file) })
}

#[test]
fn encoders_are_compared_over_their_bitrates() {
    expect![[r"
        test_results_1: curves compared with libx264 fast 1280x720, 30 fps

                                                                                  J/frame             bitrate                VMAF   VMAF in
        curve                                                settings       at equal VMAF       at equal VMAF    at equal bitrate    common
        libx264 fast 1280x720, 30 fps                               4              +0.0 %              +0.0 %               +0.00     100 %
        libx265 fast 1280x720, 30 fps                               4            +100.0 %             -50.0 %               +8.18     100 %
        libsvtav1 fast 1280x720, 30 fps                             4      not comparable      not comparable      not comparable         -

        most VMAF over joules for each frame (convex hull): libx264 1000, libx264 2000, libx264 4000, libx264 8000
        most VMAF over bitrate (convex hull): libx265 500, libx265 1000, libx265 2000, libx265 4000
        most VMAF over both together (convex hull): libx264 1000, libx264 2000, libx264 4000, libx264 8000, libx265 500, libx265 1000, libx265 2000, libx265 4000

        Bitrates are those that were set. A difference of curves with fewer than four settings is rough.
        In no curve, without energy for each frame or a VMAF of the whole source: 1
    "]].assert_eq(&report_of_curves(&run_of_curves(), None, Form::Text).unwrap());
    let json = report_of_curves(&run_of_curves(), Some("libx265 500"), Form::Json).unwrap();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json[1]["is_anchor"], true);
    let of = |name: &str| json[0][name]["difference"].as_f64().unwrap();
    assert!((of("energy_at_equal_vmaf") + 0.5).abs() < 1e-9, "half the joules: {json}");
    assert!((of("bitrate_at_equal_vmaf") - 1.0).abs() < 1e-9, "twice the bitrate: {json}");
    assert_eq!(json[2]["energy_at_equal_vmaf"]["reason"], "not comparable");
}

#[test]
fn ladders_with_the_same_largest_rendition_are_different_curves() {
    let scenario = |name: &str, smaller: &str| {
        serde_json::json!({
            "name": name, "start_time": 100, "end_time": 110, "bitrate": "2M", "encoder": "libx264", "vmaf_score": 90,
            "total_frames": 600, "power": {"total_energy_joules": 50},
            "outputs": [{"resolution": "1280x720", "fps": 30}, {"resolution": smaller, "fps": 30}],
        })
    };
    let run = serde_json::json!({ "scenarios": [scenario("one", "640x360"), scenario("other", "320x180")] });
    let json = report_of_curves(&run.to_string(), None, Form::Json).unwrap();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let scenarios: Vec<&serde_json::Value> =
        json.as_array().unwrap().iter().map(|curve| &curve["scenarios"]).collect();
    assert_eq!(scenarios, [&serde_json::json!(["one"]), &serde_json::json!(["other"])]);
    let text = report_of_curves(&run.to_string(), None, Form::Text).unwrap();
    assert!(text.contains("1280x720@30,640x360@30") && text.contains("1280x720@30,320x180@30"), "{text}");
}

#[test]
fn a_run_without_curves_and_an_unknown_anchor_are_named() {
    let error = report_of_curves(&run_of_curves(), Some("libx264 500"), Form::Text).unwrap_err().to_string();
    assert!(error.contains("\"libx264 500\"") && error.contains("libx265 4000"), "{error}");
    let error =
        report_of_curves(r#"{"scenarios":[{"name":"x"}]}"#, None, Form::Text).unwrap_err().to_string();
    assert!(error.contains("test_results_1") && error.contains("ffwatt bench --input"), "{error}");
}

/// Two repeats of two settings on two clips, the reading of one clip, and a scenario of another writer.
const CLIPS: &str = r#"{"scenarios":[
 {"name":"a reading","start_time":100,"end_time":101,"clip":"a","encoder":"wrapped_avframe","resolution":"1280x720","fps":25,
  "total_frames":250,"power":{"total_energy_joules":10},"bitrate":""},
 {"name":"a fast","start_time":200,"end_time":210,"clip":"a","encoder":"libx264","preset":"fast","setting":"crf22","bitrate":"2000k",
  "resolution":"1280x720","fps":25,"total_frames":250,"power":{"total_energy_joules":60},"vmaf_score":94,"output_bytes":2500000},
 {"name":"a slow","start_time":300,"end_time":310,"clip":"a","encoder":"libx264","preset":"slow","setting":"crf22","bitrate":"1500k",
  "resolution":"1280x720","fps":25,"total_frames":250,"power":{"total_energy_joules":110},"vmaf_score":95,"output_bytes":1875000},
 {"name":"a fast (2)","start_time":400,"end_time":410,"clip":"a","encoder":"libx264","preset":"fast","setting":"crf22","bitrate":"2000k",
  "resolution":"1280x720","fps":25,"total_frames":250,"power":{"total_energy_joules":62},"vmaf_score":94,"output_bytes":2500000},
 {"name":"b fast","start_time":500,"end_time":510,"clip":"b","encoder":"libx264","preset":"fast","setting":"crf22","bitrate":"900k",
  "resolution":"640x360","fps":25,"total_frames":250,"power":{"total_energy_joules":20},"vmaf_score":96,"output_bytes":1125000}]}"#;

#[test]
fn repeats_are_one_setting_without_the_energy_of_reading() {
    let report = |order, form| {
        report_of(CLIPS, |file| Options { settings: Some(order), form, ..plain(file) }).unwrap()
    };
    expect![[r"
        test_results_1: settings, with the mean of their repeats

                                                                                                                                  an hour of output
        setting                                                    encodes    VMAF   Mbit/s   J/frame  ± 95 %         kWh           USD      g CO2e
        b: libx264 fast crf22                                            1   96.00    0.900    0.0800       -    0.002000             -       0.800
        a: libx264 fast crf22                                            2   94.00    2.000    0.2040       -    0.005100             -       2.040
        a: libx264 slow crf22                                            1   95.00    1.500    0.4000       -    0.010000             -       4.000
    "]].assert_eq(&report(Order::Energy, Form::Text));
    expect![[r"
        clip,encoder,preset,setting,scenario,encodes,vmaf,megabits_per_second,joules_per_frame,joules_per_frame_margin,kilowatt_hours_per_output_hour,cost_per_output_hour,carbon_grams_per_output_hour,run
        b,libx264,fast,crf22,b fast,1,96,0.9,0.08,,0.002,,0.8,test_results_1
        a,libx264,slow,crf22,a slow,1,95,1.5,0.4,,0.009999999999999998,,3.9999999999999996,test_results_1
        a,libx264,fast,crf22,a fast,2,94,2,0.204,,0.0050999999999999995,,2.04,test_results_1
    "]].assert_eq(&report(Order::Vmaf, Form::Csv));
    let json: serde_json::Value = serde_json::from_str(&report(Order::File, Form::Json)).unwrap();
    let fast = &json[0];
    assert_eq!((&fast["encodes"], &fast["scenario"]), (&2.into(), &"a fast".into()));
    // The mean of 60 and 62 J less 10 J, over 250 frames.
    assert!((fast["joules_per_frame"].as_f64().unwrap() - 0.204).abs() < 1e-9, "{fast}");
    assert!(json[1]["joules_per_frame_margin"].is_null(), "encoded once");
}

#[test]
fn runs_are_listed_the_newest_first_and_found_by_name() {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [("1", RUN), ("2", CLIPS), ("3", "{")] {
        std::fs::write(folder.path().join(format!("test_results_{name}.json")), text).unwrap();
    }
    let mut config = Config::default();
    config.state_dir = Some(folder.path().into());
    config.results_dir = Some(folder.path().into());
    let mut out = Vec::new();
    list::write(&folders(&config), None, Form::Text, &mut out).unwrap();
    let shown = String::from_utf8(out).unwrap().replace(&folder.path().display().to_string(), "FOLDER");
    expect![[r"
        run                               begin                  scenarios  scored  clips and encoders
        test_results_3                    FOLDER/test_results_3.json is not (yet) whole JSON: EOF while parsing an object at line 1 column 1
        test_results_2                    1970-01-01T00:01:40Z           5       4  a, b, libx264
        test_results_1                    1970-01-01T00:01:40Z           4       3
    "]].assert_eq(&shown);
    let (path, _) = runs::read(Some(Path::new("test_results_2")), &config).unwrap();
    assert_eq!(path, folder.path().join("test_results_2.json"));
    let missing = runs::read(Some(Path::new("test_results_9")), &config).unwrap_err().to_string();
    assert!(missing.contains("test_results_9"), "{missing}");
    let empty = tempfile::tempdir().unwrap();
    let error =
        list::write(&[empty.path().into()], None, Form::Text, &mut Vec::new()).unwrap_err().to_string();
    assert!(error.contains("ffwatt bench"), "{error}");
}

#[test]
fn a_link_stays_a_link_and_a_missing_folder_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let (file, link) = (folder.path().join("report.html"), folder.path().join("link"));
    std::os::unix::fs::symlink(&file, &link).unwrap();
    write_file("--html", &link, b"one").unwrap();
    assert!(link.is_symlink());
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "one");
    write_file("--html", &file, b"two").unwrap();
    assert_eq!(std::fs::read_to_string(&link).unwrap(), "two");
    let error = write_file("--html", &folder.path().join("no/report.html"), b"three").unwrap_err();
    assert!(error.to_string().ends_with("no/report.html"), "{error}");
}
