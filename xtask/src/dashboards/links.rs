//! Data links: from a host to its live page, and from a row or a series to the dashboard with its details.

use serde_json::{Value, json};

/// A link of a series or of a cell.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Link {
    title: &'static str,
    url: &'static str,
    /// Title of the link of the series of all others, which leads to the same dashboard without its filter.
    others: Option<&'static str>,
}

/// Names of the series of all others, `other` and `other (mean)` with their hosts, as Grafana's matchers take them.
pub(super) const OTHERS: &str = "/^other($| )/";

/// The live page of the host in a cell.
pub(crate) const PAGE_OF_CELL: Link =
    Link { title: "Live page of the host", url: "http://${__value.raw}/", others: None };

/// The live page of the host of a series.
pub(crate) const PAGE: Link =
    Link { title: "Live page of the host", url: "http://${__field.labels.instance}/", others: None };

/// The dashboard *Container energy* with the workload in a cell only.
pub(crate) const WORKLOAD_OF_CELL: Link = Link {
    title: "Container energy of this workload",
    url: "/d/ffwatt-containers?${__url_time_range}&${instance:queryparam}&var-workload=${__value.raw}",
    others: None,
};

/// As [`WORKLOAD_OF_CELL`], for a series.
pub(crate) const WORKLOAD: Link = Link {
    title: "Container energy of this workload",
    url: "/d/ffwatt-containers?${__url_time_range}&${instance:queryparam}&var-workload=${__field.labels.workload}",
    others: Some("Container energy of all workloads"),
};

/// The dashboard `QoE × cost` with the scenario in a cell only.
pub(crate) const SCENARIO_OF_CELL: Link = Link {
    title: "Quality and cost of this scenario",
    url: "/d/ffwatt-quality-cost?${__url_time_range}&${instance:queryparam}&var-scenario=${__value.raw}",
    others: None,
};

/// As [`SCENARIO_OF_CELL`], for a series.
pub(crate) const SCENARIO: Link = Link {
    title: "Quality and cost of this scenario",
    url: "/d/ffwatt-quality-cost?${__url_time_range}&${instance:queryparam}&var-scenario=${__field.labels.scenario}",
    others: Some("Quality and cost of all scenarios"),
};

/// The dashboard *Kubernetes* with the namespace in a cell only.
pub(crate) const NAMESPACE_OF_CELL: Link = Link {
    title: "This namespace",
    url: "/d/ffwatt-kubernetes?${__url_time_range}&${instance:queryparam}&var-namespace=${__value.raw}",
    others: None,
};

/// As [`NAMESPACE_OF_CELL`], for a series.
pub(crate) const NAMESPACE: Link = Link {
    title: "This namespace",
    url: "/d/ffwatt-kubernetes?${__url_time_range}&${instance:queryparam}&var-namespace=${__field.labels.namespace}",
    others: Some("All namespaces"),
};

impl Link {
    pub(super) fn json(self) -> Value {
        json!({"title": self.title, "url": self.url, "targetBlank": self.url.starts_with("http")})
    }

    /// The link of the series of all others, where there is one.
    pub(super) fn json_of_others(self) -> Option<Value> {
        let (url, _) = self.url.split_once("&var-")?;
        Some(json!({"title": self.others?, "url": url, "targetBlank": false}))
    }
}
