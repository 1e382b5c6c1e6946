//! Tests of the HTML document: nothing from elsewhere, foreign text stays text, and plots have the figures of the tables.

use agent_core::join::cost::Tariff;
use agent_core::join::figures::Prices;
use agent_core::units::{Grams, Money};
use serde_json::{Value, json};

use crate::command::cli;
use crate::command::report;
use crate::config::Config;

/// A run of one clip: two encoders at three constant qualities, twice each.
fn run_of(clip: &str, encoder: &str) -> Value {
    let mut scenarios = Vec::new();
    for (repeat, more) in [0.0, 1.0].into_iter().enumerate() {
        for (index, (name, joules, vmaf, kilobits)) in [
            (encoder, 60.0, 90.0, 3000),
            (encoder, 50.0, 80.0, 1500),
            (encoder, 45.0, 70.0, 800),
            ("libx265", 120.0, 91.0, 1600),
            ("libx265", 100.0, 82.0, 800),
            ("libx265", 90.0, 71.0, 400),
        ]
        .into_iter()
        .enumerate()
        {
            let start = 1000 * (repeat + 1) + 100 * index;
            scenarios.push(json!({
                "name": format!("{clip} {name} {index} #{repeat}"), "start_time": start, "end_time": start + 10,
                "clip": clip, "encoder": name, "preset": "fast", "setting": format!("crf{}", 20 + index),
                "bitrate": format!("{kilobits}k"), "resolution": "1280x720", "fps": 25, "streams": 1, "total_frames": 250,
                "vmaf_score": vmaf, "output_bytes": 1000, "power": {"total_energy_joules": joules + more},
            }));
        }
    }
    let host =
        json!({"processor": "Xeon <b>", "governors": ["performance"], "ffmpeg": "7.1", "odd <i>": "value"});
    json!({ "test_date": "2026-01-01T12:00:00", "host": host, "scenarios": scenarios })
}

fn document(run: &Value, arguments: &[&str]) -> Result<String, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (file, page) = (path("test_results_1.json"), path("report.html"));
    std::fs::write(&file, run.to_string()).unwrap();
    let words = ["ffwatt", "report", &file, "--html", &page];
    let matches = cli::command().try_get_matches_from(words.iter().chain(arguments)).unwrap();
    let options = report::options(matches.subcommand().unwrap().1);
    let tariff = Tariff::new(Money(0.12), Money(0.5), Money(0.0), None, None);
    let prices =
        Prices { tariff, currency: "USD".into(), also: Vec::new(), carbon: Grams(400.0), viewers: 1 };
    let mut config = Config::default();
    config.state_dir = Some(folder.path().into());
    let mut out = Vec::new();
    report::run(&options, &config, &prices, &mut out).map_err(|error| error.to_string())?;
    assert!(String::from_utf8(out).unwrap().contains(&page), "the output names the file");
    Ok(std::fs::read_to_string(page).unwrap())
}

/// The plots' points, as the script reads them.
fn plots(document: &str) -> Value {
    let from = document.split("id=\"plots\">").nth(1).unwrap();
    serde_json::from_str(from.split("</script>").next().unwrap()).unwrap()
}

#[test]
fn it_takes_nothing_from_elsewhere_and_no_script_ends_early() {
    let document = document(&run_of("a", "libx264"), &[]).unwrap();
    for fetched in [" src=", "url(", "@import", "import(", "href=", "<link", "<base"] {
        assert!(!document.contains(fetched), "{fetched}");
    }
    assert_eq!(document.matches("<script").count(), 3);
    assert_eq!(document.matches("</script").count(), 3);
    assert_eq!(document.matches("</style").count(), 2);
    assert_eq!(document.matches("sha256-").count(), 4);
    for script in [super::SCRIPT, super::LIBRARY[0]] {
        for way in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("] {
            assert!(!script.contains(way), "{way}");
        }
    }
}

#[test]
fn plots_have_the_figures_of_the_settings() {
    let document = document(&run_of("a", "libx264"), &[]).unwrap();
    let plots = plots(&document);
    let [bitrate, energy] = [0, 1].map(|index| &plots[index]["curves"]);
    assert_eq!((bitrate.as_array().unwrap().len(), energy.as_array().unwrap().len()), (2, 2));
    assert_eq!(bitrate[0]["points"].as_array().unwrap().len(), 3, "repeats are one setting");
    assert_eq!(
        (&bitrate[1]["points"][0]["cost"], &bitrate[1]["points"][0]["vmaf"]),
        (&json!(1.6), &json!(91.0))
    );
    // 60 and 61 J over 250 frames: 12.706 · 0.5 J.
    let first = &energy[0]["points"][0];
    assert!((first["cost"].as_f64().unwrap() - 0.242).abs() < 1e-12, "{first}");
    assert!((first["margin"].as_f64().unwrap() - 12.706 * 0.5 / 250.0).abs() < 1e-9, "{first}");
    let on_hull =
        |line: &Value| line["points"].as_array().unwrap().iter().all(|point| point["isOnHull"] == true);
    assert!(!on_hull(&bitrate[0]) && on_hull(&bitrate[1]), "libx265 has fewer bits: {bitrate}");
    for words in [
        "<td><bdi>a: libx264 fast crf20</bdi></td><td>2</td><td>90.00</td><td>3.000</td><td>0.2420</td>",
        "Run of <bdi>2026-01-01T12:00:00</bdi>, 12 scenarios: 6 settings, in 12 encodes.",
        "Xeon &lt;b&gt;",
        "result file's own",
        "CPU governors",
    ] {
        assert!(document.contains(words), "{words}");
    }
}

#[test]
fn names_of_a_file_stay_text() {
    let hostile = "</script><script>alert(1)</script><img onerror=alert(1)>\"'&";
    let document = document(&run_of(hostile, hostile), &[]).unwrap();
    assert_eq!(document.matches("<script").count(), 3);
    assert_eq!(document.matches("</script").count(), 3);
    for markup in ["<img", "<b>", "<i>"] {
        assert!(!document.contains(markup), "{markup}");
    }
    assert!(document.contains("&lt;img onerror=alert(1)&gt;"));
    let name = plots(&document)[0]["curves"][0]["points"][0]["name"].clone();
    assert!(name.as_str().unwrap().starts_with(hostile), "{name}");
}

#[test]
fn the_anchor_and_the_order_are_those_asked_for() {
    let run = run_of("a", "libx264");
    let anchored = document(&run, &["--curves", "--anchor", "a libx265 3 #0"]).unwrap();
    assert!(anchored.contains("Compared with <bdi>a: libx265 fast"), "the curve of that scenario");
    let error = document(&run, &["--curves", "--anchor", "x"]).unwrap_err();
    assert!(error.contains("\"x\""), "{error}");
    let sorted = document(&run, &["--settings", "--sort", "energy"]).unwrap();
    let place = |name: &str| sorted.find(&format!("<td><bdi>a: {name}</bdi>")).unwrap();
    assert!(place("libx264 fast crf22") < place("libx264 fast crf20"));
}

#[test]
fn a_run_without_settings_has_its_scenarios() {
    let run = json!({"scenarios": [{"name": "x264", "start_time": 1, "end_time": 2, "power": {"total_energy_joules": 5}}]});
    let document = document(&run, &[]).unwrap();
    assert!(document.contains("No scenario has energy") && document.contains("<bdi>x264</bdi>"));
    assert!(document.contains("does not say which host"));
    assert_eq!(plots(&document), json!([]));
}
