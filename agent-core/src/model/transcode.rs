//! Identity of a transcode: its key, its process, and the encode that its command line asks for.

use std::sync::Arc;
use std::time::Duration;

use crate::model::cpu::ProcessId;
use crate::model::group::CLASS_LABELS;
use crate::model::joined::EnergyBasis;
use crate::model::scenario::Quality;
use crate::model::workload::{Identity, KubernetesNames};
use crate::model::written::WrittenPaths;
use crate::text::{cut, joined};
use crate::time::WallTime;
use crate::units::{CpuTime, MicroJoules, Pixels};

/// Most characters of a label of a class. The sizes of a ladder may be longer.
const MAX_CLASS_LABEL: usize = 200;

/// A transcode's number within this run of the agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TranscodeId(pub u32);

/// Settings of an encoder from its command line, as label values. Unknown is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Encode {
    /// Program name: `ffmpeg`.
    pub program: String,
    /// Encoder, as the program names it: `libx264`.
    pub codec: Option<String>,
    /// Standard of the output: `h264`.
    pub standard: Option<String>,
    /// Hardware that encodes: `cpu`, `nvenc`, `vaapi`, ….
    pub hardware: Option<String>,
    /// Preset, as the encoder names it.
    pub preset: Option<String>,
    /// Output size, `1280x720`; several are joined by `+`.
    pub resolution: Option<String>,
    /// Sum of the requested video bitrates, in bits per second.
    pub bitrate: Option<u64>,
    /// Number of output files or streams.
    pub outputs: usize,
    /// Number of video renditions over all outputs, encoded and copied.
    pub renditions: usize,
    /// Number of encoded video renditions over all outputs.
    pub encoded_renditions: usize,
    /// Number of video streams over all outputs of which packets are copied.
    pub copied_streams: usize,
    /// Frames of all encoded renditions, by the encoder's progress. `None` where they are unknown, and where nothing is encoded.
    pub frame_count: Option<FrameCount>,
    /// Whether an input arrives in real time: an encoder that falls behind loses pictures.
    pub is_live: bool,
}

/// How many frames all encoded renditions have when the encoder's progress says a number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FrameCount {
    /// Encoded renditions that have as many frames as the progress says.
    pub renditions: usize,
    /// Encoded renditions of one frame.
    pub stills: usize,
    /// Whether the count holds only while no frame is repeated or dropped: some renditions may do it, and others not.
    pub needs_every_frame: bool,
}

impl FrameCount {
    /// One rendition, which the progress is of.
    pub const ONE: Self = Self { renditions: 1, stills: 0, needs_every_frame: false };
}

/// Identity of a transcode in metrics, API and page. Cheap to clone: snapshots share it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TranscodeIdentity {
    /// The key on metrics: process id and start second, unique on a host.
    pub key: Arc<str>,
    /// Settings from the command line.
    pub encode: Arc<Encode>,
    /// Files that the command line names as outputs.
    pub written: WrittenPaths,
}

impl TranscodeIdentity {
    /// Labels of all series of a transcode.
    pub const KEY: [&'static str; 5] = joined(["transcode", "workload"], KubernetesNames::LABELS);

    /// Labels of a transcode's counters of energy and CPU time.
    pub const LABELS: [&'static str; 9] = joined(Self::KEY, ["scenario", "codec", "preset", "resolution"]);

    /// Values of [`Self::KEY`] for a transcode of this workload.
    pub fn key_labels<'a>(&'a self, workload: &'a Identity) -> [&'a str; 5] {
        joined([&self.key, &workload.name], workload.details.kubernetes_labels())
    }

    /// Values of [`Self::LABELS`] for a transcode of this workload.
    pub fn labels<'a>(&'a self, workload: &'a Identity) -> [&'a str; 9] {
        joined(self.key_labels(workload), self.settings(workload))
    }

    /// Values of [`CLASS_LABELS`] for a transcode of this workload, each cut to 200 characters: a class never ends.
    pub fn class_labels<'a>(&'a self, workload: &'a Identity) -> [&'a str; CLASS_LABELS.len()] {
        let [namespace, ..] = workload.details.kubernetes_labels();
        joined([namespace], self.settings(workload)).map(|label| cut(label, MAX_CLASS_LABEL))
    }

    /// Scenario, codec, preset and resolution.
    fn settings<'a>(&'a self, workload: &'a Identity) -> [&'a str; 4] {
        let encode = &self.encode;
        let settings = [&encode.codec, &encode.preset, &encode.resolution];
        let [codec, preset, resolution] = settings.map(|value| value.as_deref().unwrap_or_default());
        [workload.details.scenario().unwrap_or_default(), codec, preset, resolution]
    }
}

/// Output of a transcode so far. Unknown is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Output {
    /// Encoded frames, over all renditions.
    pub frames: Option<u64>,
    /// Pixels, over all renditions.
    pub pixels: Option<Pixels>,
    /// Playing time.
    pub length: Option<Duration>,
    /// Quality scores.
    pub quality: Quality,
}

/// One process of one boot. The number may be used again; all three together never are.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ProcessIdentity {
    /// Process number in procfs.
    pub process: ProcessId,
    /// Its start in clock ticks after boot (`proc_pid_stat(5)`, field 22).
    pub birth: u64,
    /// The kernel's random id of this boot.
    pub boot: Arc<str>,
}

/// The part of a transcode's life that was observed. The default is all of it, by this run of the agent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Observation {
    /// Its process; `None` where procfs did not show it.
    pub process: Option<ProcessIdentity>,
    /// Start of the observation; `None` where that is the transcode's own start.
    pub from: Option<WallTime>,
    /// Time of its life in which no agent observed it.
    pub missing: Duration,
    /// Its totals by runs of the agent before this one.
    pub earlier: EarlierTotals,
}

impl Observation {
    /// Whether all of its life was observed.
    pub fn is_whole(&self) -> bool {
        self.from.is_none() && self.missing.is_zero()
    }
}

/// Charges of a transcode by earlier runs of the agent.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct EarlierTotals {
    /// Energy.
    pub energy: MicroJoules,
    /// CPU time.
    pub cpu: CpuTime,
    /// Output that was counted by them.
    pub seen: SeenOutput,
    /// Whether that energy was measured; `None` where there is none.
    pub basis: Option<EnergyBasis>,
}

/// Output of a transcode while it was observed, and the energy charged for it. Ratios use these:
/// where a part of its life was not observed, its own counts cover more than its charges do.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SeenOutput {
    /// Energy charged between the first and the last count.
    pub energy: MicroJoules,
    /// Frames, over all renditions.
    pub frames: Option<u64>,
    /// Pixels, over all renditions.
    pub pixels: Option<Pixels>,
    /// Playing time.
    pub length: Option<Duration>,
}

/// A transcode that ran when the agent's previous run last wrote its ledger.
#[derive(Clone, Debug, PartialEq)]
pub struct EarlierTranscode {
    /// Its key.
    pub key: Arc<str>,
    /// Its start.
    pub started: WallTime,
    /// Time of its last recorded totals.
    pub recorded: WallTime,
    /// Its process, and its totals at that time.
    pub observation: Observation,
}

impl EarlierTranscode {
    /// Its observation by an agent that continues it now.
    pub fn resumed(&self, now: WallTime) -> Observation {
        let gap = Duration::try_from_secs_f64(now.0 - self.recorded.0).unwrap_or_default();
        Observation { missing: self.observation.missing + gap, ..self.observation.clone() }
    }
}

/// Exit status of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitStatus {
    /// Exit code.
    Code(u8),
    /// Number of the signal that ended it.
    Signal(u8),
}

impl ExitStatus {
    /// Decodes a wait status, as in `wait(2)`: the low seven bits are the signal, the next byte the code.
    pub fn from_wait_status(status: u32) -> Self {
        match status & 0x7f {
            0 => Self::Code((status >> 8) as u8),
            signal => Self::Signal(signal as u8),
        }
    }
}

/// The last signal by which a user or a service manager asked a process to end: SIGHUP, SIGINT, SIGQUIT, SIGTERM, or a SIGKILL that the
/// kernel itself did not send.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StopRequest {
    /// Nobody watched the signals.
    #[default]
    Unknown,
    /// No such signal was sent.
    Never,
    /// This signal, by its number.
    Signal(u8),
}

/// The end of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProcessEnd {
    /// Its exit status.
    pub status: ExitStatus,
    /// The signal that it was sent before.
    pub stop: StopRequest,
}

impl From<ExitStatus> for ProcessEnd {
    fn from(status: ExitStatus) -> Self {
        Self { status, stop: StopRequest::Unknown }
    }
}

impl ProcessEnd {
    /// What the end tells about an encoder. A signal that an encoder handles is in no status.
    pub fn ending(self) -> TranscodeEnding {
        match (self.status, self.stop) {
            (ExitStatus::Code(0), _) => TranscodeEnding::Ended,
            // SIGHUP, SIGINT, SIGQUIT, SIGTERM (signal(7)): a user or a service manager sends them. ffmpeg exits with 255 after SIGINT and
            // SIGTERM (`received_nb_signals`, fftools/ffmpeg.c).
            (ExitStatus::Signal(1..=3 | 15), _)
            | (ExitStatus::Code(255), StopRequest::Signal(_))
            | (ExitStatus::Signal(9), StopRequest::Signal(9)) => TranscodeEnding::Stopped,
            // From version 7 on, ffmpeg exits with 255 also after the error EPERM: with the low byte of its error. SIGKILL is sent by a
            // user, by an engine after its patience, by the kernel when memory is short, and by the kernel to all processes of a container
            // that ends.
            (ExitStatus::Code(255), StopRequest::Unknown) | (ExitStatus::Signal(9), _) => {
                TranscodeEnding::StoppedOrFailed
            }
            (ExitStatus::Code(_) | ExitStatus::Signal(_), _) => TranscodeEnding::Failed,
        }
    }
}

/// The way in which a transcode ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TranscodeEnding {
    /// By itself, without an error.
    Ended,
    /// By a signal of a user or a service manager.
    Stopped,
    /// By an error.
    Failed,
    /// By one of the two; neither the exit status nor a signal tells which.
    StoppedOrFailed,
}

impl TranscodeEnding {
    /// As in the API and on screens.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ended => "ended",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
            Self::StoppedOrFailed => "stopped or failed",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::workload::Pseudo;

    #[test]
    fn labels_of_a_class_are_bounded() {
        let encode = Encode { resolution: Some("1x1+".repeat(1000)), ..Encode::default() };
        let identity = TranscodeIdentity {
            key: "1-1".into(),
            encode: Arc::new(encode),
            written: WrittenPaths::default(),
        };
        let workload = Identity::pseudo(Pseudo::System);
        let [.., resolution] = identity.class_labels(&workload);
        assert_eq!(resolution, "1x1+".repeat(50));
    }

    #[test]
    fn wait_statuses() {
        assert_eq!(ExitStatus::from_wait_status(0), ExitStatus::Code(0));
        assert_eq!(ExitStatus::from_wait_status(1 << 8), ExitStatus::Code(1));
        assert_eq!(ExitStatus::from_wait_status(9), ExitStatus::Signal(9));
        assert_eq!(ExitStatus::from_wait_status(0x8b), ExitStatus::Signal(11), "with a core dump");
    }

    #[test]
    fn endings() {
        for (status, expected) in [
            (ExitStatus::Code(0), "ended"),
            (ExitStatus::Code(1), "failed"),
            (ExitStatus::Code(254), "failed"),
            (ExitStatus::Code(143), "failed"),
            (ExitStatus::Code(255), "stopped or failed"),
            (ExitStatus::Signal(2), "stopped"),
            (ExitStatus::Signal(15), "stopped"),
            (ExitStatus::Signal(9), "stopped or failed"),
            (ExitStatus::Signal(11), "failed"),
        ] {
            assert_eq!(ProcessEnd::from(status).ending().name(), expected, "{status:?}");
        }
    }

    #[test]
    fn the_signal_before_the_end_tells_a_stopped_encoder_from_a_failed_one() {
        for (status, stop, expected) in [
            (ExitStatus::Code(255), StopRequest::Signal(2), "stopped"),
            (ExitStatus::Code(255), StopRequest::Signal(15), "stopped"),
            (ExitStatus::Code(255), StopRequest::Never, "failed"),
            (ExitStatus::Signal(9), StopRequest::Signal(9), "stopped"),
            // By the kernel, for one of two reasons.
            (ExitStatus::Signal(9), StopRequest::Never, "stopped or failed"),
            (ExitStatus::Signal(9), StopRequest::Signal(15), "stopped or failed"),
            (ExitStatus::Code(0), StopRequest::Signal(15), "ended"),
            (ExitStatus::Code(1), StopRequest::Never, "failed"),
            (ExitStatus::Signal(15), StopRequest::Never, "stopped"),
        ] {
            assert_eq!(ProcessEnd { status, stop }.ending().name(), expected, "{status:?} {stop:?}");
        }
    }
}
