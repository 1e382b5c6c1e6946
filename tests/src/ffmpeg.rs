//! Finds the ffmpeg builds that tests use.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;

use crate::command::output;

/// Options before the output of an encode in real time.
pub const LIVE_SOURCE: [&str; 8] =
    ["-nostdin", "-v", "error", "-re", "-f", "lavfi", "-i", "testsrc2=size=320x240:rate=30"];

/// An encode in real time of this many seconds, with the name of the program.
pub fn live(seconds: &str) -> Vec<&str> {
    let output = ["-t", seconds, "-c:v", "libx264", "-preset", "veryfast", "-f", "null", "-"];
    [&["ffmpeg"][..], &LIVE_SOURCE, &output].concat()
}

/// Runs the host's own.
pub fn run(arguments: &[&str]) -> anyhow::Result<()> {
    output(Command::new("ffmpeg").args(["-y", "-nostdin", "-v", "error"]).args(arguments)).map(|_| ())
}

/// One with libvmaf, as a Python package carries it.
pub fn with_vmaf() -> anyhow::Result<String> {
    let python = std::env::var_os("FFWATT_PYTHON").map(PathBuf::from);
    with_vmaf_by(&python.context("FFWATT_PYTHON names no Python: run the tests by `cargo xtask test`")?)
}

/// The one with libvmaf that this Python knows.
pub fn with_vmaf_by(python: &Path) -> anyhow::Result<String> {
    let script = "import imageio_ffmpeg; print(imageio_ffmpeg.get_ffmpeg_exe())";
    Ok(output(Command::new(python).args(["-c", script]))?.trim().to_owned())
}
