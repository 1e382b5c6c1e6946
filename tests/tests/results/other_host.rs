//! Tests reports and advice by an agent's API against those of the result file.

use std::process::Output;

use serde_json::{Value, json};
use tests::agent::{Agent, command};

use super::Stage;

/// A run of one clip: two presets with four sizes each, and the reading of the clip. VMAF and joules grow with the bitrate.
fn run() -> Value {
    let encode = |preset: &str, joules: f64, step: u32| {
        let grown = f64::from(step);
        let begin = 1000 + 100 * step;
        json!({
            "name": format!("{preset} {step}"), "start_time": begin, "end_time": begin + 10, "clip": "a", "encoder": "libx264",
            "preset": preset, "setting": format!("crf{}", 40 - 4 * step), "bitrate": format!("{}k", 700 * (step + 1)),
            "resolution": "1280x720", "fps": 25, "streams": 1, "total_frames": 250, "output_bytes": 1000 * (step + 1),
            "vmaf_score": 70.0 + 6.5 * grown, "cpu_usage_cores": [1.5, 1.25], "step_seconds": 5,
            "power": {"total_energy_joules": joules * (1.0 + 0.1 * grown) + 1.0 / 3.0},
        })
    };
    let reading = json!({
        "name": "reading", "start_time": 5000, "end_time": 5010, "clip": "a", "encoder": "wrapped_avframe",
        "resolution": "1280x720", "fps": 25, "streams": 1, "total_frames": 250, "cpu_usage_cores": [0.25, 0.5],
        "step_seconds": 5, "power": {"total_energy_joules": 2.5},
    });
    let encodes = [("fast", 60.0), ("slow", 110.0)].into_iter();
    let encodes = encodes.flat_map(|(preset, joules)| (0..4).map(move |step| encode(preset, joules, step)));
    let host = json!({ "processor": "Xeon <b>", "kernel": "6.1", "has_turbo": true, "cores": 8, "ffmpeg": ["5.1", "6.0"] });
    let scenarios = encodes.chain([reading]).collect::<Vec<Value>>();
    json!({ "test_date": "2026-11-01T10:00:00", "host": host, "scenarios": scenarios })
}

/// `ffwatt` with these arguments, about the agent or about the newest file in the folder.
fn ffwatt(arguments: &[&str], from: &str) -> Output {
    command().unwrap().env_clear().args(arguments).arg(from).output().unwrap()
}

fn text(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn url(agent: &Agent) -> String {
    format!("--url=http://127.0.0.1:{}", agent.ports.main)
}

#[test]
fn an_agent_has_the_settings_the_curves_the_document_and_the_advice_of_its_newest_file() {
    let prices = ["--price.per-kwh=0.4", "--price.per-cpu-hour=0.04", "--price.currency=EUR"];
    let stage = Stage::set(&prices);
    stage.write("test_results_1.json", &run().to_string());
    stage.until(stage.agent.ports.results, "the scenarios", |scrape| {
        scrape.sum("results_scenario_duration_seconds", &[("scenario", "reading")]).is_some()
    });
    let (folder, url) = (format!("--results-dir={}", stage.results.path().display()), url(&stage.agent));
    let state = format!("--state-dir={}", stage.agent.state_dir().display());
    for question in [
        &["report", "--settings", "--json"][..],
        &["report", "--settings", "--sort=cost"],
        &["report", "--curves", "--json"],
        &["report", "--curves", "--anchor=slow 1"],
        &["advise", "--vmaf-min=80", "--by=cost"],
        &["advise", "--vmaf-min=80", "--instead-of=slow 2", "--json"],
    ] {
        let by_file = text(&ffwatt(&[question, &prices, &[&state]].concat(), &folder));
        assert!(by_file.contains("fast"), "{by_file}");
        // The agent's prices: this command has none.
        let by_agent = text(&ffwatt(&[question, &[&state]].concat(), &url));
        assert_eq!(by_agent, by_file, "{question:?}");
    }
    let documents = ["file", "agent"].map(|by| stage.results.path().join(format!("by-{by}.html")));
    let [of_file, of_agent] = [(&[&prices[..], &[&state]].concat(), &folder), (&vec![state.as_str()], &url)];
    for (document, (flags, from)) in documents.iter().zip([of_file, of_agent]) {
        let html = format!("--html={}", document.display());
        text(&ffwatt(&[&["report", "--sort=cost", "--settings", &html], &flags[..]].concat(), from));
    }
    let [of_file, of_agent] = documents.map(|path| std::fs::read_to_string(path).unwrap());
    assert!(of_file.contains("Xeon &lt;b&gt;") && of_file.contains("2026-11-01T10:00:00"));
    assert!(of_agent == of_file, "the document by an agent is not that by the file");
    let dear = text(&ffwatt(&["report", "--settings", "--json", "--price.currency=CHF"], &url));
    assert!(dear.contains("CHF") && !dear.contains("EUR"), "a price of the command counts: {dear}");
    let refused = ffwatt(&["report", "--settings", "--since=7d"], &url);
    let reason = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success() && reason.contains("--since with --url needs --by"), "{reason}");
}
