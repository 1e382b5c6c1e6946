//! Understands ffmpeg and other encoders: their command lines and what they say of their progress.

pub mod command_line;
pub mod progress;
