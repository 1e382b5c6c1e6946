//! Tests what the queries of all dashboards select, add up and link.

use std::collections::{BTreeSet, HashMap, HashSet};

use super::*;

/// The selector of the chosen hosts.
const HOSTS: &str = r#"instance=~"$instance(:.*)?""#;

/// Labels with many values: encodes and workloads come and go, and a run may have hundreds of scenarios.
const MANY: [&str; 7] = ["workload", "transcode", "pod", "container", "namespace", "codec", "scenario"];

/// Parts of the names of scores and ratios.
const NO_SUM: [&str; 11] = [
    "vmaf",
    "psnr",
    "ssim",
    "joules_per_",
    "per_watt",
    "efficiency_score",
    "drop_rate",
    "speed_ratio",
    "per_pixel",
    "share:ratio",
    "frame:ratio",
];

/// A query of a panel, with its place.
struct Asked {
    place: String,
    panel: Value,
    text: String,
    legend: String,
}

fn asked() -> Vec<Asked> {
    let of_panel = |title: &str, panel: &Value| {
        let targets = panel["targets"].as_array().unwrap().clone();
        let (place, panel) = (format!("{title} / {}", panel["title"].as_str().unwrap()), panel.clone());
        targets.into_iter().map(move |target| Asked {
            place: place.clone(),
            panel: panel.clone(),
            text: target["expr"].as_str().unwrap().to_owned(),
            legend: target["legendFormat"].as_str().unwrap().to_owned(),
        })
    };
    let of_dashboard = |dashboard: &Dashboard| {
        dashboard.placed().iter().flat_map(|panel| of_panel(dashboard.title, panel)).collect::<Vec<_>>()
    };
    all().iter().flat_map(of_dashboard).collect()
}

fn known() -> HashSet<String> {
    let others = FOREIGN.iter().chain(&["ALERTS"]).map(|name| (*name).to_owned());
    catalog().into_iter().chain(recorded()).chain(others).collect()
}

/// Each metric in a query, with what follows it.
fn metrics<'a>(query: &'a str, known: &HashSet<String>) -> Vec<(&'a str, &'a str)> {
    let is_word = |character: char| character.is_ascii_alphanumeric() || "_:".contains(character);
    let (mut found, mut depth, mut in_text, mut from) = (Vec::new(), 0, false, None);
    for (place, character) in query.char_indices().chain([(query.len(), ' ')]) {
        if !in_text && depth == 0 && is_word(character) {
            from = from.or(Some(place));
            continue;
        }
        if let Some(word) = from.take().map(|start: usize| &query[start..place])
            && known.contains(word.strip_suffix("_bucket").unwrap_or(word))
        {
            found.push((word, &query[place..]));
        }
        match character {
            '"' => in_text = !in_text,
            '{' | '[' if !in_text => depth += 1,
            '}' | ']' if !in_text => depth -= 1,
            _ => {}
        }
    }
    found
}

/// The text in the parentheses at the beginning, if it begins with them.
fn in_parentheses(text: &str) -> Option<&str> {
    let mut depth = 0;
    for (place, character) in text.char_indices() {
        depth += match character {
            '(' => 1,
            ')' => -1,
            _ => 0,
        };
        if depth == 0 {
            return text.starts_with('(').then(|| &text[1..place]);
        }
    }
    None
}

/// What each `sum` of a query adds up.
fn sums(query: &str) -> Vec<&str> {
    let added = |(place, _): (usize, &str)| {
        let rest = query[place + 3..].trim_start();
        let rest = match rest.strip_prefix("by ") {
            Some(labels) => labels[in_parentheses(labels)?.len() + 2..].trim_start(),
            None => rest,
        };
        in_parentheses(rest)
    };
    query.match_indices("sum").filter_map(added).collect()
}

#[test]
fn every_board_has_hosts_and_every_query_selects_them() {
    let known = known();
    let unselected = |query: &str| {
        let found = metrics(query, &known);
        assert!(!found.is_empty(), "no metric in {query}");
        let is_selected = |rest: &str| {
            rest.strip_prefix('{').is_some_and(|rest| rest.split('}').next().unwrap().contains(HOSTS))
        };
        found.into_iter().find(|(_, rest)| !is_selected(rest)).map(|(name, _)| name.to_owned())
    };
    for dashboard in all() {
        let json = dashboard.json();
        let variables = json["templating"]["list"].as_array().unwrap();
        let hosts = variables.iter().find(|variable| variable["name"] == "instance");
        let hosts = hosts.unwrap_or_else(|| panic!("{} has no hosts", dashboard.title));
        assert!(hosts["multi"] == true && hosts["includeAll"] == true, "{}", dashboard.title);
        for annotation in json["annotations"]["list"].as_array().unwrap() {
            let query = annotation["target"]["expr"].as_str().unwrap();
            assert_eq!(unselected(query), None, "{}: {query}", dashboard.title);
        }
    }
    for query in asked() {
        assert_eq!(unselected(&query.text), None, "{}: {}", query.place, query.text);
    }
}

#[test]
fn a_query_without_hosts_is_found() {
    let known = known();
    let names = |query| metrics(query, &known).into_iter().map(|(name, _)| name).collect::<Vec<_>>();
    assert_eq!(
        names(r#"sum by (up) (rate(rapl_energy_joules_total{zone=~"up{2}"}[5m])) / up"#),
        ["up", "rapl_energy_joules_total", "up"]
    );
}

#[test]
fn what_is_not_among_the_highest_is_in_other() {
    let is_many = |legend: &str| MANY.iter().any(|label| legend.contains(&format!("{{{{{label}}}}}")));
    let kinds = ["timeseries", "bargauge", "piechart"];
    let mut checked = 0;
    for query in asked() {
        let is_chart = kinds.iter().any(|kind| query.panel["type"] == *kind);
        if is_chart && is_many(&query.legend) {
            assert!(query.text.contains("($top, ") && query.text.contains("\"other"), "{}", query.place);
            checked += 1;
        }
    }
    assert!(checked > 40, "{checked} charts of workloads, encodes and scenarios");
    for dashboard in all() {
        let json = dashboard.json();
        let has =
            json["templating"]["list"].as_array().unwrap().iter().any(|variable| variable["name"] == "top");
        assert_eq!(json["panels"].to_string().contains("$top"), has, "{}", dashboard.title);
    }
}

#[test]
fn no_score_and_no_ratio_is_added_up() {
    assert_eq!(sums("sum(a) + avg(b) / sum by (c) (d(e))"), ["a", "d(e)"]);
    let known = known();
    for query in asked() {
        for added in sums(&query.text) {
            for (name, _) in metrics(added, &known) {
                let is_score = NO_SUM.iter().any(|part| name.contains(part));
                assert!(!is_score, "{}: {name} in a sum", query.place);
            }
        }
    }
}

#[test]
fn money_has_a_unit_and_its_currency() {
    let known = known();
    let mut checked = 0;
    for query in asked() {
        let is_money = |(name, _): &(&str, &str)| {
            name.starts_with("cost_") || name.contains("_cost") || name.contains("price")
        };
        let titles: Vec<&str> = columns(&query.panel).map(|(title, _)| title).collect();
        let is_shown = query.legend.contains("{{currency}}")
            || titles.iter().any(|title| *title == "Currency" || title.contains("$currency"));
        if metrics(&query.text, &known).iter().any(is_money) {
            let units: Vec<&str> = columns(&query.panel).map(|(_, unit)| unit).collect();
            let unit = query.panel["fieldConfig"]["defaults"]["unit"].as_str().unwrap();
            assert!(unit == money::MONEY || units.contains(&money::MONEY), "{} has no unit", query.place);
            assert!(is_shown, "{} shows no currency", query.place);
            checked += 1;
        }
    }
    assert!(checked > 20, "{checked} queries for money");
}

/// Titles and units of a table's columns.
fn columns(panel: &Value) -> impl Iterator<Item = (&str, &str)> {
    let overrides = panel["fieldConfig"]["overrides"].as_array().unwrap();
    let columns = overrides.iter().filter(|field| field["matcher"]["id"] == "byName");
    columns.map(|field| {
        let property = |place: usize| field["properties"][place]["value"].as_str().unwrap();
        (property(0), property(1))
    })
}

#[test]
fn a_link_leads_to_a_dashboard_that_has_its_variable() {
    let dashboards: HashMap<&str, Value> =
        all().iter().map(|dashboard| (dashboard.uid, dashboard.json())).collect();
    let mut checked = 0;
    for dashboard in all() {
        for panel in &dashboard.placed() {
            let config = &panel["fieldConfig"];
            let of_cells =
                config["overrides"].as_array().unwrap().iter().map(|field| &field["properties"][2]["value"]);
            for link in of_cells.chain([&config["defaults"]["links"]]).filter_map(Value::as_array).flatten() {
                let (url, title) = (link["url"].as_str().unwrap(), &panel["title"]);
                if let Some(path) = url.strip_prefix("/d/") {
                    let (uid, fields) = path.split_once('?').unwrap();
                    let name = fields.split("var-").nth(1).unwrap().split('=').next().unwrap();
                    let target = dashboards.get(uid).unwrap_or_else(|| panic!("{title}: no dashboard {uid}"));
                    let variables = target["templating"]["list"].as_array().unwrap();
                    assert!(
                        variables.iter().any(|variable| variable["name"] == name),
                        "{title}: {uid} has no {name}"
                    );
                    assert!(
                        target["panels"].to_string().contains(&format!("${name}")),
                        "{uid} ignores {name}"
                    );
                }
                if let Some((_, rest)) = url.split_once("__field.labels.") {
                    let label = rest.split('}').next().unwrap();
                    let has = |target: &Value| target["legendFormat"].as_str().unwrap().contains(label);
                    assert!(panel["targets"].as_array().unwrap().iter().any(has), "{title} has no {label}");
                }
                checked += 1;
            }
        }
    }
    assert!(checked > 30, "{checked} links");
}

#[test]
fn the_others_link_to_no_name() {
    let mut urls = BTreeSet::new();
    for dashboard in all() {
        for panel in &dashboard.placed() {
            let config = &panel["fieldConfig"];
            let overrides = config["overrides"].as_array().unwrap();
            let of_others: Vec<&Value> =
                overrides.iter().filter(|field| field["properties"][0]["id"] == "links").collect();
            let has_links = config["defaults"]["links"].is_array();
            assert_eq!(of_others.len(), usize::from(has_links), "{}", panel["title"]);
            let links =
                of_others.iter().flat_map(|field| field["properties"][0]["value"].as_array().unwrap());
            urls.extend(links.map(|link| link["url"].as_str().unwrap().to_owned()));
        }
    }
    let all = ["containers", "kubernetes", "quality-cost"]
        .map(|name| format!("/d/ffwatt-{name}?${{__url_time_range}}&${{instance:queryparam}}"));
    assert_eq!(urls, BTreeSet::from(all));
}

#[test]
fn a_forecast_has_no_axis_below_zero() {
    let mut checked = 0;
    for query in asked() {
        if query.panel["type"] == "timeseries"
            && (query.text.contains("_in_1h") || query.text.contains("_predicted_"))
        {
            assert_eq!(query.panel["fieldConfig"]["defaults"]["min"], 0.0, "{}", query.place);
            checked += 1;
        }
    }
    assert!(checked > 3, "{checked} forecasts");
}
