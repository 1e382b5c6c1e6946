//! Port 9503: `qoe_*`, under the names of the exporter ffwatt replaces, with attributed watts and joules.

use std::borrow::Cow;

use crate::metrics::catalog::{Kind, Listener, Metric, Samples};
use crate::model::joined::ScenarioFigures;
use crate::model::snapshot::Snapshot;

pub(super) const METRICS: &[Metric] = &[
    Metric {
        name: "qoe_exporter_up",
        kind: Kind::Gauge,
        unit: None,
        help: "1 if the newest result file could be read or none exists yet, 0 if it could not be read.",
        labels: &[],
        listener: Listener::Qoe,
        fill: |snapshot, _, samples| {
            if let Some(is_readable) = snapshot.joined.is_readable {
                samples.whole([], u64::from(is_readable));
            }
        },
    },
    gauge("qoe_vmaf_score", "VMAF, 0 to 100.", |snapshot, _, samples| {
        each(snapshot, samples, |scenario| Some(scenario.vmaf?.0));
    }),
    gauge("qoe_psnr_score", "PSNR in decibels.", |snapshot, _, samples| {
        each(snapshot, samples, |scenario| Some(scenario.psnr?.0));
    }),
    gauge("qoe_ssim_score", "SSIM, 0 to 1.", |snapshot, _, samples| {
        each(snapshot, samples, |scenario| Some(scenario.ssim?.0));
    }),
    gauge("qoe_drop_rate", "Share of dropped frames, 0 to 1.", |snapshot, _, samples| {
        each(snapshot, samples, |scenario| Some(scenario.drop_rate?.0));
    }),
    gauge("qoe_quality_per_watt", "VMAF points per watt of mean power.", |snapshot, _, samples| {
        each(snapshot, samples, |scenario| scenario.efficiency.vmaf_per_watt);
    }),
    gauge("qoe_efficiency_score", "Pixels per joule, weighted by VMAF / 100.", |snapshot, _, samples| {
        each(snapshot, samples, |scenario| scenario.efficiency.quality_weighted_pixels_per_joule);
    }),
    gauge(
        "qoe_computation_duration_seconds",
        "Duration of the computation of the scores, in seconds.",
        |snapshot, _, samples| each(snapshot, samples, |scenario| Some(scenario.quality_took?.as_secs_f64())),
    ),
];

type Fill = for<'a> fn(&'a Snapshot, crate::metrics::Options, &mut Samples<'a>);

const fn gauge(name: &'static str, help: &'static str, fill: Fill) -> Metric {
    Metric { name, kind: Kind::Gauge, unit: None, help, labels: &["scenario"], listener: Listener::Qoe, fill }
}

fn each<'a>(
    snapshot: &'a Snapshot,
    samples: &mut Samples<'a>,
    figure: impl Fn(&ScenarioFigures) -> Option<f64>,
) {
    for scenario in &snapshot.joined.scenarios {
        // The only figure that may be infinite: identical pictures have no noise.
        if let Some(value) = figure(scenario) {
            samples.any_number([Cow::Borrowed(scenario.names.label.as_str())], value);
        }
    }
}
