//! Formats transcodes for the API.

use std::collections::BTreeMap;

use agent_core::model::snapshot::{Snapshot, TranscodeSnapshot};
use agent_core::model::transcode::ExitStatus;
use serde::{Deserialize, Serialize};

use crate::api::condition::Condition;
use crate::api::significant::six_digits;
use crate::api::snapshot::cores;
use crate::api::workload::by_class;

/// An item of `/api/v1/transcodes`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Transcode {
    pub transcode: String,
    pub workload: String,
    pub workload_id: String,
    pub program: String,
    pub outputs: usize,
    pub renditions: usize,
    pub encoded_renditions: usize,
    pub copied_streams: usize,
    pub is_live: bool,
    pub is_running: bool,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub state: String,
    pub started_unix_seconds: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_from_unix_seconds: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unobserved_seconds: Option<f64>,
    pub cpu_cores: f64,
    pub cpu_seconds: f64,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub gpu_engine_seconds: BTreeMap<String, f64>,
    #[serde(flatten)]
    pub asked: EncodeSettings,
    #[serde(flatten)]
    pub told: ReportedProgress,
    #[serde(flatten)]
    pub figures: Figures,
}

/// Settings from its command line and its container's labels.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct EncodeSettings {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scenario: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub codec: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub codec_standard: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hardware: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preset: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolution: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bitrate_bits_per_second: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_unix_seconds: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ending: Option<String>,
}

/// Figures from its progress posts.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct ReportedProgress {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frames: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frames_per_second: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub speed_ratio: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_bits_per_second: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_seconds: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dropped_frames: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duplicated_frames: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is_stalled: Option<bool>,
}

/// Figures of cost and efficiency.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Figures {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub power_watts: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub energy_joules: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub joules_per_frame: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub joules_per_output_second: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub joules_per_megapixel: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub joules_per_vmaf_point: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quality_covered_ratio: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vmaf_score: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vmaf_model: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub psnr_decibels: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ssim_score: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost_per_output_hour: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub carbon_grams: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub carbon_grams_per_output_hour: Option<f64>,
}

/// All transcodes, in the order of the metrics.
pub(crate) fn transcodes(snapshot: &Snapshot) -> Vec<Transcode> {
    let told = |transcode| {
        let one = transcode_of(snapshot, transcode);
        Transcode { state: Condition::of_transcode(&one).word().to_owned(), ..one }
    };
    snapshot.transcodes.iter().map(told).collect()
}

fn transcode_of(snapshot: &Snapshot, transcode: &TranscodeSnapshot) -> Transcode {
    let encode = &transcode.identity.encode;
    let observation = &transcode.observation;
    Transcode {
        transcode: transcode.identity.key.to_string(),
        workload: transcode.workload.name.to_string(),
        workload_id: transcode.workload.id.to_string(),
        program: encode.program.clone(),
        outputs: encode.outputs,
        renditions: encode.renditions,
        encoded_renditions: encode.encoded_renditions,
        copied_streams: encode.copied_streams,
        is_live: encode.is_live,
        is_running: transcode.ended.is_none(),
        state: String::new(),
        started_unix_seconds: transcode.started.0,
        observed_from_unix_seconds: observation.from.map(|from| from.0),
        unobserved_seconds: (!observation.is_whole()).then_some(observation.missing.as_secs_f64()),
        cpu_cores: six_digits(cores(transcode.account.window_cpu, snapshot)),
        cpu_seconds: transcode.total(snapshot).1.seconds(),
        gpu_engine_seconds: by_class(&transcode.account.engines),
        asked: EncodeSettings {
            scenario: transcode.workload.details.scenario().map(str::to_owned),
            codec: encode.codec.clone(),
            codec_standard: encode.standard.clone(),
            hardware: encode.hardware.clone(),
            preset: encode.preset.clone(),
            resolution: encode.resolution.clone(),
            bitrate_bits_per_second: encode.bitrate,
            ended_unix_seconds: transcode.ended.map(|ended| ended.0),
            ending: transcode.exit.map(|exit| exit.ending().name().to_owned()),
            exit_code: transcode.exit.map(|exit| match exit.status {
                ExitStatus::Code(code) => u64::from(code),
                // The shell's convention.
                ExitStatus::Signal(signal) => 128 + u64::from(signal),
            }),
        },
        told: told(transcode),
        figures: figures(snapshot, transcode),
    }
}

fn told(transcode: &TranscodeSnapshot) -> ReportedProgress {
    let frames = transcode.output.frames;
    let output_seconds = transcode.output.length.map(|length| length.as_secs_f64());
    let Some(progress) = &transcode.progress else {
        return ReportedProgress { frames, output_seconds, ..ReportedProgress::default() };
    };
    ReportedProgress {
        frames,
        output_seconds,
        frames_per_second: progress.block.frame_rate,
        speed_ratio: progress.speed.map(|speed| speed.0),
        output_bits_per_second: progress.block.bitrate,
        dropped_frames: progress.block.dropped,
        duplicated_frames: progress.block.duplicated,
        is_stalled: progress.is_stalled,
    }
}

fn figures(snapshot: &Snapshot, transcode: &TranscodeSnapshot) -> Figures {
    let quality = transcode.output.quality;
    let scores = Figures {
        quality_covered_ratio: quality.covered.map(|share| share.0),
        vmaf_score: quality.vmaf.map(|vmaf| vmaf.0),
        vmaf_model: quality.vmaf_model.map(|model| model.name().to_owned()),
        // JSON has no infinity: identical pictures have an SSIM of 1, and no PSNR.
        psnr_decibels: quality.psnr.map(|psnr| psnr.0).filter(|psnr| psnr.is_finite()),
        ssim_score: quality.ssim.map(|ssim| ssim.0),
        ..Figures::default()
    };
    let Some(figures) = &transcode.figures else { return scores };
    let cost = figures.costs.first().filter(|_| snapshot.prices.are_set());
    // Watt seconds for each second of output are watt hours for each hour of it.
    let kilowatt_hours = figures.joules_per_output_second.map(|joules| joules / 1e3);
    Figures {
        power_watts: snapshot.power_of(transcode.account.window_energy).map(|power| six_digits(power.0)),
        energy_joules: Some(transcode.total(snapshot).0.joules()),
        joules_per_frame: figures.joules_per_frame.map(six_digits),
        joules_per_output_second: figures.joules_per_output_second.map(six_digits),
        joules_per_megapixel: figures.joules_per_megapixel.map(six_digits),
        joules_per_vmaf_point: figures.joules_per_vmaf_point.map(six_digits),
        cost: cost.map(|cost| six_digits(cost.total.0)),
        cost_per_output_hour: cost.and_then(|cost| cost.per_output_hour).map(|cost| six_digits(cost.0)),
        carbon_grams: figures.carbon.map(|carbon| six_digits(carbon.0)),
        carbon_grams_per_output_hour: kilowatt_hours
            .map(|energy| six_digits(energy * snapshot.prices.carbon.0)),
        ..scores
    }
}
