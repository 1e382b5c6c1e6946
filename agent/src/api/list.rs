//! Filters, sorts and pages a list, as the query of a request asks.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Most items on a page.
const MAX_PER_PAGE: usize = 1000;

/// Query of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Query {
    pub page: Option<usize>,
    pub per_page: Option<usize>,
    pub sort: Option<String>,
    pub q: Option<String>,
    pub running: Option<bool>,
}

/// Fields by which workloads can be sorted.
pub(crate) const WORKLOAD_FIELDS: [&str; 8] = [
    "workload",
    "kind",
    "power_watts",
    "energy_joules",
    "cpu_cores",
    "cpu_seconds",
    "memory_bytes",
    "carbon_grams",
];

/// Fields by which transcodes can be sorted.
pub(crate) const TRANSCODE_FIELDS: [&str; 13] = [
    "transcode",
    "workload",
    "codec",
    "started_unix_seconds",
    "power_watts",
    "energy_joules",
    "cpu_cores",
    "cpu_seconds",
    "frames",
    "speed_ratio",
    "joules_per_frame",
    "vmaf_score",
    "cost",
];

/// Fields by which scenarios can be sorted.
pub(crate) const SCENARIO_FIELDS: [&str; 7] =
    ["scenario", "encoder", "energy_joules", "joules_per_frame", "vmaf_score", "cost", "carbon_grams"];

/// A page of a list.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Page {
    pub api_version: u32,
    pub tick: u64,
    pub time_unix_seconds: f64,
    pub total: usize,
    pub page: usize,
    pub per_page: usize,
    pub items: Vec<Value>,
}

/// The reason why there is no page.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum QueryError {
    /// Page numbers begin at 1.
    #[error("page {0}: the first page is 1")]
    Page(usize),
    /// A page is too long, or empty.
    #[error("per_page {0}: 1 to {MAX_PER_PAGE}")]
    PerPage(usize),
    /// There is no such field, or it cannot be sorted.
    #[error(
        "sort {asked:?}: unknown field; the fields are {known}, each with an optional minus sign \
            before it"
    )]
    Sort {
        /// The requested field.
        asked: String,
        /// The existing fields.
        known: String,
    },
}

/// The requested page of these items.
pub(crate) fn page(
    items: &impl Serialize,
    known: &[&str],
    query: &Query,
) -> Result<(usize, usize, usize, Vec<Value>), QueryError> {
    let number = query.page.unwrap_or(1);
    let per_page = query.per_page.unwrap_or(100);
    if number == 0 {
        return Err(QueryError::Page(number));
    }
    if !(1..=MAX_PER_PAGE).contains(&per_page) {
        return Err(QueryError::PerPage(per_page));
    }
    // Figures and names can always be written as JSON.
    let Ok(Value::Array(mut items)) = serde_json::to_value(items) else {
        return Ok((0, number, per_page, Vec::new()));
    };
    if let Some(running) = query.running {
        items.retain(|item| {
            item.get("is_running").is_none_or(|is_running| *is_running == Value::Bool(running))
        });
    }
    if let Some(words) = query.q.as_deref().map(str::to_lowercase).filter(|words| !words.is_empty()) {
        items.retain(|item| has_words(item, &words));
    }
    if let Some(sort) = &query.sort {
        let (field, is_descending) = sort.strip_prefix('-').map_or((&**sort, false), |field| (field, true));
        if !known.contains(&field) {
            return Err(QueryError::Sort { asked: field.to_owned(), known: known.join(", ") });
        }
        items.sort_by(|one, other| order(one.get(field), other.get(field), is_descending));
    }
    let total = items.len();
    let page = items.into_iter().skip((number - 1).saturating_mul(per_page)).take(per_page).collect();
    Ok((total, number, per_page, page))
}

fn has_words(item: &Value, words: &str) -> bool {
    let Value::Object(fields) = item else { return false };
    fields.values().filter_map(Value::as_str).any(|text| text.to_lowercase().contains(words))
}

/// Unknown values come last, whichever way the list is sorted.
fn order(one: Option<&Value>, other: Option<&Value>, is_descending: bool) -> std::cmp::Ordering {
    use std::cmp::Ordering;
    let ordering = match (one, other) {
        (None, None) => return Ordering::Equal,
        (None, Some(_)) => return Ordering::Greater,
        (Some(_), None) => return Ordering::Less,
        (Some(one), Some(other)) => match (one.as_f64(), other.as_f64()) {
            (Some(one), Some(other)) => one.total_cmp(&other),
            _ => one.as_str().unwrap_or_default().cmp(other.as_str().unwrap_or_default()),
        },
    };
    if is_descending { ordering.reverse() } else { ordering }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn names(query: &Query) -> Vec<String> {
        let items = json!([
            {"workload": "b", "power_watts": 1.0, "is_running": true},
            {"workload": "Live-1", "power_watts": 3.0, "is_running": true},
            {"workload": "c", "is_running": false},
            {"workload": "a", "power_watts": 2.0, "is_running": false},
        ]);
        let (_, _, _, page) = page(&items, &["workload", "power_watts"], query).unwrap();
        page.iter().map(|item| item["workload"].as_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn sorted_filtered_and_by_the_page() {
        let sort = |field: &str| Query { sort: Some(field.to_owned()), ..Query::default() };
        assert_eq!(names(&Query::default()), ["b", "Live-1", "c", "a"]);
        assert_eq!(names(&sort("-power_watts")), ["Live-1", "a", "b", "c"]);
        assert_eq!(names(&sort("power_watts")), ["b", "a", "Live-1", "c"], "what is not known is last");
        assert_eq!(names(&sort("workload")), ["Live-1", "a", "b", "c"]);
        assert_eq!(names(&Query { q: Some("LIVE".into()), ..Query::default() }), ["Live-1"]);
        assert_eq!(names(&Query { running: Some(false), ..Query::default() }), ["c", "a"]);
        let second = Query { page: Some(2), per_page: Some(3), ..Query::default() };
        assert_eq!(names(&second), ["a"]);
        assert!(names(&Query { page: Some(usize::MAX), ..Query::default() }).is_empty());
    }

    #[test]
    fn what_cannot_be_is_said() {
        let ask = |query: Query| page(&json!([{"a": 1}]), &["b"], &query).map(|_| ()).unwrap_err();
        assert_eq!(ask(Query { page: Some(0), ..Query::default() }), QueryError::Page(0));
        assert_eq!(ask(Query { per_page: Some(1001), ..Query::default() }), QueryError::PerPage(1001));
        let unknown = QueryError::Sort { asked: "x".into(), known: "b".into() };
        assert_eq!(ask(Query { sort: Some("-x".into()), ..Query::default() }), unknown);
    }
}
