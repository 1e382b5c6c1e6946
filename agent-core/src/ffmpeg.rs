//! Parses command lines of ffmpeg and other encoders, and their progress reports.

pub mod command_line;
pub mod progress;
pub mod table;
