//! Tests of the report's tables, CSV and JSON.

use agent_core::join::cost::Tariff;
use agent_core::units::{Grams, Money};
use expect_test::expect;

use super::*;

const RUN: &str = r#"{"scenarios":[
 {"name":"Baseline (Idle)","start_time":100,"end_time":110,"power":{"mean_watts":5}},
 {"name":"x264","start_time":200,"end_time":210,"bitrate":"2500k","resolution":"1280x720","fps":30,
  "power":{"total_energy_joules":100},"vmaf_score":90,"streams":1},
 {"name":"x265","start_time":300,"end_time":310,"bitrate":"2500k","resolution":"1280x720","fps":30,
  "power":{"total_energy_joules":250},"vmaf_score":95,"vmaf_model":"vmaf_4k_v0.6.1"},
 {"name":"slow x264","start_time":400,"end_time":410,"bitrate":"2500k","resolution":"1920x1080","fps":30,
  "power":{"total_energy_joules":300},"vmaf_score":92}]}"#;

fn report(compare: Option<(&str, &str)>, form: Form) -> Result<String, ReportError> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("test_results_1.json");
    std::fs::write(&file, RUN).unwrap();
    let tariff = Tariff::new(Money(0.12), Money(0.5), Money(0.0), None, None);
    let prices =
        Prices { tariff, currency: "USD".into(), also: Vec::new(), carbon: Grams(400.0), viewers: 1 };
    let compare = compare.map(|(one, other)| (one.to_owned(), other.to_owned()));
    let options = Options { file: Some(file), by: None, compare, form };
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
