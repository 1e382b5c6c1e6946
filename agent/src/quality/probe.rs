//! Reads size, shape, format and length of a video file, with ffprobe or with ffmpeg alone.

mod banner;

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::quality::process::{Attempt, Ended, finish};
use crate::quality::{QualityError, Tools};

/// The first video of a file that is no cover picture.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Video {
    /// Size as decoders show it: after the rotation that the file asks for.
    pub(super) width: u64,
    pub(super) height: u64,
    /// Width of a pixel for each unit of its height.
    pub(super) pixel_aspect: Option<f64>,
    /// Degrees by which the file asks players to rotate.
    pub(super) rotation: i64,
    /// The pixel format, as ffmpeg names it.
    pub(super) format: String,
    /// `pc` or `tv`, where the file says it.
    pub(super) range: Option<String>,
    /// The transfer function, as ffmpeg names it: `smpte2084`.
    pub(super) transfer: Option<String>,
    pub(super) is_interlaced: bool,
    /// Mean frames a second.
    pub(super) rate: Option<f64>,
    /// Length in seconds, where the file contains it.
    pub(super) seconds: Option<f64>,
    /// Number of packets of the video stream; `None` without ffprobe.
    pub(super) packets: Option<u64>,
}

/// Reads the first video stream of a file; `path` is absolute.
pub(super) fn probe(tools: &Tools, path: &Path, attempt: &Attempt<'_>) -> Result<Video, QualityError> {
    let wrong = |problem: String| QualityError::Input { path: path.to_path_buf(), problem };
    let failure = |ended: &Ended| {
        let problem = ended.printed.messages.cause().unwrap_or_else(|| "cannot be read".to_owned());
        let name = format!("{}: ", path.display());
        // Some messages begin with the name, with or without the protocol.
        let problem = problem.strip_prefix("file:").unwrap_or(&problem);
        wrong(problem.strip_prefix(&name).unwrap_or(problem).to_owned())
    };
    let no_video = || wrong("no video in it".to_owned());
    if let Some(ffprobe) = &tools.ffprobe {
        let mut command = Command::new(ffprobe);
        command.args(["-v", "error", "-select_streams", "V:0", "-count_packets", "-show_streams"]);
        command.args(["-show_format", "-of", "json"]).arg(path);
        let ended = finish(&mut command, path, attempt, |_| {})?;
        if !ended.is_good {
            return Err(failure(&ended));
        }
        let value: Value =
            serde_json::from_str(&ended.printed.output).map_err(|error| wrong(error.to_string()))?;
        return parse(&value).ok_or_else(no_video);
    }
    let mut command = Command::new(&tools.ffmpeg);
    command.args(["-hide_banner", "-nostdin", "-i"]).arg(path);
    // It ends with an error, because it has no output.
    let ended = finish(&mut command, path, attempt, |_| {})?;
    let said = &ended.printed.messages.said;
    if !said.iter().any(|line| line.starts_with("Input #")) {
        return Err(failure(&ended));
    }
    banner::parse(said).ok_or_else(no_video)
}

/// The absolute form of a path, so that a name that begins with `-` or contains `:` is a file's name.
pub(super) fn absolute(path: &Path) -> Result<PathBuf, QualityError> {
    let wrong = |problem: String| QualityError::Input { path: path.to_path_buf(), problem };
    let absolute = std::fs::canonicalize(path).map_err(|cause| wrong(text_of(&cause)))?;
    let metadata = std::fs::metadata(&absolute).map_err(|cause| wrong(text_of(&cause)))?;
    if metadata.is_file() && metadata.len() == 0 {
        return Err(wrong("the file is empty".to_owned()));
    }
    Ok(absolute)
}

fn text_of(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "No such file".to_owned(),
        _ => error.to_string(),
    }
}

fn parse(value: &Value) -> Option<Video> {
    let stream = value.get("streams")?.get(0)?;
    let text = |name: &str| stream.get(name).and_then(Value::as_str);
    let seconds = |value: &Value| value.get("duration")?.as_str()?.parse().ok();
    let side = |name: &str| stream.get(name)?.as_u64().filter(|side| *side > 0);
    let rotation = stream
        .get("side_data_list")
        .and_then(Value::as_array)
        .and_then(|list| list.iter().find_map(|data| data.get("rotation")?.as_f64()));
    let video = Video {
        width: side("width")?,
        height: side("height")?,
        pixel_aspect: text("sample_aspect_ratio").and_then(|text| ratio(text, ':')),
        rotation: rotation.unwrap_or(0.0).round() as i64,
        format: text("pix_fmt").unwrap_or_default().to_owned(),
        range: text("color_range").map(str::to_owned),
        transfer: text("color_transfer").map(str::to_owned),
        is_interlaced: text("field_order").is_some_and(|order| matches!(order, "tt" | "bb" | "tb" | "bt")),
        rate: text("avg_frame_rate").and_then(|text| ratio(text, '/')),
        seconds: seconds(stream).or_else(|| seconds(value.get("format")?)),
        packets: text("nb_read_packets").and_then(|text| text.parse().ok()),
    };
    Some(video.turned())
}

/// `30000/1001` as a number.
fn ratio(text: &str, sign: char) -> Option<f64> {
    let (upper, lower) = text.split_once(sign)?;
    let ratio = upper.parse::<f64>().ok()? / lower.parse::<f64>().ok()?;
    (ratio.is_finite() && ratio > 0.0).then_some(ratio)
}

impl Video {
    /// Shape of the picture: width for each unit of height, on a screen.
    pub(super) fn aspect(&self) -> f64 {
        self.width as f64 / self.height as f64 * self.pixel_aspect.unwrap_or(1.0)
    }

    /// Whether the light is coded for high dynamic range: PQ or HLG.
    pub(super) fn is_hdr(&self) -> bool {
        self.transfer.as_deref().is_some_and(|name| matches!(name, "smpte2084" | "arib-std-b67"))
    }

    /// The sides of a picture that decoders turn on its side are exchanged.
    fn turned(mut self) -> Self {
        if self.rotation.rem_euclid(180) == 90 {
            (self.width, self.height) = (self.height, self.width);
            self.pixel_aspect = self.pixel_aspect.map(|aspect| 1.0 / aspect);
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_ffprobe_says() {
        let value = json!({"streams": [{
            "width": 720, "height": 576, "sample_aspect_ratio": "64:45", "pix_fmt": "yuv420p10le", "field_order": "tt",
            "avg_frame_rate": "30000/1001", "duration": "2.002", "nb_read_packets": "60", "color_transfer": "smpte2084",
            "side_data_list": [{"side_data_type": "other"}, {"rotation": -90}],
        }]});
        let video = parse(&value).unwrap();
        assert_eq!((video.width, video.height, video.packets), (576, 720, Some(60)), "it is turned");
        assert!((video.aspect() - 9.0 / 16.0).abs() < 1e-9, "{video:?}");
        assert!(video.is_interlaced && video.is_hdr());
        assert_eq!(parse(&json!({"streams": []})), None);
        assert_eq!(ratio("0/0", '/'), None);
    }
}
