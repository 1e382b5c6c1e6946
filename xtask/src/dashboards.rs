//! `cargo xtask dashboards`: writes the JSON in `grafana/dashboards` from the descriptions here.
//!
//! Grafana's format is written once, in `panel` and below; a dashboard is a list of panels with a title, a unit, a sentence and
//! queries each. Layout, ids and house rules follow from that. The tests compare the files with this code, and the queries with
//! the catalog of metrics.

mod agent;
mod annotations;
mod baseline;
mod containers;
mod cost;
mod efficiency;
mod fleet;
mod forecasting;
mod kubernetes;
mod links;
mod live;
mod money;
mod panel;
mod power;
mod predictions;
mod qoe;
mod quality_cost;
mod queries;

use std::fs;
use std::path::PathBuf;

use anyhow::Context;
use serde_json::{Value, json};

use panel::Panel;
use xtask::process::say;
use xtask::root;

use crate::chart;

/// A variable at the top of a dashboard.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Variable {
    /// Hosts, several at once, without the port.
    Host,
    /// Values of a label, several at once; all unless chosen.
    Label { name: &'static str, title: &'static str, query: &'static str },
    /// One of a label's values.
    One { name: &'static str, title: &'static str, query: &'static str },
    /// A number that users type.
    Number { name: &'static str, title: &'static str, default: &'static str },
}

/// One dashboard.
#[derive(Debug)]
pub(crate) struct Dashboard {
    /// The file's name without its suffix.
    pub(crate) file: &'static str,
    pub(crate) uid: &'static str,
    pub(crate) title: &'static str,
    pub(crate) description: &'static str,
    pub(crate) refresh: &'static str,
    pub(crate) since: &'static str,
    pub(crate) variables: Vec<Variable>,
    pub(crate) panels: Vec<Panel>,
}

/// How many series a panel shows besides the sum or the mean of the others.
const TOP: Variable = Variable::Number { name: "top", title: "Series shown", default: "10" };

/// Variables of dashboards about scenarios.
const SCENARIOS: [Variable; 4] = [
    Variable::Host,
    Variable::Label {
        name: "run_id",
        title: "Run",
        query: "label_values(results_scenario_duration_seconds, run_id)",
    },
    Variable::Label {
        name: "output_ladder",
        title: "Ladder",
        query: "label_values(results_scenario_duration_seconds, output_ladder)",
    },
    Variable::Label {
        name: "encoder_type",
        title: "Encoder",
        query: "label_values(results_scenario_duration_seconds, encoder_type)",
    },
];

/// All dashboards, in the order of the menu.
pub(crate) fn all() -> Vec<Dashboard> {
    vec![
        live::dashboard(),
        containers::dashboard(),
        quality_cost::dashboard(),
        fleet::dashboard(),
        kubernetes::dashboard(),
        agent::dashboard(),
        power::dashboard(),
        baseline::dashboard(),
        efficiency::dashboard(),
        forecasting::dashboard(),
        predictions::dashboard(),
        qoe::dashboard(),
        cost::dashboard(),
    ]
}

/// Writes the files.
pub(crate) fn write() -> anyhow::Result<()> {
    for dashboard in all() {
        let path = path(&dashboard)?;
        fs::write(&path, dashboard.text()).with_context(|| format!("cannot write {}", path.display()))?;
        say(&format!("{}", path.display()));
    }
    chart::write_copies()
}

/// Each dashboard's file name and its JSON in one line, for the chart.
pub(crate) fn compact() -> impl Iterator<Item = (String, String)> {
    all().into_iter().map(|dashboard| (format!("{}.json", dashboard.file), format!("{}\n", dashboard.json())))
}

fn path(dashboard: &Dashboard) -> anyhow::Result<PathBuf> {
    Ok(root()?.join("grafana/dashboards").join(format!("{}.json", dashboard.file)))
}

impl Dashboard {
    fn text(&self) -> String {
        // A tree of literals: it can always be written.
        serde_json::to_string_pretty(&self.json()).unwrap_or_default() + "\n"
    }

    fn json(&self) -> Value {
        let variables: Vec<Value> =
            std::iter::once(source_variable()).chain(self.variables.iter().map(Variable::json)).collect();
        json!({
            "uid": self.uid,
            "title": self.title,
            "description": self.description,
            "tags": ["ffwatt"],
            "editable": false,
            "graphTooltip": 1,
            "refresh": self.refresh,
            "schemaVersion": 39,
            "time": {"from": self.since, "to": "now"},
            "timezone": "browser",
            "links": [{
                "type": "dashboards", "title": "ffwatt", "tags": ["ffwatt"], "asDropdown": true, "includeVars": true,
                "keepTime": true,
            }],
            "annotations": {"list": annotations::of(self.uid)},
            "templating": {"list": variables},
            "panels": self.placed(),
        })
    }

    /// Panels in rows, from left to right: a row ends where the next panel has no room.
    fn placed(&self) -> Vec<Value> {
        let (mut x, mut y, mut height) = (0, 0, 0);
        let mut placed = Vec::new();
        for (index, panel) in self.panels.iter().enumerate() {
            if x + panel.width > 24 {
                (x, y, height) = (0, y + height, 0);
            }
            placed.push(panel.json(index + 1, x, y));
            x += panel.width;
            height = height.max(panel.height);
        }
        placed
    }
}

impl Variable {
    fn json(&self) -> Value {
        match self {
            Self::Host => {
                let mut variable = several("instance", "Host", "label_values(ffwatt_build_info, instance)");
                if let Some(fields) = variable.as_object_mut() {
                    fields.insert("regex".into(), "/^(.+?)(?::[0-9]+)?$/".into());
                }
                variable
            }
            Self::Label { name, title, query } => several(name, title, query),
            Self::One { name, title, query } => query_variable(name, title, query),
            Self::Number { name, title, default } => json!({
                "name": name, "label": title, "type": "textbox", "query": default,
                "current": {"text": default, "value": default},
            }),
        }
    }
}

fn several(name: &str, title: &str, query: &str) -> Value {
    let mut variable = query_variable(name, title, query);
    if let Some(fields) = variable.as_object_mut() {
        fields.insert("multi".into(), true.into());
        fields.insert("includeAll".into(), true.into());
        fields.insert("allValue".into(), ".*".into());
        fields.insert("current".into(), json!({"text": "All", "value": "$__all"}));
    }
    variable
}

fn query_variable(name: &str, title: &str, query: &str) -> Value {
    json!({
        "name": name,
        "label": title,
        "type": "query",
        "datasource": panel::datasource(),
        "query": {"query": query, "refId": name},
        "definition": query,
        // Updated with the time range, so that values of that time can be chosen.
        "refresh": 2,
        "sort": 1,
    })
}

fn source_variable() -> Value {
    json!({"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus"})
}

#[cfg(test)]
mod tests;
