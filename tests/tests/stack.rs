//! Tests that every panel, variable, rule and alert has data. Needs root.
//!
//! A real Prometheus with the shipped configuration scrapes the real agent during real encodes.
//!
//! Run: alone (it starts an engine and measures the host). `FFWATT_LONG=1` waits a quarter of an hour for an alert of a healthy host.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use tests::agent::binary;
use tests::cgroup::Cgroup;
use tests::command::{Owned, eventually, output, pause};
use tests::engine::Engine;
use tests::ffmpeg;
use tests::image;
use tests::length::short_or_long;
use tests::namespace::Namespace;
use tests::prometheus::Prometheus;
use tests::rapl::LiveRapl;

/// The names that the shipped configuration scrapes.
const NAMES: [&str; 6] =
    ["ffwatt", "rapl-exporter", "docker-stats-exporter", "results-exporter", "qoe-exporter", "cost-exporter"];

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

/// The agent, an engine with encodes in containers, and Prometheus, as the compose file has them.
struct Stack<'a> {
    prometheus: Prometheus<'a>,
    _agent: Owned,
    _encoder: Owned,
    _pod: Cgroup,
    _engine: Engine,
    _rapl: LiveRapl,
    _folder: tempfile::TempDir,
}

fn start(namespace: &Namespace) -> Stack<'_> {
    let folder = tempfile::tempdir().unwrap();
    let rapl = LiveRapl::start().unwrap();
    let engine = Engine::start_private().unwrap();
    image::make(&engine, "encoder:1").unwrap();
    let prometheus = Prometheus::start(namespace, &repository().join("packaging/prometheus")).unwrap();
    let in_folder = |name: &str| folder.path().join(name).display().to_string();
    let vmaf = ffmpeg::with_vmaf().unwrap();
    let mut agent = namespace.command(binary().unwrap().to_str().unwrap());
    agent.args([
        // The names are those of this host here, and listeners on a loopback address accept only configured names.
        &format!("--listen.host-names={}", NAMES.join(",")),
        &format!("--path.sysfs={}", rapl.path().display()),
        "--path.cgroupfs=/sys/fs/cgroup",
        "--energy.source=powercap",
        &format!("--results-dir={}", in_folder("results")),
        &format!("--state-dir={}", in_folder("state")),
        &format!("--containers.docker-socket={}", engine.socket().display()),
        "--containers.podman-socket=",
        &format!("--quality.ffmpeg={vmaf}"),
        &format!("--path.podlogs={}", in_folder(POD_LOGS)),
        &format!("--path.containerlogs={}", in_folder(CONTAINER_LOGS)),
        "--budget.kwh-per-month=100",
        "--attribution.idle-watts=8",
    ]);
    let log = fs::File::create(folder.path().join("log")).unwrap();
    let agent = Owned(agent.stdout(Stdio::null()).stderr(log).spawn().unwrap());
    let ask = || namespace.command("curl").args(["-sf", "http://localhost:9510/ready"]).output().ok();
    eventually("the agent is ready", Duration::from_secs(30), || ask()?.status.success().then_some(()))
        .unwrap_or_else(|error| panic!("{error}: {}", fs::read_to_string(in_folder("log")).unwrap()));
    let (pod, encoder) = encode_in_pod(namespace, folder.path());
    encode_in_containers(&engine, folder.path());
    encode_scenarios(folder.path(), &vmaf);
    Stack {
        prometheus,
        _agent: agent,
        _encoder: encoder,
        _pod: pod,
        _engine: engine,
        _rapl: rapl,
        _folder: folder,
    }
}

/// Folders in place of `/var/log/pods` and `/var/log/containers`.
const POD_LOGS: &str = "pods";
const CONTAINER_LOGS: &str = "containers";

/// A pod as the kubelet makes it: the cgroups, and the names of the log files. Its encode continues, and posts progress. The kubelet is
/// simulated.
fn encode_in_pod(namespace: &Namespace, folder: &Path) -> (Cgroup, Owned) {
    let (uid, id) = ("0f1d4b1e-3c55-4a3e-9d0a-5b7c2f6a9e11", "5e".repeat(32));
    let logs = folder.join(POD_LOGS).join(format!("transcode_live-0_{uid}")).join("encode");
    fs::create_dir_all(&logs).unwrap();
    let log = logs.join("0.log");
    fs::write(&log, "").unwrap();
    let links = folder.join(CONTAINER_LOGS);
    fs::create_dir_all(&links).unwrap();
    symlink(log, links.join(format!("live-0_transcode_encode-{id}.log"))).unwrap();
    let pod = Cgroup::make(&format!("kubepods/burstable/pod{uid}/{id}")).unwrap();
    let mut inner = pod.command("ffmpeg");
    inner.args(["-nostdin", "-v", "error", "-progress", "http://localhost:9510/progress/live"]);
    inner.args(["-re", "-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25", "-c:v", "libx264"]);
    inner.args(["-preset", "veryfast", "-f", "null", "-"]);
    let mut encode = namespace.command(inner.get_program().to_str().unwrap());
    encode.args(inner.get_args()).stdout(Stdio::null());
    (pod, Owned(encode.spawn().unwrap()))
}

/// One encode that continues, and one that ends and gets scores.
fn encode_in_containers(engine: &Engine, folder: &Path) {
    let path = |name: &str| folder.join(name).display().to_string();
    let source = "testsrc2=size=320x180:rate=25:duration=4";
    ffmpeg::run(&["-f", "lavfi", "-i", source, "-c:v", "ffv1", &path("source.mkv")]).unwrap();
    let mount = format!("{0}:{0}", folder.display());
    let run = |name: &str, labels: &[&str], encode: &str| {
        let mut words = vec!["run", "--detach", "--network=none", "--name", name, "--volume", &mount];
        words.extend(labels.iter().flat_map(|label| ["--label", label]));
        words.extend(["encoder:1", "sh", "-c", encode]);
        engine.run(&words).unwrap();
    };
    let live = "exec ffmpeg -nostdin -v error -re -f lavfi -i testsrc2=size=320x180:rate=25 -c:v libx264 -preset veryfast -f null -";
    run("live", &[], live);
    let (reference, encode) = (path("source.mkv"), path("vod.mkv"));
    let labels = [format!("ffwatt.reference={reference}"), format!("ffwatt.output={encode}")];
    let vod = format!("ffmpeg -nostdin -v error -re -i {reference} -c:v libx264 -preset veryfast {encode}");
    run("vod", &labels.each_ref().map(String::as_str), &vod);
}

/// Small enough to keep up on a busy host; several numbers of streams, because a prediction needs them.
const SCENARIOS: &str = r#"[{"type":"baseline","duration":2},
    {"name":"x264","bitrate":"300k","resolution":"320x180","fps":15},
    {"name":"x265","bitrate":"300k","resolution":"320x180","fps":15,"encoder":"h265","preset":"ultrafast"},
    {"type":"multi","count":2,"bitrate":"150k","resolution":"160x90","fps":15},
    {"name":"ladder","bitrate":"300k","outputs":[{"resolution":"320x180","fps":15},{"resolution":"160x90","fps":15}]}]"#;

fn encode_scenarios(folder: &Path, vmaf: &str) {
    let batch = folder.join("batch.json");
    fs::write(&batch, SCENARIOS).unwrap();
    let mut bench = Command::new(binary().unwrap());
    bench
        .args(["bench", "--duration=3", "--cooldown=0", "--quality"])
        .arg(format!("--quality.ffmpeg={vmaf}"))
        .arg(format!("--output-dir={}", folder.join("results").display()))
        .args(["batch", "--file"])
        .arg(batch)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap());
    output(&mut bench).unwrap();
}

/// An expression and its place.
struct Expression {
    place: String,
    text: String,
}

/// Every query of every panel and variable.
fn of_dashboards() -> Vec<Expression> {
    let mut all = Vec::new();
    for entry in fs::read_dir(repository().join("grafana/dashboards")).unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        let dashboard: Value = serde_json::from_str(&text).unwrap();
        let uid = dashboard["uid"].as_str().unwrap();
        for panel in dashboard["panels"].as_array().unwrap() {
            for target in panel["targets"].as_array().unwrap() {
                let place = format!("{uid} / {}", panel["title"].as_str().unwrap());
                all.push(Expression { place, text: target["expr"].as_str().unwrap().to_owned() });
            }
        }
        for variable in dashboard["templating"]["list"].as_array().unwrap() {
            let Some(definition) = variable["definition"].as_str() else { continue };
            let inner = definition.strip_prefix("label_values(").unwrap().strip_suffix(')').unwrap();
            let (metric, label) = inner.rsplit_once(", ").unwrap();
            let place = format!("{uid} / variable {}", variable["name"].as_str().unwrap());
            all.push(Expression { place, text: format!("count by ({label}) ({metric}{{{label}!=\"\"}})") });
        }
    }
    all
}

/// An expression with the default values of the dashboard's variables.
fn chosen(expression: &str) -> String {
    let mut text = expression.to_owned();
    for (name, value) in [
        ("$__rate_interval", "20s"),
        ("$__range", "5m"),
        ("$instance", ".*"),
        ("$namespace", ".*"),
        ("$run_id", ".*"),
        ("$output_ladder", ".*"),
        ("$encoder_type", ".*"),
        ("$currency", "USD"),
        ("$price", "0.30"),
        ("$carbon", "50"),
    ] {
        text = text.replace(name, value);
    }
    assert!(!text.replace("\"$1", "").contains('$'), "a variable nobody knows: {text}");
    text
}

/// Every recorded series by its name, and both sides of every alert's comparison: the alert itself is silent on a healthy host.
fn of_rules() -> Vec<Expression> {
    let mut all = Vec::new();
    for (file, word) in [("rules.yml", "- record: "), ("alerts.yml", "- alert: ")] {
        let text = fs::read_to_string(repository().join("packaging/prometheus").join(file)).unwrap();
        let mut name = String::new();
        for line in text.lines().map(str::trim) {
            if let Some(found) = line.strip_prefix(word) {
                found.clone_into(&mut name);
            } else if let Some(expression) = line.strip_prefix("expr: ") {
                if word == "- record: " {
                    all.push(Expression { place: format!("rules / {name}"), text: name.clone() });
                } else {
                    let expression = expression.trim_matches('\'').replace("''", "'");
                    let sides = compared(&expression)
                        .into_iter()
                        .map(|text| Expression { place: format!("alerts / {name}"), text });
                    all.extend(sides);
                }
            }
        }
    }
    all
}

/// Both sides of an alert's comparison, where they are more than a number.
fn compared(expression: &str) -> Vec<String> {
    // The part before an `and` is false on a healthy host.
    let expression = expression.split(" unless ").next().unwrap().rsplit(" and ").next().unwrap();
    let (mut depth, mut cut) = (0, None);
    for (place, character) in expression.char_indices() {
        depth += match character {
            '(' | '{' | '[' => 1,
            ')' | '}' | ']' => -1,
            _ => 0,
        };
        if depth == 0 && [" > ", " < ", " == "].iter().any(|sign| expression[place..].starts_with(sign)) {
            cut = Some(place);
        }
    }
    let (left, right) = expression.split_at(cut.unwrap());
    let right = right.trim_start_matches([' ', '>', '<', '=']).trim_start_matches("on (instance) ");
    let is_number = |text: &&str| text.parse::<f64>().is_err();
    // The level that a label selects is another level here.
    let general = |text: &str| text.replace("{energy_source=\"model\"}", "");
    [left, right].into_iter().filter(is_number).map(general).collect()
}

/// Places and metrics without data here, with the reason.
fn excused() -> Vec<(String, String)> {
    let text = fs::read_to_string(repository().join("tests/no_data_here.txt")).unwrap();
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let split = |line: &str| {
        let (what, reason) = line.split_once(": ").unwrap();
        assert!(!reason.is_empty());
        let (place, metric) = what.rsplit_once(" / ").unwrap();
        (place.to_owned(), metric.to_owned())
    };
    lines.map(split).collect()
}

#[test]
fn every_panel_variable_rule_and_alert_has_data() {
    let namespace = Namespace::start(&NAMES).unwrap();
    let stack = start(&namespace);
    let mut missing: Vec<Expression> = of_dashboards().into_iter().chain(of_rules()).collect();
    for expression in &mut missing {
        expression.text = chosen(&expression.text);
    }
    assert!(missing.len() > 150, "{} expressions", missing.len());
    let excused = excused();
    let is_excused = |expression: &Expression| {
        let stands = |(place, metric): &(String, String)| {
            *place == expression.place && expression.text.contains(metric.as_str())
        };
        excused.iter().any(stands)
    };
    let mut rounds = 0;
    let last = eventually("everything has data", Duration::from_mins(2), || {
        // A series that had data once is sufficient: series appear with ticks and scrapes.
        missing.retain(|expression| stack.prometheus.query(&expression.text).unwrap().is_empty());
        rounds += 1;
        missing.iter().all(is_excused).then_some(())
    });
    let left: BTreeSet<String> = missing
        .iter()
        .filter(|expression| !is_excused(expression))
        .map(|expression| format!("{}: {}", expression.place, expression.text))
        .collect();
    last.unwrap_or_else(|error| {
        panic!("{error}; without data:\n{}", left.into_iter().collect::<Vec<_>>().join("\n"))
    });
    for (place, metric) in &excused {
        let stands =
            |expression: &Expression| expression.place == *place && expression.text.contains(metric.as_str());
        assert!(
            missing.iter().any(stands),
            "{place} / {metric} has data, or is gone: strike it off the list"
        );
    }
    assert_eq!(stack.prometheus.value("count(up == 1)").unwrap() as usize, NAMES.len() + 1);
    assert!(stack.prometheus.query("up == 0").unwrap().is_empty(), "all targets are up");
    counts_what_was_there(&stack.prometheus);
    let of = |name: &str| format!("sum({name}{{domain=~\"package|dram\"}})");
    let [workloads, ended, host] = [
        "ffwatt_workload_energy_joules_total",
        "ffwatt_ended_energy_joules_total",
        "ffwatt_host_energy_joules_total",
    ]
    .map(of);
    let difference = stack.prometheus.value(&format!("{workloads} + {ended} - {host}")).unwrap();
    assert!(difference.abs() < 1e-6, "{difference} J are missing or too many");
    assert!(stack.prometheus.query("ffwatt_attribution_residual_joules != 0").unwrap().is_empty());
    if let Some(folder) = std::env::var_os("FFWATT_SERIES") {
        // Long enough for lines in the pictures.
        pause(Duration::from_mins(1));
        write_series(&stack.prometheus, Path::new(&folder));
    }
}

/// 20 and 3 W, between the ticks that two scrapes show.
fn counts_what_was_there(prometheus: &Prometheus<'_>) {
    const METRICS: &str = "ffwatt_host_energy_joules_total|ffwatt_last_tick_timestamp_seconds";
    let query = format!(r#"{{__name__=~"{METRICS}", domain=~"package|dram|"}}[1m]"#);
    let watts = eventually("ten seconds are scraped", Duration::from_mins(1), || {
        let (mut joules, mut seconds) = (0.0, 0.0);
        for series in prometheus.query(&query).ok()? {
            let values = series["values"].as_array()?;
            let value = |sample: &Value| sample[1].as_str()?.parse::<f64>().ok();
            let grown = value(values.last()?)? - value(values.first()?)?;
            let is_time = series["metric"]["__name__"] == "ffwatt_last_tick_timestamp_seconds";
            *(if is_time { &mut seconds } else { &mut joules }) += grown;
        }
        (seconds >= 10.0).then(|| joules / seconds)
    })
    .unwrap();
    assert!((watts / 23.0 - 1.0).abs() < 0.05, "{watts} W");
}

/// For `cargo xtask pictures`: the data of every panel.
fn write_series(prometheus: &Prometheus<'_>, folder: &Path) {
    fs::create_dir_all(folder).unwrap();
    let end = prometheus.value("vector(time())").unwrap();
    for entry in fs::read_dir(repository().join("grafana/dashboards")).unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        let dashboard: Value = serde_json::from_str(&text).unwrap();
        let panels: Vec<Value> = dashboard["panels"]
            .as_array()
            .unwrap()
            .iter()
            .map(|panel| shown(prometheus, panel, end))
            .collect();
        let uid = dashboard["uid"].as_str().unwrap();
        let drawn = json!({"uid": uid, "title": dashboard["title"], "panels": panels});
        fs::write(folder.join(format!("{uid}.json")), drawn.to_string()).unwrap();
    }
}

fn shown(prometheus: &Prometheus<'_>, panel: &Value, end: f64) -> Value {
    let query = |target: &Value| {
        let expression = chosen(target["expr"].as_str().unwrap());
        let found = prometheus.range(&expression, end, Duration::from_mins(2)).unwrap();
        let series = |series: &Value| {
            let point = |point: &Value| json!([point[0], point[1].as_str().unwrap().parse::<f64>().unwrap()]);
            let points: Vec<Value> = series["values"].as_array().unwrap().iter().map(point).collect();
            json!({"legend": legend(target["legendFormat"].as_str().unwrap(), &series["metric"]), "points": points})
        };
        Value::from(found.iter().map(series).collect::<Vec<_>>())
    };
    let queries: Vec<Value> = panel["targets"].as_array().unwrap().iter().map(query).collect();
    let all: Vec<Value> = queries.iter().flat_map(|query| query.as_array().unwrap().clone()).collect();
    let is_value = |field: &&Value| field["matcher"]["options"].as_str().unwrap().starts_with("Value");
    let mut columns: Vec<&Value> =
        panel["fieldConfig"]["overrides"].as_array().unwrap().iter().filter(is_value).collect();
    columns.sort_by_key(|field| field["matcher"]["options"].as_str().unwrap().to_owned());
    let columns: Vec<&Value> = columns.into_iter().map(|field| &field["properties"][0]["value"]).collect();
    let place = &panel["gridPos"];
    json!({
        "title": panel["title"], "type": panel["type"], "unit": panel["fieldConfig"]["defaults"]["unit"],
        "x": place["x"], "y": place["y"], "w": place["w"], "h": place["h"],
        "stacked": panel["fieldConfig"]["defaults"]["custom"]["stacking"]["mode"] == "normal",
        "series": all, "queries": queries, "columns": columns,
    })
}

/// `{{scenario}} ({{streams}})` filled in; where a table has none, all labels.
fn legend(format: &str, labels: &Value) -> String {
    let labels = labels.as_object().unwrap();
    if format.is_empty() {
        let is_telling = |name: &&String| !["__name__", "job", "instance"].contains(&name.as_str());
        let values =
            labels.iter().filter(|(name, _)| is_telling(name)).map(|(_, value)| value.as_str().unwrap());
        return values.collect::<Vec<_>>().join(" ");
    }
    let fill = |text: String, (name, value): (&String, &Value)| {
        text.replace(&format!("{{{{{name}}}}}"), value.as_str().unwrap())
    };
    labels.iter().fold(format.to_owned(), fill)
}

/// Alerts that were pending or have fired so far, by their names.
fn alerts(prometheus: &Prometheus<'_>) -> BTreeSet<String> {
    let name = |series: Value| series["metric"]["alertname"].as_str().unwrap().to_owned();
    prometheus.query("count_over_time(ALERTS[1h])").unwrap().into_iter().map(name).collect()
}

/// A pending alert has its cause: how long it waits does not matter here.
#[test]
fn a_healthy_host_has_no_alert_and_a_source_that_fails_has_one() {
    let namespace = Namespace::start(&NAMES).unwrap();
    let rapl = LiveRapl::start().unwrap();
    let prometheus = Prometheus::start(&namespace, &repository().join("packaging/prometheus")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut agent = namespace.command(binary().unwrap().to_str().unwrap());
    agent.args([
        // The names are those of this host here, and listeners on a loopback address accept only configured names.
        &format!("--listen.host-names={}", NAMES.join(",")),
        &format!("--path.sysfs={}", rapl.path().display()),
        "--path.cgroupfs=/sys/fs/cgroup",
        "--energy.source=auto",
        &format!("--results-dir={}", folder.path().join("results").display()),
        &format!("--state-dir={}", folder.path().join("state").display()),
        "--containers.docker-socket=/nonexistent/docker.sock",
        "--containers.podman-socket=/nonexistent/podman.sock",
    ]);
    let log = fs::File::create(folder.path().join("log")).unwrap();
    let _agent = Owned(agent.stdout(Stdio::null()).stderr(log).spawn().unwrap());
    let scraped = |query: &str, patience| {
        eventually(query, patience, || (!prometheus.query(query).unwrap().is_empty()).then_some(())).unwrap();
    };
    // A dozen scrapes, or those of a quarter of an hour.
    let scrapes = short_or_long(12, 180);
    let healthy = format!("sum_over_time(up{{job=\"ffwatt\"}}[20m]) >= {scrapes}");
    scraped(&healthy, Duration::from_mins(20));
    let absent = prometheus.query("ffwatt_source_state{state=\"absent\"} == 1").unwrap();
    let log = || fs::read_to_string(folder.path().join("log")).unwrap();
    assert!(absent.len() >= 3, "some are not here: {absent:?}, {}", log());
    assert_eq!(alerts(&prometheus), BTreeSet::new());
    rapl.set_broken(true);
    scraped("ffwatt_source_up == 0", Duration::from_mins(2));
    eventually("the alert", Duration::from_mins(1), || {
        alerts(&prometheus).contains("SourceDown").then_some(())
    })
    .unwrap();
}

/// The configuration with which docker-compose.yml starts Alertmanager, with and without `ALERT_WEBHOOK_URL`.
#[test]
fn alerts_go_nowhere_unless_an_address_is_given() {
    let compose = fs::read_to_string(repository().join("docker-compose.yml")).unwrap();
    assert!(compose.contains("ALERT_WEBHOOK_URL: ${ALERT_WEBHOOK_URL:-}\n"), "unset is empty");
    let (_, service) = compose.split_once("\n  alertmanager:\n").unwrap();
    let (_, script) = service.split_once("- |\n").unwrap();
    let script: Vec<&str> = script.lines().take_while(|line| !line.contains("exec ")).collect();
    for (address, receiver) in [("", "nowhere"), ("http://example.com/hook", "webhook")] {
        let folder = tempfile::tempdir().unwrap();
        let place = |name: &str| folder.path().join(name).display().to_string();
        let script = script
            .join("\n")
            .replace("$$", "$")
            .replace("/tmp/", &place(""))
            .replace("/etc/alertmanager", &repository().join("packaging/alertmanager").display().to_string());
        output(Command::new("sh").args(["-ec", &script]).env("ALERT_WEBHOOK_URL", address)).unwrap();
        let config = fs::read_to_string(place("alertmanager.yml")).unwrap();
        assert!(config.contains(&format!("route:\n  receiver: {receiver}\n")), "{config}");
        assert_eq!(fs::read_to_string(place("webhook-url")).unwrap(), address);
        assert!(config.contains("\n  - name: nowhere\n  - name: webhook\n"), "{config}");
    }
}

#[test]
fn configuration_and_rules_are_what_promtool_takes() {
    let folder = repository().join("packaging/prometheus");
    let promtool =
        |arguments: &[&str]| output(Command::new("promtool").current_dir(&folder).args(arguments)).unwrap();
    promtool(&["check", "config", "prometheus.yml"]);
    promtool(&["check", "rules", "rules.yml", "alerts.yml"]);
    promtool(&["test", "rules", "alerts_test.yml"]);
    promtool(&["test", "rules", "rules_test.yml"]);
    let read = |path: &str| fs::read_to_string(repository().join(path)).unwrap();
    let (alerts, tests, words) = (
        read("packaging/prometheus/alerts.yml"),
        read("packaging/prometheus/alerts_test.yml"),
        read("docs/ALERTS.md"),
    );
    for name in alerts.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")) {
        assert!(
            tests.contains(&format!("- name: {name} fires"))
                && tests.contains(&format!("- name: {name} is quiet"))
        );
        assert!(words.contains(&format!("\n## {name}\n")), "docs/ALERTS.md says nothing of {name}");
        assert!(
            alerts.contains(&format!("docs/ALERTS.md#{}\n", name.to_lowercase())),
            "{name} has no runbook"
        );
    }
}
