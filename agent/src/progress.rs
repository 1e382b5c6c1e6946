//! Where does the progress that encoders post wait for the next tick?
//!
//! `ffmpeg -progress http://…/progress/<id>` opens one connection for the whole run and sends a block of lines every half second,
//! in chunks. A listener keeps the last block of each connection on the [`Board`]; the pipeline finds out whose it is and takes it
//! down with its tick. However much is sent, the board holds one block a connection, and so many connections.

mod block;
mod board;

pub use block::{Lines, TooLong};
pub use board::{Board, Post, Sender, Ticket, Verdict};
