//! Progress of an encoder, as its posts say. Unknown is `None`.

use std::net::SocketAddr;
use std::time::Duration;

use crate::units::{MicroJoules, Ratio};

/// Both ends of a connection to the agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ends {
    /// Address of the sender.
    pub peer: SocketAddr,
    /// Address of the agent.
    pub own: SocketAddr,
}

/// One block of an encoder's progress.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Block {
    /// Frames of the first video stream.
    pub frames: Option<u64>,
    /// Frames per second, over the whole run.
    pub frame_rate: Option<f64>,
    /// Bits per second of the output, over the whole run.
    pub bitrate: Option<f64>,
    /// Playing time of the output.
    pub output_time: Option<Duration>,
    /// Frames that were duplicated to keep the rate.
    pub duplicated: Option<u64>,
    /// Frames that were dropped to keep the rate.
    pub dropped: Option<u64>,
    /// Seconds of output per second, over the whole run.
    pub speed: Option<f64>,
    /// Whether it is the last block of its run.
    pub is_end: bool,
}

/// Progress of a transcode.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Progress {
    /// The last block.
    pub block: Block,
    /// Seconds of output per second in the last ten seconds; of the whole run after its end.
    pub speed: Option<Ratio>,
    /// Energy charged at the time of the last block.
    pub energy: MicroJoules,
    /// The first block to this run of the agent.
    pub first: FirstWord,
    /// Whether it falls behind an input in real time; `None` for other inputs.
    pub is_stalled: Option<bool>,
    /// Time since the last block.
    pub silent: Duration,
}

/// Counts of a transcode at its first block.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct FirstWord {
    /// Frames of its first video stream.
    pub frames: Option<u64>,
    /// Playing time of the output.
    pub output_time: Option<Duration>,
    /// Energy charged by then.
    pub energy: MicroJoules,
}

/// Numbers of progress connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PostCounts {
    /// Open connections with a known transcode.
    pub matched: usize,
    /// Open connections without a known transcode.
    pub unmatched: usize,
    /// Connections refused or closed since the agent began.
    pub refused: u64,
}
