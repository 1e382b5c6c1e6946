//! Types of the metrics catalog. Each metric is declared once, in the file of its family.

use std::borrow::Cow;

use crate::metrics::Options;
use crate::model::health::DurationHistogram;
use crate::model::snapshot::Snapshot;
use crate::time::WallTime;

/// A port and what it is for. No family is served on two of them, so that no sum counts twice.
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
    /// 9510: everything new.
    Main,
}

impl Listener {
    /// All of them, by port.
    pub const ALL: [Self; 6] = [Self::Rapl, Self::Docker, Self::Results, Self::Qoe, Self::Cost, Self::Main];

    /// A word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rapl => "rapl",
            Self::Docker => "docker",
            Self::Results => "results",
            Self::Qoe => "qoe",
            Self::Cost => "cost",
            Self::Main => "main",
        }
    }

    /// The port it has unless configured otherwise.
    pub fn default_port(self) -> u16 {
        match self {
            Self::Rapl => 9500,
            Self::Docker => 9501,
            Self::Results => 9502,
            Self::Qoe => 9503,
            Self::Cost => 9504,
            Self::Main => 9510,
        }
    }
}

/// What kind of metric it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only goes up; its name ends in `_total`.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Always 1: the labels are the message. Its name ends in `_info`.
    Info,
    /// Counts in buckets.
    Histogram,
}

impl Kind {
    /// As documentation calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Info => "info",
            Self::Histogram => "histogram",
        }
    }
}

/// One metric.
#[derive(Debug)]
pub struct Metric {
    /// Its name, as queries write it.
    pub name: &'static str,
    /// What kind it is.
    pub kind: Kind,
    /// Unit, where the name ends in one that OpenMetrics should be told; legacy names keep theirs to themselves.
    pub unit: Option<&'static str>,
    /// One sentence.
    pub help: &'static str,
    /// Its labels, in the order they are written.
    pub labels: &'static [&'static str],
    /// Where it is served.
    pub listener: Listener,
    /// Takes its samples out of a snapshot.
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
    /// When a counter was 0, where its series come and go.
    pub created: Option<WallTime>,
}

/// Takes the samples of one metric.
#[derive(Debug, Default)]
pub struct Samples<'a> {
    samples: Vec<Sample<'a>>,
}

impl<'a> Samples<'a> {
    /// Adds a sample with a number; one that is not finite is nothing that is known, and left out.
    pub fn number<const N: usize>(&mut self, labels: [Cow<'a, str>; N], value: f64) {
        if value.is_finite() {
            self.push(labels, Value::Number(value), None);
        }
    }

    /// Adds a sample with a number that may be infinite and mean it.
    pub fn any_number<const N: usize>(&mut self, labels: [Cow<'a, str>; N], value: f64) {
        if !value.is_nan() {
            self.push(labels, Value::Number(value), None);
        }
    }

    /// Adds a sample with a whole number.
    pub fn whole<const N: usize>(&mut self, labels: [Cow<'a, str>; N], value: u64) {
        self.push(labels, Value::Whole(value), None);
    }

    /// Adds a sample of a counter that was 0 at a known time.
    pub fn counter<const N: usize>(&mut self, labels: [Cow<'a, str>; N], value: f64, created: WallTime) {
        self.push(labels, Value::Number(value), Some(created));
    }

    /// As [`Self::counter`], with a whole number; `None` where nobody knows when it was 0.
    pub fn whole_counter<const N: usize>(
        &mut self,
        labels: [Cow<'a, str>; N],
        value: u64,
        created: Option<WallTime>,
    ) {
        self.push(labels, Value::Whole(value), created);
    }

    /// Adds a histogram.
    pub fn histogram<const N: usize>(&mut self, labels: [Cow<'a, str>; N], histogram: &'a DurationHistogram) {
        self.push(labels, Value::Histogram(histogram), None);
    }

    fn push<const N: usize>(
        &mut self,
        labels: [Cow<'a, str>; N],
        value: Value<'a>,
        created: Option<WallTime>,
    ) {
        self.samples.push(Sample { labels: labels.into(), value, created });
    }

    /// All of them.
    pub fn into_inner(self) -> Vec<Sample<'a>> {
        self.samples
    }
}
