//! Progress of an encoder, as its posts say. Unknown is `None`.

use std::net::SocketAddr;
use std::time::Duration;

use crate::units::{MicroJoules, Ratio};

/// Both ends of a connection to the agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Ends {
    /// The other end.
    pub peer: SocketAddr,
    /// The agent's end.
    pub own: SocketAddr,
}

/// What an encoder says of itself at one moment.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Block {
    /// Frames of its first video stream.
    pub frames: Option<u64>,
    /// Frames a second, over the whole run.
    pub frame_rate: Option<f64>,
    /// Bits a second of the output, over the whole run.
    pub bitrate: Option<f64>,
    /// How much it has put out, by playing time.
    pub output_time: Option<Duration>,
    /// Frames that were put out twice to keep the rate.
    pub duplicated: Option<u64>,
    /// Frames that were left out to keep the rate.
    pub dropped: Option<u64>,
    /// Output seconds a second, over the whole run.
    pub speed: Option<f64>,
    /// Whether it is the last of its run.
    pub is_end: bool,
}

/// How far a transcode is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Progress {
    /// Its last word.
    pub block: Block,
    /// Output seconds a second lately; of the whole run once it is over.
    pub speed: Option<Ratio>,
    /// What it had been charged when it said so.
    pub energy: MicroJoules,
    /// Its first word to this run of the agent.
    pub first: FirstWord,
    /// Whether it falls behind an input that does not wait; `None` where the input would.
    pub is_stalled: Option<bool>,
    /// How long it has said nothing.
    pub silent: Duration,
}

/// Where an encoder stood when it was first heard.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct FirstWord {
    /// Frames of its first video stream.
    pub frames: Option<u64>,
    /// Its output, by playing time.
    pub output_time: Option<Duration>,
    /// Energy it had been charged by then.
    pub energy: MicroJoules,
}

/// How posts of progress stand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PostCounts {
    /// Open, and known whose they are.
    pub matched: usize,
    /// Open, and nobody knows whose they are.
    pub unmatched: usize,
    /// Refused or given up since the agent began.
    pub refused: u64,
}
