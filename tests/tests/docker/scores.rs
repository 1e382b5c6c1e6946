//! Tests scores of finished transcodes: which transcodes are compared with their sources, and by which model.

use std::path::Path;
use std::time::Duration;

use tests::agent::Agent;
use tests::command::eventually;
use tests::engine::Engine;
use tests::exposition::Exposition;
use tests::ffmpeg;

use super::{agent_with, engine, start};

#[test]
fn a_finished_transcode_is_scored_when_its_container_says_what_it_was_made_from() {
    let engine = engine();
    let clips = tempfile::tempdir().unwrap();
    let path = |name: &str| clips.path().join(name).display().to_string();
    let source = "testsrc2=size=320x180:rate=25:duration=4";
    ffmpeg::run(&["-f", "lavfi", "-i", source, "-c:v", "ffv1", &path("source.mkv")]).unwrap();
    let agent = scoring_agent(&engine);
    // CPU time of the agent before its program was attached is not charged: both figures are differences since now.
    let used = |scrape: &Exposition| {
        let own = scrape.sum("ffwatt_workload_cpu_seconds_total", &[("workload", "ffwatt")]).unwrap();
        (own, scrape.sum("process_cpu_seconds_total", &[]).unwrap())
    };
    let before = used(&agent.wait_ticks(1).unwrap());
    // The second one writes into its container, where the agent does not see it.
    for (name, written) in [("good", path("good.mkv")), ("lost", "/elsewhere.mkv".to_owned())] {
        let source = path("source.mkv");
        // It runs until the agent has learned its labels.
        let encode =
            format!("ffmpeg -nostdin -v error -re -i {source} -c:v libx264 -preset veryfast {written}");
        make(&engine, clips.path(), name, (&source, &written), &encode);
    }
    let scrape = agent
        .until("one is scored and one is not", |scrape| {
            let is_one = |outcome| compared(scrape, outcome) == Some(1.0);
            (is_one("done") && is_one("failed")).then(|| scrape.clone())
        })
        .unwrap();
    let good = [("workload", "good")];
    assert!(scrape.sum("ffwatt_transcode_vmaf_score", &good).unwrap() > 50.0);
    assert_eq!(scrape.sum("ffwatt_transcode_frames_total", &good), Some(100.0));
    let energy = scrape.sum("ffwatt_transcode_energy_joules_total", &good).unwrap();
    let each = scrape.sum("ffwatt_transcode_joules_per_frame", &good).unwrap();
    assert!((each - energy / 100.0).abs() < 1e-9, "{each} of {energy}");
    let per_hour = scrape.sum("ffwatt_transcode_cost_per_output_hour", &good).unwrap();
    let cost = scrape.sum("ffwatt_transcode_cost", &good).unwrap();
    assert!((per_hour / (cost * 900.0) - 1.0).abs() < 0.02, "{per_hour} for an hour, {cost} for 4 s");
    assert!(scrape.sum("ffwatt_transcode_carbon_grams", &good).unwrap() > 0.0);
    assert_eq!(scrape.sum("ffwatt_transcode_vmaf_score", &[("workload", "lost")]), None);
    assert!(
        agent.log().contains("elsewhere.mkv") && agent.log().contains("mount its folder"),
        "{}",
        agent.log()
    );
    // Comparing is the agent's own work: no transcode of a workload, and charged to the agent.
    assert_eq!(scrape.all("ffwatt_transcode_info").count(), 2);
    let now = used(&scrape);
    let (own, process) = (now.0 - before.0, now.1 - before.1);
    assert!(own > process + 0.1, "{own} s on its bill, {process} s its own process's");
    assert!(scrape.residuals().values().all(|left| *left == 0));
}

/// An agent that scores with VMAF, and knows the engine.
fn scoring_agent(engine: &Engine) -> Agent {
    agent_with(engine, &[&format!("--quality.ffmpeg={}", ffmpeg::with_vmaf().unwrap())])
}

/// Runs a shell script in a container that says what is made from what.
fn make(engine: &Engine, folder: &Path, name: &str, (source, written): (&str, &str), script: &str) {
    let labels = [format!("ffwatt.reference={source}"), format!("ffwatt.output={written}")];
    let mount = format!("{0}:{0}", folder.display());
    let [reference, output] = &labels;
    let options = ["--name", name, "--volume", &mount, "--label", reference, "--label", output];
    start(engine, &options, &["sh", "-c", script]);
}

fn compared(scrape: &Exposition, outcome: &str) -> Option<f64> {
    scrape.sum("ffwatt_quality_comparisons_total", &[("outcome", outcome)])
}

/// VMAF and model of all scored rows, by their presets.
fn scored_rows(agent: &Agent) -> Vec<(String, f64, Option<String>)> {
    let ledger = rusqlite::Connection::open(agent.state_dir().join("ledger.db")).unwrap();
    let select = "SELECT preset, vmaf, vmaf_model FROM transcode WHERE vmaf IS NOT NULL ORDER BY ended";
    let mut statement = ledger.prepare(select).unwrap();
    let rows = statement.query_map((), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
    rows.collect::<Result<_, _>>().unwrap()
}

#[test]
fn of_all_processes_of_a_labelled_container_only_the_one_that_wrote_the_file_is_scored() {
    let engine = engine();
    let clips = tempfile::tempdir().unwrap();
    let path = |name: &str| clips.path().join(name).display().to_string();
    let (source, written, later) = (path("source.mkv"), path("out.mkv"), path("later.mkv"));
    let picture = "testsrc2=size=320x180:rate=25:duration=3";
    ffmpeg::run(&["-f", "lavfi", "-i", picture, "-c:v", "ffv1", &source]).unwrap();
    let agent = scoring_agent(&engine);
    // Each runs until the agent has learned the labels: a probe, the first pass, the encode, a check of the result, and a poster.
    let run = "ffmpeg -nostdin -y -v error -re -i";
    let script = [
        format!("{run} {source} -map 0:v -c copy -f null -"),
        format!(
            "{run} {source} -c:v libx264 -preset ultrafast -b:v 300k -pass 1 -passlogfile /tmp/pass -f null /dev/null"
        ),
        format!("{run} {source} -c:v libx264 -preset superfast {written}"),
        format!("{run} {written} -f null -"),
        format!("{run} {written} -frames:v 1 {}", path("poster.jpg")),
    ];
    make(&engine, clips.path(), "job", (&source, &written), &script.join(" && "));
    let job = [("workload", "job")];
    agent
        .until("all five have ended", |scrape| {
            let count = scrape.find("ffwatt_transcode_info", &job).count();
            (count == 5 && scrape.sum("ffwatt_transcode_running", &job) == Some(0.0)).then_some(())
        })
        .unwrap();
    // Comparisons are made in turn: once this one is done, there are no earlier ones left.
    let last = format!("{run} {source} -c:v libx264 -preset veryfast {later}");
    make(&engine, clips.path(), "last", (&source, &later), &last);
    let scrape = agent
        .until("the last one is scored", |scrape| {
            scrape.sum("ffwatt_transcode_vmaf_score", &[("workload", "last")]).map(|_| scrape.clone())
        })
        .unwrap();
    assert_eq!(
        (compared(&scrape, "done"), compared(&scrape, "failed")),
        (Some(2.0), Some(0.0)),
        "{}",
        agent.log()
    );
    let scored: Vec<_> = scrape.find("ffwatt_transcode_vmaf_score", &job).collect();
    assert_eq!(scored.len(), 1, "{scored:?}");
    for info in scrape.find("ffwatt_transcode_info", &job) {
        let is_scored = info.label("transcode") == scored[0].label("transcode");
        assert_eq!(is_scored, info.label("preset") == "superfast", "{info:?}");
        assert_eq!(info.label("vmaf_model"), if is_scored { "vmaf_v0.6.1" } else { "" }, "{info:?}");
    }
    let rows = eventually("both scores are in the ledger", Duration::from_secs(30), || {
        Some(scored_rows(&agent)).filter(|rows| rows.len() == 2)
    })
    .unwrap();
    for ((preset, vmaf, model), expected) in rows.iter().zip(["superfast", "veryfast"]) {
        assert_eq!((preset.as_str(), model.as_deref()), (expected, Some("vmaf_v0.6.1")));
        assert!(*vmaf > 50.0, "{rows:?}");
    }
}
