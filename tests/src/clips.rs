//! Makes small clips with ffmpeg, and scores them by frame number without ffwatt.

use std::path::Path;
use std::process::Command;

use anyhow::Context;

use crate::command::output;
use crate::ffmpeg;

/// A folder of clips.
#[derive(Debug)]
pub struct Clips(tempfile::TempDir);

/// Scores of a pair.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scores {
    /// VMAF.
    pub vmaf: f64,
    /// PSNR in decibels.
    pub psnr: f64,
    /// SSIM.
    pub ssim: f64,
}

/// One side of a pair: a file, and the filters that bring it to the common picture.
#[derive(Clone, Copy, Debug)]
pub struct Side<'a> {
    /// Name of the file in the folder.
    pub file: &'a str,
    /// Filters of ffmpeg; empty for none.
    pub filters: &'a str,
}

impl Clips {
    /// An empty folder.
    pub fn new() -> anyhow::Result<Self> {
        Ok(Self(tempfile::tempdir()?))
    }

    /// Path of a clip.
    pub fn path(&self, name: &str) -> String {
        self.folder().join(name).display().to_string()
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        self.0.path()
    }

    /// Runs the host's ffmpeg in the folder: `-i a.mkv … b.mp4`, words divided by spaces.
    pub fn run(&self, arguments: &str) -> anyhow::Result<()> {
        self.run_by("ffmpeg", arguments)
    }

    /// Runs a certain ffmpeg in the folder.
    pub fn run_by(&self, ffmpeg: &str, arguments: &str) -> anyhow::Result<()> {
        let mut command = Command::new(ffmpeg);
        command.current_dir(self.folder()).args(["-y", "-nostdin", "-v", "error"]);
        output(command.args(arguments.split_whitespace())).map(|_| ())
    }

    /// Scores of a pair by frame number. Both are decoded to raw frames, which have no times.
    pub fn by_number(&self, source: Side<'_>, encode: Side<'_>, format: &str) -> anyhow::Result<Scores> {
        let ffmpeg = ffmpeg::with_vmaf()?;
        for (side, name) in [(source, "source.raw"), (encode, "encode.raw")] {
            let filters = if side.filters.is_empty() { "null" } else { side.filters };
            let Side { file, .. } = side;
            self.run(&format!(
                "-i {file} -map 0:V:0 -vf {filters} -pix_fmt {format} -fps_mode passthrough -c:v rawvideo -f nut {name}.nut"
            ))?;
            self.run(&format!("-i {name}.nut -c copy -f rawvideo {name}"))?;
        }
        let size =
            output(Command::new("ffprobe").current_dir(self.folder()).args(
                "-v error -show_entries stream=width,height -of csv=p=0:s=x source.raw.nut".split(' '),
            ))?;
        let input = format!("-f rawvideo -pix_fmt {format} -s {} -r 25", size.trim());
        let graph = "[0][1]psnr=shortest=1[p];[2][3]ssim=shortest=1[s];[4][5]libvmaf=shortest=1[v]";
        let inputs = format!("{input} -i encode.raw {input} -i source.raw ").repeat(3);
        let arguments = format!(
            "-nostats -hide_banner {inputs} -lavfi {graph} -map [p] -f null - -map [s] -f null - -map [v] -f null -"
        );
        let mut command = Command::new(ffmpeg);
        command.current_dir(self.folder()).args(arguments.split_whitespace());
        let said = command.output()?;
        let said = String::from_utf8_lossy(&said.stderr).into_owned();
        let number = |name: &str| -> anyhow::Result<f64> {
            let after = said.split(name).nth(1).with_context(|| format!("no {name} in {said}"))?;
            Ok(after.split_whitespace().next().unwrap_or_default().parse()?)
        };
        Ok(Scores { vmaf: number("VMAF score: ")?, psnr: number("average:")?, ssim: number("All:")? })
    }
}

impl<'a> From<&'a str> for Side<'a> {
    /// All of a file as it is.
    fn from(file: &'a str) -> Self {
        Side { file, filters: "" }
    }
}
