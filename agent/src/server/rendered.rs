//! Caches rendered metrics: scrapes of one tick share one body.

use std::sync::{Mutex, PoisonError};

use agent_core::metrics::catalog::Listener;
use agent_core::metrics::{Format, Options, render};
use agent_core::model::snapshot::SharedSnapshot;
use axum::body::Bytes;

/// The cached bodies of one tick.
#[derive(Debug)]
pub(super) struct Rendered {
    listener: Listener,
    options: Options,
    last: Mutex<Last>,
}

#[derive(Debug, Default)]
struct Last {
    tick: Option<u64>,
    classic: Option<Bytes>,
    open_metrics: Option<Bytes>,
}

impl Rendered {
    pub(super) fn new(listener: Listener, options: Options) -> Self {
        Self { listener, options, last: Mutex::default() }
    }

    /// The body of a snapshot; rendered at the first request in this format. The lock is held only while
    /// rendering, and only readers take it.
    pub(super) fn body(&self, snapshot: &SharedSnapshot, format: Format) -> Bytes {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.tick != Some(snapshot.tick) {
            *last = Last { tick: Some(snapshot.tick), ..Last::default() };
        }
        let body = match format {
            Format::Classic => &mut last.classic,
            Format::OpenMetrics => &mut last.open_metrics,
        };
        let rendered = || {
            let text = render(snapshot, self.listener, format, self.options);
            let mut text = text.unwrap_or_else(|error| {
                tracing::error!(%error, listener = self.listener.name(), "cannot encode the metrics");
                String::new()
            });
            // It is kept for a tick, and has up to twice the memory that it needs.
            text.shrink_to_fit();
            text
        };
        body.get_or_insert_with(|| rendered().into()).clone()
    }
}
