//! Parses command lines of ffmpeg and other encoders, their progress reports and error messages.

pub mod cause;
pub mod command_line;
pub mod progress;
pub mod table;
