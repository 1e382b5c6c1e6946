//! Writes a snapshot as OpenMetrics 1.0 text with the `prometheus-client` library.

use std::borrow::Cow;
use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{Registry, Unit};

use crate::metrics::Options;
use crate::metrics::catalog::{Kind, Listener, Metric, Sample, Samples, Value};
use crate::metrics::created::CreationTimes;
use crate::metrics::family::metrics;
use crate::metrics::lines::Lines;
use crate::model::snapshot::SharedSnapshot;

/// Writes every metric of a listener that has a sample, line by line.
pub(super) fn encode(
    snapshot: &SharedSnapshot,
    listener: Listener,
    options: Options,
    created: CreationTimes,
    each_line: impl FnMut(&str),
) -> fmt::Result {
    let mut registry = Registry::default();
    let view = View { snapshot: snapshot.clone(), listener, options, created };
    registry.register_collector(Box::new(view));
    prometheus_client::encoding::text::encode(&mut Lines::new(each_line), &registry)
}

/// One listener's view of a snapshot, in the form that the library requires.
#[derive(Debug)]
struct View {
    snapshot: SharedSnapshot,
    listener: Listener,
    options: Options,
    created: CreationTimes,
}

impl Collector for View {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        for metric in metrics().filter(|metric| metric.listener == self.listener) {
            let mut samples = Samples::default();
            (metric.fill)(&self.snapshot, self.options, &mut samples);
            let samples = samples.into_inner();
            if metric.kind == Kind::Counter {
                self.created.extend(samples.iter().map(|sample| sample.created));
            }
            if !samples.is_empty() {
                encode_metric(&mut encoder, metric, &samples)?;
            }
        }
        Ok(())
    }
}

fn encode_metric(
    encoder: &mut DescriptorEncoder<'_>,
    metric: &Metric,
    samples: &[Sample<'_>],
) -> fmt::Result {
    // The library appends unit and suffix to the name.
    let base = match metric.kind {
        Kind::Counter => metric.name.trim_end_matches("_total"),
        Kind::Info => metric.name.trim_end_matches("_info"),
        Kind::Gauge | Kind::Histogram => metric.name,
    };
    let unit = metric.unit.map(|unit| Unit::Other(unit.to_owned()));
    let base = metric.unit.map_or(base, |unit| base.trim_end_matches(unit).trim_end_matches('_'));
    let kind = match metric.kind {
        Kind::Counter => MetricType::Counter,
        Kind::Gauge => MetricType::Gauge,
        Kind::Info => MetricType::Info,
        Kind::Histogram => MetricType::Histogram,
    };
    let mut family = encoder.encode_descriptor(base, metric.help, unit.as_ref(), kind)?;
    for sample in samples {
        let labels: Vec<(&str, &str)> = metric
            .labels
            .iter()
            .zip(&sample.labels)
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value): (_, &Cow<'_, str>)| (*name, value.as_ref()))
            .collect();
        if metric.kind == Kind::Info {
            family.encode_info(&labels)?;
        } else if labels.is_empty() {
            encode_value(&mut family, metric.kind, sample.value)?;
        } else {
            encode_value(&mut family.encode_family(&labels)?, metric.kind, sample.value)?;
        }
    }
    Ok(())
}

fn encode_value(encoder: &mut MetricEncoder<'_>, kind: Kind, value: Value<'_>) -> fmt::Result {
    match (kind, value) {
        (Kind::Counter, Value::Whole(value)) => encoder.encode_counter::<NoLabelSet, u64, f64>(&value, None),
        (Kind::Counter, Value::Number(value)) => encoder.encode_counter::<NoLabelSet, f64, f64>(&value, None),
        (_, Value::Whole(value)) => encoder.encode_gauge(&value),
        (_, Value::Number(value)) => encoder.encode_gauge(&value),
        (_, Value::Histogram(histogram)) => {
            let beyond = (f64::INFINITY, histogram.beyond);
            let buckets: Vec<(f64, u64)> = histogram.buckets.iter().copied().chain([beyond]).collect();
            encoder.encode_histogram::<NoLabelSet>(
                histogram.sum.as_secs_f64(),
                histogram.count(),
                &buckets,
                None,
            )
        }
    }
}
