//! Reads size, rate and length of a video file with ffprobe.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::quality::QualityError;

/// The video of a file.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Video {
    pub(super) width: u64,
    pub(super) height: u64,
    /// Frames a second as written, `30000/1001`.
    pub(super) rate: String,
    /// Length in seconds, where the file contains it.
    pub(super) seconds: Option<f64>,
}

/// Reads the first video stream.
#[expect(clippy::disallowed_methods, reason = "ffprobe reads the header of the file")]
pub(super) fn probe(path: &Path) -> Result<Video, QualityError> {
    let entries = "stream=width,height,avg_frame_rate,duration:format=duration";
    let output = Command::new("ffprobe")
        .args(["-v", "error", "-select_streams", "v:0", "-show_entries", entries, "-of", "json"])
        .arg(path)
        .stdin(Stdio::null())
        .output()
        .map_err(|cause| QualityError::NoProgram { program: "ffprobe".to_owned(), cause })?;
    let wrong = |problem: &str| QualityError::Input { path: path.to_path_buf(), problem: problem.to_owned() };
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let last = said.lines().next_back().unwrap_or("cannot be read");
        let name = format!("{}: ", path.display());
        return Err(wrong(last.strip_prefix(&name).unwrap_or(last)));
    }
    let value: Value = serde_json::from_slice(&output.stdout).map_err(|error| wrong(&error.to_string()))?;
    parse(&value).ok_or_else(|| wrong("no video in it"))
}

fn parse(value: &Value) -> Option<Video> {
    let stream = value.get("streams")?.get(0)?;
    let seconds = |value: &Value| value.get("duration")?.as_str()?.parse().ok();
    Some(Video {
        width: stream.get("width")?.as_u64().filter(|width| *width > 0)?,
        height: stream.get("height")?.as_u64().filter(|height| *height > 0)?,
        rate: stream.get("avg_frame_rate")?.as_str().filter(|rate| rate_of(rate).is_some())?.to_owned(),
        seconds: seconds(stream).or_else(|| seconds(value.get("format")?)),
    })
}

/// `30000/1001` as a number.
pub(super) fn rate_of(text: &str) -> Option<f64> {
    let (frames, seconds) = text.split_once('/')?;
    let rate = frames.parse::<f64>().ok()? / seconds.parse::<f64>().ok()?;
    (rate.is_finite() && rate > 0.0).then_some(rate)
}

impl Video {
    /// Expected number of frames.
    pub(super) fn frames(&self) -> Option<u64> {
        Some((self.seconds? * rate_of(&self.rate)?).round() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ffprobe_says() {
        let value = serde_json::json!({
            "streams": [{"width": 320, "height": 180, "avg_frame_rate": "30000/1001", "duration": "2.002"}],
        });
        let video = parse(&value).unwrap();
        assert_eq!((video.width, video.height, video.frames()), (320, 180, Some(60)));
        assert_eq!(parse(&serde_json::json!({"streams": []})), None);
        assert_eq!(rate_of("0/0"), None);
    }
}
