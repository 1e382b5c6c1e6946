//! `ffwatt_class_*`: totals of all transcodes with the same settings, also of those that have ended.

use crate::metrics::catalog::{Kind, Listener, Metric, Samples};
use crate::model::group::{CLASS_LABELS, GroupTotals};
use crate::model::snapshot::Snapshot;

pub(super) const METRICS: &[Metric] = &[
    counter(
        "ffwatt_class_energy_joules_total",
        Some("joules"),
        "Energy charged to the transcodes of a class since the agent started, in joules of the domains that add up (package and dram); the sum over all classes is the energy of all transcodes, ended ones included.",
        |snapshot, _, samples| {
            if snapshot.has_had_energy() {
                each(snapshot, samples, |totals| snapshot.energy_of(&totals.account).joules());
            }
        },
    ),
    counter(
        "ffwatt_class_cpu_seconds_total",
        Some("seconds"),
        "CPU time of the transcodes of a class since the agent started, in seconds.",
        |snapshot, _, samples| each(snapshot, samples, |totals| totals.account.cpu.seconds()),
    ),
    Metric {
        name: "ffwatt_class_frames_total",
        kind: Kind::Counter,
        unit: None,
        help: "Frames that the transcodes of a class have encoded since the agent started, over all encoded renditions, by their progress; transcodes without progress, and those beyond attribution.max_workloads, add none.",
        labels: &CLASS_LABELS,
        listener: Listener::Main,
        fill: |snapshot, _, samples| each_whole(snapshot, samples, |totals| totals.output.frames),
    },
    counter(
        "ffwatt_class_output_seconds_total",
        Some("seconds"),
        "Playing time of the output of the transcodes of a class since the agent started, in seconds; transcodes without progress, and those beyond attribution.max_workloads, add none.",
        |snapshot, _, samples| each(snapshot, samples, |totals| totals.output.length.as_secs_f64()),
    ),
    Metric {
        name: "ffwatt_class_jobs_total",
        kind: Kind::Counter,
        unit: None,
        help: "Transcodes of a class that have ended since the agent started; each counts once, in the class that it had at its end.",
        labels: &CLASS_LABELS,
        listener: Listener::Main,
        fill: |snapshot, _, samples| each_whole(snapshot, samples, |totals| totals.jobs),
    },
];

type Fill = for<'a> fn(&'a Snapshot, crate::metrics::Options, &mut Samples<'a>);

const fn counter(name: &'static str, unit: Option<&'static str>, help: &'static str, fill: Fill) -> Metric {
    Metric { name, kind: Kind::Counter, unit, help, labels: &CLASS_LABELS, listener: Listener::Main, fill }
}

fn each<'a>(snapshot: &'a Snapshot, samples: &mut Samples<'a>, value: impl Fn(&GroupTotals) -> f64) {
    for class in &snapshot.classes {
        let labels = class.labels.each_ref().map(|label| &**label);
        samples.counter((labels, []), value(&class.totals), class.created);
    }
}

fn each_whole<'a>(snapshot: &'a Snapshot, samples: &mut Samples<'a>, value: impl Fn(&GroupTotals) -> u64) {
    for class in &snapshot.classes {
        let labels = class.labels.each_ref().map(|label| &**label);
        samples.whole_counter((labels, []), value(&class.totals), Some(class.created));
    }
}
