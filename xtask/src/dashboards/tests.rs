//! Tests that the dashboards keep the house rules.

mod queries;

use std::collections::HashSet;

use super::*;

/// Metrics of other exporters, which are not in the catalog.
const FOREIGN: [&str; 3] = ["node_cpu_seconds_total", "DCGM_FI_DEV_POWER_USAGE", "up"];

fn catalog() -> HashSet<String> {
    let text = fs::read_to_string(root().unwrap().join("docs/METRICS.md")).unwrap();
    let names = text.lines().filter_map(|line| Some(line.strip_prefix("| `")?.split_once('`')?.0.to_owned()));
    names.collect()
}

fn recorded() -> HashSet<String> {
    let text = fs::read_to_string(root().unwrap().join("packaging/prometheus/rules.yml")).unwrap();
    text.lines().filter_map(|line| Some(line.trim().strip_prefix("- record: ")?.to_owned())).collect()
}

/// Names of metrics in an expression: words before `{`, `[` or the end that are neither functions nor keywords.
fn metrics_in(expression: &str) -> Vec<String> {
    let is_word = |character: char| character.is_ascii_alphanumeric() || "_:".contains(character);
    let mut found = Vec::new();
    let (mut depth, mut word, mut in_text) = (0, String::new(), false);
    for character in expression.chars().chain([' ']) {
        if character == '"' {
            in_text = !in_text;
        } else if in_text {
            continue;
        } else if is_word(character) || character == '$' {
            word.push(character);
            continue;
        }
        if depth == 0 && word.contains('_') && !word.starts_with(['$', '_']) && character != '(' {
            found.push(word.clone());
        }
        word.clear();
        depth += match character {
            '{' | '[' => 1,
            '}' | ']' => -1,
            _ => 0,
        };
    }
    found
}

#[test]
fn every_metric_is_in_the_catalog_or_recorded() {
    let (catalog, recorded) = (catalog(), recorded());
    let labels = ["output_ladder", "encoder_type", "run_id", "group_left", "codec_standard"];
    let functions = ["histogram_quantile", "label_replace", "clamp_min"];
    for dashboard in all() {
        for panel in &dashboard.placed() {
            for target in panel["targets"].as_array().unwrap() {
                let expression = target["expr"].as_str().unwrap();
                for name in metrics_in(expression) {
                    let base = name.strip_suffix("_bucket").unwrap_or(&name);
                    let is_known = catalog.contains(base)
                        || recorded.contains(&name)
                        || FOREIGN.contains(&name.as_str())
                        || labels.contains(&name.as_str())
                        || functions.contains(&name.as_str());
                    assert!(is_known, "{}: {name} in {expression}", dashboard.title);
                }
            }
        }
    }
}

#[test]
fn no_panel_lacks_words_or_lies_on_another() {
    let mut uids = HashSet::new();
    for dashboard in all() {
        assert!(uids.insert(dashboard.uid), "{}", dashboard.uid);
        let panels = dashboard.placed();
        let mut cells = HashSet::new();
        let mut ids = HashSet::new();
        for panel in &panels {
            let title = panel["title"].as_str().unwrap();
            assert!(ids.insert(panel["id"].as_u64()), "{}: {title}", dashboard.title);
            assert!(!panel["description"].as_str().unwrap().is_empty(), "{title} has no description");
            assert!(panel["description"].as_str().unwrap().ends_with('.'), "{title}");
            assert!(
                !panel["fieldConfig"]["defaults"]["unit"].as_str().unwrap().is_empty(),
                "{title} has no unit"
            );
            assert!(!panel["targets"].as_array().unwrap().is_empty(), "{title} asks nothing");
            let side = |name: &str| panel["gridPos"][name].as_u64().unwrap();
            assert!(side("x") + side("w") <= 24, "{title} is too wide");
            for x in side("x")..side("x") + side("w") {
                for y in side("y")..side("y") + side("h") {
                    assert!(cells.insert((x, y)), "{}: {title} lies on another", dashboard.title);
                }
            }
        }
        let expressions = dashboard.text();
        let plain = regex_free_rates(&expressions);
        assert!(plain.is_empty(), "{}: rates over a fixed time: {plain:?}", dashboard.title);
    }
}

/// A table has a row for the series with the same labels: a series of the other side of `or` with more labels is in a row of its own.
#[test]
fn both_sides_of_or_in_a_table_have_the_same_labels() {
    let labels = |side: &str| Some(side.split_once(" by (")?.1.split_once(')')?.0.to_owned());
    for dashboard in all() {
        for panel in dashboard.placed().iter().filter(|panel| panel["type"] == "table") {
            for target in panel["targets"].as_array().unwrap() {
                let expression = target["expr"].as_str().unwrap();
                let sides: Vec<Option<String>> = expression.split(" or ").map(labels).collect();
                let is_alike =
                    sides.len() == 1 || sides.iter().all(|side| side.is_some() && *side == sides[0]);
                assert!(is_alike, "{}, {}: {sides:?} in {expression}", dashboard.title, panel["title"]);
            }
        }
    }
}

/// Ranges that do not follow the dashboard's resolution.
fn regex_free_rates(text: &str) -> Vec<&str> {
    let ranges = text.split("_total").skip(1).filter_map(|rest| rest.split_once('[')?.1.split_once(']'));
    ranges
        .map(|(range, _)| range)
        .filter(|range| range.len() < 6 && range.ends_with(['s', 'm', 'h']))
        .collect()
}

#[test]
fn the_files_are_what_is_said_here() {
    let mut known = HashSet::new();
    for dashboard in all() {
        let path = path(&dashboard).unwrap();
        let text = fs::read_to_string(&path).unwrap_or_default();
        assert!(text == dashboard.text(), "{}: run `cargo xtask dashboards`", path.display());
        known.insert(path);
    }
    for entry in fs::read_dir(root().unwrap().join("grafana/dashboards")).unwrap() {
        let path = entry.unwrap().path();
        assert!(known.contains(&path), "{} is nobody's", path.display());
    }
}

#[test]
fn the_seeds_uids_are_kept() {
    let uids: HashSet<&str> = all().iter().map(|dashboard| dashboard.uid).collect();
    for uid in [
        "power-monitoring-dashboard",
        "baseline-vs-test",
        "energy-efficiency-dashboard",
        "efficiency-forecasting",
        "future-load-predictions",
        "qoe-dashboard",
        "cost-dashboard",
    ] {
        assert!(uids.contains(uid), "{uid}");
    }
}
