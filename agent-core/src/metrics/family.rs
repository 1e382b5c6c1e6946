//! All metrics, one file for each family: a metric's file can be guessed from its name.

pub mod attribution;
pub mod class;
pub mod cost;
pub mod docker;
pub mod ended;
pub mod health;
pub mod host;
pub mod namespace;
pub mod output;
pub mod process;
pub mod qoe;
pub mod rapl;
pub mod results;
pub mod scenario;
pub mod transcode;
pub mod workload;

use crate::metrics::catalog::Metric;

/// Every family, in the order of the documentation.
const ALL: &[&[Metric]] = &[
    rapl::METRICS,
    docker::METRICS,
    results::METRICS,
    qoe::METRICS,
    cost::METRICS,
    host::METRICS,
    workload::METRICS,
    transcode::METRICS,
    output::METRICS,
    class::METRICS,
    namespace::METRICS,
    ended::METRICS,
    scenario::METRICS,
    attribution::METRICS,
    health::METRICS,
    process::METRICS,
];

/// Every metric, grouped by family.
pub fn metrics() -> impl Iterator<Item = &'static Metric> {
    ALL.iter().flat_map(|family| family.iter())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::metrics::catalog::{Kind, Listener};

    #[test]
    fn names_follow_the_rules() {
        let mut names = HashSet::new();
        for metric in metrics() {
            let name = metric.name;
            assert!(names.insert(name), "{name} is declared twice");
            let legal = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
            assert!(name.bytes().all(legal), "{name}");
            match metric.kind {
                Kind::Counter => assert!(name.ends_with("_total"), "{name}"),
                Kind::Info => assert!(name.ends_with("_info"), "{name}"),
                Kind::Gauge | Kind::Histogram => {}
            }
            if let Some(unit) = metric.unit {
                let base = name.trim_end_matches("_total");
                assert!(base.ends_with(&format!("_{unit}")), "{name} does not end in its unit {unit}");
            }
            assert!(!metric.help.is_empty() && !metric.help.contains(['\n', '\\']), "{name}");
            assert!(metric.help.ends_with('.'), "{name}: {}", metric.help);
        }
    }

    #[test]
    fn new_names_avoid_labels_that_scrapers_set() {
        let reserved = ["instance", "job", "type", "le", "quantile", "region", "cluster", "env", "service"];
        for metric in metrics().filter(|metric| metric.listener == Listener::Main) {
            for label in metric.labels {
                assert!(!reserved.contains(label), "{}: {label}", metric.name);
            }
        }
    }
}
