//! Writes a snapshot as OpenMetrics 1.0 text.
//!
//! `prometheus-client` writes no `_created` for counters, which tells a scraper that a series began at 0; hence a writer of our own
//! (<https://github.com/prometheus/OpenMetrics/blob/v1.0.0/specification/OpenMetrics.md#text-format>).

use std::fmt::{self, Write};

use crate::exposition::Options;
use crate::exposition::catalog::{Kind, Listener, Metric, Sample, Samples, Value};
use crate::exposition::family::metrics;
use crate::model::health::DurationHistogram;
use crate::model::snapshot::Snapshot;

/// Every metric of a listener that has a sample. `with_created` adds the `_created` samples of counters.
pub(super) fn encode(
    snapshot: &Snapshot,
    listener: Listener,
    options: Options,
    with_created: bool,
) -> String {
    let mut text = String::new();
    for metric in metrics().filter(|metric| metric.listener == listener) {
        let mut samples = Samples::default();
        (metric.fill)(snapshot, options, &mut samples);
        // Writing into a string cannot fail.
        let _ = write_metric(&mut text, metric, &samples.into_inner(), with_created);
    }
    text.push_str("# EOF\n");
    text
}

fn write_metric(
    text: &mut String,
    metric: &Metric,
    samples: &[Sample<'_>],
    with_created: bool,
) -> fmt::Result {
    if samples.is_empty() {
        return Ok(());
    }
    let (suffix, kind) = match metric.kind {
        Kind::Counter => ("_total", "counter"),
        Kind::Gauge => ("", "gauge"),
        Kind::Info => ("_info", "info"),
        Kind::Histogram => ("", "histogram"),
    };
    let family = metric.name.strip_suffix(suffix).unwrap_or(metric.name);
    writeln!(text, "# HELP {family} {}", metric.help)?;
    writeln!(text, "# TYPE {family} {kind}")?;
    if let Some(unit) = metric.unit {
        writeln!(text, "# UNIT {family} {unit}")?;
    }
    for sample in samples {
        let labels = Labels { metric, sample, bucket: None };
        match sample.value {
            Value::Whole(value) => writeln!(text, "{}{labels} {value}", metric.name)?,
            Value::Number(value) => writeln!(text, "{}{labels} {}", metric.name, Number(value))?,
            Value::Histogram(histogram) => write_histogram(text, metric, sample, histogram)?,
        }
        if let Some(created) = sample.created.filter(|_| with_created) {
            writeln!(text, "{family}_created{labels} {:.3}", created.0)?;
        }
    }
    Ok(())
}

fn write_histogram(
    text: &mut String,
    metric: &Metric,
    sample: &Sample<'_>,
    histogram: &DurationHistogram,
) -> fmt::Result {
    let name = metric.name;
    let labels = Labels { metric, sample, bucket: None };
    writeln!(text, "{name}_sum{labels} {}", Number(histogram.sum.as_secs_f64()))?;
    writeln!(text, "{name}_count{labels} {}", histogram.count())?;
    let mut count = 0;
    for (bound, more) in histogram.buckets.iter().copied().chain([(f64::INFINITY, histogram.beyond)]) {
        count += more;
        writeln!(text, "{name}_bucket{} {count}", Labels { bucket: Some(bound), ..labels })?;
    }
    Ok(())
}

/// Labels in braces; nothing where there are none.
#[derive(Clone, Copy)]
struct Labels<'a> {
    metric: &'a Metric,
    sample: &'a Sample<'a>,
    bucket: Option<f64>,
}

impl fmt::Display for Labels<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.metric.labels.iter();
        let mut separator = '{';
        for (name, value) in names.zip(&self.sample.labels).filter(|(_, value)| !value.is_empty()) {
            write!(f, "{separator}{name}=\"")?;
            for character in value.chars() {
                match character {
                    '\\' => f.write_str("\\\\")?,
                    '"' => f.write_str("\\\"")?,
                    '\n' => f.write_str("\\n")?,
                    other => f.write_char(other)?,
                }
            }
            f.write_char('"')?;
            separator = ',';
        }
        if let Some(bound) = self.bucket {
            write!(f, "{separator}le=\"{}\"", Number(bound))?;
            separator = ',';
        }
        if separator == ',' { f.write_char('}') } else { Ok(()) }
    }
}

/// A number as OpenMetrics spells it: always with a point or an exponent, so that it reads back as the same `f64`.
struct Number(f64);

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_finite() {
            write!(f, "{:?}", self.0)
        } else if self.0.is_nan() {
            f.write_str("NaN")
        } else {
            f.write_str(if self.0 > 0.0 { "+Inf" } else { "-Inf" })
        }
    }
}
