//! One run of an encoder: what it was asked to do.

use std::sync::Arc;
use std::time::Duration;

use crate::model::scenario::Quality;
use crate::units::Pixels;

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
