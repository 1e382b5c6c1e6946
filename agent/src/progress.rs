//! Keeps the progress that encoders post until the next tick.
//!
//! `ffmpeg -progress http://…/progress/<id>` opens one connection for the whole run and sends a block of lines every half second,
//! in chunks. A listener keeps the last block of each connection on the [`Board`]; the pipeline finds the transcode that each
//! connection belongs to, and takes the blocks with its tick. However much is sent, the board holds one block a connection, and
//! bounded numbers of connections that wait for the pipeline's verdict and of connections that have a transcode.

mod board;

pub(crate) use board::{Board, Refusal, SILENCE_LIMIT, Sender, Ticket, Verdict};
