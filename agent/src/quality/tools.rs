//! Finds an ffmpeg, the ffprobe beside it, and the capabilities of both.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use crate::quality::QualityError;
use crate::quality::process::query;

/// Time for an answer of ffmpeg about itself: it takes a tenth of a second of CPU time, which is long at the lowest priority.
const QUERY_LIMIT: Duration = Duration::from_mins(5);

/// An ffmpeg and its capabilities.
#[derive(Clone, Debug)]
pub(crate) struct Tools {
    pub(super) ffmpeg: PathBuf,
    /// The ffprobe of the same build; `None` where there is none.
    pub(super) ffprobe: Option<PathBuf>,
    /// Whether ffmpeg has libvmaf.
    pub has_vmaf: bool,
    /// Whether ffmpeg has the filter xpsnr, from 7.1 on.
    pub(super) has_xpsnr: bool,
    /// The option that keeps every frame: `-fps_mode` from 5.1 on, `-vsync` before.
    pub(super) frame_mode: &'static str,
    /// The option that reads a filter graph from a file: `-/filter_complex` from 7.0 on.
    pub(super) graph_file: &'static str,
}

impl Tools {
    /// Queries the capabilities of an ffmpeg.
    pub(crate) fn find(ffmpeg: &str, stop: &AtomicBool) -> Result<Self, QualityError> {
        let printed = |arguments: &[&str]| {
            query(Command::new(ffmpeg).arg("-hide_banner").args(arguments), QUERY_LIMIT, stop)
        };
        let filters = printed(&["-filters"])?;
        let has = |name: &str| filters.split_whitespace().any(|word| word == name);
        let has_vmaf = has("libvmaf");
        if !has_vmaf {
            tracing::warn!(
                "{ffmpeg} has no libvmaf, so VMAF is left out: `pip install imageio-ffmpeg` carries an ffmpeg that has it; \
                 name it with --ffmpeg or quality.ffmpeg"
            );
        }
        let help = printed(&["-h", "long"])?;
        // Comparisons run in another folder.
        let path = Path::new(ffmpeg);
        let ffmpeg =
            if ffmpeg.contains('/') { fs::canonicalize(path).unwrap_or(path.into()) } else { path.into() };
        Ok(Self {
            ffprobe: probes(path).into_iter().chain(probes(&ffmpeg)).find(|probe| runs(probe, stop)),
            ffmpeg,
            has_vmaf,
            has_xpsnr: has("xpsnr"),
            frame_mode: if help.contains("-fps_mode") { "-fps_mode" } else { "-vsync" },
            graph_file: if help.contains("-filter_complex_script") {
                "-filter_complex_script"
            } else {
                "-/filter_complex"
            },
        })
    }
}

/// Paths at which the ffprobe of an ffmpeg may be: `ffmpeg-7` has `ffprobe-7` or `ffprobe` beside it.
fn probes(ffmpeg: &Path) -> Vec<PathBuf> {
    let name = ffmpeg.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let absolute = |name: &str| {
        let beside = ffmpeg.with_file_name(name);
        if ffmpeg.components().count() > 1 { fs::canonicalize(&beside).unwrap_or(beside) } else { beside }
    };
    vec![absolute(&name.replace("ffmpeg", "ffprobe")), absolute("ffprobe")]
}

fn runs(probe: &Path, stop: &AtomicBool) -> bool {
    version(probe, stop).is_some_and(|version| version.starts_with("ffprobe"))
}

/// The first line of what an ffmpeg or ffprobe says of its version; `None` where it does not answer.
pub(crate) fn version(program: &Path, stop: &AtomicBool) -> Option<String> {
    let answer = query(Command::new(program).arg("-version"), QUERY_LIMIT, stop).ok()?;
    answer.lines().next().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ffprobe_of_a_build_has_its_suffix() {
        assert_eq!(probes(Path::new("ffmpeg")), [PathBuf::from("ffprobe"), PathBuf::from("ffprobe")]);
        let beside = ["/no/such/ffprobe-7", "/no/such/ffprobe"].map(PathBuf::from);
        assert_eq!(probes(Path::new("/no/such/ffmpeg-7")), beside);
    }
}
