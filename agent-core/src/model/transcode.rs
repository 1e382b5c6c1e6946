//! Identity of a transcode: its key, its process, and the encode that its command line asks for.

use std::sync::Arc;
use std::time::Duration;

use crate::model::cpu::ProcessId;
use crate::model::joined::EnergyBasis;
use crate::model::scenario::Quality;
use crate::time::WallTime;
use crate::units::{CpuTime, MicroJoules, Pixels};

/// A transcode's number within this run of the agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TranscodeId(pub u32);

/// What the command line of an encoder says, as label values. Unknown is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Encode {
    /// Program name: `ffmpeg`.
    pub program: String,
    /// Encoder, as the program names it: `libx264`.
    pub codec: Option<String>,
    /// The standard it writes: `h264`.
    pub standard: Option<String>,
    /// What does the work: `cpu`, `nvenc`, `vaapi`, ….
    pub hardware: Option<String>,
    /// Preset, in the encoder's own words.
    pub preset: Option<String>,
    /// Output size, `1280x720`; several are joined by `+`.
    pub resolution: Option<String>,
    /// Sum of the video bitrates asked for, in bits per second.
    pub bitrate: Option<u64>,
    /// Number of output files or streams.
    pub outputs: usize,
    /// Number of video renditions over all outputs.
    pub renditions: usize,
    /// Whether an input comes at its own pace: who falls behind it loses pictures.
    pub is_live: bool,
}

/// A transcode as the world sees it. Cheap to clone: snapshots share it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TranscodeIdentity {
    /// Its key on metrics: process id and start second, unique on a host.
    pub key: Arc<str>,
    /// What it was asked to do.
    pub encode: Arc<Encode>,
}

/// What a transcode has put out so far. Unknown is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Output {
    /// Frames, over all renditions.
    pub frames: Option<u64>,
    /// Pixels, over all renditions.
    pub pixels: Option<Pixels>,
    /// How long it plays.
    pub length: Option<Duration>,
    /// How good it is.
    pub quality: Quality,
}

/// One process of one boot. Its number may be used again; all three together never are.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ProcessIdentity {
    /// Its number in procfs.
    pub process: ProcessId,
    /// Its start in clock ticks after boot (`proc_pid_stat(5)`, field 22).
    pub birth: u64,
    /// The kernel's random id of this boot.
    pub boot: Arc<str>,
}

/// The part of a transcode's life that was observed. The default is all of it, by this run of the agent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Observation {
    /// Its process; `None` where procfs did not tell.
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

/// What runs of the agent before this one charged to a transcode.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct EarlierTotals {
    /// Energy.
    pub energy: MicroJoules,
    /// CPU time.
    pub cpu: CpuTime,
    /// Output that was counted meanwhile.
    pub seen: SeenOutput,
    /// Whether that energy was measured; `None` where there is none.
    pub basis: Option<EnergyBasis>,
}

/// Output of a transcode that was put out while it was observed, and the energy it was charged for that. Ratios are made of these:
/// where a part of its life was not observed, its own counts are of more than its joules are.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SeenOutput {
    /// Energy it was charged from the first count to the last.
    pub energy: MicroJoules,
    /// Frames, over all renditions.
    pub frames: Option<u64>,
    /// Pixels, over all renditions.
    pub pixels: Option<Pixels>,
    /// Playing time.
    pub length: Option<Duration>,
}

/// A transcode that ran when the agent before this one was last heard of.
#[derive(Clone, Debug, PartialEq)]
pub struct EarlierTranscode {
    /// Its key.
    pub key: Arc<str>,
    /// Its start.
    pub started: WallTime,
    /// The last moment of which its totals are known.
    pub recorded: WallTime,
    /// Its process and totals at that moment.
    pub observation: Observation,
}

impl EarlierTranscode {
    /// Its observation by an agent that goes on with it now.
    pub fn resumed(&self, now: WallTime) -> Observation {
        let gap = Duration::try_from_secs_f64(now.0 - self.recorded.0).unwrap_or_default();
        Observation { missing: self.observation.missing + gap, ..self.observation.clone() }
    }
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitStatus {
    /// It left with this code.
    Code(u8),
    /// A signal ended it.
    Signal(u8),
}

impl ExitStatus {
    /// From a wait status, as in `wait(2)`: the low seven bits are the signal, the next byte the code.
    pub fn from_wait_status(status: u32) -> Self {
        match status & 0x7f {
            0 => Self::Code((status >> 8) as u8),
            signal => Self::Signal(signal as u8),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wait_statuses() {
        assert_eq!(ExitStatus::from_wait_status(0), ExitStatus::Code(0));
        assert_eq!(ExitStatus::from_wait_status(1 << 8), ExitStatus::Code(1));
        assert_eq!(ExitStatus::from_wait_status(9), ExitStatus::Signal(9));
        assert_eq!(ExitStatus::from_wait_status(0x8b), ExitStatus::Signal(11), "with a core dump");
    }
}
