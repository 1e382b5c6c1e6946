//! `ffwatt_transcode_*`, joined: the output of each transcode, and its energy per frame, pixel and point of quality.

use std::borrow::Cow;

use crate::metrics::catalog::{Kind, Listener, Metric, Samples};
use crate::metrics::family::transcode::key;
use crate::model::account::Account;
use crate::model::joined::{TranscodeCost, TranscodeFigures};
use crate::model::progress::Block;
use crate::model::snapshot::{Snapshot, TranscodeSnapshot};
use crate::model::transcode::TranscodeIdentity;
use crate::text::joined;
use crate::time::WallTime;

pub(super) const METRICS: &[Metric] = &[
    Metric {
        name: "ffwatt_transcode_frames_total",
        kind: Kind::Counter,
        unit: None,
        help: "Frames that a transcode has encoded, over all encoded renditions, by its progress. Absent without progress, without an encoded rendition, and where the renditions may have different numbers of frames.",
        labels: &TranscodeIdentity::KEY,
        listener: Listener::Main,
        fill: |snapshot, _, samples| {
            for transcode in &snapshot.transcodes {
                if let Some(frames) = transcode.output.frames {
                    samples.whole_counter((key(transcode), []), frames, created(transcode));
                }
            }
        },
    },
    Metric {
        name: "ffwatt_transcode_dropped_frames_total",
        kind: Kind::Counter,
        unit: None,
        help: "Frames that a transcode has dropped to keep its rate, as the transcode reports.",
        labels: &TranscodeIdentity::KEY,
        listener: Listener::Main,
        fill: |snapshot, _, samples| told(snapshot, samples, |block| block.dropped),
    },
    Metric {
        name: "ffwatt_transcode_duplicated_frames_total",
        kind: Kind::Counter,
        unit: None,
        help: "Frames that a transcode has duplicated to keep its rate, as the transcode reports.",
        labels: &TranscodeIdentity::KEY,
        listener: Listener::Main,
        fill: |snapshot, _, samples| told(snapshot, samples, |block| block.duplicated),
    },
    gauge(
        "ffwatt_transcode_speed_ratio",
        Some("ratio"),
        "Seconds of output per second over the last ten seconds, as the transcode reports; after its \
         end, over the whole run.",
        |snapshot, _, samples| {
            each(snapshot, samples, |transcode| Some(transcode.progress.as_ref()?.speed?.0));
        },
    ),
    gauge(
        "ffwatt_transcode_stalled",
        None,
        "Whether a transcode falls behind its live input (1) or keeps up (0). Absent without progress \
         posts, and where the input is not live.",
        |snapshot, _, samples| {
            each(snapshot, samples, |transcode| {
                transcode.progress.as_ref()?.is_stalled.map(|is_stalled| f64::from(u8::from(is_stalled)))
            });
        },
    ),
    gauge("ffwatt_transcode_vmaf_score", None, "VMAF of a finished transcode.", |snapshot, _, samples| {
        each(snapshot, samples, |transcode| Some(transcode.output.quality.vmaf?.0));
    }),
    gauge(
        "ffwatt_transcode_psnr_decibels",
        Some("decibels"),
        "PSNR of a finished transcode, in decibels; +Inf for identical pictures.",
        |snapshot, _, samples| {
            for transcode in &snapshot.transcodes {
                if let Some(psnr) = transcode.output.quality.psnr {
                    samples.any_number((key(transcode), []), psnr.0);
                }
            }
        },
    ),
    gauge("ffwatt_transcode_ssim_score", None, "SSIM of a finished transcode.", |snapshot, _, samples| {
        each(snapshot, samples, |transcode| Some(transcode.output.quality.ssim?.0));
    }),
    gauge(
        "ffwatt_transcode_joules_per_frame",
        None,
        "Energy per encoded frame, in joules: energy of the transcode divided by ffwatt_transcode_frames_total.",
        |snapshot, _, samples| {
            figures(snapshot, samples, |figures| figures.joules_per_frame);
        },
    ),
    gauge(
        "ffwatt_transcode_joules_per_output_second",
        None,
        "Energy per second of output, in joules.",
        |snapshot, _, samples| figures(snapshot, samples, |figures| figures.joules_per_output_second),
    ),
    gauge(
        "ffwatt_transcode_joules_per_megapixel",
        None,
        "Energy per million pixels, in joules.",
        |snapshot, _, samples| figures(snapshot, samples, |figures| figures.joules_per_megapixel),
    ),
    gauge(
        "ffwatt_transcode_joules_per_vmaf_point",
        None,
        "Energy per VMAF point, in joules.",
        |snapshot, _, samples| figures(snapshot, samples, |figures| figures.joules_per_vmaf_point),
    ),
    gauge("ffwatt_transcode_vmaf_per_watt", None, "VMAF points per watt.", |snapshot, _, samples| {
        figures(snapshot, samples, |figures| figures.vmaf_per_watt);
    }),
    gauge(
        "ffwatt_transcode_carbon_grams",
        Some("grams"),
        "Carbon emission of a transcode's energy so far, in g CO2e.",
        |snapshot, _, samples| figures(snapshot, samples, |figures| Some(figures.carbon?.0)),
    ),
    money(
        "ffwatt_transcode_cost",
        "Cost of a transcode's energy and busy cores so far, in the currency of the label.",
        |snapshot, _, samples| {
            costs(snapshot, samples, |cost| Some(cost.total.0));
        },
    ),
    money(
        "ffwatt_transcode_cost_per_output_hour",
        "Cost of energy and busy cores per hour of output, in the currency of the label.",
        |snapshot, _, samples| costs(snapshot, samples, |cost| Some(cost.per_output_hour?.0)),
    ),
    Metric {
        name: "ffwatt_progress_posts",
        kind: Kind::Gauge,
        unit: None,
        help: "Encoders that post progress now: matched with a transcode (matched), or not yet matched.",
        labels: &["state"],
        listener: Listener::Main,
        fill: |snapshot, _, samples| {
            samples.whole(["matched".into()], snapshot.posts.matched as u64);
            samples.whole(["unmatched".into()], snapshot.posts.unmatched as u64);
        },
    },
    Metric {
        name: "ffwatt_progress_refused_total",
        kind: Kind::Counter,
        unit: None,
        help: "Progress posts that were refused: they have no transcode, or they come from another host.",
        labels: &[],
        listener: Listener::Main,
        fill: |snapshot, _, samples| samples.whole([], snapshot.posts.refused),
    },
    Metric {
        name: "ffwatt_quality_comparisons_total",
        kind: Kind::Counter,
        unit: None,
        help: "Finished transcodes that the agent has compared with their sources.",
        labels: &["outcome"],
        listener: Listener::Main,
        fill: |snapshot, _, samples| {
            let comparisons = snapshot.joined.comparisons;
            samples.whole(["done".into()], comparisons.done);
            samples.whole(["failed".into()], comparisons.failed);
        },
    },
];

type Fill = for<'a> fn(&'a Snapshot, crate::metrics::Options, &mut Samples<'a>);

const fn gauge(name: &'static str, unit: Option<&'static str>, help: &'static str, fill: Fill) -> Metric {
    Metric {
        name,
        kind: Kind::Gauge,
        unit,
        help,
        labels: &TranscodeIdentity::KEY,
        listener: Listener::Main,
        fill,
    }
}

const fn money(name: &'static str, help: &'static str, fill: Fill) -> Metric {
    let labels = const { &joined::<_, _, 6>(TranscodeIdentity::KEY, ["currency"]) };
    Metric { name, kind: Kind::Gauge, unit: None, help, labels, listener: Listener::Main, fill }
}

fn each<'a>(
    snapshot: &'a Snapshot,
    samples: &mut Samples<'a>,
    value: impl Fn(&TranscodeSnapshot) -> Option<f64>,
) {
    for transcode in &snapshot.transcodes {
        if let Some(value) = value(transcode) {
            samples.number((key(transcode), []), value);
        }
    }
}

fn told<'a>(snapshot: &'a Snapshot, samples: &mut Samples<'a>, count: impl Fn(&Block) -> Option<u64>) {
    for transcode in &snapshot.transcodes {
        if let Some(count) = transcode.progress.as_ref().and_then(|progress| count(&progress.block)) {
            samples.whole_counter((key(transcode), []), count, created(transcode));
        }
    }
}

/// The time at which a transcode had no output. Counts continue under new labels, so they were never 0 under these.
fn created(transcode: &TranscodeSnapshot) -> Option<WallTime> {
    (transcode.series.earlier == Account::default()).then_some(transcode.started)
}

fn figures<'a>(
    snapshot: &'a Snapshot,
    samples: &mut Samples<'a>,
    figure: impl Fn(&TranscodeFigures) -> Option<f64>,
) {
    each(snapshot, samples, |transcode| figure(transcode.figures.as_ref()?));
}

fn costs<'a>(
    snapshot: &'a Snapshot,
    samples: &mut Samples<'a>,
    amount: impl Fn(&TranscodeCost) -> Option<f64>,
) {
    for transcode in &snapshot.transcodes {
        for cost in transcode.figures.iter().flat_map(|figures| &figures.costs) {
            if let Some(amount) = amount(cost) {
                let currency = [Cow::Borrowed(&*cost.currency)];
                samples.number((key(transcode), currency), amount);
            }
        }
    }
}
