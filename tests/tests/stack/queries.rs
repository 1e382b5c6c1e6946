//! Lists the queries of dashboards, rules and alerts, and those that have no data here.

use std::fs;

use serde_json::Value;

use super::repository;

/// An expression and its place.
pub(super) struct Expression {
    pub(super) place: String,
    pub(super) text: String,
}

/// Every query of every panel, annotation and variable.
pub(super) fn of_dashboards() -> Vec<Expression> {
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
        for annotation in dashboard["annotations"]["list"].as_array().unwrap() {
            let place = format!("{uid} / annotation {}", annotation["name"].as_str().unwrap());
            let text = annotation["target"]["expr"].as_str().unwrap().to_owned();
            // A healthy host has no alert.
            if !text.starts_with("ALERTS") {
                all.push(Expression { place, text });
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
pub(super) fn chosen(expression: &str) -> String {
    let mut text = expression.to_owned();
    for (name, value) in [
        ("$__rate_interval", "20s"),
        ("$__range", "5m"),
        ("$instance", ".*"),
        ("$namespace", ".*"),
        ("$workload", ".*"),
        ("$scenario", ".*"),
        ("$top", "10"),
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
pub(super) fn of_rules() -> Vec<Expression> {
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
pub(super) fn excused() -> Vec<(String, String)> {
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
