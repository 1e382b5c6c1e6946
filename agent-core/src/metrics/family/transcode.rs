//! `ffwatt_transcode_*`: the energy of each transcode. A part of its workload's energy, not in addition to it.

use std::borrow::Cow;

use crate::metrics::catalog::{Kind, Listener, Metric, Samples};
use crate::model::account::Account;
use crate::model::snapshot::{Snapshot, TranscodeSnapshot};
use crate::model::transcode::{ExitStatus, TranscodeIdentity};
use crate::model::vmaf_model::VmafModel;
use crate::model::workload::Pseudo;
use crate::text::joined;

/// Base of exit codes for signals, by the shell's convention.
const SIGNAL_BASE: u64 = 128;

pub(super) const METRICS: &[Metric] = &[
    Metric {
        name: "ffwatt_transcode_energy_joules_total",
        kind: Kind::Counter,
        unit: Some("joules"),
        help: "Energy charged to a transcode since its series began, in joules of the domains that add up (package and dram).",
        labels: &TranscodeIdentity::LABELS,
        listener: Listener::Main,
        fill: |snapshot, _, samples| {
            if snapshot.has_had_energy() {
                each(snapshot, samples, |account| snapshot.energy_of(account).joules());
            }
        },
    },
    Metric {
        name: "ffwatt_transcode_cpu_seconds_total",
        kind: Kind::Counter,
        unit: Some("seconds"),
        help: "CPU time of a transcode, in seconds.",
        labels: &TranscodeIdentity::LABELS,
        listener: Listener::Main,
        fill: |snapshot, _, samples| each(snapshot, samples, |account| account.cpu.seconds()),
    },
    Metric {
        name: "ffwatt_transcode_gpu_engine_seconds_total",
        kind: Kind::Counter,
        unit: Some("seconds"),
        help: "Busy time of the engines of the integrated GPU for a transcode, by class of engine, in seconds. Absent for a \
            class that the transcode has not used.",
        labels: &joined::<_, _, 10>(TranscodeIdentity::LABELS, ["engine"]),
        listener: Listener::Main,
        fill: |snapshot, _, samples| {
            for transcode in &snapshot.transcodes {
                let series = &transcode.series;
                for (engine, seconds) in transcode.account.since(&series.earlier).engines.seconds() {
                    let labels = transcode.identity.labels(&transcode.workload);
                    samples.counter((labels, [engine.name().into()]), seconds, series.created);
                }
            }
        },
    },
    Metric {
        name: "ffwatt_transcode_info",
        kind: Kind::Info,
        unit: None,
        help: "Settings of a transcode, from its command line. renditions: number of its video streams; encoded_renditions: of those that it encodes; copied_streams: of those whose packets it copies. vmaf_model: model of its VMAF score, once it is scored.",
        labels: &joined::<_, _, 18>(
            TranscodeIdentity::KEY,
            [
                "id",
                "program",
                "codec",
                "codec_standard",
                "hardware",
                "preset",
                "resolution",
                "bitrate_bps",
                "outputs",
                "renditions",
                "encoded_renditions",
                "copied_streams",
                "vmaf_model",
            ],
        ),
        listener: Listener::Main,
        fill: |snapshot, _, samples| {
            for transcode in &snapshot.transcodes {
                let encode = &transcode.identity.encode;
                let text = |value: &'_ Option<String>| Cow::Owned(value.clone().unwrap_or_default());
                let settings = [
                    (&*transcode.workload.id).into(),
                    encode.program.as_str().into(),
                    text(&encode.codec),
                    text(&encode.standard),
                    text(&encode.hardware),
                    text(&encode.preset),
                    text(&encode.resolution),
                    encode.bitrate.map(|bitrate| bitrate.to_string()).unwrap_or_default().into(),
                    encode.outputs.to_string().into(),
                    encode.renditions.to_string().into(),
                    encode.encoded_renditions.to_string().into(),
                    encode.copied_streams.to_string().into(),
                    transcode.output.quality.vmaf_model.map_or("", VmafModel::name).into(),
                ];
                samples.whole((key(transcode), settings), 1);
            }
        },
    },
    Metric {
        name: "ffwatt_transcode_running",
        kind: Kind::Gauge,
        unit: None,
        help: "Whether a transcode still runs (1) or has ended (0).",
        labels: &TranscodeIdentity::KEY,
        listener: Listener::Main,
        fill: |snapshot, _, samples| {
            for transcode in &snapshot.transcodes {
                samples.whole((key(transcode), []), u64::from(transcode.ended.is_none()));
            }
        },
    },
    Metric {
        name: "ffwatt_transcode_start_timestamp_seconds",
        kind: Kind::Gauge,
        unit: Some("seconds"),
        help: "Start time of a transcode, in seconds since 1970.",
        labels: &TranscodeIdentity::KEY,
        listener: Listener::Main,
        fill: |snapshot, _, samples| {
            for transcode in &snapshot.transcodes {
                samples.number((key(transcode), []), transcode.started.0);
            }
        },
    },
    Metric {
        name: "ffwatt_transcode_end_timestamp_seconds",
        kind: Kind::Gauge,
        unit: Some("seconds"),
        help: "End time of a transcode, in seconds since 1970.",
        labels: &TranscodeIdentity::KEY,
        listener: Listener::Main,
        fill: |snapshot, _, samples| {
            for transcode in &snapshot.transcodes {
                if let Some(ended) = transcode.ended {
                    samples.number((key(transcode), []), ended.0);
                }
            }
        },
    },
    Metric {
        name: "ffwatt_transcode_unobserved_seconds",
        kind: Kind::Gauge,
        unit: Some("seconds"),
        help: "Time during which no agent observed a transcode, in seconds. Absent where the transcode \
            was observed from start to end.",
        labels: &TranscodeIdentity::KEY,
        listener: Listener::Main,
        fill: |snapshot, _, samples| {
            for transcode in &snapshot.transcodes {
                if !transcode.observation.is_whole() {
                    samples.number((key(transcode), []), transcode.observation.missing.as_secs_f64());
                }
            }
        },
    },
    Metric {
        name: "ffwatt_transcode_exit_code",
        kind: Kind::Gauge,
        unit: None,
        help: "Exit code of a transcode that ended; 128 plus the signal's number when a signal ended it.",
        labels: &TranscodeIdentity::KEY,
        listener: Listener::Main,
        fill: |snapshot, _, samples| {
            for transcode in &snapshot.transcodes {
                match transcode.exit.map(|exit| exit.status) {
                    Some(ExitStatus::Code(code)) => samples.whole((key(transcode), []), u64::from(code)),
                    Some(ExitStatus::Signal(signal)) => {
                        samples.whole((key(transcode), []), SIGNAL_BASE + u64::from(signal));
                    }
                    None => {}
                }
            }
        },
    },
    Metric {
        name: "ffwatt_transcodes_folded",
        kind: Kind::Gauge,
        unit: None,
        help: "Transcodes that share the series (other) because there are more than attribution.max_workloads.",
        labels: &[],
        listener: Listener::Main,
        fill: |snapshot, _, samples| samples.whole([], snapshot.beyond_limit.1 as u64),
    },
];

/// Values of [`TranscodeIdentity::KEY`].
pub(super) fn key(transcode: &TranscodeSnapshot) -> [&str; 5] {
    transcode.identity.key_labels(&transcode.workload)
}

/// Adds one sample for each transcode, and one for all those beyond the limit.
fn each<'a>(snapshot: &'a Snapshot, samples: &mut Samples<'a>, value: impl Fn(&Account) -> f64) {
    for transcode in &snapshot.transcodes {
        let labels = transcode.identity.labels(&transcode.workload);
        let series = &transcode.series;
        samples.counter((labels, []), value(&transcode.account.since(&series.earlier)), series.created);
    }
    let other = joined::<_, _, 9>([Pseudo::Other.name(); 2], [""; 7]);
    samples.counter((other, []), value(&snapshot.other_transcodes), snapshot.created);
}
