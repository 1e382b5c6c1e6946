//! Tests of content negotiation. The golden files of the `tests` crate test the text itself.

use super::*;

#[test]
fn openmetrics_only_when_asked_for() {
    let table = [
        ("", Format::Classic),
        ("*/*", Format::Classic),
        ("text/plain", Format::Classic),
        ("application/openmetrics-text", Format::OpenMetrics),
        ("application/openmetrics-text; version=1.0.0; charset=utf-8", Format::OpenMetrics),
        ("application/openmetrics-text; version=2.0.0", Format::Classic),
        // The header of Prometheus 2.42.
        (
            "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
             text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
            Format::OpenMetrics,
        ),
        ("application/openmetrics-text;q=0.1, text/plain;q=0.9", Format::Classic),
        ("application/openmetrics-text;q=0, */*", Format::Classic),
        ("text/html,application/xhtml+xml,*/*;q=0.8", Format::Classic),
        (";;;q=,,", Format::Classic),
    ];
    for (accept, expected) in table {
        assert_eq!(Format::negotiate(accept), expected, "{accept:?}");
    }
}
