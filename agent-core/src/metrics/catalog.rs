//! Types of the metrics catalog. Each metric is declared once, in the file of its family.

use std::borrow::Cow;

use crate::metrics::Options;
use crate::model::health::DurationHistogram;
use crate::model::snapshot::Snapshot;
use crate::time::WallTime;

/// A port, by its metrics. No family is served on two of them, so that no sum counts twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Listener {
    /// 9500: measured power and energy, as `rapl-exporter` served them.
    Rapl,
    /// 9501: container and engine usage, as `docker-stats-exporter` served them.
    Docker,
    /// 9502: the last run's scenarios, as `results-exporter` served them.
    Results,
    /// 9503: quality of the last run, as `qoe-exporter` served it.
    Qoe,
    /// 9504: cost of the last run, as `cost-exporter` served it.
    Cost,
    /// 9510: all metrics that are new in ffwatt.
    Main,
}

impl Listener {
    /// All listeners, by port.
    pub const ALL: [Self; 6] = [Self::Rapl, Self::Docker, Self::Results, Self::Qoe, Self::Cost, Self::Main];

    /// Name of the listener.
    pub fn name(self) -> &'static str {
        self.row().0
    }

    /// The port unless configured otherwise.
    pub fn default_port(self) -> u16 {
        self.row().1
    }

    /// The configuration key of its port.
    pub fn key(self) -> &'static str {
        self.row().2
    }

    /// Names of its metrics, and what they are about.
    pub fn content(self) -> &'static str {
        self.row().3
    }

    /// Name, port, key and content of each.
    fn row(self) -> (&'static str, u16, &'static str, &'static str) {
        match self {
            Self::Rapl => ("rapl", 9500, "listen.rapl_port", "rapl_*: measured power and energy"),
            Self::Docker => ("docker", 9501, "listen.docker_port", "docker_*: containers and engine"),
            Self::Results => ("results", 9502, "listen.results_port", "results_*: scenarios of the last run"),
            Self::Qoe => ("qoe", 9503, "listen.qoe_port", "qoe_*: quality per watt"),
            Self::Cost => ("cost", 9504, "listen.cost_port", "cost_*: cost of the scenarios"),
            Self::Main => ("main", 9510, "listen.port", "ffwatt_*: workloads, transcodes, host"),
        }
    }
}

/// Type of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A counter that only goes up; its name ends in `_total`.
    Counter,
    /// A gauge.
    Gauge,
    /// Always 1: the labels are the information. Its name ends in `_info`.
    Info,
    /// A histogram.
    Histogram,
}

impl Kind {
    /// Name in the documentation.
    pub fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Info => "info",
            Self::Histogram => "histogram",
        }
    }
}

/// Declaration of one metric.
#[derive(Debug)]
pub struct Metric {
    /// Name of the metric.
    pub name: &'static str,
    /// Type of the metric.
    pub kind: Kind,
    /// Unit, where the name ends in a unit that OpenMetrics declares; legacy names do not declare theirs.
    pub unit: Option<&'static str>,
    /// Definition in one sentence.
    pub help: &'static str,
    /// Label names, in the order of the text.
    pub labels: &'static [&'static str],
    /// Listener that serves it.
    pub listener: Listener,
    /// Adds its samples from a snapshot.
    pub fill: for<'a> fn(&'a Snapshot, Options, &mut Samples<'a>),
}

/// The value of a sample.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Value<'a> {
    /// A whole number.
    Whole(u64),
    /// A number.
    Number(f64),
    /// A histogram.
    Histogram(&'a DurationHistogram),
}

/// One sample: label values in the order of [`Metric::labels`], and the value. An empty label value is not written.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample<'a> {
    /// Label values.
    pub labels: Vec<Cow<'a, str>>,
    /// The value.
    pub value: Value<'a>,
    /// The time at which a counter was 0, where its series begin and end.
    pub created: Option<WallTime>,
}

/// Label values of one sample, in the order of [`Metric::labels`].
pub(crate) trait LabelValues<'a> {
    /// The values as a list.
    fn into_values(self) -> Vec<Cow<'a, str>>;
}

impl<'a, const N: usize> LabelValues<'a> for [Cow<'a, str>; N] {
    fn into_values(self) -> Vec<Cow<'a, str>> {
        self.into()
    }
}

/// The labels of the claimant, and further ones.
impl<'a, const A: usize, const B: usize> LabelValues<'a> for ([&'a str; A], [Cow<'a, str>; B]) {
    fn into_values(self) -> Vec<Cow<'a, str>> {
        self.0.into_iter().map(Cow::Borrowed).chain(self.1).collect()
    }
}

/// Collects the samples of one metric.
#[derive(Debug, Default)]
pub struct Samples<'a> {
    samples: Vec<Sample<'a>>,
}

impl<'a> Samples<'a> {
    /// Adds a sample with a number; a number that is not finite is unknown, and left out.
    pub(crate) fn number(&mut self, labels: impl LabelValues<'a>, value: f64) {
        if value.is_finite() {
            self.push(labels, Value::Number(value), None);
        }
    }

    /// Adds a sample with a number that may be infinite.
    pub(crate) fn any_number(&mut self, labels: impl LabelValues<'a>, value: f64) {
        if !value.is_nan() {
            self.push(labels, Value::Number(value), None);
        }
    }

    /// Adds a sample with a whole number.
    pub(crate) fn whole(&mut self, labels: impl LabelValues<'a>, value: u64) {
        self.push(labels, Value::Whole(value), None);
    }

    /// Adds a sample of a counter that was 0 at a known time.
    pub(crate) fn counter(&mut self, labels: impl LabelValues<'a>, value: f64, created: WallTime) {
        self.push(labels, Value::Number(value), Some(created));
    }

    /// As [`Self::counter`], with a whole number; `None` where the time at which it was 0 is unknown.
    pub(crate) fn whole_counter(
        &mut self,
        labels: impl LabelValues<'a>,
        value: u64,
        created: Option<WallTime>,
    ) {
        self.push(labels, Value::Whole(value), created);
    }

    /// Adds a histogram.
    pub(crate) fn histogram(&mut self, labels: impl LabelValues<'a>, histogram: &'a DurationHistogram) {
        self.push(labels, Value::Histogram(histogram), None);
    }

    fn push(&mut self, labels: impl LabelValues<'a>, value: Value<'a>, created: Option<WallTime>) {
        self.samples.push(Sample { labels: labels.into_values(), value, created });
    }

    /// All samples.
    pub(crate) fn into_inner(self) -> Vec<Sample<'a>> {
        self.samples
    }
}
