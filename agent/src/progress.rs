//! Keeps the progress that encoders post until the next tick.
//!
//! `ffmpeg -progress http://…/progress/<id>` opens one connection for the whole run and sends a block of lines every half second,
//! in chunks. A listener keeps the last block of each connection on the [`ProgressRegistry`]; the pipeline finds the transcode of each
//! connection, and takes the blocks with its tick. Memory is bounded: one block for each connection, a bounded number of connections that
//! wait for the pipeline's verdict, and a bounded number of connections that have a transcode.

mod registry;

pub(crate) use registry::{ProgressRegistry, ProgressStream, Refusal, SILENCE_LIMIT, Sender, Verdict};
