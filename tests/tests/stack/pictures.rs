//! Writes the data of every panel for `cargo xtask pictures`.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};
use tests::prometheus::Prometheus;

use super::queries::chosen;
use super::repository;

/// The pictures that `cargo xtask pictures` asks for.
pub(super) struct Wanted {
    /// Folder of the series.
    pub(super) folder: PathBuf,
    /// Time that a picture shows.
    pub(super) length: Duration,
}

/// Whether pictures are wanted: the environment tells.
pub(super) fn wanted() -> Option<Wanted> {
    let folder = PathBuf::from(std::env::var_os("FFWATT_SERIES")?);
    let minutes = std::env::var("FFWATT_MINUTES").unwrap().parse().unwrap();
    Some(Wanted { folder, length: Duration::from_mins(minutes) })
}

/// Writes one file for each dashboard.
pub(super) fn write_series(prometheus: &Prometheus<'_>, Wanted { folder, length }: &Wanted) {
    fs::create_dir_all(folder).unwrap();
    let end = prometheus.value("vector(time())").unwrap();
    for entry in fs::read_dir(repository().join("grafana/dashboards")).unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        let dashboard: Value = serde_json::from_str(&text).unwrap();
        let panels: Vec<Value> = dashboard["panels"]
            .as_array()
            .unwrap()
            .iter()
            .map(|panel| shown(prometheus, panel, end, *length))
            .collect();
        let uid = dashboard["uid"].as_str().unwrap();
        let drawn = json!({"uid": uid, "title": dashboard["title"], "panels": panels});
        fs::write(folder.join(format!("{uid}.json")), drawn.to_string()).unwrap();
    }
}

fn shown(prometheus: &Prometheus<'_>, panel: &Value, end: f64, length: Duration) -> Value {
    let query = |target: &Value| {
        let expression = chosen(target["expr"].as_str().unwrap());
        let found = prometheus.range(&expression, end, length).unwrap();
        let series = |series: &Value| {
            let point = |point: &Value| json!([point[0], point[1].as_str().unwrap().parse::<f64>().unwrap()]);
            let points: Vec<Value> = series["values"].as_array().unwrap().iter().map(point).collect();
            let legend = legend(target["legendFormat"].as_str().unwrap(), &series["metric"]);
            json!({"legend": legend, "labels": series["metric"], "points": points})
        };
        Value::from(found.iter().map(series).collect::<Vec<_>>())
    };
    let queries: Vec<Value> = panel["targets"].as_array().unwrap().iter().map(query).collect();
    let all: Vec<Value> = queries.iter().flat_map(|query| query.as_array().unwrap().clone()).collect();
    let overrides = panel["fieldConfig"]["overrides"].as_array().unwrap();
    let fields: Vec<Value> = overrides
        .iter()
        .filter(|field| field["matcher"]["id"] == "byName")
        .map(|field| {
            let property = |place: usize| &field["properties"][place]["value"];
            json!({"field": field["matcher"]["options"], "title": chosen(property(0).as_str().unwrap()), "unit": property(1)})
        })
        .collect();
    let (place, defaults) = (&panel["gridPos"], &panel["fieldConfig"]["defaults"]);
    json!({
        "title": chosen(panel["title"].as_str().unwrap()), "type": panel["type"], "unit": defaults["unit"],
        "min": defaults["min"], "max": defaults["max"], "thresholds": defaults["thresholds"]["steps"],
        "x": place["x"], "y": place["y"], "w": place["w"], "h": place["h"],
        "stacked": defaults["custom"]["stacking"]["mode"] == "normal",
        "series": all, "queries": queries, "fields": fields,
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
    let mut filled = labels.iter().fold(format.to_owned(), fill);
    // Grafana shows nothing for a label that the series does not have.
    while let Some((before, rest)) = filled.split_once("{{") {
        let after = rest.split_once("}}").map_or("", |(_, after)| after);
        filled = format!("{before}{after}");
    }
    filled
}
