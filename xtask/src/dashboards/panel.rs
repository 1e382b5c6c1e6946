//! Panels of dashboards. Their constructors require a title, a unit and a description.

use serde_json::{Map, Value, json};

use super::links::{Link, OTHERS};
use super::money;

/// One panel.
#[derive(Clone, Debug)]
pub(crate) struct Panel {
    kind: Kind,
    title: &'static str,
    unit: &'static str,
    description: &'static str,
    queries: Vec<Query>,
    thresholds: Vec<(Option<f64>, &'static str)>,
    range: (Option<f64>, Option<f64>),
    decimals: Option<u8>,
    columns: Vec<Column>,
    links: Vec<Link>,
    pub(crate) width: u64,
    pub(crate) height: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    TimeSeries { stacked: bool },
    Stat,
    Gauge,
    Bars,
    Pie,
    Table,
    Scatter,
}

#[derive(Clone, Debug)]
struct Query {
    expression: String,
    legend: &'static str,
}

/// Title, unit and link of a table's field.
#[derive(Clone, Copy, Debug)]
struct Column {
    field: &'static str,
    title: &'static str,
    unit: &'static str,
    link: Option<Link>,
}

/// Colours with the same meaning on every dashboard.
pub(crate) const GOOD: &str = "green";
pub(crate) const WARN: &str = "yellow";
pub(crate) const BAD: &str = "red";

/// Lines over time.
pub(crate) fn lines(title: &'static str, unit: &'static str, description: &'static str) -> Panel {
    Panel::new(Kind::TimeSeries { stacked: false }, title, unit, description, (12, 8))
}

/// Areas over time, one on the other: parts of a whole.
pub(crate) fn areas(title: &'static str, unit: &'static str, description: &'static str) -> Panel {
    Panel::new(Kind::TimeSeries { stacked: true }, title, unit, description, (12, 8))
}

/// One number.
pub(crate) fn stat(title: &'static str, unit: &'static str, description: &'static str) -> Panel {
    Panel::new(Kind::Stat, title, unit, description, (4, 4))
}

/// One number on a scale.
pub(crate) fn gauge(title: &'static str, unit: &'static str, description: &'static str) -> Panel {
    Panel::new(Kind::Gauge, title, unit, description, (8, 6))
}

/// One bar for each series, now.
pub(crate) fn bars(title: &'static str, unit: &'static str, description: &'static str) -> Panel {
    Panel::new(Kind::Bars, title, unit, description, (12, 8))
}

/// Parts of a whole, now.
pub(crate) fn pie(title: &'static str, unit: &'static str, description: &'static str) -> Panel {
    Panel::new(Kind::Pie, title, unit, description, (8, 8))
}

/// One row for each series, now.
pub(crate) fn table(title: &'static str, unit: &'static str, description: &'static str) -> Panel {
    Panel::new(Kind::Table, title, unit, description, (24, 8))
}

/// One point for each series, now: the first query is across, the second up.
pub(crate) fn scatter(title: &'static str, unit: &'static str, description: &'static str) -> Panel {
    Panel::new(Kind::Scatter, title, unit, description, (12, 10))
}

impl Panel {
    fn new(
        kind: Kind,
        title: &'static str,
        unit: &'static str,
        description: &'static str,
        size: (u64, u64),
    ) -> Self {
        Self {
            kind,
            title,
            unit,
            description,
            queries: Vec::new(),
            thresholds: vec![(None, GOOD)],
            range: (None, None),
            decimals: None,
            columns: Vec::new(),
            links: Vec::new(),
            width: size.0,
            height: size.1,
        }
    }

    pub(crate) fn query(mut self, expression: impl Into<String>, legend: &'static str) -> Self {
        self.queries.push(Query { expression: expression.into(), legend });
        self
    }

    pub(crate) fn size(mut self, width: u64, height: u64) -> Self {
        (self.width, self.height) = (width, height);
        self
    }

    /// Colours from these values on; the first counts from the bottom.
    pub(crate) fn thresholds(mut self, below: &'static str, steps: &[(f64, &'static str)]) -> Self {
        self.thresholds = std::iter::once((None, below))
            .chain(steps.iter().map(|(value, color)| (Some(*value), *color)))
            .collect();
        self
    }

    pub(crate) fn range(mut self, least: f64, most: f64) -> Self {
        self.range = (Some(least), Some(most));
        self
    }

    /// The lowest value of the axis.
    pub(crate) fn least(mut self, least: f64) -> Self {
        self.range.0 = Some(least);
        self
    }

    /// A link of each series.
    pub(crate) fn link(mut self, link: Link) -> Self {
        self.links.push(link);
        self
    }

    pub(crate) fn decimals(mut self, decimals: u8) -> Self {
        self.decimals = Some(decimals);
        self
    }

    /// The title of a table's field: the value of the n-th query is `Value #A`, `Value #B`, ….
    pub(crate) fn column(mut self, field: &'static str, title: &'static str, unit: &'static str) -> Self {
        self.columns.push(Column { field, title, unit, link: None });
        self
    }

    /// A column of text whose cells are links.
    pub(crate) fn linked(mut self, field: &'static str, title: &'static str, link: Link) -> Self {
        self.columns.push(Column { field, title, unit: "string", link: Some(link) });
        self
    }

    fn is_instant(&self) -> bool {
        !matches!(self.kind, Kind::TimeSeries { .. } | Kind::Stat)
    }

    pub(crate) fn json(&self, id: usize, x: u64, y: u64) -> Value {
        json!({
            "id": id,
            "type": self.type_name(),
            "title": self.title,
            "description": self.description,
            "datasource": datasource(),
            "gridPos": {"x": x, "y": y, "w": self.width, "h": self.height},
            "fieldConfig": {"defaults": self.defaults(), "overrides": self.overrides()},
            "options": self.options(),
            "targets": self.targets(),
            "transformations": self.transformations(),
        })
    }

    fn type_name(&self) -> &'static str {
        match self.kind {
            Kind::TimeSeries { .. } => "timeseries",
            Kind::Stat => "stat",
            Kind::Gauge => "gauge",
            Kind::Bars => "bargauge",
            Kind::Pie => "piechart",
            Kind::Table => "table",
            Kind::Scatter => "xychart",
        }
    }

    fn targets(&self) -> Vec<Value> {
        let is_table = matches!(self.kind, Kind::Table | Kind::Scatter);
        let target = |(query, letter): (&Query, char)| {
            json!({
                "refId": letter.to_string(),
                "datasource": datasource(),
                "expr": query.expression,
                "legendFormat": query.legend,
                "instant": self.is_instant(),
                "range": !self.is_instant(),
                "format": if is_table { "table" } else { "time_series" },
            })
        };
        self.queries.iter().zip('A'..='Z').map(target).collect()
    }

    fn defaults(&self) -> Value {
        let steps: Vec<Value> =
            self.thresholds.iter().map(|(value, color)| json!({"value": value, "color": color})).collect();
        let mut defaults = json!({
            "unit": self.unit,
            "thresholds": {"mode": "absolute", "steps": steps},
            "noValue": "no data yet",
        });
        let by_threshold = matches!(self.kind, Kind::Stat | Kind::Gauge);
        let color = if by_threshold { "thresholds" } else { "palette-classic-by-name" };
        let fields = defaults.as_object_mut().into_iter().next();
        if let Some(fields) = fields {
            fields.insert("color".into(), json!({ "mode": color }));
            let mut add =
                |name: &str, value: Option<Value>| value.map(|value| fields.insert(name.into(), value));
            add("min", self.range.0.map(Value::from));
            add("max", self.range.1.map(Value::from));
            add("decimals", self.decimals.map(Value::from));
            add("custom", self.custom());
            let links: Vec<Value> = self.links.iter().map(|link| link.json()).collect();
            add("links", (!links.is_empty()).then(|| Value::from(links)));
        }
        defaults
    }

    fn custom(&self) -> Option<Value> {
        match self.kind {
            Kind::TimeSeries { stacked } => Some(json!({
                "drawStyle": "line",
                "lineWidth": 1,
                "fillOpacity": if stacked { 60 } else { 8 },
                "showPoints": "never",
                "spanNulls": false,
                "stacking": {"mode": if stacked { "normal" } else { "none" }, "group": "A"},
            })),
            Kind::Table => Some(json!({"align": "auto", "filterable": true})),
            Kind::Scatter => Some(json!({"show": "points", "pointSize": {"fixed": 9}})),
            _ => None,
        }
    }

    fn overrides(&self) -> Vec<Value> {
        let column = |column: &Column| {
            let named = json!({"id": "displayName", "value": column.title});
            let unit = json!({"id": "unit", "value": column.unit});
            let links = column.link.map(|link| json!({"id": "links", "value": [link.json()]}));
            let properties: Vec<Value> = [named, unit].into_iter().chain(links).collect();
            json!({"matcher": {"id": "byName", "options": column.field}, "properties": properties})
        };
        let of_money = money::overrides().filter(|_| self.unit == money::MONEY);
        self.columns.iter().map(column).chain(of_money).chain(self.links_of_others()).collect()
    }

    /// Nothing has the name `other`, so a link with that name would show an empty dashboard.
    fn links_of_others(&self) -> Option<Value> {
        let links: Vec<Value> = self.links.iter().filter_map(|link| link.json_of_others()).collect();
        let properties = json!([{"id": "links", "value": links}]);
        (!self.links.is_empty())
            .then(|| json!({"matcher": {"id": "byRegexp", "options": OTHERS}, "properties": properties}))
    }

    fn options(&self) -> Value {
        let last = json!({"calcs": ["lastNotNull"], "fields": "", "values": false});
        match self.kind {
            Kind::TimeSeries { .. } => json!({
                "legend": {"displayMode": "table", "placement": "bottom", "calcs": ["lastNotNull", "max"]},
                "tooltip": {"mode": "multi", "sort": "desc"},
            }),
            Kind::Stat => json!({"reduceOptions": last, "colorMode": "value", "graphMode": "area"}),
            Kind::Gauge => json!({"reduceOptions": last, "showThresholdMarkers": true}),
            Kind::Bars => json!({
                "reduceOptions": last, "orientation": "horizontal", "displayMode": "basic", "valueMode": "text",
            }),
            Kind::Pie => json!({
                "reduceOptions": last,
                "pieType": "donut",
                "legend": {"displayMode": "table", "placement": "right", "values": ["value", "percent"]},
            }),
            Kind::Table => json!({"showHeader": true, "cellHeight": "sm"}),
            Kind::Scatter => json!({
                "mapping": "manual",
                "series": [{
                    "frame": {"matcher": {"id": "byIndex", "options": 0}},
                    "x": {"matcher": {"id": "byName", "options": "Value #A"}},
                    "y": {"matcher": {"id": "byName", "options": "Value #B"}},
                }],
                "tooltip": {"mode": "single"},
                "legend": {"displayMode": "list", "placement": "bottom"},
            }),
        }
    }

    /// Tables get one row for each series, with the values of all queries beside each other.
    fn transformations(&self) -> Vec<Value> {
        if !matches!(self.kind, Kind::Table | Kind::Scatter) {
            return Vec::new();
        }
        let hidden: Map<String, Value> = ["Time", "__name__", "job", "instance"]
            .into_iter()
            .filter(|name| !self.columns.iter().any(|column| column.field == *name))
            .map(|name| (name.to_owned(), Value::Bool(true)))
            .collect();
        let order: Map<String, Value> = self
            .columns
            .iter()
            .enumerate()
            .map(|(place, column)| (column.field.to_owned(), Value::from(place)))
            .collect();
        vec![
            json!({"id": "merge", "options": {}}),
            json!({"id": "organize", "options": {"excludeByName": hidden, "indexByName": order}}),
        ]
    }
}

/// The data source of the dashboard's variable.
pub(super) fn datasource() -> Value {
    json!({"type": "prometheus", "uid": "${datasource}"})
}
