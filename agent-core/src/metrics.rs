//! Stage 4: formats a snapshot as text that Prometheus reads.
//!
//! Formats only: what is not in the snapshot is not shown, and nothing here does IO. Metrics are built afresh from each snapshot,
//! so nothing stale can survive. Each metric is declared once, in its [`family`]; a metric without samples is left out.

pub mod catalog;
mod classic;
mod created;
pub mod family;
mod lines;
mod openmetrics;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::metrics::catalog::Listener;
use crate::metrics::classic::Classic;
use crate::metrics::created::{CreationTimes, WithCreated};
use crate::model::snapshot::SharedSnapshot;

/// Formats that a scraper may request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// Prometheus' text format 0.0.4, which every scraper supports.
    Classic,
    /// OpenMetrics 1.0 (<https://github.com/prometheus/OpenMetrics/blob/v1.0.0/specification/OpenMetrics.md>).
    OpenMetrics,
}

impl Format {
    /// The `Content-Type` of a body in this format.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Classic => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }

    /// The best format for an `Accept` header: OpenMetrics only when the header names it, and prefers it at least as
    /// much as plain text.
    pub fn negotiate(accept: &str) -> Self {
        let mut open_metrics = 0.0_f64;
        let mut classic = 0.0_f64;
        for range in accept.split(',') {
            let mut parts = range.split(';').map(str::trim);
            let media = parts.next().unwrap_or_default().to_ascii_lowercase();
            let parameters: Vec<&str> = parts.collect();
            let quality = parameters.iter().find_map(|parameter| parameter.strip_prefix("q=")?.parse().ok());
            let quality: f64 = quality.unwrap_or(1.0);
            let version = parameters.iter().find_map(|parameter| parameter.strip_prefix("version="));
            match media.as_str() {
                "application/openmetrics-text" if version.is_none_or(|version| version.starts_with("1.")) => {
                    open_metrics = open_metrics.max(quality);
                }
                "text/plain" | "text/*" | "*/*" => classic = classic.max(quality),
                _ => {}
            }
        }
        if open_metrics > 0.0 && open_metrics >= classic { Self::OpenMetrics } else { Self::Classic }
    }
}

/// Spelling of zones in `rapl_*`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ZoneNames {
    /// `package_0`, `core_0`, …: `zone=~"package.*"` counts each joule once.
    #[default]
    Ffwatt,
    /// `package_0`, `package_0_core` and bare `core`, as the exporter that ffwatt replaces.
    Upstream,
}

/// Options of the exposition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Spelling of zones in `rapl_*`.
    pub zone_names: ZoneNames,
}

/// Renders all metrics of one listener. Writing into a string fails only if an encoder returns an error, and the encoders here never do:
/// the tests parse every family.
pub fn render(
    snapshot: &SharedSnapshot,
    listener: Listener,
    format: Format,
    options: Options,
) -> Result<String, fmt::Error> {
    let created = CreationTimes::default();
    match format {
        Format::OpenMetrics => {
            let mut with_created = WithCreated::new(created.clone());
            openmetrics::encode(snapshot, listener, options, created, |line| with_created.line(line))?;
            Ok(with_created.text())
        }
        Format::Classic => {
            let mut classic = Classic::default();
            openmetrics::encode(snapshot, listener, options, created, |line| classic.line(line))?;
            Ok(classic.text())
        }
    }
}

#[cfg(test)]
mod tests;
